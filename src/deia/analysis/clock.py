"""From when to when a log reaches, and how much of that was recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deia.analysis.stretch import RunTimes
from deia.events import AnyEvent, TaskEvent, UnknownEvent


@dataclass(slots=True)
class _Run:
    start: float
    last: float


class Clock:
    """Takes the times of every line.

    Attributes:
        runs: How many runs began, as far as the lines say.
    """

    def __init__(self) -> None:
        self.runs = 0
        self._earliest: float | None = None
        self._latest: float | None = None
        self._current: dict[str | None, _Run] = {}
        self._newest: _Run | None = None
        self._earlier_runs_s = 0.0

    def feed(self, event: AnyEvent, *, original: bool, session_start: float | None) -> None:
        """Take one line's times."""
        if session_start is not None:
            self._see(session_start)
            self._begin_run(event.session_id, session_start)
        # A line of an unknown type that is not in our format may mean anything by a `timestamp`: milliseconds, say.
        if event.timestamp is not None and not (original and type(event) is UnknownEvent):
            self._see(event.timestamp)
            self._go_on(event.session_id, event.timestamp)
        # An orphan's start is computed from what its caller claims, it was never seen.
        if isinstance(event, TaskEvent) and not event.orphan:
            self._see(event.start_time)
            if event.end_time is not None:
                self._see(event.end_time)

    def add(self, session_id: str, earliest: float, latest: float, runs: Iterable[RunTimes]) -> None:
        """Take the times of a stretch of lines."""
        self._see(earliest)
        self._see(latest)
        for start, first, last in runs:
            if start is not None:
                self._begin_run(session_id, start)
            self._go_on(session_id, first)
            self._go_on(session_id, last)

    def _see(self, time: float) -> None:
        if self._earliest is None or self._latest is None:
            self._earliest = self._latest = time
        elif time < self._earliest:
            self._earliest = time
        elif time > self._latest:
            self._latest = time

    def _begin_run(self, session_id: str | None, start: float) -> None:
        before = self._current.get(session_id)
        if before is not None:
            self._earlier_runs_s += max(0.0, before.last - before.start)
        self.runs += 1
        self._newest = self._current[session_id] = _Run(start, start)

    def _go_on(self, session_id: str | None, timestamp: float) -> None:
        run = self._current.get(session_id)
        if run is None:
            # The head of the session is missing: what is left of it counts from its first line on.
            self.runs += 1
            self._current[session_id] = run = _Run(timestamp, timestamp)
        run.last = timestamp
        self._newest = run

    def span(self, end: float | None) -> tuple[float, float] | None:
        """Return the first and the last moment of the log, Unix seconds; None where no line says.

        Args:
            end: Taken for the last moment, if given.
        """
        if self._earliest is None or self._latest is None:
            return None
        return self._earliest, self._latest if end is None else max(end, self._earliest)

    def recorded_s(self, end: float | None) -> float | None:
        """Return the seconds that the runs took, without the time between them; None where no line tells of a run.

        Args:
            end: Taken for the end of the newest run, if given.
        """
        if not self._current:
            return None
        seconds = self._earlier_runs_s
        for run in self._current.values():
            last = end if end is not None and run is self._newest else run.last
            seconds += max(0.0, last - run.start)
        return seconds

    def last_seen(self, session_id: str | None, end: float | None) -> float:
        """Return the last moment of a session, Unix seconds; of the whole log, where its lines name none."""
        if end is not None:
            return end
        run = self._current.get(session_id)
        return run.last if run is not None else self._latest or 0.0
