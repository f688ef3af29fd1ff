"""Where the bytes of a session are: in its queue, in the file that it writes, in those that it has left.

Offsets are a session's, and go on where it goes on in another file; but what is repeated there has other offsets than
it had. Whoever follows a session (`deia.bus.subscription`) holds a position, and has it translated here.
"""

from __future__ import annotations

import errno
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from deia import system

if TYPE_CHECKING:
    from deia.bus.session import Session
    from deia.journal.files import SessionFiles
    from deia.queue.producer import Producer

CHUNK_BYTES = 64 * 1024
"""Read at a time: some 300 events, which are decoded in a millisecond or two."""


_LEFT = object()


class Stretch:
    """One of the places that a session was recorded to, one after the other: memory, then a file, then another.

    Attributes:
        home: What `Producer.home` is while it is recorded to: its files, or None for memory.
        path: The file.
        base: Session offset of the file's first byte.
        begin: Session offset of the first byte that this run of the session recorded in it.
        seq: `seq` of the line before that.
        limit: Session offset up to which it is to be read, now that it was left.
        next: Where the session went on; None where it is recorded still, or was closed.
        moved: By how many bytes what lies beyond the limit has moved; None where reading goes on at its beginning.
        renumbered: By how much the `seq` of its lines has changed there.
    """

    def __init__(self, home: object, path: Path | None, base: int, begin: int, seq: int) -> None:
        self.home = home
        self.path = path
        self.base = base
        self.begin = begin
        self.seq = seq
        self.limit = begin
        self.next: Stretch | None = None
        self.moved: int | None = None
        self.renumbered = 0


class Position(NamedTuple):
    """How far somebody has read.

    Attributes:
        stretch: The place.
        offset: Session offset of the next line, by that place's count.
        seq: `seq` of the line before it.
        after: Lines up to this `seq` are passed over.
    """

    stretch: Stretch
    offset: int
    seq: int
    after: int


class Chunk(NamedTuple):
    """Lines that were read.

    Attributes:
        position: Where they begin.
        data: Whole lines; none where nothing more is there.
        missed: Lines before them that cannot be read any more.
    """

    position: Position
    data: bytes
    missed: int


class Course:
    """The places that one session was recorded to in this process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.first = self._last = Stretch(None, None, 0, 0, 0)

    def now(self) -> Position:
        """Return the end of what is recorded by now."""
        producer = self._session.producer
        while True:
            stretch = self._current()
            end, seq = producer.end, producer.seq
            # these two, and `home`, change together, and `end` with every change but the last
            if producer.end == end and (self._is_current(stretch) or stretch.limit == end):
                return Position(stretch, end, seq, seq)

    def _current(self) -> Stretch:
        stretch = self._last
        while not self._is_current(stretch) and stretch.next is not None:
            if stretch.home is not None:
                stretch.home = _LEFT  # its files need not be kept for that
            stretch = stretch.next
        self._last = stretch
        return stretch

    def _is_current(self, stretch: Stretch) -> bool:
        """Whether the session is recorded there now; after `close` it is nowhere, and not in memory again."""
        session = self._session
        return session.producer.home is stretch.home and (stretch.home is not None or not session.run)

    # The three ways to go on. Each is noted before the producer goes on, and is looked at only after it has.

    def opens(self, files: SessionFiles, seq: int, renumbered: int) -> None:
        """Note that the session is about to be opened, or opened again.

        Args:
            files: What it goes on in; what was kept in memory is written there first.
            seq: `seq` of the last line there.
            renumbered: By how much the `seq` of what was kept changes.
        """
        stretch = self._current()
        stretch.renumbered, stretch.moved = renumbered, None
        stretch.next = Stretch(files, files.path, files.base, files.size, seq)

    def switches(self, files: SessionFiles, header_bytes: int) -> None:
        """Note that the session is about to go on in another segment.

        Args:
            files: The segment's.
            header_bytes: Length of its first line, by which all that it repeats has moved.
        """
        stretch = self._current()
        stretch.limit = files.base
        stretch.moved = header_bytes
        stretch.next = Stretch(files, files.path, files.base, files.base + header_bytes, stretch.seq)

    def ends(self, end: int) -> None:
        """Note that the session is about to be closed, with all of it written."""
        stretch = self._current()
        if stretch.home is not None:
            stretch.limit = end
            stretch.next = stretch.moved = None  # of a switch that was given up

    def is_over(self, position: Position) -> bool:
        """Whether nothing can come after a position."""
        return (
            self._session.state in ("closed", "disowned")
            and position.stretch.next is None
            and (position.offset >= position.stretch.limit or not self._session.producer.seq)
        )

    def is_in_memory(self, position: Position) -> bool:
        """Whether what follows can be read without a file."""
        return self._is_current(position.stretch) and position.offset >= self._session.producer.ring_start

    def read(self, position: Position) -> Chunk:
        """Read whole lines from a position on: some, if there are any.

        Raises:
            OSError: A file cannot be read for now.
        """
        missed, before = 0, max(position.seq, position.after)
        while True:
            stretch, offset, seq, after = position
            is_current = self._is_current(stretch)
            if not is_current and offset >= stretch.limit:
                if stretch.next is None:
                    return self._nothing_after(position, before)
                position = _go_on(position, stretch.next)
                continue
            if is_current:
                data = self._read_current(stretch, offset)
                if data is None:
                    continue  # it has gone on meanwhile
                if not data:
                    return self._nothing_after(position, before)
            else:
                data = _read_left(stretch, offset)
                if not data:
                    position = position._replace(offset=stretch.limit)
                    continue
            damaged, found = _first_seq(data)
            if found is None:
                position = position._replace(offset=offset + damaged)
                continue
            if found != seq + 1:
                if stretch.home is not None and found > before + 1:
                    missed = found - 1 - before
                position = Position(stretch, offset + damaged, found - 1, max(seq, after))
            return Chunk(position, _unbroken(data[damaged:], found), missed)

    def _nothing_after(self, position: Position, before: int) -> Chunk:
        """Return that nothing is there yet, and how many lines before it cannot be read any more."""
        now = self.now()
        if (now.stretch, now.offset) != (position.stretch, position.offset) or now.seq <= position.seq:
            return Chunk(position, b"", 0)
        return Chunk(now._replace(after=max(now.seq, position.after)), b"", max(0, now.seq - before))

    def _read_current(self, stretch: Stretch, offset: int) -> bytes | None:
        """Return whole lines of what is recorded now; None where the session has gone on."""
        producer = self._session.producer
        files: Any = stretch.home
        data = b""
        while self._is_current(stretch):
            at = offset + len(data)
            if at >= producer.end:
                return b""
            try:
                part = read_once(producer, files, at, CHUNK_BYTES)
            except OSError:
                if self._is_current(stretch):
                    raise
                break
            if part is not None and self._is_current(stretch):  # else who knows what that is a copy of
                data += part
                if whole := data.rfind(b"\n") + 1:
                    return data[:whole]
        return None


def read_once(producer: Producer, files: SessionFiles | None, start: int, most: int) -> bytes | None:
    """Read committed bytes from an offset on: some at least, and so many at the most; None: look again.

    Raises:
        OSError: They cannot be read.
    """
    data = producer.copy_ring(start, most)
    if data is not None:
        return data
    ring_start = producer.ring_start
    if files is not None and start < ring_start:
        data = files.read(start, min(most, ring_start - start))
        if not data:
            raise OSError(errno.EIO, "the session log cannot be read back", str(files.path))
        return data
    if not producer.ring_bytes:
        at, data = producer.copy_unflushed(start - producer.flushed + most)
        if at <= start < at + len(data):
            return data[start - at : start - at + most]
    return None


def _go_on(position: Position, into: Stretch) -> Position:
    """Translate a position at the end of a place that was left."""
    stretch, offset, seq, after = position
    if stretch.moved is not None:
        return Position(into, offset + stretch.moved, seq, after)
    if seq == stretch.seq:
        return Position(into, into.begin, into.seq, after if after > seq else into.seq)  # nothing was read
    by = stretch.renumbered
    return Position(into, into.begin, into.seq, max(seq, after) + by)


def _read_left(stretch: Stretch, offset: int) -> bytes:
    """Return whole lines of a file that the session has left; none where they are not there any more.

    Raises:
        OSError: It cannot be read for now.
    """
    assert stretch.path is not None  # what was kept in memory has no limit but its beginning
    try:
        fd = system.open_existing(stretch.path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    try:
        most = CHUNK_BYTES
        while True:
            size = min(most, stretch.limit - offset)
            data = system.pread(fd, size, offset - stretch.base)
            whole = data.rfind(b"\n") + 1
            if whole or len(data) < size or size < most:
                return data[:whole]
            most *= 2
    finally:
        system.close(fd)


def _first_seq(data: bytes) -> tuple[int, int | None]:
    """Return how many bytes of damaged lines come first, and the `seq` of the first line that has one."""
    damaged = 0
    for line in BytesIO(data):
        seq = _seq_of(line)
        if seq is not None:
            return damaged, seq
        damaged += len(line)
    return damaged, None


def _unbroken(data: bytes, first: int) -> bytes:
    """Return the lines up to where they are damaged, or one is missing; the first one is sound."""
    last = data.rfind(b"\n", 0, -1) + 1
    if _seq_of(data[last:]) == first + data.count(b"\n") - 1:
        return data  # each line counts one, so none is missing, and what is damaged in itself hides no other
    size = 0
    for seq, line in enumerate(BytesIO(data), first):
        if _seq_of(line) != seq:
            break
        size += len(line)
    return data[:size]


def _seq_of(line: bytes) -> int | None:
    """Return the `seq` of a line; None where it cannot be told."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    seq = fields.get("seq") if isinstance(fields, dict) else None
    return seq if type(seq) is int else None
