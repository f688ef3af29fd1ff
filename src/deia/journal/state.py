"""What became of a session: the one meaning that all views share, and its words."""

from __future__ import annotations

from typing import Literal

from deia.journal.check import QueueState

State = Literal["recording", "finished", "interrupted", "damaged", "unknown"]
"""What became of a session of which there is something to read.

- `recording`: a logger has it open.
- `finished`: all that was begun was completed, and all that was recorded is in the log.
- `interrupted`: its process died, for the queue file is still there; or it ended in the middle of a task.
- `damaged`: lines cannot be read, or events are missing.
- `unknown`: whether a logger has it open cannot be told.
"""


def state_of(queue: QueueState, *, damaged: bool, has_open_tasks: bool) -> State:
    """Tell what became of a session.

    Args:
        queue: What its queue file tells, seen before its log was read.
        damaged: Whether lines cannot be read, or events are missing; a torn end is no such thing.
        has_open_tasks: Whether a task was begun and not completed.
    """
    if queue == "open":
        return "recording"
    if queue == "unknown":
        return "unknown"
    if damaged:
        return "damaged"
    return "interrupted" if queue == "left" or has_open_tasks else "finished"
