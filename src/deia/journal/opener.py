"""Make the files of a session, in the order that the format page lays down ("Opening")."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from deia import system
from deia.errors import ForeignJournalError
from deia.journal.files import SessionFiles, identity
from deia.journal.glue import BOM
from deia.journal.recovery import LOCK_ATTEMPTS, lock_session, recover_locked, remove_if_empty
from deia.journal.segments import Segment, segments_of
from deia.journal.unpack import GZIP_MAGIC
from deia.options import Options
from deia.queue.layout import HEADER_BYTES, Header, Kind, queue_path, ring_name
from deia.queue.pointer import ring_behind

_FIRST_LINE_BYTES = 64 * 1024
"""How much is looked at for the first line that tells its owner; a longer one is taken on its file name's word."""

_WITNESSES = 2
"""How many of its first lines have to name other ids before a journal is another session's: one may be damaged."""

_ZEROS = bytes(64 * 1024)
"""A divisor of every ring's size; written again and again, it takes no fresh memory."""


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
    _refuse_links(path, queue)
    lock, locked = lock_session(queue, opened, lock_attempts)
    try:
        for found in segments_of(path):
            _refuse_links(found.path)
            _check_owner(found.path, agent_id, session_id)
    except (ForeignJournalError, OSError):
        remove_if_empty(lock, queue)
        raise
    recovery = recover_locked(path)
    with contextlib.suppress(FileNotFoundError):
        system.unlink(new_segment_name(path))  # of a process that died on its way into it
    old_ring = ring_behind(queue)
    segment = max(segments_of(path), key=lambda found: found.number, default=Segment(path))
    journal = system.open_or_create(segment.path)
    opened.append(journal)
    is_named = options.sync_policy != "never"  # else by the first sync that is asked for
    if is_named:
        system.sync_directory(path.parent)
    status = system.fstat(journal)
    files = SessionFiles(
        segment.path,
        journal,
        lock,
        locked,
        (segment.offset or 0) + status.st_size,
        recovery,
        queue,
        segment,
        _journal_file=identity(status),
        _is_named=is_named,
    )
    make_queue(files, agent_id, session_id, options, recovery.dropped, opened)
    place_queue(files)
    _close(lock, opened)
    for ring in {old_ring, *_earlier_rings(files)} - {None, files.ring_path}:
        assert ring is not None
        with contextlib.suppress(FileNotFoundError):
            system.unlink(ring)
    return files


class _NoRing(Exception):
    """The session is to have no ring."""


def _refuse_links(*paths: Path) -> None:
    for path in paths:
        if system.is_link(path):  # the descriptors are opened without following one too; this says why
            raise ForeignJournalError(f"{path} is a symbolic link, which is not followed", path=path)


def new_segment_name(journal: Path) -> Path:
    """The temporary name of a segment being made: one name, for whoever holds the session's lock is alone here."""
    return journal.with_name(f".{journal.name.removesuffix('.jsonl')}.segment.new")


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
    """Refuse a journal of other ids, or a compressed one."""
    ids = {"agent_id": agent_id, "session_id": session_id}
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
    others = []
    for fields in itertools.islice(filter(None, map(_fields_of, head.split(b"\n"))), _WITNESSES):
        found = [(name, given) for name, given in ids.items() if fields.get(name, given) != given]
        if not found:
            return
        others += [(name, fields[name], given) for name, given in found]
    if others:
        name, there, given = others[0]
        raise ForeignJournalError(
            f"{path} is not of this session: its first line has {name} {there!r}, not {given!r}", path=path
        )


def _fields_of(line: bytes) -> dict[str, Any]:
    """Return what the line of a journal says; nothing where it is damaged: then the next one tells whose it is."""
    try:
        fields = orjson.loads(line.rpartition(b"\0")[2].removeprefix(BOM))
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def make_queue(
    files: SessionFiles, agent_id: str, session_id: str, options: Options, dropped: int, opened: list[int]
) -> None:
    """Make the queue file of a journal under its temporary name, locked, and map its ring.

    Raises:
        OSError: It cannot be made.
    """
    status = system.fstat(files.journal)
    header = Header(
        kind=Kind.LOCK,
        ring_bytes=0,
        boot_id=system.boot_id(),
        device=status.st_dev,
        inode=status.st_ino,
        pid=system.process_id(),
        agent_id=agent_id,
        session_id=session_id,
        base=files.base,
    )
    try:
        if options.queue_mode == "write" or not system.has_gil():
            raise _NoRing
        _make_ring(files, header, options, dropped, opened)
    except (_NoRing, OSError, ValueError) as error:
        if options.queue_mode == "mmap":
            raise error if isinstance(error, OSError) else OSError(str(error)) from error
        files.lock = _make_locked(files, header.pack(dropped=dropped), 0, opened)


def place_queue(files: SessionFiles) -> None:
    """Put a queue file that was made in its place: from now on it is the session's, and its lock. May be done again."""
    if not files.has_lock:
        system.rename(new_name(files.queue), files.queue)
    if files.ring is not None:
        # only now: ext4 starts to write out what is renamed over another file, and a page that it writes out is
        # protected against writing, so that the next store to it costs its caller 60 µs
        system.populate(files.ring)


def _make_ring(files: SessionFiles, header: Header, options: Options, dropped: int, opened: list[int]) -> None:
    """Make the ring with all its blocks, lock it, and map it."""
    home = _ring_path(files, options)
    size = options.ring_bytes
    page = replace(header, kind=Kind.RING, ring_bytes=size).pack(committed=files.size, dropped=dropped)
    if home == files.queue:
        ring, lock = _make_locked(files, page, size, opened), -1
    else:
        ring = _make_file(home, page, size, opened)
        system.rename(new_name(home), home)
        lock = _make_locked(files, replace(header, kind=Kind.POINTER, target=str(home)).pack(), 0, opened)
    mapping = system.map_shared(ring, HEADER_BYTES + size, keeps_descriptor=lock < 0)
    files.lock = lock  # without one, the mapping's own descriptor is of the same open file, and so holds its lock
    files.attach(mapping, home)
    _close(ring, opened)


def _ring_path(files: SessionFiles, options: Options) -> Path:
    """Where the ring goes: beside the journal, or to `queue_dir` under a name that no other journal's ring has."""
    queue = files.queue
    if options.queue_dir is None:
        return queue
    directory = Path(options.queue_dir)
    system.make_directory(directory)
    if system.real_path(directory) == system.real_path(queue.parent):
        return queue
    return directory / ring_name(queue, files.segment.number)


def _earlier_rings(files: SessionFiles) -> list[Path]:
    """Where the ring of the segment before may lie still, of a process that died right after a switch."""
    ring, number = files.ring_path, files.segment.number
    if ring is None or ring == files.queue or number == 1:
        return []
    before = ring.name.removesuffix(f".{number}.queue")
    return [ring.with_name(f"{before}.queue" if number == 2 else f"{before}.{number - 1}.queue")]


def _make_locked(files: SessionFiles, page: bytes, zeros: int, opened: list[int]) -> int:
    """Make the queue file beside the journal under its temporary name, locked."""
    new = _make_file(files.queue, page, zeros, opened)
    files.locked = system.lock(new)
    files._lock_file = identity(system.fstat(new))
    return new


def new_name(path: Path) -> Path:
    """The temporary name of a file being made: one name, for whoever holds the session's lock is alone here."""
    return path.with_name(path.name + ".new")


def _make_file(path: Path, header: bytes, zeros: int, opened: list[int]) -> int:
    """Write a header and zeros to a file under its temporary name; return its descriptor."""
    new = new_name(path)
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
