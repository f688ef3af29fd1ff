"""How long a session's top-level tasks took together, without counting parallel work twice.

Tasks whose intervals overlap form a group; a group counts the longer of its union and the longest duration that a
caller gave for a task in it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

_COMPACT_AT = 2048
_RECENT = 512
"""Groups that are not joined yet: threads stamp a task before they log it, so the newest may still be met by others."""


@dataclass(slots=True)
class _Group:
    """One group, or several neighbours that can only grow together.

    Attributes:
        start: Unix seconds.
        first_end: End of the first of them.
        end: End of the last.
        longest_ms: The longest given duration in it.
        total_ms: What it counts.
        joined: Whether it stands for several.
    """

    start: float
    first_end: float
    end: float
    longest_ms: float
    total_ms: float
    joined: bool = False


class TaskGroups:
    """Takes intervals in any order, keeps the groups.

    Groups between whose ends no open task began stay apart or are bridged together, whatever comes: so `compact` may
    join them, and memory grows with the number of open tasks.

    Attributes:
        exact: False once an interval began inside of groups that had been joined (the wall clock was set back by more
            than a few hundred tasks): it was counted from their end on.
    """

    def __init__(self) -> None:
        self.exact = True
        self._groups: list[_Group] = []
        self._compact_at = _COMPACT_AT

    def add(self, start: float, end: float, duration_ms: float) -> None:
        """Take one task's interval, Unix seconds, and its duration."""
        end = max(start, end)
        groups = self._groups
        low = bisect_right(groups, start, key=_end)
        high = bisect_left(groups, end, key=_start)
        for group in groups[low:high]:
            if group.joined and not (start < group.first_end and group.end <= end):
                self.exact = False
                self.add(group.end, end, duration_ms)
                return
        new = _Group(start, end, end, duration_ms, max((end - start) * 1000, duration_ms))
        if low < high:
            overlapping = groups[low:high]
            new.start = min(start, overlapping[0].start)
            new.first_end = new.end = max(end, overlapping[-1].end)
            new.longest_ms = max(duration_ms, *(group.longest_ms for group in overlapping))
            new.total_ms = max((new.end - new.start) * 1000, new.longest_ms)
            groups[low:high] = [new]
        else:
            groups.insert(low, new)

    @property
    def crowded(self) -> bool:
        """Whether it is time to `compact`."""
        return len(self._groups) >= self._compact_at

    def compact(self, open_starts: Iterable[float]) -> None:
        """Join the groups that can only grow together.

        Args:
            open_starts: When the tasks began that are still open: each may yet bridge all groups after that.
        """
        starts = sorted(open_starts)
        old, recent = self._groups[:-_RECENT], self._groups[-_RECENT:]
        joined: list[_Group] = []
        for group in old:
            if joined:
                last = joined[-1]
                next_start = bisect_left(starts, last.end)
                if next_start == len(starts) or starts[next_start] >= group.end:
                    last.end = group.end
                    last.longest_ms = max(last.longest_ms, group.longest_ms)
                    last.total_ms += group.total_ms
                    last.joined = True
                    continue
            joined.append(group)
        self._groups = joined + recent
        self._compact_at = max(_COMPACT_AT, 2 * len(self._groups))

    def finish(self) -> float:
        """Return what all groups count together, milliseconds."""
        return math.fsum(group.total_ms for group in self._groups)


def _start(group: _Group) -> float:
    return group.start


def _end(group: _Group) -> float:
    return group.end
