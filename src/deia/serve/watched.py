"""What is served: sessions and their directory, each with a page and a number that says when there is another one.

Whoever shows a page has its number on it and compares: it is told the number, and needs no memory on our side.
"""

from __future__ import annotations

import errno
import os
import threading
from abc import ABC, abstractmethod
from pathlib import Path

from deia import system
from deia.analysis.sessions import State
from deia.errors import DeiaError
from deia.journal.check import QueueState, queue_state
from deia.journal.segments import Listings, is_there
from deia.live.directory import Complain, Directory
from deia.live.follower import Follower, Note
from deia.queue.layout import queue_path
from deia.report.html import document, follow_script
from deia.report.markup import Markup, tag
from deia.report.model import make_report
from deia.report.page import page
from deia.report.sections.figures import NONE
from deia.report.sections.tables import table
from deia.serve.survey import Survey
from deia.text import count, moment, size

LOOK_S = 1.0
"""How often it is looked for something new, however many watch."""

_REST = 3.0
"""A page is made anew no sooner than after so many times what making it took: a long log keeps no processor busy."""

_BACK_BYTES = 1 << 16
"""How far before the end of a log it is followed from: what was before is on the first page, which reads all."""

_UNREAD = "not read yet"
"""What the list says of a session whose log is still to be read for its state."""


class Watched(ABC):
    """Something with a page that changes.

    Safe to be asked by several threads at once; one of them makes the page, and the others wait for it.
    """

    def __init__(self, look_s: float) -> None:
        self._look_s = look_s
        self._looking = threading.Lock()
        self._making = threading.Lock()
        self._version = 0
        self._next_look = float("-inf")
        self._page = b""
        self._page_version = -1

    def version(self) -> int:
        """Return the number of the page that there should be; it grows when there is something new."""
        with self._looking:
            now = system.monotonic()
            if now >= self._next_look:
                self._next_look = now + self._look_s
                if self._has_changed():
                    self._version += 1
            return self._version

    def page(self) -> bytes:
        """Return the page, made anew if there is something new.

        Raises:
            ChartsMissingError: The package with the charts' code is not installed.
        """
        with self._making:
            version = self.version()
            if version != self._page_version:
                began = system.monotonic()
                self._page = self._make(version)
                self._page_version = version
                ended = system.monotonic()
                with self._looking:
                    self._next_look = max(self._next_look, ended + _REST * (ended - began))
            return self._page

    @abstractmethod
    def _has_changed(self) -> bool:
        """Look, and return whether there is something new since the last look."""

    @abstractmethod
    def _make(self, version: int) -> bytes:
        """Return the page as of now, with its number on it."""


class WatchedSession(Watched):
    """One session and its report."""

    def __init__(self, path: Path, look_s: float = LOOK_S) -> None:
        """Watch the session whose first file is `path`; it need not be there any more when it is looked at."""
        super().__init__(look_s)
        self._path = path
        self._noted = False
        self._follower = Follower(path, self._note, back=_BACK_BYTES)
        self._queue: QueueState | None = None

    def close(self) -> None:
        """Let go of the session's files."""
        with self._looking:
            self._follower.close()

    def _note(self, note: Note) -> None:
        """The page, made anew, says what there is to say of it."""
        self._noted = True

    def _has_changed(self) -> bool:
        self._noted = False
        before, self._queue = self._queue, queue_state(queue_path(self._path))
        events = sum(1 for _ in self._follower.new())
        return events > 0 or self._noted or self._queue != before

    def _make(self, version: int) -> bytes:
        try:
            if system.is_special(self._path):
                raise OSError(errno.EINVAL, "not a plain file", str(self._path))
            report = make_report(self._path)
        except (DeiaError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return _plain_page(self._path.name, tag("p", said), version)
        return page(report, version=version)


class WatchedDirectory(Watched):
    """The sessions of a directory, at any depth, and the page that leads to their reports."""

    def __init__(self, path: str, complain: Complain, look_s: float = LOOK_S) -> None:
        """Watch a directory, which need not be there yet.

        Args:
            path: The directory.
            complain: Told, on any thread, of directories that cannot be listed.
            look_s: How often it is looked for something new, seconds.
        """
        super().__init__(look_s)
        self._path = path
        self._directory = Directory(path, complain)
        self._sessions: list[WatchedSession] = []
        self._numbers: dict[Path, int] = {}
        self._queues: dict[Path, QueueState] = {}
        self._survey = Survey()
        self._surveyed = 0

    def session(self, number: int) -> WatchedSession | None:
        """Return a session by its number on the page; None where there is none. It stays that of the same session."""
        with self._looking:
            return self._sessions[number] if 0 <= number < len(self._sessions) else None

    def close(self) -> None:
        """Let go of all files."""
        with self._looking:
            for session in self._sessions:
                session.close()
        self._survey.close()

    def _has_changed(self) -> bool:
        changed = set(self._directory.changed())
        for path in changed - self._numbers.keys():
            self._numbers[path] = len(self._sessions)
            self._sessions.append(WatchedSession(path, self._look_s))
        looked = changed | {path for path, queue in self._queues.items() if queue != "none"}
        queues = {path: queue_state(queue_path(path)) for path in looked}
        others = {path for path, queue in queues.items() if self._queues.get(path) != queue}
        self._queues.update(queues)
        # open while their logs were read, and closed before we knew of it
        missed = {path for path, read in self._survey.states.items() if read == "recording"}
        # whose state the queue file does not tell already
        self._survey.want(path for path in changed | others | missed if self._queues[path] in ("none", "left"))
        before, self._surveyed = self._surveyed, self._survey.version
        return bool(others) or self._surveyed != before

    def _make(self, version: int) -> bytes:
        with self._looking:
            numbers, queues = dict(self._numbers), dict(self._queues)
        states = self._survey.states
        found: list[tuple[float, list[object]]] = []
        listings = Listings()  # thousands may be gone
        for path, number in numbers.items():
            try:
                status = system.stat(path)
                changed, length = status.st_mtime, size(status.st_size)
            except OSError:  # only its queue file is there, or later files, or nothing any more
                with listings.used():
                    if queues[path] == "none" and not is_there(path):
                        continue
                changed, length = 0.0, NONE
            link = tag("a", os.path.relpath(path, self._path), href=f"./{number}/")
            last = moment(changed) if changed else NONE
            found.append((changed, [link, _state(queues[path], states.get(path)), last, length]))
        rows = [row for _, row in sorted(found, key=lambda one: one[0], reverse=True)]
        listed = table("Sessions", ["Session", "State", "Last written|", "Size|"], rows)
        return _plain_page(f"{count(len(rows))} session{'' if len(rows) == 1 else 's'}", listed, version)


def _state(queue: QueueState, read: State | None) -> str:
    """Return what became of a session: as `deia ls` says it, once its log was read.

    Args:
        queue: What its queue file tells now.
        read: What was told when its log was read; None where it was not.
    """
    if queue == "open":
        return "recording"
    if queue == "unknown":
        return "unknown"
    return _UNREAD if read is None or read == "recording" else read  # it was open then, and will be read again


def _plain_page(title: str, content: Markup, version: int) -> bytes:
    body = tag("main", tag("h1", title), tag("section", content))
    return document(title, body, data="", scripts=(follow_script(),), version=version)
