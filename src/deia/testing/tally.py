"""Count what there is of what is owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Tally:
    """What was lost, or was not.

    Attributes:
        tried: Deaths or faults tried.
        acknowledged: Events owed: their calls had returned (after a loss of power: were covered by a sync).
        found: How many of these were in the log afterwards.
        missing: How many were not.
        torn: Lines, or parts of one, that a reader reported as unreadable.
        duplicated: Events that were there more than once.
    """

    tried: int = 0
    acknowledged: int = 0
    found: int = 0
    missing: int = 0
    torn: int = 0
    duplicated: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)))


def compare(owed: Iterable[str], found: Iterable[str], *, tried: int = 1, torn: int = 0) -> Tally:
    """Count what there is of what is owed.

    Args:
        owed: Names of the events that have to be there.
        found: Names of the events that are there, these and others.
        tried: Deaths or faults that they went through.
        torn: What a reader reported as unreadable.
    """
    wanted, there = Counter(owed), Counter(found)
    return Tally(
        tried=tried,
        acknowledged=sum(wanted.values()),
        found=sum((wanted & there).values()),
        missing=sum((wanted - there).values()),
        torn=torn,
        duplicated=sum(there[name] - max(1, wanted[name]) for name in there),
    )
