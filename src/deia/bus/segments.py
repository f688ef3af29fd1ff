"""Go on in another segment: `file-format.md`, "Segments", as steps.

Most of a switch happens beside a session that goes on: the new file, a copy of what the old one did not make safe, an
fsync, the new queue file. Only then are appends held up, for the copy of what came meanwhile and three names.
"""

from __future__ import annotations

import errno
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from deia import system
from deia.bus.background import is_exiting
from deia.bus.course import read_once
from deia.bus.opening import RETRY_S
from deia.errors import DeiaError
from deia.journal.files import DisplacedError, SessionFiles
from deia.journal.next_segment import NextSegment, discard
from deia.journal.opener import new_segment_name
from deia.journal.segments import Segment, SwitchReason
from deia.journal.writer import BATCH_BYTES

if TYPE_CHECKING:
    from deia.bus.session import Session

_LONGEST_RETRY_S = 30.0
"""A disk on which no segment can be made is asked less and less often, up to this."""

_PASSES = 5
"""How often, at the most, what was committed meanwhile is copied beside the session, as long as each pass has less to
do than the one before. Where logging is faster than copying, further passes would only leave more."""

_DRAIN_S = 0.1
"""How long a segment that is long enough is still written to; threads that never stop logging would keep it for ever.
What is left is repeated in the next one."""

_REST_BYTES = 64 * 1024
"""How little is left to the copy for which appends are held up, without another pass: 50 µs or so."""


class Segments:
    """When and how one session goes on in another file.

    Attributes:
        next: The segment that is complete but for its names; from now on nothing is appended to the one before.
        thread: Identifier of the thread that is at that; 0 while none is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._turn = threading.RLock()
        self._busy = False
        self._retry_at = 0.0
        self._failures = 0
        self._copied = 0
        self._opened: list[int] = []
        self.next: NextSegment | None = None
        self.thread = 0

    @property
    def is_due(self) -> bool:
        """Whether `go_on` has something to do now, by what is known without a look at the files."""
        files = self._session.writer.files
        if files is None:
            return False
        return self.next is not None or (self._noted(files) is not None and system.monotonic() >= self._retry_at)

    @property
    def is_broken(self) -> bool:
        """Whether the segment that is written cannot be gone on in, by what is known without a look at the files."""
        files = self._session.writer.files
        return files is not None and (self.next is not None or self._noted(files) not in (None, "size"))

    @property
    def is_displaced(self) -> bool:
        """Whether the files are not where readers look for them; looked up now."""
        files = self._session.writer.files
        if files is None:
            return False
        try:
            return self._displacement(files) is not None
        except OSError:  # whatever keeps it from being told, the next write meets it too
            return False

    def _displacement(self, files: SessionFiles) -> SwitchReason | None:
        reason = files.displacement(self._session.producer.flushed)
        return reason if self._session.writer.files is files else None  # else they were closed under this look

    def go_on(self, *, urgent: bool = False) -> bool:
        """Go on in another segment if there is a reason; an error is noted, and it is tried again later.

        Args:
            urgent: Try now, however short ago an attempt failed: someone waits for it.

        Returns:
            Whether the session has gone on, or need not any more.
        """
        with self._turn:
            if self._busy:
                return False  # a call made inside the switch
            self._busy = True
            try:
                return self._go_on(urgent=urgent)
            except (OSError, DeiaError) as error:
                if self._session.writer.files is None:
                    return False  # it was closed meanwhile, after everything was written
                self._failures += 1
                self._retry_at = system.monotonic() + min(RETRY_S * 2**self._failures, _LONGEST_RETRY_S)
                self._session.writer.failed(error)
                self._session.warn("segment", "The session cannot go on in another file yet: %s: %s", self._path, error)
                return False
            finally:
                self._busy = False

    def settle(self) -> None:
        """Wait for a switch that another thread is at, whoever else is to go on with its files."""
        with self._turn:
            return

    def rescue(self, directory: Path) -> None:
        """Go on where readers look, if that is nowhere now: in the session's directory, or else in another one."""
        session = self._session
        if self.is_displaced and not self.go_on(urgent=True):
            before, session.directory = session.directory, directory
            if not self.go_on(urgent=True):
                session.directory = before

    def try_to_complete(self) -> bool:
        """Finish a switch that a call made inside it, or an exception, has come between; with the session's lock."""
        try:
            self._complete()
        except OSError as error:
            self._session.writer.failed(error)
            return False
        return True

    def abandon(self) -> None:
        """Close our copies of descriptors in a forked child, whose parent was in the middle of a switch."""
        for fd in self._opened:
            system.close(fd)
        self._opened.clear()

    @property
    def _path(self) -> object:
        return self._session.path

    def _noted(self, files: SessionFiles) -> SwitchReason | None:
        session, writer = self._session, self._session.writer
        if isinstance(writer.error, DisplacedError):
            return writer.error.reason
        if writer.sync_error is not None:
            return "sync-failed"
        longest = session.options.max_segment_bytes
        if longest is not None and session.producer.flushed - files.base >= longest:
            return "size"
        return None

    def _go_on(self, *, urgent: bool) -> bool:
        session, writer = self._session, self._session.writer
        files = writer.files
        if files is None or (not urgent and system.monotonic() < self._retry_at):
            return False
        if is_exiting() and not system.exists(session.path.parent):
            return False  # whoever removed it need not find it again after this process
        if self.next is not None:
            with session.lock:
                self._complete()
            return True
        reason = self._displacement(files)
        if reason is None:
            if isinstance(writer.error, DisplacedError):  # by a write that was still on its way to the segment before
                writer.error = writer.sync_error
            reason = self._noted(files)
        if reason == "size":
            writer.drain(system.monotonic() + _DRAIN_S)
            writer.sync()
            reason = "size" if writer.sync_error is None else "sync-failed"
        if reason is None:
            return True  # another call was first
        self._switch(files, reason)
        self._failures = 0
        if reason != "size":
            session.warn(
                f"segment-{session.producer.seq}",
                "The session log goes on in %s (%s: %s)",
                writer.files.path if writer.files is not None else session.path,
                reason,
                files.path,
            )
        if reason == "sync-failed" or session.options.sync_policy != "never":
            writer.sync()
        return True

    def _switch(self, old: SessionFiles, reason: SwitchReason) -> None:
        session, producer, opened = self._session, self._session.producer, self._opened
        new: NextSegment | None = None
        try:
            content = _Content(session, old)
            segment = content.plan(reason)
            begin = segment.offset or 0
            new = NextSegment(old, session.path, session.agent_id, session.session_id, segment, opened)
            self._copied = begin
            # at least once: what is written may be durable, and is to be so here, too, before this hides it
            for _ in range(_PASSES):
                before = producer.end - self._copied
                self._copy(new, content, producer.end)
                if not _REST_BYTES < producer.end - self._copied < before:
                    break
            if reason == "sync-failed" or session.options.sync_policy != "never":
                new.sync()
            new.make_queue(producer.end, session.options_now(), session.drops.total)
            self._take_over(old, new)
        except BaseException:
            if self.next is None and (new is None or producer.home is not new.files):
                if new is not None:
                    new.discard()
                else:
                    discard(new_segment_name(session.path), None, None, opened)
            raise
        old.release(remove=False)
        if old.ring_path != new.files.ring_path:
            with suppress(OSError):  # nothing points to it
                old.remove_ring()
        new.tidy()

    def _take_over(self, old: SessionFiles, new: NextSegment) -> None:
        """Hold up appends, and go on in a segment that is complete but for the newest lines."""
        session, producer, writer = self._session, self._session.producer, self._session.writer
        with session.lock:
            if writer.files is not old or session.state not in ("open", "closing"):
                raise OSError(errno.ESTALE, "the session was closed meanwhile", str(session.path))
            writer.finish_direct()
            self.thread = threading.get_ident()
            self.next = new
            producer.limit = -1
            try:
                self._complete()
            except OSError:
                if producer.home is new.files:
                    self._complete()  # a call made inside this one has gone on
                    return
                self.next = None
                try:
                    new.withdraw()
                except OSError:
                    self.next = new  # readers see it: nothing can be appended before it is gone on in, or gone
                raise
            finally:
                self.thread = 0
                session.set_limit()
                session.progress.announce()

    def _complete(self) -> None:
        """Go on in the next segment. A call made inside this one may do so first: each step may be done twice."""
        session, producer, writer, new = self._session, self._session.producer, self._session.writer, self.next
        old = writer.files
        if new is None or old is None:
            return
        files = new.files
        while producer.home is not files:
            end, seq = producer.end, producer.seq
            content = _Content(session, old)
            self._copy(new, content, end)
            files.size = end + new.header_bytes
            new.place()
            session.course.switches(files, new.header_bytes)
            producer.rebase(
                end,
                end=files.size,
                seq=seq,
                ring=files.ring,
                ring_bytes=session.options.ring_bytes if files.ring is not None else 0,
                committed=files.committed,
                home=files,
            )
        writer.go_on(files)
        session.drops.go_on(files)
        self.next = None

    def _copy(self, new: NextSegment, content: _Content, end: int) -> None:
        while (start := self._copied) < end:
            data = content.read(start, min(BATCH_BYTES, end - start))
            new.write(data, start)
            self._copied = start + len(data)


class _Content:
    """What a session's newest segment holds, wherever it can still be read: in the ring, in the journal."""

    def __init__(self, session: Session, files: SessionFiles) -> None:
        self._producer = session.producer
        self._writer = session.writer
        self._files = files
        self._begin = files.base + files.segment.header_bytes

    def plan(self, reason: SwitchReason) -> Segment:
        """Return what the first line of the next segment has to say.

        Raises:
            OSError: What is to be repeated cannot be read.
        """
        producer, writer, begin = self._producer, self._writer, self._begin
        flushed = producer.flushed
        there = self._files.base + self._files.journal_bytes()
        first = {"size": flushed, "queue-removed": flushed, "sync-failed": writer.durable, "truncated": there}
        start = max(begin, min(first.get(reason, begin), flushed))
        ring_start = producer.ring_start
        lost = 0
        if there < min(ring_start, flushed):  # the journal has not all that the ring has not
            start = self._next_line(ring_start)
            lost = start - max(begin, there)
        else:
            start = self._line_at(start)
        unsynced = max(0, flushed - start) if reason == "sync-failed" else 0
        after_seq = self._seq_before(start)
        return Segment(
            self._files.path,
            after_seq=after_seq,
            offset=start,
            reason=reason,
            unsynced_bytes=unsynced,
            lost_bytes=max(0, lost),
        )

    def read(self, start: int, most: int) -> bytes:
        """Return committed bytes from an offset on: some at least, and so many at the most.

        Raises:
            OSError: They cannot be read any more.
        """
        while True:
            data = read_once(self._producer, self._files, start, most)
            if data is not None:
                return data

    def _line_at(self, offset: int) -> int:
        """Return where the line begins that an offset lies in."""
        end = offset
        while end > self._begin:
            start = max(self._begin, end - _REST_BYTES)
            part = b""
            while len(part) < end - start:
                part += self.read(start + len(part), end - start - len(part))
            newline = part.rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
        return self._begin

    def _next_line(self, offset: int) -> int:
        """Return where the first line begins from an offset on."""
        if offset in (self._begin, self._producer.ring_from):
            return offset
        while offset < self._producer.end:
            part = self.read(offset, _REST_BYTES)
            newline = part.find(b"\n")
            if newline >= 0:
                return offset + newline + 1
            offset += len(part)
        return offset

    def _seq_before(self, offset: int) -> int:
        """Return the `seq` of the last line before an offset."""
        if offset == self._begin:
            return self._files.segment.after_seq or 0
        damaged = 0
        while not isinstance(line := self._line_from(offset), int):
            seq = _seq_of(line)
            if seq is not None:
                return seq - 1 - damaged
            damaged += 1  # somebody wrote over it: it is repeated as it stands there
            offset += len(line) + 1
        return line - damaged

    def _line_from(self, offset: int) -> bytes | int:
        """Return the line that begins at an offset; the `seq` of the last one where none has been committed there."""
        line = bytearray()
        while True:
            end, seq = self._producer.end, self._producer.seq
            at = offset + len(line)
            if at < end:
                part = self.read(at, _REST_BYTES).partition(b"\n")
                line += part[0]
                if part[1]:
                    return bytes(line)
            elif self._producer.seq == seq and self._producer.end == end:
                return seq


def _seq_of(line: bytes) -> int | None:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    seq = fields.get("seq") if isinstance(fields, dict) else None
    return seq if type(seq) is int else None
