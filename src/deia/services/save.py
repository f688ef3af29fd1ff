"""`save_session`: have everything logged so far in a file of a given directory."""

from __future__ import annotations

import os
from pathlib import Path

from deia import system
from deia.bus.session import Session
from deia.journal.files import make_directory
from deia.queue.layout import queue_path

_CHUNK = 1024 * 1024


def save(session: Session, directory: Path, timeout_s: float, *, disabled: bool) -> Path:
    """See `SessionLogger.save_session`."""
    target = directory / session.path.name
    if disabled:
        return target
    make_directory(directory)
    with session.lock:  # an attempt to open it, on another thread, comes to its end first
        if session.state == "unopened" and any(map(system.exists, (session.path, queue_path(session.path)))):
            session.open()  # an earlier run's log, to be recovered before it is copied
        if session.state == "open" and session.writer.files is None:
            session.move_to(directory)
    end = session.flush(timeout_s) if session.state == "open" else None
    if system.real_path(session.path.parent) == system.real_path(directory):
        system.close(system.open_or_create(target))
        return target
    _copy(session.path, target, end)
    return target


def _copy(source: Path, target: Path, end: int | None) -> None:
    """Copy a journal up to `end`, where a line ends, under a temporary name, and rename it."""
    new = target.with_name(f".{target.stem}.saving-{os.urandom(4).hex()}")
    fd = system.open_new(new)  # never a file that somebody else has put there, with a mode of his own
    try:
        if system.exists(source):
            _copy_content(source, fd, end)
        system.sync(fd)
        system.rename(new, target)
    except BaseException:
        system.unlink(new)
        raise
    finally:
        system.close(fd)
    system.sync_directory(target.parent)


def _copy_content(source: Path, fd: int, end: int | None) -> None:
    offset = 0
    with system.open_for_reading(source) as file:
        while data := file.read(_CHUNK if end is None else min(_CHUNK, end - offset)):
            offset = system.write_all(fd, data, offset)
