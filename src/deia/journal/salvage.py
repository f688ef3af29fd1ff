"""What to make of a window whose offsets do not tell: after a loss of power, in a copied directory, on macOS."""

from __future__ import annotations

import orjson

from deia.journal.continuity import Continuity
from deia.queue.window import Window


def belongs(window: Window, journal_name: str, continuity: Continuity) -> bool:
    """Whether a window is of the session that a journal holds: by its lines, or by its name while it has none."""
    header = window.header
    if continuity.sessions:
        return continuity.highest(header.session_id) is not None
    return journal_name == f"{header.agent_id}_{header.session_id}.jsonl"


def lines_that_follow(window: Window, continuity: Continuity) -> list[bytes]:
    """Return the window's whole lines that go on where the journal's end."""
    return list(window.salvage(continuity.highest(window.header.session_id) or 0))


def lines_beyond_a_gap(window: Window, continuity: Continuity) -> int:
    """Count the window's lines of this session that nothing read so far goes up to."""
    session_id = window.header.session_id
    highest = continuity.highest(session_id) or 0
    found = 0
    for line in window.data.split(b"\n")[:-1]:
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue  # the window begins in the middle of a line; whatever else it is, it is no event
        if isinstance(fields, dict) and fields.get("session_id") == session_id:
            seq = fields.get("seq")
            found += isinstance(seq, int) and seq > highest
    return found
