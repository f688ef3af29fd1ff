"""`deia.testing.FakeClock`: the time that is recorded stands still, and nothing that waits does."""

from __future__ import annotations

import ast
from datetime import datetime, timezone
from pathlib import Path

import pytest

import deia
from deia import AsyncSessionLogger, FlushTimeoutError, SessionLogger, TaskEvent, ToolEvent, analyze_session, system
from deia.services import recording, session_logger
from deia.testing import FakeClock, capture_events
from deia.testing.clock import READERS, START
from support.held_writer import HeldWriter
from support.lines import lines_of
from support.waiting import eventually


def test_timestamps_and_durations_are_exact(tmp_path: Path) -> None:
    """What passes is what the test says, to the millisecond, and adds up without an error of rounding."""
    with FakeClock() as clock, SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        with logger.task("plan"):
            with logger.tool("search"):
                for _ in range(10):
                    clock.advance(0.1)
            clock.advance(2.5)
    start, tool, end = lines_of(tmp_path / "agent_s.jsonl")
    assert datetime(2026, 1, 1, tzinfo=timezone.utc).timestamp() == START
    assert (start["start_time"], start["timestamp"], start["session_start"]) == (START, START, START)
    assert (tool["timestamp"], tool["duration_ms"]) == (START + 1, 1000)
    assert (end["end_time"], end["duration_ms"]) == (START + 3.5, 3500)
    assert analyze_session(tmp_path / "agent_s.jsonl").task_breakdown == {"plan": 3500}


def test_events_equal_those_that_are_written_by_hand(tmp_path: Path) -> None:
    """A task's start and end are part of what is compared."""
    with FakeClock(100) as clock, SessionLogger("agent", output_dir=tmp_path) as logger, capture_events() as events:
        logger.log_task_start("plan")
        clock.advance(5)
        logger.log_task_complete("plan")
    assert events == [TaskEvent("plan", 100.0), TaskEvent("plan", 100.0, 105.0)]


def test_both_loggers_and_every_kind_of_event_have_the_clocks_time(tmp_path: Path) -> None:
    """Nobody asks another clock."""
    sync = SessionLogger("agent", "s", output_dir=tmp_path)
    with FakeClock() as clock, capture_events() as events:
        clock.advance(1)
        sync.log_file_read("a")
        sync.log_llm_call("provider", "model")
        sync.log_message("user", "hello")
        sync.log_error("bad")
        sync.log_task_complete("unknown")
        AsyncSessionLogger("agent", output_dir=tmp_path)._recorder.log_tool_call("b", {}, 1)
    assert [event.timestamp for event in events] == [START + 1] * 6


def test_summary_goes_by_the_clock(tmp_path: Path) -> None:
    """Time since construction, and what is done per hour of it."""
    with FakeClock() as clock:
        logger = SessionLogger("agent", output_dir=tmp_path)
        clock.advance(1800)
        assert logger.get_session_summary().total_duration_ms == 1_800_000
        assert logger.start_time == START


def test_wall_clock_can_be_stepped_while_no_time_passes(tmp_path: Path) -> None:
    """As a time server does it; durations are none the longer."""
    with FakeClock() as clock, SessionLogger("agent", output_dir=tmp_path) as logger, capture_events() as events:
        with logger.tool("search"):
            clock.advance(2)
            clock.step(3600)
        assert clock.time == START + 3602
    assert events.one(ToolEvent).duration_ms == 2000


def test_task_that_was_open_before_goes_on(tmp_path: Path) -> None:
    """Its duration is what had passed really, and what passed since by the fake clock."""
    with SessionLogger("agent", output_dir=tmp_path) as logger, capture_events() as events:
        logger.log_task_start("plan")
        with FakeClock() as clock:
            clock.advance(3600)
            logger.log_task_complete("plan")
    assert 3_600_000 <= events[-1].duration_ms < 3_660_000


def test_timeouts_and_the_background_go_on_in_real_time(tmp_path: Path, held_writer: HeldWriter) -> None:
    """A wait that would never end because time stands still is no test; the log is written all the same."""
    with FakeClock(), SessionLogger("agent", output_dir=tmp_path, flush_interval_s=0.001) as logger:
        logger.log_tool_call("a", {}, 1)
        logger.flush()
        held_writer.hold()
        logger.log_tool_call("b", {}, 1)
        with pytest.raises(FlushTimeoutError):
            logger.flush(timeout_s=0.01)
        held_writer.release()
        eventually(lambda: logger.statistics().pending_bytes == 0, "what waited to be written")


def test_real_clock_is_back_afterwards() -> None:
    """Whatever the block did; and of several clocks the last one counts, in whatever order they end."""
    real = (system.now, system.stopwatch, session_logger.now, recording.now)
    first, second = FakeClock(1), FakeClock(2)
    with pytest.raises(RuntimeError, match="mine"), first:
        assert (system.now(), recording.now()) == (1, 1)
        with second:
            assert (system.now(), recording.now()) == (2, 2)
        assert system.now() == 1
        raise RuntimeError("mine")
    assert (system.now, system.stopwatch, session_logger.now, recording.now) == real
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert system.now() == 2
    second.__exit__(None, None, None)
    assert (system.now, system.stopwatch, session_logger.now, recording.now) == real


def test_clock_starts_when_it_is_told() -> None:
    """At Unix seconds, or at a moment that a datetime names without doubt."""
    assert FakeClock(12.5).time == 12.5
    assert FakeClock(datetime(2030, 5, 1, tzinfo=timezone.utc)).time == 1903824000.0
    with pytest.raises(ValueError, match="time zone"):
        FakeClock(datetime(2030, 5, 1))


def test_time_does_not_pass_backwards_and_a_clock_runs_once_at_a_time() -> None:
    """What is meant may be a step; what is entered twice would be left twice."""
    clock = FakeClock()
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="step"):
            clock.advance(seconds)
    with clock:
        clock.advance(5)
        with pytest.raises(RuntimeError, match="running"):
            clock.__enter__()
    with clock:
        assert system.now() == START + 5


def test_every_module_that_holds_a_clock_of_records_is_known() -> None:
    """One that took it out of `deia.system` and is not on the list would go on with the real one."""
    holders: dict[str, tuple[str, ...]] = {"deia.system": ("now", "stopwatch")}
    package = Path(deia.__file__).parent
    for path in package.rglob("*.py"):
        module = ".".join(("deia", *path.relative_to(package).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module == "deia.system":
                names = tuple(sorted(alias.name for alias in node.names if alias.name in ("now", "stopwatch")))
                if names:
                    holders[module] = names
    assert holders == READERS
