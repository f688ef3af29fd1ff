"""Operations on files by path."""

from __future__ import annotations

from deia.analysis.profile.result import FILES_KEPT, FileProfile
from deia.analysis.profile.shown import shown_path
from deia.events import FileEvent

PATHS_KEPT = 32 * 1024
"""How many paths are counted at once; with one more, the half with the least traffic is forgotten."""


class FileTable:
    """Takes file events.

    Attributes:
        effort_ms: What all operations took together, as far as the lines say.
        exact: False once a path had to be forgotten.
    """

    def __init__(self) -> None:
        self.effort_ms = 0
        self.exact = True
        self._files: dict[str, _File] = {}

    def feed(self, event: FileEvent, duration_ms: int) -> None:
        """Take one operation; another than a read or a write is listed, and counted as neither."""
        path = shown_path(event.path)
        file = self._files.get(path)
        if file is None:
            if len(self._files) >= PATHS_KEPT:
                self.exact = False
                self._files = dict(self._most_traffic()[: PATHS_KEPT // 2])
            file = self._files[path] = _File()
        size = max(0, event.size_bytes or 0)
        if event.operation == "read":
            file.reads += 1
            file.bytes_read += size
        elif event.operation == "write":
            file.writes += 1
            file.bytes_written += size
        file.duration_ms += duration_ms
        self.effort_ms += duration_ms

    def finish(self) -> tuple[dict[str, FileProfile], bool]:
        """Return the files with the most traffic, the most first, and whether there are others."""
        files = {
            path: FileProfile(file.reads, file.writes, file.bytes_read, file.bytes_written, file.duration_ms)
            for path, file in self._most_traffic()[:FILES_KEPT]
        }
        return files, len(self._files) > FILES_KEPT or not self.exact

    def _most_traffic(self) -> list[tuple[str, _File]]:
        return sorted(self._files.items(), key=lambda item: (*item[1].rank, item[0]))


class _File:
    __slots__ = ("bytes_read", "bytes_written", "duration_ms", "reads", "writes")

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.bytes_read = 0
        self.bytes_written = 0
        self.duration_ms = 0

    @property
    def rank(self) -> tuple[int, int]:
        """What it is ordered by: bytes, then operations, the most first."""
        return -(self.bytes_read + self.bytes_written), -(self.reads + self.writes)
