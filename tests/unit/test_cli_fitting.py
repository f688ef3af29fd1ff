"""How a table fits a terminal."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from deia.cli.fitting import fit, shortened
from deia.cli.page import Column, PlainPage, TerminalPage, numbers

COLUMNS = [
    Column("Session", short=True, least=12),
    *numbers(("Input tokens", "Cost", "Size"), leaving=("Size", "Input tokens")),
]
ROWS = [["code-review-agent_nightly-1", "1,137,629", "$1,234.56", "71.8 kB"], ["b", "3", "-", "2 B"]]


def in_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int, *, ascii_only: bool = False) -> str:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    page = TerminalPage(ascii_only=ascii_only)
    page.table(COLUMNS, ROWS)
    return page.text()


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("width", range(26, 90))
def test_figures_and_words_of_headings_are_whole_or_their_column_is_named_as_left_out(
    monkeypatch: pytest.MonkeyPatch, width: int, ascii_only: bool
) -> None:
    """A number without its end is another number, and a size without its unit is none."""
    table, _, remark = in_a_terminal(monkeypatch, width, ascii_only=ascii_only).partition("  No room for: ")
    assert max(map(cell_len, table.splitlines())) <= width
    words = set(re.findall(r"[^\s|]+", table))
    for column, figures in zip(
        COLUMNS[1:], (("1,137,629", "3"), ("$1,234.56", "-"), ("71.8", "kB", "2", "B")), strict=True
    ):
        if column.name not in remark:
            assert {*column.name.split(), *figures} <= words


def test_columns_leave_in_the_order_that_the_table_says_and_the_last_one_stays() -> None:
    """Those without a place in it go from the right, once the others are gone."""
    kept = [fit(COLUMNS, ROWS, room).kept for room in (80, 40, 30, 12)]
    assert kept == [[0, 1, 2, 3], [0, 1, 2], [0, 2], [0]]


def test_columns_of_one_rank_leave_together() -> None:
    """A without its B says nothing."""
    columns = [Column("Task"), *(Column(name, number=True, leaves=1) for name in ("Calls A", "B")), Column("Times")]
    assert fit(columns, [["x" * 12, "1", "2", "3"]], 27).left_out == ["Calls A", "B"]


def test_remark_says_where_to_see_what_was_left_out() -> None:
    """And there is none where all is shown."""
    assert fit(COLUMNS, ROWS, 30).remark == (
        "No room for: Input tokens, Size; a wider terminal shows them, and --json has them"
    )
    assert fit(COLUMNS, ROWS, 40).remark == "No room for: Size; a wider terminal shows it, and --json has it"
    assert fit(COLUMNS, ROWS, 80).remark is None


def test_heading_stands_on_two_lines_before_a_column_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken between its words."""
    text = in_a_terminal(monkeypatch, 49)
    assert "Input tokens" not in text
    assert "Input" in text.splitlines()[0]
    assert "tokens" in text.splitlines()[1]
    assert "No room" not in text


def test_name_keeps_its_beginning_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tells one from another is often the end; the mark is one that the terminal has."""
    assert shortened("code-review-agent_nightly-1", 12) == "code-r…tly-1"
    assert "code-r…tly-1" in in_a_terminal(monkeypatch, 45)
    assert in_a_terminal(monkeypatch, 48, ascii_only=True).isascii()
    assert shortened("short", 12) == "short"


@pytest.mark.parametrize("width", range(1, 12))
def test_name_of_wide_characters_fits_too(width: int) -> None:
    """Each takes two columns, and none is halved."""
    assert cell_len(shortened("测试测试测试", width)) <= width


def test_last_column_that_is_wider_than_the_terminal_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is there."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    page = TerminalPage()
    page.table([Column("Sum", number=True)], [["7" * 50]])
    assert page.text().count("7") == 50
    assert max(map(len, page.text().splitlines())) <= 20


def test_nothing_is_left_out_or_shortened_in_a_pipe() -> None:
    """However long it is."""
    page = PlainPage()
    page.table(COLUMNS, [["x" * 300, *ROWS[0][1:]]])
    assert page.text().splitlines()[1].split() == ["x" * 300, "1,137,629", "$1,234.56", "71.8", "kB"]
