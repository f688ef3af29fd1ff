"""The event buses that are compared: each delivers the same event to so many subscribers, on one asyncio loop."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any, ClassVar

Handle = Callable[[int], None]
"""What a subscriber does with an event: it is given when that was published."""


class Bus(ABC):
    """A bus with subscribers on the loop that publishes.

    Attributes:
        label: What it is called in the tables.
        records: Whether its events are in a file as well: ours before they are delivered, bubus's afterwards.
        part: It is measured with the so-manieth part of the events, where each takes milliseconds.
    """

    label: ClassVar[str]
    records: ClassVar[bool] = False
    part: ClassVar[int] = 1

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abstractmethod
    async def start(self, subscribers: int, handle: Handle) -> None:
        """Have so many subscribers, each of which calls `handle` with every event."""

    @abstractmethod
    async def publish(self, at: int) -> None:
        """Publish an event that says when it was published."""

    async def stop(self) -> None:
        """End everything; nothing, where it ends with the loop."""
        return


@dataclass
class Published:
    """The event of those that take any object."""

    name: str
    params: dict[str, str]
    duration_ms: int


class Deia(Bus):
    """Ours: `async for` over a subscription."""

    label = "Deia, subscribe"
    records = True
    options: ClassVar[dict[str, Any]] = {}

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Subscribe, and iterate in a task each."""
        from deia import EventBus, ToolEvent

        self.event = ToolEvent
        self.bus = EventBus("agent", output_dir=self.directory)
        self.tasks = []
        for _ in range(subscribers):
            events = self.bus.subscribe(ToolEvent, **self.options)
            events.begin()
            self.tasks.append(asyncio.create_task(self._read(events, handle)))

    @staticmethod
    async def _read(events: Any, handle: Handle) -> None:
        async for event in events:
            handle(event.duration_ms)

    async def publish(self, at: int) -> None:
        """Publish a ToolEvent."""
        await self.bus.publish(self.event("pytest", {"path": "tests/"}, at))

    async def stop(self) -> None:
        """Close the session."""
        await self.bus.close()
        await asyncio.gather(*self.tasks)


class DeiaAtOnce(Deia):
    """The same, with a bell for each event."""

    label = "Deia, subscribe at_once"
    options: ClassVar[dict[str, Any]] = {"at_once": True}


class DeiaHandlers(Deia):
    """Ours: `async def` handlers."""

    label = "Deia, on"

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Register a handler for each subscriber."""
        await super().start(0, handle)
        for _ in range(subscribers):

            @self.bus.on(self.event)
            async def handler(event: Any) -> None:
                handle(event.duration_ms)


class Bubus(Bus):
    """bubus: each event is dispatched, and awaited."""

    label = "bubus"
    part = 20
    wal: ClassVar[str | None] = None

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Register a handler for each subscriber."""
        import logging

        from bubus import BaseEvent, EventBus

        logging.disable(logging.WARNING)  # it warns of handlers of one name

        class ToolEvent(BaseEvent):  # type: ignore[misc]  # a type that is known only here
            """A tool call."""

            name: str
            params: dict[str, Any]
            duration_ms: int

        self.event = ToolEvent
        self.bus = EventBus(name="Benchmark", wal_path=self.wal and self.directory / self.wal, max_history_size=50)
        for number in range(subscribers):

            async def handler(event: Any) -> None:
                handle(event.duration_ms)

            handler.__name__ = f"handler_{number}"
            self.bus.on(ToolEvent, handler)

    async def publish(self, at: int) -> None:
        """Dispatch an event, and wait until it was handled: without that it refuses the hundredth."""
        await self.bus.dispatch(self.event(name="pytest", params={"path": "tests/"}, duration_ms=at))

    async def stop(self) -> None:
        """Stop the bus."""
        await self.bus.stop()


class BubusRecording(Bubus):
    """The same, with its log."""

    label = "bubus, wal_path"
    records = True
    wal = "events.jsonl"


class Pyee(Bus):
    """pyee: a task for each event and handler."""

    label = "pyee"

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Register a coroutine function for each subscriber."""
        from pyee.asyncio import AsyncIOEventEmitter

        self.emitter = AsyncIOEventEmitter()
        for _ in range(subscribers):

            async def handler(event: Published) -> None:
                handle(event.duration_ms)

            self.emitter.add_listener("tool", handler)

    async def publish(self, at: int) -> None:
        """Emit; and give way, as the others do, for its tasks would only pile up."""
        self.emitter.emit("tool", Published("pytest", {"path": "tests/"}, at))
        await asyncio.sleep(0)


class Blinker(Bus):
    """blinker: plain functions, called one after the other by whoever sends."""

    label = "blinker"

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Connect a function for each subscriber."""
        from blinker import Signal

        self.signal = Signal()
        self.handlers = []
        for _ in range(subscribers):

            def handler(_: object, event: Published) -> None:
                handle(event.duration_ms)

            self.handlers.append(handler)  # it keeps weak references only
            self.signal.connect(handler)

    async def publish(self, at: int) -> None:
        """Send."""
        self.signal.send(self, event=Published("pytest", {"path": "tests/"}, at))


class MemoryStream(Bus):
    """anyio's memory object streams, one for each subscriber."""

    label = "anyio memory stream"

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Read each in a task."""
        import anyio

        self.streams = []
        self.tasks = []
        for _ in range(subscribers):
            send, receive = anyio.create_memory_object_stream[Published](1024)
            self.streams.append(send)
            self.tasks.append(asyncio.create_task(self._read(receive, handle)))

    @staticmethod
    async def _read(receive: Any, handle: Handle) -> None:
        async with receive:
            async for event in receive:
                handle(event.duration_ms)

    async def publish(self, at: int) -> None:
        """Send to each."""
        event = Published("pytest", {"path": "tests/"}, at)
        for stream in self.streams:
            await stream.send(event)

    async def stop(self) -> None:
        """Close the streams."""
        for stream in self.streams:
            stream.close()
        await asyncio.gather(*self.tasks)


class Queues(Bus):
    """asyncio's queues, one for each subscriber."""

    label = "asyncio.Queue"

    async def start(self, subscribers: int, handle: Handle) -> None:
        """Read each in a task."""
        self.queues: list[asyncio.Queue[Published]] = [asyncio.Queue(1024) for _ in range(subscribers)]
        self.tasks = [asyncio.create_task(self._read(queue, handle)) for queue in self.queues]

    @staticmethod
    async def _read(queue: asyncio.Queue[Published], handle: Handle) -> None:
        while True:
            handle((await queue.get()).duration_ms)

    async def publish(self, at: int) -> None:
        """Put it into each."""
        event = Published("pytest", {"path": "tests/"}, at)
        for queue in self.queues:
            await queue.put(event)

    async def stop(self) -> None:
        """Cancel the tasks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


BUSES: dict[str, type[Bus]] = {
    "deia": Deia,
    "deia-at-once": DeiaAtOnce,
    "deia-on": DeiaHandlers,
    "bubus-wal": BubusRecording,
    "bubus": Bubus,
    "pyee": Pyee,
    "blinker": Blinker,
    "anyio": MemoryStream,
    "queue": Queues,
}


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Measure the bus that a job of `benchmarks.child` names; or tell why there will be none here."""
    kind = BUSES[job["bus"]]
    try:
        return asyncio.run(_measure(kind(Path(job["directory"])), job["subscribers"], job["events"], job["rate"]))
    except ModuleNotFoundError as error:
        return {"left_out": f"{error.name} is not installed"}


async def _measure(bus: Bus, subscribers: int, events: int, rate: float | None) -> dict[str, Any]:
    """Publish so many events, at a rate per second or as fast as can be.

    Returns:
        Seconds from the first publish until every subscriber was given every event; how long `publish` took, and from
        `publish` to each handler, in ns.
    """
    delays = array("q")
    everything = asyncio.Event()
    expected = events * subscribers

    def handle(at: int) -> None:
        if at:
            delays.append(clock() - at)
            if len(delays) == expected:
                everything.set()

    await bus.start(subscribers, handle)
    await bus.publish(0)
    await asyncio.sleep(0.5)  # whatever begins with the first event has begun
    calls = array("q")
    begun = clock()
    for number in range(events):
        if rate is not None:
            await asyncio.sleep(max(0.0, number / rate - (clock() - begun) / 1e9))
        at = clock()
        await bus.publish(at)
        calls.append(clock() - at)
    if expected:
        await everything.wait()
    elapsed_ns = clock() - begun
    await bus.stop()
    return {"elapsed_s": elapsed_ns / 1e9, "publish_ns": calls.tolist(), "delay_ns": delays.tolist()}
