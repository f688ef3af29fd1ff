"""From what a session has recorded back to events: its lines, and what each of them says.

Apart from who hands them out, so that a program that only records need not import what reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import orjson

from deia.bus.course import Chunk, Position
from deia.journal.decode import NotAnEventError, decode, unknown


def lines_of(chunk: Chunk) -> Iterator[tuple[Position, str, bytes]]:
    """Yield each line: the position behind it, its event's name, and its bytes."""
    stretch, offset, seq, after = chunk.position
    for line in BytesIO(chunk.data):
        offset += len(line)
        seq += 1
        yield Position(stretch, offset, seq, after), _name_of(line), line


def _name_of(line: bytes) -> str:
    parts = line.split(b'"', 4)  # {"type":"NAME",…
    return parts[3].decode("utf-8", "replace") if len(parts) == 5 else ""


def event_of(line: bytes) -> Any:
    """Return the event of a line; None where somebody has damaged it in its file.

    A class of the user's own is left to whoever takes the event: its constructor may do anything, and take its time.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict) or type(fields.get("type")) is not str:
        return None
    try:
        return decode(fields)
    except NotAnEventError:
        return unknown(fields["type"], fields)
