"""The events of a session and the figures made from them: plain data.

Names, fields and their order up to the marked line are those of the original module; what stands after it has a default
and takes no part in comparisons, so that an event read back equals the one a caller would have made by hand.

Every event has, beside its own fields, what its line carries (None where the line did not say): `seq`, its place in the
session, from 1; `timestamp`, when it was logged, Unix seconds; `agent_id` and `session_id`, whose event it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TaskEvent:
    """A task's start (`end_time` is None) or its completion.

    Attributes:
        name: Name of the task.
        start_time: Unix seconds.
        end_time: Unix seconds, or None while the task is open.
        metadata: The start's, with the completion's merged over it.
        duration_ms: Milliseconds: the caller's word where given, else measured.
        task_id: `seq` of the task's start line.
        parent_id: `task_id` of the task it was started in.
        orphan: True for a completion without a start.
    """

    name: str
    start_time: float
    end_time: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    # ours
    duration_ms: int | None = field(default=None, compare=False, kw_only=True)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    parent_id: int | None = field(default=None, compare=False, kw_only=True)
    orphan: bool = field(default=False, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class FileEvent:
    """A file was read or written.

    Attributes:
        path: Path of the file, as the caller gave it.
        operation: `"read"` or `"write"`.
        size_bytes: Bytes read or written.
        lines: Lines written.
        task_id: Innermost task that was open.
    """

    path: str
    operation: str
    size_bytes: int | None = None
    lines: int | None = None
    # ours
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class ToolEvent:
    """A tool was called.

    Attributes:
        name: Name of the tool.
        params: What it was called with.
        duration_ms: Milliseconds it took.
        task_id: Innermost task that was open.
    """

    name: str
    params: dict[str, Any]
    duration_ms: int
    # ours
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class SessionEvent:
    """Something about the recording itself.

    Attributes:
        event: `"continued"` (the session was opened again) or `"dropped"` (events were lost on purpose).
        run: Number of the run that begins here, from 1.
        recovered_bytes: Bytes that came from the queue file of the run before.
        lost_bytes: Bytes that were cut as a torn end.
        dropped: Events dropped since the last such line.
    """

    event: str
    run: int | None = None
    recovered_bytes: int | None = None
    lost_bytes: int | None = None
    dropped: int | None = None
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class UnknownEvent:
    """An event of a type that this version does not know, kept as it stands.

    Attributes:
        type: The line's `type`.
        fields: The whole line.
    """

    type: str
    fields: dict[str, Any] = field(default_factory=dict)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


AnyEvent = TaskEvent | FileEvent | ToolEvent | SessionEvent | UnknownEvent


@dataclass
class SessionSummary:
    """What a session did so far.

    Attributes:
        total_duration_ms: Time recorded, milliseconds: since construction, and in a continued session that of its
            earlier runs.
        tasks_completed: Completed runs of tasks.
        files_read: Reads logged.
        files_written: Writes logged.
        tool_calls_count: Tool calls logged.
        velocity: Completed tasks per hour; 0.0 where `total_duration_ms` is under 1.
    """

    total_duration_ms: int
    tasks_completed: int
    files_read: int
    files_written: int
    tool_calls_count: int
    velocity: float
