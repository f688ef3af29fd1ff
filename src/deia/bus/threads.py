"""The I/O threads that aiofiles is given."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

T = TypeVar("T")

IO_THREADS = 2
"""One session's fsync does not hold up another one's write; more would only compete for the same disk."""


class DaemonExecutor(Executor):
    """Runs calls on threads that never hold up the interpreter's exit.

    `ThreadPoolExecutor` joins its threads at exit, so one write to a disk that hangs would hang the program for good.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        self._left = threads
        self._name = name

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Run `fn` on one of the threads; they are started as they are needed.

        Raises:
            RuntimeError: The system gives us no thread at all.
        """
        if self._left:
            threading.Thread(target=self._work, name=f"{self._name}-{self._left}", daemon=True).start()
            self._left -= 1
        future: Future[T] = Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def _work(self) -> None:
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
