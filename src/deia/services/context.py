"""Take the context along where an executor does not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_context(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function whose calls run in this context, as it is now: what they log belongs to the task of here.

    For executors, which start their threads' work in a context of the thread's own:
    `pool.submit(in_context(work), 1)`, `pool.map(in_context(work), items)`,
    `loop.run_in_executor(None, in_context(work))`. `asyncio.to_thread` and anyio's and trio's threads take the context
    along by themselves. What a call changes in its context, it changes for itself.

    Args:
        function: The function.
    """
    context = copy_context()

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return run
