"""`deia analyze`: where the time of a session went."""

from __future__ import annotations

import click

from deia.analysis import SessionAnalysis, analyze_session
from deia.cli import views
from deia.cli.output import Output, jsonable
from deia.cli.reading import reading
from deia.errors import DeiaError


@click.command(short_help="Show where the time of a session went.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per file.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def analyze(output: Output, files: tuple[str, ...], *, as_json: bool) -> None:
    """Show where the time of each session went.

    Tasks by the time they took, bottlenecks, tools, files, what is open, and what is wrong with the file.

    FILE is a session log: of a session that is running, was killed, or is closed; plain or compressed with gzip. The
    exit code is 1 where a file has lines that cannot be read or events that are missing.
    """
    objects: list[object] = []
    for path in files:
        try:
            with reading(output, path) as on_progress:
                analysis = analyze_session(path, bottleneck_share=views.BOTTLENECK_SHARE, on_progress=on_progress)
        except (DeiaError, OSError) as error:
            objects.append({"path": path, "error": output.fail(error, path)})
            continue
        objects.append({"path": path, **jsonable(analysis)})
        _show(output, path, analysis)
        if views.is_damaged(analysis.damages):
            output.found()
    if as_json:
        output.document(objects)


def _show(output: Output, path: str, analysis: SessionAnalysis) -> None:
    page = output.page
    page.heading(path)
    views.show_session(page, analysis)
    views.show_tasks(page, analysis, output.limit)
    views.show_tools(page, analysis, output.limit)
    views.show_open_tasks(page, analysis, output.limit)
    views.show_damages(page, analysis.damages, analysis.damage_count)
