"""Whether `seq` counts on: how a reader sees that events are missing."""

from __future__ import annotations

from deia.journal.damage import DamageKind


class Continuity:
    """Follows `seq` through a file; sessions may follow each other in it, each counting from 1.

    After a step back it follows the repeated run: a file that holds a session twice gives one finding, not one a line.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._highest: dict[str, int] = {}

    def highest(self, session_id: str) -> int | None:
        """Return the highest `seq` of a session so far; None where it has no line."""
        return self._highest.get(session_id)

    @property
    def sessions(self) -> int:
        """How many sessions were seen."""
        return len(self._highest)

    def begin(self, session_id: str, after_seq: int) -> None:
        """Take it that a session was read up to a `seq`: this reading begins in its middle."""
        self._last[session_id] = self._highest[session_id] = after_seq

    def go_on(self, session_id: str, after_seq: int, *, unreadable: int) -> tuple[DamageKind, str] | None:
        """Go on in a file that follows a given `seq`; return what is wrong with that, as `see` does."""
        highest = self._highest.get(session_id, 0)
        if after_seq <= highest:
            return None
        self.begin(session_id, after_seq)
        return self._gap(highest, after_seq, unreadable)

    def see(self, session_id: str, seq: int, *, unreadable: int) -> tuple[DamageKind, str] | None:
        """Take the next line's `seq`.

        Args:
            session_id: Whose it is.
            seq: The line's.
            unreadable: Lines before it that could not be read: as many missing events are accounted for.

        Returns:
            What is wrong with it, if anything.
        """
        last = self._last.get(session_id, 0)
        highest = self._highest.get(session_id, 0)
        self._last[session_id] = seq
        if seq > highest:
            self._highest[session_id] = seq
            return self._gap(highest, seq - 1, unreadable)
        if seq == last + 1:
            return None
        return "duplicate", f"seq {seq} comes after seq {last}: the line is repeated, or out of its place"

    @staticmethod
    def _gap(highest: int, last: int, unreadable: int) -> tuple[DamageKind, str] | None:
        """Report that all from after `highest` to `last` is missing, unless unreadable lines account for it."""
        missing = last - highest
        if missing <= unreadable:
            return None
        which = f"{last} is" if missing == 1 else f"{highest + 1} to {last} are"
        return "gap", f"seq {which} missing before this line"
