"""The descriptors that conversations hold: their locks are this process's, and no forked child is to inherit them."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from deia import system

_held: set[int] = set()


def hold(fd: int) -> int:
    """Note a descriptor that was opened, and return it."""
    _held.add(fd)
    return fd


def lock(fd: int, path: Path, *, tries: int, pause_s: float, why_not: str) -> None:
    """Lock what a descriptor is of, if the file system can.

    Args:
        fd: The descriptor.
        path: Where that is, for the error.
        tries: How often to try.
        pause_s: How long to wait before each but the first.
        why_not: What to say where somebody else keeps it locked.

    Raises:
        BlockingIOError: Somebody else does.
    """
    for left in reversed(range(tries)):
        if system.lock(fd) is not False:
            return
        if left:
            system.pause(pause_s)
    raise BlockingIOError(errno.EAGAIN, why_not, str(path))


def close(fd: int) -> None:
    """Close a descriptor."""
    _held.discard(fd)
    system.close(fd)


def let_go() -> None:
    """In a forked child: close its copies of what the parent holds."""
    while _held:
        with contextlib.suppress(OSError):  # the parent was about to close it
            system.close(_held.pop())
