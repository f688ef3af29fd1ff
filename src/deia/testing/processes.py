"""Processes that are there to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any


def start(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, output: IO[bytes] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program that has nothing to read, with a group of its own, so that what it starts can be ended with it.

    Args:
        command: The program, and its arguments.
        cwd: Where it runs.
        env: Variables that it gets beside those of this process.
        output: Where everything goes that it says; without, it is in the two pipes of the process.
    """
    return subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if output is None else output,
        stderr=subprocess.PIPE if output is None else subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
        start_new_session=True,
    )


def end(child: subprocess.Popen[Any]) -> None:
    """Kill a program and everything that it started, if there is anything left of it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def kill_at_work(child: subprocess.Popen[Any]) -> bool:
    """Kill a program; return whether it lived until then. One that had ended by itself proves nothing."""
    alive = child.poll() is None
    child.kill()
    return alive
