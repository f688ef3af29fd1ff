"""How far a reading has come, for whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from deia import system

OnProgress = Callable[[int, int], None]
"""Called every now and then with how many bytes of a session's files were read, and how many there are. What it raises
ends the reading."""


class Progress:
    """Adds up the files of one session, which are read one after the other."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._sizes: dict[Path, int] = {}
        self._before = 0

    def plan(self, files: list[Path]) -> None:
        """Take it that these files will be read; those that are known already stay where they are."""
        for path in files:
            if path not in self._sizes:
                self._sizes[path] = _size(path)

    def begin(self, path: Path, position: int) -> None:
        """Tell that the files before one were read, and this one up to a position."""
        self._before = 0
        for earlier, size in self._sizes.items():
            if earlier == path:
                break
            self._before += size
        self.tell(position)

    def tell(self, position: int) -> None:
        """Tell how far the file is read that was begun last; bytes as they lie on the disk."""
        done = self._before + position
        self._on_progress(done, max(done, sum(self._sizes.values())))  # a live journal grows


def _size(path: Path) -> int:
    try:
        return system.stat(path).st_size
    except OSError:  # whoever reads it meets the same
        return 0
