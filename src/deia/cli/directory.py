"""Many sessions together: what `deia analyze` shows of a directory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from deia.analysis.compare import Group, Spread
from deia.analysis.figures import METRICS
from deia.analysis.sessions import Kind, SessionFigures
from deia.analysis.usage import by_tokens, together
from deia.cli.output import Output, jsonable
from deia.cli.page import Column, Page, numbers, say_more
from deia.cli.paths import all_sessions
from deia.cli.selection import Selection, look
from deia.cli.status import with_path
from deia.cli.text import count, duration, durations, rate, share, size
from deia.cli.usage import in_short, show_usage
from deia.cli.views import session_time


@dataclass
class Many:
    """Sessions, one by one and together.

    Attributes:
        sessions: Each with its key figures, in the order of their paths.
        together: All that can be read, added up.
    """

    sessions: list[SessionFigures] = field(default_factory=list)
    together: Group = field(default_factory=Group)

    def add(self, session: SessionFigures) -> None:
        """Add a session; of the durations in it only what they add up to is kept."""
        self.sessions.append(replace(session, durations={}))
        if session.is_readable:
            self.together.add(session)


def look_into(output: Output, directory: str) -> Many:
    """Read the sessions of a directory, in several processes where that is worth it; say which of them cannot be."""
    many = Many()
    for session in look(output, all_sessions([directory], output.fail), Selection()):
        many.add(session)
        if session.problem is not None:
            output.complain(with_path(session.problem, session.path))
        output.found_state(session.state)
    return many


def object_of(many: Many) -> dict[str, object]:
    """Return them for JSON."""
    return {
        "figures": {name: metric.of(many.together.figures) for name, metric in METRICS.items()},
        "tasks": _spreads(many, "task"),
        "tools": _spreads(many, "tool"),
        "models": by_tokens(many.together.models),
        "sessions": [
            {
                **{name: value for name, value in jsonable(session).items() if name not in ("figures", "durations")},
                **{name: value for name, value in jsonable(session.figures).items() if name != "sessions"},
            }
            for session in many.sessions
        ],
    }


def show_many(page: Page, many: Many, limit: int | None) -> None:
    """Show what they did together, where the time went, and each session."""
    if not many.sessions:
        page.line("No session there.", "quiet")
        return
    figures = many.together.figures
    models = by_tokens(many.together.models)
    page.facts(
        [
            ("Sessions", _states(many.sessions)),
            ("Session time", session_time(figures.session_ms, figures.recorded_ms)),
            ("Events", count(figures.events)),
            ("Tasks", f"{_counted(many, 'tasks', 'completed ')}, {count(figures.open_tasks)} open"),
            ("Files read", _counted(many, "files_read")),
            ("Files written", _counted(many, "files_written")),
            ("Tool calls", _counted(many, "tool_calls")),
            *([("Models", in_short(together(models.values())))] if models else []),
            ("Errors", count(figures.errors)),
            ("Size", size(figures.size_bytes)),
        ]
    )
    _show_spreads(page, many, "task", "Where the time went", "Task", "Runs", limit)
    _show_spreads(page, many, "tool", "Tools", "Tool", "Calls", limit)
    show_usage(page, models, limit)
    _show_sessions(page, many, limit)


def _spreads(many: Many, kind: Kind) -> dict[str, Spread]:
    """Return the tasks, or the tools, that took the most time first."""
    found = {name: many.together.spread(kind, name) for name in many.together.names(kind)}
    known = {name: spread for name, spread in found.items() if spread is not None}
    return dict(sorted(known.items(), key=lambda item: (-item[1].total_ms, item[0])))


def _states(sessions: Iterable[SessionFigures]) -> str:
    states: dict[str, int] = {}
    for session in sessions:
        states[session.state] = states.get(session.state, 0) + 1
    whole = count(sum(states.values()))
    return f"{whole} ({', '.join(f'{count(number)} {state}' for state, number in sorted(states.items()))})"


def _counted(many: Many, name: str, what: str = "") -> str:
    figures = many.together.figures
    return f"{count(getattr(figures, name))} {what}({rate(METRICS[f'{name}_per_hour'].of(figures) or 0.0)})"


def _show_spreads(page: Page, many: Many, kind: Kind, heading: str, what: str, number: str, limit: int | None) -> None:
    spreads = _spreads(many, kind)
    if not spreads:
        return
    page.heading(heading)
    names = list(spreads)[:limit]
    shown = [spreads[name] for name in names]
    whole = sum(spread.total_ms for spread in spreads.values())
    of_all = f"Of all {kind}s"  # sessions that ran side by side have no time together that it could be a part of
    columns = {
        number: [count(spread.count) for spread in shown],
        **({"Errors": [count(spread.errors) for spread in shown]} if kind == "tool" else {}),
        "Total": durations(spread.total_ms for spread in shown),
        of_all: [share(spread.total_ms, whole) for spread in shown],
        "Median": durations(spread.p50_ms for spread in shown),
        "95 %": durations(spread.p95_ms for spread in shown),
        "Longest": durations(spread.max_ms for spread in shown),
    }
    page.table(
        [Column(what, short=True), *numbers(columns, leaving=("Median", of_all, "Longest", "95 %", "Errors", number))],
        zip(names, *columns.values(), strict=True),
    )
    say_more(page, len(spreads), limit, what.lower())


def _show_sessions(page: Page, many: Many, limit: int | None) -> None:
    page.heading("Sessions, the longest first")
    by_time = sorted(many.sessions, key=lambda session: (-session.figures.session_ms, session.path))
    columns = numbers(
        ("Time", "Events", "Tasks", "Tool calls", "Errors"), leaving=("Tool calls", "Tasks", "Events", "Errors", "Time")
    )
    page.table(
        [Column("State", whole=True), *columns, Column("Log", short=True, least=20)],
        [
            [
                session.state,
                duration(session.figures.session_ms),
                count(session.figures.events),
                count(session.figures.tasks),
                count(session.figures.tool_calls),
                count(session.figures.errors),
                session.path,
            ]
            for session in by_time[:limit]
        ],
    )
    say_more(page, len(by_time), limit, "session")
