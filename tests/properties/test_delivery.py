"""Whoever publishes and subscribes whatever, whenever, and is cancelled or slow: each is given what it is promised."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deia import EventBus, Subscription, ToolEvent, read_events
from support.causes import CAUSES
from support.delivered import LastStep, Step
from support.waiting import PATIENCE_S, Worker

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
PAD = {"pad": "x" * 700}

# Which events a subscriber asks for, and which it is to be given.
FILTERS: dict[str, tuple[tuple[Any, ...], Callable[[Any], object] | None, Callable[[Any], object]]] = {
    "all": ((), None, lambda _: True),
    "steps": ((Step,), None, lambda event: isinstance(event, Step)),
    "last steps": (("Last*",), None, lambda event: isinstance(event, LastStep)),
    "tools": ((ToolEvent,), None, lambda event: isinstance(event, ToolEvent)),
    "even steps": (
        (Step,),
        lambda step: step.number % 2 == 0,
        lambda event: isinstance(event, Step) and event.number % 2 == 0,
    ),
}
POLICIES = ("catch-up", "drop-oldest", "drop-newest")

COUNTS = st.integers(1, 40)
WHO = st.integers(0, 3)
STEPS = st.one_of(
    st.tuples(st.just("publish"), st.lists(st.tuples(st.sampled_from(["task", "thread"]), COUNTS), max_size=3)),
    st.tuples(
        st.just("join"),
        st.tuples(
            st.sampled_from(sorted(FILTERS)),
            st.sampled_from(POLICIES),
            st.one_of(st.booleans(), st.integers(1, 150)),
            st.sampled_from([1, 3, 20, 1000]),
            st.booleans(),
        ),
    ),
    st.tuples(st.just("take"), st.tuples(WHO, COUNTS, st.integers(0, 6))),
    st.tuples(st.just("leave"), WHO),
    st.tuples(st.just("flush"), st.none()),
    st.tuples(st.just("switch"), st.sampled_from(["deleted", "moved", "made-again", "queue-deleted"])),
)


@dataclass
class Subscriber:
    """One, and what it was given so far.

    Attributes:
        wanted: Its key in `FILTERS`.
        after: It is promised what has a higher `seq`.
    """

    events: Subscription[Any]
    wanted: str
    policy: str
    after: int
    found: list[Any] = field(default_factory=list)


class World:
    """Runs a program, and checks what it has come to against the log."""

    def __init__(self, directory: str, **options: Any) -> None:
        self.bus = EventBus("agent", output_dir=directory, sync_policy="never", **options)
        self.subscribers: list[Subscriber] = []
        self._number = 0

    def some(self, count: int) -> list[object]:
        """Return so many new events of all kinds."""
        events: list[object] = []
        for _ in range(count):
            self._number += 1
            kind = self._number % 3
            events.append((Step, LastStep)[kind](self._number) if kind < 2 else ToolEvent("x", PAD, self._number))
        return events

    async def step(self, name: str, value: Any) -> None:
        """Do one thing."""
        if name == "publish":
            await self._publish(value)
        elif name == "join":
            self._join(*value)
        elif name == "flush":
            await self.bus.flush()
        elif name == "switch":
            self._switch(value)
            await self.bus.flush()
        elif not self.subscribers:
            return
        elif name == "leave":
            self.subscribers[value % len(self.subscribers)].events.close()
        else:
            who, count, turns = value
            await self._take(self.subscribers[who % len(self.subscribers)], count, turns)

    async def _publish(self, parts: list[tuple[str, int]]) -> None:
        """Publish from several tasks and threads at once."""
        async with anyio.create_task_group() as tasks:
            for where, count in parts:
                events = self.some(count)
                if where == "task":
                    tasks.start_soon(self._publish_all, events)
                else:
                    tasks.start_soon(anyio.to_thread.run_sync, lambda events=events: self._publish_blocking(events))

    async def _publish_all(self, events: list[object]) -> None:
        for event in events:
            await self.bus.publish(event)
            await anyio.lowlevel.checkpoint()

    def _publish_blocking(self, events: list[object]) -> None:
        for event in events:
            self.bus.publish_blocking(event)

    def _join(self, wanted: str, policy: Any, replay: bool | int, buffer_events: int, at_once: bool) -> None:
        classes, where, _ = FILTERS[wanted]
        events = self.bus.subscribe(
            *classes, where=where, replay=replay, when_behind=policy, buffer_events=buffer_events, at_once=at_once
        )
        seq = self.bus._recorder._session.producer.seq
        events.begin()
        self.subscribers.append(
            Subscriber(events, wanted, policy, seq if replay is False else 0 if replay is True else replay - 1)
        )

    def _switch(self, cause: str) -> None:
        """Have the session go on in another file, if it has one."""
        session = self.bus._recorder._session
        files = session.writer.files
        if files is not None:
            CAUSES[cause](session.path if cause == "queue-deleted" else files.path)

    async def _take(self, subscriber: Subscriber, count: int, turns: int) -> None:
        """Take events, and be cancelled after so many turns of the loop."""
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def read() -> None:
                    for _ in range(count):
                        try:
                            subscriber.found.append(await anext(subscriber.events))
                        except StopAsyncIteration:
                            break
                    scope.cancel()

                tasks.start_soon(read)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                scope.cancel()

    async def end(self) -> None:
        """Close, let everyone read to the end, and check."""
        await self.bus.close()
        logged = list(read_events(self.bus.path)) if self._number else []
        assert [event.seq for event in logged] == list(range(1, self._number + 1))
        for subscriber in self.subscribers:
            is_gone = subscriber.events._state == "left"
            with anyio.fail_after(PATIENCE_S):
                subscriber.found.extend([event async for event in subscriber.events])
            self._check(subscriber, logged, is_gone=is_gone)

    def _check(self, subscriber: Subscriber, logged: list[Any], *, is_gone: bool) -> None:
        _, where, matches = FILTERS[subscriber.wanted]
        promised = [event for event in logged if event.seq > subscriber.after and matches(event)]
        found, events = subscriber.found, subscriber.events
        assert events.missed == 0
        if subscriber.policy == "catch-up":
            assert found == promised[: len(found)] and (is_gone or len(found) == len(promised))
            assert list(map(repr, found)) == list(map(repr, promised[: len(found)]))
            assert events.dropped == 0
            return
        seqs = [event.seq for event in found]
        assert seqs == sorted(set(seqs)) and set(seqs) <= {event.seq for event in promised}
        if not is_gone and where is None:  # what waits for `where` is counted, too
            assert len(found) + events.dropped == len(promised)
        if not is_gone and subscriber.policy == "drop-oldest" and promised and where is None:
            assert found[-1] == promised[-1]


def run(backend: str, program: list[tuple[str, Any]], **options: Any) -> None:
    """Run a program in a directory of its own."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as directory:
            world = World(directory, **options)
            for name, value in program:
                await world.step(name, value)
            await world.end()

    anyio.run(main, backend=backend)


@BACKENDS
@given(program=st.lists(STEPS, max_size=25), queue_mode=st.sampled_from(["mmap", "mmap", "write"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_every_subscriber_is_given_what_its_policy_promises(
    backend: str, program: list[tuple[str, Any]], queue_mode: str
) -> None:
    """In order, each event once, with no gap but for what is counted as dropped; and in the log is every event."""
    run(backend, program, queue_bytes=65536, queue_mode=queue_mode)


@BACKENDS
@given(
    before=st.integers(0, 300),
    meanwhile=st.integers(0, 300),
    replay=st.one_of(st.just(True), st.integers(1, 700)),
    buffer_events=st.sampled_from([1, 7, 64, 1024]),
    earlier=st.integers(0, 60),
    opens=st.booleans(),
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_replay_and_live_events_join_without_a_gap_and_without_a_duplicate(
    backend: str, before: int, meanwhile: int, replay: bool | int, buffer_events: int, earlier: int, opens: bool
) -> None:
    """Wherever the replay begins, however much comes while it is read, with and without earlier runs."""

    async def main() -> None:
        with tempfile.TemporaryDirectory() as directory:
            if earlier:
                async with EventBus("agent", "session", output_dir=directory, sync_policy="never") as bus:
                    for number in range(earlier):
                        bus.publish_nowait(Step(number))
            options: dict[str, Any] = {"sync_policy": "never", "queue_bytes": 65536}
            bus = EventBus("agent", "session", output_dir=directory, **options)
            if opens:
                await bus.publish(Step(-1))
            for number in range(before):
                await bus.publish(ToolEvent("x", PAD, number))

            def go_on() -> None:
                for number in range(meanwhile):
                    bus.publish_blocking(Step(number))
                bus._recorder.close()

            async with bus.subscribe(replay=replay, buffer_events=buffer_events) as events:
                worker = Worker(go_on)
                with anyio.fail_after(PATIENCE_S):
                    found = [event async for event in events]
                worker.finish()
            is_open = bool(opens or before or meanwhile)
            logged = [event for event in read_events(bus.path) if (event.seq or 0) >= replay] if is_open else []
            assert list(map(repr, found)) == list(map(repr, logged))

    anyio.run(main, backend=backend)
