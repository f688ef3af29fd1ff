"""Structured logging: structlog, loguru and eliot, each set up for JSON lines as its documentation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, Params
from benchmarks.peers.face import Peer
from benchmarks.peers.line import Fields, Numbered, encode_text

_WRITES_EACH = "the death of the process at once; loss of power whenever the kernel wrote by itself"


class Structlog(Peer):
    """structlog as its page on performance has it: cached bound logger, orjson, a logger of bytes."""

    label = "structlog"
    durability = _WRITES_EACH
    needs = ("structlog",)

    def __init__(self, directory: Path) -> None:
        import logging

        import structlog

        self.path = directory / "events.jsonl"
        self.numbered = Numbered()
        self.file = self.path.open("ab")
        structlog.configure(
            cache_logger_on_first_use=True,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[structlog.processors.JSONRenderer(serializer=orjson.dumps)],
            logger_factory=structlog.BytesLoggerFactory(self.file),
        )
        self.log = structlog.get_logger()

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log the fields."""
        self.log.info("tool call", **self.numbered.tool(tool_name, params, duration_ms))

    def start(self) -> None:
        """Log the task's start."""
        self.log.info("task start", **self.numbered.task())

    def flush(self) -> None:
        """Nothing to wait for: each line is flushed."""

    def close(self) -> int:
        """Close the file."""
        self.file.close()
        return 0


class Loguru(Peer):
    """loguru with a format function of its own, as its recipe for other JSON libraries has it."""

    label = "loguru"
    durability = _WRITES_EACH
    needs = ("loguru",)
    enqueue = False

    def __init__(self, directory: Path) -> None:
        from loguru import logger

        self.path = directory / "events.jsonl"
        self.numbered = Numbered()
        self.log = logger
        logger.remove()
        logger.add(self.path, format=self._format, enqueue=self.enqueue)

    @staticmethod
    def _format(record: Any) -> str:
        extra = record["extra"]
        extra["line"] = encode_text(extra["fields"])
        return "{extra[line]}\n"

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Log the fields."""
        self.log.info("tool call", fields=self.numbered.tool(tool_name, params, duration_ms))

    def start(self) -> None:
        """Log the task's start."""
        self.log.info("task start", fields=self.numbered.task())

    def flush(self) -> None:
        """Wait until the queue, if there is one, is written."""
        self.log.complete()

    def close(self) -> int:
        """Remove the file from the logger, which closes it."""
        self.log.remove()
        return 0


class LoguruEnqueue(Loguru):
    """loguru with `enqueue=True`: a queue between processes, and a thread that writes."""

    label = "loguru, enqueue=True"
    durability = "nothing: what its thread has not written yet is gone with a killed process"
    enqueue = True


class Eliot(Peer):
    """eliot, the tool calls as messages of an action."""

    label = "eliot"
    durability = _WRITES_EACH
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
