"""A test whose script hangs tells where it does, so that a hang that comes once in a thousand runs is not wasted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.processes import run

HANGS = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads

def other_thread():
    time.sleep(1000)  # until it is aborted

def forked_child():
    time.sleep(1000)  # until it is aborted

if sys.argv[1] == "thread":
    thread = threading.Thread(target=other_thread)
    thread.start()
    thread.join()
elif (pid := os.fork()) == 0:
    forked_child()
else:
    os.waitpid(pid, 0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no SIGABRT for a group of processes")
@pytest.mark.parametrize(("where", "function"), [("thread", "other_thread"), ("child", "forked_child")])
def test_script_that_hangs_says_where(tmp_path: Path, where: str, function: str) -> None:
    """In each of its threads, and of its forked children's; two seconds are time enough to get there."""
    with pytest.raises(AssertionError, match=rf"hangs after 2 s:(.|\n)*in {function}"):
        run(HANGS, where, cwd=tmp_path, timeout_s=2)
