"""Cut a stream of bytes into lines, each with its number and offset; nothing is known here of what a line says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class RawLine(NamedTuple):
    """One line as it stands in the file.

    Attributes:
        number: From 1.
        offset: Of its first byte.
        nuls: NUL bytes that stood before `data`.
        data: Its bytes, without the newline.
        ended: Whether a newline followed.
    """

    number: int
    offset: int
    nuls: int
    data: bytes
    ended: bool

    @property
    def length(self) -> int:
        """Bytes from `offset` to the next line's first."""
        return self.nuls + len(self.data) + self.ended


class LineScanner:
    """Takes chunks and gives lines.

    An unfinished line is kept as the list of its parts, so that one of 100 MB costs one join and not a copy per chunk.
    NULs at the start of an unfinished line are counted, not kept: after a loss of power there may be gigabytes of them.
    """

    def __init__(self, number: int = 1, offset: int = 0) -> None:
        """Begin with the line of that number, at that offset."""
        self._parts: list[bytes] = []
        self._nuls = 0
        self._number = number
        self._offset = offset

    @property
    def pending(self) -> bool:
        """Whether bytes without a newline wait for the rest of their line."""
        return bool(self._parts or self._nuls)

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Yield the lines that a chunk completes."""
        *complete, last = chunk.split(b"\n")
        for part in complete:
            nuls, data = self._join(part) if self.pending else (0, part)
            yield RawLine(self._number, self._offset, nuls, data, ended=True)
            self._number += 1
            self._offset += nuls + len(data) + 1
        self._keep(last)

    def take_unfinished(self) -> RawLine | None:
        """Return the bytes after the last newline, if any; whatever comes next takes their place."""
        if not self.pending:
            return None
        nuls, data = self._join(b"")
        return RawLine(self._number, self._offset, nuls, data, ended=False)

    def drop_unfinished(self) -> int:
        """Forget the bytes after the last newline; return how many these were."""
        nuls, data = self._join(b"")
        return nuls + len(data)

    def _join(self, last: bytes) -> tuple[int, bytes]:
        """Return the unfinished line with its last part, and forget it."""
        self._keep(last)
        nuls, data = self._nuls, b"".join(self._parts)
        self._nuls, self._parts = 0, []
        return nuls, data

    def _keep(self, data: bytes) -> None:
        if not self._parts:
            stripped = data.lstrip(b"\0")
            self._nuls += len(data) - len(stripped)
            data = stripped
        if data:
            self._parts.append(data)
