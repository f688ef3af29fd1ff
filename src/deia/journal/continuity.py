"""Whether `seq` counts on: how a reader sees that events are missing."""

from __future__ import annotations

from deia.journal.damage import DamageKind

_LARGEST = 2**53
"""No session counts so far: a higher `seq` is damage, and would soon be too large for a line to hold."""


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

    @property
    def sessions(self) -> int:
        """How many sessions were seen."""
        return len(self._last)

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
        if seq > _LARGEST:
            return "duplicate", f"seq {seq} is more than any session counts to"
        highest = max(last, borne_out)
        self._last[session_id] = seq
        if seq == last + 1:
            self._borne_out[session_id] = max(borne_out, seq)
            return None
        if seq > highest:
            self._borne_out[session_id] = highest
            missing = seq - highest - 1 - sum(highest < leap < seq for leap in self._leaps.get(session_id, ()))
            if missing <= unreadable:
                return None
            which = f"{highest + 1} is" if missing == 1 else f"{highest + 1} to {seq - 1} are"
            return "gap", f"seq {which} missing before this line"
        if last > borne_out:
            self._borne_out[session_id] = max(borne_out, seq)
            leaps = self._leaps.setdefault(session_id, set())
            if len(leaps) < _MOST_LEAPS:
                leaps.add(last)
        else:
            self._borne_out[session_id] = borne_out
        return "duplicate", f"seq {seq} comes after seq {last}: the line is repeated, or out of its place"
