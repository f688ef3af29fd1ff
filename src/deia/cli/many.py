"""What the commands that take many session logs have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from deia import system
from deia.cli.output import Output, jsonable
from deia.cli.paths import all_sessions, sessions, sessions_directory
from deia.cli.status import FINE
from deia.cli.text import count, plural
from deia.errors import DeiaError
from deia.export.sources import Sources
from deia.journal.damage import DamageLog, problem_count
from deia.journal.progress import OnProgress

T = TypeVar("T")


def journals_of(output: Output, paths: Sequence[str]) -> list[str]:
    """Return the session logs that paths mean; without a path, those of the directory where loggers record."""
    return list(map(str, all_sessions(paths or (sessions_directory(),), output.fail)))


def tell_of_none(output: Output, paths: Iterable[str], to_do: str) -> None:
    """Say of paths in which no session is that a command has nothing to work with; those not there were told of."""
    for path in paths:
        if system.exists(path):
            output.has_none(path, to_do)


def of_each(output: Output, paths: Sequence[str], do: Callable[[Path], T | str]) -> tuple[list[T], list[object]]:
    """Do something with each session that paths mean, those included of which only the queue file is there.

    Args:
        output: What goes wrong is said there; so it is that there is no session at all.
        paths: Session logs, their queue files, or directories.
        do: Given a log, returns what came of it, or a text that says why nothing did.

    Returns:
        What came of them, and the same for JSON with what went wrong in its place.
    """
    results: list[T] = []
    objects: list[object] = []
    for journal in [journal for path in paths for journal in sessions(path, output.fail)]:
        result = do(journal)
        if isinstance(result, str):
            objects.append({"path": str(journal), "error": result})
        else:
            results.append(result)
            objects.append(result)
    if not objects and output.code == FINE:
        output.page.line("No session there.", "quiet")
    return results, objects


def label_of(journals: Sequence[str]) -> str:
    """Return what a progress bar says is read."""
    return journals[0] if len(journals) == 1 else plural(len(journals), "session log")


def sources_of(
    output: Output,
    journals: Sequence[str],
    on_progress: OnProgress | None,
    problems: dict[str, dict[str, object]] | None = None,
) -> Sources:
    """Return session logs to be exported; what is the matter with one of them is said on standard error.

    Args:
        output: Where it is said.
        journals: The logs.
        on_progress: Told how far the reading has come.
        problems: Gets the same for JSON, by the path of the log.
    """

    def failed(error: DeiaError | OSError, path: str) -> None:
        said = output.fail(error, path)
        if problems is not None:
            problems.setdefault(path, {})["error"] = said

    def is_damaged(path: str, damages: DamageLog) -> None:
        _tell(output, path, damages)
        if problems is not None:
            problems.setdefault(path, {}).update(damages=jsonable(damages.kept), damage_count=damages.count)

    return Sources(journals, on_error=failed, on_damages=is_damaged, on_progress=on_progress)


def _tell(output: Output, path: str, damages: DamageLog) -> None:
    """Say what is wrong with a log: how much, and what first. A torn end is nothing."""
    wrong = [damage for damage in damages.kept if damage.kind != "torn"]
    if not wrong:
        return
    output.found()
    number = problem_count(damages.kept, damages.count)
    what = "a problem with the file" if number == 1 else f"{count(number)} problems with the file, the first"
    output.complain(f"{path}: {what} in line {wrong[0].line} (byte {wrong[0].offset}): {wrong[0].reason}")
