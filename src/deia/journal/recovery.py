"""Bring into the journal what a dead process left in its queue file: `file-format.md`, "Recovery".

May die anywhere and be done again: it writes the same bytes at the same offsets, and the queue file goes last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from deia import system
from deia.errors import SessionLockedError
from deia.journal.salvage import lines_that_follow
from deia.journal.segments import Segment, is_there, segments_of
from deia.queue.layout import HEADER_BYTES, Header, UnreadableQueueError, queue_path
from deia.queue.window import Window, read_window

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
    """

    recovered_bytes: int = 0
    lost_bytes: int = 0
    aside: Path | None = None
    dropped: int = 0


def recover(journal: Path) -> Recovery:
    """Recover a session that no logger has open; nothing to recover is no error.

    Raises:
        SessionLockedError: A logger has it open; nothing was touched.
        FileNotFoundError: There is neither a journal nor a queue file.
        OSError: The journal cannot be written; what could not be recovered stays in the queue file.
    """
    queue = queue_path(journal)
    if not system.exists(queue) and not is_there(journal):
        raise FileNotFoundError(2, "no such session", str(journal))
    fd, _ = lock_session(queue)
    try:
        found = recover_locked(journal)
        remove_queue(queue)
    finally:
        system.close(fd)
    return found


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
    aside = None
    window: Window | None = None
    try:
        window = read_window(journal)
    except UnreadableQueueError:
        aside = _set_aside(pointer_target(queue) or queue)
    last = _last_segment(journal)
    if window is None or not window.header.ring_bytes:
        return Recovery(0, _cut_torn_end(last.path), aside, window.dropped if window is not None else 0)

    fd = system.open_or_create(last.path)
    try:
        status = system.fstat(fd)
        size = status.st_size
        tail = window.beyond(status, size)
        if tail is None:
            lost, recovered, complete = _salvage(fd, size, window, last)
            if not complete:
                aside = _set_aside(window.path)
        else:
            lost = _cut_unfinished(fd, size, window.committed)
            recovered = len(tail)
            system.write_all(fd, tail, size)
        if lost or recovered:
            system.sync(fd)
    finally:
        system.close(fd)
    return Recovery(recovered, lost, aside, window.dropped)


def remove_queue(queue: Path) -> None:
    """Remove a session's queue file, and the ring it points to, while its lock is held."""
    target = pointer_target(queue)
    for path in (target, queue):
        if path is not None:
            try:
                system.unlink(path)
            except FileNotFoundError:
                continue  # a ring on a tmpfs is gone after a reboot; the other one goes all the same


def pointer_target(queue: Path) -> Path | None:
    """Where the ring lies, if the file beside the journal only points to it."""
    try:
        fd = system.open_existing(queue)
    except FileNotFoundError:
        return None
    try:
        target = Header.unpack(system.pread(fd, HEADER_BYTES, 0)).target
    except UnreadableQueueError:
        return None
    finally:
        system.close(fd)
    return Path(target) if target is not None else None


def _cut_unfinished(fd: int, size: int, committed: int) -> int:
    """Cut what a direct write left beyond `committed`, but for a line that it had finished."""
    if size <= committed:
        return 0
    keep = max(committed, _end_of_lines(fd, size))
    if keep < size:
        system.ftruncate(fd, keep)
    return size - keep


def _cut_torn_end(journal: Path) -> int:
    """Cut what stands after the last newline of a journal that has no ring; return how many bytes that was."""
    try:
        fd = system.open_existing(journal, writable=True)
    except FileNotFoundError:
        return 0
    try:
        size = system.fstat(fd).st_size
        keep = _end_of_lines(fd, size)
        if keep == size:
            return 0
        if _is_original_line(system.pread(fd, size - keep, keep)):
            system.write_all(fd, b"\n", size)
            return 0
        system.ftruncate(fd, keep)
        system.sync(fd)
        return size - keep
    finally:
        system.close(fd)


def _is_original_line(tail: bytes) -> bool:
    """Whether a last line without newline is whole: the original format's files may end so, ours never."""
    try:
        fields = orjson.loads(tail)
    except orjson.JSONDecodeError:
        return False
    return isinstance(fields, dict) and "v" not in fields


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
    """Return the file in which a session goes on; one of which a loss of power left no whole line is removed."""
    segments = segments_of(journal)
    while segments and segments[-1].number > 1 and not _has_lines(segments[-1].path):
        system.unlink(segments.pop().path)
    return segments[-1] if segments else Segment(journal)


def _has_lines(path: Path) -> bool:
    fd = system.open_existing(path)
    try:
        return _end_of_lines(fd, system.fstat(fd).st_size) > 0
    finally:
        system.close(fd)


def _salvage(fd: int, size: int, window: Window, segment: Segment) -> tuple[int, int, bool]:
    """Append the lines of an untrusted window that go on where the journal's whole lines end.

    Returns:
        Bytes cut, bytes appended, and whether the window held nothing beyond that.
    """
    keep = _end_of_lines(fd, size)
    if keep < size:
        system.ftruncate(fd, keep)
    last_seq = _last_seq(fd, keep) or segment.after_seq or 0
    of_ours = window.header.base == (
        segment.offset or 0
    )  # else it is of the segment before, and all of it is in this one
    lines = b"".join(lines_that_follow(window, last_seq, keep, partial(system.pread, fd)) if of_ours else ())
    end = system.write_all(fd, lines, keep)
    complete = window.header.base + window.committed <= (segment.offset or 0) + end
    return size - keep, len(lines), complete


def _last_seq(fd: int, end: int) -> int:
    """`seq` of the last line that has one, looking back from `end`."""
    while end:
        start = _end_of_lines(fd, end - 1)
        try:
            fields = orjson.loads(system.pread(fd, end - start, start))
        except orjson.JSONDecodeError:
            fields = None
        if isinstance(fields, dict) and isinstance(fields.get("seq"), int):
            return int(fields["seq"])
        end = start
    return 0


def _set_aside(queue: Path) -> Path:
    """Copy a queue file beside itself, under the first free name; the file itself stays, for it is the lock."""
    source = system.open_existing(queue)
    try:
        data = system.pread(source, system.fstat(source).st_size, 0)
    finally:
        system.close(source)
    number = 1
    while True:
        aside = queue.with_name(f"{queue.name}.aside-{number}")
        try:
            fd = system.open_new(aside)
        except FileExistsError:
            number += 1
            continue
        try:
            system.write_all(fd, data, 0)
            system.sync(fd)
        finally:
            system.close(fd)
        return aside
