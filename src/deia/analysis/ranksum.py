"""Whether durations differ by more than noise: the rank-sum test, and by how much they do.

`docs/reference/comparing.md` has the formulas, with their sources and their limits. Everything here is computed from
histograms, so that millions of durations cost no more than their buckets.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

FEWEST_CLUSTERS = 3
"""Sessions that a group must have at least for what differs between sessions to be told from what differs within."""

_NORMAL_FROM = 200
"""Degrees of freedom from which on Student's distribution is taken for the normal one: they differ by 0.0001 there."""

_EXACT_UP_TO = 24
"""Values of both groups together up to which all arrangements are counted: that takes a few milliseconds."""

_RATIO_STEPS = 60
"""Halvings of the interval in which a ratio is looked for: from 2**64 in both directions to one part in 10**13."""


@dataclass(frozen=True)
class RankSum:
    """The outcome of a test.

    Attributes:
        superiority: How likely one of the second group is larger than one of the first, equal ones counted half; 0.5
            where neither tends to be.
        p: How likely groups that do not differ give an outcome at least so far from that, in either direction.
        clustered: Whether sessions were taken as a whole, because there were enough of them; else each value by itself.
        constant: Whether all values of both groups are the same: then there was nothing to test.
    """

    superiority: float
    p: float
    clustered: bool
    constant: bool = False


def rank_sum(before: Sequence[Mapping[int, int]], after: Sequence[Mapping[int, int]]) -> RankSum:
    """Test whether one of two groups tends to have larger values.

    Mann and Whitney's test: by all arrangements of few values, by the normal distribution with the correction for ties
    of more; where both groups have several sessions, by what differs between their mean ranks, if that is more.

    Args:
        before: The first group: of each session its values (only their order matters), and how many there are of each,
            one at least. Each group has one value at least.
        after: The second group.
    """
    first, second = _together(before), _together(after)
    m, n = first.total(), second.total()
    total = m + n
    ranks: dict[int, float] = {}
    below = ties = before_it = 0
    step = math.inf
    for value in sorted(first.keys() | second.keys()):
        equal = first[value] + second[value]
        ranks[value] = (below + equal / 2) / total
        below += equal
        ties += equal**3 - equal
        if before_it:
            step = min(step, (before_it + equal) / 2)
        before_it = equal
    means = _mean(first, ranks, m), _mean(second, ranks, n)
    superiority = 0.5 + means[1] - means[0]
    # for continuity: two neighbours that change places make the smallest step of the statistic; half of it
    distance = max(0.0, abs(superiority - 0.5) - step / 2 / (m * n))
    variance = (total + 1 - ties / (total * (total - 1))) / (12 * m * n)
    clustered = min(len(before), len(after)) >= FEWEST_CLUSTERS
    if len(ranks) == 1:
        return RankSum(0.5, 1.0, clustered, constant=True)
    if clustered:
        parts = _between(before, ranks, means[0], m), _between(after, ranks, means[1], n)
        if sum(parts) > variance:
            return RankSum(superiority, _student(distance, parts, (len(before), len(after))), clustered)
    p = _exact(first, second) if total <= _EXACT_UP_TO else math.erfc(distance / math.sqrt(2 * variance))
    return RankSum(superiority, p, clustered)


def ratio(before: Iterable[tuple[float, int]], after: Iterable[tuple[float, int]]) -> float:
    """Return how many times as large one of the second group typically is as one of the first.

    The median of the ratios of all pairs, which is Hodges and Lehmann's estimate of a shift, of logarithms.

    Args:
        before: Values of the first group, more than 0, and how many there are of each.
        after: Those of the second.
    """
    first, second = sorted(before), sorted(after)
    half = sum(count for _, count in first) * sum(count for _, count in second) / 2
    low, high = -64.0, 64.0
    for _ in range(_RATIO_STEPS):
        middle = (low + high) / 2
        if _pairs_up_to(2**middle, first, second) < half:
            low = middle
        else:
            high = middle
    return float(f"{2**high:.12g}")  # two equal groups have a ratio of 1, and not of 1.0000000000001


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number, by Holm's method, in their order.

    Whoever takes for real what has one of at most 0.01 is misled by noise in at most one of a hundred such families.
    """
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = largest
    return corrected


def _together(sessions: Iterable[Mapping[int, int]]) -> Counter[int]:
    together: Counter[int] = Counter()
    for session in sessions:
        together.update(session)
    return together


def _mean(values: Mapping[int, int], ranks: Mapping[int, float], size: int) -> float:
    return sum(count * ranks[value] for value, count in values.items()) / size


def _between(sessions: Sequence[Mapping[int, int]], ranks: Mapping[int, float], mean: float, size: int) -> float:
    """Return the variance of a group's mean rank, as its sessions differ from each other."""
    squares = 0.0
    for session in sessions:
        squares += sum(count * (ranks[value] - mean) for value, count in session.items()) ** 2
    return len(sessions) / (len(sessions) - 1) * squares / size**2


def _exact(first: Counter[int], second: Counter[int]) -> float:
    """Return how many of all arrangements of the values are as far from the middle as this one, as a part of them."""
    size = first.total()
    ranks: dict[int, int] = {}
    below = 0
    for value in sorted(first.keys() | second.keys()):
        together = first[value] + second[value]
        ranks[value] = 2 * below + together + 1  # twice the mean rank of equal values, which is a whole number
        below += together
    sums: list[Counter[int]] = [Counter({0: 1}), *(Counter() for _ in range(size))]  # of so many of them: sum → ways
    for value, rank in ranks.items():
        for _ in range(first[value] + second[value]):
            for chosen in range(size, 0, -1):
                for partial, ways in sums[chosen - 1].items():
                    sums[chosen][partial + rank] += ways
    middle = size * (below + 1)
    reached = abs(sum(ranks[value] * count for value, count in first.items()) - middle)
    return sum(ways for each, ways in sums[size].items() if abs(each - middle) >= reached) / sums[size].total()


def _student(distance: float, parts: tuple[float, float], sessions: tuple[int, int]) -> float:
    """Return the same for a variance that was estimated: Student's distribution, with Satterthwaite's freedom."""
    variance = sum(parts)
    freedom = variance**2 / sum(part**2 / (count - 1) for part, count in zip(parts, sessions, strict=True))
    return student(distance / math.sqrt(variance), max(1, int(freedom)))


def student(t: float, freedom: int) -> float:
    """Return how likely a variable with Student's distribution is at least so far from 0.

    By the finite series for whole degrees of freedom: Abramowitz and Stegun, 26.7.3 and 26.7.4.

    Args:
        t: How far.
        freedom: Degrees of freedom, 1 or more.
    """
    if freedom >= _NORMAL_FROM:
        return math.erfc(abs(t) / math.sqrt(2))
    angle = math.atan(abs(t) / math.sqrt(freedom))
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    series = term if freedom > 1 else 0.0
    for power in range(odd + 2, freedom - 1, 2):
        term *= (power - 1) / power * math.cos(angle) ** 2
        series += term
    within = math.sin(angle) * series
    if odd:
        within = 2 / math.pi * (angle + within)
    return max(0.0, 1 - within)


def _pairs_up_to(limit: float, first: Sequence[tuple[float, int]], second: Sequence[tuple[float, int]]) -> int:
    """Return in how many pairs the second value is at most `limit` times the first."""
    pairs = below = index = 0
    for value, count in first:
        most = value * limit
        while index < len(second) and second[index][0] <= most:
            below += second[index][1]
            index += 1
        pairs += count * below
    return pairs
