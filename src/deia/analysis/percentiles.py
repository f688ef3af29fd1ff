"""Percentiles of a stream of durations, in bounded memory."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

_EXACT_BELOW = 100
"""Milliseconds up to which each value has a bucket of its own: rounding to whole ones would cost over 1 % there."""

_ERROR = 0.005
"""Half of the 1 % that is promised; the other half is rounding at `_EXACT_BELOW`."""

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
        self._buckets[_bucket(value)] += 1
        self._smallest = min(self._smallest, value) if self._count else value
        self._count += 1
        self._largest = max(self._largest, value)

    def at(self, percent: int) -> int:
        """Return the value, to 1 %, that `percent` of the values do not exceed (nearest rank); 0 without any."""
        rank = -(-percent * self._count // 100)  # rounded up, in whole numbers: 0.07 * 100 is more than 7
        if rank == self._count:
            return self._largest
        buckets = sorted(self._buckets)
        last_ranks = list(accumulate(self._buckets[bucket] for bucket in buckets))
        value = _value(buckets[bisect_left(last_ranks, rank)])
        return max(self._smallest, min(value, self._largest))


def _bucket(value: int) -> int:
    if value <= _EXACT_BELOW:
        return value
    return _EXACT_BELOW + math.ceil(math.log(value / _EXACT_BELOW) / _LOG_GROWTH)


def _value(bucket: int) -> int:
    """Return the value from which the bucket's two ends are equally far, relatively."""
    if bucket <= _EXACT_BELOW:
        return bucket
    return round(_EXACT_BELOW * _GROWTH ** (bucket - _EXACT_BELOW) * (1 - _ERROR))
