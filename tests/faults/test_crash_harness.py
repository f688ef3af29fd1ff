"""`deia.testing.run_and_kill`: an agent is killed at work, and its log is held against what it had been promised."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from deia import AsyncSessionLogger, SessionEvent, SessionLogger, TaskEvent, ToolEvent
from deia.testing import CrashedRun, Tally, run_and_kill
from support.effort import amount
from support.lines import assert_sound
from support.losses import Losses

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


EVERY_CALL = """
import sys
from dataclasses import dataclass
from deia import CustomEvent, SessionLogger, ToolEvent

@dataclass
class Thought(CustomEvent):
    text: str

log = SessionLogger("agent", "s", queue_mode=sys.argv[1])
log.log_task_start("plan")
log.log_file_read("a")
log.log_file_write("b", 5)
log.log_tool_call("pytest", {}, 1)
log.log_llm_call("provider", "model")
log.log_message("user", "hello")
log.log_error("bad")
log.publish(Thought("why"))
log.publish(ToolEvent("grep", {}, 1))
log.log_task_complete("plan")
with log.task("block"):
    with log.tool("tool"):
        pass
    with log.open("file", "w") as file:
        file.write("text")

@log.as_task
def function():
    pass

function()
print("the end")
"""
EVENTS = 16


@pytest.mark.parametrize("mode", ["mmap", "write"])
@pytest.mark.parametrize("after_events", range(1, EVENTS + 1))
def test_agent_killed_after_each_of_its_calls_has_the_event_of_each(
    tmp_path: Path, losses: Losses, mode: str, after_events: int
) -> None:
    """Each kind of call, each kind of block: it is killed on the instruction after the call."""
    (tmp_path / "agent.py").write_text(EVERY_CALL, encoding="utf-8")
    run = run_and_kill(tmp_path / "agent.py", mode, cwd=tmp_path, after_events=after_events)
    losses.add("sigkill", run)
    run.assert_complete()
    assert (run.acknowledged, run.found, run.missing, run.torn) == (after_events, after_events, 0, 0)
    assert [event.seq for event in run.events] == list(range(1, after_events + 1))
    assert run.paths == (tmp_path / ".deia" / "sessions" / "agent_s.jsonl",)
    assert "the end" not in run.output
    with SessionLogger("agent", "s", output_dir=run.paths[0].parent) as logger:
        logger.log_tool_call("again", {}, 1)
    assert_sound(run.paths[0])


def test_agent_that_ends_before_it_is_killed_proves_nothing(tmp_path: Path) -> None:
    """It is said how it ended, after how many events, and what it said."""
    (tmp_path / "agent.py").write_text(EVERY_CALL, encoding="utf-8")
    with pytest.raises(AssertionError, match=rf"ended with 0 after {EVENTS} events, saying:\nthe end"):
        run_and_kill(tmp_path / "agent.py", "mmap", cwd=tmp_path, after_events=EVENTS + 1)


def test_agent_that_fails_shows_why(tmp_path: Path) -> None:
    """Its traceback is in the message."""
    (tmp_path / "agent.py").write_text("raise KeyError('no such tool')", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"ended with 1 after 0 events(?s:.*)KeyError: 'no such tool'"):
        run_and_kill(tmp_path / "agent.py", cwd=tmp_path, after_s=0)


def test_agent_that_does_not_get_there_in_time_is_ended(tmp_path: Path) -> None:
    """Nothing of it goes on after the test."""
    (tmp_path / "agent.py").write_text("import os, threading; print(os.getpid()); threading.Event().wait()", "utf-8")
    for when in ({"after_events": 1}, {"after_s": 0.0}):
        with pytest.raises(AssertionError, match=r"ended with -9 after 0 events") as told:
            run_and_kill(tmp_path / "agent.py", cwd=tmp_path, timeout_s=0.5, **when)
        pid = told.value.args[0].split()[-1]
        if pid.isdigit():  # it had come to say it
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid), 0)


def threads(directory: str) -> None:
    """An agent of eight threads, for ever."""
    import threading

    logger = SessionLogger("agent", "threads", output_dir=directory, queue_bytes=65536)

    def work() -> None:
        number = 0
        while True:
            logger.log_tool_call("step", {"number": number}, 1)
            number += 1

    for _ in range(8):
        threading.Thread(target=work).start()


def test_agent_killed_at_any_instant_has_everything_that_was_acknowledged(tmp_path: Path, losses: Losses) -> None:
    """A function of the test's own file, in several threads, killed from outside."""
    for number in range(amount(reduced=3, full=100)):
        directory = str(tmp_path / f"{number}")
        run = run_and_kill(threads, directory, cwd=tmp_path, after_s=0.01 * (number % 10))
        losses.add("sigkill", run)
        assert run.assert_complete().acknowledged > 0
        assert len(run.events) - 8 <= run.acknowledged <= len(run.events), "eight calls were under way, at the most"


async def coroutine(directory: str) -> None:
    """An async agent that syncs each event."""
    logger = AsyncSessionLogger("agent", "async", output_dir=directory, sync_policy="always")
    async with logger.task("plan"):
        async with logger.tool("tool"):
            await logger.log_tool_call("pytest", {}, 1)
        await logger.log_tool_call("late", {}, 1)


@pytest.mark.parametrize("after_events", range(1, 5))
def test_async_agent_is_killed_when_the_awaited_call_has_returned(tmp_path: Path, after_events: int) -> None:
    """What was waited for counts when the wait is over."""
    run = run_and_kill(coroutine, str(tmp_path), cwd=tmp_path, after_events=after_events).assert_complete()
    assert run.acknowledged == after_events
    assert [type(event) for event in run.events] == [TaskEvent, ToolEvent, ToolEvent, ToolEvent][:after_events]


def two_sessions(directory: str) -> None:
    """An agent with two sessions, one of them continued."""
    earlier = SessionLogger("agent", "earlier", output_dir=directory)
    other = SessionLogger("agent", "other", output_dir=directory)
    for _ in range(10):
        earlier.log_tool_call("a", {}, 1)
        other.log_tool_call("b", {}, 1)


def test_each_session_of_an_agent_is_looked_at(tmp_path: Path) -> None:
    """What an earlier run has recorded is not owed by this one, nor the line that says that it was continued."""
    with SessionLogger("agent", "earlier", output_dir=tmp_path) as logger:
        logger.log_tool_call("before", {}, 1)
    run = run_and_kill(two_sessions, str(tmp_path), cwd=tmp_path, after_events=6).assert_complete()
    assert run.acknowledged == 6
    assert sorted(path.name for path in run.paths) == ["agent_earlier.jsonl", "agent_other.jsonl"]
    assert len([event for event in run.events if isinstance(event, SessionEvent)]) == 1
    assert len(run.events) == 1 + 1 + 6


def forgetful(directory: str) -> None:
    """An agent whose log loses a line, by the hand of whoever wrote this."""
    logger = SessionLogger("agent", "s", output_dir=directory, queue_mode="write")
    for number in range(4):
        logger.log_tool_call("step", {"number": number}, 1)
    lines = logger.path.read_bytes().splitlines(keepends=True)
    logger.path.write_bytes(lines[0] + lines[0] + lines[2] + b"{damaged}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def test_loss_is_found_and_told(tmp_path: Path) -> None:
    """The check checks: events that are missing or there twice, and damage, fail it by name."""
    run = run_and_kill(forgetful, str(tmp_path), cwd=tmp_path, after_events=100)
    assert (run.acknowledged, run.found, run.missing) == (4, 2, 2)
    assert run.lost == tuple(f"{run.paths[0]}: seq {seq}" for seq in (2, 4))
    with pytest.raises(AssertionError, match=r"of 4 acknowledged events: .*agent_s\.jsonl: seq 2 is missing; .*seq 4"):
        run.assert_complete()


def test_log_that_is_gone_is_a_loss(tmp_path: Path) -> None:
    """Nothing of it is there."""
    run = run_and_kill(thrown_away, str(tmp_path), cwd=tmp_path, after_events=100)
    assert (run.acknowledged, run.found, run.missing, run.events) == (1, 0, 1, ())


def thrown_away(directory: str) -> None:
    """An agent that removes its log."""
    logger = SessionLogger("agent", "s", output_dir=directory)
    logger.log_tool_call("step", {}, 1)
    logger.path.unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def test_runs_add_up_to_a_tally() -> None:
    """Of many of them, and of other deaths."""
    runs = [CrashedRun(tried=1, acknowledged=2, found=2, output="x"), Tally(1, 5, 4, 1)]
    assert sum(runs, Tally()) == Tally(tried=2, acknowledged=7, found=6, missing=1)


def test_what_to_run_and_when_has_to_be_said(tmp_path: Path) -> None:
    """A function that another process cannot find, no moment or two of them: each is said at once."""
    for wrong in ({}, {"after_events": 1, "after_s": 1.0}, {"after_events": 0}):
        with pytest.raises(ValueError, match="after_events"):
            run_and_kill(threads, cwd=tmp_path, **wrong)

    def inside() -> None: ...

    for function in (inside, lambda: None, json.JSONEncoder.encode, len):
        with pytest.raises(ValueError, match="at the top of a file"):
            run_and_kill(function, cwd=tmp_path, after_events=1)


def test_environment_and_arguments_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And recording is on, whatever the environment of the tests says."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    script = 'import os, sys; from deia import SessionLogger; print("said"); log = SessionLogger(sys.argv[1], "s")\n'
    (tmp_path / "agent.py").write_text(script + 'log.log_file_read(os.environ["WHAT"])', encoding="utf-8")
    run = run_and_kill(tmp_path / "agent.py", "me", cwd=tmp_path, env={"WHAT": "this"}, after_events=1)
    assert (run.events[0].path, run.events[0].agent_id, run.output) == ("this", "me", "said\n")
