"""`deia demo`: the command, and what it shows in the end."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex

import click

from deia.analysis import SessionAnalysis, analyze_session
from deia.analysis.summary import summary_of
from deia.cli import views
from deia.cli.demo.bar import ProgressBar
from deia.cli.demo.run import Demo, DemoFailedError, run_demo
from deia.cli.output import Output, jsonable
from deia.cli.page import Page
from deia.cli.text import count, plural, size
from deia.cli.usage import show_usage

_ROWS = 7
"""Of each table: the demo is to show that there is something to see; `deia analyze` shows it all."""


@click.command(short_help="Record a real piece of work, kill it half way, and see what is left.")
@click.option(
    "--output-dir",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where the session log and the report go. [default: $DEIA_SESSIONS_DIR, else .deia/sessions]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def demo(output: Output, output_dir: str | None, *, as_json: bool) -> None:
    """Record a real piece of work, kill it half way, and see what is left.

    An agent reviews this Python's standard library: it reads the sources, runs tools on them, writes a report, and
    records what it does. Half way its process is killed with SIGKILL. A second process continues the session to its
    end. Then you see that no event is missing whose log call had returned, and where the time went.

    Files and tools are real. The models that it asks, with their tokens and prices, and the person whom it waits for
    are made up: nothing is sent anywhere.

    Takes less than a minute. The exit code is 1 if an event is missing.
    """
    bar = ProgressBar() if output.interactive else None
    try:
        with bar or contextlib.nullcontext():
            done = run_demo(output_dir, watcher=bar)
    except DemoFailedError as error:
        output.complain(str(error))
        output.found()
        return
    except OSError as error:
        output.fail(error, str(error.filename or output_dir or "."))
        return
    analysis = analyze_session(done.log, bottleneck_share=views.BOTTLENECK_SHARE)
    if done.missing or done.has_gap:
        output.found()
    if as_json:
        output.document(_document(done, analysis))
    else:
        _show(output.page, done, analysis)


def _document(done: Demo, analysis: SessionAnalysis) -> dict[str, object]:
    return {
        "log": done.log,
        "report": done.report,
        "python": platform.python_version(),
        "source_files": len(done.plan.files),
        "acknowledged_before_kill": done.at_kill.acknowledged,
        "found_after_kill": done.at_kill.found,
        "acknowledged": done.at_end.acknowledged,
        "missing": done.missing,
        "has_gap": done.has_gap,
        "recovered_bytes": done.recovered_bytes,
        "lost_bytes": done.lost_bytes,
        "summary": jsonable(summary_of(analysis)),
        "analysis": jsonable(analysis),
    }


def _show(page: Page, done: Demo, analysis: SessionAnalysis) -> None:
    plan = done.plan
    after_kill = done.at_end.acknowledged - done.at_kill.acknowledged
    page.heading(f"A review of the standard library of Python {platform.python_version()}, killed half way")
    page.facts(
        [
            ("Reviewed", f"{plural(len(plan.files), 'source file')} in {plural(len(plan.packages), 'package')}"),
            ("Acknowledged before SIGKILL", plural(done.at_kill.acknowledged, "event")),
            ("Found after it", plural(done.at_kill.found, "event")),
            ("Recovered from the queue file", size(done.recovered_bytes)),
            ("Acknowledged by a second process", plural(after_kill, "event")),
            ("Missing", count(done.missing)),
        ]
    )
    if done.missing:
        page.line(f"{plural(done.missing, 'acknowledged event')} missing. That must not be: please report it.", "bad")
    else:
        page.line("No acknowledged event is missing.", "good")
    if done.has_gap:
        page.line("The numbering of the events has a gap. That must not be: please report it.", "bad")
    page.heading("Summary")
    views.show_summary(page, summary_of(analysis))
    views.show_tasks(page, analysis, _ROWS)
    views.show_tools(page, analysis, _ROWS)
    show_usage(page, analysis.models, _ROWS)
    page.heading("Where it is")
    log = os.path.relpath(done.log)
    page.facts([("Session log", log), ("Report", os.path.relpath(done.report))])
    page.heading("What to run next")
    for command in ("analyze", "report", "profile"):
        page.line(f"deia {command} {shlex.quote(log)}")
