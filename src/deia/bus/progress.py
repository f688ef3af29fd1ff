"""Wait for the background loop, from a thread or from any event loop."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from functools import partial

from deia import system


class Progress:
    """Wakes whoever waits whenever something of a session has moved on; they look for themselves at what.

    Wakers are kept until called once: a waiter registers, looks, and only then waits, so nothing is missed.
    """

    def __init__(self) -> None:
        self._wakers: list[Callable[[], object]] = []

    def announce(self) -> None:
        """Wake everyone."""
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            with contextlib.suppress(RuntimeError):  # the waiter's event loop has ended, and its wait with it
                wake()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Block this thread until `condition()` holds; return whether it did in time."""
        deadline = system.monotonic() + timeout_s
        while True:
            # a bare lock and not an Event, which an exception that a signal handler raises in its `wait` leaves broken
            asleep = threading.Lock()
            asleep.acquire()
            wake = asleep.release
            self._wakers.append(wake)
            try:
                if condition():
                    return True
                left = deadline - system.monotonic()
                if left <= 0 or not asleep.acquire(timeout=left):
                    return condition()
            finally:
                self._forget(wake)

    async def wait_until_async(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Suspend this task until `condition()` holds; cancelling it stops the wait and nothing else."""
        import anyio

        with anyio.move_on_after(timeout_s):
            await self.wait_async(condition)
        return condition()

    async def wait_async(self, condition: Callable[[], object]) -> None:
        """The same for as long as it takes."""
        import anyio

        while True:
            event = anyio.Event()
            wake = partial(_from_any_thread(), event.set)
            self._wakers.append(wake)
            try:
                if condition():
                    return
                await event.wait()
            finally:
                self._forget(wake)

    def _forget(self, wake: Callable[[], object]) -> None:
        with contextlib.suppress(ValueError):  # it was called
            self._wakers.remove(wake)


def _from_any_thread() -> Callable[[Callable[[], object]], object]:
    """Return what runs a function on the event loop of the calling task."""
    trio = sys.modules.get("trio")
    if trio is not None:
        # trio is loaded, and this task is not one of its own; or it is only being imported, by another thread
        with contextlib.suppress(RuntimeError, AttributeError):
            run: Callable[[Callable[[], object]], object] = trio.lowlevel.current_trio_token().run_sync_soon
            return run
    import asyncio

    return asyncio.get_running_loop().call_soon_threadsafe
