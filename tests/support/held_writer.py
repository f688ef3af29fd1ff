"""A disk that hangs, or fails, when the test says so: put behind `deia.system`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deia import system


class HeldWriter:
    """Holds every write to journals (`*.jsonl`) until it is released, whichever thread makes it.

    Attributes:
        reached: Set once a write has been held.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._error: Callable[[], OSError] | None = None
        self._pwrite = system.pwrite
        monkeypatch.setattr(system, "pwrite", self._held_pwrite)

    def hold(self) -> None:
        """From now on writes wait."""
        self.reached.clear()
        self._free.clear()

    def release(self) -> None:
        """Let the waiting writes, and all later ones, through."""
        self._error = None
        self._free.set()

    def fail(self, error: Callable[[], OSError]) -> None:
        """From now on writes fail with what `error` makes, until `release`."""
        self._error = error
        self._free.set()

    def _held_pwrite(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        if _is_journal(fd):
            if not self._free.is_set():
                self.reached.set()
                self._free.wait()
            if self._error is not None:
                self.reached.set()
                raise self._error()
        return self._pwrite(fd, data, offset)


def _is_journal(fd: int) -> bool:
    """Whether a descriptor is a journal's, on any platform that can tell."""
    for directory in ("/proc/self/fd", "/dev/fd"):
        try:
            return Path(os.readlink(f"{directory}/{fd}")).suffix == ".jsonl"
        except OSError:
            continue
    pytest.skip("this platform does not tell the path of a descriptor")
