"""The last events of sessions, and what comes then, in one stream.

It is in the order of time across sessions, and in that of each log within it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from deia import system
from deia.journal.reader import Entry
from deia.journal.segments import first_journal, is_there
from deia.live.directory import Complain, Directory
from deia.live.follower import Follower, Note, OnNote
from deia.live.nesting import Depths
from deia.live.wanted import Wants
from deia.queue.layout import journal_of, queue_path

_BACK_BYTES = 1 << 20
"""How far before the end of a long log the last events are looked for, at first: some thousand lines."""

_FURTHER = 4
"""How many times as far then, until there are enough: all in all no more than a third is read twice."""

_AT_ONCE = 5000
"""How many events of one session are taken before it is the others' turn."""

_MARGIN_S = 2.0
"""By how much the time at which a file was changed, or came, may be earlier than that of its last event."""


class Line(NamedTuple):
    """An event in the stream.

    Attributes:
        entry: The event and its line.
        path: The session's log.
        depth: In how many open tasks it stands.
        time: When it was logged, Unix seconds; that of the event before where its line does not say.
    """

    entry: Entry
    path: str
    depth: int
    time: float


class Tail:
    """The events of the sessions that paths mean."""

    def __init__(self, paths: Sequence[str], wants: Wants, on_note: OnNote, complain: Complain) -> None:
        """Look at the sessions of files and directories.

        Args:
            paths: Session logs, their queue files, or directories. They need not be there yet; what is
                not, and has a name without a suffix, is taken for a directory.
            wants: Which events are wanted.
            on_note: Told what happens to a log.
            complain: Told of directories that cannot be listed.
        """
        self._wants = wants
        self._on_note = on_note
        self._told: set[Note] = set()
        self._began = system.now()
        self._directories: list[Directory] = []
        self._sessions: dict[Path, _Followed] = {}
        directories: dict[str, str] = {}
        for path in paths:
            if system.is_directory(path) or not (system.exists(path) or os.path.splitext(path)[1]):
                directories.setdefault(system.real_path(path), path)
            else:
                self._follow(journal_of(Path(path)) or first_journal(Path(path)), in_directory=False)
        for path in directories.values():
            directory = Directory(path, complain)
            self._directories.append(directory)
            for journal in directory.changed():
                self._follow(journal, in_directory=True)

    @property
    def count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    @property
    def missing(self) -> list[str]:
        """The logs and directories that were asked for by name and are not there."""
        logs = [session.path for session in self._sessions.values() if session.is_missing]
        return logs + [directory.path for directory in self._directories if not system.exists(directory.path)]

    @property
    def is_behind(self) -> bool:
        """Whether there is more to be had at once."""
        return any(session.is_behind for session in self._sessions.values())

    def last(self, most: int | None, since: float | None) -> Iterator[Line]:
        """Yield the last events that are wanted.

        Args:
            most: No more than so many; None for all. All events of several sessions come one session after the other,
                unless they are limited by `since`.
            since: Only those that were logged from then on, Unix seconds.
        """
        by_activity = sorted(self._sessions.values(), key=_Followed.latest, reverse=True)
        if most is None and since is None:
            for session in sorted(by_activity, key=_Followed.latest):
                yield from session.whole()
            return
        kept: list[Line] = []
        for session in by_activity:
            latest = session.latest() + _MARGIN_S
            enough = most is not None and len(kept) >= most
            if (since is not None and latest < since) or (enough and (not kept or latest < kept[0].time)):
                session.begin_later(self._began)  # nothing of it would be shown
                continue
            lines = session.last(most, since)
            kept = list(merge(kept, lines, key=_time_of))
            if most is not None:
                kept = kept[max(0, len(kept) - most) :]
        yield from kept

    def new(self) -> Iterator[Line]:
        """Yield the events that are wanted and came since the last call."""
        for directory in self._directories:
            for journal in directory.changed():
                known = len(self._sessions)
                session = self._follow(journal, in_directory=True)
                if len(self._sessions) > known:
                    session.begin_later(self._began - _MARGIN_S, is_new=True)
                session.awake = True
        awake = [session for session in self._sessions.values() if session.awake]
        yield from merge(*(session.new(_AT_ONCE) for session in awake), key=_time_of)

    def close(self) -> None:
        """Let go of all files."""
        for session in self._sessions.values():
            session.close()

    def _follow(self, spelled: Path, *, in_directory: bool) -> _Followed:
        """Return the session whose first file is called so, perhaps by a link; each is one."""
        journal = first_journal(Path(system.real_path(spelled)))
        session = self._sessions.get(journal)
        if session is None:
            session = _Followed(os.fspath(spelled), journal, self._wants, self._note, in_directory=in_directory)
            self._sessions[journal] = session
        return session

    def _note(self, note: Note) -> None:
        """Tell of a log's state once, though it may be read from several places on."""
        if note.kind in ("changed", "gone") or note not in self._told:
            self._told.add(note)
            self._on_note(note)


class _Followed:
    """One session in the stream.

    Attributes:
        path: Its log, as it was asked for.
        awake: Whether there may be something new in it.
    """

    def __init__(self, path: str, journal: Path, wants: Wants, on_note: OnNote, *, in_directory: bool) -> None:
        self.path = path
        self._queue = queue_path(journal)
        self.awake = True
        self._wants = wants
        self._on_note = on_note
        self._in_directory = in_directory  # which tells when something has happened to it
        self._follower: Follower | None = None
        self._later: float | None = None
        self._takes_untimed = False
        self._depths = Depths()
        self._time = 0.0

    @property
    def is_behind(self) -> bool:
        return self._follower is not None and self._follower.is_behind

    @property
    def is_missing(self) -> bool:
        if self._in_directory:
            return False
        return not (is_there(Path(self.path)) if self._follower is None else self._follower.is_there)

    def latest(self) -> float:
        """Return a time that none of its events is later than: when its file was changed, or none if it is open."""
        if self._is_open or not self._in_directory:
            return float("inf")
        try:
            return system.stat(self.path).st_mtime
        except OSError:  # its first file is gone: it goes on in later ones
            return float("inf")

    @property
    def _is_open(self) -> bool:
        return system.exists(self._queue)

    def begin_later(self, since: float, *, is_new: bool = False) -> None:
        """Read nothing until something happens to it, and then only what was logged from a moment on.

        Of a log that is new that is all of which no line says when it was, too, as in the original format.
        """
        self._later = since
        self._takes_untimed = is_new
        self.awake = not self._in_directory or self._is_open

    def whole(self) -> Iterator[Line]:
        """Yield every event that is wanted, from the beginning."""
        self._begin(None)
        yield from self.new()

    def last(self, most: int | None, since: float | None) -> list[Line]:
        """Return the last events that are wanted, since a moment; read no more of a long log than is needed."""
        back = _BACK_BYTES
        while True:
            follower = self._begin(back)
            kept: deque[Line] = deque(maxlen=most)
            first: float | None = None
            for line in self._lines(follower.new()):
                is_untimed = self._takes_untimed and not line.time
                first = line.time if first is None and not is_untimed else first
                if since is None or line.time >= since or is_untimed:
                    kept.append(line)
            is_enough = most is not None and len(kept) == most
            is_before = since is not None and first is not None and first < since
            if is_enough or is_before or not follower.began_within:
                self._rest(follower)
                return list(kept)
            back *= _FURTHER

    def new(self, most: int | None = None) -> Iterator[Line]:
        """Yield what is new and wanted, of so many events."""
        if self._later is not None:
            since, self._later = self._later, None
            yield from self.last(None, since)
            return
        follower = self._follower or self._begin(None)
        yield from self._lines(follower.new(most))
        self._rest(follower)

    def close(self) -> None:
        if self._follower is not None:
            self._follower.close()

    def _begin(self, back: int | None) -> Follower:
        self.close()
        self._follower = Follower(self.path, self._on_note, back=back, is_pipe=not self._in_directory)
        self._depths = Depths()
        return self._follower

    def _rest(self, follower: Follower) -> None:
        """Look at it no more, where its directory tells when that is worth it."""
        self.awake = not self._in_directory or follower.signs.has_queue or follower.is_behind

    def _lines(self, entries: Iterable[Entry]) -> Iterator[Line]:
        for entry in entries:
            depth = self._depths.of(entry.event)
            if entry.event.timestamp is not None:
                self._time = entry.event.timestamp
            if self._wants(entry):
                yield Line(entry, self.path, depth, self._time)


def _time_of(line: Line) -> float:
    return line.time
