"""The floor: what recording an event costs where each line is simply written through.

FROZEN. Every ratio that was ever published was taken against these lines, so a change here would make old and new
results incomparable, and an "improvement" of the ratio could come from a slower floor. It stays as it is even where a
faster or a slower spelling is found later; a different floor would be a new module with a new name beside this one.

It is the least that anyone would write by hand for the same promise (a call that has returned survives the death of
the process): take the clock, count `seq`, build the full line, encode it, one `write`. No lock, no checks, no counters,
no second thread, and spelled as fast as plain code is: slots, and functions bound to module names. A second thread
calling it could write two lines with one `seq`.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import time as _now
from typing import Any

from orjson import OPT_APPEND_NEWLINE as _NEWLINE
from orjson import dumps as _dumps

_write = os.write


class WriteThroughLogger:
    """Writes each event to the file before the call returns."""

    __slots__ = ("agent_id", "fd", "seq", "session_id", "task_id")

    def __init__(self, path: Path, agent_id: str, session_id: str) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.agent_id = agent_id
        self.session_id = session_id
        self.seq = 0
        self.task_id: int | None = None

    def log_task_start(self, task_name: str, metadata: dict[str, Any]) -> None:
        """Write a task's start; the tool calls after it belong to this task."""
        self.seq = self.task_id = seq = self.seq + 1
        now = _now()
        line = {
            "type": "TaskEvent",
            "name": task_name,
            "start_time": now,
            "end_time": None,
            "metadata": metadata,
            "task_id": seq,
            "parent_id": None,
            "seq": seq,
            "timestamp": now,
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "v": 1,
        }
        _write(self.fd, _dumps(line, None, _NEWLINE))

    def log_tool_call(self, tool_name: str, params: dict[str, Any], duration_ms: int) -> None:
        """Write a tool call."""
        self.seq = seq = self.seq + 1
        line = {
            "type": "ToolEvent",
            "name": tool_name,
            "params": params,
            "duration_ms": duration_ms,
            "task_id": self.task_id,
            "seq": seq,
            "timestamp": _now(),
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "v": 1,
        }
        _write(self.fd, _dumps(line, None, _NEWLINE))

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)
