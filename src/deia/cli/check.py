"""`deia check`: whether everything that was recorded can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import click

from deia.cli import views
from deia.cli.many import of_each
from deia.cli.output import Output
from deia.cli.page import Column
from deia.cli.reading import reading
from deia.cli.text import count, plural, size
from deia.errors import DeiaError
from deia.journal.check import CheckReport
from deia.journal.check import check as check_journal
from deia.journal.damage import Damage
from deia.queue.layout import UnreadableQueueError, queue_path
from deia.queue.window import read_window

_COLUMNS = [Column("State"), Column("Events", number=True), Column("Log"), Column("Remarks")]


@dataclass
class _Finding:
    """What was found out about one session.

    Attributes:
        path: The journal.
        ok: Whether everything that was recorded can be read.
        state: The same in a word.
        events: How many there are; None where they were not counted.
        remarks: What else is worth knowing.
        damages: The first problems.
        damage_count: How many there are.
    """

    path: str
    ok: bool
    state: str
    events: int | None = None
    remarks: list[str] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    damage_count: int = 0


@click.command(short_help="Check session logs for damage and loss.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per session.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def check(output: Output, paths: tuple[str, ...], *, as_json: bool) -> None:
    """Check whether everything that was recorded can be read. Nothing is changed.

    PATH is a session log, its queue file, or a directory: then all *.jsonl files in it are checked, at any depth, and
    the queue files whose log is gone.

    The exit code is 1 where lines cannot be read, events are missing, or a file is no session log. What a crash leaves
    is fine: a torn end, and events that wait in the queue file.
    """
    findings, objects = of_each(output, paths, lambda journal: _look_at(output, journal))
    if not all(finding.ok for finding in findings):
        output.found()
    if findings:
        _show(output, findings)
    if as_json:
        output.document(objects)


def _look_at(output: Output, journal: Path) -> _Finding | str:
    """Return what was found out about a session, or why nothing was."""
    try:
        with reading(output, str(journal)) as on_progress:
            report = check_journal(journal, on_progress=on_progress)
    except FileNotFoundError:
        return _look_at_queue_alone(journal)
    except (DeiaError, OSError) as error:
        return output.fail(error, str(journal))
    state = "fine" if report.ok else "damaged"
    if "foreign" in report.damage_counts:
        state = "no log"
    return _Finding(report.path, report.ok, state, report.events, _remarks(report), report.damages, report.damage_count)


def _look_at_queue_alone(journal: Path) -> _Finding:
    """Look at a session whose journal is gone, or was never made."""
    queue = queue_path(journal)
    try:
        window = read_window(journal)
    except UnreadableQueueError as error:
        return _Finding(
            str(journal), False, "no log", remarks=[f"only {queue.name} is there, and cannot be read: {error}"]
        )
    if window is None:  # closed, and its journal taken away, between our two looks
        return _Finding(str(journal), False, "no log", remarks=["it vanished just now"])
    if window.committed == 0:
        return _Finding(str(journal), True, "empty", remarks=[f"only {queue.name} is there; nothing was recorded"])
    return _Finding(str(journal), False, "no log", remarks=[f"only {queue.name} is there: the log was removed"])


def _remarks(report: CheckReport) -> list[str]:
    remarks: list[str] = []
    if report.locked:
        remarks.append("open in a logger")
    elif report.waiting_bytes:
        remarks.append(f"{size(report.waiting_bytes)} wait in the queue file")
    if report.torn_bytes and report.events and not report.locked:
        remarks.append(f"a torn end of {plural(report.torn_bytes, 'byte')}")
    if report.segments:
        remarks.append(f"goes on in {plural(len(report.segments), 'further file')}")
        if unsynced := sum(segment.unsynced_bytes for segment in report.segments):
            remarks.append(f"an fsync failed, {size(unsynced)} written again")
    if report.runs > 1:
        remarks.append(f"{count(report.runs)} runs")
    if report.dropped:
        remarks.append(f"{plural(report.dropped, 'event')} dropped because the queue was full")
    return remarks


def _show(output: Output, findings: list[_Finding]) -> None:
    page = output.page
    page.table(
        _COLUMNS,
        [
            [
                finding.state,
                count(finding.events) if finding.events is not None else "-",
                finding.path,
                "; ".join(finding.remarks),
            ]
            for finding in findings
        ],
    )
    for finding in findings:
        if finding.damages and not finding.ok:
            page.heading(finding.path)
            views.show_damages(page, finding.damages, finding.damage_count)
    page.gap()
    bad = sum(not finding.ok for finding in findings)
    if bad:
        page.line(f"{count(bad)} of {plural(len(findings), 'session log')} not in order.", "bad")
    else:
        page.line(f"{plural(len(findings), 'session log')} in order.", "good")
