"""From when to when the timeline reaches: over the session's own time, whatever a single line claims."""

from __future__ import annotations

from dataclasses import dataclass

from deia.analysis.profile import Gap, SessionProfile
from deia.journal.limits import reach
from deia.report.items import Item
from deia.report.selection import Selected

_PAUSES = frozenset(("human", "idle", "between_runs"))
"""Gaps in which nothing is at work, so that the timeline may fold them …"""

_OUTLASTING = 20
"""… and any that is longer than this many times all else: a clock that was set, a task that begins in another age."""


@dataclass(frozen=True)
class Extent:
    """What the timeline covers.

    Attributes:
        start: Its beginning, Unix seconds.
        end: Its end.
        beyond: What begins before it or ends after it, and is cut there.
    """

    start: float
    end: float
    beyond: list[Item]


def extent(profile: SessionProfile, selected: Selected) -> Extent:
    """Return what the timeline of a session covers: all that was logged, and all that lasted, so far as it may be.

    A call that was logged first began before that, and is there from its beginning; one that claims to have begun in
    another age is cut.
    """
    analysis = profile.analysis
    known = [time for time in (analysis.first_time, analysis.last_time) if time is not None]
    placed = [(one.start, one.end, one) for one in selected.items if one.start is not None and one.end is not None]
    logged = selected.logged or ((known[0], known[-1]) if known else None)
    inside = placed
    if logged is not None:
        earliest, latest = reach(*logged)
        inside = [one for one in placed if earliest <= one[0] and one[1] <= latest]
        known = [time for time in (*known, *logged) if earliest <= time <= latest]
    if not inside:  # there is nothing beside which it would be too long
        inside = placed
    times = [*known, *(start for start, _, _ in inside), *(end for _, end, _ in inside)]
    start, end = (min(times), max(times)) if times else (0.0, 0.0)
    return Extent(start, end, [item for begin, to, item in placed if begin < start or to > end])


def pauses(profile: SessionProfile, covered: Extent) -> list[Gap]:
    """Return the gaps that the timeline may fold, in the order of time."""
    found = []
    for gap in profile.gaps:
        length = min(gap.end, covered.end) - max(gap.start, covered.start)
        rest = covered.end - covered.start - length
        if length > 0 and (gap.kind in _PAUSES or length > _OUTLASTING * rest):
            found.append(gap)
    return sorted(found, key=lambda gap: gap.start)
