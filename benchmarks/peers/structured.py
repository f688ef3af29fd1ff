"""Structured logging: the recorders of `deia bench` for structlog and loguru; eliot, as its documentation has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, Params
from benchmarks.peers.face import WRITES_EACH, Peer
from benchmarks.peers.line import Fields
from deia.cli.bench.recorders import structured


class Structlog(structured.Structlog, Peer):
    """structlog as its page on performance has it: cached bound logger, orjson, a logger of bytes."""

    durability = WRITES_EACH


class Loguru(structured.Loguru, Peer):
    """loguru with a format function of its own, as its recipe for other JSON libraries has it."""

    durability = WRITES_EACH


class LoguruEnqueue(structured.LoguruEnqueue, Peer):
    """loguru with `enqueue=True`: a queue between processes, and a thread that writes."""

    durability = "nothing: what its thread has not written yet is gone with a killed process"


class Eliot(Peer):
    """eliot, the tool calls as messages of an action."""

    label = "eliot"
    durability = WRITES_EACH
    needs = ("eliot",)
    has_seq = False

    def __init__(self, directory: Path) -> None:
        import eliot

        self.path = directory / "events.jsonl"
        self.file = self.path.open("ab")
        eliot.to_file(self.file)
        self._log_message = eliot.log_message
        self._start_action = eliot.start_action

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log a message."""
        self._log_message(
            "ToolEvent",
            name=tool_name,
            params=params,
            duration_ms=duration_ms,
            agent_id=AGENT_ID,
            session_id=SESSION_ID,
        )

    def start(self) -> None:
        """Enter an action: its messages name it."""
        self.action = self._start_action(action_type=TASK, agent_id=AGENT_ID, session_id=SESSION_ID)
        self.action.__enter__()

    def flush(self) -> None:
        """Nothing to wait for: each line is flushed."""

    def close(self) -> int:
        """Close the file."""
        self.action.__exit__(None, None, None)
        self.file.close()
        return 0

    @classmethod
    def fields(cls, record: dict[str, Any]) -> Fields:
        """Return a message's fields; the lines of the action itself are none."""
        return {**record, "type": record.get("message_type")}
