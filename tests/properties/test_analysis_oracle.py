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
from support.journals import START, Lines, encode, journal_path

NAMES = st.sampled_from(["plan", "build", "test"])
DURATIONS = st.integers(0, 300) | st.integers(0, 10**8)
STEPS = st.one_of(
    st.tuples(st.just("begin"), NAMES, st.booleans()),
    st.tuples(st.just("complete"), st.integers(0, 5), st.none() | DURATIONS),
    st.tuples(st.just("orphan"), NAMES, DURATIONS),
    st.tuples(st.just("tool"), NAMES, DURATIONS),
    st.tuples(st.just("file"), st.sampled_from(["read", "write", "delete"]), st.none()),
    st.tuples(st.just("wait"), st.integers(0, 40), st.none()),
    st.tuples(st.just("set back"), st.integers(1, 12), st.none()),
    st.tuples(st.just("continue"), st.none(), st.none()),
    st.tuples(st.just("original"), NAMES, st.integers(0, 40)),
)


def write(steps: list[tuple[str, Any, Any]]) -> list[bytes]:
    """Return the lines that such a session leaves; times are quarters of a second, which floats hold exactly."""
    lines = Lines()
    content: list[bytes] = []
    running: list[tuple[int, str, float, int | None]] = []
    at = 0.0
    runs = 1
    for step, what, more in steps:
        if step == "wait":
            at += what / 4
        elif step == "set back":
            at -= what / 4
        elif step == "begin":
            parent = running[-1][0] if more and running else None
            content.append(lines.begin(what, parent_id=parent, at=at))
            running.append((lines.seq, what, at, parent))
        elif step == "complete" and running:
            task_id, name, began, parent = running.pop(what % len(running))
            end = max(at, began)
            content.append(lines.complete(task_id, name, began=began, at=end, duration_ms=more, parent_id=parent))
        elif step == "orphan":
            content.append(lines.complete(None, what, began=at - more / 1000, at=at, duration_ms=more, orphan=True))
        elif step == "tool":
            content.append(lines.tool(what, more, at=at))
        elif step == "file":
            content.append(lines.file(what, at=at))
        elif step == "continue":
            runs += 1
            content.append(lines.continued(runs, at=at))
        elif step == "original":
            content.append(encode({"name": what, "start_time": START + at, "end_time": START + at + more / 4}))
    return content


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
        journal.write_bytes(b"".join(write(steps)))
        analysis = analyze_session(journal, bottleneck_share=share, strict=True)
        summary = summarize_session(journal)
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
    assert analysis.orphans == sum(bool(line.get("orphan")) for line in fields)
    assert analysis.events == len(fields) == sum(analysis.events_by_type.values())
