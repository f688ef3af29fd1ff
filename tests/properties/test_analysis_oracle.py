"""The analysis against one that holds everything in memory and takes the plainest way."""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deia.analysis import analyze_session, summarize_session
from deia.analysis.sessions import look_at
from support.any_session import STEPS, lines_of
from support.journals import journal_path


def duration(task: dict[str, Any]) -> int:
    given = task.get("duration_ms")
    return given if given is not None else round((task["end_time"] - task["start_time"]) * 1000)


def grouped(tasks: list[dict[str, Any]]) -> float:
    """Merge every two groups that overlap anywhere, until nothing changes."""
    groups = [[task] for task in tasks]
    merged = True
    while merged:
        merged = False
        for index, group in enumerate(groups):
            for other in groups[index + 1 :]:
                if any(
                    a["start_time"] < b["end_time"] and b["start_time"] < a["end_time"] for a in group for b in other
                ):
                    group.extend(other)
                    groups.remove(other)
                    merged = True
                    break
    total = 0.0
    for group in groups:
        union = max(task["end_time"] for task in group) - min(task["start_time"] for task in group)
        total += max(union * 1000, *(duration(task) for task in group), 0)
    return total


@given(st.lists(STEPS, max_size=40), st.floats(0, 1))
def test_analysis_equals_the_oracle(steps: list[tuple[str, Any, Any]], share: float) -> None:
    """Every figure of a session of any shape, percentiles to 1 %."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(b"".join(lines_of(steps)))
        analysis = analyze_session(journal, bottleneck_share=share, strict=True)
        summary = summarize_session(journal)
        figures = look_at(journal)
        fields = [json.loads(line) for line in journal.read_bytes().splitlines()]

    tasks = [line for line in fields if "start_time" in line and not line.get("orphan")]
    completed = [task for task in tasks if task["end_time"] is not None]
    ended = {task.get("task_id") for task in completed}
    breakdown = Counter[str]()
    for task in completed:
        breakdown[task["name"]] += duration(task)
    assert analysis.task_breakdown == dict(breakdown)
    assert analysis.tasks_completed == len(completed) == summary.tasks_completed
    assert sorted((task.name, task.start_time) for task in analysis.open_tasks) == sorted(
        (task["name"], task["start_time"])
        for task in tasks
        if task["end_time"] is None and task["task_id"] not in ended
    )

    times = [line[key] for line in fields for key in ("session_start", "timestamp") if key in line]
    times += [task[key] for task in tasks for key in ("start_time", "end_time") if task[key] is not None]
    span = (max(times) - min(times)) * 1000 if times else 0
    top_level = [task for task in completed if "v" in task and task["parent_id"] is None]
    session_time = max(span, grouped(top_level) + sum(duration(task) for task in completed if "v" not in task))
    assert analysis.session_time_ms == round(session_time)
    assert analysis.session_time_exact
    assert analysis.bottlenecks == [
        name
        for name, spent in sorted(breakdown.items(), key=lambda item: (-item[1], item[0]))
        if spent > share * analysis.session_time_ms
    ]

    files = Counter(line["operation"] for line in fields if "operation" in line)
    tools = [line for line in fields if "params" in line]
    assert analysis.file_operation_stats == dict(files)
    assert (summary.files_read, summary.files_written, summary.tool_calls_count) == (
        files["read"],
        files["write"],
        len(tools),
    )
    hours = analysis.session_time_ms / 3_600_000
    assert analysis.velocity_metrics == pytest.approx(
        {
            name: count / hours if hours else 0.0
            for name, count in {
                "tasks_per_hour": len(completed),
                "files_read_per_hour": files["read"],
                "files_written_per_hour": files["write"],
                "tool_calls_per_hour": len(tools),
            }.items()
        }
    )
    assert set(analysis.tools) == {tool["name"] for tool in tools}
    for name, statistics in analysis.tools.items():
        durations = sorted(tool["duration_ms"] for tool in tools if tool["name"] == name)
        assert (statistics.count, statistics.total_ms) == (len(durations), sum(durations))
        assert statistics.max_ms == durations[-1]
        for percentile, value in ((50, statistics.p50_ms), (95, statistics.p95_ms)):
            exact = durations[math.ceil(percentile * len(durations) / 100) - 1]
            assert abs(value - exact) <= exact / 100
    responses: dict[str, dict[str, Any]] = {}
    for line in (line for line in fields if line.get("type") == "LLMEvent"):
        call = responses.setdefault(line["response_id"] or f"line {line['seq']}", {"ms": None})
        call["model"] = f"p/{line['model']}"
        call["ms"] = call["ms"] if line["duration_ms"] is None else line["duration_ms"]
    assert figures.durations.get("model", {}).keys() == {call["model"] for call in responses.values()}
    for name, of in figures.durations.get("model", {}).items():
        calls = [call["ms"] for call in responses.values() if call["model"] == name]
        durations = sorted(call_ms for call_ms in calls if call_ms is not None)
        assert (of.count, of.total_ms, sum(count for _, count in of.buckets)) == (
            len(calls),
            sum(durations),
            len(durations),
        )
        assert [of.smallest_ms, of.largest_ms] == ([durations[0], durations[-1]] if durations else [0, 0])
    assert analysis.orphans == sum(bool(line.get("orphan")) for line in fields)
    assert analysis.events == len(fields) == sum(analysis.events_by_type.values())
