"""The parts of a stretch of time that are covered by something."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

_CROWDED = 4096
_RECENT = 512
"""Pieces that stay apart: threads stamp before they log, so what comes next may reach back a little."""


class Cover:
    """Intervals, whole milliseconds, joined where they overlap or touch.

    Attributes:
        exact: False once an interval reached back into what had been summed up already.
    """

    __slots__ = ("_ends", "_starts", "_summed_ms", "_summed_to", "exact")

    def __init__(self) -> None:
        self.exact = True
        self._starts = array("q")
        self._ends = array("q")
        self._summed_ms = 0
        self._summed_to: int | None = None

    def add(self, start: int, end: int) -> None:
        """Cover an interval; one that ends before it begins covers nothing."""
        if self._summed_to is not None and start < self._summed_to:
            self.exact = False
            start = self._summed_to
        if end <= start:
            return
        starts, ends = self._starts, self._ends
        if not ends or start > ends[-1]:
            starts.append(start)
            ends.append(end)
            return
        low = bisect_left(ends, start)
        high = bisect_right(starts, end)
        if low < high:
            start = min(start, starts[low])
            end = max(end, ends[high - 1])
        starts[low:high] = array("q", (start,))
        ends[low:high] = array("q", (end,))

    @property
    def crowded(self) -> bool:
        """Whether it is time to `sum_up`."""
        return len(self._ends) >= _CROWDED

    @property
    def settled(self) -> int:
        """Until when `sum_up` sums up; of a cover that is `crowded`."""
        return self._ends[-_RECENT - 1]

    def sum_up(self) -> None:
        """Forget where the older pieces were, and keep how long they are together; of a cover that is `crowded`."""
        old = len(self._ends) - _RECENT
        self._summed_ms += sum(self._ends[:old]) - sum(self._starts[:old])
        self._summed_to = self._ends[old - 1]
        del self._starts[:old], self._ends[:old]

    def covered_ms(self, start: int, end: int) -> int:
        """Return how much of a stretch is covered; what was summed up is taken to be inside it."""
        return self._summed_ms + sum(e - s for s, e in self._within(start, end))

    def uncovered(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts of a stretch that are not covered, in order; of one that begins after what was summed up."""
        for covered_from, covered_to in self._within(start, end):
            if start < covered_from:
                yield start, covered_from
            start = covered_to
        if start < end:
            yield start, end

    def _within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the pieces of a stretch that are covered."""
        starts, ends = self._starts, self._ends
        for at in range(bisect_right(ends, start), bisect_left(starts, end)):
            yield max(starts[at], start), min(ends[at], end)
