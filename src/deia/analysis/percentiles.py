"""Percentiles of a stream of durations, in bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

_EXACT_BELOW = 100
"""Milliseconds up to which each value has a bucket of its own: rounding to whole ones would cost over 1 % there."""

_ERROR = 0.005
"""Half of the 1 % that is promised; the other half is rounding at `_EXACT_BELOW`."""

_REMEMBERED = 32 * 1024
"""Durations whose bucket is remembered: most come again, and a logarithm costs more than a look."""

_GROWTH = (1 + _ERROR) / (1 - _ERROR)
_LOG_GROWTH = math.log(_GROWTH)


class Percentiles:
    """A histogram whose buckets grow by 1 %: its memory grows with the range of the values and not with their number.

    The longest duration that a line may state falls into bucket 3,314: that many counters at most.
    """

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self._count = 0
        self._smallest = 0
        self._largest = 0

    def add(self, value: int) -> None:
        """Count one duration, milliseconds, 0 or more."""
        if value < self._smallest or not self._count:
            self._smallest = value
        self._largest = max(self._largest, value)
        self._buckets[_bucket(value)] += 1
        self._count += 1

    def add_counted(self, buckets: Sequence[tuple[int, int]], smallest: int, largest: int) -> None:
        """Count durations that are in their buckets already, as `buckets_of` puts them there.

        Args:
            buckets: Bucket and number of durations in it.
            smallest: The shortest of them, milliseconds; of none, 0.
            largest: The longest; likewise.
        """
        if not buckets:
            return
        self._smallest = min(self._smallest, smallest) if self._count else smallest
        self._largest = max(self._largest, largest)
        for bucket, count in buckets:
            self._buckets[bucket] += count
            self._count += count

    @property
    def count(self) -> int:
        """How many durations were counted."""
        return self._count

    @property
    def smallest(self) -> int:
        """The shortest of them, milliseconds; 0 without any."""
        return self._smallest

    @property
    def largest(self) -> int:
        """The longest of them, milliseconds; 0 without any."""
        return self._largest

    @property
    def buckets(self) -> list[tuple[int, int]]:
        """Each bucket with something in it, and how much, the shortest durations first."""
        return sorted(self._buckets.items())

    def at(self, percent: int) -> int:
        """Return the value, to 1 %, that `percent` of the values do not exceed (nearest rank); 0 without any."""
        rank = -(-percent * self._count // 100)  # rounded up, in whole numbers: 0.07 * 100 is more than 7
        if rank == self._count:
            return self._largest
        buckets = sorted(self._buckets)
        last_ranks = list(accumulate(self._buckets[bucket] for bucket in buckets))
        value = value_of(buckets[bisect_left(last_ranks, rank)])
        return max(self._smallest, min(value, self._largest))


def buckets_of(values: Iterable[int]) -> Counter[int]:
    """Return how many of some durations, milliseconds, 0 or more, fall into each bucket."""
    return Counter(map(_bucket, values))


class _Buckets(dict[int, int]):
    """Duration, milliseconds, 0 or more → its bucket."""

    def __missing__(self, value: int) -> int:
        bucket = value
        if value > _EXACT_BELOW:
            bucket = _EXACT_BELOW + math.ceil(math.log(value / _EXACT_BELOW) / _LOG_GROWTH)
        if len(self) < _REMEMBERED:
            self[value] = bucket
        return bucket


_bucket = _Buckets().__getitem__


def value_of(bucket: int) -> int:
    """Return the value, milliseconds, from which the bucket's two ends are equally far, relatively."""
    if bucket <= _EXACT_BELOW:
        return bucket
    return round(_EXACT_BELOW * _GROWTH ** (bucket - _EXACT_BELOW) * (1 - _ERROR))
