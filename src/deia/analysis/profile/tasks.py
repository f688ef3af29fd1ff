"""Runs of tasks by name: how long they took, and how much of that by themselves."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Literal

from deia.analysis.percentiles import Percentiles
from deia.analysis.profile.cover import Cover
from deia.analysis.profile.result import TaskProfile
from deia.analysis.profile.timeline import TASK, Timeline
from deia.analysis.profile.work import Work
from deia.events import TaskEvent

TaskKey = tuple[Any, ...]
"""What a task is known by: its session and its `task_id`."""

Pastime = Literal["model", "tool", "file", "human"]
"""What the time of a task goes into, as far as is known: what was called in it, and waits for a person."""

LastSeen = Callable[[str | None], float]
"""Returns the last moment of a session, Unix seconds."""


class TaskTable:
    """Takes the lines of tasks.

    Attributes:
        open: The tasks that nothing has completed yet.
        seen: Whether there was any task.
        top_level_ms: What the top-level tasks took together.
        exact: False where clocks were set back so far that what was in a task may have been counted in part.
    """

    def __init__(self, timeline: Timeline, work: Work | None) -> None:
        """Begin with nothing.

        Args:
            timeline: Gets the runs.
            work: Gets those parts of them in which nothing ran that was logged inside them.
        """
        self.open: dict[TaskKey, _Run] = {}
        self.seen = False
        self.top_level_ms = 0
        self.exact = True
        self._timeline = timeline
        self._work = work
        self._names: dict[str, _Name] = {}

    def begin(self, event: TaskEvent) -> None:
        """Take a start."""
        self.seen = True
        number = event.task_id if event.task_id is not None else event.seq
        # As in the analysis: without a number nothing will complete it.
        key = (event.session_id, number) if number is not None else (event.session_id, None, len(self.open))
        run = _Run(event, self._timeline.ms(event.start_time), self._parent_of(event))
        if run.parent is not None:
            run.parent.adopt(key, run)
        self.open[key] = run
        self._timeline.begin(run.start)

    def complete(self, event: TaskEvent, end_time: float, *, failed: bool) -> None:
        """Take a completion, or in the original format a whole task."""
        self.seen = True
        key = (event.session_id, event.task_id)
        run = self.open.pop(key, None) if event.task_id is not None else None
        if run is None:  # the start is missing, or this is both
            run = _Run(event, self._timeline.ms(event.start_time), self._parent_of(event))
        elif run.parent is not None:
            run.parent.release(key)
        end = max(run.start, self._timeline.ms(end_time))
        duration_ms = event.duration_ms
        if duration_ms is None:
            duration_ms = round((end_time - event.start_time) * 1000)
        figures = self._count(run, event.name, end, max(0, duration_ms))
        figures.failed += failed
        figures.cancelled += event.cancelled
        for child in run.running:
            child.parent = None
        parent = run.parent
        if parent is not None:
            parent.cover(run.uncovered_from, end)
            if self._work is not None:
                parent.log_inside(run.unlogged_from, end, self._work)

    def log_inside(self, task: TaskKey, what: Pastime, start: int, end: int) -> None:
        """Take note that something was logged in a task that ran from `start` to `end`, milliseconds."""
        run = self.open.get(task)
        if run is None:
            return
        run.spend(what, start, end)
        if self._work is not None and what != "human":  # a wait is no work
            run.log_inside(start, end, self._work)

    def carry_over(self, to: int, last_seen: LastSeen) -> None:
        """Have what open tasks have run until a moment in the timeline, which is going to be summed up to there."""
        for run in self.open.values():
            so_far = min(to, self._timeline.ms(last_seen(run.session_id)))
            if run.uncounted_from < so_far or run.start == to:  # or what began in that moment would not be there
                number = self._timeline.name(TASK, run.name)
                self._timeline.add(number, run.uncounted_from, so_far, goes_on=True)
                run.uncounted_from = so_far

    def interrupt(self, last_seen: LastSeen) -> None:
        """Count the tasks that are open up to the last moment of their sessions; no line comes after this."""
        for run in self.open.values():
            last = max(run.start_time, last_seen(run.session_id))
            elapsed_ms = round((last - run.start_time) * 1000)
            end = max(run.start, self._timeline.ms(last))
            self._count(run, run.name, end, elapsed_ms, goes_on=True).open += 1

    def finish(self) -> dict[str, TaskProfile]:
        """Return each name's figures, the one with the most effort first; the timeline must have been finished."""
        return {
            name: TaskProfile(
                runs=figures.runs,
                failed=figures.failed,
                cancelled=figures.cancelled,
                wall_ms=self._timeline.union_ms(TASK, name),
                effort_ms=figures.effort_ms,
                own_ms=figures.own_ms,
                p50_ms=figures.durations.at(50),
                p95_ms=figures.durations.at(95),
                max_ms=figures.max_ms,
                open=figures.open,
                model_ms=figures.spent_ms["model"],
                tool_ms=figures.spent_ms["tool"],
                file_ms=figures.spent_ms["file"],
                human_ms=figures.spent_ms["human"],
            )
            for name, figures in sorted(self._names.items(), key=lambda item: (-item[1].effort_ms, item[0]))
        }

    def _parent_of(self, event: TaskEvent) -> _Run | None:
        return None if event.parent_id is None else self.open.get((event.session_id, event.parent_id))

    def _count(self, run: _Run, name: str, end: int, duration_ms: int, *, goes_on: bool = False) -> _Name:
        """Count a run that lasted until `end`, the millisecond, and perhaps longer; return where."""
        self._timeline.add(self._timeline.name(TASK, name), run.uncounted_from, end, goes_on=goes_on)
        figures = self._names.get(name)
        if figures is None:
            figures = self._names[name] = _Name()
        for child in run.running:  # they outlast it, or are open like it
            run.cover(child.uncovered_from, end)
        figures.runs += 1
        figures.effort_ms += duration_ms
        figures.own_ms += max(0, duration_ms - run.covered_ms(end))
        figures.max_ms = max(figures.max_ms, duration_ms)
        figures.durations.add(duration_ms)
        if run.top_level:
            self.top_level_ms += duration_ms
        self.exact = self.exact and (run.children is None or run.children.exact)
        for what, cover in run.spent.items() if run.spent is not None else ():
            figures.spent_ms[what] += cover.covered_ms(run.start, end)
            self.exact = self.exact and cover.exact
        if self._work is not None:
            for child in run.running:
                run.log_inside(child.unlogged_from, end, self._work)
            run.work_by_itself(end, self._work)
            self.exact = self.exact and (run.inside is None or run.inside.exact)
        return figures


class _Run:
    """One run of a task.

    Attributes:
        name: Its name.
        task_id: Its number.
        session_id: Its session.
        start_time: Unix seconds.
        start: The same in milliseconds of the timeline.
        top_level: Whether it was started outside of any other task.
        parent: The task that it was started in, as long as that is open.
        uncounted_from: From when on it is not in the timeline yet, milliseconds.
        uncovered_from: From when on it is not in its parent's `children` yet.
        children: When other tasks ran that were started in it; None for never.
        spent: What its time went into, as far as is known, and when; None for nothing.
        inside: When anything ran that was logged in it, for the critical path; None for never.
        unlogged_from: From when on it is not in its parent's `inside` yet.
        unworked_from: From when on the parts in which it was at work by itself were not handed over yet.
    """

    __slots__ = (
        *("name", "task_id", "session_id", "start_time", "start", "top_level", "parent"),
        *("uncounted_from", "uncovered_from", "unlogged_from", "unworked_from"),
        *("children", "spent", "inside", "_running"),
    )

    def __init__(self, event: TaskEvent, start: int, parent: _Run | None) -> None:
        self.name = event.name
        self.task_id = event.task_id if event.task_id is not None else event.seq
        self.session_id = event.session_id
        self.start_time = event.start_time
        self.start = self.uncounted_from = self.uncovered_from = self.unlogged_from = self.unworked_from = start
        self.top_level = event.parent_id is None
        self.parent = parent
        # None, as most tasks have no others in them, and a crash may leave very many open
        self._running: dict[TaskKey, _Run] | None = None
        self.children: Cover | None = None
        self.spent: dict[Pastime, Cover] | None = None
        self.inside: Cover | None = None

    @property
    def running(self) -> Collection[_Run]:
        """Tasks that were started in it and are open."""
        return () if self._running is None else self._running.values()

    def adopt(self, key: TaskKey, child: _Run) -> None:
        """Take note of a task that was started in it."""
        if self._running is None:
            self._running = {}
        self._running[key] = child

    def release(self, key: TaskKey) -> None:
        """Take note that such a task is not open any more."""
        if self._running is not None:
            self._running.pop(key, None)

    def cover(self, start: int, end: int) -> None:
        """Take note of when such a task ran."""
        if self.children is None:
            self.children = Cover()
        self.children.add(max(start, self.start), end)
        if self.children.crowded:
            for child in self.running:  # what they have run so far is not to be missed later
                self.children.add(child.uncovered_from, end)
                child.uncovered_from = max(child.uncovered_from, end)
            if self.children.crowded:
                self.children.sum_up()

    def covered_ms(self, end: int) -> int:
        """How long, until it ended, other tasks ran that were started in it."""
        return 0 if self.children is None else self.children.covered_ms(self.start, end)

    def spend(self, what: Pastime, start: int, end: int) -> None:
        """Take note of what some of its time went into."""
        if self.spent is None:
            self.spent = {}
        cover = self.spent.get(what)
        if cover is None:
            cover = self.spent[what] = Cover()
        cover.add(max(start, self.start), end)
        if cover.crowded:
            cover.sum_up()

    def log_inside(self, start: int, end: int, work: Work) -> None:
        """Take note of when something ran that was logged in it."""
        if self.inside is None:
            self.inside = Cover()
        self.inside.add(max(start, self.start), end)
        if self.inside.crowded:
            for child in self.running:
                self.inside.add(child.unlogged_from, end)
                child.unlogged_from = max(child.unlogged_from, end)
            if self.inside.crowded:
                self.work_by_itself(self.inside.settled, work)
                self.inside.sum_up()

    def work_by_itself(self, end: int, work: Work) -> None:
        """Hand over those parts until a moment in which nothing ran that was logged in it."""
        if self.inside is None:
            work.add("task", self.name, self.start, end, self.task_id)
            return
        for start, to in self.inside.uncovered(self.unworked_from, end):
            work.add("task", self.name, start, to, self.task_id)
        self.unworked_from = max(self.unworked_from, end)


class _Name:
    """The runs of one name."""

    __slots__ = ("cancelled", "durations", "effort_ms", "failed", "max_ms", "open", "own_ms", "runs", "spent_ms")

    def __init__(self) -> None:
        self.runs = 0
        self.failed = 0
        self.cancelled = 0
        self.open = 0
        self.effort_ms = 0
        self.own_ms = 0
        self.spent_ms: dict[Pastime, int] = {"model": 0, "tool": 0, "file": 0, "human": 0}
        self.max_ms = 0
        self.durations = Percentiles()
