"""A progress bar for whoever watches: on standard error, so that standard output holds the result alone."""

from __future__ import annotations

import os

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn


def transient_bar(*columns: ProgressColumn, auto_refresh: bool = True) -> Progress:
    """Return a bar with a description before it and columns behind it; it is gone when it is stopped.

    Args:
        columns: What stands behind the bar.
        auto_refresh: Whether a thread of its own draws it ten times a second.
    """
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=Console(stderr=True, color_system=None if os.environ.get("NO_COLOR") else "auto"),
        transient=True,
        auto_refresh=auto_refresh,
    )
