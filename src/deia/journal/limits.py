"""How large a number in a line may be, and how far its word about time is followed."""

from __future__ import annotations

LARGEST = 2**64 - 1
"""What the logger takes; JSON parsers make a float of anything beyond."""

LATEST = 2**53 // 1000
"""Unix seconds up to which milliseconds can be told apart: the year 287,000."""

LARGEST_SEQ = 2**53
"""No session counts so far: a higher `seq` is damage, and would soon be too large for a line to hold."""

DURATION_STEP_S = 0.001
"""Durations are whole milliseconds, moments are not: by its end and its duration a call may begin before its task did,
or before the end of the call before it, by that much. Timelines take it for touching these."""

_REACH_S = 3600.0


def reach(first: float, last: float) -> tuple[float, float]:
    """Return from when to when there may be anything of what was logged between two moments, Unix seconds.

    What was logged first began before that. Where it did so by more than an hour, and by more than all the rest took, a
    number is wrong: nanoseconds taken for milliseconds, say. One of them would leave a timeline nothing to show but
    itself, so what reaches further is cut where it is drawn, and said to be.
    """
    further = max(last - first, _REACH_S)
    return first - further, last + further
