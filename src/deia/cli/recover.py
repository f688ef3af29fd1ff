"""`deia recover`: bring in what a crash left in queue files, and take out what nobody can read."""

from __future__ import annotations

from pathlib import Path

import click

from deia.cli.output import Output
from deia.cli.page import Column
from deia.cli.paths import sessions
from deia.cli.status import FINE
from deia.cli.text import plural, size
from deia.errors import DeiaError, SessionLockedError
from deia.journal.mend import MendReport, mend


@click.command(short_help="Mend session logs after a crash or damage.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def recover(output: Output, paths: tuple[str, ...]) -> None:
    """Bring in what a killed process left in its queue file, cut a torn end, take out lines that cannot be read.

    PATH is a session log, its queue file, or a directory, as for check. Reading needs no recovery, and a session that
    is opened again recovers by itself: this is for other tools, which see the *.jsonl files only.

    Before lines are taken out, the log is set aside as it was. A session that a logger has open is left alone. The exit
    code is 1 where that was so, or where something could not be recovered in full.
    """
    journals = [journal for path in paths for journal in sessions(path, output.fail)]
    rows = [row for journal in journals if (row := _mend(output, journal)) is not None]
    if rows:
        output.page.table([Column("State"), Column("Log"), Column("What was done")], rows)
    elif output.code == FINE:
        output.page.line("No session log there.", "quiet")


def _mend(output: Output, journal: Path) -> list[str] | None:
    """Mend one session and return its row of the table."""
    try:
        report = mend(journal)
    except SessionLockedError as error:
        output.found()
        by = f" (process {error.pid})" if error.pid else ""
        return ["locked", str(journal), f"open in a logger{by}, left alone"]
    except (DeiaError, OSError) as error:
        output.fail(error, str(journal))
        return None
    if report.removed or report.recovery.aside is not None:
        output.found()
    return ["mended" if report.changed else "fine", report.path, "; ".join(_remarks(report))]


def _remarks(report: MendReport) -> list[str]:
    recovery = report.recovery
    remarks: list[str] = []
    if recovery.recovered_bytes:
        remarks.append(f"{size(recovery.recovered_bytes)} recovered from the queue file")
    if recovery.lost_bytes:
        remarks.append(f"a torn end of {plural(recovery.lost_bytes, 'byte')} cut")
    if recovery.aside is not None:
        remarks.append(f"the queue file could not be used in full, and is kept as {recovery.aside.name}")
    if report.asides:
        removed = plural(report.removed, "unreadable line")
        names = ", ".join(aside.name for aside in report.asides)
        remarks.append(f"{removed} taken out, the log as it was is {names}")
    return remarks or ["nothing to do"]
