"""The program `deia`, run in the test's own process."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from deia.cli.app import run


class Result(NamedTuple):
    """How a command ended: its exit code, and what it wrote to standard output and to standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]
"""Runs a command; `terminal=True` makes it believe that it writes to one."""


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str, width: int = 100) -> Run:
    """Return what runs `deia` with arguments that follow those of `command`; a terminal is so many columns wide."""

    def run_it(*arguments: object, terminal: bool = False) -> Result:
        with monkeypatch.context() as patch:
            patch.setenv("COLUMNS", str(width))
            patch.setenv("TERM", "xterm-256color")
            patch.delenv("NO_COLOR", raising=False)
            if terminal:
                patch.setattr(sys.stdout, "isatty", lambda: True)
            capsys.readouterr()
            code = run([*command, *map(str, arguments)])
        return Result(code, *capsys.readouterr())

    return run_it
