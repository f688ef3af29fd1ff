"""The descriptors that conversations hold: their locks are this process's, and no forked child is to inherit them."""

from __future__ import annotations

import contextlib

from deia import system

_held: set[int] = set()


def hold(fd: int) -> int:
    """Note a descriptor that was opened, and return it."""
    _held.add(fd)
    return fd


def close(fd: int) -> None:
    """Close a descriptor."""
    _held.discard(fd)
    system.close(fd)


def let_go() -> None:
    """In a forked child: close its copies of what the parent holds."""
    while _held:
        with contextlib.suppress(OSError):  # the parent was about to close it
            system.close(_held.pop())
