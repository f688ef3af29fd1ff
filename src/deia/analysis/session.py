"""Where the time of one session went."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from deia.analysis.clock import Clock
from deia.analysis.stretch import Stretch
from deia.analysis.tasks import OpenTask, TaskAccumulator
from deia.analysis.tools import ToolAccumulator, ToolStatistics
from deia.analysis.usage import ModelUsage, UsageAccumulator, call_of
from deia.events import ErrorEvent, FileEvent, LLMEvent, SessionEvent, TaskEvent, ToolEvent, UnknownEvent
from deia.journal.damage import Damage, DamageLog
from deia.journal.reader import Entry

_MS_PER_HOUR = 3_600_000

BOTTLENECK_SHARE = 0.3
"""Part of the session time beyond which a task is a bottleneck, unless the caller says otherwise."""


@dataclass
class SessionAnalysis:
    """Where the time of one session went.

    Attributes:
        task_breakdown: Task name → milliseconds of its completed runs, summed.
        bottlenecks: Names of tasks with more than a given share of the session time, slowest first.
        velocity_metrics: `tasks_per_hour` (completed runs), `files_read_per_hour`, `files_written_per_hour` and
            `tool_calls_per_hour`, over the session time; 0.0 where that is zero.
        file_operation_stats: Operation → count, of those that occurred.
        session_time_ms: The longer of the log's wall-clock span and its top-level tasks' time, milliseconds. Tasks that
            overlap count as the longer of their union and their longest given duration.
        session_time_exact: False where clocks were set back so far that overlapping tasks may have been counted twice.
        recorded_ms: The part of the span that was recorded: without the time between two runs. The session time
            where the lines do not tell.
        first_time: First moment of the log, Unix seconds; None where no line says.
        last_time: Its last moment.
        tasks_completed: Completed runs of tasks.
        task_counts: Task name → completed runs.
        open_tasks: Tasks that nothing completed, oldest first.
        orphans: Completions without a start; they are not in the figures about tasks.
        tools: Tool name → its figures, the one that took the most time first.
        events: Events read.
        events_by_type: The same by type; a task's start and completion are one each.
        unknown_types: Types that this release does not know → count.
        agent_id: Whose session it is, by the first line that says.
        session_id: Which one.
        runs: How many times it was opened; more where the file holds several sessions.
        dropped: Events dropped on purpose because the queue was full.
        damages: The first problems with the file, in order, and its torn end, if it has one.
        damage_count: How many there are, a torn end included.
        damages_capped: Whether there are more than are listed.
        unreadable_lines: How many of them are lines that cannot be read.
        models: `"provider/model"` → the tokens and the cost of its calls, the one with the most tokens first.
        errors: Lines that tell of something that went wrong: failed tool calls, tasks and model calls, recorded errors.
    """

    task_breakdown: dict[str, int]
    bottlenecks: list[str]
    velocity_metrics: dict[str, float]
    file_operation_stats: dict[str, int]
    # ours
    session_time_ms: int = 0
    session_time_exact: bool = True
    recorded_ms: int = 0
    first_time: float | None = None
    last_time: float | None = None
    tasks_completed: int = 0
    task_counts: dict[str, int] = field(default_factory=dict)
    open_tasks: list[OpenTask] = field(default_factory=list)
    orphans: int = 0
    tools: dict[str, ToolStatistics] = field(default_factory=dict)
    events: int = 0
    events_by_type: dict[str, int] = field(default_factory=dict)
    unknown_types: dict[str, int] = field(default_factory=dict)
    agent_id: str | None = None
    session_id: str | None = None
    runs: int = 0
    dropped: int = 0
    damages: list[Damage] = field(default_factory=list)
    damage_count: int = 0
    damages_capped: bool = False
    unreadable_lines: int = 0
    models: dict[str, ModelUsage] = field(default_factory=dict)
    errors: int = 0


class SessionAccumulator:
    """Takes a session's events in the order of the file, keeps what the analysis needs."""

    def __init__(self) -> None:
        self.tasks = TaskAccumulator()
        self.tools = ToolAccumulator()
        self.usage = UsageAccumulator()
        self.clock = Clock()
        self.operations: Counter[str] = Counter()
        self.types: Counter[str] = Counter()
        self.unknown_types: Counter[str] = Counter()
        self.dropped = 0
        self.errors = 0
        self.agent_id: str | None = None
        self.session_id: str | None = None

    def feed(self, entry: Entry) -> None:
        """Take one event."""
        event = entry.event
        original = entry.original
        self.types[type(event).__name__] += 1
        self.clock.feed(event, original=original, session_start=entry.session_start)
        if self.session_id is None and event.session_id is not None:
            self.agent_id, self.session_id = event.agent_id, event.session_id
        if isinstance(event, ToolEvent):
            failed = bool(event.params.get("error") or entry.record.fields.get("error"))
            self.tools.feed(event.name, event.duration_ms, failed=failed)
            self.errors += failed
        elif isinstance(event, FileEvent):
            self.operations[event.operation] += 1
        elif isinstance(event, TaskEvent):
            failed = bool(entry.record.fields.get("error"))
            self.tasks.feed(event, original=original, failed=failed)
            self.errors += failed
        elif isinstance(event, LLMEvent):
            call = call_of(event)
            self.usage.feed(call)
            self.errors += call[-1]
        elif isinstance(event, ErrorEvent):
            self.errors += 1
        elif isinstance(event, SessionEvent):
            self.dropped += event.dropped or 0
        elif isinstance(event, UnknownEvent):
            self.unknown_types[event.type] += 1

    def fits(self, stretch: Stretch) -> bool:
        """Whether a stretch can be added: whether that gives what feeding its lines would give."""
        return self.tasks.fits(stretch)

    def add(self, stretch: Stretch) -> None:
        """Take a stretch of lines that was read ahead."""
        if self.session_id is None:
            self.agent_id, self.session_id = stretch.agent_id, stretch.session_id
        self.types.update(stretch.types)
        self.operations.update(stretch.operations)
        self.clock.add(stretch.session_id, stretch.earliest, stretch.latest, stretch.runs)
        self.tasks.add(stretch)
        self.tools.add(stretch.tools)
        for call in stretch.model_calls:
            self.usage.feed(call)
        self.dropped += stretch.dropped
        self.errors += stretch.types.get("ErrorEvent", 0) + stretch.other_failures
        for _, failed, *_ in (*stretch.tools.values(), *stretch.tasks.values()):
            self.errors += failed

    def finish(self, *, bottleneck_share: float, end: float | None, damages: DamageLog) -> SessionAnalysis:
        """Return the result."""
        tasks = self.tasks
        span = self.clock.span(end)
        span_ms = (span[1] - span[0]) * 1000 if span is not None else 0.0
        session_ms = round(max(span_ms, tasks.top_level_ms))
        recorded_s = self.clock.recorded_s(end)
        by_time = sorted(tasks.breakdown.items(), key=lambda item: (-item[1], item[0]))
        return SessionAnalysis(
            task_breakdown=dict(tasks.breakdown),
            bottlenecks=[name for name, spent_ms in by_time if spent_ms > bottleneck_share * session_ms],
            velocity_metrics={
                "tasks_per_hour": per_hour(tasks.completed, session_ms),
                "files_read_per_hour": per_hour(self.operations["read"], session_ms),
                "files_written_per_hour": per_hour(self.operations["write"], session_ms),
                "tool_calls_per_hour": per_hour(self.tools.calls, session_ms),
            },
            file_operation_stats={name: count for name, count in self.operations.items() if count},
            session_time_ms=session_ms,
            session_time_exact=tasks.exact,
            recorded_ms=session_ms if recorded_s is None else round(recorded_s * 1000),
            first_time=span[0] if span is not None else None,
            last_time=span[1] if span is not None else None,
            tasks_completed=tasks.completed,
            task_counts=dict(tasks.counts),
            open_tasks=self._open_tasks(end),
            orphans=tasks.orphans,
            tools=self.tools.finish(),
            events=self.types.total(),
            events_by_type=dict(self.types),
            unknown_types=dict(self.unknown_types),
            agent_id=self.agent_id,
            session_id=self.session_id,
            runs=max(self.clock.runs, 1 if self.types else 0),
            dropped=self.dropped,
            damages=damages.kept,
            damage_count=damages.count,
            damages_capped=damages.capped,
            unreadable_lines=damages.by_kind["unreadable"],
            models=self.usage.finish(),
            errors=self.errors,
        )

    def _open_tasks(self, end: float | None) -> list[OpenTask]:
        tasks: list[OpenTask] = []
        for start in self.tasks.open.values():
            last = max(start.start_time, self.clock.last_seen(start.session_id, end))
            tasks.append(OpenTask(start.name, start.start_time, last, round((last - start.start_time) * 1000)))
        return sorted(tasks, key=lambda task: task.start_time)


def per_hour(count: int, milliseconds: float) -> float:
    """Return a rate; 0.0 over no time."""
    return count / (milliseconds / _MS_PER_HOUR) if milliseconds else 0.0
