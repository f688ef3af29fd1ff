"""The terminal while `deia top` runs: its screen, and the keys that are pressed."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from deia import system
from deia.cli.fitting import drawn, fit
from deia.cli.page import Column
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
    "unreadable": "bold red",
    "no log": "bold red",
}

_LINES_AROUND = 5
"""Lines that are not rows of the table: what there is, two of the table's head, an empty one, and the keys."""

_TIMES = frozenset({"For", "Ago"})
"""What changes though nothing has happened, in each row at another moment."""


class Screen:
    """Shows rows, and waits for keys."""

    def __init__(self, *, ascii_only: bool) -> None:
        plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
        self._console = Console(
            file=sys.__stdout__, color_system=None if plain else "auto", highlight=False, markup=False, emoji=False
        )
        self._ascii_only = ascii_only
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )
        self._shown: object = None
        self._widest: dict[str, int] = {}

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
        made_cells = [[clean(cell) for cell in cells] for cells in made_cells]
        columns = [self._steady(column, [cells[at] for cells in made_cells]) for at, column in enumerate(columns)]
        fitted = fit(columns, made_cells, self._console.width, ascii_only=self._ascii_only)

        def style(number: int, at: int) -> str:
            row = rows[number]
            styles = {"Session": "bold", "State": _STYLES[row.state], "Errors": "bold red" if row.errors else "dim"}
            return styles.get(columns[at].name, "")

        made = drawn(columns, made_cells, fitted, ascii_only=self._ascii_only, style=style)
        said = [Text(clean(problem), "bold red", no_wrap=True, overflow="ellipsis") for problem in problems]
        foot = "q ends" if fitted.remark is None else f"q ends. {fitted.remark}"
        keys = Text(foot, "dim", no_wrap=True, overflow="ellipsis")
        self._live.update(Group(Text(head, "bold"), made, *said, keys), refresh=True)

    def _steady(self, column: Column, cells: Sequence[str]) -> Column:
        """Let a column keep the width that its figures once had, or others would come and go each second."""
        if not column.number:
            return column
        width = max([self._widest.get(column.name, 0), *map(cell_len, cells)])
        self._widest[column.name] = width
        return replace(column, least=width)

    def wait(self, timeout_s: float) -> bool:
        """Wait so long; return early, and say so, where q was pressed or the keyboard is gone."""
        key = system.key_within(sys.__stdin__, timeout_s)
        return key is not None and key in ("", "q", "Q")
