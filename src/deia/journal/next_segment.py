"""The files of the segment in which a session goes on, made beside those of the one before.

The steps are the format page's ("Segments").

Nothing of it is seen by a reader before `NextSegment.place`, and nothing is appended to the segment before after that:
whoever dies in between leaves one of the two complete.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from deia import system
from deia.errors import ForeignJournalError
from deia.journal.files import SessionFiles, identity
from deia.journal.opener import make_directory, make_queue, new_name, new_segment_name, place_queue
from deia.journal.recovery import Recovery, is_at, lock_session
from deia.journal.segments import Segment, first_line, next_number, segment_path, segments_of
from deia.options import Options
from deia.queue.layout import queue_path

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}
"""What a file system answers that gives no file a second name."""


_LAST_BYTES = 64 * 1024
"""How far back the end of a file is looked at; of a longer last line the end tells enough."""

_CHUNK_BYTES = 1024 * 1024


class NextSegment:
    """A segment from its first byte to the moment at which the session goes on in it.

    Attributes:
        files: Its files; without a queue file until `make_queue`.
        header_bytes: By how much further the session's offsets are in it.
        opened: Descriptors that are open for it, for a forked child to close.
    """

    def __init__(
        self, old: SessionFiles, journal: Path, agent_id: str, session_id: str, segment: Segment, opened: list[int]
    ) -> None:
        """Make a segment's journal, with its first line, under a temporary name.

        Args:
            old: The files of the segment before; their lock is taken over, or taken anew where it is gone.
            journal: The session's first file.
            agent_id: Whose session.
            session_id: Which.
            segment: What its first line says; its number and path are chosen here.
            opened: Gets every descriptor that is open, for the caller to close where this is interrupted.

        Raises:
            SessionLockedError: Another logger has opened the session where it was removed.
            ForeignJournalError: Another logger has recorded in it since.
            OSError: A file cannot be made.
        """
        self.opened = opened
        self._ids = agent_id, session_id
        self._name = new_segment_name(journal)
        self._lock: int | None = None
        self._has_queue = False
        queue = queue_path(journal)
        make_directory(journal.parent)
        if not old.has_lock:
            self._lock, _ = lock_session(queue, opened)
            try:
                _require_ours(journal, old)
            except BaseException:
                _remove_if_empty(self._lock, queue)
                raise
        number = max(next_number(journal), old.segment.number + 1)
        segment = replace(segment, number=number, path=segment_path(journal, number))
        line = first_line(agent_id, session_id, segment)
        self.header_bytes = len(line)
        segment = replace(segment, header_bytes=len(line))
        with suppress(FileNotFoundError):
            system.unlink(self._name)  # of an attempt that was interrupted
        fd = system.open_new(self._name)
        opened.append(fd)
        system.write_all(fd, line, 0)
        size = (segment.offset or 0) + len(line)
        self.files = SessionFiles(
            segment.path,
            fd,
            -1,
            old.locked,
            size,
            Recovery(),
            queue,
            segment,
            _journal_file=identity(system.fstat(fd)),
            _is_named=False,
        )

    def write(self, data: bytes, old_offset: int) -> None:
        """Write what the segment before has at a session offset."""
        at = old_offset + self.header_bytes - self.files.base
        system.write_all(self.files.journal, data, at)

    def sync(self) -> None:
        """Return once all that was written is on the disk."""
        system.sync(self.files.journal)

    def make_queue(self, end: int, options: Options, dropped: int) -> None:
        """Make its queue file, under a temporary name.

        Args:
            end: Session offset in the segment before up to which this one is complete.
            options: How the session is recorded.
            dropped: Events dropped on purpose so far.
        """
        self.files.size = end + self.header_bytes
        make_queue(self.files, *self._ids, options, dropped, self.opened)
        self._has_queue = True

    def place(self) -> None:
        """Give both files their names. May be done again, and by a call made inside this one.

        Raises:
            OSError: A name cannot be given; see `withdraw`.
        """
        files = self.files
        assert self._has_queue
        if files.committed is not None:
            files.committed[0] = files.size  # before any reader takes it for the session's queue
        if not is_at(files.journal, files.path):
            _give_name(self._name, files.path)
        place_queue(files)

    def withdraw(self) -> None:
        """Take the segment's name back: the session goes on in the one before.

        Raises:
            OSError: It is there still, and it cannot be emptied either.
        """
        if is_at(self.files.journal, self.files.path):
            try:
                system.unlink(self.files.path)
            except OSError:
                system.ftruncate(self.files.journal, 0)  # an empty file is no segment

    def tidy(self) -> None:
        """Let go of what was needed on the way, once the session goes on in this segment."""
        with suppress(OSError):  # left of the link; the next one to open the session removes it
            system.unlink(self._name)
        if self._lock is not None:
            self.opened.remove(self._lock)
            system.close(self._lock)
        self.opened.clear()

    def discard(self) -> None:
        """Remove what was made; the session goes on in the segment before."""
        discard(self._name, self.files, self._lock, self.opened)


def discard(name: Path, files: SessionFiles | None, lock: int | None, opened: list[int]) -> None:
    """Remove what was made of a segment that is not gone on in."""
    doomed = [name]
    if files is not None:
        doomed.append(new_name(files.queue))
        if files.ring_path not in (None, files.queue):
            assert files.ring_path is not None
            doomed.append(files.ring_path)
        if lock is not None:
            _remove_if_empty(lock, files.queue)
        files.unmap()
    for path in doomed:
        with suppress(OSError):  # written over by the next attempt, or removed by the next opener
            system.unlink(path)
    for fd in opened:
        system.close(fd)
    opened.clear()


def _remove_if_empty(lock: int, queue: Path) -> None:
    """Take back a lock file that was made for nothing."""
    if system.fstat(lock).st_size == 0 and is_at(lock, queue):
        with suppress(OSError):
            system.unlink(queue)


def _require_ours(journal: Path, old: SessionFiles) -> None:
    """Refuse to repeat, and so to hide, a file that is no copy of ours: its last line has to stand in ours, too.

    The lock was gone for a while, and with it what keeps two loggers from recording one session.
    """
    files = segments_of(journal)
    if not files:
        return
    path = files[-1].path
    with system.open_for_reading(path) as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LAST_BYTES))
        last = (file.read(_LAST_BYTES) or b"").rpartition(b"\n")[0].rpartition(b"\n")[2]
    offset, tail = old.base, b""
    while last:
        data = old.read(offset, _CHUNK_BYTES)
        if last in tail + data:
            return
        if not data:
            raise ForeignJournalError(f"{path} was recorded by another logger meanwhile", path=path)
        tail = (tail + data)[-len(last) :]
        offset += len(data)


def _give_name(old: Path, new: Path) -> None:
    """Give a file another name that no file has; never take one away from another session's."""
    try:
        system.link(old, new)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            system.lstat(new)
        except FileNotFoundError:
            system.rename(old, new)
        else:
            raise FileExistsError(errno.EEXIST, "the name of a segment is taken", str(new)) from error
