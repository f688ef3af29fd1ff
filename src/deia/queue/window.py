"""Look into a queue file without owning it: what a reader, and recovery, see of the journal's unwritten tail."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deia import system
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
    """

    header: Header
    committed: int
    data: bytes
    dropped: int
    path: Path

    @property
    def start(self) -> int:
        """Journal offset of the first byte in `data`."""
        return self.committed - len(self.data)

    def trusts(self, journal: os.stat_result) -> bool:
        """Whether offsets may be computed: the kernel that has the ring's pages also has the journal's."""
        header = self.header
        return (
            header.kind is Kind.RING
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
        return self.data[max(0, size - self.start) :]


def read_window(journal: Path) -> Window | None:
    """Copy the window of a journal's queue file; None where there is none.

    Call it before the journal is read: the other order yields garbage (see the format page, "Reading").

    Raises:
        UnreadableQueueError: The queue file is damaged, cut or of another version.
        OSError: It cannot be read.
    """
    return _read(queue_path(journal), may_point=True)


def _is_nul(data: bytes) -> bool:
    return data.count(0) == len(data)


def _read(path: Path, *, may_point: bool) -> Window | None:
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return None
    try:
        file_size = system.fstat(fd).st_size
        page = system.pread(fd, HEADER_BYTES, 0)
        if _is_nul(page) and _is_nul(system.pread(fd, file_size, 0)):
            return Window(_EMPTY, 0, b"", 0, path)  # made just now; or all that a loss of power has left of it
        header = Header.unpack(page)
        committed = system.load_word(fd, COMMITTED_AT)
        if header.kind is Kind.POINTER:
            if header.target is None or not may_point:
                raise UnreadableQueueError("the queue file points to one that points on")
            return _read(Path(header.target), may_point=False) or Window(_EMPTY, 0, b"", 0, path)
        size = header.ring_bytes
        if not size:
            return Window(header, 0, b"", word(page, DROPPED_AT), path)
        ring = system.pread(fd, size, HEADER_BYTES).ljust(size, b"\0")  # what a cut file lacks is never a line
    finally:
        system.close(fd)
    # `committed` was loaded before the ring: what the ring gained since is left out
    if committed <= size:
        data = ring[:committed]
    else:
        at = committed & (size - 1)
        data = ring[at:] + ring[:at]
    committed -= header.base
    if committed < 0:
        raise UnreadableQueueError("the queue file ends before its segment begins")
    return Window(header, committed, data[max(0, len(data) - committed) :], word(page, DROPPED_AT), path)
