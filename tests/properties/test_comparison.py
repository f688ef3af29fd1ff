"""The test that tells a change from noise, against one that tries every arrangement."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deia.analysis import ranksum
from deia.analysis.compare import compare
from deia.analysis.ranksum import RankSum, rank_sum, ratio, student
from support.fleets import group


def outcome_of(first: list[int], second: list[int], exact_up_to: int) -> RankSum:
    """Test two groups, counting all arrangements of so many values at most."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranksum, "_EXACT_UP_TO", exact_up_to)
        return rank_sum([Counter(first)], [Counter(second)])


FEW = st.lists(st.integers(0, 6), min_size=1, max_size=6)


def superiority(first: list[int], second: list[int]) -> float:
    """Return the part of all pairs in which the second is larger, equal ones counted half."""
    larger = sum((b > a) + (b == a) / 2 for a in first for b in second)
    return larger / (len(first) * len(second))


def arrangements(first: list[int], second: list[int]) -> list[float]:
    """Return the superiority of every way in which the values could have fallen to the two groups."""
    together = first + second
    everyone = range(len(together))
    found = []
    for chosen in combinations(everyone, len(first)):
        picked = set(chosen)
        found.append(
            superiority([together[at] for at in chosen], [together[at] for at in everyone if at not in picked])
        )
    return found


@given(FEW, FEW)
def test_statistic_and_variance_are_those_of_all_arrangements(first: list[int], second: list[int]) -> None:
    """Ties included: of few values p is that of all arrangements; of many, the normal one of their exact variance."""
    outcome, exact = (outcome_of(first, second, up_to) for up_to in (0, 12))
    assert exact.superiority == outcome.superiority
    assert outcome.superiority == pytest.approx(superiority(first, second))
    every = arrangements(first, second)
    reached = abs(outcome.superiority - 0.5) - 1e-9
    assert exact.p == pytest.approx(sum(abs(each - 0.5) >= reached for each in every) / len(every))
    assert sum(every) / len(every) == pytest.approx(0.5)
    variance = sum((each - 0.5) ** 2 for each in every) / len(every)
    sizes = [count for _, count in sorted(Counter(first + second).items())]
    step = min(((one + other) / 2 for one, other in pairwise(sizes)), default=0.0)
    distance = max(0.0, abs(outcome.superiority - 0.5) - step / 2 / (len(first) * len(second)))
    expected = math.erfc(distance / math.sqrt(2 * variance)) if variance > 1e-12 else 1.0
    assert outcome.p == pytest.approx(expected)


@given(st.lists(st.integers(0, 9), min_size=6, max_size=6), st.lists(st.integers(0, 9), min_size=6, max_size=6))
def test_what_the_normal_distribution_calls_rare_is_rare(first: list[int], second: list[int]) -> None:
    """Six values a side, many of them equal: fewer than are ever tested, and the normal distribution fits."""
    normal, exact = (outcome_of(first, second, up_to) for up_to in (0, 12))
    if normal.p <= 0.05:
        assert exact.p <= 2 * normal.p


@given(st.lists(st.integers(1, 500), min_size=1, max_size=12), st.lists(st.integers(1, 500), min_size=1, max_size=12))
def test_ratio_is_the_median_of_all_pairs(first: list[int], second: list[int]) -> None:
    """The lower one of two in the middle."""
    pairs = sorted(b / a for a in first for b in second)
    expected = pairs[(len(pairs) - 1) // 2]
    assert ratio([(float(a), 1) for a in first], [(float(b), 1) for b in second]) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("sessions", [1, 5])
def test_samples_of_one_distribution_are_rarely_called_different(sessions: int) -> None:
    """Of a hundred comparisons of ten tools each, at most a few name one, though nothing has changed."""
    generator = random.Random(sessions)

    def same() -> dict[str, list[int]]:
        return {
            f"tool-{number}": [round(50 * generator.lognormvariate(0, 1)) for _ in range(15)] for number in range(10)
        }

    misled = 0
    for _ in range(100):
        comparison = compare(group(*(same() for _ in range(sessions))), group(*(same() for _ in range(sessions))))
        misled += bool(comparison.slower or comparison.faster)
    assert misled <= 4  # one is promised; five of a hundred would be worse luck than one in 250


SESSIONS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), min_size=3, max_size=5)


@given(SESSIONS, SESSIONS)
def test_sessions_are_counted_as_the_reference_says(first: list[list[int]], second: list[list[int]]) -> None:
    """The difference of the groups' mean ranks, and a variance by which sessions differ if that is the larger one."""
    outcome = rank_sum([Counter(each) for each in first], [Counter(each) for each in second])
    assert outcome.clustered
    together = sorted(value for session in first + second for value in session)
    rank = {value: (together.index(value) + together.count(value) / 2) / len(together) for value in together}

    def mean(values: list[int]) -> float:
        return sum(rank[value] for value in values) / len(values)

    parts = []
    for group_of in (first, second):
        whole = [value for session in group_of for value in session]
        squares = sum((len(session) * (mean(session) - mean(whole))) ** 2 for session in group_of)
        parts.append(len(group_of) / (len(group_of) - 1) * squares / len(whole) ** 2)
    flat = [[value for session in group_of for value in session] for group_of in (first, second)]
    assert outcome.superiority == pytest.approx(superiority(*flat))
    assert outcome.superiority - 0.5 == pytest.approx(mean(flat[1]) - mean(flat[0]), abs=1e-12)
    by_call = outcome_of(*flat, exact_up_to=0)
    if not outcome.constant and sum(parts) > 0:
        freedom = sum(parts) ** 2 / sum(
            part**2 / (len(group_of) - 1) for part, group_of in zip(parts, (first, second), strict=True)
        )
        sizes = [count for _, count in sorted(Counter(together).items())]
        step = min((one + other) / 2 for one, other in pairwise(sizes))
        distance = max(0.0, abs(outcome.superiority - 0.5) - step / 2 / (len(flat[0]) * len(flat[1])))
        by_session = student(distance / math.sqrt(sum(parts)), max(1, int(freedom)))
        exact = outcome_of(*flat, exact_up_to=24)
        assert any(outcome.p == pytest.approx(each) for each in (by_session, by_call.p, exact.p))
        if outcome.p != pytest.approx(by_session):
            assert sum(parts) <= 1 / (12 * len(flat[0]) * len(flat[1])) * (len(together) + 1)
