"""What the commands that take many session logs have in common."""

from __future__ import annotations

from collections.abc import Sequence

from deia.cli.output import Output, jsonable
from deia.cli.paths import all_sessions, sessions_directory
from deia.cli.text import count, plural
from deia.errors import DeiaError
from deia.export.sources import Sources
from deia.journal.damage import DamageLog
from deia.journal.progress import OnProgress


def journals_of(output: Output, paths: Sequence[str]) -> list[str]:
    """Return the session logs that paths mean; without a path, those of the directory where loggers record."""
    return list(map(str, all_sessions(paths or (sessions_directory(),), output.fail)))


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
    number = damages.count - damages.by_kind["torn"]
    what = "a problem with the file" if number == 1 else f"{count(number)} problems with the file, the first"
    output.complain(f"{path}: {what} in line {wrong[0].line} (byte {wrong[0].offset}): {wrong[0].reason}")
