"""What became of a session, as far as its files tell."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from deia import system
from deia.journal.check import queue_state
from deia.queue.layout import queue_path

State = Literal["running", "killed", "closed"]


def state_of(path: Path) -> State:
    """Tell what became of a session from its queue file, which closing it removes."""
    queue = queue_path(path)
    if queue_state(queue) == "open":
        return "running"
    return "killed" if system.exists(queue) else "closed"
