"""The terminal while `deia top` runs: its screen, and the keys that are pressed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deia import system
from deia.cli.text import clean
from deia.cli.top import table
from deia.live.board import Row
from deia.live.state import Activity

_STYLES: dict[Activity, str] = {
    "recording": "green",
    "idle": "yellow",
    "finished": "dim",
    "interrupted": "bold red",
    "damaged": "bold red",
    "unknown": "yellow",
}

_LINES_AROUND = 5
"""Lines that are not rows of the table: what there is, two of the table's head, an empty one, and the keys."""


_WIDE = 110
_LEFT_OUT = frozenset({"Ago", "/s", "Tools", "Tokens"})
"""What a terminal with fewer columns than that does not show, so that there is room for names."""

_TIMES = frozenset({"For", "Ago"})
"""What changes though nothing has happened, in each row at another moment."""


class Screen:
    """Shows rows, and waits for keys."""

    def __init__(self, *, ascii_only: bool) -> None:
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self._console = Console(
            file=sys.__stdout__, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False
        )
        self._box = box.ASCII2 if ascii_only else box.SIMPLE_HEAD
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._shown: object = None

    @property
    def rows(self) -> int:
        """How many rows fit."""
        return max(1, self._console.height - _LINES_AROUND)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Have the terminal: give it back as it was, whatever happens."""
        with system.single_keys(sys.__stdin__), self._live:
            yield

    def show(self, rows: Sequence[Row], total: int) -> None:
        """Show what sessions are at: at once where something has happened, else each second, for drawing takes long."""
        columns, made_cells, problems = table.columns(rows), table.cells(rows), table.problems(rows)[:1]
        head = table.headline(rows, total)
        still = [at for at, column in enumerate(columns) if column.name not in _TIMES]
        happened = [[cells[at] for at in still] for cells in made_cells]
        shown = (self._console.size, columns, happened, problems, head, int(system.monotonic()))
        if shown == self._shown:
            return
        self._shown = shown
        is_narrow = self._console.width < _WIDE
        kept = [at for at, column in enumerate(columns) if not (is_narrow and column.name in _LEFT_OUT)]
        made = Table(box=self._box, pad_edge=False, header_style="cyan", show_edge=False, padding=(0, 1, 0, 0))
        for column in (columns[at] for at in kept):
            keeps_width = column.number or column.name == "State"  # names give way
            made.add_column(column.name, justify="right" if column.number else "left", no_wrap=keeps_width)
        for row, cells in zip(rows, made_cells, strict=True):
            styles = {"Session": "bold", "State": _STYLES[row.state], "Errors": "bold red" if row.errors else "dim"}
            made.add_row(
                *(
                    Text(clean(cells[at]), styles.get(columns[at].name, ""), no_wrap=True, overflow="ellipsis")
                    for at in kept
                )
            )
        said = [Text(clean(problem), "bold red", no_wrap=True, overflow="ellipsis") for problem in problems]
        self._live.update(Group(Text(head, "bold"), made, *said, Text("q ends", "dim")), refresh=True)

    def wait(self, timeout_s: float) -> bool:
        """Wait so long; return early, and say so, where q was pressed or the keyboard is gone."""
        key = system.key_within(sys.__stdin__, timeout_s)
        return key is not None and key in ("", "q", "Q")
