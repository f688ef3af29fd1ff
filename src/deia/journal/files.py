"""The files of an open session, made in the order that the format page lays down ("Opening")."""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from deia import system
from deia.errors import ForeignJournalError
from deia.journal.glue import BOM
from deia.journal.recovery import LOCK_ATTEMPTS, Recovery, lock_session, recover_locked, remove_if_empty
from deia.journal.unpack import GZIP_MAGIC
from deia.options import Options
from deia.queue.layout import COMMITTED_AT, DROPPED_AT, HEADER_BYTES, Header, Kind, queue_path, ring_name
from deia.queue.pointer import ring_behind

_FIRST_LINE_BYTES = 64 * 1024
"""How much is looked at for the first line that tells its owner; a longer one is taken on its file name's word."""


_ZEROS = bytes(64 * 1024)
"""A divisor of every ring's size; written again and again, it takes no fresh memory."""

_Identity = tuple[int, int]
"""Device and inode: what a name means."""


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


@dataclass
class SessionFiles:
    """What an open session holds of the operating system.

    Attributes:
        path: The journal.
        journal: Its descriptor; -1 while the session rests.
        lock: Descriptor of the queue file that carries the lock; -1 where the one that the ring's mapping keeps does.
        locked: Whether it does; None where the file system has no locks.
        size: Size of the journal when it was opened: where the session goes on.
        recovery: What opening found.
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

    def write(self, data: bytes, offset: int) -> int:
        """Write at an offset of the journal; return how many bytes were written, which may be fewer.

        Raises:
            OSError: The system's; or EBADF after `release`.
        """
        with self.in_use() as journal:
            return system.pwrite(journal, data, offset)

    def write_all(self, data: bytes, offset: int) -> int:
        """Write all of `data` at an offset of the journal; return the offset after it.

        Raises:
            OSError: As for `write`.
        """
        with self.in_use() as journal:
            return system.write_all(journal, data, offset)

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
            OSError: It cannot be; ESTALE where its name means another file by now; EBADF after `release`.
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
        fd = system.open_existing(self.path, writable=True)
        if _identity(system.fstat(fd)) != self._journal_file:
            system.close(fd)
            raise OSError(errno.ESTALE, "the journal was replaced by another file", str(self.path))
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
            return _identity(system.lstat(self.path)) == self._journal_file
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
        queue = queue_path(self.path)
        if self.ring_path not in (None, queue):
            assert self.ring_path is not None
            with contextlib.suppress(FileNotFoundError):
                system.unlink(self.ring_path)
        with contextlib.suppress(FileNotFoundError):
            if _identity(system.lstat(queue)) == self._lock_file:
                system.unlink(queue)

    def abandon(self) -> None:
        """Close our copies of the descriptors in a forked child; the parent keeps its own, and with them the lock."""
        self._released = True  # without the guard, which another thread of the parent may have held at the fork
        self._close()

    def _close(self) -> None:
        if self.ring is not None:
            self._views.close()
            self.ring.close()
        for fd in (self.journal, self.lock):
            if fd >= 0:
                system.close(fd)


def open_session(
    agent_id: str, session_id: str, path: Path, options: Options, opened: list[int], lock_attempts: int = LOCK_ATTEMPTS
) -> SessionFiles:
    """Open a session for appending; recover it first if its last process died.

    Args:
        agent_id: Whose session.
        session_id: Which.
        path: Its journal.
        options: How it is recorded.
        opened: Gets every descriptor that is open, for the caller to close where this is interrupted.
        lock_attempts: How often to try for the lock, a moment apart.

    Raises:
        SessionLockedError: Another logger has it open; nothing was touched.
        ForeignJournalError: The file belongs to another agent or session; it was not touched.
        OSError: A file cannot be made.
    """
    make_directory(path.parent)
    queue = queue_path(path)
    for file in (path, queue):
        if system.is_link(file):  # the descriptors are opened without following one too; this says why
            raise ForeignJournalError(f"{file} is a symbolic link, which is not followed", path=file)
    lock, locked = lock_session(queue, opened, lock_attempts)
    try:
        _check_owner(path, agent_id, session_id)
    except (ForeignJournalError, OSError):
        remove_if_empty(lock, queue)
        raise
    recovery = recover_locked(path)
    old_ring = ring_behind(queue)
    journal = system.open_or_create(path)
    opened.append(journal)
    is_named = options.sync_policy != "never"  # else by the first sync that is asked for
    if is_named:
        system.sync_directory(path.parent)
    status = system.fstat(journal)
    header = Header(
        kind=Kind.LOCK,
        ring_bytes=0,
        boot_id=system.boot_id(),
        device=status.st_dev,
        inode=status.st_ino,
        pid=system.process_id(),
        agent_id=agent_id,
        session_id=session_id,
    )
    files = SessionFiles(
        path,
        journal,
        lock,
        locked,
        status.st_size,
        recovery,
        _journal_file=_identity(status),
        _is_named=is_named,
    )
    try:
        if options.queue_mode == "write" or not system.has_gil():
            raise _NoRing
        _make_ring(files, header, queue, options, opened)
    except (_NoRing, OSError, ValueError) as error:
        if options.queue_mode == "mmap":
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
        _replace_queue(files, header, queue, recovery.dropped, opened)
    if files.lock != lock:
        _close(lock, opened)
    if old_ring is not None and old_ring != files.ring_path:
        with contextlib.suppress(FileNotFoundError):
            system.unlink(old_ring)
    return files


class _NoRing(Exception):
    """The session is to have no ring."""


def make_directory(directory: Path) -> None:
    """Make a directory for session logs; a `.deia` that we make keeps itself out of version control.

    Its name, and the names of the directories above, are made durable as long as it is empty: whoever made them may
    have died before that, and no session has been in it yet.

    Raises:
        OSError: It cannot be made, or one that was made cannot be made durable.
    """
    made = system.make_directory(directory)
    for path in made:
        if path.name == ".deia":
            try:
                fd = system.open_new(path / ".gitignore")
            except FileExistsError:
                continue  # of another process, which made the directory at the same time
            try:
                system.write_all(fd, b"*\n", 0)
            finally:
                system.close(fd)
    for path in made:
        system.sync_directory(path.parent)
    if made or system.is_empty(directory):
        above = directory.parents if not made else made[0].parent.parents
        for path in above:
            with contextlib.suppress(OSError):  # of a file system that has no such thing, maybe
                system.sync_directory(path)


def _check_owner(path: Path, agent_id: str, session_id: str) -> None:
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return
    try:
        head = system.pread(fd, _FIRST_LINE_BYTES, 0)
    finally:
        system.close(fd)
    if head.startswith(GZIP_MAGIC):
        raise ForeignJournalError(f"{path} is compressed with gzip; a session cannot go on in it", path=path)
    fields = next(filter(None, map(_fields_of, head.split(b"\n"))), {})
    for name, given in (("agent_id", agent_id), ("session_id", session_id)):
        if fields.get(name, given) != given:
            raise ForeignJournalError(
                f"{path} is not of this session: its first line has {name} {fields[name]!r}, not {given!r}", path=path
            )


def _fields_of(line: bytes) -> dict[str, Any]:
    """Return what the line of a journal says; nothing where it is damaged: then the next one tells whose it is."""
    try:
        fields = orjson.loads(line.rpartition(b"\0")[2].removeprefix(BOM))
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _make_ring(files: SessionFiles, header: Header, queue: Path, options: Options, opened: list[int]) -> None:
    """Make the ring with all its blocks, lock it, map it, and put it in place."""
    home = _ring_path(queue, options)
    size = options.ring_bytes
    ring_header = replace(header, kind=Kind.RING, ring_bytes=size)
    new = _make_file(home, ring_header.pack(committed=files.size, dropped=files.recovery.dropped), size, opened)
    mapping = system.map_shared(new, HEADER_BYTES + size, keeps_descriptor=home == queue)
    if home == queue:
        files.locked = system.lock(new)
        files._lock_file = _identity(system.fstat(new))
    system.rename(_new_name(home), home)
    if home == queue:
        files.lock = -1  # the mapping's own descriptor is of the same open file, and so holds its lock
    else:
        _replace_queue(files, replace(header, kind=Kind.POINTER, target=str(home)), queue, 0, opened)
    _close(new, opened)
    # only now: ext4 starts to write out what is renamed over another file, and a page that it writes out is protected
    # against writing, so that the next store to it costs its caller 60 µs
    system.populate(mapping)
    view = memoryview(mapping)
    files.ring_path = home
    files.ring = mapping
    files.committed = view[COMMITTED_AT : COMMITTED_AT + 8].cast("Q")
    files.dropped = view[DROPPED_AT : DROPPED_AT + 8].cast("Q")
    for part in (view, files.dropped, files.committed):
        files._views.callback(part.release)


def _ring_path(queue: Path, options: Options) -> Path:
    """Where the ring goes: beside the journal, or to `queue_dir` under a name that no other journal's ring has."""
    if options.queue_dir is None:
        return queue
    directory = Path(options.queue_dir)
    system.make_directory(directory)
    if system.real_path(directory) == system.real_path(queue.parent):
        return queue
    return directory / ring_name(queue)


def _replace_queue(files: SessionFiles, header: Header, queue: Path, dropped: int, opened: list[int]) -> None:
    """Put a queue file without a ring in place, locked."""
    new = _make_file(queue, header.pack(dropped=dropped), 0, opened)
    files.locked = system.lock(new)
    files._lock_file = _identity(system.fstat(new))
    system.rename(_new_name(queue), queue)
    files.lock = new


def _new_name(path: Path) -> Path:
    """The temporary name of a file being made: one name, for whoever holds the session's lock is alone here."""
    return path.with_name(path.name + ".new")


def _make_file(path: Path, header: bytes, zeros: int, opened: list[int]) -> int:
    """Write a header and zeros to a file under its temporary name; return its descriptor."""
    new = _new_name(path)
    with contextlib.suppress(FileNotFoundError):
        system.unlink(new)  # of an opener that died
    fd = system.open_new(new)
    opened.append(fd)
    try:
        end = system.write_all(fd, header, 0)
        while zeros:
            zeros -= len(_ZEROS)
            end = system.write_all(fd, _ZEROS, end)
    except BaseException:
        _close(fd, opened)
        system.unlink(new)
        raise
    return fd


def _close(fd: int, opened: list[int]) -> None:
    opened.remove(fd)
    system.close(fd)
