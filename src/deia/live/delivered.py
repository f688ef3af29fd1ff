"""Which events of a log were handed on already, whatever has happened to its files since.

An event is told by its session, the run in which it was logged (by the moment that the run's first line names) and its
`seq`. A log that was put back to an earlier state, and goes on from there in another run, has new events with old
numbers; one that was truncated, and is repeated in another file, has old ones in a new place.
"""

from __future__ import annotations

from deia.journal.continuity import Continuity
from deia.journal.decode import seconds_if_any
from deia.journal.record import Record

_Run = tuple[str, float | None]
"""A session, and when the run began; None where no line said so yet."""

_Runs = dict[str, float | None]
"""Session → the run that it is in."""

_NO_SESSION = ""
"""Stands for that of lines in the original format, which name none: they are told by their place."""


class Delivered:
    """Says of each event that is read whether it is new.

    A reading begins at the log's beginning, or at the mark, which is set where one comes to the end of the journal.
    Behind it there may be events that were read from the queue file, and are read from the journal now.
    """

    def __init__(self) -> None:
        self._highest: dict[_Run, int] = {}
        self._last: dict[_Run, int] = {}
        self._known: dict[_Run, int] = {}
        self._ended: set[_Run] = set()
        self._first_time: float | None = None
        self._runs: _Runs = {}
        self._runs_at_mark: _Runs = {}

    def begin(self, *, at_mark: bool) -> None:
        """Begin a reading."""
        self._runs = dict(self._runs_at_mark) if at_mark else {}
        self._known = dict(self._highest)

    def mark(self) -> None:
        """Set the mark here."""
        self._runs_at_mark = dict(self._runs)

    def end(self, continuity: Continuity) -> None:
        """End a reading; `continuity` is what it has seen of each `seq`.

        A `seq` that leaps ahead, and is borne out by no other line, may be damage: it must not hide what comes after.
        """
        for session_id, began in self._runs.items():
            self._raise((session_id, began), continuity.borne_out(session_id))

    def is_new(self, record: Record) -> bool:
        """Take the next line that was read; tell whether it was not handed on before, and is from now on."""
        fields = record.fields
        session_id, seq = fields.get("session_id"), fields.get("seq")
        run: _Run
        if type(session_id) is not str or type(seq) is not int:
            run, seq = (_NO_SESSION, None), record.offset
            if seq <= self._known.get(run, -1):
                return False
            self._raise(run, seq)
        else:
            run = self._run_of(session_id, seq, seconds_if_any(fields, "session_start"))
            if seq <= self._highest_known(run) or seq == self._last.get(run):
                return False
        self._last[run] = seq
        if self._first_time is None:
            self._first_time = seconds_if_any(fields, "timestamp")
        return True

    def _run_of(self, session_id: str, seq: int, began: float | None) -> _Run:
        """Return the run that an event is of; `began` is given where it is the run's first."""
        if began is not None:
            if session_id in self._runs and self._runs[session_id] != began:
                before = (session_id, self._runs[session_id])
                self._raise(before, seq - 1)
                self._ended.add(before)
            self._runs[session_id] = began
        return session_id, self._runs.setdefault(session_id, None)

    def _highest_known(self, run: _Run) -> int:
        """Return the highest `seq` of a run that was handed on before this reading; -1 for a run that is new."""
        highest = self._known.get(run)
        if highest is not None and run not in self._ended:
            return highest
        session_id, began = run
        if highest is None and began is not None and (self._first_time is None or began > self._first_time):
            return -1
        # the first line of its run, or of the one after, was not read before, or cannot be read now
        return max((found for (known, _), found in self._known.items() if known == session_id), default=-1)

    def _raise(self, run: _Run, seq: int) -> None:
        self._highest[run] = max(self._highest.get(run, -1), seq)
