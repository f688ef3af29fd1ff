"""Where one reading of a session came to the end of its journal, so that a later one may go on from there.

A journal only grows. Whoever has read it once needs only what came since, if all that was read is as it was: then the
reader takes up its own state of that moment. What tells is the file itself (device and inode), its size, and the bytes
before the bookmark; and of the session's earlier files that nothing at all has happened to them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from deia import system
from deia.journal.leap import Place
from deia.journal.segments import Segment

_TAIL_BYTES = 4096
"""What is compared of the bytes before a bookmark: several lines, each with its own time and `seq`."""

Identity = tuple[int, int, int, int]
"""Device, inode, size in bytes and time of the last change of a file that nobody writes any more."""


class StaleBookmarkError(Exception):
    """What was read before a bookmark is not what stands there now, or a reading of the whole would stop before it."""


class Earlier(NamedTuple):
    """A file that was left behind before the bookmark.

    Attributes:
        segment: The file.
        identity: What was read; None where nothing was, because a later one repeats it all.
    """

    segment: Segment
    identity: Identity | None


class Bookmark(NamedTuple):
    """A place between two lines, and the reader's state there.

    Attributes:
        earlier: The files before the one it is in.
        segment: The file.
        device: Of the file.
        inode: Likewise.
        place: The next line.
        tail: The bytes before it.
        state: The rest of the reader's state; not to be changed.
    """

    earlier: tuple[Earlier, ...]
    segment: Segment
    device: int
    inode: int
    place: Place
    tail: bytes
    state: dict[str, Any]

    def require_files(self, files: Sequence[Segment]) -> None:
        """Fail unless a session's files are those that were read, and those that it goes on in since.

        Raises:
            StaleBookmarkError: They are others.
        """
        at = len(self.earlier)
        if len(files) <= at or files[at] != self.segment:
            raise StaleBookmarkError
        for index, (segment, identity) in enumerate(self.earlier):
            if files[index] != segment or _has_changed(segment, identity):
                raise StaleBookmarkError

    def require_content(self, fd: int, status: os.stat_result) -> None:
        """Fail unless an open file holds what was read.

        Raises:
            StaleBookmarkError: It is another file, or it was truncated or written anew.
            OSError: It cannot be read.
        """
        if (status.st_dev, status.st_ino) != (self.device, self.inode) or self.tail != _tail(fd, self.place.offset):
            raise StaleBookmarkError


OnBookmark = Callable[[Bookmark], None]


def bookmark(
    earlier: Sequence[Earlier],
    segment: Segment,
    fd: int,
    status: os.stat_result,
    place: Place,
    state: dict[str, Any],
) -> Bookmark:
    """Return a bookmark in an open file; arguments are as its attributes are.

    Raises:
        OSError: The file cannot be read.
    """
    tail = _tail(fd, place.offset)
    return Bookmark(tuple(earlier), segment, status.st_dev, status.st_ino, place, tail, state)


def identity_of(status: os.stat_result) -> Identity:
    """Return by what one sees that a file is another one, or was written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _has_changed(segment: Segment, identity: Identity | None) -> bool:
    try:
        return identity is not None and identity_of(system.stat(segment.path)) != identity
    except OSError:
        return True


def _tail(fd: int, offset: int) -> bytes:
    """Return the bytes before an offset; fewer where the file ends before it."""
    size = min(offset, _TAIL_BYTES)
    return system.pread(fd, size, offset - size)
