"""Write-through: what every ratio is taken against."""

from __future__ import annotations

import os
from pathlib import Path
from time import time as _now

from orjson import OPT_APPEND_NEWLINE as _NEWLINE
from orjson import dumps as _dumps

from deia.cli.bench.event import AGENT_ID, SESSION_ID, Params
from deia.cli.bench.recorders.face import Recorder
from deia.cli.bench.recorders.line import Numbered

_write = os.write  # bound here, so that write-through is as fast as plain code gets


class WriteThrough(Recorder):
    """The least that one would write by hand for the same promise: clock, count, the same line, one `write`."""

    __slots__ = ("fd", "path", "seq")

    label = "write-through"

    def __init__(self, directory: Path) -> None:
        self.path = directory / self.file_name
        self.fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        self.seq = 0

    def start(self) -> None:
        """Write the task's start."""
        numbered = Numbered()
        _write(self.fd, _dumps(numbered.task(), None, _NEWLINE))
        self.seq = numbered.seq

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Write a tool call."""
        self.seq = seq = self.seq + 1
        line = {
            "type": "ToolEvent",
            "name": tool_name,
            "params": params,
            "duration_ms": duration_ms,
            "task_id": 1,
            "seq": seq,
            "timestamp": _now(),
            "agent_id": AGENT_ID,
            "session_id": SESSION_ID,
            "v": 1,
        }
        _write(self.fd, _dumps(line, None, _NEWLINE))

    def flush(self) -> None:
        """Nothing to wait for: each line was written by its call."""

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)
