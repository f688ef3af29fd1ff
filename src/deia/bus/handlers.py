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


class _Handling:
    """A function, and its subscription.

    Attributes:
        task: Who calls it, where that is a task of an asyncio loop: that loop itself keeps none from being collected.
    """

    def __init__(self, function: Handler, subscription: Subscription[Any]) -> None:
        self.function = function
        self.subscription = subscription
        self.task: asyncio.Task[None] | None = None

    @property
    def is_stranded(self) -> bool:
        """Whether its loop was closed, and nobody has cancelled the task before."""
        return self.task is not None and not self.task.done() and self.task.get_loop().is_closed()


class Handlers:
    """The handlers of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._running: list[_Handling] = []

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
        handling = _Handling(function, subscription)
        self._running.append(handling)
        try:
            if not is_async:
                system.start_thread(partial(self._serve, handling))
            elif not self._start_here(handling):
                system.start_thread(lambda: asyncio.run(self._serve_async(handling)))
        except BaseException:
            self._end(handling)
            raise

    def _start_here(self, handling: _Handling) -> bool:
        """Have a task of the event loop that runs here call it; False where none does."""
        trio = sys.modules.get("trio")
        if trio is not None:
            with suppress(RuntimeError, AttributeError):  # trio does not run here, or is only being imported elsewhere
                trio.lowlevel.spawn_system_task(self._serve_async, handling)
                return True
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        handling.task = loop.create_task(self._serve_async(handling))
        return True

    def remove(self, function: Handler) -> None:
        """Call a function no more, whatever it was registered for.

        Raises:
            ValueError: It is not registered.
        """
        found = [handling for handling in self._running if handling.function == function]
        if not found:
            raise ValueError(f"{function!r} does not handle events of this session")
        for handling in found:
            self._end(handling)

    def have_dealt_with(self, seq: int) -> bool:
        """Whether each has returned from every event up to a `seq`."""
        for handling in list(self._running):
            if handling.is_stranded:
                self._end(handling)
            elif not handling.subscription.has_dealt_with(seq):
                return False
        return True

    def _serve(self, handling: _Handling) -> None:
        function = handling.function
        try:
            for event in handling.subscription:
                try:
                    function(event)
                except BaseException:  # this thread is the handler's, and nobody else would be told  # noqa: PERF203
                    logger.exception(_RAISED, function)
        except BaseException:  # the same: what `where` raised, or a log that cannot be read
            logger.exception(_ENDED, function)
        finally:
            self._end(handling)

    async def _serve_async(self, handling: _Handling) -> None:
        function = handling.function
        try:
            async for event in handling.subscription:
                try:
                    await function(event)
                except BaseException as error:
                    if _ends_a_task(error):
                        raise
                    logger.exception(_RAISED, function)  # else trio ends the whole program with it
        except (Exception, SystemExit):
            logger.exception(_ENDED, function)
        finally:
            self._end(handling)

    def _end(self, handling: _Handling) -> None:
        handling.subscription.close()
        with suppress(ValueError):  # it was ended before
            self._running.remove(handling)
        self._session.feed.progress.announce()


def _ends_a_task(error: BaseException) -> bool:
    """Whether an exception is how a task is ended from outside, or a group with such a one in it."""
    if isinstance(error, asyncio.CancelledError):
        return _is_being_cancelled()
    parts = getattr(error, "exceptions", None)
    if isinstance(parts, tuple):
        return any(map(_ends_a_task, parts))
    cancelled = getattr(sys.modules.get("trio"), "Cancelled", GeneratorExit)
    return isinstance(error, (GeneratorExit, KeyboardInterrupt, cancelled))


def _is_being_cancelled() -> bool:
    """Whether this task is cancelled, and not what it has waited for: a future, a task of its own.

    CPython 3.10 does not tell the two apart, and what looks like an end is one there.
    """
    task = asyncio.current_task()
    return sys.version_info < (3, 11) or (task is not None and task.cancelling() > 0)
