"""From a line's fields to the typed event: what must be there, and of which type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from deia.journal.limits import LARGEST, LATEST
from deia.journal.record import is_original

Fields = dict[str, Any]


class NotAnEventError(ValueError):
    """A JSON object that is no event; the text says why."""


def decode(fields: Fields) -> AnyEvent:
    """Return the event of a line.

    Args:
        fields: The line, parsed; kept by an `UnknownEvent`.

    Raises:
        NotAnEventError: A field that must be there is missing or of the wrong type, or nothing tells what event it is.
    """
    kind = fields.get("type")
    if kind is None:
        return _decode_untyped(fields)
    if type(kind) is not str:
        raise _wrong("type", "text", kind)
    build = _BUILDERS.get(kind)
    return unknown(kind, fields) if build is None else build(fields)


def unknown(kind: str, fields: Fields) -> UnknownEvent:
    """Return a line of a type, or in a shape, that this release does not know; whatever it says is kept."""
    seq, agent_id, session_id = fields.get("seq"), fields.get("agent_id"), fields.get("session_id")
    return UnknownEvent(
        kind,
        fields,
        seq=seq if type(seq) is int else None,
        timestamp=seconds_if_any(fields, "timestamp"),
        agent_id=agent_id if type(agent_id) is str else None,
        session_id=session_id if type(session_id) is str else None,
    )


def seconds_if_any(fields: Fields, name: str) -> float | None:
    """Return a time if the field is one; it may be missing, and it may be anything else."""
    value = fields.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LATEST:
        return float(value)
    return None


def _decode_untyped(fields: Fields) -> AnyEvent:
    """Tell lines of the original format apart by their keys."""
    if "start_time" in fields:
        return _task(fields)
    if "operation" in fields:
        return _file(fields)
    if "params" in fields and "duration_ms" in fields:
        return _tool(fields)
    raise NotAnEventError("not an event: neither a type nor the keys of the original format")


def _task(fields: Fields) -> TaskEvent:
    end_time = fields.get("end_time")
    return TaskEvent(
        _text(fields, "name"),
        _seconds(fields, "start_time"),
        None if end_time is None else _seconds(fields, "end_time"),
        _mapping(fields.get("metadata")),
        duration_ms=_whole_or_none(fields, "duration_ms"),
        task_id=_whole_or_none(fields, "task_id"),
        parent_id=_whole_or_none(fields, "parent_id"),
        orphan=fields.get("orphan") is True,
        **_outcome(fields),
        **_logged(fields),
    )


def _file(fields: Fields) -> FileEvent:
    return FileEvent(
        _text(fields, "path"),
        _text(fields, "operation"),
        _whole_or_none(fields, "size_bytes"),
        _whole_or_none(fields, "lines"),
        duration_ms=_whole_or_none(fields, "duration_ms"),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _tool(fields: Fields) -> ToolEvent:
    return ToolEvent(
        _text(fields, "name"),
        _mapping(fields.get("params")),
        _whole(fields, "duration_ms"),
        task_id=_whole_or_none(fields, "task_id"),
        **_outcome(fields),
        **_logged(fields),
    )


def _llm(fields: Fields) -> LLMEvent:
    return LLMEvent(
        _text(fields, "provider"),
        _text(fields, "model"),
        _whole_or_none(fields, "input_tokens"),
        _whole_or_none(fields, "output_tokens"),
        _whole_or_none(fields, "cache_read_tokens"),
        _whole_or_none(fields, "cache_write_tokens"),
        _whole_or_none(fields, "reasoning_tokens"),
        _whole_or_none(fields, "duration_ms"),
        _whole_or_none(fields, "time_to_first_token_ms"),
        None if fields.get("cost_usd") is None else float(_number(fields, "cost_usd", LARGEST)),
        _text_or_none(fields, "response_id"),
        _whole_or_none(fields, "attempt"),
        _text_or_none(fields, "error_type"),
        _text_or_none(fields, "error"),
        _mapping(fields.get("metadata")),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _message(fields: Fields) -> MessageEvent:
    if "content" not in fields:
        raise NotAnEventError("field 'content' is missing")
    return MessageEvent(
        _text(fields, "role"),
        fields["content"],
        _text_or_none(fields, "message_id"),
        _mapping(fields.get("metadata")),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _error(fields: Fields) -> ErrorEvent:
    return ErrorEvent(
        _text_or_none(fields, "error_type"),
        _text(fields, "message"),
        _text_or_none(fields, "where"),
        _text_or_none(fields, "traceback"),
        _mapping(fields.get("metadata")),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _decision(fields: Fields) -> DecisionEvent:
    alternatives = fields.get("alternatives")
    return DecisionEvent(
        _text(fields, "decision"),
        _text_or_none(fields, "reason"),
        alternatives if type(alternatives) is list else [] if alternatives is None else [alternatives],
        _mapping(fields.get("metadata")),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _action_item(fields: Fields) -> ActionItemEvent:
    return ActionItemEvent(
        _text(fields, "item"),
        _text_or_none(fields, "assignee"),
        _text_or_none(fields, "due"),
        fields.get("done") is True,
        _mapping(fields.get("metadata")),
        task_id=_whole_or_none(fields, "task_id"),
        **_logged(fields),
    )


def _session(fields: Fields) -> SessionEvent:
    return SessionEvent(
        _text(fields, "event"),
        _whole_or_none(fields, "run"),
        _whole_or_none(fields, "recovered_bytes"),
        _whole_or_none(fields, "lost_bytes"),
        _whole_or_none(fields, "dropped"),
        source if type(source := fields.get("source")) is str else None,
        _mapping(fields.get("metadata")),
        **_logged(fields),
    )


_BUILDERS: dict[str, Callable[[Fields], AnyEvent]] = {
    "TaskEvent": _task,
    "FileEvent": _file,
    "ToolEvent": _tool,
    "LLMEvent": _llm,
    "MessageEvent": _message,
    "ErrorEvent": _error,
    "DecisionEvent": _decision,
    "ActionItemEvent": _action_item,
    "SessionEvent": _session,
}


def _outcome(fields: Fields) -> dict[str, Any]:
    """Return what tells of a failure or a cancellation; callers of other programs may put anything there."""
    if "error" not in fields and "cancelled" not in fields:  # nearly always
        return {}
    kind, error = fields.get("error_type"), fields.get("error")
    return {
        "error_type": kind if type(kind) is str else None,
        "error": error if type(error) is str else None,
        "cancelled": fields.get("cancelled") is True,
    }


def _logged(fields: Fields) -> dict[str, Any]:
    """Return what every line carries beside its event; in the original format it may be missing, or be anything."""
    if is_original(fields):
        known = unknown("", fields)
        return {name: getattr(known, name) for name in ("seq", "timestamp", "agent_id", "session_id")}
    timestamp = fields.get("timestamp")
    return {
        "seq": _whole_or_none(fields, "seq"),
        "timestamp": None if timestamp is None else _seconds(fields, "timestamp"),
        "agent_id": _text_or_none(fields, "agent_id"),
        "session_id": _text_or_none(fields, "session_id"),
    }


def _text(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if type(value) is not str:
        raise _wrong(name, "text", value) if name in fields else NotAnEventError(f"field {name!r} is missing")
    return value


def _text_or_none(fields: Fields, name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _number(fields: Fields, name: str, largest: int) -> int | float:
    value = fields.get(name)
    if type(value) is not int and type(value) is not float:
        raise _wrong(name, "a number", value) if name in fields else NotAnEventError(f"field {name!r} is missing")
    if not -largest <= value <= largest:
        raise NotAnEventError(f"field {name!r} is out of range: {value!r}")
    return value


def _seconds(fields: Fields, name: str) -> float:
    return float(_number(fields, name, LATEST))


def _whole(fields: Fields, name: str) -> int:
    """Return a count or a duration; the original format has fractions of a millisecond, which are rounded."""
    return round(_number(fields, name, LARGEST))


def _whole_or_none(fields: Fields, name: str) -> int | None:
    value = fields.get(name)
    if type(value) is int and -LARGEST <= value <= LARGEST:  # nearly always; the call costs more than the check
        return value
    return None if value is None else _whole(fields, name)


def _mapping(value: Any) -> dict[str, Any]:
    """Return metadata or parameters as the logger records them: nothing is `{}`, what is no mapping is kept in one."""
    if type(value) is dict:
        return value
    return {} if value is None else {"value": value}


def _wrong(name: str, wanted: str, value: object) -> NotAnEventError:
    shown = repr(value)
    return NotAnEventError(f"field {name!r} must be {wanted}, not {shown if len(shown) <= 40 else shown[:40] + '…'}")
