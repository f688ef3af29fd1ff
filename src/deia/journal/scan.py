"""Cut a stream of bytes into lines, each with its number and offset; nothing is known here of what a line says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

LONGEST_LINE_BYTES = 256 * 1024 * 1024
"""What a reader keeps of one line. Four times the largest event there should be; damage may be a file without a single
newline, and must not take all memory."""

LONGEST_OTHER_BYTES = 1024 * 1024
"""The same of one that does not begin as an object does, and so can only be damage."""

_BEGINNINGS = b"{ \t\r\xef"
"""An object's first byte, white space, a byte order mark's first."""


class RawLine(NamedTuple):
    """One line as it stands in the file.

    Attributes:
        number: From 1.
        offset: Of its first byte.
        skipped: Bytes that stood before `data`, and cannot be part of a JSON text with it: up to the last NUL, or all
            of a line that is too long.
        nuls: How many of these were NUL.
        data: Its bytes, without the newline.
        ended: Whether a newline followed.
    """

    number: int
    offset: int
    skipped: int
    nuls: int
    data: bytes
    ended: bool

    @property
    def length(self) -> int:
        """Bytes from `offset` to the next line's first."""
        return self.skipped + len(self.data) + self.ended


class LineScanner:
    """Takes chunks and gives lines.

    An unfinished line is kept as the list of its parts, so that one of 100 MB costs one join and not a copy per chunk.
    What stands before a NUL in an unfinished line is counted, not kept: after a loss of power there may be gigabytes of
    NULs, behind a torn line or without one.

    Attributes:
        number: Of the line that is being put together.
        offset: Where it begins.
        previous: Where the line before it began.
    """

    def __init__(self, number: int = 1, offset: int = 0, previous: int | None = None) -> None:
        """Begin with the line of that number, at that offset; the line before began at `previous`, if there was one."""
        self.number = number
        self.offset = offset
        self.previous = offset if previous is None else previous
        self._parts: list[bytes] = []
        self._kept = 0
        self._skipped = 0
        self._nuls = 0
        self._too_long = False

    @property
    def pending(self) -> int:
        """How many bytes without a newline wait for the rest of their line."""
        return self._skipped + self._kept

    def feed(self, chunk: bytes) -> Iterator[RawLine]:
        """Yield the lines that a chunk completes."""
        *complete, last = chunk.split(b"\n")
        for part in complete:
            line = self._join(part, ended=True) if self.pending else self._line(0, 0, part, ended=True)
            self.number += 1
            self.previous = self.offset
            self.offset += line.length
            yield line
        self._keep(last)

    def take_unfinished(self) -> RawLine | None:
        """Return the bytes after the last newline, if any; whatever comes next takes their place."""
        return self._join(b"", ended=False) if self.pending else None

    def drop_unfinished(self) -> int:
        """Forget the bytes after the last newline; return how many these were."""
        dropped = self.pending
        self._forget()
        return dropped

    def _line(self, skipped: int, nuls: int, data: bytes, *, ended: bool) -> RawLine:
        return RawLine(self.number, self.offset, skipped, nuls, data, ended)

    def _join(self, last: bytes, *, ended: bool) -> RawLine:
        """Return the unfinished line with its last part, and forget it."""
        self._keep(last)
        line = self._line(self._skipped, self._nuls, b"".join(self._parts), ended=ended)
        self._forget()
        return line

    def _forget(self) -> None:
        self._parts = []
        self._kept = self._skipped = self._nuls = 0
        self._too_long = False

    def _keep(self, data: bytes) -> None:
        beyond_nul = data.rfind(b"\0") + 1
        if beyond_nul:
            self._nuls += data.count(b"\0")
            self._skip(beyond_nul)
            self._too_long = False
            data = data[beyond_nul:]
        if not data:
            return
        if not self._parts and not self._too_long:
            self._longest = LONGEST_LINE_BYTES if data[0] in _BEGINNINGS else LONGEST_OTHER_BYTES
        if self._too_long or self._kept + len(data) > self._longest:
            self._skip(len(data))
            self._too_long = True
        else:
            self._parts.append(data)
            self._kept += len(data)

    _longest = LONGEST_LINE_BYTES

    def _skip(self, size: int) -> None:
        """Count the bytes kept so far, and as many more, instead of keeping them."""
        self._skipped += self._kept + size
        self._parts = []
        self._kept = 0
