"""What is awaited: aiofiles for each event, and bubus with its log file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.event import AGENT_ID, SESSION_ID, Params
from benchmarks.peers.face import WRITES_EACH, AwaitedPeer
from benchmarks.peers.line import Fields, Numbered, encode


class Aiofiles(AwaitedPeer):
    """`await file.write(line)` on a file that stays open, without a buffer: one trip to a thread for each event."""

    label = "aiofiles, each event"
    durability = WRITES_EACH
    needs = ("aiofiles",)

    def __init__(self, directory: Path) -> None:
        self.path = directory / "events.jsonl"
        self.numbered = Numbered()
        self.file: Any = None

    async def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Encode the fields, and await the write."""
        await self.file.write(encode(self.numbered.tool(tool_name, params, duration_ms)))

    async def start(self) -> None:
        """Open the file, and write the task's start."""
        import aiofiles

        self.file = await aiofiles.open(self.path, "ab", buffering=0)
        await self.file.write(encode(self.numbered.task()))

    async def flush(self) -> None:
        """Nothing to wait for: each line was written by its call."""

    async def close(self) -> int:
        """Close the file."""
        await self.file.close()
        return 0


class Bubus(AwaitedPeer):
    """bubus with `wal_path`: each event is dispatched and awaited. Without the wait the call raises at 100 events."""

    label = "bubus, wal_path"
    durability = "the death of the process, but for the newest event: it is awaited before it stands in the file"
    needs = ("bubus",)
    has_seq = False

    def __init__(self, directory: Path) -> None:
        from bubus import BaseEvent, EventBus

        class ToolEvent(BaseEvent):  # type: ignore[misc]  # a type that is known only here
            """A tool call."""

            name: str
            params: dict[str, Any]
            duration_ms: int
            agent_id: str
            session_id: str

        self.path = directory / "events.jsonl"
        self.event = ToolEvent
        self._bus = EventBus
        self.bus: Any = None

    async def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Dispatch an event, and wait for it."""
        await self.bus.dispatch(
            self.event(name=tool_name, params=params, duration_ms=duration_ms, agent_id=AGENT_ID, session_id=SESSION_ID)
        )

    async def start(self) -> None:
        """Make the bus."""
        self.bus = self._bus(name="Benchmark", wal_path=self.path)

    async def flush(self) -> None:
        """Wait until the newest event stands in the file, too."""
        await self.bus.wait_until_idle()

    async def close(self) -> int:
        """Stop the bus."""
        await self.bus.stop()
        return 0

    @classmethod
    def fields(cls, record: dict[str, Any]) -> Fields:
        """Return an event's fields."""
        return {**record, "type": record["event_type"]}
