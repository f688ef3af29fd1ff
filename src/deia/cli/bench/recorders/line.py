"""The fields of a line, for recorders that leave it to their caller what a line holds."""

from __future__ import annotations

from time import time
from typing import Any

import orjson

from deia.cli.bench.event import AGENT_ID, SESSION_ID, TASK, Params

Fields = dict[str, Any]


class Numbered:
    """Counts, takes the clock, and makes the same fields for every recorder; the recorder encodes and writes them."""

    def __init__(self) -> None:
        self.seq = 0

    def task(self) -> Fields:
        """Return the fields of the task's start: the first line."""
        self.seq += 1
        now = time()
        return {
            "type": "TaskEvent",
            "name": TASK,
            "start_time": now,
            "end_time": None,
            "metadata": {},
            "task_id": 1,
            "parent_id": None,
            "seq": self.seq,
            "timestamp": now,
            "agent_id": AGENT_ID,
            "session_id": SESSION_ID,
            "v": 1,
        }

    def tool(self, tool_name: str, params: Params, duration_ms: int) -> Fields:
        """Return the fields of a tool call."""
        self.seq += 1
        return {
            "type": "ToolEvent",
            "name": tool_name,
            "params": params,
            "duration_ms": duration_ms,
            "task_id": 1,
            "seq": self.seq,
            "timestamp": time(),
            "agent_id": AGENT_ID,
            "session_id": SESSION_ID,
            "v": 1,
        }


def encode_text(fields: Fields) -> str:
    """Return fields as the text of a line, without its end, for recorders that take text."""
    return orjson.dumps(fields).decode()
