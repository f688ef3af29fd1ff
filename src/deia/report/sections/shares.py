"""Where the time went."""

from __future__ import annotations

from deia.report.markup import Markup, tag
from deia.report.model import Report
from deia.report.sections.charts import beside, chart
from deia.report.sections.tables import table
from deia.text import duration, durations, share


def section(report: Report) -> Markup | None:
    """Return the wall time, told apart."""
    profile = report.profile
    if not profile.analysis.events:
        return None
    if not profile.span_ms:
        return tag("p", "No time passed between the first moment of the log and the last.", class_="quiet")
    wall = profile.wall
    unexplained = (
        "a task was open, and nothing was known to be at work"
        if profile.tasks
        else "nothing was known to be at work, and there is no task that would say whether the agent was"
    )
    rows = [
        ("model", "Model", wall.model_ms, "a model was at work"),
        ("tool", "Tools", wall.tool_ms, "a tool was"),
        ("file", "Files", wall.file_ms, "a file was read or written"),
        ("human", "People", wall.human_ms, "the agent waited for somebody's answer"),
        ("unattributed", "Unexplained", wall.unattributed_ms, unexplained),
        ("idle", "Idle", wall.idle_ms, "no task was open"),
        ("between", "Between runs", wall.between_runs_ms, "nothing was recorded"),
    ]
    there = [row for row in rows if row[2]]
    times = durations(spent for _, _, spent, _ in there)
    figures = table(
        "Where the time went",
        ["What", "Time|", "Share|"],
        (
            [
                [
                    tag("span", class_=f"dot {kind}", aria_hidden="true"),
                    label,
                    " ",
                    tag("span", meaning, class_="meaning"),
                ],
                time,
                share(spent, profile.span_ms),
            ]
            for (kind, label, spent, meaning), time in zip(there, times, strict=True)
        ),
    )
    ring = chart("shares", "Where the time went", centre=[duration(profile.span_ms), "from start to end"])
    return beside(ring, figures)
