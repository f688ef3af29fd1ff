"""Functions that are called with the events of a session: each is a subscription, and somebody who iterates over it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from deia import system

if TYPE_CHECKING:
    from deia.bus.session import Session
    from deia.bus.subscription import Subscription

logger = logging.getLogger(__name__)

Handler = Callable[[Any], Any]

_RAISED = "A handler has raised, and goes on with the next event: %r"
_ENDED = "A handler gets no more events: %r"


class Handlers:
    """The handlers of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: list[tuple[Handler, Subscription[Any]]] = []

    def add(self, function: Handler, subscription: Subscription[Any]) -> None:
        """Call a function with each event of a subscription from now on.

        An `async def` runs on the event loop that runs here; without one, and if it is a plain function, on a thread of
        its own.

        Raises:
            LoggerClosedError: The session is closed.
            RuntimeError: The system gives us no thread.
        """
        subscription.begin()
        is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)  # noqa: B004  # an object whose call is a coroutine function
        )
        self._running.append((function, subscription))
        try:
            if not is_async:
                system.start_thread(partial(self._serve, function, subscription))
            elif not _start_here(partial(self._serve_async, function, subscription)):
                system.start_thread(lambda: asyncio.run(self._serve_async(function, subscription)))
        except BaseException:
            self._end(function, subscription)
            raise

    def remove(self, function: Handler) -> None:
        """Call a function no more, whatever it was registered for.

        Raises:
            ValueError: It is not registered.
        """
        found = [subscription for each, subscription in self._running if each == function]
        if not found:
            raise ValueError(f"{function!r} does not handle events of this session")
        for subscription in found:
            self._end(function, subscription)

    def have_dealt_with(self, seq: int) -> bool:
        """Whether each has returned from every event up to a `seq`."""
        return all(subscription.has_dealt_with(seq) for _, subscription in list(self._running))

    def _serve(self, function: Handler, subscription: Subscription[Any]) -> None:
        try:
            for event in subscription:
                try:
                    function(event)
                except BaseException:  # this thread is the handler's, and nobody else would be told  # noqa: PERF203
                    logger.exception(_RAISED, function)
        except BaseException:  # the same: what `where` raised, or a log that cannot be read
            logger.exception(_ENDED, function)
        finally:
            self._end(function, subscription)

    async def _serve_async(self, function: Handler, subscription: Subscription[Any]) -> None:
        try:
            async for event in subscription:
                try:
                    await function(event)
                except (Exception, SystemExit):  # what ends a task from outside is neither
                    logger.exception(_RAISED, function)
        except (Exception, SystemExit):
            logger.exception(_ENDED, function)
        finally:
            self._end(function, subscription)

    def _end(self, function: Handler, subscription: Subscription[Any]) -> None:
        subscription.close()
        with suppress(ValueError):  # it was ended before
            self._running.remove((function, subscription))
        self._session.feed.progress.announce()


def _start_here(job: Callable[[], Any]) -> bool:
    """Run a coroutine function as a task of the event loop that runs here; False where none does."""
    trio = sys.modules.get("trio")
    if trio is not None:
        with suppress(RuntimeError):  # trio is loaded, and does not run here
            trio.lowlevel.spawn_system_task(job)
            return True
    with suppress(RuntimeError):
        task = asyncio.get_running_loop().create_task(job())
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        return True
    return False


_tasks: set[asyncio.Task[Any]] = set()
"""The event loop itself keeps no task from being collected."""
