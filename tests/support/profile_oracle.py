"""A profile by the plainest ways: everything in memory, every elementary stretch looked at against every interval."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from support.journals import START

Interval = tuple[int, int]


def ms(time: float) -> int:
    """Return a time of `support.journals` in milliseconds since its start."""
    return round((time - START) * 1000)


@dataclass
class Run:
    """A run of a task, as the oracle has it."""

    name: str
    start: int
    end: int
    duration_ms: int
    top_level: bool
    is_open: bool
    failed: bool
    task_id: int | None
    children: list[Interval] = field(default_factory=list)
    inside: list[Interval] = field(default_factory=list)
    spent: dict[str, list[Interval]] = field(default_factory=dict)


class Oracle:
    """What a log of one session amounts to; `lines` as they were parsed, in order."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.lines = lines
        self.files: list[Interval] = []
        self.tools: list[tuple[str, Interval]] = []
        self.models: list[tuple[str, Interval]] = []
        self.users: set[int] = set()
        self.moments: set[int] = set()
        self._runs()
        self._events()
        self._tasks()
        times = [ms(time) for time in self._times()]
        self.first, self.last = (min(times), max(times)) if times else (0, 0)
        if self.recorded:
            self.recorded.append((self.first, min(start for start, _ in self.recorded)))
            self.recorded.append((max(end for _, end in self.recorded), self.last))
        for start, end in (
            *self.files,
            *self.recorded,
            *(interval for _, interval in (*self.tools, *self.models)),
            *((run.start, run.end) for run in self.tasks),
        ):
            self.moments |= {start, end}
        self.moments |= {self.first, self.last}
        inside = sorted(at for at in self.moments if self.first <= at <= self.last)
        self.stretches = list(pairwise(inside))

    def _times(self) -> list[float]:
        times = [line[key] for line in self.lines for key in ("timestamp", "session_start") if key in line]
        return times + [
            line[key]
            for line in self.lines
            if "start_time" in line and not line.get("orphan")
            for key in ("start_time", "end_time")
            if line[key] is not None
        ]

    def _runs(self) -> None:
        current: dict[str | None, list[int]] = {}
        self.recorded: list[Interval] = []
        for line in self.lines:
            session = line.get("session_id")
            if "session_start" in line:
                if session in current:
                    self.recorded.append((min(current[session]), max(current[session])))
                current[session] = [ms(line["session_start"])]
            if "timestamp" in line:
                current.setdefault(session, []).append(ms(line["timestamp"]))
            elif not line.get("orphan"):
                current.setdefault(session, []).extend(
                    ms(line[key]) for key in ("start_time", "end_time") if line.get(key) is not None
                )
        self.recorded += [(min(moments), max(moments)) for moments in current.values() if moments]

    def _events(self) -> None:
        responses: dict[str, list[dict[str, Any]]] = {}
        for line in self.lines:
            at = ms(line["timestamp"]) if "timestamp" in line else None
            if at is None or ("start_time" in line and not line.get("orphan")):
                continue
            self.moments.add(at)
            kind = line["type"]
            lasted = line.get("duration_ms") or 0
            if kind == "FileEvent":
                self.files.append((at - lasted, at))
            elif kind == "ToolEvent":
                self.tools.append((line["name"], (at - lasted, at)))
            elif kind == "MessageEvent" and line["role"] == "user":
                self.users.add(at)
            elif kind == "LLMEvent":
                responses.setdefault(line["response_id"] or f"line {line['seq']}", []).append(line)
        self.responses = list(responses.values())
        for told in self.responses:
            timed = [line for line in told if line["duration_ms"] is not None]
            if timed:
                at = ms(timed[-1]["timestamp"])
                self.models.append((f"p/{timed[-1]['model']}", (at - timed[-1]["duration_ms"], at)))

    def _tasks(self) -> None:
        last_seen = max(
            ((index, ms(line["timestamp"])) for index, line in enumerate(self.lines) if "timestamp" in line),
            default=(0, 0),
        )[1]
        self.tasks: list[Run] = []
        began: dict[int, int] = {}
        ended: dict[int, int] = {}
        by_id: dict[int, Run] = {}
        parents: dict[int, int | None] = {}
        for index, line in enumerate(self.lines):
            if "start_time" not in line or line.get("orphan"):
                continue
            start = ms(line["start_time"])
            if line["end_time"] is None:
                run = Run(line["name"], start, max(start, last_seen), 0, True, True, False, line["task_id"])
                run.duration_ms = run.end - start
                run.top_level = line["parent_id"] is None
                began[line["task_id"]] = index
                by_id[line["task_id"]] = run
                parents[line["task_id"]] = line["parent_id"]
                self.tasks.append(run)
                continue
            end = max(start, ms(line["end_time"]))
            given = line.get("duration_ms")
            duration_ms = max(0, ms(line["end_time"]) - start) if given is None else given
            if line.get("task_id") is None:
                self.tasks.append(Run(line["name"], start, end, duration_ms, True, False, False, None))
                continue
            run = by_id[line["task_id"]]
            run.end, run.duration_ms, run.is_open = end, duration_ms, False
            run.failed = bool(line.get("error"))
            ended[line["task_id"]] = index
        never = len(self.lines)
        for task_id, run in by_id.items():
            parent_id = parents[task_id]
            if parent_id in by_id and ended.get(parent_id, never) > began[task_id]:
                parent = by_id[parent_id]
                outlasts = ended.get(task_id, never) >= ended.get(parent_id, never)
                parent.children.append((run.start, parent.end if outlasts else run.end))
                parent.inside.append(parent.children[-1])
        for index, line in enumerate(self.lines):
            task_id = line.get("task_id")
            is_timed = line.get("type") in ("ToolEvent", "LLMEvent", "FileEvent")
            if is_timed and task_id in by_id and began[task_id] < index < ended.get(task_id, never):
                at = ms(line["timestamp"])
                by_id[task_id].inside.append((at - (line.get("duration_ms") or 0), at))
                what = {"ToolEvent": "tool", "LLMEvent": "model", "FileEvent": "file"}[line["type"]]
                by_id[task_id].spent.setdefault(what, []).append(by_id[task_id].inside[-1])
            is_user = line.get("type") == "MessageEvent" and line["role"] == "user"
            if is_user and task_id in by_id and began[task_id] < index < ended.get(task_id, never):
                before = max(ms(earlier["timestamp"]) for earlier in self.lines[:index] if "timestamp" in earlier)
                by_id[task_id].spent.setdefault("human", []).append((before, ms(line["timestamp"])))

    def at_work(self, intervals: list[Interval], stretch: Interval) -> int:
        """How many of some intervals there are in an elementary stretch."""
        return sum(start <= stretch[0] and stretch[1] <= end for start, end in intervals)

    def wall(self) -> dict[str, int]:
        """Each kind's milliseconds."""
        shares = Counter[str]()
        tools = [interval for _, interval in self.tools]
        models = [interval for _, interval in self.models]
        tasks = [(run.start, run.end) for run in self.tasks]
        for stretch in self.stretches:
            if self.at_work(self.files, stretch):
                kind = "file"
            elif self.at_work(tools, stretch):
                kind = "tool"
            elif self.at_work(models, stretch):
                kind = "model"
            elif not self.at_work(self.recorded, stretch):
                kind = "between_runs"
            elif stretch[1] in self.users:
                kind = "human"
            else:
                kind = "unattributed" if self.at_work(tasks, stretch) or not self.tasks else "idle"
            shares[f"{kind}_ms"] += stretch[1] - stretch[0]
        return dict(shares)

    def gaps(self) -> list[Interval]:
        """The stretches in which nothing is known to run."""
        busy = self.files + [interval for _, interval in (*self.tools, *self.models)]
        return [stretch for stretch in self.stretches if not self.at_work(busy, stretch)]

    def concurrency(self) -> dict[int, int]:
        """How many tools and models ran at once → milliseconds."""
        busy = [interval for _, interval in (*self.tools, *self.models)]
        result = Counter[int]()
        for stretch in self.stretches:
            result[self.at_work(busy, stretch)] += stretch[1] - stretch[0]
        return dict(sorted(result.items()))

    def over_time(self, most_steps: int) -> tuple[int, list[int], list[int], list[int]]:
        """How long a step is, and of each one the tools' and the models' milliseconds and the most at once."""
        tools = [interval for _, interval in self.tools]
        models = [interval for _, interval in self.models]
        busy = [stretch for stretch in self.stretches if self.at_work(tools + models, stretch)]
        sums: list[list[int]] = [[], [], []]
        if not busy:
            return 1, *sums
        first, last = min(start for start, _ in busy), max(end for _, end in busy)
        step_ms = 1
        while math.ceil((last - first) / step_ms) > most_steps:
            step_ms *= 2
        for begin in range(first, last, step_ms):
            inside = [
                (stretch, min(stretch[1], begin + step_ms) - max(stretch[0], begin))
                for stretch in self.stretches
                if stretch[0] < begin + step_ms and begin < stretch[1]
            ]
            sums[0].append(sum(self.at_work(tools, stretch) * ms for stretch, ms in inside))
            sums[1].append(sum(self.at_work(models, stretch) * ms for stretch, ms in inside))
            sums[2].append(max(self.at_work(tools + models, stretch) for stretch, _ in inside))
        return step_ms, sums[0], sums[1], sums[2]

    def union(self, intervals: list[Interval]) -> int:
        """The milliseconds in which there is at least one of some intervals."""
        return sum(stretch[1] - stretch[0] for stretch in self.stretches if self.at_work(intervals, stretch))

    def own_ms(self, run: Run) -> int:
        """A run's duration without that of its children, looked at from moment to moment."""
        return max(0, run.duration_ms - self.within_ms(run, run.children))

    def spent_ms(self, run: Run, what: str) -> int:
        """How much of a run went into something."""
        return self.within_ms(run, run.spent.get(what, []))

    def within_ms(self, run: Run, intervals: list[Interval]) -> int:
        """How much of a run some intervals cover."""
        moments = sorted({run.start, run.end, *(at for interval in intervals for at in interval)})
        return sum(
            end - start
            for start, end in pairwise(moments)
            if run.start <= start and end <= run.end and self.at_work(intervals, (start, end))
        )

    def work(self) -> list[Interval]:
        """The pieces of work: what ran, and what tasks did by themselves."""
        pieces = self.files + [interval for _, interval in (*self.tools, *self.models)]
        for run in self.tasks:
            moments = sorted({run.start, run.end, *(at for inside in run.inside for at in inside)})
            free: list[Interval] = []
            for start, end in pairwise(moments):
                if run.start <= start and end <= run.end and not self.at_work(run.inside, (start, end)):
                    free.append((start, end))
            pieces += joined(free)
        cut = [(max(start, self.first), min(end, self.last)) for start, end in pieces]
        return [(start, end) for start, end in cut if start < end]


def joined(intervals: list[Interval]) -> list[Interval]:
    """Join neighbours that touch."""
    result: list[Interval] = []
    for start, end in intervals:
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            result.append((start, end))
    return result


def longest_chain_ms(pieces: list[Interval]) -> int:
    """How long the longest chain of pieces is of which none overlaps another: each against each."""
    best: dict[int, int] = {}
    order = sorted(range(len(pieces)), key=lambda at: (pieces[at][1], pieces[at][0]))
    for at in order:
        start, end = pieces[at]
        before = max((best[other] for other in best if pieces[other][1] <= start), default=0)
        best[at] = before + end - start
    return max(best.values(), default=0)


def percentile(values: list[int], percent: int) -> int:
    """The value that so many of a hundred do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(percent * len(values) / 100) - 1)]
