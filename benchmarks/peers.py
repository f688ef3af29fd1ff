"""The peers: one face for each way of recording, so that all are measured by the same loops.

`log_tool_call` of a peer is the measured method itself, not a wrapper around it. A peer is named by where it is found,
and imported only by the process that measures it: the floor's process holds nothing of Deia.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar, TypeAlias, cast

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, Params
from benchmarks.floor import WriteThroughLogger
from benchmarks.original import InMemoryLogger

Log = Callable[[str, Params, int], object]
AwaitedLog = Callable[[str, Params, int], Awaitable[object]]


class Peer:
    """A way of recording whose log call is a plain call.

    Attributes:
        durability: What survives once a call has returned.
        has_seq: Whether its lines carry `seq`.
        path: Its file.
        log_tool_call: The measured method.
    """

    durability: ClassVar[str]
    has_seq: ClassVar[bool] = True
    path: Path
    log_tool_call: Log

    def __init__(self, directory: Path) -> None:
        """Make the logger; what it opens lies in `directory`."""
        raise NotImplementedError

    def start(self) -> None:
        """Start the task that the tool calls belong to: the first event, which opens what has to be opened."""
        raise NotImplementedError

    def flush(self) -> None:
        """Return once every event is in the file."""
        raise NotImplementedError

    def close(self) -> int:
        """Close it; return how many events it says it dropped."""
        raise NotImplementedError


class AwaitedPeer:
    """A way of recording whose log call is awaited; otherwise a `Peer`."""

    durability: ClassVar[str]
    has_seq: ClassVar[bool] = True
    path: Path
    log_tool_call: AwaitedLog

    def __init__(self, directory: Path) -> None:
        """Make the logger; what it opens lies in `directory`."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start the task that the tool calls belong to."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Return once every event is in the file."""
        raise NotImplementedError

    async def close(self) -> int:
        """Close it; return how many events it says it dropped."""
        raise NotImplementedError


class Floor(Peer):
    """The frozen write-through function."""

    durability = "the death of the process at once; loss of power whenever the kernel wrote by itself"

    def __init__(self, directory: Path) -> None:
        self.path = directory / f"{AGENT_ID}_{SESSION_ID}.jsonl"
        self.logger = WriteThroughLogger(self.path, AGENT_ID, SESSION_ID)
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Write the task's start."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Nothing to wait for: each line was written by its call."""

    def close(self) -> int:
        """Close the file; nothing is dropped."""
        self.logger.close()
        return 0


class Original(Peer):
    """The original design: an in-memory list, written when it is saved."""

    durability = "nothing: a kill before save_session loses the whole session"
    has_seq = False

    def __init__(self, directory: Path) -> None:
        self.logger = InMemoryLogger(AGENT_ID, SESSION_ID)
        self.directory = directory
        self.path = directory / f"{AGENT_ID}_{SESSION_ID}.jsonl"
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Write the task's start."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Save the session: before that, nothing of it is in a file."""
        self.logger.save_session(self.directory)

    def close(self) -> int:
        """Nothing to close; a list drops nothing."""
        return 0


AnyPeer: TypeAlias = "type[Peer | AwaitedPeer]"

PEERS = {
    "sync": "benchmarks.subjects:Sync",
    "unredacted": "benchmarks.subjects:Unredacted",
    "awaited": "benchmarks.subjects:Awaited",
    "floor": "benchmarks.peers:Floor",
    "original": "benchmarks.peers:Original",
}


def find_peer(name: str) -> AnyPeer:
    """Return a peer by its name, or one of your own as `module:Class`.

    Raises:
        LookupError: There is no peer of that name.
    """
    module, colon, attribute = PEERS.get(name, name).partition(":")
    if not colon:
        raise LookupError(f"no peer {name!r}: choose one of {', '.join(PEERS)}, or give module:Class")
    return cast(AnyPeer, getattr(importlib.import_module(module), attribute))
