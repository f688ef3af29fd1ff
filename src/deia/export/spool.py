"""Strands of bytes that grow side by side, and are read one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from deia import system

_PIECE_BYTES = 16 * 1024
"""What a strand gathers in memory before it goes to the file: thousands of strands fit."""


class Spool:
    """Keeps strands in one file, piece by piece; in memory is the last piece of each, and where the others lie."""

    def __init__(self, fd: int) -> None:
        """Keep them in an empty file that is open for reading and writing."""
        self._fd = fd
        self._end = 0
        self._pieces: dict[int, list[tuple[int, int]]] = {}
        self._last: dict[int, bytearray] = {}

    def append(self, strand: int, data: bytes) -> None:
        """Add to the end of a strand.

        Raises:
            OSError: The disk is full, say.
        """
        last = self._last.setdefault(strand, bytearray())
        last += data
        if len(last) >= _PIECE_BYTES:
            self._pieces.setdefault(strand, []).append((self._end, len(last)))
            self._end = system.write_all(self._fd, bytes(last), self._end)
            last.clear()

    def read(self, strand: int) -> Iterator[bytes]:
        """Yield a strand, in pieces.

        Raises:
            OSError: The file cannot be read.
        """
        for at, size in self._pieces.get(strand, ()):
            yield system.pread(self._fd, size, at)
        if last := self._last.get(strand):
            yield bytes(last)
