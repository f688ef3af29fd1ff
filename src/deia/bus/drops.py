"""Events that were dropped on purpose: counted where a kill cannot take it, and told in the log."""

from __future__ import annotations

import threading

from deia.journal.files import SessionFiles


class Drops:
    """How many there were, and how many the log tells of.

    Attributes:
        total: Since the session began.
        told: Of these, how many a SessionEvent line has told.
    """

    def __init__(self) -> None:
        self.total = 0
        self.told = 0
        self._lock = threading.RLock()

    @property
    def untold(self) -> int:
        """How many the next line has to tell."""
        return self.total - self.told

    def take_over(self, *, total: int, told: int) -> None:
        """Go on from an earlier run: `total` as its queue file counted, `told` as its journal says."""
        self.told += told
        self.total += max(total, told)

    def add(self, files: SessionFiles | None) -> None:
        """Count one more, in the queue file too if there is one."""
        with self._lock:
            self.total += 1
            if files is not None and files.dropped is not None:
                files.dropped[0] = self.total
