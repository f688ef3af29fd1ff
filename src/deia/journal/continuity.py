"""Whether `seq` counts on: how a reader sees that events are missing."""

from __future__ import annotations

from deia.journal.damage import DamageKind
from deia.journal.limits import LARGEST_SEQ

_MOST_LEAPS = 1000
"""How many are remembered, so that what came too early is not missed later."""


class Continuity:
    """Follows `seq` through a file; sessions may follow each other in it, each counting from 1.

    After a step back it follows the repeated run: a file that holds a session twice gives one finding, not one a line.
    A `seq` that leaps ahead is believed once the next line does not step back from it: one damaged digit is one thing,
    lost lines are another, and what is counted on from must be the latter.
    """

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._borne_out: dict[str, int] = {}
        self._leaps: dict[str, set[int]] = {}

    def goes_on_after(self, session_id: str) -> int | None:
        """Return the `seq` that a session's next line follows; None where it has no line."""
        last = self._last.get(session_id)
        if last is None:
            return None
        seq = max(self._borne_out[session_id], last)
        leaps = self._leaps.get(session_id, ())
        while seq + 1 in leaps:
            seq += 1
        return seq

    def borne_out(self, session_id: str) -> int:
        """Return the highest `seq` of a session that is no leap of one line alone; 0 where it has none."""
        return self._borne_out.get(session_id, 0)

    def follows(self, session_id: str, seq: int) -> bool:
        """Whether a line is the one after the session's line before it."""
        return seq == self._last.get(session_id, 0) + 1

    def go_through(self, session_id: str, last_seq: int) -> None:
        """Take lines that count up by one, of which the first `follows`, and the last has a given `seq`."""
        self._last[session_id] = last_seq
        self._borne_out[session_id] = max(self._borne_out.get(session_id, 0), last_seq)

    @property
    def sessions(self) -> int:
        """How many sessions were seen."""
        return len(self._last)

    def begin(self, session_id: str, after_seq: int) -> None:
        """Take it that a session was read up to a `seq`: this reading begins in its middle."""
        self._last[session_id] = self._borne_out[session_id] = after_seq

    def go_on(self, session_id: str, after_seq: int, *, unreadable: int) -> tuple[DamageKind, str] | None:
        """Go on in a file that follows a given `seq`; return what is wrong with that, as `see` does."""
        highest = self.goes_on_after(session_id) or 0
        if after_seq <= highest:
            return None
        self.begin(session_id, after_seq)
        return self._gap(session_id, highest, after_seq, unreadable)

    def see(self, session_id: str, seq: int, *, unreadable: int) -> tuple[DamageKind, str] | None:
        """Take the next line's `seq`.

        Args:
            session_id: Whose it is.
            seq: The line's.
            unreadable: Lines before it that could not be read: as many missing events are accounted for.

        Returns:
            What is wrong with it, if anything.
        """
        last = self._last.setdefault(session_id, 0)
        borne_out = self._borne_out.setdefault(session_id, 0)
        if seq > LARGEST_SEQ:
            return "duplicate", f"seq {seq} is more than any session counts to"
        highest = max(last, borne_out)
        self._last[session_id] = seq
        if seq == last + 1:
            self._borne_out[session_id] = max(borne_out, seq)
            return None
        if seq > highest:
            self._borne_out[session_id] = highest
            return self._gap(session_id, highest, seq - 1, unreadable)
        if last > borne_out:
            self._borne_out[session_id] = max(borne_out, seq)
            leaps = self._leaps.setdefault(session_id, set())
            if len(leaps) < _MOST_LEAPS:
                leaps.add(last)
        else:
            self._borne_out[session_id] = borne_out
        return "duplicate", f"seq {seq} comes after seq {last}: the line is repeated, or out of its place"

    def _gap(self, session_id: str, highest: int, last: int, unreadable: int) -> tuple[DamageKind, str] | None:
        """Report that all from after `highest` to `last` is missing, unless unreadable lines account for it."""
        missing = last - highest - sum(highest < leap <= last for leap in self._leaps.get(session_id, ()))
        if missing <= unreadable:
            return None
        which = f"{last} is" if missing == 1 else f"{highest + 1} to {last} are"
        return "gap", f"seq {which} missing before this line"
