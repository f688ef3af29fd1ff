"""How many calls were at work at the same time."""

from __future__ import annotations

from deia.analysis.profile import SessionProfile
from deia.report.extent import extent
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections.charts import below, beside, chart
from deia.report.sections.figures import NONE
from deia.report.sections.tables import FEW_ROWS, ROWS, table
from deia.text import count, duration, plural, share


def section(report: Report) -> Markup | None:
    """Return when how many calls were at work at once, and for how long."""
    profile = report.profile
    if not any(spent for at_once, spent in profile.concurrency.items() if at_once):
        return None
    return join(
        [
            tag(
                "p",
                "How many tool and model calls were at work at the same time: when, and for how long.",
                class_="quiet",
            ),
            below(chart("over-time", "Calls at the same time, over time"), _over_time(report)),
            beside(chart("at-once", "Calls at the same time"), _at_once(profile)),
        ]
    )


def _at_once(profile: SessionProfile) -> Markup:
    """Return how long so many calls were at work at once; folded away where that were a long table."""
    levels = sorted(profile.concurrency.items())
    figures = table(
        "Calls at the same time",
        ["At once|", "Time|", "Share|"],
        ([count(at_once), duration(spent), share(spent, profile.span_ms)] for at_once, spent in levels[:ROWS]),
    )
    if len(levels) <= FEW_ROWS:
        return figures
    return tag("details", tag("summary", f"The figures of {plural(len(levels), 'number')} of calls at once"), figures)


def _over_time(report: Report) -> Markup:
    """Return the figures of those steps of the time in which a call was at work, folded away."""
    found = report.profile.concurrency_over_time
    before_ms = round((found.start - extent(report.profile, report.selected).start) * 1000)
    offsets = [before_ms + ms for ms in found.offsets_ms]
    rows = [
        [duration(start), duration(to - start), count(most), _average(tools), _average(models)]
        for start, to, most, tools, models in zip(
            offsets, offsets[1:], found.most, found.tools, found.models, strict=False
        )
        if most
    ]
    return tag(
        "details",
        tag("summary", f"The figures of {plural(len(rows), 'step')} in which a call was at work"),
        table(
            "Calls at the same time, over time",
            ["Began after|", "Lasted|", "Most at once|", "Tool calls, on average|", "Model calls, on average|"],
            rows,
        ),
    )


def _average(number: float) -> str:
    return f"{number:.2f}" if number else NONE
