"""What the events of an imported session have of their own, as `docs/reference/file-format.md` orders it."""

from __future__ import annotations

from typing import Any

from deia.journal.limits import LARGEST
from deia.plain import plain

Fields = dict[str, Any]

_TITLE_LENGTH = 80
"""Characters of a task's name that is made of a prompt: what fits one line of a table."""

_TITLE_LOOKED_AT = 8 * _TITLE_LENGTH
"""Characters of a prompt that such a name is made of."""


def title(text: str, otherwise: str) -> str:
    """Return the beginning of a text in one line, as a name.

    It ends before a secret that does not fit in it whole: no rule would know a part of it for one.

    Args:
        text: Any text.
        otherwise: The name where there is nothing in it.
    """
    begun = text[:_TITLE_LOOKED_AT]
    line = " ".join(begun.split())
    if len(line) > _TITLE_LENGTH:
        line = line[: _before_secret(line, _TITLE_LENGTH - 1)].rstrip() + "…"
    elif len(begun) < len(text):  # blanks, but for a few words, of which the last may go on
        line = line[: _before_secret(" ".join(text[: 8 * _TITLE_LOOKED_AT].split()), len(line))]
    return line or otherwise


def _before_secret(line: str, cut: int) -> int:
    """Return where to cut a line: there, or before a secret that would be cut in two."""
    from deia.redaction.text import find  # its rules take milliseconds to load, and most texts are short

    return next((begin for begin, end, _ in find(line) if begin < cut < end), cut)


def lines_in(text: str) -> int:
    """Return how many lines a text has; the last one need not end in a newline."""
    return text.count("\n") + (0 if text.endswith("\n") or not text else 1)


def bytes_in(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def count(name: str, value: object) -> Fields:
    """Return the fields of a size or a number of tokens; what cannot be one is null, with what was given beside it."""
    if value is None or (type(value) is int and 0 <= value <= LARGEST):
        return {name: value}
    return {name: None, f"given_{name}": str(plain(value))}


def number(value: object) -> float | None:
    """Return a number that is not negative and not too large for a line; None for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LARGEST:
        return float(value)
    return None


def duration(seconds: float | None, name: str = "duration_ms") -> Fields:
    """Return the fields of a duration; a negative one is 0, with what was given beside it."""
    if seconds is None:
        return {name: None}
    milliseconds = round(seconds * 1000)
    return {name: milliseconds} if milliseconds >= 0 else {name: 0, f"given_{name}": milliseconds}


def failure(error_type: str, error: str) -> Fields:
    """Return the fields that tell of a failure."""
    return {"error_type": error_type, "error": error}


def cancellation(reason: str) -> Fields:
    """Return the fields that tell of what was not carried through, and is no failure of its own."""
    return {"error_type": reason, "cancelled": True}


def message(role: str, content: Any, *, message_id: str | None = None, metadata: Fields | None = None) -> Fields:
    """Return the fields of a MessageEvent."""
    return {
        "type": "MessageEvent",
        "role": role,
        "content": content,
        "message_id": message_id,
        "metadata": metadata or {},
    }


def tool(name: str, params: Any, lasted: Fields, outcome: Fields) -> Fields:
    """Return the fields of a ToolEvent; `lasted` are those of its duration."""
    if type(params) is not dict:
        params = {} if params is None else {"value": params}
    return {"type": "ToolEvent", "name": name, "params": params, **lasted, **outcome}


def file(path: str, operation: str, size_bytes: int | None, lines: int | None) -> Fields:
    """Return the fields of a FileEvent."""
    return {
        "type": "FileEvent",
        "path": path,
        "operation": operation,
        **count("size_bytes", size_bytes),
        **count("lines", lines),
    }


def error(error_type: str, text: str, metadata: Fields | None = None) -> Fields:
    """Return the fields of an ErrorEvent."""
    return {
        "type": "ErrorEvent",
        "error_type": error_type,
        "message": text,
        "where": None,
        "traceback": None,
        "metadata": metadata or {},
    }


def record(kind: str, name: str, whole: Fields) -> Fields:
    """Return the fields of what has no counterpart among our events, and is kept as it stands.

    Args:
        kind: The type of such events.
        name: What the record calls itself.
        whole: The record.
    """
    return {"type": kind, "name": name, "record": whole}
