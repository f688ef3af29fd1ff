"""From bytes to JSON objects: every line that is one becomes a record, everything else a report."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson

from deia import system
from deia.journal import salvage
from deia.journal.bookmark import Bookmark, Earlier, OnBookmark, StaleBookmarkError, bookmark, identity_of
from deia.journal.continuity import Continuity
from deia.journal.damage import Damage, DamageKind, OnDamage
from deia.journal.glue import Part, parts_of
from deia.journal.leap import Lines, Place, ReadAhead
from deia.journal.odd_lines import (
    goes_on,
    is_damage,
    is_whole_original_line,
    name_of,
    nul_bytes,
    parse_odd,
    what_is_wrong,
)
from deia.journal.progress import OnProgress, Progress
from deia.journal.record import Record, is_known_version
from deia.journal.scan import RawLine
from deia.journal.segments import Segment, cut_of, first_journal, is_first_line, segments_of
from deia.journal.source import Source
from deia.line import VERSION

logger = logging.getLogger(__name__)

_KEPT = (
    *("segments", "continuity", "torn_bytes", "problems"),
    *("_repeated_to", "_unreadable", "_first_blank", "_blanks", "_versions"),
)
"""What a reader knows of the lines that it has read."""


class RecordReader:
    """Reads one session's records, once, and reports every problem.

    Of a session in several segments each record is read once, though its line may stand in two of them.

    Attributes:
        path: The session log, as it was asked for.
        journal: The session's first file, with links resolved.
        segments: The files that were read, in order.
        source: The file that is being read; after the reading, the last one.
        continuity: What was seen of each session's `seq`.
        torn_bytes: Bytes after the last newline that are no line.
        salvaged_bytes: Bytes that came from the window by their `seq`, where offsets did not tell.
        problems: What was reported, torn ends excepted.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        on_damage: OnDamage,
        *,
        strict: bool = False,
        alone: bool = False,
        queue: bool = True,
        ahead: ReadAhead | None = None,
        bookmark: Bookmark | None = None,
        on_bookmark: OnBookmark | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Read the session log at `path`.

        Args:
            path: The session's first file, or another.
            on_damage: Gets every problem.
            strict: Whether the first problem is raised.
            alone: Whether to read only that one of its files, whatever the others repeat.
            queue: Whether to look into the queue file, too.
            ahead: Reads stretches of lines ahead; these are not among the records.
            bookmark: Where an earlier reading came to the end: only what came since is read. The path, and whether the
                queue file is looked into, must be the same.
            on_bookmark: Gets such a place, once, when all records before it were taken; of a plain journal only.
            on_progress: Told how far the reading has come.
        """
        self.path = os.fspath(path)
        self._resolved = Path(system.real_path(self.path))
        self.journal = first_journal(self._resolved)
        self.segments: list[Segment] = []
        self._alone = alone
        self._with_queue = queue
        self.source = Source(self.path, self.journal, queue=queue)
        self._ahead = ahead
        self._bookmark = bookmark
        self._on_bookmark = on_bookmark
        self._earlier: list[Earlier] = []
        self._progress = None if on_progress is None else Progress(on_progress)
        self._cut: Segment | None = None
        self._bytes_before = 0
        self._repeated_to: int | None = None
        self.continuity = Continuity()
        self.torn_bytes = 0
        self.salvaged_bytes = 0
        self.problems = 0
        self._on_damage = on_damage
        self._strict = strict
        self._line = RawLine(1, 0, 0, 0, b"", ended=False)
        self._unreadable = 0
        self._first_blank: RawLine | None = None
        self._blanks = 0
        self._versions: set[str] = set()

    @property
    def journal_bytes(self) -> int:
        """Bytes that came from journals, unpacked."""
        return self._bytes_before + self.source.journal_bytes

    def report(self, kind: DamageKind, reason: str, line: int, offset: int) -> None:
        """Hand a problem to whoever reads.

        Raises:
            DamagedLineError: If the reading is strict; a torn end is expected and no reason.
        """
        damage = Damage(self.source.path, line, offset, kind, reason)
        self.problems += kind != "torn"
        self._on_damage(damage)
        if self._strict and kind != "torn":
            raise damage.to_error()

    def records(self) -> Iterator[Record]:
        """Yield every record, in order.

        Raises:
            DamagedLineError: At the first problem, if the reading is strict.
            OSError: The journal cannot be read.
            StaleBookmarkError: The log must be read without the bookmark; nothing was yielded yet.
        """
        yield from self._read_files()
        source = self.source
        if source.stream_problem is not None:
            self._report_at_end("unreadable", source.stream_problem)
        if source.queue_problem is not None:
            self._report_at_end("queue", f"the queue file cannot be read: {source.queue_problem}")
        unfinished = source.unfinished
        if unfinished is not None and is_damage(unfinished):
            self._line = unfinished._replace(ended=True)  # as recovery will have it
            wrong = f"{unfinished.length} bytes without a newline"
            yield from self._read_parts(unfinished, parts_of(unfinished.data), wrong)
            unfinished = None
        window = None if source.offsets_tell or self._is_part else source.window
        if window is not None and window.data and not salvage.belongs(window, self.journal.name, self.continuity):
            whose = f"agent {window.header.agent_id!r}, session {window.header.session_id!r}"
            self._report_at_end("queue", f"the queue file is not of this session but of {whose}; it is not read")
            window = None
        of_ours = window is not None and window.header.base == (self.segments[-1].offset or 0)
        following = []
        if window is not None and of_ours:  # else it is of the segment before, and all of it is in this one
            following = salvage.lines_that_follow(window, self.continuity, self._end()[1], source.reread)
        self.salvaged_bytes = sum(map(len, following))
        if unfinished is not None and not goes_on(unfinished, following):
            yield from self._judge_end(unfinished)
        yield from self._read(self._place(following))
        if window is None or not (window.data or window.committed):
            return
        if unused := salvage.lines_beyond_a_gap(window, self.continuity, self._end()[1]):
            self._report_at_end(
                "queue", f"{unused} lines of the queue file do not go on where the journal ends; not read"
            )
        elif of_ours and (missing := window.committed - self._end()[1]) > 0:
            self._report_at_end("queue", f"the queue file tells of {missing} bytes more, which no file holds as lines")

    def _read_files(self) -> Iterator[Record]:
        """Read file after file, each up to where a later one repeats it; the end of the last one is left to judge."""
        self.source.look()  # the window first, then which files there are
        files = self._files() or [Segment(self._resolved)]
        if self._bookmark is not None:
            self._bookmark.require_files(files)
        again = False
        while True:
            if self._progress is not None:
                self._progress.plan([segment.path for segment in files])
            for index, segment in enumerate(files):
                cut = cut_of(files, index)
                if self._bookmark is not None:
                    if index < len(self._bookmark.earlier):
                        continue
                    self._begin_at(self._bookmark, files)
                    self._bookmark = None
                elif cut is not None and not cut.after_seq:
                    self._earlier.append(Earlier(segment, None))
                    continue  # all of it stands in a later one
                else:
                    self._begin(segment)
                if not again and self._on_bookmark is not None:  # else the files before were read in another way
                    self.source.on_end = self._put_bookmark
                if self._progress is not None:
                    self._progress.begin(segment.path, self.source.begin)
                    self.source.on_read = self._progress.tell
                records = self._read(self.source.lines())
                if cut is None:
                    yield from records
                else:
                    yield from self._read_to(cut, records)
                status = self.source.status
                self._earlier.append(Earlier(segment, None if status is None else identity_of(status)))
            if not self.source.has_queue:
                return
            # it may have gone on in another file while we read, after writing more to the last one; or have gone on in
            # the last one just before, so that the window was of another
            has_gone_on = self.source.look_for_another()
            last = files[-1]
            later = [segment for segment in self._files() if segment.number > last.number]
            if not later and not has_gone_on:
                return
            files = [last, *later]
            again = True

    @property
    def _is_part(self) -> bool:
        """Whether this reads one file of a session of several; what the queue file holds may be another one's."""
        return self._alone or self._resolved != self.journal

    def _files(self) -> list[Segment]:
        found = segments_of(self._resolved)
        return [segment for segment in found if segment.path == self._resolved] if self._alone else found

    def _read_to(self, cut: Segment, records: Iterator[Record]) -> Iterator[Record]:
        """Yield a file's records as far as a later segment does not repeat them."""
        assert cut.after_seq is not None
        self._cut = cut
        while self.continuity.borne_out(cut.session_id) < cut.after_seq:
            record = next(records, None)
            if record is None:
                return
            yield record
        self.source.unfinished = None

    def _begin(self, segment: Segment) -> None:
        """Go on in the next file."""
        before = self.source
        again = bool(self.segments) and self.segments[-1] == segment
        if again:
            self._bytes_before += before.journal_bytes
            self.source = Source(before.path, self.journal, queue=self._with_queue)
            self.source.begin_at(*self._end())
            self.source.see(before)
            return
        if self.segments:
            if before.stream_problem is not None:
                self._report_at_end("unreadable", before.stream_problem)
            if before.unfinished is not None:
                self._report_torn(before.unfinished)
            self._bytes_before += before.journal_bytes
        self.segments.append(segment)
        self._take(segment)
        self._line = RawLine(1, 0, 0, 0, b"", ended=False)
        self._first_blank, self._blanks = None, 0
        self._cut = None
        if segment.number > 1:
            self._begin_later(segment)

    def _begin_at(self, found: Bookmark, files: list[Segment]) -> None:
        """Go on where an earlier reading came to the end, with what it knew there."""
        state = deepcopy(found.state)
        self._bytes_before = state.pop("journal_bytes")
        vars(self).update(state)
        cut = cut_of(files, len(found.earlier))
        if cut is not None and self.continuity.borne_out(cut.session_id) >= (cut.after_seq or 0):
            raise StaleBookmarkError  # a later segment repeats what was read here, or in a file before
        if self._strict and self.problems:
            raise StaleBookmarkError
        self._earlier = list(found.earlier)
        self._line = RawLine(found.place.number, found.place.offset, 0, 0, b"", ended=False)
        self._take(found.segment)
        self.source.begin_at_bookmark(found)

    def _take(self, segment: Segment) -> None:
        """Have a file as the one that is read, from its beginning."""
        before = self.source
        self.source = Source(self._shown(segment), self.journal, queue=self._with_queue)
        self.source.see(before)
        if self._ahead is not None:
            self.source.leaper = Leaps(self, self._ahead)

    def bookmark_at(self, fd: int, status: os.stat_result, place: Place, session_id: str, seq: int) -> Bookmark:
        """Return a bookmark in a session's only file, as if all lines before it had been read without a problem.

        Args:
            fd: The file.
            status: Its status.
            place: A line.
            session_id: Whose it is.
            seq: The line's.

        Raises:
            OSError: The file cannot be read.
        """
        self.segments = [Segment(self._resolved)]
        self.continuity.begin(session_id, seq - 1)
        return self._bookmark_of(fd, status, place)

    def _put_bookmark(self, fd: int, status: os.stat_result, place: Place) -> None:
        """Tell of the end of a journal."""
        assert self._on_bookmark is not None
        self._on_bookmark(self._bookmark_of(fd, status, place))

    def _bookmark_of(self, fd: int, status: os.stat_result, place: Place) -> Bookmark:
        state = {name: vars(self)[name] for name in _KEPT}
        state["journal_bytes"] = self._bytes_before + place.offset - self.source.begin
        return bookmark(self._earlier, self.segments[-1], fd, status, place, deepcopy(state))

    def _begin_later(self, segment: Segment) -> None:
        if segment.after_seq is not None and segment.session_id:
            if self._resolved != self.journal:
                self.continuity.begin(segment.session_id, segment.after_seq)
            problem = self.continuity.go_on(segment.session_id, segment.after_seq, unreadable=self._unreadable)
            if problem is not None:
                self.report(*problem, 1, 0)
        self._unreadable = 0
        self._repeated_to = self.continuity.borne_out(segment.session_id)

    def _shown(self, segment: Segment) -> str:
        """Return a file's path in the form in which the session log's was given."""
        if segment.path == self._resolved:
            return self.path
        if system.is_link(self.path):
            return os.fspath(segment.path)
        return os.path.join(os.path.dirname(self.path), segment.path.name)

    def _is_repeated(self, record: Record) -> bool:
        """Whether a record at the beginning of a later segment is the segment's own, or was read already."""
        if is_first_line(record.fields):
            return True
        seq = record.fields.get("seq")
        if self._repeated_to and not (type(seq) is int and seq > self._repeated_to):
            return True
        self._repeated_to = None
        return False

    def may_leap(self, stretch: Lines) -> bool:
        """Whether lines that were read ahead are the next, and every one of them an event that was not read before."""
        if self._repeated_to is not None or not self.continuity.follows(stretch.session_id, stretch.first_seq):
            return False
        cut = self._cut
        return cut is None or cut.session_id != stretch.session_id or stretch.last_seq < (cut.after_seq or 0)

    def pass_over(self, stretch: Lines, number: int) -> None:
        """Go on as if every line of a stretch had been read; `number` is that of the line behind it."""
        if self._blanks:
            self._report_blanks()
        self._unreadable = 0
        self.continuity.go_through(stretch.session_id, stretch.last_seq)
        self._line = RawLine(number, stretch.end, 0, 0, b"", ended=False)
        if self.source.on_read is not None:
            self.source.on_read(stretch.end)

    def _read(self, lines: Iterable[RawLine]) -> Iterator[Record]:
        loads = orjson.loads
        for line in lines:
            self._line = line
            before = line.skipped
            try:
                value = loads(line.data)
            except orjson.JSONDecodeError as error:
                if not line.skipped and not line.data.strip():
                    self._first_blank = self._first_blank or line
                    self._blanks += 1
                    continue
                found = parse_odd(line.data)
                parts = parts_of(line.data) if found is None or b"\0" in line.data else []
                if found is None or len(parts) > 1:
                    yield from self._read_parts(line, parts, what_is_wrong(line, error))
                    continue
                value, skipped = found
                before += skipped
            if type(value) is not dict:
                self._report_unreadable(line, f"{name_of(value)}, not a JSON object")
                continue
            if before and (nuls := line.nuls + line.data.count(b"\0")):
                self._report_unreadable(line, f"{nul_bytes(nuls)}, before a whole line")
            record = self._record(line.number, line.offset + before, line.length - before, value)
            if record is not None:
                yield record

    def _read_parts(self, line: RawLine, parts: list[Part], wrong: str) -> Iterator[Record]:
        """Report a line that does not parse, and yield the whole ones that stand in it."""
        if parts:
            wrong += f"; {len(parts)} whole {'line' if len(parts) == 1 else 'lines'} in it can be read"
        self._report_unreadable(line, wrong)
        for part in parts:
            is_last = part.end == len(line.data)
            length = part.end - part.start + (line.ended if is_last else 0)
            record = self._record(line.number, line.offset + line.skipped + part.start, length, part.fields)
            if record is not None:
                yield record

    def _record(self, number: int, offset: int, length: int, fields: dict[str, Any]) -> Record | None:
        """Return a line as a record, after its problems were reported; None where it was read already."""
        if self._blanks:
            self._report_blanks()
        record = Record(number, offset, length, fields)
        if self._repeated_to is not None and self._is_repeated(record):
            return None
        self._check(record)
        return record

    def _report_unreadable(self, line: RawLine, reason: str) -> None:
        if self._blanks:
            self._report_blanks()
        self._unreadable += 1
        self.report("unreadable", reason, line.number, line.offset)

    def _report_blanks(self) -> None:
        """Report empty lines now that something follows them: at the end of a file they mean nothing."""
        assert self._first_blank is not None
        first, count = self._first_blank, self._blanks
        self._first_blank, self._blanks = None, 0
        self._unreadable += count
        self.report("unreadable", "an empty line" if count == 1 else f"{count} empty lines", first.number, first.offset)

    def _check(self, record: Record) -> None:
        """Check what a line says about its place and its format."""
        fields = record.fields
        if not is_known_version(fields):
            self._meet_version(record)
        session_id = fields.get("session_id")
        seq = fields.get("seq")
        if type(seq) is int and type(session_id) is str:
            problem = self.continuity.see(session_id, seq, unreadable=self._unreadable)
            self._unreadable = 0
            if problem is not None:
                self.report(*problem, record.number, record.offset)

    def _meet_version(self, record: Record) -> None:
        version = repr(record.fields["v"])
        if version in self._versions:
            return
        self._versions.add(version)
        reason = f"format version {version}; this release knows version {VERSION} and reads such lines as far as it can"
        logger.warning("%s: line %d: %s", self.source.path, record.number, reason)
        self.report("unknown-version", reason, record.number, record.offset)

    def _judge_end(self, line: RawLine) -> Iterator[Record]:
        """Decide about bytes after the last newline: a line of the original format, or what a crash left of ours."""
        if not line.skipped and not line.data.strip():
            return
        if not line.skipped and not self.source.has_queue and is_whole_original_line(line.data):
            yield from self._read([line])
            return
        self._report_torn(line)

    def _report_torn(self, line: RawLine) -> None:
        if self._blanks:
            self._report_blanks()
        self.torn_bytes += line.length
        what = nul_bytes(line.nuls) if line.nuls == line.length else f"{line.length} bytes without a newline"
        self.report("torn", f"a torn end: {what}", line.number, line.offset)

    def _place(self, lines: list[bytes]) -> Iterator[RawLine]:
        """Give lines of the window the places that recovery would give them."""
        number, offset = self._end()
        for data in lines:
            yield RawLine(number, offset, 0, 0, data[:-1], ended=True)
            number += 1
            offset += len(data)

    def _end(self) -> tuple[int, int]:
        """Number and offset of the line after the last whole one."""
        line = self._line
        return (line.number + 1, line.offset + line.length) if line.ended else (line.number, line.offset)

    def _report_at_end(self, kind: DamageKind, reason: str) -> None:
        self.report(kind, reason, *self._end())


class Leaps:
    """Where a reader leaps over stretches that are read ahead of it: the state of one is that of the other."""

    def __init__(self, reader: RecordReader, ahead: ReadAhead) -> None:
        self._reader = reader
        self._ahead = ahead

    def begin(self, status: os.stat_result, offset: int) -> None:
        """Have somebody read the file that the reader has opened."""
        self._ahead.open(self._reader.source.path, status, offset)

    def leap(self, place: Place) -> Place:
        """Leap from where the reader stands, over all stretches that follow each other there."""
        number, offset, previous, _ = place
        while (stretch := self._ahead.next()) is not None and stretch.begin <= offset:
            if stretch.begin == offset and self._reader.may_leap(stretch) and self._ahead.fits():
                number, offset, previous = number + stretch.lines, stretch.end, stretch.last
                self._reader.pass_over(stretch, number)
                self._ahead.take()
            else:
                self._ahead.drop()
        return Place(number, offset, previous, None if stretch is None else stretch.begin)
