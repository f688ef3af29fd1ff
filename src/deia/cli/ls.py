"""`deia ls`: the sessions of directories, with their key figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import click

from deia.analysis.figures import METRICS
from deia.analysis.sessions import SessionFigures
from deia.analysis.usage import added
from deia.cli import text
from deia.cli.output import Output, jsonable
from deia.cli.page import Column, say_more
from deia.cli.paths import all_sessions, sessions_directory
from deia.cli.selection import Selection, look, selection_options
from deia.cli.status import FINE, with_path
from deia.cli.text import count, duration, plural, size
from deia.cli.usage import cost_text, show_usage

_Key = Callable[[SessionFigures], "float | str | None"]

_TEXTS: dict[str, _Key] = {
    "agent": lambda session: session.agent_id,
    "session": lambda session: session.session_id,
    "state": lambda session: session.state,
    "path": lambda session: session.path,
}
"""What is sorted from A to Z."""

_NUMBERS: dict[str, _Key] = {
    "began": lambda session: session.began,
    "duration": lambda session: session.figures.session_ms,
    "events": lambda session: session.figures.events,
    "tasks": lambda session: session.figures.tasks,
    "tasks-per-hour": lambda session: METRICS["tasks_per_hour"].of(session.figures),
    "tool-calls": lambda session: session.figures.tool_calls,
    "tokens": lambda session: session.figures.tokens,
    "cost": lambda session: session.figures.cost_usd,
    "errors": lambda session: session.figures.errors,
    "size": lambda session: session.figures.size_bytes,
}
"""What is sorted with the highest first."""

_SORTS = _NUMBERS | _TEXTS

_WIDE = (
    "State",
    "Began",
    "Agent",
    "Session",
    "Duration",
    "Events",
    "Tasks",
    "Tasks / h",
    "Tool calls",
    "Tokens",
    "Cost",
    "Errors",
    "Size",
)
_NARROW = ("State", "Since", "Log", "Duration", "Tasks", "Tasks / h", "Tool calls", "Tokens", "Cost", "Errors", "Size")
"""In a terminal, which is seldom wide enough for all: the log's name has agent and session in it."""

_COLUMNS = {
    "State": Column("State", whole=True),
    "Began": Column("Began"),
    "Since": Column("Began", whole=True),
    "Agent": Column("Agent"),
    "Session": Column("Session"),
    "Log": Column("Session", short=True, least=20),
    **{name: Column("Calls" if name == "Tool calls" else name, number=True) for name in _WIDE[4:]},
}

_LEAVING = ("Tasks / h", "Size", "Tokens", "Tool calls", "Tasks", "Cost", "Errors", "Since", "Duration", "State")
"""What is left out where a terminal is too narrow, the first one first: what a session is called stays."""

_TO_THE_MINUTE = len("2026-11-23 08:00")


@click.command(short_help="List sessions with their key figures.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("--sort", type=click.Choice(tuple(_SORTS)), default="began", show_default=True, help="What to sort by.")
@click.option("--reverse", is_flag=True, help="The other way round.")
@selection_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per session.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def ls(
    output: Output,
    paths: tuple[str, ...],
    *,
    sort: str,
    reverse: bool,
    agents: tuple[str, ...],
    since: float | None,
    until: float | None,
    as_json: bool,
) -> None:
    """List sessions: whose, what became of them, when they began, and their key figures.

    PATH is a directory, which means all sessions in it, at any depth; a session log; or a pattern. Without one it is
    the directory where loggers record: $DEIA_SESSIONS_DIR, else .deia/sessions. TIME is a date (2026-11-23), a date
    with a time (2026-11-23T08:00), or how long ago (12h, 7d, 2w).

    States: recording (a logger has it open), finished, interrupted (its process died, or it ended in a task), damaged,
    unreadable, no log; unknown where nothing tells whether it is open. Errors are failed tool calls, tasks and model
    calls, and recorded errors. Tokens (input and output) and cost are those of model calls, as far as the log tells:
    shown where there are any, and by model where there are several. The newest come first; what is sorted by numbers
    begins with the highest.

    The exit code is 1 where a session is damaged or unreadable, and 2 where a file is no session log.
    """
    journals = all_sessions(paths or (sessions_directory(),), output.fail)
    chosen = Selection(agents, since, until)
    found = [replace(session, durations={}) for session in look(output, journals, chosen)]
    key = _SORTS[sort]
    known = sorted(found, key=lambda session: session.path)
    known = [session for session in known if key(session) is not None]
    known.sort(key=key, reverse=(sort in _NUMBERS) is not reverse)  # type: ignore[arg-type]  # one key gives one type
    found = known + [session for session in found if key(session) is None]
    for session in found:
        output.found_state(session.state)
    if as_json:
        output.document([_object(session) for session in found])
    else:
        _show(output, found)


def _object(session: SessionFigures) -> dict[str, object]:
    fields = jsonable(session)
    del fields["durations"]
    return {
        **{name: value for name, value in fields.items() if name != "figures"},
        **{name: value for name, value in fields["figures"].items() if name != "sessions"},
        "tasks_per_hour": METRICS["tasks_per_hour"].of(session.figures),
    }


def _show(output: Output, found: Sequence[SessionFigures]) -> None:
    page = output.page
    if not found:
        if output.code == FINE:
            page.line("No session there.", "quiet")
        return
    shown = [_row(session) for session in found[: output.limit]]
    columns: tuple[str, ...] = _WIDE if output.limit is None else _NARROW  # a pipe is as wide as it takes
    models = added(session.models for session in found)
    without = set() if models else {"Tokens"}
    without |= {"Cost"} if all(session.figures.cost_usd is None for session in found) else set()
    columns = tuple(name for name in columns if name not in without)
    leaves = {name: len(_LEAVING) - at for at, name in enumerate(_LEAVING)}
    headings = [replace(_COLUMNS[name], leaves=leaves.get(name, 0)) for name in columns]
    page.table(headings, [[row[name] for name in columns] for row in shown])
    say_more(page, len(found), output.limit, "session")
    for session in found:
        if session.problem is not None:
            page.line(with_path(session.problem, session.path), "bad")
    if len(models) > 1:  # what a single one took stands above
        show_usage(page, models, output.limit)
    page.gap()
    total = sum(session.figures.size_bytes for session in found)
    page.line(f"{plural(len(found), 'session')}, {size(total)}", "quiet")


def _row(session: SessionFigures) -> dict[str, str]:
    figures = session.figures
    began = "-" if session.began is None else text.moment(session.began)
    row = dict.fromkeys(_COLUMNS, "-")
    row |= {"State": session.state, "Began": began, "Since": began[:_TO_THE_MINUTE]}
    row |= {"Log": os.path.basename(session.path).removesuffix(".jsonl"), "Agent": session.agent_id or "-"}
    row["Session"] = session.session_id or os.path.basename(session.path)
    if session.is_readable:
        per_hour = METRICS["tasks_per_hour"].of(figures)
        row |= {
            "Duration": duration(figures.session_ms),
            "Events": count(figures.events),
            "Tasks": count(figures.tasks),
            "Tasks / h": "-" if per_hour is None else f"{per_hour:,.1f}",
            "Tool calls": count(figures.tool_calls),
            "Tokens": count(figures.tokens) if figures.model_calls else "-",
            "Cost": cost_text(figures.cost_usd),
            "Errors": count(figures.errors),
            "Size": size(figures.size_bytes),
        }
    return row
