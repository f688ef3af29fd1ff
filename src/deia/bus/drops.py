"""Events that were dropped on purpose: counted where a kill cannot take it, and told in the log."""

from __future__ import annotations

import threading
from contextlib import suppress

from deia.journal.files import SessionFiles
from deia.journal.writer import Writer


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

    def add(self, writer: Writer) -> None:
        """Count one more, in the queue file too if there is one."""
        with self._lock:
            self.total += 1
            self._store(writer.files)

    def go_on(self, files: SessionFiles) -> None:
        """Count on in the queue file of another segment, which the writer has by now."""
        with self._lock:
            self._store(files)

    def _store(self, files: SessionFiles | None) -> None:
        if files is not None and files.dropped is not None:
            with suppress(ValueError):  # released meanwhile: whoever does that has taken the count along
                files.dropped[0] = self.total
