"""The I/O threads that aiofiles is given."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

from deia import system

T = TypeVar("T")

IO_THREADS = 2
"""So that an fsync does not hold up writes; more would only compete for the same disk. A disk that hangs can take
both."""

_ours = threading.local()


def adopt_thread() -> None:
    """Mark this thread as one of the background: what it logs (a destructor may) cannot wait for the background."""
    _ours.adopted = True


def on_own_thread() -> bool:
    """Whether the caller runs on a thread of the background."""
    return getattr(_ours, "adopted", False)


class DaemonExecutor(Executor):
    """Runs calls on threads that never hold up the interpreter's exit.

    `ThreadPoolExecutor` joins its threads at exit, so one write to a disk that hangs would hang the program for good.
    """

    def __init__(self, threads: int) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._left = threads
        self._starting = threading.RLock()  # a signal handler that logs may come in here again

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn` on one of the threads; they are started as they are needed.

        Raises:
            RuntimeError: The system gives us no thread at all.
        """
        with self._starting:
            if self._left > 0:
                system.start_thread(self._work)
                self._left -= 1
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def _work(self) -> None:
        adopt_thread()
        while True:
            future, call = self._calls.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  # it belongs to whoever waits for the future
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, call
