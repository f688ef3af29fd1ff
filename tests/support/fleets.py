"""Directories of sessions, made by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from deia.analysis.compare import Group
from deia.analysis.figures import Figures
from deia.analysis.percentiles import buckets_of
from deia.analysis.sessions import Durations, SessionFigures
from support.journals import START, Lines, journal_path

DAY_S = 86_400


def write_session(
    directory: Path,
    session_id: str,
    *,
    agent_id: str = "agent",
    day: float = 0.0,
    tools: Mapping[str, Iterable[int]] | None = None,
    errors: int = 0,
    tasks: int = 1,
    models: Mapping[str, tuple[int, float | None]] | None = None,
    model_times: Mapping[str, Iterable[int | None]] | None = None,
    task_name: str = "build",
) -> Path:
    """Write the log of a finished session, an hour long, with tasks of a minute each; return its path.

    Args:
        directory: Where.
        session_id: Which.
        agent_id: Whose.
        day: When it began, in days after `START`.
        tools: Name → milliseconds of each call.
        errors: How many calls of the first tool failed.
        tasks: How many tasks were completed.
        models: Name → tokens of the input, and cost, of a call, whose output has a tenth of the tokens.
        model_times: Name → milliseconds of each further call; None where its line does not say.
        task_name: What the tasks are called.
    """
    directory.mkdir(parents=True, exist_ok=True)
    lines = Lines(agent_id, session_id, start=START + day * DAY_S)
    content = bytearray()
    for number in range(tasks):
        content += lines.begin(task_name, at=60.0 * number)
        content += lines.complete(lines.seq, task_name, began=60.0 * number, at=60.0 * (number + 1))
    for name, calls in (tools or {"pytest": [100, 110, 120]}).items():
        for duration_ms in calls:
            content += lines.tool(name, duration_ms, params={"error": "boom"} if errors > 0 else {}, at=3000)
            errors -= 1
    for name, (tokens, cost_usd) in (models or {}).items():
        content += lines.llm(name, at=3300, input_tokens=tokens, output_tokens=tokens // 10, cost_usd=cost_usd)
    for name, calls_ms in (model_times or {}).items():
        for call_ms in calls_ms:
            content += lines.llm(name, call_ms, at=3400)
    content += lines.file("read", at=3600)
    path = journal_path(directory, agent_id, session_id)
    path.write_bytes(content)
    return path


def durations(values: Iterable[int], errors: int = 0) -> Durations:
    """Return some durations as one session has them."""
    listed = list(values)
    return Durations(len(listed), errors, sum(listed), min(listed), max(listed), sorted(buckets_of(listed).items()))


def group(*sessions: Mapping[str, Iterable[int]], hours: Iterable[float] | None = None) -> Group:
    """Return sessions, each with the calls of its tools, as a group.

    Args:
        sessions: Of each: tool → milliseconds of each call.
        hours: How long each took; an hour where nothing is said. Each completed ten tasks.
    """
    lengths = [1.0] * len(sessions) if hours is None else list(hours)
    return Group(
        SessionFigures(
            f"s{number}",
            "agent",
            f"s{number}",
            "finished",
            START,
            START,
            Figures(sessions=1, session_ms=round(3_600_000 * length), tasks=10),
            {"tool": {name: durations(values) for name, values in tools.items()}, "task": {}},
        )
        for number, (tools, length) in enumerate(zip(sessions, lengths, strict=True))
    )
