"""`deia tail`: the last events of sessions, and what comes then."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable

import click

from deia.cli.amounts import moment
from deia.cli.brief import one_line
from deia.cli.interruption import require_none
from deia.cli.output import Output
from deia.cli.paths import sessions_directory
from deia.cli.status import WRONG_USAGE, with_path
from deia.cli.tail.lines import Lines
from deia.live.follower import Note
from deia.live.tail import Line, Tail
from deia.live.wanted import SHORT_NAMES, Wanted

POLL_S = 0.1
"""How often it is looked for new events: none waits longer for that, and looking at a session that is idle takes
microseconds."""

_LAST = 10
"""How many events are shown at first: as many lines as of `tail`."""

_NAME = 40
"""How much is shown of the name of a type that somebody made up."""

_PAGE = 500
"""How many lines are written at once while there are more."""


def _how_many(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    if value == "all":
        return float("inf")
    if not value.isdecimal() or len(value) > 9:
        raise click.BadParameter(f"{value!r} is neither a number nor 'all'", context, parameter)
    return int(value)


@click.command(short_help="Show the last events of sessions, and what comes then.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    "most",
    callback=_how_many,
    metavar="N",
    help="How many events to begin with, or all. [default: 10; with --since, all from then on]",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    metavar="TYPE,...",
    help="Only events of these types: task, tool, file, llm, message, error, decision, actionitem, session, or the "
    "name of a class, with * and ? for any characters.",
)
@click.option(
    "--where", metavar="EXPRESSION", help="Only events whose line fits, such as 'duration_ms > 1000 and not error'."
)
@click.option(
    "--since", type=moment, metavar="TIME", help="Only events since then: 30s, 10m, 2h, 1d ago, or an ISO date."
)
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON, with all its fields.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def tail(
    output: Output,
    paths: tuple[str, ...],
    most: float | None,
    types: tuple[str, ...],
    where: str | None,
    since: float | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last events of sessions, one line each, and with -f what comes then.

    PATH is a session log, or a directory: then all sessions in it, at any depth, and with -f those that come. Left out,
    it is $DEIA_SESSIONS_DIR, else .deia/sessions. A session may be running, killed or closed; an event is there from
    the moment that its log call has returned. With -f, PATH need not be there yet, and a session is followed across the
    death of its process, its recovery, and the further files in which it goes on.

    Events of several sessions are in the order of their time; without -n and --since limiting them, one session comes
    after the other. What a field is called stands in the file format, what an expression may be in the reference.
    """
    names = [name.strip() for part in types for name in part.split(",") if name.strip()]
    try:
        wants = Wanted(names, where)
    except ValueError as error:
        raise click.UsageError(f"--where: {error}") from None
    if most is None and since is None:
        most = _LAST
    stream = _Stream(output, as_json=as_json)
    sessions = Tail(paths or (sessions_directory(),), wants, stream.note, output.fail)
    try:
        stream.show(sessions.last(None if most == float("inf") or most is None else int(most), since), sessions)
        for path in sessions.missing:
            if follow:
                output.complain(f"{path}: not there yet, waiting for it")
            else:
                output.fail(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path), path)
        was_all_read = most is None or stream.shown < most
        if was_all_read and not sessions.missing and (sessions.count or follow):
            _tell_unknown(output, wants, is_wrong=not follow and since is None)
        if not (follow or as_json or sessions.count or sessions.missing):
            output.page.line("No session there.", "quiet")
        while follow:
            stream.show(sessions.new(), sessions)
            if not sessions.is_behind and output.is_closed_within(POLL_S):
                return
            require_none()
    finally:
        sessions.close()


def _tell_unknown(output: Output, wants: Wanted, *, is_wrong: bool) -> None:
    """Say which types that were asked for are no event's.

    Args:
        output: Where it is said.
        wants: Which events are wanted.
        is_wrong: Whether that is wrong usage; not where only a part of the events was looked at, or more may come.
    """
    for name in wants.unknown:
        others = ", ".join(one_line(other, _NAME) for other in wants.others)
        here = f", and here {others}" if others else ""
        output.complain(f"--type {name!r}: no event is of this type; there are {', '.join(SHORT_NAMES)}{here}")
        if is_wrong:
            output.code = max(output.code, WRONG_USAGE)


class _Stream:
    """Shows events as they come.

    Attributes:
        shown: How many were, so far.
    """

    def __init__(self, output: Output, *, as_json: bool) -> None:
        self._output = output
        self._as_json = as_json
        self._lines = Lines(with_date=not output.in_terminal)
        self._waiting = 0
        self.shown = 0

    def show(self, lines: Iterable[Line], sessions: Tail) -> None:
        """Show events; none of those that are there waits for one that is not."""
        for line in lines:
            if self._as_json:
                self._show_json(line)
            else:
                self._show(line, sessions)
            self._waiting += 1
            self.shown += 1
            if self._waiting == _PAGE:
                self._write()
        if self._waiting:
            self._write()

    def note(self, note: Note) -> None:
        """Say what happened to a log, behind the events before it."""
        self._write()
        self._output.complain(with_path(note.text, note.path))
        if note.kind == "no log":
            self._output.found_state(note.kind)
        elif note.kind != "changed":
            self._output.found()

    def _show(self, line: Line, sessions: Tail) -> None:
        page = self._output.page
        if self._lines.is_another_day(line):
            page.spans([(self._lines.day, "label")])
        page.spans(self._lines.spans(line, with_session=sessions.count > 1))

    def _show_json(self, line: Line) -> None:
        fields = line.entry.record.fields
        try:
            # ASCII only: whatever a log holds, no terminal obeys it
            text = json.dumps(fields, separators=(",", ":")).replace("\x7f", "\\u007f")
        except RecursionError:
            self._output.complain(f"{line.path}: line {line.entry.record.number} is nested too deep to be shown")
            self._output.found()
            return
        self._output.page.spans([(text, "plain")])

    def _write(self) -> None:
        self._waiting = 0
        self._output.write_page()
