"""The two loggers under test, with their shipped defaults; and one of them without redaction."""

from __future__ import annotations

from pathlib import Path

from benchmarks.event import AGENT_ID, SESSION_ID, TASK
from benchmarks.peers import AwaitedPeer, Peer
from deia import AsyncSessionLogger, SessionLogger

_FLUSH_TIMEOUT_S = 60.0
"""A slow disk is a slow result, not a failed run."""


class Sync(Peer):
    """`SessionLogger`."""

    durability = "the death of the process at once; loss of power within sync_interval_s"

    def __init__(self, directory: Path) -> None:
        self.logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory)
        self.path = self.logger.path
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Start the task, and with it the recording."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Wait until the journal holds everything."""
        self.logger.flush(timeout_s=_FLUSH_TIMEOUT_S)

    def close(self) -> int:
        """Close it; return the dropped events."""
        self.logger.close()
        return self.logger.statistics().dropped


class Unredacted(Sync):
    """`SessionLogger(redact=False)`: what the redaction of the others costs is the difference."""

    def __init__(self, directory: Path) -> None:
        self.logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory, redact=False)
        self.path = self.logger.path
        self.log_tool_call = self.logger.log_tool_call


class Awaited(AwaitedPeer):
    """`AsyncSessionLogger`."""

    durability = Sync.durability

    def __init__(self, directory: Path) -> None:
        self.logger = AsyncSessionLogger(AGENT_ID, SESSION_ID, output_dir=directory)
        self.path = self.logger.path
        self.log_tool_call = self.logger.log_tool_call

    async def start(self) -> None:
        """Start the task, and with it the recording."""
        await self.logger.log_task_start(TASK, {})

    async def flush(self) -> None:
        """Wait until the journal holds everything."""
        await self.logger.flush(timeout_s=_FLUSH_TIMEOUT_S)

    async def close(self) -> int:
        """Close it; return the dropped events."""
        await self.logger.close()
        return (await self.logger.statistics()).dropped
