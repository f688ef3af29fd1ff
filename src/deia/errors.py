"""Every error that Deia raises, by who can act on it."""

from __future__ import annotations

import os


class DeiaError(Exception):
    """Root of all errors of this package."""


# You closed it.


class LoggerClosedError(DeiaError):
    """A log call came after `close`."""


# It is full, or slow.


class QueueFullError(DeiaError):
    """The queue had no room for an event and `when_full="raise"`; nothing was recorded.

    Attributes:
        pending_bytes: Bytes in the queue that the writer had not written yet.
    """

    def __init__(self, message: str, *, pending_bytes: int) -> None:
        super().__init__(message)
        self.pending_bytes = pending_bytes


class FlushTimeoutError(DeiaError, TimeoutError):
    """The writer is alive but did not get there in time; nothing is lost, the events stay in the queue.

    Attributes:
        pending_bytes: Bytes that were still waiting when the time was up.
    """

    def __init__(self, message: str, *, pending_bytes: int) -> None:
        super().__init__(message)
        self.pending_bytes = pending_bytes


class HandlerTimeoutError(DeiaError, TimeoutError):
    """A handler of the event bus has not returned from every event in time; it goes on."""


# Someone else has it.


class SessionLockedError(DeiaError):
    """Another logger, of this process or another one, has this session open; its file was not touched.

    Attributes:
        path: The lock file.
        pid: Process that made the lock file, where it can be told.
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str], pid: int | None = None) -> None:
        super().__init__(message)
        self.path = os.fspath(path)
        self.pid = pid


# The world broke it.


class WriterFailedError(DeiaError):
    """The journal cannot be written at the moment; its `__cause__` is the operating system's error.

    What was logged waits in the queue, and writing resumes by itself once the cause is gone.

    Attributes:
        path: The journal.
        pending_bytes: Bytes that wait in the queue.
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str], pending_bytes: int) -> None:
        super().__init__(message)
        self.path = os.fspath(path)
        self.pending_bytes = pending_bytes


# The data is damaged, or is not what it was taken for.


class JournalError(DeiaError):
    """A file cannot be read, or written, as the journal of this session.

    Attributes:
        path: The file.
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str]) -> None:
        super().__init__(message)
        self.path = os.fspath(path)


class NotASessionLogError(JournalError):
    """The file holds no readable event at all."""


class ForeignJournalError(JournalError, ValueError):
    """The file at the session's path belongs to another agent or session: its first line says so.

    Two pairs of ids can make one file name (`a_b` + `c`, `a` + `b_c`), so the ids given are the wrong ones: a
    ValueError.
    """


class DamagedLineError(JournalError):
    """A line cannot be read (raised under `strict=True` only).

    Attributes:
        path: The file.
        line: Line number, from 1.
        offset: Byte offset of the line's first byte, in the uncompressed file.
        reason: What is wrong with it.
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str], line: int, offset: int, reason: str) -> None:
        super().__init__(message, path=path)
        self.line = line
        self.offset = offset
        self.reason = reason
