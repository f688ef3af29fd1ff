"""`deia trend`: figures over time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal

import click

from deia.analysis.conditions import Condition, ConditionError, Measure, Target, parse_measure
from deia.analysis.figures import METRICS
from deia.analysis.trend import Trend, trend
from deia.cli.changes import document, figure_text, show_changes, show_names
from deia.cli.checks import (
    fail_if_option,
    judge_conditions,
    judge_targets,
    min_change_option,
    show_checks,
    target_option,
)
from deia.cli.output import Output
from deia.cli.page import Column, numbers
from deia.cli.paths import all_sessions, sessions_directory
from deia.cli.selection import Selection, readable, selection_options
from deia.cli.status import FINE
from deia.cli.text import plural
from deia.cli.usage import show_model_changes

_SHOWN = ("sessions", "session_ms", "tasks", "tasks_per_hour", "tool_ms", "tool_error_share")
"""Figures that are shown where none is asked for."""
_PAID = ("input_tokens", "output_tokens", "cost_usd")
"""Likewise, if any period has them."""

_LEAVING = ("sessions", "tasks_per_hour", "output_tokens", "tool_ms", "input_tokens", "tool_error_share", "tasks")
"""Of all these, what is left out where a terminal is too narrow, the first one first."""

_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.:-=+*#"


def _measure(text: str) -> Measure:
    try:
        return parse_measure(text)
    except ConditionError as error:
        raise click.BadParameter(str(error)) from error


@click.command("trend", short_help="Show figures over time.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option(
    "--by",
    type=click.Choice(("day", "week", "session")),
    default="week",
    show_default=True,
    help="What to put together.",
)
@click.option(
    "--metric",
    "measures",
    multiple=True,
    type=_measure,
    metavar="METRIC",
    help="What to show: a figure, or a statistic of a task, tool or model (tool:pytest p95). Several may be given.",
)
@min_change_option
@fail_if_option
@target_option()
@selection_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def trend_command(
    output: Output,
    paths: tuple[str, ...],
    *,
    by: Literal["day", "week", "session"],
    measures: tuple[Measure, ...],
    min_change: float,
    conditions: tuple[Condition, ...],
    targets: tuple[Target, ...],
    agents: tuple[str, ...],
    since: float | None,
    until: float | None,
    as_json: bool,
) -> None:
    """Show figures by day, week or session, and what changed between the first half of the time and the last.

    PATH is a directory, which means all sessions in it, at any depth; a session log; or a pattern in quotes. Without
    one it is the directory where loggers record: $DEIA_SESSIONS_DIR, else .deia/sessions. A session counts where it
    began. TIME is a date (2026-11-23), a date with a time, or how long ago (7d).

    What changed is told as by compare, from the first half of the days, weeks or sessions (A) to the last (B); so it is
    for --fail-if. A --target is for the last day, week or session.

    The exit code is 1 where an EXPR is so, a target is missed, or a session is damaged; 2 where one cannot be read.
    """
    shown = measures or tuple(parse_measure(name) for name in (*_SHOWN, *_PAID))
    journals = all_sessions(paths or (sessions_directory(),), output.fail)
    sessions = readable(output, journals, Selection(agents, since, until))
    found = trend(sessions, shown, by=by, smallest_change=min_change)
    failures = judge_conditions(conditions, found.comparison, found.before, found.after)
    reached = judge_targets(targets, found.last)
    _show(output, found, shown, by, hidden=() if measures else _PAID)
    show_checks(output, failures, reached)
    if as_json:
        labels = f"first half of the {by}s", f"last half of the {by}s"
        output.document(
            {
                "by": by,
                "points": [
                    {
                        "label": point.label,
                        "began": point.began,
                        "sessions": point.figures.sessions,
                        "values": {measure.text: value for measure, value in zip(shown, point.values, strict=True)},
                    }
                    for point in found.points
                ],
                "undated": found.undated,
                "comparison": document(found.comparison, labels, failures, reached),
            }
        )


def _show(output: Output, found: Trend, asked: Sequence[Measure], by: str, *, hidden: Sequence[str]) -> None:
    """Show the periods and what changed between them; a figure that is `hidden` only where any of them has it."""
    page = output.page
    points = found.points
    if not points:
        if output.code == FINE:
            page.line("No session there.", "quiet")
        return
    kept = [
        at
        for at, measure in enumerate(asked)
        if measure.name not in hidden or any(point.values[at] for point in points)
    ]
    labels = [_label(asked[at]) for at in kept]
    shown = points[-output.limit :] if output.limit is not None else points
    if len(shown) < len(points):
        page.line(f"… {plural(len(points) - len(shown), f'earlier {by}')}; --json has them all", "quiet")
    page.table(
        [
            Column(by.capitalize(), short=True, least=20),
            *numbers(labels, leaving=[METRICS[name].label for name in hidden and _LEAVING]),
        ],
        [
            [
                os.path.basename(point.label).removesuffix(".jsonl") if by == "session" else point.label,
                *(figure_text(point.values[at], asked[at].unit) for at in kept),
            ]
            for point in shown
        ],
    )
    if found.undated:
        page.line(f"{plural(found.undated, 'session')} left out: no line says when.", "quiet")
    if len(points) < 2:
        return
    page.heading("Over time")
    page.facts(
        [
            (label, bars([point.values[at] for point in points], ascii_only=output.ascii_only))
            for at, label in zip(kept, labels, strict=True)
        ]
    )
    half = len(points) // 2
    page.heading(f"From the first {plural(half, by)} (A) to the last {half:,} (B)")
    show_changes(page, found.comparison, output.limit)
    show_names(page, "Models", found.comparison.of("model"), output.limit)
    show_model_changes(page, found.comparison.models, output.limit)


def _label(measure: Measure) -> str:
    if measure.statistic is None:
        return METRICS[measure.name].label
    return f"{measure.name} {measure.statistic}"


def bars(values: Sequence[float | None], *, ascii_only: bool = False, width: int = 60) -> str:
    """Return numbers as a row of bars, the lowest at 0; neighbours are put together where there are more than fit."""
    per_bar = -(-len(values) // width) if values else 1
    means: list[float | None] = []
    for begin in range(0, len(values), per_bar):
        known = [value for value in values[begin : begin + per_bar] if value is not None]
        means.append(sum(known) / len(known) if known else None)
    highest = max((mean for mean in means if mean is not None), default=0.0)
    ramp = _ASCII_BARS if ascii_only else _BARS
    steps = len(ramp) - 1
    return "".join(" " if mean is None else ramp[round(mean / highest * steps) if highest > 0 else 0] for mean in means)
