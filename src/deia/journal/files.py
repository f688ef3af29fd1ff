"""The files of an open session: what it writes to, syncs, rests from, and gives up."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deia import system
from deia.journal.recovery import Recovery
from deia.journal.segments import Segment, SwitchReason
from deia.queue.layout import COMMITTED_AT, DROPPED_AT

_Identity = tuple[int, int]
"""Device and inode: what a name means."""


def identity(status: os.stat_result) -> _Identity:
    """Return what tells a file from all others, whatever it is called."""
    return status.st_dev, status.st_ino


LOOK_INTERVAL_S = 0.25
"""How long a journal that was removed may be written to by single lines before that is noticed."""


class DisplacedError(OSError):
    """The journal is not where it was, or not what it was: nobody would find what is written to it.

    Attributes:
        reason: What has happened to it.
    """

    def __init__(self, reason: SwitchReason, path: Path) -> None:
        super().__init__(errno.ESTALE, f"the session log was changed under its logger ({reason})", os.fspath(path))
        self.reason: SwitchReason = reason


@dataclass
class SessionFiles:
    """What an open session holds of the operating system.

    Attributes:
        path: The journal: the segment that is written.
        journal: Its descriptor; -1 while the session rests.
        lock: Descriptor of the queue file that carries the lock; -1 where the one that the ring's mapping keeps does.
        locked: Whether it does; None where the file system has no locks.
        size: Session offset of the journal's end when it was opened: where the session goes on.
        recovery: What opening found.
        queue: The name of the session's queue file.
        segment: Which of the session's files the journal is.
        ring_path: Where the ring lies; None in mode `write`.
        ring: The mapped ring; None in mode `write`.
        committed: Its word of that name.
        dropped: Likewise.
    """

    path: Path
    journal: int
    lock: int
    locked: bool | None
    size: int
    recovery: Recovery
    queue: Path
    segment: Segment
    ring_path: Path | None = None
    ring: mmap.mmap | None = None
    committed: memoryview | None = None
    dropped: memoryview | None = None
    _journal_file: _Identity = (0, 0)
    _lock_file: _Identity = (0, 0)
    _is_named: bool = True
    _views: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _users: int = 0
    _released: bool = False
    _looked_at: float = 0.0

    @property
    def base(self) -> int:
        """Session offset of the journal's first byte."""
        return self.segment.offset or 0

    @property
    def has_lock(self) -> bool:
        """Whether the session's lock file is still ours."""
        try:
            return identity(system.lstat(self.queue)) == self._lock_file
        except (FileNotFoundError, NotADirectoryError):
            return False

    def displacement(self, written: int) -> SwitchReason | None:
        """Look whether journal and queue file are where readers and openers look for them.

        Args:
            written: Session offset up to which the journal was written before this call.

        Raises:
            OSError: That cannot be told at the moment.
        """
        self._looked_at = system.monotonic()
        try:
            there = system.lstat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return "removed"
        if identity(there) != self._journal_file:
            return "replaced"
        if there.st_size < written - self.base:
            return "truncated"
        if not self.has_lock or (self.ring_path is not None and not system.exists(self.ring_path)):
            return "queue-removed"
        return None

    def require_place(self, written: int) -> None:
        """Refuse to write where nobody would find it.

        Raises:
            DisplacedError: As `displacement` says.
            OSError: As for `displacement`.
        """
        reason = self.displacement(written)
        if reason is not None:
            raise DisplacedError(reason, self.path)

    def require_place_now_and_then(self, written: int) -> None:
        """The same for a writer of single lines: names are looked at only `LOOK_INTERVAL_S` after the last look."""
        if system.monotonic() - self._looked_at >= LOOK_INTERVAL_S:
            self.require_place(written)
            return
        with self.in_use() as journal:
            if system.fstat(journal).st_size < written - self.base:
                raise DisplacedError("truncated", self.path)

    def write(self, data: bytes, offset: int) -> int:
        """Write at a session offset; return how many bytes were written, which may be fewer.

        Raises:
            DisplacedError: The journal is not where it was; nothing was written.
            OSError: The system's; or EBADF after `release`.
        """
        self.require_place(offset)
        with self.in_use() as journal:
            return system.pwrite(journal, data, offset - self.base)

    def write_all(self, data: bytes, offset: int) -> int:
        """Write all of `data` at a session offset; return the offset after it.

        Raises:
            OSError: As for `write`.
        """
        self.require_place(offset)
        with self.in_use() as journal:
            return system.write_all(journal, data, offset - self.base) + self.base

    def read(self, offset: int, size: int) -> bytes:
        """Read so many bytes at an offset; fewer where the journal ends.

        Raises:
            OSError: As for `write`.
        """
        with self.in_use() as journal:
            return system.pread(journal, size, offset - self.base)

    def journal_bytes(self) -> int:
        """Return the size of the journal; 0 where it is gone, and its descriptor was given back before.

        Raises:
            OSError: As for `write`.
        """
        try:
            with self.in_use() as journal:
                return system.fstat(journal).st_size
        except DisplacedError:
            return 0

    def sync(self) -> None:
        """Return once the journal is on the disk, under its name.

        Raises:
            OSError: As for `write`.
        """
        with self.in_use() as journal:
            system.sync(journal)
            if not self._is_named:
                system.sync_directory(self.path.parent)
                self._is_named = True

    @contextlib.contextmanager
    def in_use(self) -> Iterator[int]:
        """Keep the descriptor open, and its number from meaning another file, under a call that is on its way.

        Yields:
            The journal's descriptor, opened again where the session rested.

        Raises:
            OSError: It cannot be; EBADF after `release`.
            DisplacedError: Its name means another file by now, or none.
        """
        with self._guard:
            if self._released:
                raise OSError(errno.EBADF, "the journal is closed", str(self.path))
            if self.journal < 0:
                self._open_again()
            self._users += 1
            journal = self.journal
        try:
            yield journal
        finally:
            self._leave()

    def _open_again(self) -> None:
        try:
            fd = system.open_existing(self.path, writable=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DisplacedError("removed", self.path) from error
        if identity(system.fstat(fd)) != self._journal_file:
            system.close(fd)
            raise DisplacedError("replaced", self.path)
        if self.journal < 0:
            self.journal = fd
        else:  # a call made inside this one, by a destructor, was first
            system.close(fd)

    def rest(self) -> None:
        """Give back what a session that does nothing can do without: the journal's descriptor, and the ring's pages.

        The mapping stays, and with it the lock and the place of the next append. To be called once everything is
        written and synced; a write, or a sync, opens the journal again.
        """
        with self._guard:
            if self._users or self._released or self.journal < 0 or not self._is_at_its_path():
                return
            self._users += 1  # so that a `release` meanwhile leaves the mapping to us
            fd, self.journal = self.journal, -1
        try:
            system.close(fd)
            if self.ring is not None:
                system.give_back(self.ring)
        finally:
            self._leave()

    def _is_at_its_path(self) -> bool:
        """Whether the journal could be opened again; one that was removed lives as long as its descriptor."""
        try:
            return identity(system.lstat(self.path)) == self._journal_file
        except OSError:
            return False

    def _leave(self) -> None:
        with self._guard:
            self._users -= 1
            last = self._released and not self._users
        if last:
            self._close()

    def release(self, *, remove: bool) -> None:
        """Unmap, close the descriptors (once the last call on them has returned) and so give up the lock.

        Args:
            remove: Whether the queue file goes too: its content is in the journal.

        Raises:
            OSError: It could not be removed; all else was done.
        """
        with self._guard:
            if self._released:
                return
            self._released = True
            self._users += 1  # until the lock file is gone, whoever leaves meanwhile
        try:
            if remove:
                self._remove()
        finally:
            self._leave()

    def _remove(self) -> None:
        """Remove our ring and our lock file, unless the name is another file's by now: ours was moved away then."""
        self.remove_ring()
        if self.has_lock:
            system.unlink(self.queue)

    def remove_ring(self) -> None:
        """Remove the ring where it does not lie beside the journal; no queue file points to it any more."""
        if self.ring_path not in (None, self.queue):
            assert self.ring_path is not None
            with contextlib.suppress(FileNotFoundError):
                system.unlink(self.ring_path)

    def abandon(self) -> None:
        """Close our copies of the descriptors in a forked child; the parent keeps its own, and with them the lock."""
        self._released = True  # without the guard, which another thread of the parent may have held at the fork
        self._close()

    def _close(self) -> None:
        self.unmap()
        for fd in (self.journal, self.lock):
            if fd >= 0:
                system.close(fd)

    def attach(self, ring: mmap.mmap, path: Path) -> None:
        """Have a ring, mapped with its header."""
        view = memoryview(ring)
        self.ring_path = path
        self.ring = ring
        self.committed = view[COMMITTED_AT : COMMITTED_AT + 8].cast("Q")
        self.dropped = view[DROPPED_AT : DROPPED_AT + 8].cast("Q")
        for part in (view, self.dropped, self.committed):
            self._views.callback(part.release)

    def unmap(self) -> None:
        """Let go of the ring."""
        if self.ring is not None:
            self._views.close()
            self.ring.close()
