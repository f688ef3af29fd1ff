"""Lines as they were once written: every later release reads them, and makes the same of them."""

from __future__ import annotations

from pathlib import Path

from deia.analysis import OpenTask, ToolStatistics, analyze_session, summarize_session
from deia.events import (
    ActionItemEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    SessionSummary,
    TaskEvent,
    ToolEvent,
)
from deia.journal.check import check
from deia.journal.reader import read_events

SAMPLES = Path(__file__).with_name("samples")
V1 = SAMPLES / "v1" / "AGENT-004_0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10.jsonl"
MODEL_CALLS = SAMPLES / "v1" / "AGENT-004_model-calls.jsonl"
DECISIONS = SAMPLES / "v1" / "AGENT-004_decisions.jsonl"
NESTING = SAMPLES / "v1" / "AGENT-004_nesting.jsonl"
ORIGINAL = SAMPLES / "original" / "AGENT-001_original.jsonl"
TYPED = SAMPLES / "original" / "AGENT-001_typed.jsonl"


def test_version_1_is_read() -> None:
    """One line of each kind that version 1 has, over two runs."""
    events = list(read_events(V1, strict=True))
    start = 1697654400.0
    assert events == [
        TaskEvent("plan", start + 0.25, None, {"priority": "P1"}),
        FileEvent("/src/a.py", "read", 4096, None),
        TaskEvent("write_tests", start + 1.0, None, {}),
        FileEvent("/tests/test_a.py", "write", 812, 31),
        ToolEvent("pytest", {"path": "tests/", "error": None}, 2500),
        TaskEvent("write_tests", start + 1.0, start + 5.5, {"passed": 12}),
        TaskEvent("review", start + 4.0, start + 6.0, {}),
        ToolEvent("ls", {}, 0),
        SessionEvent("dropped", dropped=7),
        SessionEvent("continued", run=2, recovered_bytes=311, lost_bytes=44),
        TaskEvent("plan", start + 0.25, start + 3601.0, {"priority": "P1", "done": True}),
        TaskEvent("deploy", start + 3602.0, None, {}),
    ]
    assert [event.seq for event in events] == list(range(1, 13))
    assert {(event.agent_id, event.session_id) for event in events} == {
        ("AGENT-004", "0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10")
    }
    assert [
        (task.task_id, task.parent_id, task.duration_ms, task.orphan) for task in events if isinstance(task, TaskEvent)
    ] == [
        (1, None, None, False),
        (3, 1, None, False),
        (3, 1, 4500, False),
        (None, None, 2000, True),
        (1, None, 3600750, False),
        (12, None, None, False),
    ]
    assert [event.task_id for event in events if isinstance(event, FileEvent | ToolEvent)] == [1, 3, 3, 1]


def test_version_1_is_sound() -> None:
    """The check finds nothing."""
    report = check(V1)
    assert report.ok
    assert (report.events, report.runs, report.dropped, report.sessions) == (12, 2, 7, 1)


def test_version_1_is_analysed() -> None:
    """What the log of a session with two runs comes to."""
    analysis = analyze_session(V1, strict=True)
    start = 1697654400.0
    assert analysis.task_breakdown == {"write_tests": 4500, "plan": 3_600_750}
    assert analysis.bottlenecks == ["plan"]
    assert (analysis.session_time_ms, analysis.recorded_ms) == (3_602_000, 9_000)
    assert analysis.open_tasks == [OpenTask("deploy", start + 3602, start + 3602, 0)]
    assert (analysis.orphans, analysis.dropped, analysis.runs) == (1, 7, 2)
    assert analysis.tools == {
        "pytest": ToolStatistics(1, 0, 2500, 2500, 2500, 2500),
        "ls": ToolStatistics(1, 0, 0, 0, 0, 0),
    }
    assert summarize_session(V1) == SessionSummary(9_000, 2, 1, 1, 2, 800.0)


def test_version_1_tells_of_models_messages_and_errors() -> None:
    """Kinds that came later: read typed, counted by type, and in no figure of the others."""
    events = list(read_events(MODEL_CALLS, strict=True))
    assert events == [
        MessageEvent("user", "Fix the failing test"),
        LLMEvent(
            "anthropic",
            "claude-opus-4-5",
            duration_ms=800,
            attempt=1,
            error_type="anthropic.RateLimitError",
            error="429",
        ),
        LLMEvent(
            *("anthropic", "claude-opus-4-5", 18607, 140, 15289, 3315, 20, 2300, 410, 0.0312, "msg_01", 2, None, None),
            {"stop_reason": "tool_use"},
        ),
        MessageEvent("assistant", [{"type": "text", "text": "Running it"}], "msg_01", {"model": "claude-opus-4-5"}),
        ErrorEvent(
            "subprocess.TimeoutExpired",
            "timed out after 60 seconds",
            "/src/run.py:12 in run",
            "Traceback (most recent call last):\n  …\n",
            {"command": "pytest"},
        ),
    ]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert check(MODEL_CALLS).ok
    analysis = analyze_session(MODEL_CALLS, strict=True)
    assert analysis.events_by_type == {"MessageEvent": 2, "LLMEvent": 2, "ErrorEvent": 1}
    assert (analysis.unknown_types, analysis.tools, analysis.session_time_ms) == ({}, {}, 65_000)
    assert summarize_session(MODEL_CALLS) == SessionSummary(65_000, 0, 0, 0, 0, 0.0)


def test_version_1_tells_of_decisions_and_action_items() -> None:
    """Kinds that came later still; an item that is done is told of twice."""
    assert list(read_events(DECISIONS, strict=True)) == [
        DecisionEvent("Freeze the clock", "Nothing else needs it", ["Retry", {"wait_s": 5}], {"by": "lead"}),
        ActionItemEvent("Look for others", "Ann", "2023-10-20"),
        DecisionEvent("Ship"),
        ActionItemEvent("Look for others", done=True, metadata={"found": 2}),
    ]
    assert check(DECISIONS).ok
    analysis = analyze_session(DECISIONS, strict=True)
    assert analysis.events_by_type == {"DecisionEvent": 2, "ActionItemEvent": 2}
    assert (analysis.unknown_types, analysis.session_time_ms) == ({}, 60_000)


def test_version_1_tells_how_tasks_and_tools_ended_and_whose_part_a_session_is() -> None:
    """Failures and cancellations; tasks that ended so are completed runs, failed calls errors of their tool."""
    events = list(read_events(NESTING, strict=True))
    ends = [(event.name, event.error_type, event.error, event.cancelled) for event in events if hasattr(event, "error")]
    assert ends == [
        ("delegated", None, None, False),
        ("pytest", "subprocess.CalledProcessError", "exit status 4", False),
        ("search", None, None, False),
        ("fetch", None, None, True),
        ("search", None, None, True),
        ("delegated", "RuntimeError", "no result", False),
    ]
    assert check(NESTING).ok
    analysis = analyze_session(NESTING, strict=True)
    assert analysis.task_breakdown == {"search": 500, "delegated": 2000}
    assert {name: tool.errors for name, tool in analysis.tools.items()} == {"pytest": 1, "fetch": 0}


def test_original_format_is_read_and_analysed() -> None:
    """Three lines without `type`, told apart by their keys."""
    assert list(read_events(ORIGINAL, strict=True)) == [
        TaskEvent("write_tests", 1697654400.123, 1697656200.456, {"priority": "P1"}),
        FileEvent("/tests/test_logger.py", "read", 4096, None),
        ToolEvent("pytest", {"path": "tests/"}, 2500),
    ]
    assert check(ORIGINAL).ok
    analysis = analyze_session(ORIGINAL, strict=True)
    assert (analysis.task_breakdown, analysis.bottlenecks) == ({"write_tests": 1_800_333}, ["write_tests"])
    assert analysis.file_operation_stats == {"read": 1}
    assert summarize_session(ORIGINAL).total_duration_ms == 1_800_333


def test_original_format_with_types_is_analysed() -> None:
    """Its tasks are summed, and the last line may lack its newline."""
    assert TYPED.read_bytes()[-1:] != b"\n"
    analysis = analyze_session(TYPED, strict=True)
    assert analysis.task_breakdown == {"a": 3000, "b": 4000, "c": 3000}
    assert analysis.session_time_ms == 10_000
    assert analysis.bottlenecks == ["b"]
    assert (analysis.tasks_completed, [task.name for task in analysis.open_tasks]) == (3, ["d"])
    assert analysis.file_operation_stats == {"write": 1}
