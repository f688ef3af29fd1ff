"""The tasks that are open: which one a completion means, and which one an event belongs to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any


class OpenTask:
    """A task between its start line and its completion.

    Attributes:
        name: Its name.
        owner: While it is open, whose it is (`Producer.owner`; loggers share a context, not tasks). None before its
            start is committed, and once its completion is.
        start_time: Unix seconds.
        started: Monotonic seconds, or None where another process started it.
        metadata: The start's metadata as encoded JSON, so that what the caller changes later does not change the
            record.
        task_id: `seq` of its start line; None until that is committed.
        parent_id: `task_id` of the task it was started in.
        older: The task of the same name that was started before and is open too.
        outer: What the context was in when it was started.
    """

    __slots__ = (
        "metadata",
        "name",
        "older",
        "outer",
        "owner",
        "parent_id",
        "start_time",
        "started",
        "task_id",
    )

    def __init__(self, name: str, start_time: float, started: float | None, metadata: bytes) -> None:
        self.name = name
        self.owner: object = None
        self.start_time = start_time
        self.started = started
        self.metadata = metadata
        self.task_id: int | None = None
        self.parent_id: int | None = None
        self.older: OpenTask | None = None
        self.outer: OpenTask | None = None


current: ContextVar[OpenTask | None] = ContextVar("deia_current_task", default=None)
"""The task that this context entered last; it may have been completed since, from elsewhere."""

entered_last = current.get
"""What returns it. Python makes the method anew for each call of `current.get()` where that name is imported."""

OpenTasks = dict[Any, Any]
"""Name → the newest open task of that name. (Typed loosely: the commit section stores a dummy under None.)"""


def innermost(task: OpenTask | None, owner: object) -> OpenTask | None:
    """Return the innermost open task of `owner` in a context that entered `task` last."""
    while task is not None and task.owner is not owner:
        task = task.outer
    return task


def leave() -> None:
    """Take what is completed off the top of this context."""
    task = top = current.get()
    while task is not None and task.owner is None:
        task = task.outer
    if task is not top:
        current.set(task)
