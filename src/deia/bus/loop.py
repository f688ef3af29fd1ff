"""The one background loop of a process: a daemon thread with an anyio event loop, on which all sessions are written."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from deia import system
from deia.bus.threads import IO_THREADS, DaemonExecutor, adopt_thread

if TYPE_CHECKING:
    import asyncio

    import anyio
    from anyio.abc import TaskGroup

    from deia.bus.session import Session

logger = logging.getLogger(__name__)

Job = Callable[..., Coroutine[Any, Any, object]]

import_gate = threading.RLock()
"""Held while the background thread imports, and by whoever forks: a child must not inherit a half-done import, whose
locks nobody in it would ever release."""

_FIRST_WAIT_S = 0.25
"""How long the thread leaves its caller alone before it imports anyio: a program that ends sooner never pays for that,
and the first log call does not compete with it for the interpreter."""


class Bell:
    """Wakes one consumer on the background loop, from any thread."""

    def __init__(self, background: Background) -> None:
        import anyio

        self._background = background
        self._event: anyio.Event = anyio.Event()
        self.rung = False

    def ring(self) -> None:
        """Wake the consumer; once is enough until it has listened."""
        if not self.rung:
            self.rung = True
            self._background.call(self._set)

    def _set(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float | None) -> bool:
        """Wait until rung, or for so long; return whether it was rung."""
        import anyio

        with anyio.move_on_after(timeout_s):
            await self._event.wait()
        rung = self._event.is_set()
        if rung:
            self._event = anyio.Event()
        self.rung = False
        return rung


class Background:
    """The thread, its event loop, and the I/O threads; started with the first event."""

    def __init__(self) -> None:
        self.executor = DaemonExecutor(IO_THREADS)
        self.failure: BaseException | None = None
        self._needed = threading.Event()
        self._is_late = False
        self._jobs: deque[tuple[Job, tuple[Any, ...]]] = deque()
        self._calls: deque[Callable[[], Any]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        system.start_thread(self._run)

    @property
    def alive(self) -> bool:
        """Whether sessions given to it are drained."""
        return self.failure is None

    def consume(self, session: Session) -> None:
        """Run the consumer of a session on the loop; from any thread."""
        self.start(_consume, session, self)

    def start(self, job: Job, *arguments: Any) -> None:
        """Run a coroutine function on the loop, beside all others; from any thread."""
        self._jobs.append((job, arguments))
        if self._loop is not None:
            self.call(lambda: None)

    def hurry(self) -> None:
        """Have the loop run as soon as can be: somebody waits for what it does."""
        self._needed.set()

    def stop_importing(self, timeout_s: float) -> None:
        """Wait until the thread is through with its imports, or for so long; it begins none from now on.

        For the end of the interpreter, which stops the thread wherever it is: in an import, it would keep the lock of
        that for good, and a destructor that imports would never get it.
        """
        self._is_late = True
        if import_gate.acquire(timeout=timeout_s):
            import_gate.release()

    def call(self, function: Callable[[], Any]) -> None:
        """Run a plain function on the loop; from any thread."""
        self._calls.append(function)
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._wake)
            except RuntimeError:  # the loop has ended: `alive` says so to the next call
                return

    def _run(self) -> None:
        adopt_thread()
        try:
            self._needed.wait(_FIRST_WAIT_S)
            with import_gate:
                if self._is_late:
                    return
                import anyio

                import deia.bus.consumer  # noqa: F401  # with all that only this thread needs

                anyio.run(anyio.sleep, 0)  # which imports what anyio has for this kind of loop
            anyio.run(self._main)
        except BaseException as error:  # the next log call finds a writer that died, and starts another
            self.failure = error
            logger.exception("The background loop has ended; the next log call starts another")

    async def _main(self) -> None:
        import asyncio

        import anyio

        self._woken: anyio.Event = anyio.Event()
        self._loop = asyncio.get_running_loop()
        async with anyio.create_task_group() as tasks:
            while True:
                self._woken = anyio.Event()
                self._drain(tasks)
                await self._woken.wait()

    def _wake(self) -> None:
        while self._calls:
            self._calls.popleft()()
        if self._jobs:
            self._woken.set()

    def _drain(self, tasks: TaskGroup) -> None:
        self._wake()
        while self._jobs:
            job, arguments = self._jobs.popleft()
            tasks.start_soon(job, *arguments)


async def _consume(session: Session, background: Background) -> None:
    from deia.bus.consumer import consume

    await consume(session, background)
