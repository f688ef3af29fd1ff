"""Agents that do all that agents do, killed at work by the harness that users have: nothing acknowledged is lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from deia import AsyncSessionLogger, SessionLogger, TaskEvent, ToolEvent
from deia.testing import run_and_kill
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
log.bus.publish_nowait(Thought("how"))
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
EVENTS = 17


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
