"""The demo's progress bar, for whoever watches."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import MofNCompleteColumn, TextColumn, TimeElapsedColumn

from deia.cli.bar import transient_bar
from deia.cli.demo.plan import Plan
from deia.cli.demo.run import Watcher

if TYPE_CHECKING:
    from typing_extensions import Self


class ProgressBar(Watcher):
    """A bar on standard error, so that standard output holds the result alone; it is gone when the work is done."""

    def __init__(self) -> None:
        self._progress = transient_bar(MofNCompleteColumn(), TextColumn("events", markup=False), TimeElapsedColumn())
        self._task = self._progress.add_task("Recording", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, plan: Plan) -> None:
        """Show how much work there is."""
        self._progress.update(self._task, total=plan.events)

    def advance(self, events: int) -> None:
        """Show how much of it is done."""
        self._progress.update(self._task, completed=events)

    def killed(self, events: int) -> None:
        """Show that another process is at work."""
        self._progress.update(self._task, description="Killed with SIGKILL; continuing")
