"""`deia analyze`: where the time of a session went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from deia.analysis import SessionAnalysis, analyze_session
from deia.analysis.compare import Group
from deia.analysis.conditions import Outcome, Target
from deia.analysis.sessions import figures_of, size_of
from deia.cli import views
from deia.cli.checks import judge_targets, show_checks, target_option
from deia.cli.directory import look_into, object_of, show_many
from deia.cli.output import Output, jsonable
from deia.cli.paths import is_directory
from deia.cli.reading import reading
from deia.cli.usage import show_usage
from deia.errors import DeiaError


@click.command(short_help="Show where the time of a session went.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@target_option(of_figures=True)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per PATH.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def analyze(output: Output, paths: tuple[str, ...], *, targets: tuple[Target, ...], as_json: bool) -> None:
    """Show where the time of each session went, or that of all sessions in a directory together.

    Tasks by the time they took, bottlenecks, tools, files, models with tokens and cost, what is open, and what is wrong
    with the file.

    PATH is a session log: of a session that is running, was killed, or is closed; plain or compressed with gzip. Or it
    is a directory: then the figures of all sessions in it, at any depth, are added up, and each is listed with its own.

    The exit code is 1 where a file has lines that cannot be read or events that are missing, and where a session, or
    the sessions of a directory together, do not reach a target.
    """
    objects: list[object] = []
    for path in paths:
        if is_directory(path):
            objects.append(_analyze_directory(output, path, targets))
            continue
        try:
            with reading(output, path) as on_progress:
                analysis = analyze_session(path, bottleneck_share=views.BOTTLENECK_SHARE, on_progress=on_progress)
            reached = _judge(targets, analysis, path) if targets else []
        except (DeiaError, OSError) as error:
            objects.append({"path": path, "error": output.fail(error, path)})
            continue
        objects.append({"path": path, **jsonable(analysis), **({"targets": jsonable(reached)} if targets else {})})
        _show(output, path, analysis)
        show_checks(output, [], reached)
        if views.is_damaged(analysis.damages):
            output.found()
    if as_json:
        output.document(objects)


def _analyze_directory(output: Output, path: str, targets: Sequence[Target]) -> dict[str, object]:
    many = look_into(output, path)
    output.page.heading(path)
    show_many(output.page, many, output.limit)
    if not targets:
        return {"path": path, **object_of(many)}
    reached = judge_targets(targets, many.together)
    show_checks(output, [], reached)
    return {"path": path, **object_of(many), "targets": jsonable(reached)}


def _show(output: Output, path: str, analysis: SessionAnalysis) -> None:
    page = output.page
    page.heading(path)
    views.show_session(page, analysis)
    views.show_tasks(page, analysis, output.limit)
    views.show_tools(page, analysis, output.limit)
    show_usage(page, analysis.models, output.limit)
    views.show_open_tasks(page, analysis, output.limit)
    views.show_damages(page, analysis.damages, analysis.damage_count)


def _judge(targets: Sequence[Target], analysis: SessionAnalysis, path: str) -> list[Outcome]:
    session = Group()
    session.figures = figures_of(analysis, size_of(Path(path)))
    return judge_targets(targets, session)
