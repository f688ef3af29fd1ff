"""Show how far a long log is read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from deia import system
from deia.cli.output import Output
from deia.cli.text import clean
from deia.journal.progress import OnProgress

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_AFTER_S = 0.5
"""What is done sooner needs no bar: it would only flicker."""


@contextlib.contextmanager
def reading(output: Output, path: str) -> Iterator[OnProgress | None]:
    """Give what a reader tells of its progress, to be shown while it lasts; None where nobody watches."""
    if not output.interactive:
        yield None
        return
    bar = _Bar(path)
    try:
        yield bar.tell
    finally:
        bar.stop()


class _Bar:
    def __init__(self, path: str) -> None:
        self._path = path
        self._show_at = system.monotonic() + SHOWN_AFTER_S
        self._shown: tuple[Progress, TaskID] | None = None

    def tell(self, done: int, total: int) -> None:
        if self._shown is None:
            if system.monotonic() < self._show_at:
                return
            self._shown = self._start(done, total)
        progress, task = self._shown
        progress.update(task, completed=done, total=total)

    def _start(self, done: int, total: int) -> tuple[Progress, TaskID]:
        # Imported here because most logs are read before there is anything to show.
        from rich.progress import DownloadColumn, TaskProgressColumn, TimeRemainingColumn

        from deia.cli.bar import transient_bar

        progress = transient_bar(TaskProgressColumn(), DownloadColumn(), TimeRemainingColumn())
        task = progress.add_task(f"Reading {clean(os.path.basename(self._path))}", completed=done, total=total)
        progress.start()
        return progress, task

    def stop(self) -> None:
        if self._shown is not None:
            self._shown[0].stop()
