"""`deia profile`: where the wall time of a session went, who worked how long, and what could be spared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from deia.analysis.profile import Advice, SessionProfile, advise, profile_session
from deia.cli import profile_views, views
from deia.cli.output import Output, jsonable
from deia.cli.reading import reading
from deia.errors import DeiaError
from deia.journal.check import queue_state
from deia.queue.layout import queue_path


@click.command(short_help="Show where the wall time of a session went, to the moment.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--critical-path", is_flag=True, help="Find the longest chain of work, too.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per file.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def profile(output: Output, files: tuple[str, ...], *, critical_path: bool, as_json: bool) -> None:
    """Show where the wall time of each session went.

    Each moment is counted once: as a tool's, a model's, a file's, as waiting for a person, as idle, as between two
    runs, or as unattributed. Then what to fix first, in plain words, as in a report; the effort, parallel work counted
    in full, by model, tool, task and file; the longest gaps; calls that were made again with the same parameters; and
    errors.

    FILE is a session log: of a session that is running, was killed, or is closed; plain or compressed with gzip. The
    exit code is 1 where a file has lines that cannot be read or events that are missing.
    """
    objects: list[object] = []
    for path in files:
        try:
            killed = queue_state(queue_path(Path(path))) == "left"
            with reading(output, path) as on_progress:
                figures = profile_session(path, critical_path=critical_path, on_progress=on_progress)
        except (DeiaError, OSError) as error:
            objects.append({"path": path, "error": output.fail(error, path)})
            continue
        advice = advise(figures, killed=killed)
        objects.append({"path": path, **jsonable(figures), "advice": jsonable(advice)})
        _show(output, path, figures, advice)
        if views.is_damaged(figures.analysis.damages):
            output.found()
    if as_json:
        output.document(objects)


def _show(output: Output, path: str, figures: SessionProfile, advice: Sequence[Advice]) -> None:
    page = output.page
    analysis = figures.analysis
    page.heading(path)
    profile_views.show_profile(page, figures)
    profile_views.show_advice(page, advice)
    for show in (
        profile_views.show_models,
        profile_views.show_tools,
        profile_views.show_tasks,
        profile_views.show_files,
        profile_views.show_gaps,
        profile_views.show_repeated,
        profile_views.show_errors,
        profile_views.show_critical_path,
    ):
        show(page, figures, output.limit)
    views.show_damages(page, analysis.damages, analysis.damage_count)
