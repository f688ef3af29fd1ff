"""`deia compare`: two sessions, or two groups of them, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from deia.analysis.compare import Group, compare
from deia.analysis.conditions import Condition, Target
from deia.analysis.trend import Timeline
from deia.cli import text
from deia.cli.amounts import moment
from deia.cli.changes import document, show_changes, show_figures, show_names
from deia.cli.checks import (
    fail_if_option,
    judge_conditions,
    judge_targets,
    min_change_option,
    show_checks,
    target_option,
)
from deia.cli.many import tell_of_none
from deia.cli.output import Output
from deia.cli.paths import all_sessions
from deia.cli.selection import Selection, readable, selection_options
from deia.cli.text import plural
from deia.cli.usage import show_model_changes

Labels = tuple[str, str]


@click.command("compare", short_help="Say what differs between two sessions, or two groups.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option(
    "--before", type=moment, metavar="TIME", help="Of one directory: what began before, and what began later."
)
@click.option("--by", type=click.Choice(("day", "week")), help="Of one directory: its last two days, or weeks.")
@min_change_option
@fail_if_option
@target_option()
@selection_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def compare_command(
    output: Output,
    paths: tuple[str, ...],
    *,
    before: float | None,
    by: Literal["day", "week"] | None,
    min_change: float,
    conditions: tuple[Condition, ...],
    targets: tuple[Target, ...],
    agents: tuple[str, ...],
    since: float | None,
    until: float | None,
    as_json: bool,
) -> None:
    """Say what got slower from A to B, by how much, and whether that is more than noise.

    PATH is a session log; or a directory or a pattern in quotes, which mean all sessions in them. The first is A, the
    second is B. With --before or --by there is one, and its sessions make both groups. TIME is a date (2026-11-23), a
    date with a time, or how long ago (7d).

    A task, a tool or a model is called slower where its durations differ by more than noise (a rank-sum test on all of
    them, corrected for how many names are looked at) and by at least 10 %. The reference, "Comparing sessions", has the
    formulas, and the grammar of EXPR.

    The exit code is 1 where an EXPR is so, a target is missed, or a session is damaged; 2 where one cannot be read, and
    where A or B has none: then nothing is compared.
    """
    if (before is not None) + (by is not None) + (len(paths) == 2) != 1 or len(paths) > 2:
        raise click.UsageError("Give A and B, or one directory with --before or with --by.")
    selection = Selection(agents, since, until)
    journals = [all_sessions([path], output.fail) for path in paths]
    if not all(journals):
        tell_of_none(output, (path for path, found in zip(paths, journals, strict=True) if not found), "compare")
        return
    labels, groups = _groups(output, paths, journals, selection, before, by)
    for label, group in zip(labels, groups, strict=True):
        if not group.figures.sessions:
            output.has_none(label, "compare")
    if not all(group.figures.sessions for group in groups):
        return
    comparison = compare(*groups, smallest_change=min_change)
    failures = judge_conditions(conditions, comparison, *groups)
    reached = judge_targets(targets, groups[1])
    page = output.page
    page.heading(f"A: {labels[0]} ({plural(comparison.before.sessions, 'session')})")
    page.spans([(f"B: {labels[1]} ({plural(comparison.after.sessions, 'session')})", "name")])
    show_changes(page, comparison, output.limit)
    show_figures(page, comparison.figures)
    show_names(page, "Tasks", comparison.of("task"), output.limit)
    show_names(page, "Tools", comparison.of("tool"), output.limit)
    show_names(page, "Models", comparison.of("model"), output.limit)
    show_model_changes(page, comparison.models, output.limit)
    show_checks(output, failures, reached)
    if as_json:
        output.document(document(comparison, labels, failures, reached))


def _groups(
    output: Output,
    paths: Sequence[str],
    journals: Sequence[Sequence[Path]],
    selection: Selection,
    before: float | None,
    by: Literal["day", "week"] | None,
) -> tuple[Labels, tuple[Group, Group]]:
    if len(paths) == 2:
        groups = [Group(readable(output, found, selection)) for found in journals]
        return (paths[0], paths[1]), (groups[0], groups[1])
    sessions = readable(output, journals[0], selection)
    if by is not None:
        timeline = Timeline(sessions, by)
        if len(timeline.labels) < 2:
            raise click.UsageError(f"{paths[0]} has no sessions of two {by}s.")
        first, second = timeline.labels[-2:]
        return (first, second), (timeline.group([first]), timeline.group([second]))
    assert before is not None
    earlier, later = Group(), Group()
    for session in sessions:
        if session.began is not None:
            (earlier if session.began < before else later).add(session)
    then = text.moment(before)
    return (f"before {then}", f"from {then} on"), (earlier, later)
