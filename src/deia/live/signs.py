"""See whether anything has happened to a session, without reading it.

A look costs three system calls. It says no more than "as it was" or "not as it was": the word that tells of a commit is
read without the care that a reader takes of it, for half of an old word is not what it was before either.
"""

from __future__ import annotations

import os
from pathlib import Path

from deia import system
from deia.queue.layout import COMMITTED_AT, HEADER_BYTES, Header, Kind, UnreadableQueueError, queue_path
from deia.queue.pointer import open_ring

_WORD_BYTES = 8

File = tuple[int, int, int, int]
"""Device, inode, size and time of the last change of a file, its mode and its name included."""

Sign = tuple[object, ...]
"""What a look has seen; another one where something has happened."""


class Signs:
    """Looks at the files of one session.

    Attributes:
        queue: The session's queue file.
        has_queue: Whether it was there at the last look.
    """

    def __init__(self, journal: Path) -> None:
        """Look at the session whose first file is `journal`."""
        self.queue = queue_path(journal)
        # as text, for the system wants that, and a look is to cost little beside it
        self._journal = self._last = os.fspath(journal)
        self._directory = os.fspath(journal.parent)
        self._queue = os.fspath(self.queue)
        self.has_queue = False
        self._fd = -1
        self._identity: tuple[int, int] | None = None

    def look(self) -> Sign:
        """Return what there is to see."""
        first = file_of(self._journal)
        if first is None:
            first = file_of(self._directory)  # it may go on in a later file, of which nothing else tells
        last = None if self._last == self._journal else file_of(self._last)
        return (first, last, *self._look_at_queue())

    def watch(self, last: Path) -> None:
        """Look at another file, too: the last one that the session went on in."""
        self._last = os.fspath(last)

    def is_locked(self) -> bool | None:
        """Tell whether a logger has the session open, by touching its lock; None where that cannot be told."""
        try:
            fd = system.open_existing(self.queue)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        try:
            return system.is_locked(fd)
        finally:
            system.close(fd)

    def close(self) -> None:
        """Let go of the queue file; the next look opens it again."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            system.close(fd)
        self._identity = None

    def _look_at_queue(self) -> Sign:
        try:
            status = system.lstat(self._queue)
        except OSError:
            self.has_queue = False
            self.close()
            return (None,)
        self.has_queue = True
        identity = (status.st_dev, status.st_ino)
        if identity != self._identity:
            self.close()
            self._identity = identity
            self._fd = _open(self.queue)
        return identity, status.st_size, self._committed()

    def _committed(self) -> bytes:
        if self._fd < 0:
            return b""
        try:
            return system.pread(self._fd, _WORD_BYTES, COMMITTED_AT)
        except OSError:  # the journal alone must tell then
            return b""


def file_of(path: str | os.PathLike[str]) -> File | None:
    """Return what tells a file from another one, and from itself when it was changed; None where there is none."""
    try:
        status = system.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns


def _open(queue: Path) -> int:
    """Open what holds the word `committed`; -1 where that cannot be had, and the journal alone must tell."""
    try:
        fd = system.open_existing(queue)
    except OSError:
        return -1
    try:
        header = Header.unpack(system.pread(fd, HEADER_BYTES, 0))
        if header.kind is not Kind.POINTER:
            return fd
        ring, _ = open_ring(header, system.fstat(fd))
    except (UnreadableQueueError, OSError):
        ring = -1
    system.close(fd)
    return ring
