"""Figures and foreign text as the command line shows them."""

from __future__ import annotations

import math

import pytest

from deia.cli import text


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (0.4, "0 ms"),
        (999, "999 ms"),
        (999.6, "1.00 s"),
        (1234, "1.23 s"),
        (9_994, "9.99 s"),
        (9_996, "10.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min 00 s"),
        (200_000, "3 min 20 s"),
        (3_599_600, "1 h 00 min"),
        (7_500_000, "2 h 05 min"),
        (86_399_000, "1 d 00 h"),
        (100 * 86_400_000 + 3 * 3_600_000, "100 d 03 h"),
        (math.inf, "-"),
        (math.nan, "-"),
    ],
)
def test_duration_is_shown_in_its_two_largest_units(milliseconds: float, shown: str) -> None:
    """No one counts milliseconds of an hour, and rounding never shows sixty of anything."""
    assert text.duration(milliseconds) == shown


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ([], []),
        ([1, 999], ["1 ms", "999 ms"]),
        ([1, 1000, math.nan], ["0.001 s", "1.000 s", "-"]),
        ([599_999, 12], ["599.999 s", "0.012 s"]),
        ([600_000, 12_340, 3_723_440], ["0:10:00.0", "0:00:12.3", "1:02:03.4"]),
        ([math.inf, 5], ["-", "5 ms"]),
    ],
)
def test_durations_of_a_column_have_one_unit(column: list[float], shown: list[str]) -> None:
    """So the eye can compare them."""
    assert text.durations(column) == shown


def test_short_durations_beside_hours_keep_their_digits() -> None:
    """Of 120 ms beside two hours no tenth of a second is left; what is long enough for three digits is in line."""
    column = [7_200_000, 120, 0, 1_234, 9_949, 9_950]
    assert text.durations(column) == ["2:00:00.0", "120 ms", "0 ms", "1.23 s", "9.95 s", "0:00:10.0"]


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0.00"), (0.01234, "$0.0123"), (0.99999, "$1.0000"), (1, "$1.00"), (1234.5, "$1,234.50"), (math.inf, "-")],
)
def test_dollars_are_shown_to_what_matters(amount: float, shown: str) -> None:
    """Calls cost parts of a cent, sessions dollars."""
    assert text.dollars(amount) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_960, "1.0 MB"),
        (12_345_678, "12.3 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_size_is_shown_in_decimal_units(number: int, shown: str) -> None:
    """As disks and transfer rates are."""
    assert text.size(number) == shown


def test_share_of_nothing_is_a_dash() -> None:
    """A log of zero length has no shares, and a damaged one no infinite ones."""
    assert text.share(25, 100) == "25.0 %"
    assert text.share(0, 0) == "-"
    assert text.share(1, math.inf) == "-"


def test_rates_counts_and_nouns_are_readable() -> None:
    """Thousands are apart, one thing is one thing."""
    assert text.rate(12.34) == "12.3 / h"
    assert text.rate(4120.4) == "4,120 / h"
    assert text.count(1234567) == "1,234,567"
    assert [text.plural(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert text.plural(2, "directory", "directories") == "2 directories"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain Ünïcödé 任务 🚀", "plain Ünïcödé 任务 🚀"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("two\nlines\ttab\r", "two\\x0alines\\x09tab\\x0d"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_a_terminal_would_obey_hide_or_reorder_is_made_visible(hostile: str, shown: str) -> None:
    """Escape sequences, control characters, direction marks, lone surrogates: all end up as printable ASCII."""
    assert text.clean(hostile) == shown
