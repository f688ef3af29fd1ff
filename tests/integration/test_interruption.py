"""Ctrl-C ends what goes on until it comes, wherever in the program it hits."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from support.processes import TIMEOUT_S

_LOSE_IT = """
import importlib, os, signal, sys
from deia.cli import main

module, _, name = sys.argv[1].partition(":")
owner = importlib.import_module(module)
*path, name = name.split(".")
for part in path:
    owner = getattr(owner, part)
real = getattr(owner, name)

class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # here the handler runs
            pass

def lose_it(*arguments):
    setattr(owner, name, real)
    Destroyed()
    return real(*arguments)

setattr(owner, name, lose_it)
sys.unraisablehook = lambda dropped: print("dropped", dropped.exc_type.__name__, file=sys.stderr, flush=True)
sys.argv = ["deia", *sys.argv[2:]]
main()
"""


@pytest.mark.parametrize(
    ("called", "command"),
    [
        ("deia.system:wait_closed", ["tail", "-f"]),
        ("deia.system:key_within", ["top"]),
        pytest.param("socketserver:BaseServer.service_actions", ["serve"], marks=pytest.mark.once),
    ],
)
def test_ctrl_c_whose_exception_python_drops_ends_the_command_all_the_same(
    tmp_path: Path, called: str, command: list[str]
) -> None:
    """As it does with whatever a signal's handler raises inside a destructor."""
    if command == ["serve"]:
        pytest.importorskip("chartkick", reason="the extra report is not installed")
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _LOSE_IT, called, *command, str(tmp_path)],
        stdin=terminal,
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        reader = threading.Thread(target=_read_all, args=(controller,), daemon=True)
        reader.start()
        try:
            _, said = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
    reader.join(TIMEOUT_S)
    os.close(controller)
    assert (process.returncode, said) == (130, "dropped KeyboardInterrupt\n")


def _read_all(controller: int) -> None:
    try:
        while os.read(controller, 65536):
            pass
    except OSError:  # the other end is closed: that is how Linux says so
        pass
