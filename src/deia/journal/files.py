"""The files of an open session, made in the order that the format page lays down ("Opening")."""

from __future__ import annotations

import contextlib
import errno
import mmap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from deia import system
from deia.errors import ForeignJournalError
from deia.journal.recovery import Recovery, lock_session, recover_locked, remove_queue
from deia.options import Options
from deia.queue.layout import COMMITTED_AT, DROPPED_AT, HEADER_BYTES, Header, Kind, queue_path

_FIRST_LINE_BYTES = 64 * 1024
"""How much of a first line is looked at for its owner; a longer one is taken on its file name's word."""


@dataclass
class SessionFiles:
    """What an open session holds of the operating system.

    Attributes:
        path: The journal.
        journal: Its descriptor.
        lock: Descriptor of the queue file that carries the lock.
        locked: Whether it does; None where the file system has no locks.
        size: Size of the journal when it was opened: where the session goes on.
        recovery: What opening found.
        ring: The mapped queue file; None in mode `write`.
        committed: Its word of that name.
        dropped: Likewise.
    """

    path: Path
    journal: int
    lock: int
    locked: bool | None
    size: int
    recovery: Recovery
    ring: mmap.mmap | None = None
    committed: memoryview | None = None
    dropped: memoryview | None = None
    _views: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _users: int = 0
    _released: bool = False

    def write(self, data: bytes, offset: int) -> int:
        """Write at an offset of the journal; return how many bytes were written, which may be fewer.

        Raises:
            OSError: The system's; or EBADF after `release`.
        """
        with self.in_use():
            return system.pwrite(self.journal, data, offset)

    def write_all(self, data: bytes, offset: int) -> int:
        """Write all of `data` at an offset of the journal; return the offset after it.

        Raises:
            OSError: As for `write`.
        """
        with self.in_use():
            return system.write_all(self.journal, data, offset)

    def sync(self) -> None:
        """Return once the journal is on the disk.

        Raises:
            OSError: As for `write`.
        """
        with self.in_use():
            system.sync(self.journal)

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the descriptor open, and its number from meaning another file, under a call that is on its way."""
        with self._guard:
            if self._released:
                raise OSError(errno.EBADF, "the journal is closed", str(self.path))
            self._users += 1
        try:
            yield
        finally:
            with self._guard:
                self._users -= 1
                last = self._released and not self._users
            if last:
                self._close()

    def release(self, *, remove: bool) -> None:
        """Unmap, close the descriptors (once the last call on them has returned) and so give up the lock.

        Args:
            remove: Whether the queue file goes too: its content is in the journal.
        """
        with self._guard:
            if self._released:
                return
            self._released = True
            last = not self._users
        if remove:
            remove_queue(queue_path(self.path))
        if last:
            self._close()

    def abandon(self) -> None:
        """Close our copies of the descriptors in a forked child; the parent keeps its own, and with them the lock."""
        self._released = True  # without the guard, which another thread of the parent may have held at the fork
        self._close()

    def _close(self) -> None:
        if self.ring is not None:
            self._views.close()
            self.ring.close()
        for fd in (self.journal, self.lock):
            system.close(fd)


def open_session(agent_id: str, session_id: str, path: Path, options: Options) -> SessionFiles:
    """Open a session for appending; recover it first if its last process died.

    Raises:
        SessionLockedError: Another logger has it open; nothing was touched.
        ForeignJournalError: The file belongs to another agent or session; it was not touched.
        OSError: A file cannot be made; symbolic links are refused.
    """
    _make_directory(path.parent)
    queue = queue_path(path)
    for file in (path, queue):
        if file.is_symlink():  # the descriptors are opened without following one too; this says why
            raise ForeignJournalError(f"{file} is a symbolic link, which is not followed", path=file)
    with contextlib.ExitStack() as undo:
        lock, locked = lock_session(queue)
        undo.callback(system.close, lock)
        undo.callback(_remove_if_empty, lock, queue)
        _check_owner(path, agent_id, session_id)
        recovery = recover_locked(path)
        journal = system.open_or_create(path)
        undo.callback(system.close, journal)
        if options.sync_policy != "never":
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
        files = SessionFiles(path, journal, lock, locked, status.st_size, recovery)
        try:
            if options.queue_mode == "write" or not system.has_gil():
                raise _NoRing
            _make_ring(files, header, queue, options)
        except (_NoRing, OSError, ValueError) as error:
            if options.queue_mode == "mmap":
                raise error if isinstance(error, OSError) else OSError(str(error)) from error
            _replace_queue(files, header, queue, recovery.dropped)
        if files.lock != lock:
            system.close(lock)
        undo.pop_all()
    return files


class _NoRing(Exception):
    """The session is to have no ring."""


def _make_directory(directory: Path) -> None:
    """Make the sessions directory; a `.deia` that we make keeps itself out of version control."""
    made = system.make_directory(directory)
    for path in made:
        if path.name == ".deia":
            fd = system.open_or_create(path / ".gitignore")
            try:
                system.write_all(fd, b"*\n", 0)
            finally:
                system.close(fd)
    for path in made:
        system.sync_directory(path.parent)


def _remove_if_empty(lock: int, queue: Path) -> None:
    """Take back a lock file that was made for a session that then could not be opened."""
    if system.fstat(lock).st_size == 0:
        system.unlink(queue)


def _check_owner(path: Path, agent_id: str, session_id: str) -> None:
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return
    try:
        first = system.pread(fd, _FIRST_LINE_BYTES, 0).partition(b"\n")[0]
    finally:
        system.close(fd)
    try:
        fields = orjson.loads(first)
    except orjson.JSONDecodeError:
        return  # empty or damaged: nobody else's, as far as can be told
    if not isinstance(fields, dict):
        return
    for name, given in (("agent_id", agent_id), ("session_id", session_id)):
        if fields.get(name, given) != given:
            raise ForeignJournalError(
                f"{path} is not of this session: its first line has {name} {fields[name]!r}, not {given!r}", path=path
            )


def _make_ring(files: SessionFiles, header: Header, queue: Path, options: Options) -> None:
    """Make the ring with all its blocks, lock it, map it, and put it in place."""
    home = queue
    if options.queue_dir is not None:
        home = Path(options.queue_dir).absolute() / queue.name
        system.make_directory(home.parent)
    size = options.ring_bytes
    ring_header = _with(header, kind=Kind.RING, ring_bytes=size)
    new = _make_file(home, ring_header.pack(committed=files.size, dropped=files.recovery.dropped) + bytes(size))
    with contextlib.ExitStack() as undo:
        undo.callback(system.close, new)
        mapping = system.map_shared(new, HEADER_BYTES + size)
        undo.callback(mapping.close)
        if home == queue:
            files.locked = system.lock(new)
        system.rename(_new_name(home), home)
        # only now: ext4 starts to write out what is renamed over another file, and a page that it writes out is
        # protected against writing, so that the next store to it costs its caller 60 µs
        system.populate(mapping)
        if home == queue:
            undo.pop_all()
            files.lock = new
        else:
            _replace_queue(files, _with(header, kind=Kind.POINTER, target=str(home)), queue, 0)
            undo.pop_all()
            system.close(new)
    view = memoryview(mapping)
    files.ring = mapping
    files.committed = view[COMMITTED_AT : COMMITTED_AT + 8].cast("Q")
    files.dropped = view[DROPPED_AT : DROPPED_AT + 8].cast("Q")
    for part in (view, files.dropped, files.committed):
        files._views.callback(part.release)


def _replace_queue(files: SessionFiles, header: Header, queue: Path, dropped: int) -> None:
    """Put a queue file without a ring in place, locked."""
    new = _make_file(queue, header.pack(dropped=dropped))
    files.locked = system.lock(new)
    system.rename(_new_name(queue), queue)
    files.lock = new


def _with(header: Header, **changes: object) -> Header:
    return Header(**{**header.__dict__, **changes})


def _new_name(path: Path) -> Path:
    """The temporary name of a file being made: one name, for whoever holds the session's lock is alone here."""
    return path.with_name(path.name + ".new")


def _make_file(path: Path, content: bytes) -> int:
    """Write a file in full under its temporary name; return its descriptor."""
    new = _new_name(path)
    with contextlib.suppress(FileNotFoundError):
        system.unlink(new)  # of an opener that died
    fd = system.open_new(new)
    try:
        system.write_all(fd, content, 0)
    except BaseException:
        system.close(fd)
        system.unlink(new)
        raise
    return fd
