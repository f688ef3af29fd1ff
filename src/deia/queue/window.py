"""Look into a queue file without owning it: what a reader, and recovery, see of the journal's unwritten tail."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deia import system
from deia.options import MAX_QUEUE_BYTES
from deia.queue.layout import (
    COMMITTED_AT,
    DROPPED_AT,
    HEADER_BYTES,
    Header,
    Kind,
    UnreadableQueueError,
    queue_path,
    word,
)
from deia.queue.pointer import open_ring, require_ring

_MOST_DROPS = 1 << 48
"""A number that no session gets to: a higher one is damage, and would be told in the log."""

_CHUNK_BYTES = 1 << 20

_EMPTY = Header(Kind.LOCK, 0, bytes(16), 0, 0, 0, "", "")


@dataclass(frozen=True)
class Window:
    """A copy of the newest bytes of a session, taken at one moment.

    Attributes:
        header: Whose it is.
        committed: Offset up to which lines were complete, in the journal that the window is of.
        data: The bytes before `committed`, as many as the ring still holds.
        dropped: Events dropped on purpose since the session began.
        path: The file that the copy was taken from.
        rest: What else the ring holds. Of use only where `committed` is damaged, or older than the ring.
        whole: Whether the file is as long as its header says.
    """

    header: Header
    committed: int
    data: bytes
    dropped: int
    path: Path
    rest: bytes = b""
    whole: bool = True

    @property
    def start(self) -> int:
        """Journal offset of the first byte in `data`."""
        return self.committed - len(self.data)

    def trusts(self, journal: os.stat_result) -> bool:
        """Whether offsets may be computed: the kernel that has the ring's pages also has the journal's."""
        header = self.header
        return (
            header.kind is Kind.RING
            and self.whole
            and any(header.boot_id)
            and header.boot_id == system.boot_id()
            and (header.device, header.inode) == (journal.st_dev, journal.st_ino)
        )

    def beyond(self, journal: os.stat_result, size: int) -> bytes | None:
        """Return what belongs after the first `size` bytes of the journal.

        Args:
            journal: The journal's status.
            size: Its size when it was read to its end, torn line included.

        Returns:
            Bytes to go on with, or None where offsets do not tell; see `deia.journal.salvage` then.
        """
        if not self.trusts(journal) or size < self.start:
            return None
        tail = self.data[max(0, size - self.start) :]
        return tail if tail.endswith(b"\n") or not tail else None  # else `committed` is damaged: a line ends there


def is_repeated(tail: bytes, journal: int, size: int) -> bool:
    """Whether what is to follow the journal ends as the journal does: `committed` is damaged, by a lap of the ring.

    Args:
        tail: What `Window.beyond` gave.
        journal: The journal's descriptor.
        size: Its size.
    """
    line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
    return 0 < len(line) <= size and system.pread(journal, len(line), size - len(line)) == line


def read_window(journal: Path) -> Window | None:
    """Copy the window of a journal's queue file; None where there is none.

    Call it before the journal is read: the other order yields garbage (see the format page, "Reading").

    Raises:
        UnreadableQueueError: The queue file is damaged, cut or of another version.
        OSError: It cannot be read.
    """
    path = queue_path(journal)
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return None
    try:
        status = system.fstat(fd)
        page = system.pread(fd, HEADER_BYTES, 0)
        if _is_nul(fd, page, status.st_size):
            return Window(_EMPTY, 0, b"", 0, path)  # made just now; or all that a loss of power has left of it
        header = Header.unpack(page)
        if header.kind is not Kind.POINTER:
            return _copy(fd, header, page, path)
        try:
            ring, target = open_ring(header, status)
        except FileNotFoundError:
            return Window(_EMPTY, 0, b"", 0, path)
    finally:
        system.close(fd)
    try:
        page = system.pread(ring, HEADER_BYTES, 0)
        ring_header = Header.unpack(page)
        require_ring(header, ring_header)
        return _copy(ring, ring_header, page, target)
    finally:
        system.close(ring)


def _is_nul(fd: int, page: bytes, size: int) -> bool:
    """Whether a queue file holds nothing, not even a header."""
    if page.count(0) < len(page) or size > HEADER_BYTES + MAX_QUEUE_BYTES:
        return False
    chunks = (system.pread(fd, _CHUNK_BYTES, at) for at in range(HEADER_BYTES, size, _CHUNK_BYTES))
    return all(chunk.count(0) == len(chunk) for chunk in chunks)


def _copy(fd: int, header: Header, page: bytes, path: Path) -> Window:
    committed = system.load_word(fd, COMMITTED_AT)
    size = header.ring_bytes
    ring = system.pread(fd, min(size, system.fstat(fd).st_size - HEADER_BYTES), HEADER_BYTES)
    dropped = word(page, DROPPED_AT)
    if dropped > _MOST_DROPS:
        dropped = 0
    if not size:
        return Window(header, 0, b"", dropped, path)
    # `committed` was loaded before the ring: what the ring gained since is left out
    if len(ring) < size:
        return Window(header, max(0, committed - header.base), ring, dropped, path, whole=False)
    if committed <= size:
        data, rest = ring[:committed], ring[committed:]
    else:
        at = committed & (size - 1)
        data, rest = ring[at:] + ring[:at], b""
    committed -= header.base
    if committed < 0:
        raise UnreadableQueueError("the queue file ends before its segment begins")
    return Window(header, committed, data[max(0, len(data) - committed) :], dropped, path, rest)
