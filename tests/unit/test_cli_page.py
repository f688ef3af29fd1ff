"""What a command shows, laid out for a terminal and for a pipe."""

from __future__ import annotations

import re

import pytest

from deia.cli.page import Column, Page, PlainPage, Span, TerminalPage

COLUMNS = [Column("Task"), Column("Time", number=True)]


def shown_in_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int = 80, **environment: str) -> TerminalPage:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": str(width), **environment}.items():
        monkeypatch.setenv(name, value)
    return TerminalPage()


def fill(page: Page) -> str:
    page.heading("Tasks")
    page.facts([("Log", "a.jsonl"), ("Session time", "3 ms")])
    page.table(COLUMNS, [["build", "12 ms"], ["测试", "1.23 s"]])
    page.line("fine", "good")
    page.heading("More")
    return page.text()


def test_piped_page_is_aligned_plain_text() -> None:
    """Columns are two spaces apart or more, figures end below each other, wide characters count twice."""
    assert fill(PlainPage()) == (
        "Tasks\nLog           a.jsonl\nSession time  3 ms\nTask     Time\nbuild   12 ms\n测试   1.23 s\nfine\n\nMore\n"
    )


def test_piped_page_neither_cuts_nor_folds() -> None:
    """A name as long as any that somebody gives stays on one line: grep finds it."""
    page = PlainPage()
    page.table(COLUMNS, [["x" * 500, "1 ms"]])
    assert "x" * 500 + "  1 ms\n" in page.text()


def test_piped_table_is_not_as_wide_as_a_hostile_name() -> None:
    """A name of a megabyte would make every line as long; of it beginning and end are shown."""
    page = PlainPage()
    page.table(COLUMNS, [["a" + "x" * 1_000_000 + "z", "1 ms"], *[["b", "2 ms"]] * 100])
    lines = page.text().splitlines()
    assert re.fullmatch("ax+…x+z  1 ms", lines[1]) and max(map(len, lines)) == 506


def test_empty_table_is_its_heading() -> None:
    """No rows are no error."""
    page = PlainPage()
    page.table(COLUMNS, [])
    page.facts([])
    assert page.text() == "Task  Time\n"


def test_name_that_shows_as_nothing_is_worded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a column of names, for a pipe and for a terminal; an empty cell of another column is empty."""
    columns = [Column("Task", short=True), Column("Note")]
    for page in (PlainPage(), shown_in_a_terminal(monkeypatch, NO_COLOR="1")):
        page.table(columns, [["", "a"], [" ", "b"], ["build", ""]])
        assert page.text().count("(no name)") == 2


@pytest.mark.parametrize("width", [40, 80, 120])
def test_table_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """A long name is folded, and the figures beside it stay whole."""
    page = shown_in_a_terminal(monkeypatch, width, NO_COLOR="1")
    page.table(COLUMNS, [["long " * 40 + "x" * 100, "1,234 min"]])
    lines = page.text().splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.count("x") for line in lines) == 100
    assert any("1,234 min" in line for line in lines)


def test_path_is_given_back_in_one_piece_when_it_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines and facts are left for the terminal to wrap, which remembers where it did."""
    page = shown_in_a_terminal(monkeypatch, 40, NO_COLOR="1")
    page.line("deia analyze " + "y" * 200)
    page.facts([("Log", "z" * 200)])
    assert page.text() == f"  deia analyze {'y' * 200}\n  Log  {'z' * 200}\n"


def test_page_is_coloured_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the terminal can."""
    assert "\x1b[" in fill(shown_in_a_terminal(monkeypatch))


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_page_is_without_escapes_where_colour_is_not_wanted(
    monkeypatch: pytest.MonkeyPatch, setting: dict[str, str]
) -> None:
    """NO_COLOR and a dumb terminal get neither colour nor bold."""
    assert "\x1b" not in fill(shown_in_a_terminal(monkeypatch, **setting))


def test_page_for_an_ascii_terminal_draws_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal whose encoding has no box characters gets none."""
    monkeypatch.setenv("NO_COLOR", "1")
    page = TerminalPage(ascii_only=True)
    page.table(COLUMNS, [["build", "12 ms"]])
    assert page.text().isascii()


@pytest.mark.parametrize("kind", ["plain", "terminal"])
def test_hostile_text_reaches_no_terminal(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Neither markup nor escape sequences in a log have an effect, wherever on the page they stand."""
    page: Page = PlainPage() if kind == "plain" else shown_in_a_terminal(monkeypatch, 200, NO_COLOR="1")
    hostile = "[red]x[/red] [/] :boom: \x1b]0;owned\x07\x1b[2J\n"
    page.heading(hostile)
    page.line(hostile)
    page.facts([(hostile, hostile)])
    page.table(COLUMNS, [[hostile, hostile]])
    text = page.text()
    assert not {"\x1b", "\x07"} & set(text)
    assert text.count("[red]x[/red] [/] :boom: \\x1b]0;owned\\x07\\x1b[2J\\x0a") == 6


def test_line_of_parts_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part with its own colour, and none in a pipe; what is hostile in one is made visible."""
    parts: list[Span] = [("10:00  ", "quiet"), ("build\n", "name"), ("  failed", "bad"), ("  ", "plain")]
    plain = PlainPage()
    plain.spans(parts)
    assert plain.text() == "10:00  build\\x0a  failed\n"
    assert "\x1b[1;31m  failed" in fill_with(parts, shown_in_a_terminal(monkeypatch))
    assert fill_with(parts, shown_in_a_terminal(monkeypatch, NO_COLOR="1")).rstrip() == "10:00  build\\x0a  failed"


def fill_with(parts: list[Span], page: Page) -> str:
    page.spans(parts)
    return page.text()


@pytest.mark.parametrize("kind", ["plain", "terminal"])
def test_page_that_is_cleared_is_empty(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """What was on it was written; the next heading has no gap above it."""
    page: Page = PlainPage() if kind == "plain" else shown_in_a_terminal(monkeypatch, NO_COLOR="1")
    page.line("first")
    page.clear()
    assert page.text() == ""
    page.heading("second")
    assert page.text() == "second\n"
