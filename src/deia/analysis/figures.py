"""The key figures of one session, or of many together, and what is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

from deia.analysis.session import per_hour

Unit = Literal["count", "ms", "per_hour", "share", "bytes", "usd"]
"""What a figure is counted in: a number, milliseconds, a number per hour, a part of a whole (0 to 1), bytes, US
dollars."""


@dataclass
class Figures:
    """What adds up over sessions.

    Attributes:
        sessions: How many sessions they are of.
        session_ms: Session time of the analysis, milliseconds.
        recorded_ms: The part of it that was recorded.
        events: Events.
        tasks: Completed runs of tasks.
        task_ms: Their durations, milliseconds.
        open_tasks: Tasks that nothing completed.
        tool_calls: Tool calls.
        tool_errors: Those of them that failed.
        tool_ms: Their durations, milliseconds.
        files_read: File reads.
        files_written: File writes.
        errors: What went wrong: failed tool calls, tasks and model calls, and recorded errors.
        dropped: Events dropped on purpose because the queue was full.
        size_bytes: Size of the sessions' files.
        model_calls: Model calls, each response once.
        input_tokens: Tokens of their whole input, cached ones included.
        output_tokens: Of their whole output, reasoning included.
        cache_read_tokens: Of the input, those from the provider's cache.
        cache_write_tokens: Of the input, those that went into it.
        reasoning_tokens: Of the output, reasoning.
        cost_usd: US dollars, of the calls that say; None where none does.
    """

    sessions: int = 0
    session_ms: int = 0
    recorded_ms: int = 0
    events: int = 0
    tasks: int = 0
    task_ms: int = 0
    open_tasks: int = 0
    tool_calls: int = 0
    tool_errors: int = 0
    tool_ms: int = 0
    files_read: int = 0
    files_written: int = 0
    errors: int = 0
    dropped: int = 0
    size_bytes: int = 0
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None

    def add(self, other: Figures) -> None:
        """Add the figures of other sessions."""
        for field in fields(self):
            more = getattr(other, field.name)
            if more is not None:
                setattr(self, field.name, (getattr(self, field.name) or 0) + more)

    @property
    def tokens(self) -> int:
        """Those of the input and of the output."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class Metric:
    """A figure that can be compared, watched over time, or be given a target.

    Attributes:
        name: By which it is asked for.
        label: What people are shown.
        unit: What it is counted in.
        better: Whether a higher or a lower one is the better; None where that depends.
        of: Computes it; None where there is nothing to compute it from.
    """

    name: str
    label: str
    unit: Unit
    better: Literal["higher", "lower"] | None
    of: Callable[[Figures], float | None]


def _mean(part: float | None, number: int) -> float | None:
    return part / number if number and part is not None else None


def _rate(number: int, figures: Figures) -> float | None:
    return per_hour(number, figures.session_ms) if figures.session_ms else None


def _tokens(figures: Figures) -> int | None:
    return figures.tokens if figures.model_calls else None


def _cached(figures: Figures) -> float | None:
    return _mean(figures.cache_read_tokens, figures.input_tokens)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("sessions", "Sessions", "count", None, lambda of: of.sessions),
        Metric("session_ms", "Time of a session", "ms", None, lambda of: _mean(of.session_ms, of.sessions)),
        Metric("events", "Events", "count", None, lambda of: of.events),
        Metric("tasks", "Tasks", "count", "higher", lambda of: of.tasks),
        Metric("tasks_per_hour", "Tasks / h", "per_hour", "higher", lambda of: _rate(of.tasks, of)),
        Metric("task_ms", "Time of a task", "ms", "lower", lambda of: _mean(of.task_ms, of.tasks)),
        Metric("open_tasks", "Open tasks", "count", "lower", lambda of: of.open_tasks),
        Metric("tool_calls", "Tool calls", "count", None, lambda of: of.tool_calls),
        Metric("tool_calls_per_hour", "Tool calls / h", "per_hour", None, lambda of: _rate(of.tool_calls, of)),
        Metric("tool_calls_per_task", "Tool calls / task", "count", "lower", lambda of: _mean(of.tool_calls, of.tasks)),
        Metric("tool_ms", "Time of a tool call", "ms", "lower", lambda of: _mean(of.tool_ms, of.tool_calls)),
        Metric("tool_error_share", "Failed calls", "share", "lower", lambda of: _mean(of.tool_errors, of.tool_calls)),
        Metric("errors", "Errors", "count", "lower", lambda of: of.errors),
        Metric("errors_per_hour", "Errors / h", "per_hour", "lower", lambda of: _rate(of.errors, of)),
        Metric("files_read_per_hour", "Files read / h", "per_hour", None, lambda of: _rate(of.files_read, of)),
        Metric("files_written_per_hour", "Files written / h", "per_hour", None, lambda of: _rate(of.files_written, of)),
        Metric("model_calls", "Model calls", "count", None, lambda of: of.model_calls),
        Metric("input_tokens", "Input tokens", "count", "lower", lambda of: of.input_tokens),
        Metric("output_tokens", "Output tokens", "count", "lower", lambda of: of.output_tokens),
        Metric("cached_share", "Input from cache", "share", "higher", _cached),
        Metric("tokens_per_session", "Tokens / session", "count", "lower", lambda of: _mean(_tokens(of), of.sessions)),
        Metric("tokens_per_task", "Tokens / task", "count", "lower", lambda of: _mean(_tokens(of), of.tasks)),
        Metric("cost_usd", "Cost", "usd", "lower", lambda of: of.cost_usd),
        Metric("cost_per_session", "Cost / session", "usd", "lower", lambda of: _mean(of.cost_usd, of.sessions)),
        Metric("cost_per_task", "Cost / task", "usd", "lower", lambda of: _mean(of.cost_usd, of.tasks)),
        Metric("dropped", "Dropped events", "count", "lower", lambda of: of.dropped),
        Metric("size_bytes", "Size", "bytes", None, lambda of: of.size_bytes),
    )
}
"""By name, in the order in which they are shown. Those of `SUMS` grow with how much was recorded, and say nothing of
how well it went; the others can be compared whatever the number of sessions."""

SUMS = frozenset(
    {
        *("sessions", "events", "tasks", "open_tasks", "tool_calls", "errors", "dropped", "size_bytes"),
        *("model_calls", "input_tokens", "output_tokens", "cost_usd"),
    }
)
