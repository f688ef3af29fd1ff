"""The test that tells a change from noise."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from deia.analysis.ranksum import holm, rank_sum, ratio, student

pytestmark = pytest.mark.once  # numbers alone


def values(generator: random.Random, number: int, *, median: float = 100.0, spread: float = 0.5) -> Counter[int]:
    return Counter(round(median * generator.lognormvariate(0, spread)) for _ in range(number))


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (12.706, 1, 0.05),
        (4.303, 2, 0.05),
        (3.182, 3, 0.05),
        (2.776, 4, 0.05),
        (3.169, 10, 0.01),
        (2.042, 30, 0.05),
        (1.962, 1000, 0.05),
    ],
)
def test_students_distribution_is_that_of_the_tables(t: float, freedom: int, p: float) -> None:
    """For odd and even degrees of freedom, and where it is taken for the normal one."""
    assert student(t, freedom) == pytest.approx(p, rel=0.005)
    assert student(-t, freedom) == student(t, freedom)
    assert student(0, freedom) == pytest.approx(1)


def test_holms_correction_is_that_of_the_textbook() -> None:
    """Each p times the number of those that are not smaller, never less than the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_groups_of_one_value_do_not_differ() -> None:
    """Whatever their sizes: a tie is no evidence."""
    outcome = rank_sum([{7: 100}], [{7: 3}])
    assert (outcome.superiority, outcome.p) == (0.5, 1.0)


def test_groups_without_overlap_differ_completely() -> None:
    """The larger one is told by the superiority."""
    outcome = rank_sum([{1: 50}], [{2: 50}])
    assert outcome.superiority == 1
    assert outcome.p < 1e-9
    assert rank_sum([{2: 50}], [{1: 50}]).superiority == 0


def test_sessions_that_differ_anyway_make_no_change() -> None:
    """A thousand calls of four sessions are four sessions: the one machine was slow, not the new release."""
    generator = random.Random(7)

    def sessions() -> list[Counter[int]]:
        return [values(generator, 250, median=100 * generator.lognormvariate(0, 0.5), spread=0.1) for _ in range(4)]

    groups = [(sessions(), sessions()) for _ in range(100)]
    by_session = sum(rank_sum(before, after).p < 0.01 for before, after in groups)
    by_call = sum(rank_sum([sum(before, Counter())], [sum(after, Counter())]).p < 0.01 for before, after in groups)
    assert by_session <= 4
    assert by_call > 80


def test_change_in_all_sessions_is_found() -> None:
    """Where sessions hardly differ among each other, three a side are enough."""
    generator = random.Random(1)
    before = [values(generator, 100, spread=0.2) for _ in range(3)]
    after = [values(generator, 100, median=150, spread=0.2) for _ in range(3)]
    outcome = rank_sum(before, after)
    assert outcome.clustered
    assert outcome.p < 0.01


def test_ratio_of_equal_groups_is_exactly_one() -> None:
    """And not nearly."""
    generator = random.Random(3)
    group = [(float(value), count) for value, count in values(generator, 99).items()]
    assert ratio(group, group) == 1.0


def test_ratio_is_that_of_the_typical_pair() -> None:
    """Twice as long is 2, half as long a half, whatever the spread."""
    generator = random.Random(3)
    group = list(values(generator, 99).items())
    double = [(2.0 * value, count) for value, count in group]
    assert ratio(group, double) == pytest.approx(2, rel=0.02)
    assert ratio(double, group) == pytest.approx(0.5, rel=0.02)
    assert ratio([(1.0, 1)], [(2.0**63, 1)]) == pytest.approx(2.0**63)
