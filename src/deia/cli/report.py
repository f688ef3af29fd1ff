"""`deia report`: a page of a session, to look at in a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import click

from deia import system
from deia.cli import views
from deia.cli.output import Output, jsonable
from deia.cli.reading import reading
from deia.cli.status import WRONG_USAGE
from deia.cli.text import plural, size
from deia.errors import DeiaError
from deia.report.files import write_page
from deia.report.library import ChartsMissingError, charts_code
from deia.report.model import Report, make_report
from deia.report.overview import Overview
from deia.report.page import page

_PAGE = "report.html"
_DIRECTORY = "report"
_INDEX = "index.html"

_SAID = 5
"""Pieces of advice that the command prints; the page has them all."""


@click.command(short_help="Make a page to look at in a browser.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@click.option(
    "-o",
    "--output",
    "target",
    metavar="PATH",
    help="Where the page goes; with several FILEs, or where it is a directory, the directory of the pages. "
    f"[default: {_PAGE}, or {_DIRECTORY}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per file.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def report(output: Output, files: tuple[str, ...], target: str | None, *, as_json: bool) -> None:
    """Make a page of a session, to look at in a browser.

    Headline figures, what to fix first, where the time went, a timeline to zoom into, tasks, tools, files, cost, and a
    table of the events with search. The page is one file of less than 2 MB that needs no network.

    FILE is a session log: of a session that is running, was killed, or is closed; plain or compressed with gzip.
    Several get a page each, in one directory, with an index.html that leads to them.

    Needs the extra report: python -m pip install 'deia[report]'. A file that is there and is no page is not
    overwritten. The exit code is 1 where a log has lines that cannot be read or events that are missing.
    """
    try:
        charts_code()  # before a long log is read
    except ChartsMissingError as error:
        output.complain(str(error))
        output.code = WRONG_USAGE
        return
    many = len(files) > 1 or (target is not None and os.path.isdir(target))
    overview = Overview()
    objects: list[object] = []
    for path, place in zip(files, _places(files, target) if many else [target or _PAGE], strict=True):
        try:
            with reading(output, path) as on_progress:
                made = make_report(path, on_progress=on_progress)
        except (DeiaError, OSError) as error:
            objects.append({"path": path, "error": output.fail(error, path)})
            continue
        data = page(made)
        try:
            if many:
                _make_directory(Path(place).parent)
            write_page(Path(place), data)
        except OSError as error:
            objects.append({"path": path, "error": output.fail(error, place)})
            continue
        overview.add(made, os.path.basename(place))
        objects.append(_document(made, place, data))
        _show(output, made, place, data)
        if views.is_damaged(made.profile.analysis.damages):
            output.found()
    if many:
        _write_index(output, Path(target or _DIRECTORY) / _INDEX, overview)
    if as_json:
        output.document(objects)


def _places(files: tuple[str, ...], target: str | None) -> Iterator[str]:
    """Yield the path of each page: called like its log, and numbered where another one is."""
    taken = {_INDEX}
    for path in files:
        stem = os.path.basename(path).removesuffix(".gz").removesuffix(".jsonl")
        name, number = f"{stem}.html", 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}.html"
        taken.add(name)
        yield os.path.join(target or _DIRECTORY, name)


def _make_directory(path: Path) -> None:
    """Make the directory of several pages; where that is to lie there must be one, as for an export."""
    if system.is_directory(path.parent):
        system.make_directory(path)


def _write_index(output: Output, path: Path, overview: Overview) -> None:
    try:
        write_page(path, overview.page())
    except OSError as error:
        output.fail(error, str(path))
        return
    output.page.gap()
    output.page.line(f"{path} leads to them.")


def _document(made: Report, place: str, data: bytes) -> dict[str, object]:
    return {
        "path": made.path,
        "page": place,
        "bytes": len(data),
        "state": made.state,
        "events": made.profile.analysis.events,
        "advice": [jsonable(advice) for advice in made.advice],
    }


def _show(output: Output, made: Report, place: str, data: bytes) -> None:
    page = output.page
    page.heading(made.path)
    page.facts([("Page", f"{place} ({size(len(data))})")])
    for advice in made.advice[:_SAID]:
        page.line(advice.title, "bad" if advice.weight == "bad" else "plain")
    if len(made.advice) > _SAID:
        page.line(f"… and {plural(len(made.advice) - _SAID, 'more thing')} to look at", "quiet")
