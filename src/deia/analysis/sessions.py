"""What there is to say of each of many sessions: whose it is, what became of it, and its key figures."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deia import system
from deia.analysis.analyze import accumulate
from deia.analysis.figures import Figures
from deia.analysis.session import SessionAnalysis
from deia.analysis.usage import ModelUsage, together
from deia.errors import DeiaError, NotASessionLogError
from deia.journal.check import queue_state
from deia.journal.progress import OnProgress
from deia.journal.segments import Listings, segments_of
from deia.journal.state import state_of
from deia.queue.layout import queue_path

State = Literal["recording", "finished", "interrupted", "damaged", "unknown", "unreadable", "no log"]
"""What became of a session.

The first five are those of `deia.journal.state.State`, which says what they mean; or there is nothing to read:

- `unreadable`: its files cannot be read at all.
- `no log`: there is no event in it.
"""

Kind = Literal["task", "tool", "model"]
"""What has a name and takes time."""


@dataclass(frozen=True)
class Durations:
    """How long the runs of one task, or the calls of one tool or model, took in one session.

    Attributes:
        count: How many there were.
        errors: How many of them failed, as far as the log tells.
        total_ms: Milliseconds together, of those that say how long they took: calls of models need not.
        smallest_ms: The shortest; 0 where none says.
        largest_ms: The longest; likewise.
        buckets: Each bucket of `Percentiles` with some of them, and how many.
    """

    count: int
    errors: int
    total_ms: int
    smallest_ms: int
    largest_ms: int
    buckets: list[tuple[int, int]]


@dataclass(frozen=True)
class SessionFigures:
    """One session among many.

    Attributes:
        path: Its log: the first file, where it goes on in further ones.
        agent_id: Whose session it is; None where no line says.
        session_id: Which one.
        state: What became of it.
        began: Its first moment, Unix seconds; None where no line says.
        ended: Its last one so far.
        figures: Its key figures; all 0 where it cannot be read.
        durations: Of its tasks, of its tools and of its models (`"provider/model"`), by name.
        models: `"provider/model"` → the tokens and the cost of its calls.
        problem: Why it cannot be read.
    """

    path: str
    agent_id: str | None
    session_id: str | None
    state: State
    began: float | None
    ended: float | None
    figures: Figures
    durations: dict[Kind, dict[str, Durations]] = field(default_factory=dict)
    models: dict[str, ModelUsage] = field(default_factory=dict)
    problem: str | None = None

    @property
    def is_readable(self) -> bool:
        """Whether it has figures."""
        return bool(self.figures.sessions)


def look_at(
    journal: Path,
    *,
    workers: int | None = None,
    listings: Listings | None = None,
    on_progress: OnProgress | None = None,
) -> SessionFigures:
    """Return what there is to say of one session; that it cannot be read is a state, and no error.

    Args:
        journal: The session's first file, which may be missing.
        workers: As for `analyze_session`.
        listings: Of directories, from one session to the next.
        on_progress: Likewise.
    """
    queue = queue_state(queue_path(journal))  # before the log is read: what is closed meanwhile was open just now
    try:
        with listings.used() if listings is not None and queue == "none" else nullcontext():
            size_bytes = size_of(journal)
            accumulator, damages = accumulate(journal, workers=workers, on_progress=on_progress)
    except NotASessionLogError as error:
        return _without_figures(journal, "no log", str(error))
    except FileNotFoundError:
        if queue == "open":
            return _without_figures(journal, "recording", None)
        if queue == "left":
            return _without_figures(journal, "interrupted", f"only {queue_path(journal).name} is there")
        return _without_figures(journal, "unreadable", "there is no such session")
    except DeiaError as error:
        return _without_figures(journal, "unreadable", str(error))
    except OSError as error:
        return _without_figures(journal, "unreadable", error.strerror or str(error))
    analysis = accumulator.finish(bottleneck_share=0.0, end=None, damages=damages)
    tasks, tools = accumulator.tasks, accumulator.tools
    return SessionFigures(
        os.fspath(journal),
        analysis.agent_id,
        analysis.session_id,
        state_of(queue, damaged=not damages.by_kind.keys() <= {"torn"}, has_open_tasks=bool(analysis.open_tasks)),
        analysis.first_time,
        analysis.last_time,
        figures_of(analysis, size_bytes),
        {
            "task": {
                name: Durations(
                    each.count, tasks.errors[name], tasks.breakdown[name], each.smallest, each.largest, each.buckets
                )
                for name, each in tasks.durations.items()
            },
            "tool": {name: Durations(*each) for name, each in tools.figures().items()},
            "model": {name: Durations(*each) for name, each in accumulator.usage.times().items()},
        },
        analysis.models,
    )


def figures_of(analysis: SessionAnalysis, size_bytes: int) -> Figures:
    """Return the key figures of a session that was analysed.

    Args:
        analysis: The analysis.
        size_bytes: Size of the session's files.
    """
    tools = analysis.tools.values()
    usage = together(analysis.models.values())
    return Figures(
        sessions=1,
        session_ms=analysis.session_time_ms,
        recorded_ms=analysis.recorded_ms,
        events=analysis.events,
        tasks=analysis.tasks_completed,
        task_ms=sum(analysis.task_breakdown.values()),
        open_tasks=len(analysis.open_tasks),
        tool_calls=sum(tool.count for tool in tools),
        tool_errors=sum(tool.errors for tool in tools),
        tool_ms=sum(tool.total_ms for tool in tools),
        files_read=analysis.file_operation_stats.get("read", 0),
        files_written=analysis.file_operation_stats.get("write", 0),
        errors=analysis.errors,
        dropped=analysis.dropped,
        size_bytes=size_bytes,
        model_calls=usage.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=usage.cost_usd,
    )


def size_of(journal: Path) -> int:
    """Return the size of a session's files, bytes; `journal` is its first.

    Raises:
        OSError: They cannot be looked at.
    """
    return sum(system.stat(segment.path).st_size for segment in segments_of(journal))


def _without_figures(journal: Path, state: State, problem: str | None) -> SessionFigures:
    return SessionFigures(os.fspath(journal), None, None, state, None, None, Figures(), problem=problem)
