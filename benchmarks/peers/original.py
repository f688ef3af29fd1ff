"""The original design: events are objects in a list, and become a file when the session is saved.

Nothing is cheaper at the call. What it saves there it pays elsewhere: every event stays in memory, and if the process
is killed before `save_session`, the whole session is lost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import time
from typing import Any

import orjson


@dataclass
class Task:
    """A task; `end_time` is set when it completes."""

    name: str
    start_time: float
    end_time: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tool:
    """A tool call."""

    name: str
    params: dict[str, Any]
    duration_ms: int


class InMemoryLogger:
    """Keeps the session in a list."""

    def __init__(self, agent_id: str, session_id: str) -> None:
        self.agent_id = agent_id
        self.session_id = session_id
        self.events: list[Task | Tool] = []

    def log_task_start(self, task_name: str, metadata: dict[str, Any]) -> None:
        """Append a task."""
        self.events.append(Task(task_name, time(), None, metadata))

    def log_tool_call(self, tool_name: str, params: dict[str, Any], duration_ms: int) -> None:
        """Append a tool call."""
        self.events.append(Tool(tool_name, params, duration_ms))

    def save_session(self, output_dir: Path) -> Path:
        """Write the whole session as JSON Lines."""
        path = output_dir / f"{self.agent_id}_{self.session_id}.jsonl"
        with path.open("wb") as file:
            for event in self.events:
                file.write(orjson.dumps({"type": f"{type(event).__name__}Event", **asdict(event)}) + b"\n")
        return path
