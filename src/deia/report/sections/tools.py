"""The tools, the one with the most effort first."""

from __future__ import annotations

from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.charts import below, chart
from deia.report.sections.figures import some
from deia.report.sections.links import finder
from deia.report.sections.tables import ROWS, bar, more, table
from deia.text import count, durations


def section(report: Report) -> Markup | None:
    """Return the tools, the one with the most effort first."""
    profile = report.profile
    if not profile.tools:
        return None
    shown = list(profile.tools.items())[:ROWS]
    tools = [tool for _, tool in shown]
    most = max((tool.effort_ms for tool in tools), default=0)
    columns = {
        "Effort": durations(tool.effort_ms for tool in tools),
        "Wall": durations(tool.wall_ms for tool in tools),
        "Median": durations(tool.p50_ms for tool in tools),
        "95 %": durations(tool.p95_ms for tool in tools),
        "99 %": durations(tool.p99_ms for tool in tools),
        "Longest": durations(tool.max_ms for tool in tools),
    }
    figures = join(
        [
            table(
                "Tools",
                ["Tool", "", "Calls|", "Errors|", *(f"{name}|" for name in columns)],
                (
                    [finder(name), bar(tool.effort_ms, most), count(tool.calls), some(tool.errors), *times]
                    for (name, tool), *times in zip(shown, *columns.values(), strict=True)
                ),
            ),
            more(len(profile.tools), "tool"),
        ]
    )
    return below(chart("tool-times", "Time by tool"), figures)
