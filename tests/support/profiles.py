"""Profiles made by hand, for what is said about them."""

from __future__ import annotations

import dataclasses
from typing import Any

from deia.analysis.profile import (
    ConcurrencyOverTime,
    Effort,
    ModelProfile,
    SessionProfile,
    TaskProfile,
    TimeShares,
    ToolProfile,
)
from deia.analysis.session import SessionAnalysis
from deia.analysis.usage import ModelUsage, together

_PROFILED = frozenset(field.name for field in dataclasses.fields(SessionProfile))
_NO_VELOCITY = dict.fromkeys(
    ("tasks_per_hour", "files_read_per_hour", "files_written_per_hour", "tool_calls_per_hour"), 0.0
)


def task(own_ms: int = 0, **figures: int) -> TaskProfile:
    """Return the figures of a task that ran once, without another one inside."""
    names = (
        *("runs", "failed", "cancelled", "wall_ms", "effort_ms", "own_ms", "p50_ms", "p95_ms", "max_ms", "open"),
        *("model_ms", "tool_ms", "file_ms", "human_ms"),
    )
    values = dict.fromkeys(names, 0) | {"runs": 1, "own_ms": own_ms, "wall_ms": own_ms, "effort_ms": own_ms} | figures
    return TaskProfile(**values)


def tool(wall_ms: int = 0, **figures: int) -> ToolProfile:
    """Return the figures of a tool that was called once."""
    names = ("calls", "errors", "cancelled", "wall_ms", "effort_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")
    values = dict.fromkeys(names, 0) | {"calls": 1, "wall_ms": wall_ms, "effort_ms": wall_ms} | figures
    return ToolProfile(**values)


def model(**figures: Any) -> ModelProfile:
    """Return the figures of a model that was called once and says little."""
    names = (
        *("calls", "errors", "retries", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
        *("reasoning_tokens", "wall_ms", "effort_ms", "p50_ms", "p95_ms", "max_ms"),
    )
    values = dict.fromkeys(names, 0) | {"calls": 1, "cost_usd": None, "first_token_p50_ms": None} | figures
    return ModelProfile(**values)


def profile(span_ms: int = 100_000, *, wall: dict[str, int] | None = None, **further: Any) -> SessionProfile:
    """Return a profile of a session in which nothing happened, but for what is given.

    Args:
        span_ms: From the first moment to the last.
        wall: What of it went where; the rest is idle.
        further: Other fields, of the profile or of its analysis.
    """
    names = ("model_ms", "tool_ms", "file_ms", "human_ms", "unattributed_ms", "idle_ms", "between_runs_ms")
    shares = dict.fromkeys(names, 0) | (wall or {})
    shares["idle_ms"] += span_ms - sum(shares.values())
    analysis = SessionAnalysis({}, [], _NO_VELOCITY, {}, first_time=0.0, last_time=span_ms / 1000)
    for name in [name for name in further if hasattr(analysis, name) and name not in _PROFILED]:
        setattr(analysis, name, further.pop(name))
    fields: dict[str, Any] = {
        "analysis": analysis,
        "span_ms": span_ms,
        "wall": TimeShares(**shares),
        "effort": Effort(0, 0, 0, 0),
        **{name: {} for name in ("tasks", "tools", "models", "files", "concurrency")},
        **{name: [] for name in ("repeated", "errors", "gaps", "at_least", "capped")},
        **dict.fromkeys(("repeated_ms", "retries", "error_count", "gap_count"), 0),
        "concurrency_over_time": ConcurrencyOverTime(0.0, span_ms / 1000, span_ms, [0], [0], [0]),
        "critical_path": None,
        "exact": True,
    }
    fields |= further
    return SessionProfile(usage=together(map(_usage_of, fields["models"].values())), **fields)


def _usage_of(model: ModelProfile) -> ModelUsage:
    return ModelUsage(**{name: getattr(model, name) for name in vars(ModelUsage()) if name != "left_out"})
