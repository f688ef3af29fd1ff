"""Tasks: how long by name, which are open, and how long the top-level ones took together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deia.analysis.groups import TaskGroups
from deia.analysis.percentiles import Percentiles
from deia.analysis.stretch import Stretch
from deia.events import TaskEvent


@dataclass(frozen=True)
class OpenTask:
    """A task without a completion: still running, or interrupted by a crash.

    Attributes:
        name: Its name.
        start_time: Unix seconds.
        interrupted_at: The last that was seen of its session, Unix seconds.
        elapsed_ms: Milliseconds between the two.
    """

    name: str
    start_time: float
    interrupted_at: float
    elapsed_ms: int


@dataclass(frozen=True)
class Start:
    """The start of a task that is open.

    Attributes:
        name: Its name.
        start_time: Unix seconds.
        session_id: Its session; None where the line did not say.
        top_level: Whether it was started outside of any other task.
    """

    name: str
    start_time: float
    session_id: str | None
    top_level: bool


class TaskAccumulator:
    """Takes the lines of tasks.

    Attributes:
        breakdown: Name → milliseconds of its completed runs.
        counts: Name → completed runs.
        errors: Name → how many of these failed.
        durations: Name → their durations.
        completed: Completed runs of all names.
        orphans: Completions without a start; in none of the above.
        open: The starts that nothing completed yet.
    """

    def __init__(self) -> None:
        self.breakdown: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.durations: defaultdict[str, Percentiles] = defaultdict(Percentiles)
        self.completed = 0
        self.orphans = 0
        self.open: dict[tuple[Any, ...], Start] = {}
        self._groups = TaskGroups()
        self._original_ms = 0

    def feed(self, event: TaskEvent, *, original: bool, failed: bool) -> None:
        """Take one line: a start, a completion, or in the original format a whole task."""
        if event.end_time is None:
            self._begin(event)
        elif event.orphan:
            self.orphans += 1
        else:
            self._complete(event, event.end_time, original=original)
            self.errors[event.name] += failed

    def _begin(self, event: TaskEvent) -> None:
        task_id = event.task_id if event.task_id is not None else event.seq
        # Without a number nothing will complete it: the original format writes a task once, open ones as they stood.
        key = (event.session_id, task_id) if task_id is not None else (event.session_id, None, len(self.open))
        self.open[key] = Start(event.name, event.start_time, event.session_id, event.parent_id is None)

    def _complete(self, event: TaskEvent, end_time: float, *, original: bool) -> None:
        duration_ms = event.duration_ms if event.duration_ms is not None else (end_time - event.start_time) * 1000
        duration_ms = max(
            0, round(duration_ms)
        )  # the original format subtracts wall clocks, which may have been set back
        self.completed += 1
        self.counts[event.name] += 1
        self.breakdown[event.name] += duration_ms
        self.durations[event.name].add(duration_ms)
        if original:
            self._original_ms += duration_ms
            return
        if event.task_id is not None:
            self.open.pop((event.session_id, event.task_id), None)
        if event.parent_id is None:
            self._groups.add(event.start_time, end_time, duration_ms)
            if self._groups.crowded:
                self._groups.compact(start.start_time for start in self.open.values() if start.top_level)

    def fits(self, stretch: Stretch) -> bool:
        """Whether no open task has a number that the stretch gives to one of its own: a session may be there twice."""
        return not any(
            key[0] == stretch.session_id and key[1] is not None and key[1] >= stretch.first_seq for key in self.open
        )

    def add(self, stretch: Stretch) -> None:
        """Take the tasks of a stretch of lines, as if they came line by line."""
        for completion in stretch.completions:
            start, end, duration_ms, _, seq = completion
            self._groups.add(start, end, duration_ms)
            if self._groups.crowded:
                self._groups.compact(self._open_at(seq, stretch))
        for task_id, _ in stretch.closed:
            self.open.pop((stretch.session_id, task_id), None)
        for task_id, name, start, top_level in stretch.opened:
            self.open[stretch.session_id, task_id] = Start(name, start, stretch.session_id, top_level)
        for name, (count, errors, total_ms, smallest_ms, largest_ms, buckets) in stretch.tasks.items():
            self.completed += count
            self.counts[name] += count
            self.breakdown[name] += total_ms
            self.errors[name] += errors
            self.durations[name].add_counted(buckets, smallest_ms, largest_ms)
        self.orphans += stretch.orphans

    def _open_at(self, at: int, stretch: Stretch) -> Iterator[float]:
        """Yield when the top-level tasks began that were open after a line of a stretch that is being added."""
        closed = {(stretch.session_id, task_id) for task_id, seq in stretch.closed if seq <= at}
        yield from (task.start_time for key, task in self.open.items() if task.top_level and key not in closed)
        yield from (start for task_id, _, start, top_level in stretch.opened if top_level and task_id < at)
        for start, _, _, task_id, seq in stretch.completions:
            if stretch.first_seq <= task_id < at < seq:
                yield start

    @property
    def top_level_ms(self) -> float:
        """How long the top-level tasks took together: groups of overlapping ones, and the original format's summed."""
        return self._groups.finish() + self._original_ms

    @property
    def exact(self) -> bool:
        """Whether `top_level_ms` is exact: see `TaskGroups.exact`."""
        return self._groups.exact
