"""How a table fits a terminal: figures and headings stay whole, names give way, and what is left out is said.

A figure that is cut reads as another figure; so what has no room goes as a whole column, in the order that the table
says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.cells import cell_len, split_text

if TYPE_CHECKING:
    from rich.table import Table

    from deia.cli.page import Column

_GAP = 2
"""Between columns; one more where a line is drawn there, because the terminal has nothing but ASCII."""

_NAME = 16
"""Enough of a name to know it by, unless a column says otherwise."""
_FOLDED = 12
"""Enough for words that go on in the next line."""


@dataclass(frozen=True)
class Fit:
    """What a table shows in a terminal.

    Attributes:
        kept: Indexes of the columns that are shown.
        widths: How wide each of them is.
        left_out: Headings of the others.
    """

    kept: Sequence[int]
    widths: Sequence[int]
    left_out: Sequence[str]

    @property
    def remark(self) -> str | None:
        """What the reader is told about columns that are left out."""
        if not self.left_out:
            return None
        them = "it" if len(self.left_out) == 1 else "them"
        return f"No room for: {', '.join(self.left_out)}; a wider terminal shows {them}, and --json has {them}"


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int, *, ascii_only: bool = False) -> Fit:
    """Find which columns a terminal has room for, and how wide each of them is.

    Args:
        columns: The table's columns.
        rows: Its cells, as they are to be shown.
        room: How many columns of the terminal there are.
        ascii_only: Whether there are lines between the columns.
    """
    gap = _GAP + ascii_only
    cells = [max((cell_len(row[at]) for row in rows), default=0) for at in range(len(columns))]
    wanted = [max(cell_len(column.name), width) for column, width in zip(columns, cells, strict=True)]
    least = [_least(column, width) for column, width in zip(columns, cells, strict=True)]
    kept = list(range(len(columns)))
    while sum(least[at] + gap for at in kept) - gap > room:
        goes = max(kept, key=lambda at: (columns[at].leaves, at))
        rank = columns[goes].leaves
        rest = [at for at in kept if at != goes and (not rank or columns[at].leaves != rank)]
        if not rest:
            least[goes] = wanted[goes] = room  # nothing else is left that could make room: it is folded
            break
        kept = rest
    widths = {at: least[at] for at in kept}
    spare = max(0, room - sum(width + gap for width in widths.values()) + gap)
    for is_text in (True, False):  # names first; a heading can stand on two lines
        while spare and (narrow := [at for at in kept if widths[at] < wanted[at] and _gives(columns[at]) is is_text]):
            widths[min(narrow, key=lambda at: widths[at])] += 1
            spare -= 1
    left_out = [column.name.strip() for at, column in enumerate(columns) if at not in widths]
    return Fit(kept, [widths[at] for at in kept], left_out)


def drawn(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    fitted: Fit,
    *,
    ascii_only: bool = False,
    style: Callable[[int, int], str] = lambda _row, _column: "",
) -> Table:
    """Return the table as rich draws it.

    Args:
        columns: All columns.
        rows: All cells.
        fitted: Which are shown, and how wide.
        ascii_only: Whether lines and ellipses are to be ASCII.
        style: How a cell is styled, by the indexes of its row and column.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        box=box.ASCII2 if ascii_only else box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="cyan",
        show_edge=False,
        padding=(0, 1) if ascii_only else (0, 1, 0, 0),
    )
    shown = list(zip(fitted.kept, fitted.widths, strict=True))
    for at, width in shown:
        justify: Literal["left", "right"] = "right" if columns[at].number else "left"
        made.add_column(columns[at].name, justify=justify, width=width, overflow="fold", vertical="top")
    for number, row in enumerate(rows):
        made.add_row(
            *(
                Text(
                    shortened(row[at], width, "..." if ascii_only else "…") if columns[at].short else row[at],
                    style(number, at),
                    no_wrap=cell_len(row[at]) <= width or columns[at].short,
                )
                for at, width in shown
            )
        )
    return made


def shortened(text: str, width: int, mark: str = "…") -> str:
    """Return a name in so many columns: what tells it from others is often at its end, so the middle gives way."""
    if cell_len(text) <= width:
        return text
    room = max(0, width - cell_len(mark))
    begin, _ = split_text(text, room - room // 2)
    end = text[len(text) - room // 2 :] if room // 2 else ""
    while cell_len(end) > room // 2:
        end = end[1:]
    return begin + mark + end


def _gives(column: Column) -> bool:
    return not (column.number or column.whole)


def _least(column: Column, width: int) -> int:
    """Return the least width: no word of the heading is broken, no figure, and of a name enough to know it by."""
    heading = max(map(cell_len, column.name.split()), default=0)
    if _gives(column):
        enough = column.least or (_NAME if column.short else _FOLDED)
        return max(heading, min(width, enough))
    return max(heading, width, column.least or 0)
