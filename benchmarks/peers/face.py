"""What a peer is.

`log_tool_call` of a peer is the measured method itself, not a wrapper around it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal

from benchmarks.event import Params
from benchmarks.verification import read_lines

Log = Callable[[str, Params, int], object]
AwaitedLog = Callable[[str, Params, int], Awaitable[object]]
Loop = Literal["asyncio", "uvloop", "trio"]

WRITES_EACH = "the death of the process at once; loss of power whenever the kernel wrote by itself"
"""What is durable once a call has written its line: many a peer's `durability`."""


class LeftOutError(Exception):
    """A peer that cannot be measured here; the text says why."""


class Recorder:
    """A way of recording events.

    Attributes:
        label: Its name in tables; of a class without one, the name it was asked for by.
        durability: What survives once a call has returned.
        needs: The distributions it stands on, whose versions belong into a result.
        has_seq: Whether its records carry `seq`.
        path: Where its records are: a file, or the directory of a store.
    """

    label: ClassVar[str] = ""
    durability: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    has_seq: ClassVar[bool] = True
    path: Path

    def __init__(self, directory: Path) -> None:
        """Make the logger; what it opens lies in `directory`.

        Raises:
            ModuleNotFoundError: What it needs is not installed.
            LeftOutError: It cannot be measured here for another reason.
        """
        raise NotImplementedError

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Yield all records, each as one line of JSON, with the store's own reader."""
        return read_lines(path)

    @classmethod
    def fields(cls, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record's fields under the names of the design."""
        return record


class Peer(Recorder):
    """A way of recording whose log call is a plain call.

    Attributes:
        log_tool_call: The measured method.
    """

    log_tool_call: Log

    def start(self) -> None:
        """Start the task that the tool calls belong to: the first event, which opens what has to be opened."""
        raise NotImplementedError

    def flush(self) -> None:
        """Return once every event is in the file."""
        raise NotImplementedError

    def close(self) -> int | None:
        """Close it; return how many events it says it dropped, where it counts them."""
        raise NotImplementedError


class AwaitedPeer(Recorder):
    """A way of recording whose log call is awaited; otherwise a `Peer`.

    Attributes:
        loop: What runs it.
    """

    loop: ClassVar[Loop] = "asyncio"
    log_tool_call: AwaitedLog

    async def start(self) -> None:
        """Start the task that the tool calls belong to."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Return once every event is in the file."""
        raise NotImplementedError

    async def close(self) -> int:
        """Close it; return how many events it says it dropped."""
        raise NotImplementedError
