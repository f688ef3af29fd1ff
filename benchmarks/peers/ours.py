"""The two loggers under test: with their shipped defaults, and with what is said in the row's name.

Not those of `deia bench`, for `compare` measures the packages of other commits by these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.event import AGENT_ID, SESSION_ID, TASK
from benchmarks.peers.face import AwaitedPeer, LeftOutError, Loop, Peer, Recorder
from deia import AsyncSessionLogger, SessionLogger
from deia.journal.recovery import recover
from deia.options import Options

_FLUSH_TIMEOUT_S = 60.0
"""A slow disk is a slow result, not a failed run."""


class _Ours(Recorder):
    """What both loggers have in common.

    Attributes:
        options: What differs from the shipped defaults.
    """

    durability = "the death of the process at once; loss of power within sync_interval_s"
    options: ClassVar[dict[str, Any]] = {}

    @classmethod
    def known_options(cls) -> dict[str, Any]:
        """Return `options`.

        Raises:
            LeftOutError: One of them does not exist in the installed version.
        """
        for name in sorted(cls.options.keys() - {field.name for field in fields(Options)}):
            raise LeftOutError(f"the installed deia has no option {name}")
        return cls.options

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Recover what a killed process left in the queue file, and read the journal."""
        recover(path)
        return super().lines(path)


class Sync(_Ours, Peer):
    """`SessionLogger`."""

    label = "Deia"

    def __init__(self, directory: Path) -> None:
        self.logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory, **self.known_options())
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
    """The same with `redact=False`: what the redaction of the others costs is the difference."""

    label = "Deia, redact=False"
    options: ClassVar[dict[str, Any]] = {"redact": False}


class SyncAlways(Sync):
    """The same with an fsync that covers each call before it returns."""

    label = "Deia, sync_policy='always'"
    durability = "the death of the process and loss of power, at once"
    options: ClassVar[dict[str, Any]] = {"sync_policy": "always"}


class Awaited(_Ours, AwaitedPeer):
    """`AsyncSessionLogger`."""

    label = "Deia, awaited, asyncio"

    def __init__(self, directory: Path) -> None:
        self.logger = AsyncSessionLogger(AGENT_ID, SESSION_ID, output_dir=directory, **self.known_options())
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


class AwaitedUnredacted(Awaited):
    """The same without a look for secrets."""

    label = "Deia, awaited, asyncio, redact=False"
    options: ClassVar[dict[str, Any]] = {"redact": False}


class AwaitedUvloop(Awaited):
    """The same under uvloop."""

    label = "Deia, awaited, uvloop"
    needs = ("uvloop",)
    loop: ClassVar[Loop] = "uvloop"


class AwaitedTrio(Awaited):
    """The same under trio."""

    label = "Deia, awaited, trio"
    needs = ("trio",)
    loop: ClassVar[Loop] = "trio"
