"""When a session was being recorded: from the beginning of each run to its last line."""

from __future__ import annotations

from deia.analysis.profile.timeline import RUN, Timeline


class Runs:
    """Takes the moments of lines."""

    def __init__(self, timeline: Timeline) -> None:
        """Begin with nothing.

        Args:
            timeline: Gets the runs.
        """
        self._timeline = timeline
        self._current: dict[str | None, _Run] = {}
        self._newest: _Run | None = None
        self._earliest: int | None = None
        self._latest: int | None = None
        self._begun = False

    def begin(self, session_id: str | None, start: int) -> None:
        """Take the beginning of a run, milliseconds."""
        before = self._current.pop(session_id, None)
        if before is not None:
            self._add(before, before.last)
        self._newest = self._current[session_id] = _Run(start)
        self._see(start)

    def go_on(self, session_id: str | None, at: int) -> None:
        """Take a moment of a session's run; without a beginning it counts from its first moment on."""
        run = self._current.get(session_id)
        if run is None:
            run = self._current[session_id] = _Run(at)
            self._see(at)
        elif at > run.last:
            run.last = at
            self._see(at)
        elif at < run.uncounted_from:
            run.uncounted_from = at
            self._see(at)
        self._newest = run

    def carry_over(self, first: int, to: int) -> None:
        """Have what there is of runs until a moment in the timeline, which is going to be summed up to there.

        Args:
            first: The first moment of the log: whatever was before the first run belongs to it.
            to: The moment.
        """
        self._begin_at(first)
        for run in self._current.values():
            self._add(run, min(run.last, to))

    def finish(self, first: int, last: int, *, extended: bool) -> None:
        """Have all runs in the timeline.

        Args:
            first: The first moment of the log.
            last: Its last: whatever was after the last run belongs to it.
            extended: Whether the newest run lasts until then.
        """
        self._begin_at(first)
        for run in self._current.values():
            self._add(run, last if extended and run is self._newest else run.last)
        if self._latest is not None and self._latest < last:
            self._timeline.add(self._timeline.name(RUN, ""), self._latest, last)

    def _see(self, at: int) -> None:
        if self._earliest is None or at < self._earliest:
            self._earliest = at
        if self._latest is None or at > self._latest:
            self._latest = at

    def _begin_at(self, first: int) -> None:
        if not self._begun and self._earliest is not None and first < self._earliest:
            self._timeline.add(self._timeline.name(RUN, ""), first, self._earliest)
        self._begun = True

    def _add(self, run: _Run, to: int) -> None:
        if run.uncounted_from < to:
            self._timeline.add(self._timeline.name(RUN, ""), run.uncounted_from, to)
            run.uncounted_from = to


class _Run:
    """One run.

    Attributes:
        uncounted_from: From when on it is not in the timeline yet, milliseconds.
        last: Its last moment so far.
    """

    __slots__ = ("last", "uncounted_from")

    def __init__(self, start: int) -> None:
        self.uncounted_from = self.last = start
