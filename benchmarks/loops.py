"""The event loops that awaited peers run under."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from benchmarks.peers.face import Loop

Answer = TypeVar("Answer")


def run_under(loop: Loop, main: Callable[..., Coroutine[Any, Any, Answer]], *arguments: object) -> Answer:
    """Run `main` to its end.

    Raises:
        ModuleNotFoundError: The loop is not installed.
    """
    if loop == "trio":
        import trio

        return trio.run(main, *arguments)
    if loop == "uvloop":
        import uvloop

        return uvloop.run(main(*arguments))
    return asyncio.run(main(*arguments))
