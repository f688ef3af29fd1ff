"""What an earlier run left behind, for a session that goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from deia.events import AnyEvent, FileEvent, SessionEvent, TaskEvent, ToolEvent
from deia.journal.reader import EventReader


@dataclass
class Past:
    """The state of a session at the end of its journal.

    Attributes:
        seq: `seq` that the next line follows.
        run: Number of the last run; 0 where there is no line at all.
        recorded_s: Seconds recorded: each run's, from its `session_start` to its last line.
        dropped: Events dropped on purpose, as far as the journal tells.
        started: Task starts.
        completed: Completed tasks, without orphans.
        files_read: File reads.
        files_written: File writes.
        tool_calls: Tool calls.
        problems: What the reader found wrong with the journal.
        open_tasks: `task_id` → the start's event, oldest first.
    """

    seq: int = 0
    run: int = 0
    recorded_s: float = 0.0
    dropped: int = 0
    started: int = 0
    completed: int = 0
    files_read: int = 0
    files_written: int = 0
    tool_calls: int = 0
    problems: int = 0
    open_tasks: dict[int | None, TaskEvent] = field(default_factory=dict)

    def see(self, event: AnyEvent) -> None:
        """Take account of the next event."""
        if isinstance(event, ToolEvent):
            self.tool_calls += 1
        elif isinstance(event, FileEvent):
            self.files_read += event.operation == "read"
            self.files_written += event.operation == "write"
        elif isinstance(event, TaskEvent):
            if event.end_time is None:
                self.started += 1
                self.open_tasks[event.task_id] = event
            elif not event.orphan:
                self.completed += 1
                self.open_tasks.pop(event.task_id, None)
        elif isinstance(event, SessionEvent):
            self.run = max(self.run, event.run or 0)
            self.dropped += event.dropped or 0


def read_past(journal: Path, session_id: str) -> Past:
    """Read a session's journal once, from its beginning to its end."""
    past = Past()
    problems: Counter[str] = Counter()
    began = last = None
    reader = EventReader(journal, lambda damage: problems.update((damage.kind,)))
    for entry in reader.entries():
        event = entry.event
        past.run = past.run or 1
        past.see(event)
        if entry.session_start is not None:
            past.recorded_s += _length(began, last)
            began = entry.session_start
        if event.timestamp is not None:
            last = event.timestamp
            began = last if began is None else began
    past.recorded_s += _length(began, last)
    past.seq = reader.continuity.goes_on_after(session_id) or 0
    past.problems = problems.total() - problems["torn"]
    return past


def _length(began: float | None, last: float | None) -> float:
    return max(0.0, last - began) if began is not None and last is not None else 0.0
