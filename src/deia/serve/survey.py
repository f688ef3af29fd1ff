"""What became of the sessions of a directory: their logs are read for it, one after the other, while pages are served.

No request waits for that, however many sessions there are, and however long their logs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from deia import system
from deia.analysis.sessions import State, look_at
from deia.journal.segments import Listings


class _ClosedError(Exception):
    """Nobody wants to know any more."""


class Survey:
    """Reads sessions on a thread of its own, which begins with the first that is wanted. Safe for several threads."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._changed = threading.Condition()
        self._waiting: dict[Path, None] = {}
        self._states: dict[Path, State] = {}
        self._version = 0
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._listings = Listings()

    @property
    def version(self) -> int:
        """A number that grows with each state that is another one than before."""
        with self._changed:
            return self._version

    @property
    def states(self) -> dict[Path, State]:
        """What became of those that were read, as `deia.analysis.sessions.look_at` says it."""
        with self._changed:
            return dict(self._states)

    def want(self, journals: Iterable[Path]) -> None:
        """Have sessions read, or read again, those that were written last before the others."""
        latest = sorted(journals, key=_written, reverse=True)
        with self._changed:
            if self._is_closed or not latest:
                return
            self._waiting = {**dict.fromkeys(latest), **self._waiting}
            if self._thread is None:
                self._thread = threading.Thread(target=self._read, name="deia-serve-survey", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self) -> None:
        """Read no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _read(self) -> None:
        while (journal := self._next()) is not None:
            try:
                state = self._look_at(journal)
            except _ClosedError:
                return
            with self._changed:
                if self._states.get(journal) != state:
                    self._states[journal] = state
                    self._version += 1

    def _look_at(self, journal: Path) -> State:
        if system.is_special(journal):  # a pipe has taken the log's place: nobody waits for it to be written to
            return "unreadable"
        return look_at(journal, workers=1, listings=self._listings, on_progress=self._go_on).state

    def _next(self) -> Path | None:
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if self._is_closed:
                return None
            journal = next(iter(self._waiting))
            del self._waiting[journal]
            return journal

    def _go_on(self, _read: int, _total: int) -> None:
        """Stop in the middle of a long log, where nobody wants to know any more."""
        if self._is_closed:
            raise _ClosedError


def _written(journal: Path) -> float:
    try:
        return system.stat(journal).st_mtime
    except OSError:  # it goes on in later files, if at all
        return 0.0
