"""The tasks, by the time that is their own."""

from __future__ import annotations

from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.charts import below, chart
from deia.report.sections.figures import some
from deia.report.sections.links import finder
from deia.report.sections.tables import ROWS, bar, more, table
from deia.text import count, durations


def section(report: Report) -> Markup | None:
    """Return the tasks, by the time that is their own."""
    profile = report.profile
    if not profile.tasks:
        return None
    by_own = profile.tasks_by_own_time
    shown = by_own[:ROWS]
    tasks = [task for _, task in shown]
    most = max((task.own_ms for task in tasks), default=0)
    columns = {
        "Own": durations(task.own_ms for task in tasks),
        "Wall": durations(task.wall_ms for task in tasks),
        "Effort": durations(task.effort_ms for task in tasks),
        "Median": durations(task.p50_ms for task in tasks),
        "95 %": durations(task.p95_ms for task in tasks),
        "Longest": durations(task.max_ms for task in tasks),
    }
    figures = join(
        [
            table(
                "Tasks",
                ["Task", "", "Runs|", "Failed|", "Open|", *(f"{name}|" for name in columns)],
                (
                    [
                        finder(name),
                        bar(task.own_ms, most),
                        count(task.runs),
                        some(task.failed),
                        some(task.open),
                        *times,
                    ]
                    for (name, task), *times in zip(shown, *columns.values(), strict=True)
                ),
            ),
            more(len(by_own), "task"),
        ]
    )
    return below(chart("task-times", "Own time by task"), figures)
