"""`deia recover`: bring in what a crash left in queue files, and take out what nobody can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from deia.cli.many import of_each
from deia.cli.output import Output
from deia.cli.page import Column
from deia.cli.text import plural, size
from deia.errors import DeiaError, SessionLockedError
from deia.journal.mend import MendReport, mend


@dataclass
class _Done:
    """What was done to one session.

    Attributes:
        path: The journal.
        state: What became of it, in a word.
        remarks: The same in words.
        recovered_bytes: Bytes brought in from the queue file.
        lost_bytes: Bytes cut as a torn end.
        queue_aside: Copy of a queue file that could not be used in full.
        removed: Unreadable lines that were taken out.
        asides: The files that these were taken out of, as they were.
    """

    path: str
    state: str
    remarks: list[str]
    recovered_bytes: int = 0
    lost_bytes: int = 0
    queue_aside: Path | None = None
    removed: int = 0
    asides: tuple[Path, ...] = ()


@click.command(short_help="Mend session logs after a crash or damage.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per session.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def recover(output: Output, paths: tuple[str, ...], *, as_json: bool) -> None:
    """Bring in what a killed process left in its queue file, cut a torn end, take out lines that cannot be read.

    PATH is a session log, its queue file, or a directory, as for check. Reading needs no recovery, and a session that
    is opened again recovers by itself: this is for other tools, which see the *.jsonl files only.

    Before lines are taken out, the log is set aside as it was. A session that a logger has open is left alone. The exit
    code is 1 where that was so, or where something could not be recovered in full.
    """
    mended, objects = of_each(output, paths, lambda journal: _mend(output, journal))
    if mended:
        columns = [Column("State"), Column("Log"), Column("What was done")]
        output.page.table(columns, [[done.state, done.path, "; ".join(done.remarks)] for done in mended])
    if as_json:
        output.document(objects)


def _mend(output: Output, journal: Path) -> _Done | str:
    """Mend one session, and return what was done, or why it could not be."""
    try:
        report = mend(journal)
    except SessionLockedError as error:
        output.found()
        by = f" (process {error.pid})" if error.pid else ""
        return _Done(str(journal), "locked", [f"open in a logger{by}, left alone"])
    except (DeiaError, OSError) as error:
        return output.fail(error, str(journal))
    if report.removed or report.recovery.aside is not None:
        output.found()
    recovery = report.recovery
    return _Done(
        report.path,
        "mended" if report.changed else "fine",
        _remarks(report),
        recovery.recovered_bytes,
        recovery.lost_bytes,
        recovery.aside,
        report.removed,
        report.asides,
    )


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
