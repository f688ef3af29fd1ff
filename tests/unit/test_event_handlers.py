"""`EventBus.on`: functions that are called with events; where they run, and what becomes of their failures."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from deia import EventBus, HandlerTimeoutError, SessionLogger, ToolEvent
from deia.bus.threads import on_own_thread
from deia.errors import LoggerClosedError
from support.delivered import Step
from support.waiting import PATIENCE_S, Worker, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EventBus]:
    """A bus of a session of its own; closed after the test."""
    async with EventBus("agent", "session", output_dir=tmp_path) as bus:
        yield bus


async def publish(bus: EventBus, count: int) -> None:
    """Publish so many steps, and wait until they were handled."""
    for number in range(count):
        await bus.publish(Step(number))
    await bus.wait_handled(PATIENCE_S)


async def test_plain_and_async_functions_are_called_with_each_event_in_order(bus: EventBus) -> None:
    """The decorator returns them as they are."""
    plain: list[int] = []
    awaited: list[int] = []

    @bus.on(Step)
    def handle(step: Step) -> None:
        plain.append(step.number)

    @bus.on("S*p")
    async def handle_async(step: Step) -> None:
        await anyio.lowlevel.checkpoint()
        awaited.append(step.number)

    await bus.publish(ToolEvent("x", {}, 1))
    await publish(bus, 50)
    assert plain == awaited == list(range(50))
    handle(Step(50))
    assert plain[-1] == 50


async def test_async_function_runs_on_the_loop_that_it_was_registered_on(bus: EventBus) -> None:
    """It may use whatever belongs to that loop."""
    threads: list[int] = []
    done = anyio.Event()

    @bus.on(Step)
    async def handle(_: Step) -> None:
        threads.append(threading.get_ident())
        done.set()

    await publish(bus, 1)
    await done.wait()
    assert threads == [threading.get_ident()]


def test_async_function_that_is_registered_outside_of_any_loop_has_one_of_its_own(tmp_path: Path) -> None:
    """On a thread of its own: nothing else has to run."""
    bus = EventBus("agent", output_dir=tmp_path)
    loops: list[asyncio.AbstractEventLoop] = []

    @bus.on(Step)
    async def handle(_: Step) -> None:
        loops.append(asyncio.get_running_loop())

    bus.publish_blocking(Step(1))
    bus.publish_blocking(Step(2))
    bus.wait_handled_blocking(PATIENCE_S)
    assert len(loops) == 2 and loops[0] is loops[1]
    bus._recorder.close()


async def test_plain_function_runs_on_a_thread_of_its_own(bus: EventBus) -> None:
    """Neither on the caller's, nor on the background's, nor on one that writes."""
    threads: set[tuple[int, bool]] = set()

    @bus.on(Step)
    def first(_: Step) -> None:
        threads.add((threading.get_ident(), on_own_thread()))

    @bus.on(Step)
    def second(_: Step) -> None:
        threads.add((threading.get_ident(), on_own_thread()))

    await publish(bus, 5)
    assert len(threads) == 2
    assert not any(background for _, background in threads)
    assert threading.get_ident() not in dict(threads)


async def test_what_a_handler_raises_is_logged_and_it_goes_on(bus: EventBus, warnings_logged: list[str]) -> None:
    """And no other one notices."""
    others: list[int] = []
    seen: list[int] = []

    @bus.on(Step)
    def fails(step: Step) -> None:
        seen.append(step.number)
        raise SystemExit("a handler")

    @bus.on(Step)
    async def fails_too(step: Step) -> None:
        seen.append(step.number)
        raise SystemExit("another") if step.number else ValueError("another")

    bus.on(Step)(lambda step: others.append(step.number))
    await publish(bus, 3)
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]
    assert others == [0, 1, 2]
    assert len([message for message in warnings_logged if "A handler has raised" in message]) == 6


@pytest.mark.skipif(sys.version_info < (3, 11), reason="asyncio does not tell there who was cancelled")
async def test_handler_whose_own_task_was_cancelled_goes_on(bus: EventBus, anyio_backend_name: str) -> None:
    """It is not the handler that was cancelled, but what it has waited for."""
    if anyio_backend_name == "trio":
        pytest.skip("there a task's end is nobody's exception")
    seen: list[int] = []

    @bus.on(Step)
    async def handle(step: Step) -> None:
        seen.append(step.number)
        part = asyncio.ensure_future(asyncio.sleep(60))
        part.cancel()
        await part

    await publish(bus, 2)
    assert seen == [0, 1]


async def test_whatever_an_async_handler_raises_of_its_own_it_goes_on(bus: EventBus) -> None:
    """Also what is no `Exception`: trio would end the whole program with it."""
    seen: list[int] = []

    class Odd(BaseException):
        pass

    @bus.on(Step)
    async def handle(step: Step) -> None:
        seen.append(step.number)
        raise Odd

    await publish(bus, 2)
    assert seen == [0, 1]


async def test_handler_that_hangs_holds_up_itself_only(bus: EventBus) -> None:
    """Not the others, not the log; `wait_handled` says that one is still at it."""
    go_on = threading.Event()
    others: list[int] = []

    @bus.on(Step)
    def hangs(_: Step) -> None:
        go_on.wait(PATIENCE_S)

    bus.on(Step)(lambda step: others.append(step.number))
    for number in range(3):
        await bus.publish(Step(number))
    await bus.flush()
    eventually(lambda: others == [0, 1, 2], "for the other handler")
    with pytest.raises(HandlerTimeoutError):
        await bus.wait_handled(0)
    go_on.set()
    await bus.wait_handled(PATIENCE_S)


async def test_where_that_raises_ends_its_handler_and_says_so(bus: EventBus, warnings_logged: list[str]) -> None:
    """It is part of the handler, and not of the bus."""
    bus.on(Step, where=lambda step: 1 / step.number)(print)
    await publish(bus, 3)
    assert [message for message in warnings_logged if "gets no more events" in message]


async def test_off_ends_a_handler(bus: EventBus) -> None:
    """What it has in hand it finishes; taking it off twice is a mistake."""
    seen: list[int] = []

    @bus.on(Step)
    @bus.on(ToolEvent)
    def handle(event: Any) -> None:
        seen.append(event)

    await publish(bus, 1)
    bus.off(handle)
    await publish(bus, 1)
    await bus.publish(ToolEvent("x", {}, 1))
    await bus.wait_handled(PATIENCE_S)
    assert len(seen) == 1
    with pytest.raises(ValueError, match="does not handle"):
        bus.off(handle)


async def test_handlers_get_everything_before_the_session_ends(bus: EventBus) -> None:
    """Closing takes nothing from them."""
    seen: list[int] = []
    bus.on(Step, buffer_events=3)(lambda step: seen.append(step.number))
    for number in range(500):
        await bus.publish(Step(number))
    await bus.close()
    await bus.wait_handled(PATIENCE_S)
    assert seen == list(range(500))


async def test_handler_with_replay_is_called_with_the_past_too(bus: EventBus) -> None:
    """As a subscriber."""
    for number in range(20):
        await bus.publish(Step(number))
    seen: list[int] = []
    bus.on(Step, replay=True)(lambda step: seen.append(step.number))
    await publish(bus, 2)
    assert seen == [*range(20), 0, 1]


async def test_handler_may_log_to_the_session_that_it_handles(bus: EventBus) -> None:
    """What it logs is delivered after what it was called with."""
    seen: list[int] = []

    @bus.on(Step)
    def handle(step: Step) -> None:
        seen.append(step.number)
        if step.number < 3:
            bus.publish_blocking(Step(step.number + 1))

    await bus.publish(Step(0))
    eventually(lambda: seen == [0, 1, 2, 3], "for the handler's own events")


async def test_handling_of_a_closed_session_raises(bus: EventBus) -> None:
    """As subscribing to it does."""
    await bus.close()
    with pytest.raises(LoggerClosedError):
        bus.on(Step)(print)


def test_async_handler_ends_with_its_loop(tmp_path: Path) -> None:
    """The bus goes on, for those of the next."""
    log = SessionLogger("agent", output_dir=tmp_path)
    seen: list[int] = []

    async def main() -> None:
        @log.bus.on(Step)
        async def handle(step: Step) -> None:
            seen.append(step.number)

        log.publish(Step(1))
        await log.bus.wait_handled(PATIENCE_S)

    for backend in ("asyncio", "trio"):
        anyio.run(main, backend=backend)
        log.publish(Step(2))
    log.bus.wait_handled_blocking(PATIENCE_S)
    assert seen == [1, 1]
    log.close()


def test_handler_whose_loop_was_closed_over_it_is_waited_for_no_more(tmp_path: Path) -> None:
    """Nobody has cancelled its task, and nobody ever runs it again."""
    log = SessionLogger("agent", output_dir=tmp_path)

    async def main() -> None:
        @log.bus.on(Step)
        async def handle(_: Step) -> None:
            pass

        await asyncio.sleep(0)

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    log.publish(Step(1))
    log.bus.wait_handled_blocking(PATIENCE_S)
    assert not log._session.handlers._running
    log.close()


async def test_no_handler_is_waited_for_where_there_is_none(bus: EventBus) -> None:
    """It returns at once."""
    await bus.publish(Step(1))
    await bus.wait_handled(0)
    Worker(lambda: bus.wait_handled_blocking(0)).finish()
