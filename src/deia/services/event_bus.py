"""Publish and subscribe: the asynchronous event bus of a session."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from deia.bus.subscription import Subscription, WhenBehind
from deia.errors import HandlerTimeoutError, QueueFullError
from deia.services.async_session_logger import Awaited
from deia.services.recording import MustWait, suspends
from deia.services.session_logger import DEFAULT_TIMEOUT_S, SessionLogger
from deia.statistics import Statistics

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from deia.options import LoggerOptions

E = TypeVar("E")
H = TypeVar("H", bound=Callable[..., Any])


class EventBus(Awaited):
    """Publishes events into a session, and delivers what is recorded there to whoever subscribes.

    What is published is recorded before it is delivered: it survives the death of the process, and the log of the
    session holds exactly what subscribers were given. `logger.bus` of a logger is the bus of its session: what the
    logger records is delivered, and what the bus publishes is in its log. A bus may be used from any thread and from
    many event loops, on asyncio, uvloop and trio.

    Args:
        agent_id: As for `SessionLogger`.
        session_id: As for `SessionLogger`.
        output_dir: As for `SessionLogger`.
        **options: See `deia.options.Options`.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str | None = None,
        *,
        output_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[LoggerOptions],
    ) -> None:
        self._recorder = SessionLogger(agent_id, session_id, output_dir=output_dir, **options)

    @classmethod
    def of(cls, recorder: SessionLogger) -> Self:
        """Return the bus of a logger's session."""
        bus = object.__new__(cls)
        bus._recorder = recorder
        return bus

    # Publish

    async def publish(self, event: object) -> None:
        """Record an event: one of this package's as its log call does, a dataclass of your own under its class's name.

        It suspends only where the queue is full, or under `sync_policy="always"`; cancelling that wait for a sync does
        not take the event back.

        Args:
            event: An instance of a dataclass.

        Raises:
            TypeError: It is none, or its class cannot be published.
            ValueError: See `deia.register_event`; or the event is wrong in itself, as for its log call.
            DeiaError: As a log call of `SessionLogger`.
        """
        wait = self._publish(event)
        if wait is not None:
            await self._recorder._session.appender.append_async(wait.build, wait.done, wait.pending)

    def publish_blocking(self, event: object) -> None:
        """Record an event from a thread without an event loop, which waits where `publish` suspends; see there."""
        wait = self._publish(event)
        if wait is not None:
            self._recorder._session.appender.wait(wait.build, wait.done, wait.pending)

    def publish_nowait(self, event: object) -> None:
        """Record an event without ever waiting: not for room in the queue, and not for a sync.

        Args:
            event: As for `publish`.

        Raises:
            QueueFullError: The queue is full, and `when_full` is not `"drop"`; nothing is recorded.
            DeiaError: As `publish`; so are the others.
        """
        wait = self._publish(event)
        if wait is not None and not wait.pending.recorded:
            producer = self._recorder._session.producer
            waiting = producer.end - producer.flushed
            raise QueueFullError(f"the queue of {self.path.name} is full: {waiting} bytes wait", pending_bytes=waiting)

    def _publish(self, event: object) -> MustWait | None:
        token = suspends.set(True)
        try:
            self._recorder.publish(event)
        except MustWait as wait:
            return wait
        finally:
            suspends.reset(token)
        return None

    # Subscribe

    @overload
    def subscribe(
        self,
        *events: type[E],
        where: Callable[[E], object] | None = None,
        replay: bool | int = False,
        when_behind: WhenBehind = "catch-up",
        buffer_events: int = 1024,
        at_once: bool = False,
    ) -> Subscription[E]: ...

    @overload
    def subscribe(
        self,
        *events: type | str,
        where: Callable[[Any], object] | None = None,
        replay: bool | int = False,
        when_behind: WhenBehind = "catch-up",
        buffer_events: int = 1024,
        at_once: bool = False,
    ) -> Subscription[Any]: ...

    def subscribe(
        self,
        *events: type | str,
        where: Callable[[Any], object] | None = None,
        replay: bool | int = False,
        when_behind: WhenBehind = "catch-up",
        buffer_events: int = 1024,
        at_once: bool = False,
    ) -> Subscription[Any]:
        """Return the events of the session as they are recorded, for `async with` and `async for`, or `with` and `for`.

        A subscriber is served at most 20 ms after the call, and slows neither logging nor other subscribers.

        Args:
            *events: Which: classes, which stand for those that inherit from them, too, and names of classes with
                wildcards (`"Tool*"`). None means all. A dataclass of your own is registered by that.
            where: Called with each event, where the subscription is iterated over; what it returns false for is left
                out, what it raises is raised there.
            replay: True: from the session's beginning, earlier runs included. A number: from that `seq` on. Then come
                live events, with no gap and no duplicate in between.
            when_behind: What happens when the buffer is full. `"catch-up"`: the subscriber reads what it has not got
                from the log; nothing is lost. `"drop-oldest"`, `"drop-newest"`: dropped, and counted in `dropped`.
            buffer_events: How many events wait for it in memory.
            at_once: Wake the background for each event instead of every 10 ms; each log call takes some 10 µs more, at
                the median, as long as the subscription lasts.

        Raises:
            TypeError: An argument is of the wrong kind.
            ValueError: An option is out of its range; or see `deia.register_event`.
        """
        recorder = self._recorder
        return Subscription(
            recorder._session,
            events,
            where,
            replay,
            when_behind,
            buffer_events,
            at_once,
            disabled=recorder._producer is None,
        )

    def on(
        self,
        *events: type | str,
        where: Callable[[Any], object] | None = None,
        replay: bool | int = False,
        when_behind: WhenBehind = "catch-up",
        buffer_events: int = 1024,
        at_once: bool = False,
    ) -> Callable[[H], H]:
        """Have a function called with each event from now on: a decorator, for plain functions and for `async def`.

        An `async def` runs on the event loop that is running where it is decorated; where none is, and if the function
        is a plain one, on a thread of its own. It is called with one event at a time. What it raises is logged, and it
        goes on with the next event.

        Args:
            *events: As for `subscribe`; so are the others.
            where: As for `subscribe`; what it raises ends the handler, and is logged.
            replay: As for `subscribe`.
            when_behind: As for `subscribe`.
            buffer_events: As for `subscribe`.
            at_once: As for `subscribe`.

        Returns:
            A decorator that returns the function as it is.

        Raises:
            TypeError: As for `subscribe`.
            ValueError: As for `subscribe`.
            LoggerClosedError: `close` was called.
        """
        subscription = self.subscribe(
            *events,
            where=where,
            replay=replay,
            when_behind=when_behind,
            buffer_events=buffer_events,
            at_once=at_once,
        )

        def register(function: H) -> H:
            self._recorder._session.handlers.add(function, subscription)
            return function

        return register

    def off(self, function: Callable[..., Any]) -> None:
        """Call a function no more that `on` has registered.

        Raises:
            ValueError: It is not registered.
        """
        self._recorder._session.handlers.remove(function)

    async def wait_handled(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Wait until every handler has returned from every event that was recorded before this call.

        Args:
            timeout_s: Seconds to wait.

        Raises:
            HandlerTimeoutError: One is still at it.
        """
        condition = self._handled()
        if not await self._recorder._session.feed.progress.wait_until_async(condition, timeout_s):
            raise _late(timeout_s)

    def wait_handled_blocking(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """The same from a thread without an event loop."""
        condition = self._handled()
        if not self._recorder._session.feed.progress.wait_until(condition, timeout_s):
            raise _late(timeout_s)

    def _handled(self) -> Callable[[], bool]:
        session = self._recorder._session
        seq = session.producer.seq
        return lambda: session.handlers.have_dealt_with(seq)

    def statistics(self) -> Statistics:
        """See `SessionLogger.statistics`."""
        return self._recorder.statistics()


def _late(timeout_s: float) -> HandlerTimeoutError:
    return HandlerTimeoutError(f"a handler has not returned from all events in {timeout_s} s")
