"""The critical path: of all chains of work, each piece begun after the one before it ended, the longest.

A log does not say what waited for what. What overlapped did not; what came later may have. So the longest chain is what
nothing that ran beside it explains: to make the session shorter, something on it must become shorter.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence

from deia.analysis.profile.result import STEPS_KEPT, PathStep, StepKind
from deia.analysis.profile.shown import NAME_SHOWN, shown
from deia.journal.limits import LARGEST_SEQ

PIECES_KEPT = 1024 * 1024
"""How many pieces of work are kept, the longest: they take some 30 MB, and as much again when the path is found."""

_NAMES_KEPT = 64 * 1024
_NO_SEQ = -1


class Work:
    """Takes pieces of work, in any order.

    Attributes:
        exact: False once there were so many that short ones had to be left out.
    """

    def __init__(self) -> None:
        self.exact = True
        self._starts = array("q")
        self._ends = array("q")
        self._names = array("i")
        self._seqs = array("q")
        self._index: dict[tuple[StepKind, str], int] = {}
        self._base = 0

    def add(self, kind: StepKind, name: str, start: int, end: int, seq: int | None) -> int | None:
        """Take a piece, milliseconds, and return its place; what took no time is none."""
        if start >= end:
            return None
        key = (kind, shown(name, NAME_SHOWN))
        if len(self._index) >= _NAMES_KEPT and key not in self._index:
            self.exact = False
            key = (kind, "…")
        self._starts.append(start)
        self._ends.append(end)
        self._names.append(self._index.setdefault(key, len(self._index)))
        self._seqs.append(seq if seq is not None and 0 <= seq <= LARGEST_SEQ else _NO_SEQ)
        place = self._base + len(self._ends) - 1
        if len(self._ends) > PIECES_KEPT:
            self._leave_out_short_ones()
        return place

    def withdraw(self, place: int) -> None:
        """Have what was added there take no time."""
        if place < self._base:
            self.exact = False
        else:
            self._ends[place - self._base] = self._starts[place - self._base]

    def path(self, first: int, last: int, unix_s: Callable[[int], float]) -> tuple[list[PathStep], bool]:
        """Return the longest chain with the waits between its pieces, and whether steps were left out.

        Args:
            first: Where the first step begins, milliseconds; work before is cut.
            last: Where the last one ends; work after is cut.
            unix_s: Makes Unix seconds of milliseconds.
        """
        for at in range(len(self._ends)):
            self._starts[at] = max(self._starts[at], first)
            self._ends[at] = min(self._ends[at], last)
        names = list(self._index)
        steps: list[tuple[int, int, StepKind, str, int | None]] = []
        reached = first
        for at in longest_chain(self._starts, self._ends):
            start, end, seq = self._starts[at], self._ends[at], self._seqs[at]
            if start > reached:
                steps.append((reached, start, "wait", "", None))
            kind, name = names[self._names[at]]
            steps.append((start, end, kind, name, None if seq == _NO_SEQ else seq))
            reached = end
        if last > reached:
            steps.append((reached, last, "wait", "", None))
        kept = steps
        if len(steps) > STEPS_KEPT:
            kept = sorted(sorted(steps, key=lambda step: step[0] - step[1])[:STEPS_KEPT], key=lambda step: step[0])
        path = [PathStep(kind, name, unix_s(start), unix_s(end), seq) for start, end, kind, name, seq in kept]
        return path, len(kept) < len(steps)

    def _leave_out_short_ones(self) -> None:
        self.exact = False
        self._base += len(self._ends)
        lengths = array("q", (end - start for start, end in zip(self._starts, self._ends, strict=True)))
        kept = sorted(sorted(range(len(lengths)), key=lengths.__getitem__)[len(lengths) // 2 :])
        self._starts = array("q", (self._starts[at] for at in kept))
        self._ends = array("q", (self._ends[at] for at in kept))
        self._names = array("i", (self._names[at] for at in kept))
        self._seqs = array("q", (self._seqs[at] for at in kept))


def longest_chain(starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    """Return which intervals, in order, follow each other without overlap and take the longest together.

    Those that take no time are left out. Of chains that are equally long, it is one that ends last.
    """
    order = sorted((at for at in range(len(ends)) if starts[at] < ends[at]), key=ends.__getitem__)
    in_order = array("q", (ends[at] for at in order))
    longest = array("q", bytes(8 * (len(order) + 1)))  # of the first so many
    taken = bytearray(len(order))
    for number, at in enumerate(order):
        # those before which it can follow: it is none of them, as it took some time
        before = bisect_right(in_order, starts[at], 0, number)
        with_it = longest[before] + ends[at] - starts[at]
        taken[number] = with_it >= longest[number]
        longest[number + 1] = max(with_it, longest[number])
    chain: list[int] = []
    number = len(order)
    while number:
        number -= 1
        if taken[number]:
            at = order[number]
            chain.append(at)
            number = bisect_right(in_order, starts[at], 0, number)
    chain.reverse()
    return chain
