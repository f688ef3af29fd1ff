"""`save_session`: have everything logged so far in a file of a given directory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from deia import system
from deia.bus.barriers import flush
from deia.bus.session import Session
from deia.journal.opener import make_directory
from deia.journal.recovery import lock_session
from deia.journal.segments import is_there, segments_of
from deia.queue.layout import queue_path

_CHUNK = 1024 * 1024


def save(session: Session, directory: Path, timeout_s: float, *, disabled: bool) -> Path:
    """See `SessionLogger.save_session`."""
    target = directory / session.path.name
    if disabled:
        return target
    make_directory(directory)
    with session.lock:  # an attempt to open it, on another thread, comes to its end first
        if session.state == "unopened" and (system.exists(queue_path(session.path)) or is_there(session.path)):
            session.open()  # an earlier run's log, to be recovered before it is copied
        if session.state == "open" and session.writer.files is None:
            session.move_to(directory)
    session.segments.rescue(directory)
    end = flush(session, timeout_s) if session.state == "open" else None
    if system.real_path(session.path.parent) == system.real_path(directory):
        system.close(system.open_or_create(target))
        return target
    with _left_alone(target):
        _copy(session.path, target, end)
    return target


@contextlib.contextmanager
def _left_alone(target: Path) -> Iterator[None]:
    """Keep a session of the same name in that directory from being opened meanwhile.

    Raises:
        SessionLockedError: A logger has it open: what it writes would go to a file that has no name any more.
    """
    queue = queue_path(target)
    if not system.exists(queue):
        yield
        return
    lock, _ = lock_session(queue)
    try:
        yield
    finally:
        system.close(lock)


_Part = tuple[Path, int, int | None]
"""Bytes of one file: from where, and up to where; None means its end."""


def _copy(source: Path, target: Path, end: int | None) -> None:
    """Copy a session up to `end`, where a line ends, into one file under a temporary name, and rename it."""
    new = target.with_name(f".{target.stem}.saving-{os.urandom(4).hex()}")
    fd = system.open_new(new)  # never a file that somebody else has put there, with a mode of his own
    try:
        system.lock(fd)  # who removes what a save has left that died tells by it that this one has not
        offset = 0
        for part in _parts(source, end):
            offset = _copy_part(part, fd, offset)
        system.sync(fd)
        system.rename(new, target)
    except BaseException:
        system.unlink(new)
        raise
    finally:
        system.close(fd)
    system.sync_directory(target.parent)


def _parts(journal: Path, end: int | None) -> list[_Part]:
    """Return what of a session's files makes its one file; of one in a single file, all of it up to `end`."""
    files = segments_of(journal)
    if not files or files[-1].number == 1:
        return [(found.path, 0, end) for found in files]
    from deia.journal.joined import joined  # the reader, which a session of one file never needs

    return [*joined(journal)]


def _copy_part(part: _Part, fd: int, offset: int) -> int:
    path, at, end = part
    with system.open_for_reading(path) as file:
        file.seek(at)
        while data := file.read(_CHUNK if end is None else min(_CHUNK, end - at)):
            at += len(data)
            offset = system.write_all(fd, data, offset)
    return offset
