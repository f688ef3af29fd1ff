"""Real transcripts and logs of other recorders, imported: the figures that must come out."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deia import LLMEvent, analyze_session, read_events
from deia.events import (
    ActionItemEvent,
    DecisionEvent,
    FileEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
)
from deia.importing.activity_log import import_activity_log
from deia.importing.claude_code.agents import grouped, session_in
from deia.importing.claude_code.session import import_session
from deia.importing.prices import parse
from deia.importing.report import ImportReport
from deia.journal.check import check
from support.lines import lines_of

SAMPLES = Path(__file__).parent / "samples"


def imported(name: str, directory: Path, **options: Any) -> ImportReport:
    path = str(SAMPLES / "claude-code" / f"{name}.jsonl")
    (session,) = grouped([(path, session_in(path))])
    return import_session(session, directory, **options)


class Figures(NamedTuple):
    """What must come out of a transcript; tokens are counted once for each answer."""

    calls: int
    tools: dict[str, int]
    tokens: tuple[int, int, int, int]  # output, input without what has to do with the cache, cache read, cache write
    errors: int = 0
    unanswered: int = 0
    damaged: int = 0
    times: tuple[str, str] | None = None


FIGURES = {
    "python-to-rust-port": Figures(
        39,
        {"Bash": 16, "TodoWrite": 10, "Write": 7, "Read": 3, "Task": 1, "Edit": 1, "Glob": 1},
        (563, 38, 1114040, 22988),
        times=("2026-01-21T06:20:46.058+00:00", "2026-01-21T06:24:31.843+00:00"),
    ),
    "coverage-test-fix": Figures(14, {"Bash": 5, "Read": 3, "Edit": 3, "Glob": 2}, (158, 9, 286596, 7610), errors=1),
    "agentcmd-full-session-five-summaries": Figures(3, {"WebSearch": 3, "Read": 1, "Grep": 1}, (12, 14, 50325, 9289)),
    "claude-code-log-edge_cases": Figures(
        4,
        {"FailingTool": 1, "MultiEdit": 1, "TodoWrite": 1},
        (145 + 25 + 180 + 85, 35 + 200 + 85 + 168, 0, 0),
        errors=1,
        unanswered=2,
        damaged=3,
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_a_transcript_come_out_exactly(name: str, tmp_path: Path) -> None:
    """Calls of tools by name, tokens, errors, what has no answer, what could not be read, first and last time."""
    expected = FIGURES[name]
    report = imported(name, tmp_path)
    events = list(read_events(report.path, strict=True))
    tools = [event for event in events if isinstance(event, ToolEvent)]
    calls = [event for event in events if isinstance(event, LLMEvent)]

    assert Counter(event.name for event in tools) == expected.tools
    assert len({event.response_id for event in calls}) == len(calls) == expected.calls
    totals = [
        sum(getattr(call, field) or 0 for call in calls)
        for field in ("output_tokens", "input_tokens", "cache_read_tokens", "cache_write_tokens")
    ]
    assert (totals[0], totals[1] - totals[2] - totals[3], *totals[2:]) == expected.tokens
    assert sum(event.error is not None for event in tools) == expected.errors
    assert sum(event.error_type == "unanswered" and event.cancelled for event in tools) == expected.unanswered
    assert report.damage_count == len(report.damages) == expected.damaged
    analysis = analyze_session(report.path)
    assert (analysis.first_time, analysis.last_time) == (report.first_time, report.last_time)
    assert {tool: figures.count for tool, figures in analysis.tools.items()} == expected.tools
    assert sum(figures.errors for figures in analysis.tools.values()) == expected.errors
    if expected.times:
        assert [analysis.first_time, analysis.last_time] == [
            datetime.fromisoformat(time).timestamp() for time in expected.times
        ]


@pytest.mark.parametrize("name", FIGURES)
def test_imported_session_is_sound(name: str, tmp_path: Path) -> None:
    """It passes the check; its times never go back; every task that was begun is complete and lies in its parent."""
    report = imported(name, tmp_path)
    found = check(report.path)
    assert found.ok and not found.damages and found.runs == 1
    assert found.events == report.events
    assert len(lines_of(Path(report.path))) == report.events
    events: list[Any] = list(read_events(report.path, strict=True))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    times = [event.timestamp for event in events]
    assert times == sorted(times)
    tasks = {event.task_id: event for event in events if isinstance(event, TaskEvent) and event.end_time is not None}
    assert analyze_session(report.path).open_tasks == []
    for event in events:
        inside = getattr(event, "task_id", None)
        if isinstance(event, TaskEvent):
            inside = event.parent_id
        if inside is not None:
            assert tasks[inside].start_time <= event.timestamp <= (tasks[inside].end_time or 0)


def test_each_prompt_is_a_task_with_what_was_done_for_it(tmp_path: Path) -> None:
    """It ends with the last that was done before the next prompt; items of the list of things to do are parts of it."""
    report = imported("python-to-rust-port", tmp_path)
    tasks = [event for event in read_events(report.path) if isinstance(event, TaskEvent) and event.end_time]
    (prompt,) = [task for task in tasks if task.metadata["kind"] == "prompt"]
    assert prompt.name == "Port this Python project to Rust. Create a standalone Rust library (no Python b…"
    assert prompt.parent_id is None and prompt.end_time == report.last_time
    todos = [task for task in tasks if task.metadata["kind"] == "todo"]
    assert {task.parent_id for task in todos} == {prompt.task_id}
    assert todos[0].name == "Initialize Rust library project structure"
    assert not any(task.cancelled for task in todos)
    assert sum(task.duration_ms or 0 for task in todos) <= (prompt.duration_ms or 0)


@pytest.mark.parametrize("name", ["python-to-rust-port", "coverage-test-fix", "agentcmd-full-session-five-summaries"])
def test_session_costs_what_its_tokens_do_once_for_each_answer(name: str, tmp_path: Path) -> None:
    """By a list of prices, however many records an answer takes."""
    price = {"input": 5, "output": 25, "cache_read": 0.5, "cache_write_5m": 6.25, "cache_write_1h": 10}
    report = imported(name, tmp_path, prices=parse({"claude-*": price}))
    output, uncached, read, written = FIGURES[name].tokens
    (usage,) = analyze_session(report.path).models.values()
    assert usage.cost_usd == pytest.approx((output * 25 + uncached * 5 + read * 0.5 + written * 6.25) / 1e6)
    assert report.unpriced == []


def test_sub_agent_whose_own_records_are_missing_is_a_task_that_holds_its_call(tmp_path: Path) -> None:
    """The call's duration is what the transcript knows of it."""
    report = imported("python-to-rust-port", tmp_path)
    events = list(read_events(report.path))
    (agent,) = [
        event
        for event in events
        if isinstance(event, TaskEvent) and event.end_time and event.metadata["kind"] == "agent"
    ]
    assert agent.name == "Explore Python project structure"
    assert agent.metadata == {"kind": "agent", "agent_type": "Explore", "agent_id": "ab81802"}
    (call,) = [event for event in events if isinstance(event, ToolEvent) and event.name == "Task"]
    assert (call.task_id, call.duration_ms) == (agent.task_id, agent.duration_ms)


def test_sizes_of_files_are_those_that_the_transcript_has(tmp_path: Path) -> None:
    """Of a read what was read, of a write or an edit the whole file as it was written."""
    report = imported("coverage-test-fix", tmp_path)
    files = [event for event in read_events(report.path) if isinstance(event, FileEvent)]
    before = '"""Math utility functions."""\n\n\ndef add_numbers(a: int, b: int) -> int:\n'
    before += '    """Add two numbers together."""\n    return a + b\n'
    after = before + '\n\ndef multiply_numbers(a: int, b: int) -> int:\n    """Multiply two numbers together."""\n'
    after += "    return a * b\n"
    assert [(event.operation, event.path.rpartition("/")[2]) for event in files] == [
        ("read", "math_utils.py"),
        ("read", "test_math_utils.py"),
        ("write", "math_utils.py"),
        ("write", "test_math_utils.py"),
        ("read", ".gitignore"),
        ("write", ".gitignore"),
    ]
    assert (files[0].size_bytes, files[0].lines) == (len(before), 6)
    assert (files[2].size_bytes, files[2].lines) == (len(after), 11)


def test_only_what_a_person_said_has_the_role_user(tmp_path: Path) -> None:
    """A hook's feedback is put to the model in the name of the user; it is recorded as the system's."""
    report = imported("coverage-test-fix", tmp_path)
    messages = [event for event in read_events(report.path) if isinstance(event, MessageEvent)]
    assert sum(event.role == "user" for event in messages) == 1
    assert [event.metadata for event in messages if event.role == "system"] == [{"kind": "meta"}] * 2


def test_summaries_stand_in_the_first_line(tmp_path: Path) -> None:
    """They have no time of their own, and tell of other sessions, too."""
    report = imported("agentcmd-full-session-five-summaries", tmp_path)
    first = next(iter(read_events(report.path)))
    assert isinstance(first, SessionEvent)
    assert (first.event, first.source, first.seq) == ("imported", "claude-code", 1)
    assert len(first.metadata["summaries"]) == 16
    assert first.metadata["git_branch"] == "feat/agent-cli-sdk-revamp-v2"
    assert report.left_out == {"file-history-snapshot": 1}


def test_damaged_lines_are_told_by_number_offset_and_reason(tmp_path: Path) -> None:
    """They never keep the rest from being imported."""
    report = imported("claude-code-log-edge_cases", tmp_path)
    assert [(damage.line, damage.reason) for damage in report.damages] == [
        (13, "not an object but text"),
        (15, "not an object but a number"),
        (16, "not an object but an array"),
    ]
    lines = (SAMPLES / "claude-code" / "claude-code-log-edge_cases.jsonl").read_bytes().splitlines(keepends=True)
    assert report.damages[0].offset == sum(map(len, lines[:12]))
    kept = [event.fields["record"] for event in read_events(report.path) if isinstance(event, UnknownEvent)]
    assert {"silly": "this"} in kept


@pytest.mark.parametrize(
    ("name", "agent", "records", "damaged"),
    [
        ("CLAUDE-CODE-004-activity", "CLAUDE-CODE-004", 52, 2),
        ("BOT-00002-activity", "BOT-00002", 3, 0),
        ("hive-log", "BOT-00001", 43, 0),
    ],
)
def test_activity_logs_are_imported_whole(name: str, agent: str, records: int, damaged: int, tmp_path: Path) -> None:
    """Each record is one event, which keeps all of it; broken lines are told; a byte order mark is passed over."""
    report = import_activity_log(str(SAMPLES / "deia" / f"{name}.jsonl"), tmp_path)
    assert Path(report.path).name == f"{agent}_{name}.jsonl"
    assert (report.records, report.damage_count) == (records, damaged)
    found = check(report.path)
    assert found.ok and found.events == records + 1
    kept: list[Any] = []
    for event in read_events(report.path, strict=True):
        if isinstance(event, UnknownEvent):
            kept.append(event.fields["record"])
        elif isinstance(event, (TaskEvent, ActionItemEvent, DecisionEvent)):
            kept.append(event.metadata.get("completion") or event.metadata["record"])
    assert len(kept) == records
    assert all("ts" in record or "timestamp" in record for record in kept)


def test_fraction_of_a_second_with_seven_digits_is_read(tmp_path: Path) -> None:
    """As .NET writes it."""
    report = import_activity_log(str(SAMPLES / "deia" / "BOT-00002-activity.jsonl"), tmp_path)
    assert report.first_time == pytest.approx(datetime.fromisoformat("2025-10-13T15:56:16.483860+00:00").timestamp())


def test_accepted_and_completed_tasks_decisions_and_assignments_get_their_own_events(tmp_path: Path) -> None:
    """A task that was accepted and completed under one name has a duration; what nobody accepted is an orphan."""
    report = import_activity_log(str(SAMPLES / "deia" / "CLAUDE-CODE-004-activity.jsonl"), tmp_path)
    analysis = analyze_session(report.path)
    assert analysis.task_breakdown["integrate_enhanced_bok_search"] == 1_043_000
    assert analysis.orphans > 0
    hive = import_activity_log(str(SAMPLES / "deia" / "hive-log.jsonl"), tmp_path)
    events = list(read_events(hive.path))
    assert [event.decision for event in events if isinstance(event, DecisionEvent)] == [
        "Implement dual audit trail system",
        "approve",
        "approve",
    ]
    first = next(event for event in events if isinstance(event, ActionItemEvent))
    assert (first.item, first.assignee) == ("Test sync integration", "BOT-00002")
