"""A file of the user's that records what was read from it and written to it when it is closed."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import IO, Any

from deia import system

_MODE_LETTERS = frozenset("rwxabt+")


class CountedFile(io.FileIO):
    """An unbuffered file that counts what goes through it.

    Attributes:
        bytes_read: How many bytes were read.
        bytes_written: How many were written.
        was_read: Whether anything was read, or tried to be.
        newlines_written: Newlines written.
        ends_line: Whether what was written last ends a line.
        opening_s: Seconds that it took to open it; likewise the other three.
        reading_s: To read.
        writing_s: To write.
        closing_s: To close it.
        closed_by: Called once, when it has been closed.
    """

    bytes_read = 0
    bytes_written = 0
    was_read = False
    newlines_written = 0
    ends_line = True
    opening_s = 0.0
    reading_s = 0.0
    writing_s = 0.0
    closing_s = 0.0
    closed_by: Callable[[CountedFile], None] | None = None

    def readinto(self, buffer: Any, /) -> int:
        """As of any file."""
        began = system.stopwatch()
        count = super().readinto(buffer)
        self._count(count or 0, began)  # None where a pipe has nothing yet
        return count

    def readall(self) -> bytes:
        """As of any file."""
        began = system.stopwatch()
        data = super().readall()
        self._count(len(data or b""), began)
        return data

    def read(self, size: int | None = -1, /) -> Any:
        """As of any file."""
        began = system.stopwatch()
        data = super().read(-1 if size is None else size)
        self._count(len(data or b""), began)
        return data

    def _count(self, count: int, began: float) -> None:
        self.was_read = True
        self.bytes_read += count
        self.reading_s += system.stopwatch() - began

    def write(self, data: Any, /) -> int:
        """As of any file."""
        began = system.stopwatch()
        count = super().write(data)
        self.writing_s += system.stopwatch() - began
        if count:
            self.bytes_written += count
            with memoryview(data) as view, view.cast("B") as flat:
                written = bytes(flat[:count])
            self.newlines_written += written.count(b"\n")
            self.ends_line = written.endswith(b"\n")
        return count

    def close(self) -> None:
        """As of any file; and what it counted is recorded."""
        closed_by, self.closed_by = self.closed_by, None
        began = system.stopwatch()
        try:
            super().close()
        finally:
            self.closing_s = system.stopwatch() - began
            if closed_by is not None:
                closed_by(self)


def open_counted(
    path: str | os.PathLike[str],
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> tuple[IO[Any], CountedFile]:
    """Open a file as the builtin `open` does; return it, and the file under all its layers, which counts.

    Args:
        path: As there.
        mode: As there.
        buffering: As there.
        encoding: As there.
        errors: As there.
        newline: As there.

    Raises:
        ValueError: The arguments do not go together.
        OSError: It cannot be opened.
    """
    if not set(mode) <= _MODE_LETTERS or len(set(mode)) != len(mode) or {"b", "t"} <= set(mode):
        raise ValueError(f"invalid mode: {mode!r}")
    binary = "b" in mode
    if binary and not encoding is errors is newline is None:
        raise ValueError("a file in binary mode takes no encoding, errors or newline")
    if buffering == 0 and not binary:
        raise ValueError("can't have unbuffered text I/O")
    began = system.stopwatch()
    raw = system.open_as_asked(CountedFile, path, mode.replace("b", "").replace("t", ""))
    raw.opening_s = system.stopwatch() - began
    file: IO[Any] = raw
    try:
        by_line = not binary and (buffering == 1 or (buffering < 0 and raw.isatty()))
        if buffering != 0:
            size = buffering if buffering > 1 else max(io.DEFAULT_BUFFER_SIZE, system.fstat(raw.fileno()).st_blksize)
            file = _buffered(raw, size)
        if not binary:
            text = io.TextIOWrapper(file, encoding, errors, newline, by_line)
            text.mode = mode  # type: ignore[misc]  # as the builtin does
            file = text
    except BaseException:
        file.close()
        raise
    return file, raw


def _buffered(raw: CountedFile, size: int) -> IO[bytes]:
    if raw.readable() and raw.writable():
        return io.BufferedRandom(raw, size)
    return io.BufferedWriter(raw, size) if raw.writable() else io.BufferedReader(raw, size)


def lines_written(file: CountedFile, encoding: str | None, newline: str | None) -> int | None:
    """Return how many lines of text were written; None where bytes do not tell.

    Args:
        file: What they went to.
        encoding: Of the text.
        newline: As the file was opened.
    """
    if encoding is None or newline == "\r" or not "\n\n".encode(encoding).endswith(b"\n\n"):
        return None
    return file.newlines_written + (0 if file.ends_line else 1)
