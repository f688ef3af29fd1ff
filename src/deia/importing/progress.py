"""How far an import has come: each of its files is read twice."""

from __future__ import annotations

from deia.journal.progress import OnProgress

_STEP_BYTES = 256 * 1024
"""How many bytes are worth telling of."""


class ReadTwice:
    """Adds up what is read of several files, for whoever shows it."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        """Begin with no file.

        Args:
            on_progress: Told, as of a reading in one go: half of the bytes count each time that they are read.
        """
        self._on_progress = on_progress
        self._total = 0
        self._read = 0
        self._told = 0

    def plan(self, size: int) -> None:
        """Take it that a file of so many bytes will be read."""
        self._total += size

    def add(self, length: int) -> None:
        """Take it that so many bytes more were read."""
        self._read += length
        if self._on_progress is not None and self._read - self._told >= _STEP_BYTES:
            self._told = self._read
            self._on_progress(min(self._read // 2, self._total), self._total)  # a live transcript grows
