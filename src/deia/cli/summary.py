"""`deia summary`: a session in six figures."""

from __future__ import annotations

import click

from deia.analysis import analyze_session
from deia.analysis.summary import summary_of
from deia.cli import views
from deia.cli.output import Output, jsonable
from deia.cli.reading import reading
from deia.errors import DeiaError


@click.command(short_help="Show a session in six figures.")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def summary(output: Output, file: str, *, as_json: bool) -> None:
    """Show what a session did, in the figures of `get_session_summary`.

    FILE is a session log, as for analyze; the exit codes are the same.
    """
    try:
        with reading(output, file) as on_progress:
            analysis = analyze_session(file, on_progress=on_progress)
    except (DeiaError, OSError) as error:
        output.fail(error, file)
        return
    figures = summary_of(analysis)
    if as_json:
        output.document({"path": file, **jsonable(figures)})
    else:
        output.page.heading(file)
        views.show_summary(output.page, figures)
        views.show_damages(output.page, analysis.damages, analysis.damage_count)
    if views.is_damaged(analysis.damages):
        output.found()
