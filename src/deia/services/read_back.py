"""The events of a logger, read back from its log."""

from __future__ import annotations

import orjson

from deia.bus.session import Session
from deia.events import LoggedEvent, SessionEvent, TaskEvent, UnknownEvent
from deia.journal.decode import decode
from deia.journal.reader import read_entries
from deia.journal.segments import is_there


def read_back(session: Session) -> list[LoggedEvent]:
    """Return a session's events in order of logging; a completed task is its start, completed."""
    events: list[LoggedEvent] = []
    started: dict[int | None, TaskEvent] = {}
    if session.state == "unopened" and not session.producer.seq:
        return []  # what its file may hold is of an earlier run, until this one has opened it
    if session.segments.is_displaced:
        session.segments.go_on(urgent=True)
    with session.lock:  # a session that is being opened moves from memory to its files
        kept = b"".join(line for _, line in session.producer.lines_kept())
        in_memory_only = session.state == "open" and session.writer.files is None
        stored = read_entries(session.path) if not in_memory_only and is_there(session.path) else iter(())
    in_memory = map(decode, map(orjson.loads, kept.splitlines()))
    last_seq = 0
    for event in (*(entry.event for entry in stored), *in_memory):
        if event.session_id != session.session_id or (event.seq or 0) <= last_seq:
            continue  # of a file that this logger would be refused; or written since the lines in memory were looked at
        last_seq = event.seq or 0
        if isinstance(event, (SessionEvent, UnknownEvent)):
            continue
        if not isinstance(event, TaskEvent):
            events.append(event)
        elif not event.orphan:
            start = started.pop(event.task_id, None)
            if start is None:
                events.append(event)
                started[event.task_id] = event
            else:
                start.end_time, start.metadata, start.duration_ms = event.end_time, event.metadata, event.duration_ms
                start.error_type, start.error, start.cancelled = event.error_type, event.error, event.cancelled
    return events
