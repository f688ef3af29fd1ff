"""The table of events: its columns, and what a line has in them. CSV, Parquet and `deia query` have the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from deia.events import SessionEvent, UnknownEvent
from deia.journal.reader import Entry

_TASK, _TOOL, _FILE, _LLM = "TaskEvent", "ToolEvent", "FileEvent", "LLMEvent"
_MESSAGE, _ERROR, _DECISION, _ITEM = "MessageEvent", "ErrorEvent", "DecisionEvent", "ActionItemEvent"
_SESSION = "SessionEvent"
_OUTCOME = (_TASK, _TOOL)
_WITH_METADATA = (_TASK, _LLM, _MESSAGE, _ERROR, _DECISION, _ITEM, _SESSION)


class Column(NamedTuple):
    """One column.

    Attributes:
        name: Its name.
        type: Its type in SQL. JSON is text in CSV; TIMESTAMP is in UTC.
        events: The types of events that have something in it; none for all of them.
        meaning: What that is.
    """

    name: str
    type: str
    events: tuple[str, ...]
    meaning: str


PLACE = ("file", "line", "run")
"""The columns that say where a line stands, and that no line holds."""

UNKNOWN = "fields"
"""The column of what events of unknown types are."""

COLUMNS = (
    Column("file", "VARCHAR", (), "the session log"),
    Column("line", "BIGINT", (), "number of the line in its file, from 1; in a session of several files, in that one"),
    Column("run", "BIGINT", (), "number of the session's run that it was logged in, from 1"),
    Column("type", "VARCHAR", (), "type of the event"),
    Column("seq", "BIGINT", (), "its place in the session, from 1"),
    Column("time", "TIMESTAMP", (), "when it was logged, UTC"),
    Column("timestamp", "DOUBLE", (), "the same in Unix seconds"),
    Column("agent_id", "VARCHAR", (), "whose session it is"),
    Column("session_id", "VARCHAR", (), "which session"),
    Column("session_start", "DOUBLE", (), "when the run began, Unix seconds; on its first line"),
    Column(
        "task_id",
        "BIGINT",
        (_TASK, _TOOL, _FILE, _LLM, _MESSAGE, _ERROR, _DECISION, _ITEM),
        "innermost task that was open; of a task itself its own number",
    ),
    Column("parent_id", "BIGINT", (_TASK,), "`task_id` of the task it was started in"),
    Column("name", "VARCHAR", (_TASK, _TOOL), "name of the task, or the tool"),
    Column("start_time", "DOUBLE", (_TASK,), "when it began, Unix seconds"),
    Column("end_time", "DOUBLE", (_TASK,), "when it ended, Unix seconds; null on the line of its start"),
    Column("duration_ms", "BIGINT", (_TASK, _FILE, _TOOL, _LLM), "how long it took, milliseconds"),
    Column("orphan", "BOOLEAN", (_TASK,), "whether it is a completion without a start"),
    Column("cancelled", "BOOLEAN", _OUTCOME, "whether it was cancelled"),
    Column("error_type", "VARCHAR", (*_OUTCOME, _LLM, _ERROR), "what kind of error ended it, or it is"),
    Column("error", "VARCHAR", (*_OUTCOME, _LLM), "what the error said that ended it"),
    Column("params", "JSON", (_TOOL,), "what the tool was called with"),
    Column("path", "VARCHAR", (_FILE,), "path of the file"),
    Column("operation", "VARCHAR", (_FILE,), "`read` or `write`"),
    Column("size_bytes", "BIGINT", (_FILE,), "bytes read or written"),
    Column("lines", "BIGINT", (_FILE,), "lines written"),
    Column("provider", "VARCHAR", (_LLM,), "who answered"),
    Column("model", "VARCHAR", (_LLM,), "which model"),
    Column("input_tokens", "BIGINT", (_LLM,), "the whole input"),
    Column("output_tokens", "BIGINT", (_LLM,), "the whole output"),
    Column("cache_read_tokens", "BIGINT", (_LLM,), "of the input, what was read from the cache"),
    Column("cache_write_tokens", "BIGINT", (_LLM,), "of the input, what was written to the cache"),
    Column("reasoning_tokens", "BIGINT", (_LLM,), "of the output, what was reasoning"),
    Column("time_to_first_token_ms", "BIGINT", (_LLM,), "milliseconds to the first of a streamed response"),
    Column("cost_usd", "DOUBLE", (_LLM,), "US dollars"),
    Column("response_id", "VARCHAR", (_LLM,), "the provider's name for the response"),
    Column("attempt", "BIGINT", (_LLM,), "which try of the same request it was, from 1"),
    Column("role", "VARCHAR", (_MESSAGE,), "who said it"),
    Column("content", "JSON", (_MESSAGE,), "what was said: text, or the parts of the message"),
    Column("message_id", "VARCHAR", (_MESSAGE,), "a name for the message"),
    Column("message", "VARCHAR", (_ERROR,), "what the error said"),
    Column("raised_at", "VARCHAR", (_ERROR,), "where it was raised (`where` on the line)"),
    Column("traceback", "VARCHAR", (_ERROR,), "how it came about"),
    Column("decision", "VARCHAR", (_DECISION,), "what was decided"),
    Column("reason", "VARCHAR", (_DECISION,), "why"),
    Column("alternatives", "JSON", (_DECISION,), "what was not chosen, a list"),
    Column("item", "VARCHAR", (_ITEM,), "what is to be done"),
    Column("assignee", "VARCHAR", (_ITEM,), "by whom"),
    Column("due", "VARCHAR", (_ITEM,), "by when"),
    Column("done", "BOOLEAN", (_ITEM,), "whether it is done"),
    Column("event", "VARCHAR", (_SESSION,), "`continued`, `dropped` or `imported`"),
    Column("recovered_bytes", "BIGINT", (_SESSION,), "bytes recovered from the queue file of the run before"),
    Column("lost_bytes", "BIGINT", (_SESSION,), "bytes cut as a torn end"),
    Column("dropped", "BIGINT", (_SESSION,), "events dropped since the last such line"),
    Column("source", "VARCHAR", (_SESSION,), "what it was imported from"),
    Column("metadata", "JSON", _WITH_METADATA, "what the caller kept with it"),
    Column(UNKNOWN, "JSON", (), "the whole line, where its type is none of this package's: a class of your own, say"),
)

ALL = frozenset(column.name for column in COLUMNS)
"""Their names."""

FIELD_OF = {"raised_at": "where"}
"""What a column is called on the line, where that is a word of SQL."""

_FIELDS_OF: dict[str, tuple[tuple[str, str], ...]] = {}
for _column in COLUMNS:
    for _event in _column.events:
        _FIELDS_OF[_event] = (*_FIELDS_OF.get(_event, ()), (_column.name, FIELD_OF.get(_column.name, _column.name)))

_WHOLE = frozenset(column.name for column in COLUMNS if column.type == "BIGINT")
_LARGEST = 2**63 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

Row = dict[str, Any]
"""What a line has in the columns, `time` excepted; a column that is not there is null. JSON is as it was parsed."""


def rows(file: str, entries: Iterable[Entry]) -> Iterator[Row]:
    """Yield the rows of a session log, in its order."""
    runs: dict[str | None, int] = {}
    for entry in entries:
        event = entry.event
        run = runs.setdefault(event.session_id, 1)
        kind = type(event).__name__
        row: Row = {"file": file, "line": entry.record.number, "run": run, "type": kind}
        if isinstance(event, UnknownEvent):
            row["type"] = event.type
            row[UNKNOWN] = event.fields
        elif isinstance(event, SessionEvent) and event.event == "continued":
            row["run"] = runs[event.session_id] = max(event.run or 0, run + 1)
        if (session_start := entry.session_start) is not None:
            row["session_start"] = session_start
        for name in ("seq", "timestamp", "agent_id", "session_id"):
            if (value := getattr(event, name)) is not None:
                row[name] = value
        for name, field in _FIELDS_OF.get(kind, ()):
            value = getattr(event, field)
            if value is not None and not (name in _WHOLE and not -_LARGEST <= value <= _LARGEST):
                row[name] = value
        yield row


def time_of(timestamp: float | None) -> str | None:
    """Return a moment as CSV has it; nothing where there is none, or it is beyond the calendar."""
    if timestamp is None:
        return None
    try:
        moment = _EPOCH + timedelta(seconds=timestamp)
    except OverflowError:
        return None
    return moment.replace(tzinfo=None).isoformat(" ")
