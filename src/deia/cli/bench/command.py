"""`deia bench`: the command, and what it shows."""

from __future__ import annotations

import platform
import tempfile

import click

from deia.cli.bench.run import Bench, BenchFailedError, Row, run_bench
from deia.cli.output import Output
from deia.cli.page import Column, Page, numbers
from deia.cli.text import count, plural

_FIGURES = {
    "tight_median_ns": "tight, median",
    "tight_p99_ns": "tight, p99",
    "tight_p999_ns": "tight, p99.9",
    "paced_median_ns": "paced, median",
    "paced_p99_ns": "paced, p99",
}


@click.command(short_help="Measure what a log call costs on this machine.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Where the measured files lie for the moment: the file system matters. [default: the system's temporary one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def bench(output: Output, directory: str | None, *, as_json: bool) -> None:
    """Measure what a log call costs on this machine.

    The same event is recorded by SessionLogger, with its defaults, and by the least that one would write by hand for
    the same promise: one write for each event. Both run in fresh processes, in pairs; each ratio is the median over
    the pairs. Tight calls follow each other at once; paced ones come 5,000 times a second.

    Every file is read back, and one more process is killed with SIGKILL right after its last call.

    Takes a few seconds and leaves no file. The exit code is 1 if an event is missing. The published figures, and how
    they are made, stand in the reference.
    """
    try:
        done = run_bench(directory)
    except BenchFailedError as error:
        output.complain(str(error))
        output.found()
        return
    except OSError as error:
        output.fail(error, str(error.filename or directory or tempfile.gettempdir()))
        return
    if done.problems:
        output.found()
    if as_json:
        output.document(_document(done))
    else:
        _show(output.page, done)


def _document(done: Bench) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "figures": {
            row.figure: {
                "deia": row.deia,
                "write_through": row.write_through,
                "ratio": row.ratio,
                "ratios": row.ratios,
            }
            for row in done.rows
        },
        "verified_events": done.verified_events,
        "bytes_per_event": done.bytes_per_event,
        "acknowledged_before_kill": done.acknowledged_before_kill,
        "found_after_kill": done.found_after_kill,
        "problems": done.problems,
    }


def _show(page: Page, done: Bench) -> None:
    rows = {row.figure: row for row in done.rows}
    page.heading("What a log call costs here, beside one write for each event")
    names = ("Deia µs", "write-through µs", "ratio", "from", "to")
    page.table(
        [Column("Call"), *numbers(names, leaving=("to", "from"))],
        [
            [name, f"{rows[figure].deia / 1e3:,.2f}", f"{rows[figure].write_through / 1e3:,.2f}", *_ratio(rows[figure])]
            for figure, name in _FIGURES.items()
        ],
    )
    speed = rows["events_per_s"]
    page.heading("Until everything is in the file")
    page.facts(
        [
            ("Events per second", count(round(speed.deia))),
            ("Write-through", f"{count(round(speed.write_through))} (ratio {speed.ratio:.2f})"),
            ("Bytes an event", f"{done.bytes_per_event:.1f}"),
        ]
    )
    page.heading("Read back")
    page.facts(
        [
            ("Verified", plural(done.verified_events, "event")),
            ("Acknowledged before SIGKILL", plural(done.acknowledged_before_kill, "event")),
            ("Found after it", plural(done.found_after_kill, "event")),
        ]
    )
    for problem in done.problems:
        page.line(f"{problem}. That must not be: please report it.", "bad")
    if not done.problems:
        page.line("No event is missing.", "good")


def _ratio(row: Row) -> list[str]:
    return [f"{value:.2f}" for value in (row.ratio, min(row.ratios), max(row.ratios))]
