"""What to make of a window whose offsets do not tell: after a loss of power, in a copied directory, on macOS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from deia.journal.continuity import Continuity
from deia.journal.glue import parts_of
from deia.queue.window import Window


def belongs(window: Window, journal_name: str, continuity: Continuity) -> bool:
    """Whether a window is of the session that a journal holds: by its lines, or by its name while it has none."""
    header = window.header
    if continuity.sessions:
        return continuity.goes_on_after(header.session_id) is not None
    return journal_name == f"{header.agent_id}_{header.session_id}.jsonl"


def lines_that_follow(window: Window, continuity: Continuity) -> list[bytes]:
    """Return the window's whole lines that go on where the journal's end."""
    seq = continuity.goes_on_after(window.header.session_id) or 0
    lines = _lines_after(window, seq)
    following = []
    while line := lines.get(seq := seq + 1):
        following.append(line)
    return following


def lines_beyond_a_gap(window: Window, continuity: Continuity, following: int = 0) -> int:
    """Count the window's lines of this session that nothing goes up to: not the journal, nor so many lines after it."""
    return len(_lines_after(window, (continuity.goes_on_after(window.header.session_id) or 0) + following))


def _lines_after(window: Window, seq: int) -> dict[int, bytes]:
    """Return the whole lines of the window's session with a higher `seq` than that, wherever in the ring they lie."""
    pieces = (window.data + window.rest).split(b"\n")
    last = pieces.pop()
    if pieces:
        pieces.append(last + pieces[0])  # the ring is a circle: cut anywhere, one line is in two pieces
    header = window.header
    lines: dict[int, bytes] = {}
    for piece in pieces:
        for line, fields in _whole_lines(piece):
            if (
                fields.get("agent_id") == header.agent_id
                and fields.get("session_id") == header.session_id
                and type(number := fields.get("seq")) is int
                and number > seq
            ):
                lines.setdefault(number, line + b"\n")
    return lines


def _whole_lines(piece: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield what can be read of the bytes between two newlines; the oldest line's beginning was overwritten."""
    line = piece.rpartition(b"\0")[2]  # zeros where nothing was written yet
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        for part in parts_of(line):
            yield line[part.start : part.end], part.fields
    else:
        if isinstance(fields, dict):
            yield line, fields
