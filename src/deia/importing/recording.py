"""The lines of a journal that is made after the fact."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from deia.importing import fields as of
from deia.importing.screen import Screen
from deia.line import VERSION, encode, extend

PIECE_BYTES = 1024 * 1024
"""How many bytes of lines are worth a write."""


@dataclass(frozen=True)
class OpenTask:
    """A task that was started and is not complete."""

    task_id: int
    parent_id: int | None
    name: str
    start_time: float
    metadata: dict[str, Any]


class Recording:
    """Makes the lines of one session, in the order in which they are given; times must not go back.

    Attributes:
        agent_id: Whose session.
        session_id: Which.
        events: How many there are of each type.
    """

    def __init__(self, agent_id: str, session_id: str, started: float, *, redact: bool) -> None:
        """Begin a session.

        Args:
            agent_id: Whose.
            session_id: Which.
            started: When it began, Unix seconds.
            redact: Whether secrets are kept out.
        """
        self.agent_id = agent_id
        self.session_id = session_id
        self.events: Counter[str] = Counter()
        self._started = started
        self._encode = Screen().encode if redact else encode
        self._whose = {"agent_id": agent_id, "session_id": session_id, "v": VERSION}
        self._seq = 0
        self._data = bytearray()

    @property
    def size(self) -> int:
        """Bytes that wait to be taken."""
        return len(self._data)

    def take(self) -> bytes:
        """Return the lines that were made since they were taken last."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def imported(self, source: str, metadata: dict[str, Any]) -> None:
        """Make the first line: it says that the session is an import, and of what."""
        event = {"type": "SessionEvent", "event": "imported", "source": source, "metadata": metadata}
        self._line(event, self._started)

    def add(self, event: dict[str, Any], at: float, task_id: int | None) -> None:
        """Make an event's line.

        Args:
            event: Its own fields, with its type.
            at: When it was, Unix seconds.
            task_id: The task that it belongs to.
        """
        self._line({**event, "task_id": task_id}, at)

    def start(self, name: str, at: float, parent_id: int | None, metadata: dict[str, Any]) -> OpenTask:
        """Make the line of a task's start."""
        task = OpenTask(self._seq + 1, parent_id, name, at, metadata)
        self._line({**_task(task, None), **_place(task)}, at)
        return task

    def complete(
        self, task: OpenTask, at: float, outcome: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        """Make the line of a task's completion.

        Args:
            task: The task.
            at: When it was complete, Unix seconds.
            outcome: What tells of a failure or a cancellation.
            metadata: To be merged over the start's.
        """
        if metadata:
            task = replace(task, metadata={**task.metadata, **metadata})
        self._line({**_task(task, at), **of.duration(at - task.start_time), **outcome, **_place(task)}, at)

    def complete_unbegun(self, name: str, at: float, seconds: float, metadata: dict[str, Any]) -> None:
        """Make the line of the completion of a task whose start is not there."""
        # who claims to have begun before there were clocks has said something else
        lasted_s = seconds if 0.0 <= seconds <= max(at, 0.0) else 0.0
        lasted = of.duration(lasted_s)
        if lasted_s != seconds:
            lasted["given_duration_ms"] = seconds * 1000
        fields = {"type": "TaskEvent", "name": name, "start_time": at - lasted_s, "end_time": at, "metadata": metadata}
        self._line({**fields, **lasted, "orphan": True, "task_id": None, "parent_id": None}, at)

    def _line(self, event: dict[str, Any], at: float) -> None:
        self._seq += 1
        line = self._encode({**event, "seq": self._seq, "timestamp": at, **self._whose})
        self._data += extend(line, {"session_start": self._started}) if self._seq == 1 else line
        self.events[event["type"]] += 1


def _task(task: OpenTask, end_time: float | None) -> dict[str, Any]:
    return {
        "type": "TaskEvent",
        "name": task.name,
        "start_time": task.start_time,
        "end_time": end_time,
        "metadata": task.metadata,
    }


def _place(task: OpenTask) -> dict[str, Any]:
    return {"task_id": task.task_id, "parent_id": task.parent_id}
