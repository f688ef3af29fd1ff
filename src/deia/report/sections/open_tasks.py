"""What was begun and never completed."""

from __future__ import annotations

from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.links import finder
from deia.report.sections.tables import ROWS, more, table
from deia.text import duration, moment


def section(report: Report) -> Markup | None:
    """Return what was begun and never completed."""
    profile = report.profile
    if not profile.analysis.open_tasks:
        return None
    tasks = profile.analysis.open_tasks
    return join(
        [
            table(
                "Open tasks",
                ["Task", "Began", "So far|"],
                ([finder(task.name), moment(task.start_time), duration(task.elapsed_ms)] for task in tasks[:ROWS]),
            ),
            more(len(tasks), "open task"),
        ]
    )
