"""Code as users write it: it must pass `mypy --strict`, and is never run.

`assert_type` holds what an editor shows. A `type: ignore` that is no longer needed fails the check
(`warn_unused_ignores`): so each one is a test that a wrong call is found before it runs.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import assert_type

import deia
from deia import (
    ActionItemEvent,
    AnalysisCache,
    AsyncConversationLogger,
    AsyncSessionLogger,
    ConversationLogger,
    CustomEvent,
    DecisionEvent,
    ErrorEvent,
    EventBus,
    FileEvent,
    LLMEvent,
    MessageEvent,
    QueueFullError,
    SessionAnalysis,
    SessionEvent,
    SessionLogger,
    SessionSummary,
    Statistics,
    Subscription,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
    analyze_session,
    in_context,
    read_events,
    register_event,
)
from deia.services.session_logger import SessionLogger as OriginalName
from deia.testing import CapturedEvents, CrashedRun, FakeClock, Tally, capture_events, run_and_kill

Logged = TaskEvent | FileEvent | ToolEvent | LLMEvent | MessageEvent | ErrorEvent | DecisionEvent | ActionItemEvent


def synchronous(directory: Path) -> SessionSummary:
    """Every call of the synchronous logger."""
    log = SessionLogger(
        "agent",
        output_dir=directory,
        queue_bytes=1 << 20,
        queue_dir="/dev/shm",
        queue_mode="mmap",
        flush_interval_s=1,
        sync_policy="always",
        sync_interval_s=0.5,
        when_full="raise",
        full_timeout_s=1.0,
        memory_bytes=1 << 24,
        exit_timeout_s=5,
    )
    assert_type(log.agent_id, str)
    assert_type(log.session_id, str)
    assert_type(log.start_time, float)
    assert_type(log.path, Path)
    log.log_task_start("task", {"priority": "P1", "nested": {"list": [1, 2.0, None, Path("x")]}})
    log.log_file_read(directory)
    log.log_file_read(b"bytes", 10)
    log.log_file_write("text", 10, lines=1)
    log.log_file_read("text", duration_ms=1.5)
    log.log_file_write("text", 10, duration_ms=2)
    log.log_tool_call("tool", None, 5)
    log.log_tool_call("tool", {"argv": ["a"]}, duration_ms=5.5)
    log.log_task_complete("task", duration_ms=10, metadata={"ok": True})
    log.flush(timeout_s=1.0)
    log.sync(timeout_s=1)
    assert_type(log.save_session(os.fspath(directory)), Path)
    assert_type(log.analyze_session(log.path), SessionAnalysis)
    assert_type(log.statistics(), Statistics)
    log.log_llm_call("anthropic", "claude", 10, 20, cache_read_tokens=5, duration_ms=1.5, cost_usd=0.01, attempt=1)
    log.log_llm_call("anthropic", "claude", error=ValueError("no"), response_id="r", metadata={"a": 1})
    log.log_message("user", "text")
    log.log_message("assistant", [{"type": "text", "text": "t"}], message_id="m", metadata=None)
    log.log_error(ValueError("no"))
    log.log_error("no", error_type="t", where="w", traceback="t", metadata={})
    log.log_decision("yes", reason="why", alternatives=["no"], metadata={})
    log.log_action_item("do", assignee="a", due="tomorrow", done=False)
    events: Sequence[Logged] = log.events
    assert events
    log.open()
    log.close(timeout_s=1.0)
    with SessionLogger("agent", None) as opened:
        assert_type(opened, SessionLogger)
    same: OriginalName = log
    return same.get_session_summary()


async def asynchronous() -> None:
    """Every call of the asynchronous logger."""
    async with AsyncSessionLogger("agent", "session", sync_policy="never") as log:
        assert_type(log, AsyncSessionLogger)
        await log.log_task_start("task")
        await log.log_file_read("path", size_bytes=1)
        await log.log_file_write("path", 1)
        await log.log_file_read("path", duration_ms=1)
        await log.log_file_write("path", 1, duration_ms=1.5)
        await log.log_tool_call("tool", {}, 1)
        await log.log_task_complete("task")
        await log.flush()
        await log.sync()
        await log.open()
        await log.log_llm_call("anthropic", "claude", input_tokens=10)
        await log.log_message("user", "text")
        await log.log_error("no")
        await log.log_decision("yes")
        await log.log_action_item("do", done=True)
        events: Sequence[Logged] = await log.events()
        assert events
        assert_type(await log.get_session_summary(), SessionSummary)
        assert_type(await log.save_session("directory"), Path)
        assert_type(await log.analyze_session(log.path), SessionAnalysis)
        await log.close()


def reading(path: str | os.PathLike[str]) -> None:
    """Events come typed, and `match` and `isinstance` narrow them."""
    for event in read_events(path):
        assert_type(event.seq, int | None)
        if isinstance(event, TaskEvent):
            assert_type(event.end_time, float | None)
        elif isinstance(event, (FileEvent, ToolEvent)):
            assert_type(event.task_id, int | None)
        elif isinstance(event, LLMEvent):
            assert_type(event.cost_usd, float | None)
        elif isinstance(event, (MessageEvent, ErrorEvent)):
            assert_type(event.metadata, dict[str, Any])
        elif isinstance(event, DecisionEvent):
            assert_type(event.reason, str | None)
        elif isinstance(event, ActionItemEvent):
            assert_type(event.done, bool)
        elif isinstance(event, SessionEvent):
            assert_type(event.event, str)
        else:
            assert_type(event, UnknownEvent)
    analysis = analyze_session(path, bottleneck_share=0.5, strict=True)
    assert_type(analyze_session(path, cache=AnalysisCache()), SessionAnalysis)
    assert_type(analysis.task_breakdown, dict[str, int])
    assert_type(analysis.bottlenecks, list[str])


def nesting(log: SessionLogger) -> None:
    """Blocks, decorators that keep signatures, files of the builtin's types."""
    with log.task("task", {"a": 1}) as task, log.tool("tool", None) as call:
        assert_type(task.task_id, int | None)
        task.metadata["b"] = call.params["c"] = Path("x")

    @log.as_task
    def function(number: int) -> str:
        return str(number)

    @log.as_task(name="steps", metadata={"a": 1})
    def steps() -> Iterator[int]:
        yield 1

    @log.as_task
    async def coroutine() -> bytes:
        return b""

    assert_type(function(5), str)
    assert_type(steps(), Iterator[int])
    assert_type(in_context(function)(5), str)
    function("5")  # type: ignore[arg-type]
    in_context(function)("5")  # type: ignore[arg-type]
    with log.open("text") as text, log.open(Path("binary"), "wb") as binary:
        binary.write(text.read().encode())
        binary.write(text.read())  # type: ignore[call-overload]
    assert_type(log.traceparent, str | None)
    subprocess.run(["true"], env=log.child_environment(), check=True)


async def nesting_awaited(log: AsyncSessionLogger) -> None:
    """The same, awaited."""
    async with log.task("task") as task, log.tool("tool", {"a": 1}) as call:
        task.metadata["b"] = call.params["c"] = 5

    @log.as_task
    async def coroutine(number: int) -> bytes:
        return b"%d" % number

    assert_type(await coroutine(5), bytes)
    async with await log.open("text") as text, await log.open("binary", "rb") as binary:
        assert_type(await text.read(), str)
        assert_type(await binary.read(), bytes)
    with log.task("task"):  # type: ignore[attr-defined]
        pass
    assert_type(log.traceparent, str | None)


class Wrapper:
    """A logger as an attribute and a context manager of a user's own."""

    def __init__(self, log: SessionLogger) -> None:
        self.log = log

    def __enter__(self) -> SessionLogger:
        return self.log.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.__exit__(kind, error, trace)


def handling(log: SessionLogger) -> int:
    """Errors carry typed fields."""
    try:
        log.log_file_read("path")
    except QueueFullError as error:
        return assert_type(error.pending_bytes, int)
    except deia.SessionLockedError as error:
        return error.pid or 0
    except deia.DeiaError:
        return -1
    return 0


def wrong_calls_are_found(log: SessionLogger) -> None:
    """Each of these is an error that the type checker sees."""
    SessionLogger(4)  # type: ignore[arg-type]
    SessionLogger("agent", when_full="explode")  # type: ignore[arg-type]
    SessionLogger("agent", quue_bytes=1)  # type: ignore[call-arg]
    log.log_task_start()  # type: ignore[call-arg]
    log.log_tool_call("tool", {}, "5")  # type: ignore[arg-type]
    log.log_file_write("path")  # type: ignore[call-arg]
    log.log_llm_call("provider")  # type: ignore[call-arg]
    log.log_error(5)  # type: ignore[arg-type]


@register_event
@dataclasses.dataclass
class PlanMade(CustomEvent):
    """An event of the user's own."""

    steps: list[str]


def has_steps(plan: PlanMade) -> bool:
    """Which ones are wanted."""
    return bool(plan.steps)


async def bus(directory: Path) -> None:
    """Every call of the event bus."""
    async with EventBus("agent", output_dir=directory, sync_policy="never") as bus:
        await bus.publish(PlanMade(["a"]))
        bus.publish_nowait(ToolEvent("x", {}, 1))
        bus.publish_blocking(PlanMade(steps=[]))
        async with bus.subscribe(PlanMade, where=has_steps, replay=True) as plans:
            assert_type(plans, Subscription[PlanMade])
            async for plan in plans:
                assert_type(plan, PlanMade)
        with bus.subscribe("Plan*", ToolEvent, replay=3, when_behind="drop-oldest", buffer_events=9) as events:
            assert_type(events, Subscription[Any])
            assert_type(events.dropped + events.missed, int)
            for event in events:
                assert_type(event, Any)

        @bus.on(PlanMade, at_once=True)
        def handle(plan: PlanMade) -> None: ...

        @bus.on("*")
        async def handle_async(event: object) -> None: ...

        assert_type(handle(PlanMade([])), None)
        bus.off(handle)
        await bus.wait_handled(timeout_s=1)
        bus.wait_handled_blocking(1)
        assert_type(await bus.flush(), int)
        assert_type(bus.statistics(), Statistics)
        bus.subscribe(when_behind="wait")  # type: ignore[call-overload]
        assert_type(SessionLogger("agent").bus, EventBus)
        await AsyncSessionLogger("agent").publish(plan)


def captured(log: SessionLogger, deia_events: CapturedEvents[Any], deia_clock: FakeClock) -> None:
    """What a user's tests do."""
    with capture_events(ToolEvent, "File*") as events, FakeClock(start=12.5) as clock:
        log.log_tool_call("a", {}, 1)
        clock.advance(1)
        clock.step(-3600.5)
    assert_type(clock.time, float)
    assert_type(events, CapturedEvents[Any])
    assert_type(events.of(ToolEvent, name="a"), list[ToolEvent])
    assert_type(events.one(ToolEvent, where=lambda event: event.duration_ms > 5), ToolEvent)
    assert_type(events.of("Tool*", ToolEvent, duration_ms=1), list[Any])
    assert_type(events[0], Any)
    assert_type(events[1:], list[Any])
    assert_type(len(events) + events.missed, int)
    assert events == [ToolEvent("a", {}, 1)]
    events.of(5)  # type: ignore[call-overload]
    events.one(ToolEvent, where=lambda event: event.path)  # type: ignore[attr-defined]
    FakeClock(start="now")  # type: ignore[arg-type]
    deia_clock.advance(len(deia_events))


async def agent(directory: str) -> None:
    """What is killed."""


def killed(directory: Path) -> None:
    """What a user's tests prove."""
    run = run_and_kill("agent.py", "argument", cwd=directory, after_events=5, env={"A": "b"}, timeout_s=9)
    assert_type(run.assert_complete(), CrashedRun)
    assert_type(run.acknowledged + run.found + run.missing + run.torn + run.duplicated, int)
    assert_type(run.paths, tuple[Path, ...])
    assert_type(run.events, tuple[Any, ...])
    assert_type(run.lost, tuple[str, ...])
    assert_type(run.output, str)
    assert_type(run + run_and_kill(agent, "x", cwd=".", after_s=0.5), Tally)
    run_and_kill(agent, 5, cwd=".", after_s=1)  # type: ignore[arg-type]


def conversation(log: SessionLogger) -> Path:
    """Every call of the conversation logger."""
    with ConversationLogger("agent", output_dir="directory", sync_policy="never") as alone:
        assert_type(alone, ConversationLogger)
        alone.user("text")
        alone.assistant([{"type": "text", "text": "t"}], message_id="m")
        alone.system("text", metadata={"a": 1})
        alone.message("critic", "text")
        alone.decision("yes", reason="why", alternatives=("no", 5))
        alone.action_item("do", assignee="a", due="2026-12-01", done=True)
        alone.logger.log_tool_call("tool", {}, 1)
        alone.flush(timeout_s=1)
        assert_type(alone.path, Path | None)
        alone.user()  # type: ignore[call-arg]
        alone.decision(5)  # type: ignore[arg-type]
    assert_type(ConversationLogger.of(log), ConversationLogger)
    return ConversationLogger.rebuild(log.path)


async def conversation_awaited(log: AsyncSessionLogger) -> None:
    """The same, awaited."""
    async with AsyncConversationLogger.of(log) as beside:
        await beside.user("text")
        await beside.decision("yes")
        await beside.action_item("do")
        assert_type(beside.logger, AsyncSessionLogger)
        await beside.flush()
    AsyncConversationLogger.of(SessionLogger("agent"))  # type: ignore[arg-type]
    assert_type(await AsyncConversationLogger.rebuild(log.path), Path)
