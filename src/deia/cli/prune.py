"""`deia prune`: remove sessions by age, number or size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from deia.cli import text
from deia.cli.amounts import size as size_of
from deia.cli.amounts import span
from deia.cli.output import Output
from deia.cli.page import Column
from deia.cli.paths import all_sessions, sessions_directory
from deia.cli.status import FINE
from deia.cli.text import plural, size

if TYPE_CHECKING:
    from deia.pruning import Pruned


@click.command("prune", short_help="Remove sessions by age, number or size.")
@click.argument("paths", nargs=-1, metavar="[DIR]...", type=click.Path())
@click.option("--older-than", type=span, metavar="SPAN", help="Remove sessions not recorded in for so long: 30d.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="Remove all but the N recorded in last.")
@click.option(
    "--max-size", type=size_of, metavar="SIZE", help="Remove the oldest until the others take no more than this: 1GB."
)
@click.option("--dry-run", is_flag=True, help="Remove nothing; tell what would be removed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def prune_command(
    output: Output,
    paths: tuple[str, ...],
    *,
    older_than: float | None,
    keep: int | None,
    max_size: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove sessions with all that belongs to them: further files of the log, what was left over, the conversation.

    DIR means all sessions in it, at any depth; without one it is the directory where loggers record:
    $DEIA_SESSIONS_DIR, else .deia/sessions. At least one of --older-than, --keep and --max-size is needed; a session
    goes if any of them says so, the oldest first, by when its last event was; where no event says that, by when its
    files were changed. SPAN is 12h, 30d or 2w; SIZE is 500MB, 1GB or 2GiB.

    Never removed are a session that a logger has open, one whose process died before all of it was in its log (recover
    it first), one of which that cannot be told, what is a symbolic link, and a file that is no session log.

    The exit code is 1 where a session that should go had to stay, unless a logger has it open.
    """
    if older_than is None and keep is None and max_size is None:
        raise click.UsageError("Say which sessions: --older-than, --keep or --max-size.")
    # Imported here because it knows of conversations as well, which takes other commands longer to load than to work.
    from deia.pruning import Criteria, prune, survey, update_indexes

    sessions = survey(all_sessions(paths or (sessions_directory(),), output.fail), output.fail)
    pruned = list(prune(sessions, Criteria(older_than, keep, max_size), dry_run=dry_run))
    gone = [each for each in pruned if each.reason is None]
    if not dry_run:
        for index, problem in update_indexes(each.session for each in gone):
            if problem is not None:
                output.fail(problem, str(index))
    if any(each.reason not in (None, "recording") for each in pruned):
        output.found()
    left = len(sessions) - len(gone), sum(each.size_bytes for each in sessions) - _bytes(gone)
    if not sessions and output.code != FINE:
        return  # it was said what is not there
    if as_json:
        output.document(
            {
                "dry_run": dry_run,
                "removed": [_object(each) for each in gone],
                "kept": [_object(each) for each in pruned if each.reason is not None],
                "freed_bytes": _bytes(gone),
                "left_sessions": left[0],
                "left_bytes": left[1],
            }
        )
    else:
        _show(output, pruned, left, dry_run=dry_run)


def _show(output: Output, pruned: Sequence[Pruned], left: tuple[int, int], *, dry_run: bool) -> None:
    page = output.page
    done = "would go" if dry_run else "removed"
    if pruned:
        page.table(
            [Column("What"), Column("Recorded until"), Column("Size", number=True), Column("Log"), Column("Remarks")],
            [
                [
                    done if each.reason is None else "kept",
                    text.moment(each.session.recorded_until),
                    size(each.session.size_bytes),
                    str(each.session.journal),
                    each.why,
                ]
                for each in pruned
            ],
        )
        page.gap()
    gone = [each for each in pruned if each.reason is None]
    files = sum(each.session.files for each in gone)
    what = f"{plural(len(gone), 'session')} with {plural(files, 'file')}, {size(_bytes(gone))}"
    page.line(f"{'Would remove' if dry_run else 'Removed'} {what}; {plural(left[0], 'session')}, {size(left[1])} left.")


def _bytes(pruned: Sequence[Pruned]) -> int:
    return sum(each.session.size_bytes for each in pruned)


def _object(pruned: Pruned) -> dict[str, object]:
    session = pruned.session
    return {
        "path": str(session.journal),
        "files": [str(path) for path in (*session.log, *session.others)],
        "size_bytes": session.size_bytes,
        "recorded_until": session.recorded_until,
        "reason": pruned.reason,
        "why": pruned.why,
    }
