"""A process that is killed at the n-th thing it asks of the operating system: put behind `deia.system`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from deia import system

OPERATIONS = (
    "open_new",
    "open_or_create",
    "open_existing",
    "close",
    "pread",
    "pwrite",
    "ftruncate",
    "sync",
    "sync_directory",
    "lock",
    "map_shared",
    "rename",
    "unlink",
)


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """Kill this process at its n-th operation: instead of it, or in the middle of it where that is a write."""
    passed = 0

    def dying(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal passed
            passed += 1
            if passed == number:
                if name == "pwrite":
                    fd, data, offset = arguments
                    operation(fd, memoryview(data)[: len(data) // 2], offset)
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return call

    real = {name: getattr(system, name) for name in OPERATIONS}
    for name, operation in real.items():
        setattr(system, name, dying(name, operation))
    try:
        yield
    finally:
        for name, operation in real.items():
            setattr(system, name, operation)


def in_a_child(work: Callable[[], None]) -> bool:
    """Do something in a forked child; return whether it was killed while it did."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, f"the child ended with status {status}"
    return killed
