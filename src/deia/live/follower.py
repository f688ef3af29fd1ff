"""Follow one session: whatever is new in it, once each and in order, from the moment that its log call returned.

Each look that finds something changed reads on from where the journal ended last, as any reader does: the queue file's
window first, then the journal, then the rest. So a follower sees what a reader sees, and survives what a reader
survives; `Delivered` sees to it that nothing comes twice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from deia import system
from deia.journal.bookmark import Bookmark, StaleBookmarkError
from deia.journal.damage import KEPT_DAMAGES, Damage
from deia.journal.ending import bookmark_near_end
from deia.journal.reader import Entry, EventReader
from deia.journal.segments import first_journal, segments_of
from deia.live.delivered import Delivered
from deia.live.signs import Sign, Signs

NoteKind = Literal["damage", "changed", "gone", "unreadable", "no log"]
"""What happened to a log, beside its events.

- `damage`: lines that cannot be read, or are missing.
- `changed`: it is not what was read before: truncated, replaced, or put back to an earlier state.
- `gone`: it was removed.
- `unreadable`: the system does not let it be read.
- `no log`: it is no session log.
"""


class Note(NamedTuple):
    """Something that happened to a log.

    Attributes:
        kind: What.
        path: The file.
        text: The same in words.
    """

    kind: NoteKind
    path: str
    text: str


OnNote = Callable[[Note], None]


class Follower:
    """What is new in one session since the last look.

    Attributes:
        path: The session log, as it was asked for. It need not be there yet.
        signs: What is looked at; it also tells whether a logger has the session open.
        is_there: Whether there was a log at the last look.
        began_within: Whether it began behind the log's beginning, as it was asked to.
    """

    def __init__(
        self, path: str | os.PathLike[str], on_note: OnNote, *, back: int | None = None, is_pipe: bool = False
    ) -> None:
        """Follow the session log at `path`.

        Args:
            path: The session's first file.
            on_note: Told what happens to the log, once each.
            back: Begin about so many bytes before the log's end, where that can be done; None for its beginning.
            is_pipe: Whether it may be a pipe, which is waited for until somebody writes to it.
        """
        self.path = os.fspath(path)
        self._on_note = on_note
        self._back = back
        self._is_pipe = is_pipe
        self._journal = first_journal(Path(system.real_path(self.path)))
        self._last = self._journal
        self.signs = Signs(self._journal)
        self.is_there = False
        self.began_within = False
        self._sign: Sign | None = None
        self._reading: Iterator[Entry] | None = None
        self._bookmark: Bookmark | None = None
        self._delivered = Delivered()
        self._told: set[Note] = set()
        self._has_begun = False

    @property
    def is_behind(self) -> bool:
        """Whether the last look has found more than was taken."""
        return self._reading is not None

    def new(self, most: int | None = None) -> Iterator[Entry]:
        """Yield what is new, oldest first; nothing where nothing has happened, which takes a few microseconds.

        Args:
            most: Yield no more than so many; the next call goes on there.
        """
        if self._reading is None:
            sign = self.signs.look()
            if sign == self._sign:
                return
            self._sign = sign  # of before the reading: what happens from now on is seen the next time
            self._reading = self._read()
        taken = 0
        while most is None or taken < most:
            entry = next(self._reading, None)
            if entry is None:
                self._reading = None
                return
            taken += 1
            yield entry

    def close(self) -> None:
        """Let go of the session's files."""
        self._reading = None
        self.signs.close()

    def _read(self) -> Iterator[Entry]:
        try:
            if not self._is_pipe and system.is_special(self.path):
                raise OSError(errno.EINVAL, "not a plain file", self.path)
            if not self._has_begun:
                self._begin()
            try:
                yield from self._read_on()
            except StaleBookmarkError:
                self._bookmark = None
                if not self._has_gone_on():
                    self._tell("changed", self.path, "the log is not what it was (truncated, replaced or put back)")
                yield from self._read_on()
        except FileNotFoundError:
            if self.is_there:
                self._tell("gone", self.path, "the log was removed")
            self.is_there = False
        except OSError as error:
            self._tell("unreadable", self.path, error.strerror or str(error), once=True)

    def _begin(self) -> None:
        """Find where to begin; a log that is not there yet begins at its beginning."""
        self._has_begun = True
        if self._back is not None:
            self._bookmark = bookmark_near_end(self.path, self._back)
            self.began_within = self._bookmark is not None

    def _read_on(self) -> Iterator[Entry]:
        anew = self._bookmark is None
        self._delivered.begin(at_mark=not anew)
        reader = EventReader(self.path, self._damaged, bookmark=self._bookmark, on_bookmark=self._keep)
        found = False
        try:
            for record in reader.records():
                self.is_there = True
                if not self._delivered.is_new(record):
                    found = True
                elif (entry := reader.entry_of(record)) is not None:
                    found = True
                    yield entry
        finally:
            self._delivered.end(reader.continuity)
        self.is_there = True
        self._last = reader.segments[-1].path
        self.signs.watch(self._last)
        if anew and not found and reader.is_no_log and reader.problems:
            self._tell("no log", self.path, "not a session log: there is no event in it", once=True)

    def _has_gone_on(self) -> bool:
        """Whether the session goes on in another file than the last that was read; it may repeat what was read."""
        files = segments_of(self._journal)
        return bool(files) and files[-1].path != self._last

    def _keep(self, bookmark: Bookmark) -> None:
        self._bookmark = bookmark
        self._delivered.mark()

    def _damaged(self, damage: Damage) -> None:
        """Tell what is damaged; not a torn end, which a crash leaves and which holds no event."""
        if damage.kind == "torn" or len(self._told) > KEPT_DAMAGES:
            return
        where = f"line {damage.line} (byte {damage.offset}): " if damage.line else ""
        self._tell("damage", damage.path, f"{where}{damage.reason}", once=True)
        if len(self._told) == KEPT_DAMAGES:
            self._tell("damage", damage.path, "further problems are not shown", once=True)

    def _tell(self, kind: NoteKind, path: str, text: str, *, once: bool = False) -> None:
        note = Note(kind, path, text)
        if once:
            if note in self._told:
                return
            self._told.add(note)
        self._on_note(note)
