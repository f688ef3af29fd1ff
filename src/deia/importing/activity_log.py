"""Import the activity logs of the original project: what its agents noted of themselves, in records of many shapes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from deia.errors import NotASessionLogError
from deia.importing import fields as of
from deia.importing.ids import LONGEST_AGENT_BYTES, LONGEST_SESSION_BYTES, file_part
from deia.importing.journal import write
from deia.importing.moments import unix_seconds
from deia.importing.progress import ReadTwice
from deia.importing.recording import PIECE_BYTES, OpenTask, Recording
from deia.importing.report import ImportReport, journal_of, report
from deia.importing.source import Source
from deia.journal.damage import DamageLog
from deia.journal.decode import seconds_if_any
from deia.journal.progress import OnProgress

Fields = dict[str, Any]

SOURCE = "deia"
_RECORD = "ActivityRecord"

_WHOSE = ("agent_id", "queen_id", "bot_id", "human")
"""Under which of these a record says who made it, the first that is there."""

_OF_SESSION_LOG = frozenset(("type", "seq", "session_id", "v"))
"""What every line of a log of ours has; no record of theirs has been seen with all of it."""

_BEGUN = frozenset(("task_accepted", "task_claimed"))
_DONE = frozenset(("task_complete", "task_done"))
_ASSIGNED = frozenset(("assignment", "assign", "assign_update", "task_assigned", "task_created"))
_DECIDED = frozenset(("decision", "human_approval"))


@dataclass(slots=True)
class _Place:
    """Where a record stands, and when it was."""

    offset: int
    length: int
    time: float


def import_activity_log(
    path: str,
    directory: Path,
    *,
    agent_id: str | None = None,
    redact: bool = True,
    on_progress: OnProgress | None = None,
) -> ImportReport:
    """Turn an activity log into a journal of ours. Done again, it changes nothing unless the log has grown.

    Args:
        path: The log.
        directory: Where the journal goes; made if missing.
        agent_id: Whose it is; left out, its first record tells.
        redact: Whether secrets are kept out, by the rules that are a logger's default.
        on_progress: Told every now and then how far it has come, in bytes of the log.

    Raises:
        NotASessionLogError: The file is no activity log.
        SessionLockedError: A logger has a session of that name open; nothing was touched.
        JournalError: A logger has recorded one, or it is the import of another log; nothing was touched.
        OSError: A file cannot be read or written.
    """
    log = DamageLog()
    with Source(path, log.add, ReadTwice(on_progress)) as source:
        places, whose = _read(source)
        if whose is None:
            raise NotASessionLogError(f"{path} is no activity log", path=path)
        agent_id = file_part(agent_id or whose, LONGEST_AGENT_BYTES)
        stem = os.path.basename(path).removesuffix(".jsonl") or "activity"
        session_id = file_part(stem, LONGEST_SESSION_BYTES)
        times = places[0].time, places[-1].time
        recording = Recording(agent_id, session_id, times[0], redact=redact)
        journal = journal_of(directory, agent_id, session_id)
        state = write(
            journal,
            _lines(source, places, recording),
            lambda first: seconds_if_any(first, "session_start") in (None, times[0]),
        )
    read = [(source.path, source.records)]
    return report(journal, state, (agent_id, session_id), read, recording.events, times, log)


def _lines(source: Source, places: list[_Place], recording: Recording) -> Iterator[bytes]:
    recording.imported(SOURCE, {})
    mapping = _Mapping(recording)
    for place in places:
        mapping.add(source.again(place.offset, place.length), place.time)
        if recording.size >= PIECE_BYTES:
            yield recording.take()
    yield recording.take()


def _read(source: Source) -> tuple[list[_Place], str | None]:
    """Return where the records stand, in the order of time, and whose log it is, if it is one."""
    places: list[_Place] = []
    whose: str | None = None
    time: float | None = None
    for record in source.read():
        fields = record.fields
        if not places and fields.keys() >= _OF_SESSION_LOG:
            raise NotASessionLogError(f"{source.path} is a session log already, and needs no import", path=source.path)
        found = unix_seconds(fields.get("ts", fields.get("timestamp")))
        if found is not None:
            if time is None:
                for place in places:
                    place.time = found
            time = found
        if whose is None and _name(fields):
            whose = next((_text(fields.get(name)) for name in _WHOSE if _text(fields.get(name))), None)
        places.append(_Place(record.offset, record.length, time or 0.0))
    places.sort(key=attrgetter("time"))
    return places, whose


def _name(fields: Fields) -> str:
    return _text(fields.get("event")) or _text(fields.get("type"))


def _text(value: object) -> str:
    return value if type(value) is str else ""


class _Mapping:
    """Turns records into events. Each event keeps its whole record, so nothing is lost."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._open: dict[str, OpenTask] = {}

    def add(self, fields: Fields, at: float) -> None:
        """Take the next record."""
        name = _name(fields)
        given = fields.get("meta")
        meta: Fields = given if type(given) is dict else {}
        said = _text(fields.get("message")) or _text(fields.get("task_title")) or _text(fields.get("task_id"))
        if name in _BEGUN:
            self._begin(_text(meta.get("task")) or of.title(said, name), fields, at)
        elif name in _DONE:
            self._complete(_text(meta.get("task")) or of.title(said, name), fields, at)
        elif name in _ASSIGNED and said:
            assignee = _text(fields.get("target_bot")) or _text(meta.get("target_agent")) or _whom(fields)
            event: Fields = {
                "type": "ActionItemEvent",
                "item": said,
                "assignee": assignee or None,
                "due": None,
                "done": False,
            }
            self._recording.add({**event, "metadata": {"record": fields}}, at, None)
        elif name in _DECIDED and _text(fields.get("decision")):
            reason = _text(fields.get("reason")) or None
            event = {"type": "DecisionEvent", "decision": fields["decision"], "reason": reason, "alternatives": []}
            self._recording.add({**event, "metadata": {"record": fields}}, at, None)
        else:
            self._recording.add(of.record(_RECORD, name or "unknown", fields), at, None)

    def _begin(self, name: str, fields: Fields, at: float) -> None:
        if name in self._open:  # accepted once more
            self._recording.add(of.record(_RECORD, _name(fields), fields), at, None)
        else:
            self._open[name] = self._recording.start(name, at, None, {"record": fields})

    def _complete(self, name: str, fields: Fields, at: float) -> None:
        task = self._open.pop(name, None)
        if task is not None:
            self._recording.complete(task, at, {}, {"completion": fields})
            return
        seconds = (of.number(fields.get("duration_ms")) or 0.0) / 1000
        self._recording.complete_unbegun(name, at, seconds, {"record": fields})


def _whom(fields: Fields) -> str:
    return _text(fields.get("bot_id")) or _text(fields.get("agent_id"))
