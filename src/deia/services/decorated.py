"""Functions of each kind whose every call is a task: plain ones, coroutines, generators, async generators.

A generator runs a step at a time inside whoever iterates it, in the context of that. So its task is entered for each
step and left at each `yield`: what is logged between two steps is not the generator's. Only our own variable is moved,
and by setting it: nothing is reset by a token, so a step, or the close, may be made in any context.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Any

from deia.queue.tasks import current, entered_last, leave

Function = Callable[..., Any]


def decorated(
    function: Function,
    block: Callable[[], AbstractContextManager[Any]],
    async_block: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
) -> Function:
    """Return a function of the same kind, each call of which is a block.

    Args:
        function: The function.
        block: Makes one.
        async_block: Makes one for async code, if not the same is used there.
    """
    enter = async_block or (lambda: _Awaited(block()))
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, enter)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            async with enter():
                return await function(*args, **kwargs)

        return awaited
    if inspect.isgeneratorfunction(function):
        return _generator(function, block)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with block():
            return function(*args, **kwargs)

    return called


class _Awaited:
    """A block of plain code in async code."""

    def __init__(self, block: AbstractContextManager[Any]) -> None:
        self._block = block

    async def __aenter__(self) -> None:
        self._block.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._block.__exit__(kind, error, traceback)


class _Place:
    """Where the context is while a generator runs, and where while it does not."""

    def __init__(self) -> None:
        self._outside = self._inside = entered_last()

    def go_out(self) -> None:
        """The generator yields."""
        self._inside = entered_last()
        current.set(self._outside)

    def go_in(self) -> None:
        """It goes on."""
        self._outside = entered_last()
        current.set(self._inside)

    def end(self) -> None:
        """It has ended."""
        current.set(self._outside)
        leave()


def _generator(function: Function, block: Callable[[], AbstractContextManager[Any]]) -> Function:
    @functools.wraps(function)
    def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        place = _Place()
        try:
            with block():
                steps = function(*args, **kwargs)
                step = partial(next, steps)
                while True:
                    try:
                        item = step()
                    except StopIteration as stop:
                        return stop.value
                    place.go_out()
                    try:
                        sent = yield item
                    except GeneratorExit:
                        place.go_in()
                        steps.close()
                        raise
                    except BaseException as thrown:  # noqa: BLE001 - it goes to the generator
                        place.go_in()
                        step = partial(steps.throw, thrown)
                    else:
                        place.go_in()
                        step = partial(steps.send, sent)
        finally:
            place.end()

    return generator


def _first_step(steps: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Begin a generator that its event loop does not get to know.

    The loop closes those that are left when it ends, all at once: this one beside the one around it, which closes it,
    too, and would fail at that.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return steps.__anext__()
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _async_generator(function: Function, block: Callable[[], AbstractAsyncContextManager[Any]]) -> Function:
    @functools.wraps(function)
    async def generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        place = _Place()
        try:
            async with block():
                steps = function(*args, **kwargs)
                step = partial(_first_step, steps)
                while True:
                    try:
                        item = await step()
                    except StopAsyncIteration:
                        return
                    place.go_out()
                    try:
                        sent = yield item
                    except GeneratorExit:
                        place.go_in()
                        await steps.aclose()
                        raise
                    except BaseException as thrown:  # noqa: BLE001 - it goes to the generator
                        place.go_in()
                        step = partial(steps.athrow, thrown)
                    else:
                        place.go_in()
                        step = partial(steps.asend, sent)
        finally:
            place.end()

    return generator
