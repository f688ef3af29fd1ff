"""`deia bench`: the command, and what it gives to programs."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version

import click

import deia
from deia.cli.bench.figures import Calls, Row
from deia.cli.bench.recorders.catalogue import find_recorder
from deia.cli.bench.run import Bench, BenchFailedError, OnProcess, run_bench
from deia.cli.bench.views import show
from deia.cli.output import Output


@click.command(short_help="Measure what a log call costs on this machine.")
@click.option(
    "--directory",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    metavar="DIR",
    help="Where the measured files lie for the moment: the file system matters. [default: the system's temporary one]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def bench(output: Output, directory: str | None, *, as_json: bool) -> None:
    """Measure what a log call costs on this machine.

    The same event, one JSON line, is recorded by SessionLogger, with its defaults and with redact=False; by the
    standard library's logging, to a file and through a queue; by structlog, loguru and picologging, where they are
    installed; and by write-through, the least that one would write by hand for the same promise: one write for each
    event. Ratios are to write-through.

    Each runs in three fresh processes, in rounds of shuffled order; each ratio is the median over the rounds, and is
    shown with the lowest and the highest. Tight calls follow each other at once; paced ones come 5,000 times a second.

    Every file is read back, and one more process of each is killed with SIGKILL right after its last call.

    Takes half a minute, a minute where all of them are installed, and leaves no file. The exit code is 1 if an event
    of SessionLogger is missing. The published figures, and how they are made, stand in the reference.
    """
    try:
        with _progress(output) as on_process:
            done = run_bench(directory, on_process=on_process)
    except BenchFailedError as error:
        output.complain(str(error))
        output.found()
        return
    except OSError as error:
        output.fail(error, str(error.filename or directory or "the system's temporary directory"))
        return
    if done.problems:
        output.found()
    if as_json:
        output.document(_document(done))
    else:
        show(output.page, done)


@contextlib.contextmanager
def _progress(output: Output) -> Iterator[OnProcess]:
    """Give what the run tells of its processes, to be shown where somebody watches."""
    if not output.interactive:
        yield lambda *_: None
        return
    from rich.progress import MofNCompleteColumn, TextColumn

    from deia.cli.bar import transient_bar

    # Drawn between the processes only: beside one it would be measured with it.
    with transient_bar(MofNCompleteColumn(), TextColumn("{task.fields[label]}"), auto_refresh=False) as bar:
        task = bar.add_task("Measuring", total=None, label="")
        yield lambda done, total, label: bar.update(task, completed=done, total=total, label=label, refresh=True)


def _document(done: Bench) -> dict[str, object]:
    needed = sorted({distribution for row in done.rows for distribution in find_recorder(row.name).needs})
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "versions": {"deia": deia.__version__, **{name: _version(name) for name in ("orjson", *needed)}},
        "amount": asdict(done.amount),
        "recorders": {row.name: _recorder(row) for row in done.rows},
        "not_installed": done.not_installed,
        "failed": done.failed,
        "verified_events": done.verified_events,
        "problems": done.problems,
    }


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a module on the path, that was not installed
        return None


def _recorder(row: Row) -> dict[str, object]:
    return {
        "label": row.label,
        "tight": _calls(row.tight),
        "paced": _calls(row.paced),
        "until_in_file": {
            "events_per_s": row.events_per_s,
            "ratio": row.speed_ratio.median,
            "ratios": row.speed_ratio.rounds,
        },
        "bytes_per_event": row.bytes_per_event,
        "acknowledged_before_kill": row.killed.acknowledged,
        "found_after_kill": row.killed.found,
    }


def _calls(calls: Calls) -> dict[str, object]:
    return {**asdict(calls), "ratio": calls.ratio.median, "ratios": calls.ratio.rounds}
