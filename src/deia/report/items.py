"""An event as the timeline and the table show it: one item for what began, lasted and ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from deia.analysis.profile.shown import shown
from deia.events import (
    ActionItemEvent,
    AnyEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
)
from deia.line import encode_value
from deia.text import clean, count, dollars, named, named_model, size

Kind = Literal["task", "tool", "model", "file", "message", "error", "decision", "action", "session", "other"]
KINDS: tuple[Kind, ...] = get_args(Kind)

Status = Literal["", "failed", "cancelled", "open", "orphan"]
STATUSES: tuple[Status, ...] = get_args(Status)

TaskKey = tuple[str | None, int]
"""Session and number of a task."""

NAME_CHARACTERS = 200
"""Of a name: more no table shows in one line."""

DETAIL_CHARACTERS = 200
"""Of parameters, messages and the like: enough to know the event again; the log has the rest."""


@dataclass(slots=True)
class Item:
    """One item of the timeline, one row of the table.

    Attributes:
        kind: What it is.
        name: Its name, made harmless.
        start: Unix seconds; None where no line says.
        end: The same; a moment has two equal ones.
        duration_ms: The duration that its line claims, milliseconds; None where it claims none.
        status: What became of it; empty where nothing has to be said.
        detail: What it was about, in one line.
        seq: Number of its line; of a task that was completed, its last one.
        task: The number by which a task's children name it.
        parent: The task that it belongs to.
    """

    kind: Kind
    name: str
    start: float | None
    end: float | None
    duration_ms: int | None = None
    status: Status = ""
    detail: str = ""
    seq: int | None = None
    task: TaskKey | None = None
    parent: TaskKey | None = None

    @property
    def length_ms(self) -> float:
        """How long it takes on the timeline, milliseconds; 0 for a moment, and where no line says."""
        return 0.0 if self.start is None or self.end is None else (self.end - self.start) * 1000


def item_of(event: AnyEvent) -> Item:
    """Return what is shown of an event; of a task's start, an open task that ends where it begins."""
    make = _MAKERS.get(type(event), _other)
    item = make(event)
    item.seq = event.seq
    task_id = getattr(event, "task_id", None)
    if item.kind != "task" and isinstance(task_id, int):
        item.parent = (event.session_id, task_id)
    return item


def _task(event: TaskEvent) -> Item:
    status: Status = "open" if event.end_time is None else "orphan" if event.orphan else _status(event)
    end = event.start_time if event.end_time is None else event.end_time
    task_id = event.task_id if event.task_id is not None else event.seq if event.end_time is None else None
    return Item(
        "task",
        shown_name(event.name),
        *_interval(event.start_time, max(end, event.start_time)),
        event.duration_ms,
        status,
        _what_failed(event, event.metadata),
        task=None if task_id is None else (event.session_id, task_id),
        parent=None if event.parent_id is None else (event.session_id, event.parent_id),
    )


def _tool(event: ToolEvent) -> Item:
    failed = event.error or event.params.get("error")
    status: Status = "cancelled" if event.cancelled else "failed" if failed else ""
    return _call("tool", event.name, event, status, _what_failed(event, event.params))


def _model(event: LLMEvent) -> Item:
    parts = [
        f"{count(number)} {what}"
        for number, what in (
            (event.input_tokens, "tokens in"),
            (event.cache_read_tokens, "of them cached"),
            (event.output_tokens, "out"),
        )
        if number is not None
    ]
    if event.cost_usd is not None:
        parts.append(dollars(event.cost_usd))
    status: Status = "failed" if event.error else ""
    detail = _what_failed(event, {}) if event.error else ", ".join(parts)
    return _call("model", named_model(f"{event.provider}/{event.model}"), event, status, detail)


def _file(event: FileEvent) -> Item:
    detail = event.operation if event.size_bytes is None else f"{event.operation}, {size(event.size_bytes)}"
    return _call("file", event.path, event, "", _line(detail))


def _message(event: MessageEvent) -> Item:
    return _moment("message", event.role, event, _line(_text_of(event.content)))


def _error(event: ErrorEvent) -> Item:
    return _moment("error", event.error_type or "error", event, _line(event.message), "failed")


def _decision(event: DecisionEvent) -> Item:
    return _moment("decision", "decision", event, _line(event.decision))


def _action(event: ActionItemEvent) -> Item:
    return _moment("action", "done" if event.done else "to do", event, _line(event.item))


def _session(event: SessionEvent) -> Item:
    if event.event == "dropped":
        detail = f"{count(event.dropped or 0)} events dropped because the queue was full"
    else:
        detail = f"run {event.run}" if event.run is not None else ""
    return _moment("session", event.event, event, detail)


def _other(event: Any) -> Item:
    if isinstance(event, UnknownEvent):
        own = {name: value for name, value in event.fields.items() if name not in _COMMON}
        return _moment("other", event.type, event, _data(own))
    return _moment("other", type(event).__name__, event, "")


_COMMON = frozenset(("type", "task_id", "seq", "timestamp", "agent_id", "session_id", "v", "session_start"))
"""What each line has, and a row of the table shows elsewhere or not at all."""

_MAKERS: dict[type, Callable[[Any], Item]] = {
    TaskEvent: _task,
    ToolEvent: _tool,
    LLMEvent: _model,
    FileEvent: _file,
    MessageEvent: _message,
    ErrorEvent: _error,
    DecisionEvent: _decision,
    ActionItemEvent: _action,
    SessionEvent: _session,
}


def _call(kind: Kind, name: str, event: Any, status: Status, detail: str) -> Item:
    """Return what ends at its line, and began as long before as it says to have taken."""
    taken_ms = getattr(event, "duration_ms", None)
    end = event.timestamp
    start = end if end is None or taken_ms is None else end - max(0, taken_ms) / 1000
    return Item(kind, shown_name(name), *_interval(start, end), taken_ms, status, detail)


def _moment(kind: Kind, name: str, event: Any, detail: str, status: Status = "") -> Item:
    return Item(kind, shown_name(name), *_interval(event.timestamp, event.timestamp), None, status, detail)


def _interval(start: float | None, end: float | None) -> tuple[float | None, float | None]:
    """Return both ends, or none: what has no place on the timeline stands in the table alone."""
    if start is None or end is None or not (math.isfinite(start) and math.isfinite(end)):
        return None, None
    return start, end


def _status(event: TaskEvent) -> Status:
    return "cancelled" if event.cancelled else "failed" if event.error else ""


def _what_failed(event: Any, data: dict[str, Any]) -> str:
    """Return the error, where there is one, before what else there is."""
    if not event.error:
        return _data(data)
    error = f"{event.error_type}: {event.error}" if event.error_type else event.error
    return _line(f"{error} {_data(data)}" if data else error)


def _data(data: dict[str, Any]) -> str:
    return _line(encode_value(data).decode("utf-8", "replace")) if data else ""


def _text_of(content: Any) -> str:
    """Return what a message says: its text, or that of its parts, or its data."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str)]
        if texts:
            return " ".join(texts)
    return encode_value(content).decode("utf-8", "replace")


def shown_name(name: str) -> str:
    """Return a name as it stands on the page, wherever that is: harmless, not nothing, and not too long."""
    return shown(named(name[: NAME_CHARACTERS + 1]), NAME_CHARACTERS)


def _line(text: str) -> str:
    """Return the beginning of a text, in one line, with nothing in it that is obeyed where it is shown."""
    beginning = text[: 4 * DETAIL_CHARACTERS]  # white space is about to go
    return shown(clean(" ".join(beginning.split())), DETAIL_CHARACTERS)
