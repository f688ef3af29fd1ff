"""Go from the queue file beside a journal to its ring in another directory, and no further than that.

A pointer is a path in a file, and the file may have come with a directory that somebody else has filled: whatever it
names is only read, copied or removed where it is a ring of ours, of that session, and of the pointer's owner.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from deia import system
from deia.queue.layout import HEADER_BYTES, Header, Kind, UnreadableQueueError, is_ring_name, ring_name

_NOT_A_FILE = frozenset({errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.ENOTDIR})
"""What stands there is a link, a pipe, a directory, a socket; other errors may pass."""


def open_ring(pointer: Header, status: os.stat_result) -> tuple[int, Path]:
    """Open the file that a pointer names.

    Args:
        pointer: The pointer's header.
        status: The pointer's own: the ring must have the same owner.

    Raises:
        UnreadableQueueError: It can be no ring of ours.
        FileNotFoundError: It is gone: after a reboot a tmpfs is empty.
        OSError: It cannot be opened.
    """
    target = Path(pointer.target or "")
    if not target.is_absolute() or not is_ring_name(target.name) or "\0" in str(target):
        raise UnreadableQueueError("the queue file points to what is no ring of Deia")
    try:
        fd = system.open_existing(target)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise UnreadableQueueError("the queue file points to what is no file") from error
        raise
    if system.fstat(fd).st_uid != status.st_uid:
        system.close(fd)
        raise UnreadableQueueError("the queue file points to a ring of another user")
    return fd, target


def require_ring(pointer: Header, ring: Header) -> None:
    """Check that what a pointer names is the ring of its session.

    Raises:
        UnreadableQueueError: It is not.
    """
    if ring.kind is not Kind.RING:
        raise UnreadableQueueError("the queue file points to one that points on")
    if (ring.agent_id, ring.session_id) != (pointer.agent_id, pointer.session_id):
        raise UnreadableQueueError("the queue file points to the ring of another session")


def ring_behind(queue: Path) -> Path | None:
    """Return where the ring lies if a queue file points to it, and if it is for this queue file's owner to remove.

    A ring whose header is damaged is known by its name.
    """
    try:
        fd = system.open_existing(queue)
    except FileNotFoundError:
        return None
    try:
        pointer = Header.unpack(system.pread(fd, HEADER_BYTES, 0))
        if pointer.kind is not Kind.POINTER:
            return None
        ring, target = open_ring(pointer, system.fstat(fd))
    except (UnreadableQueueError, FileNotFoundError):
        return None
    finally:
        system.close(fd)
    try:
        require_ring(pointer, Header.unpack(system.pread(ring, HEADER_BYTES, 0)))
    except UnreadableQueueError:
        return target if target.name == ring_name(queue) else None
    finally:
        system.close(ring)
    return target
