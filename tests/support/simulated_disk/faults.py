"""Make single operations fail."""

from __future__ import annotations

import os
from collections import Counter

from support.simulated_disk.recording import Recorder


class Counting:
    """Lets everything pass, and counts the operations by name."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def attach(self, recorder: Recorder) -> None:
        recorder.before = self.before

    def before(self, name: str) -> None:
        self.calls[name] += 1


class Failing(Counting):
    """Lets one operation fail, or that and the next ones of its name.

    Args:
        name: Its name.
        which: Counted from 1.
        error: What it fails with.
        times: How many of them in a row fail.
    """

    def __init__(self, name: str, which: int, error: int, times: int = 1) -> None:
        super().__init__()
        self._name = name
        self._failing = range(which, which + times)
        self._error = error

    def before(self, name: str) -> None:
        super().before(name)
        if name == self._name and self.calls[name] in self._failing:
            raise OSError(self._error, os.strerror(self._error))


class Short(Counting):
    """Lets one write, or all, take fewer bytes than it was given.

    Args:
        which: Counted from 1; 0 for all of them.
    """

    def __init__(self, which: int) -> None:
        super().__init__()
        self._which = which

    def attach(self, recorder: Recorder) -> None:
        super().attach(recorder)
        recorder.room = self.room

    def room(self, size: int) -> int:
        return (size + 1) // 2 if self._which in (0, self.calls["pwrite"]) else size
