"""What a command shows: blocks of text, laid out for a terminal or for a pipe.

A command describes what it has to say (headings, facts, tables, lines) and does not know who reads it. Every text
passes through `clean` here, in one place, so that no command can forget to.
"""

from __future__ import annotations

import abc
import io
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len

from deia.cli.fitting import shortened
from deia.cli.text import clean, named, plural

if TYPE_CHECKING:
    from rich.text import Text

Tone = Literal["plain", "good", "bad", "quiet", "label", "name"]
"""How a line, or a part of one, is meant; a terminal colours it, a pipe does not."""

_STYLES: dict[Tone, str] = {
    "plain": "",
    "good": "green",
    "bad": "bold red",
    "quiet": "dim",
    "label": "cyan",
    "name": "bold",
}

Span = tuple[str, Tone]
"""A part of a line."""

_LONGEST_CELL = 500
"""In a pipe. A longer name is shortened in the middle, or it would make each line of its table as long."""

_INDENT = "  "
"""Of all that stands under a heading, in a terminal."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        number: Whether it holds figures, which are aligned to the right and never broken.
        whole: Whether its words are never broken either.
        short: Whether its words are names, which are shortened where a terminal has no room; else they are folded.
            A name that shows as nothing is worded.
        least: How narrow words that give way can become; how wide figures are at least.
        leaves: When the column is left out where a terminal is too narrow: those with the highest number first, all of
            them at once, then those with 0, from the last one on.
    """

    name: str
    number: bool = False
    whole: bool = False
    short: bool = False
    least: int | None = None
    leaves: int = 0


def numbers(names: Iterable[str], *, leaving: Sequence[str] = ()) -> list[Column]:
    """Return columns of figures.

    Args:
        names: Their headings.
        leaving: Which are left out where a terminal is too narrow, the first one first.
    """
    leaves = {name: len(leaving) - at for at, name in enumerate(leaving)}
    return [Column(name, number=True, leaves=leaves.get(name, 0)) for name in names]


def say_more(page: Page, total: int, limit: int | None, noun: str) -> None:
    """Say how many rows a table would have besides."""
    if limit is not None and total > limit:
        page.line(f"… and {plural(total - limit, f'more {noun}')}; --json has them all", "quiet")


class Page(abc.ABC):
    """Blocks of text, collected until the command is done."""

    @abc.abstractmethod
    def gap(self) -> None:
        """Leave a line free, unless the page is empty yet."""

    @abc.abstractmethod
    def heading(self, text: str) -> None:
        """Begin a part of the page, after a gap."""

    @abc.abstractmethod
    def line(self, text: str, tone: Tone = "plain") -> None:
        """Add one line."""

    @abc.abstractmethod
    def spans(self, parts: Iterable[Span]) -> None:
        """Add one line that is made of parts, with nothing between them and no indent."""

    @abc.abstractmethod
    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Add labels with their values."""

    @abc.abstractmethod
    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Add a table."""

    @abc.abstractmethod
    def text(self) -> str:
        """Return the page as it is to be written."""

    @abc.abstractmethod
    def clear(self) -> None:
        """Begin anew, with an empty page."""


class PlainPage(Page):
    """For a pipe or a file: no escape sequence, nothing folded, columns at least two spaces apart.

    Nothing is cut, either, but what in a table is longer than any name that somebody has given.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []

    def gap(self) -> None:
        if self._lines:
            self._lines.append("")

    def heading(self, text: str) -> None:
        self.gap()
        self._lines.append(clean(text))

    def line(self, text: str, tone: Tone = "plain") -> None:
        self._lines.append(clean(text))

    def spans(self, parts: Iterable[Span]) -> None:
        self._lines.append("".join(clean(text) for text, _ in parts).rstrip())

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        self._columns([(clean(label), clean(value)) for label, value in facts], [False, False])

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        rows = _named(columns, rows)
        cells = [[column.name for column in columns], *(list(map(_in_a_pipe, row)) for row in rows)]
        self._columns(cells, [column.number for column in columns])

    def _columns(self, rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
        widths = [max(map(cell_len, cells)) for cells in zip(*rows, strict=True)]
        for row in rows:
            padded: list[str] = []
            for cell, width, is_right in zip(row, widths, right, strict=True):
                padding = " " * (width - cell_len(cell))
                padded.append(padding + cell if is_right else cell + padding)
            self._lines.append("  ".join(padded).rstrip())

    def text(self) -> str:
        return "".join(line + "\n" for line in self._lines)

    def clear(self) -> None:
        self._lines.clear()


def _in_a_pipe(cell: str) -> str:
    return shortened(clean(cell), _LONGEST_CELL)


class TerminalPage(Page):
    """For people: tables fit the terminal's width; no figure in them is cut, and what has no room is named below."""

    def __init__(self, *, ascii_only: bool = False) -> None:
        # Imported here because a command in a pipe, the usual case in scripts, needs none of it.
        from rich.console import Console

        # https://no-color.org: any non-empty value. Without colours rich would still write bold and dim.
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self._file = io.StringIO()
        self._console = Console(
            file=self._file,
            force_terminal=True,
            color_system=None if plain else "standard",
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._ascii_only = ascii_only
        self._empty = True

    def gap(self) -> None:
        if not self._empty:
            self._console.print()

    def heading(self, text: str) -> None:
        from rich.text import Text

        self.gap()
        self._print(Text(clean(text), style="bold"))

    def line(self, text: str, tone: Tone = "plain") -> None:
        from rich.text import Text

        self._print(Text(_INDENT + clean(text), style=_STYLES[tone]))

    def spans(self, parts: Iterable[Span]) -> None:
        from rich.text import Text

        self._print(Text.assemble(*((clean(text), _STYLES[tone]) for text, tone in parts)))

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        from rich.text import Text

        pairs = [(clean(label), clean(value)) for label, value in facts]
        width = max((cell_len(label) for label, _ in pairs), default=0)
        for label, value in pairs:
            padding = " " * (width - cell_len(label) + 2)
            self._print(Text.assemble(_INDENT, (label, "cyan"), padding, value))

    def _print(self, text: Text) -> None:
        # The terminal wraps by itself, and gives a path or a command back in one piece when it is copied.
        self._empty = False
        self._console.print(text, soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        from rich.padding import Padding

        from deia.cli.fitting import drawn, fit

        cells = [[clean(cell) for cell in row] for row in _named(columns, rows)]
        indent = len(_INDENT)
        fitted = fit(columns, cells, self._console.width - indent, ascii_only=self._ascii_only)
        self._empty = False
        table = drawn(columns, cells, fitted, ascii_only=self._ascii_only)
        self._console.print(Padding(table, (0, 0, 0, indent), expand=False))
        if fitted.remark is not None:
            self.line(fitted.remark, "quiet")

    def text(self) -> str:
        return self._file.getvalue()

    def clear(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._empty = True


def _named(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[named(cell) if column.short else cell for column, cell in zip(columns, row, strict=True)] for row in rows]
