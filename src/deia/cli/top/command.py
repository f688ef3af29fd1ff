"""`deia top`: what all sessions of a directory are at."""

from __future__ import annotations

import errno
import os

import click

from deia import system
from deia.cli.interruption import require_none
from deia.cli.output import Output, jsonable
from deia.cli.paths import sessions_directory
from deia.cli.top import table
from deia.live.board import Board

REFRESH_S = 0.25
"""How often it is looked what is new: a third of a second after its log call, at most, an event is on the screen."""

_READ_S = 0.15
"""How long is read at a time before what is known by then is shown."""


@click.command(short_help="Watch what all sessions of a directory are at.")
@click.argument("directory", required=False, metavar="[DIR]", type=click.Path())
@click.option("--once", is_flag=True, help="Print one table and end; so it is where the output goes to a pipe.")
@click.option(
    "-n", "most", type=click.IntRange(1), metavar="N", help="Show no more than N sessions. [default: what fits]"
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per session, and end.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def top(output: Output, directory: str | None, most: int | None, *, once: bool, as_json: bool) -> None:
    """Watch what the sessions in a directory are at, those that are open first.

    For each: whether it is recording, idle for ten seconds, finished or interrupted; the innermost task that is open,
    and for how long; what was logged last, and how long ago; events, events a second, calls of tools, errors, and where
    models were called, tokens and cost. q or Ctrl-C ends.

    DIR is searched at any depth. Left out, it is $DEIA_SESSIONS_DIR, else .deia/sessions. Only sessions that are shown
    are read, and of those only what is new.
    """
    path = directory or sessions_directory()
    if not system.is_directory(path):
        code = errno.ENOTDIR if system.exists(path) else errno.ENOENT
        output.fail(OSError(code, os.strerror(code), path), path)
        return
    board = Board(path, output.fail)
    try:
        if once or as_json or not output.in_terminal or os.environ.get("TERM") == "dumb":
            _print(output, board, most, as_json=as_json)
        else:
            _watch(output, board, most)
    finally:
        board.close()


def _print(output: Output, board: Board, most: int | None, *, as_json: bool) -> None:
    rows = board.refresh(most if as_json else most or output.limit)
    if as_json:
        output.document([jsonable(row) for row in rows])
        return
    page = output.page
    page.line(table.headline(rows, board.total), "quiet")
    if rows:
        page.table(table.columns(rows), table.cells(rows))
    for problem in table.problems(rows):
        page.line(problem, "bad")


def _watch(output: Output, board: Board, most: int | None) -> None:
    # Imported here because a pipe needs none of it.
    from deia.cli.top.screen import Screen

    screen = Screen(ascii_only=output.ascii_only)
    with screen.shown():
        while True:
            fitting = screen.rows
            rows = board.refresh(fitting if most is None else min(most, fitting), within_s=_READ_S)
            screen.show(rows, board.total)
            if screen.wait(0 if board.is_behind else REFRESH_S):
                return
            require_none()
