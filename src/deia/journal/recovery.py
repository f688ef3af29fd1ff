"""Bring into the journal what a dead process left in its queue file: `file-format.md`, "Recovery".

May die anywhere and be done again: it writes the same bytes at the same offsets, and the queue file goes last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from deia import system
from deia.errors import JournalError, SessionLockedError
from deia.journal.aside import set_aside
from deia.journal.damage import DamageLog
from deia.journal.glue import is_torn
from deia.journal.salvage import belongs, lines_beyond_a_gap, lines_that_follow
from deia.journal.scan import LONGEST_LINE_BYTES
from deia.journal.segments import Segment, is_packed, is_there, segments_of
from deia.queue.layout import HEADER_BYTES, Header, UnreadableQueueError, queue_path
from deia.queue.pointer import ring_behind
from deia.queue.window import Window, is_repeated, read_window

_CHUNK = 64 * 1024

LOCK_ATTEMPTS = 6
LOCK_PAUSE_S = 0.01
"""`deia check` holds the lock for an instant to see whether it is free; an opener outlasts that."""


@dataclass(frozen=True)
class Recovery:
    """What was found when a session was opened or recovered.

    Attributes:
        recovered_bytes: Bytes that were only in the queue file and are in the journal now.
        lost_bytes: Bytes cut from the journal's end: a torn line of a call that had not returned, or NULs.
        aside: Copy of a queue file that could not be read, or not be used in full; None where all is accounted for.
        dropped: Events dropped on purpose since the session began, as the queue file counted them.
        sync_error: The fsync that failed: nobody knows what the disk has of the file, and a later one that succeeds
            would say nothing about it.
    """

    recovered_bytes: int = 0
    lost_bytes: int = 0
    aside: Path | None = None
    dropped: int = 0
    sync_error: OSError | None = None

    def require_sync(self) -> None:
        """Raise what keeps the recovered from being durable.

        Raises:
            OSError: The fsync that failed.
        """
        if self.sync_error is not None:
            raise self.sync_error


def recover(journal: Path) -> Recovery:
    """Recover a session that no logger has open; nothing to recover is no error.

    Raises:
        SessionLockedError: A logger has it open; nothing was touched.
        FileNotFoundError: There is neither a journal nor a queue file.
        JournalError: A file of it is compressed; nothing was touched.
        OSError: The journal cannot be written; what could not be recovered stays in the queue file.
    """
    if not system.exists(queue_path(journal)) and not is_there(journal):
        raise FileNotFoundError(2, "no such session", str(journal))
    with recovered(journal) as found:
        return found


@contextlib.contextmanager
def recovered(journal: Path) -> Iterator[Recovery]:
    """Recover a session, and keep it locked while the caller does more to its files; then its queue file goes.

    That file goes whatever becomes of the caller, for what it held is in the journal by then.

    Raises:
        SessionLockedError: A logger has it open; nothing was touched.
        JournalError: A file of it is compressed; nothing was touched.
        OSError: The journal cannot be written; what could not be recovered stays in the queue file.
    """
    queue = queue_path(journal)
    lock, _ = lock_session(queue)
    try:
        try:
            for segment in segments_of(journal):
                if is_packed(segment.path):
                    raise JournalError(f"{segment.path} is compressed: unpack it first", path=segment.path)
            found = recover_locked(journal)
            found.require_sync()
        except BaseException:
            remove_if_empty(lock, queue)
            raise
        try:
            yield found
        finally:
            remove_queue(queue)
    finally:
        system.close(lock)


def remove_if_empty(lock: int, queue: Path) -> None:
    """Take back a lock file that was made for nothing: the session could then not be opened, or recovered."""
    if system.fstat(lock).st_size == 0:
        with contextlib.suppress(FileNotFoundError):
            system.unlink(queue)


def lock_session(
    queue: Path, opened: list[int] | None = None, attempts: int = LOCK_ATTEMPTS
) -> tuple[int, bool | None]:
    """Open a session's lock file, made empty if missing, and take its lock.

    Args:
        queue: The lock file.
        opened: Gets the descriptor before it is locked: an exception that interrupts us must not leave a lock behind.
        attempts: How often to try, a moment apart.

    Returns:
        The descriptor that holds the lock, and whether it does (None where the file system has no locks).

    Raises:
        SessionLockedError: Another logger holds it.
        OSError: The file cannot be made or opened; a symbolic link in its place is refused.
    """
    opened = [] if opened is None else opened
    attempt = 0
    while True:
        fd = system.open_or_create(queue)
        opened.append(fd)
        locked = system.lock(fd)
        if locked is not False and is_at(fd, queue):
            return fd, locked
        pid = _owner(fd)
        opened.remove(fd)
        system.close(fd)
        if locked is False:
            attempt += 1
            if attempt >= attempts:
                by = f" by process {pid}" if pid else ""
                raise SessionLockedError(f"the session is open in another logger{by}: {queue}", path=queue, pid=pid)
            system.pause(LOCK_PAUSE_S)


def is_at(fd: int, path: Path) -> bool:
    """Whether a name still means the file we opened: it may have been replaced between open and lock."""
    try:
        there = system.lstat(path)
    except FileNotFoundError:
        return False
    here = system.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _owner(fd: int) -> int | None:
    try:
        return Header.unpack(system.pread(fd, HEADER_BYTES, 0)).pid
    except (UnreadableQueueError, OSError):  # being made just now, or damaged: the message does without
        return None


def recover_locked(journal: Path) -> Recovery:
    """Recover a session whose lock the caller holds; the queue file is left for the caller to remove or replace.

    Args:
        journal: The session's first file. What is recovered belongs to the last one that is there.
    """
    queue = queue_path(journal)
    name = queue.with_name(f"{queue.name}.aside")
    aside = None
    window: Window | None = None
    try:
        window = read_window(journal)
    except UnreadableQueueError:
        aside = set_aside(ring_behind(queue) or queue, name)
    last = _last_segment(journal)
    if window is None or not window.header.ring_bytes:
        lost, sync_error = _cut_torn_end(last.path)
        return Recovery(0, lost, aside, window.dropped if window is not None else 0, sync_error)

    sync_error = None
    fd = system.open_or_create(last.path)
    try:
        status = system.fstat(fd)
        size = status.st_size
        tail = window.beyond(status, size)
        if tail is None or is_repeated(tail, fd, size) or not _is_possible(fd, size, window.committed):
            lost, recovered, complete = _salvage(journal, fd, size, window, last)
            if not complete:
                aside = set_aside(window.path, name)
        else:
            lost = _cut(fd, size, max(window.committed, _end_of_lines(fd, size)))
            recovered = len(tail)
            system.write_all(fd, tail, size)
        if lost or recovered:
            sync_error = _try_to_sync(fd)
    finally:
        system.close(fd)
    return Recovery(recovered, lost, aside, window.dropped, sync_error)


def _try_to_sync(fd: int) -> OSError | None:
    """Sync a file; return why it failed, which is for whoever goes on with the session to make good."""
    try:
        system.sync(fd)
    except OSError as error:
        return error
    return None


def remove_queue(queue: Path) -> None:
    """Remove a session's queue file, its ring elsewhere, and what an opener that died left, while its lock is held."""
    ring = ring_behind(queue)
    for path in (ring, queue.with_name(f"{queue.name}.new"), queue):
        if path is not None:
            with contextlib.suppress(FileNotFoundError):
                system.unlink(path)


def _is_possible(fd: int, size: int, committed: int) -> bool:
    """Whether a journal can be ahead of `committed`, if it is: by one line, whole or not, that was written directly."""
    if size < committed:
        return True
    end = _end_of_lines(fd, size)
    return committed == end or (end > 0 and committed == _end_of_lines(fd, end - 1))


def _cut_torn_end(journal: Path) -> tuple[int, OSError | None]:
    """Cut what stands after the last newline of a journal that has no ring.

    Returns:
        How many bytes that was, and the fsync that failed after it.
    """
    try:
        fd = system.open_existing(journal, writable=True)
    except FileNotFoundError:
        return 0, None
    try:
        size = system.fstat(fd).st_size
        keep = _end_of_lines(fd, size)
        if keep == size:
            return 0, None
        if _is_original_line(_read_tail(fd, size, keep)):
            system.write_all(fd, b"\n", size)
            return 0, None
        lost = _cut(fd, size, keep)
        return lost, _try_to_sync(fd)
    finally:
        system.close(fd)


def _is_original_line(tail: bytes) -> bool:
    """Whether a last line without newline is whole: the original format's files may end so, ours never."""
    try:
        fields = orjson.loads(tail)
    except orjson.JSONDecodeError:
        return False
    return isinstance(fields, dict) and "v" not in fields


def _cut(fd: int, size: int, keep: int) -> int:
    """Cut a torn end; return how many bytes that was.

    What cannot be one is ended by a newline instead: it stays, as damage, and a reader takes from it what is whole.
    """
    if size <= keep:
        return 0
    if not _is_torn_from(fd, size, keep):
        system.write_all(fd, b"\n", size)
        return 0
    system.ftruncate(fd, keep)
    return size - keep


def _is_torn_from(fd: int, size: int, start: int) -> bool:
    """Whether what stands after the last newline, which is at `start`, can be a torn end."""
    _, nul, tail = _read_tail(fd, size, start).rpartition(b"\0")
    return size - start <= LONGEST_LINE_BYTES and is_torn(tail, behind_nuls=bool(nul))


def _read_tail(fd: int, size: int, start: int) -> bytes:
    return system.pread(fd, min(size - start, LONGEST_LINE_BYTES), start)


def _end_of_lines(fd: int, size: int) -> int:
    """Offset after the last newline before `size`."""
    end = size
    while end:
        start = max(0, end - _CHUNK)
        newline = system.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _last_segment(journal: Path) -> Segment:
    """Return the file in which a session goes on; one of which a loss of power left no whole line is removed.

    Not one that holds damage: that stays, as it does at the end of other files.
    """
    segments = segments_of(journal)
    while segments and segments[-1].number > 1 and _is_all_torn(segments[-1].path):
        system.unlink(segments.pop().path)
    return segments[-1] if segments else Segment(journal)


def _is_all_torn(path: Path) -> bool:
    fd = system.open_existing(path)
    try:
        size = system.fstat(fd).st_size
        return not _end_of_lines(fd, size) and _is_torn_from(fd, size, 0)
    finally:
        system.close(fd)


def _salvage(journal: Path, fd: int, size: int, window: Window, segment: Segment) -> tuple[int, int, bool]:
    """Append the lines of an untrusted window that go on where the journal's whole lines end.

    Returns:
        Bytes cut, bytes appended, and whether the window held nothing beyond that.
    """
    from deia.journal.records import RecordReader  # which a session without such a past never needs

    reader = RecordReader(segment.path, DamageLog().add, queue=False, alone=True)
    for _ in reader.records():
        pass
    continuity = reader.continuity
    lost = _cut(fd, size, _end_of_lines(fd, size))
    end = _end_of_lines(fd, system.fstat(fd).st_size)
    offset = segment.offset or 0
    if window.header.base != offset:  # it is of the segment before, and all of it is in this one
        return lost, 0, window.header.base + window.committed <= offset + end
    following = []
    if belongs(window, journal.name, continuity):
        following = lines_that_follow(window, continuity, end, partial(system.pread, fd))
    written = system.write_all(fd, b"".join(following), end)
    complete = written >= window.committed and not lines_beyond_a_gap(window, continuity, written, len(following))
    return lost, written - end, complete
