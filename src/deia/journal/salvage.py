"""What to make of a window whose offsets do not tell: after a loss of power, in a copied directory, on macOS."""

from __future__ import annotations

from deia.journal.continuity import Continuity
from deia.queue.window import Window


def belongs(window: Window, journal_name: str, continuity: Continuity) -> bool:
    """Whether a window is of the session that a journal holds: by its lines, or by its name while it has none."""
    header = window.header
    if continuity.sessions:
        return continuity.goes_on_after(header.session_id) is not None
    return journal_name == f"{header.agent_id}_{header.session_id}.jsonl"


def lines_that_follow(window: Window, continuity: Continuity) -> list[bytes]:
    """Return the window's whole lines that go on where the journal's end."""
    return list(window.salvage(continuity.goes_on_after(window.header.session_id) or 0))


def lines_beyond_a_gap(window: Window, continuity: Continuity, following: int = 0) -> int:
    """Count the window's lines of this session that nothing goes up to: not the journal, nor so many lines after it."""
    last_seq = (continuity.goes_on_after(window.header.session_id) or 0) + following
    return len(window.lines_after(last_seq))
