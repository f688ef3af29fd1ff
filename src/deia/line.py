"""From an event's fields to its line, as `docs/reference/file-format.md` lays it down."""

from __future__ import annotations

from typing import Any

import orjson

from deia.plain import has_nonfinite, plain

VERSION = 1
"""The value of `v` in each line that this release writes."""


def encode(fields: dict[str, Any]) -> bytes:
    """Return the line of an event; data that JSON cannot hold is recorded in its most readable form.

    The log calls do the same in place, for speed, and come here where a plain `orjson.dumps` does not do.
    """
    encoded = _as_it_is(fields)
    # field by field: whatever one of them does, the event stays an object
    return (orjson.dumps(plain_fields(fields)) if encoded is None else encoded) + b"\n"


def encode_value(value: Any) -> bytes:
    """Return data as JSON, whatever it holds."""
    encoded = _as_it_is(value)
    return orjson.dumps(plain(value)) if encoded is None else encoded


def _as_it_is(value: Any) -> bytes | None:
    """Return data as JSON, or None where it has to be made plain before."""
    if type(value) is orjson.Fragment:  # which may be written otherwise than we write, or be no JSON
        return None
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        return None
    return None if b"null" in encoded and has_nonfinite(value) else encoded


def plain_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an event with each of its fields made plain."""
    return {name: plain(value) for name, value in fields.items()}


def encode_mapping(value: Any) -> bytes:
    """Return params or metadata as a JSON object; what is none is kept under the key `value`."""
    encoded = encode_value(value)
    return encoded if encoded.startswith(b"{") else b'{"value":' + encoded + b"}"


def extend(line: bytes, fields: dict[str, Any]) -> bytes:
    """Return a line with further fields at its end."""
    return line[:-2] + b"," + orjson.dumps(fields)[1:] + b"\n"


def shift(line: bytes, by: int) -> bytes:
    """Return a line with its `seq`, and the `seq`s it points to, moved by `by`.

    For events that waited in memory while their session's journal could not be opened, and then turns out to have a
    past.
    """
    fields = orjson.loads(line)
    for key in ("seq", "task_id", "parent_id"):
        if fields.get(key) is not None:
            fields[key] += by
    for key in ("session_start", "trace_id", "parent_span_id"):  # it is the first line of nothing any more
        fields.pop(key, None)
    return orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
