"""Calls that were made again with the same parameters."""

from __future__ import annotations

from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections.figures import some
from deia.report.sections.links import finder
from deia.report.sections.tables import FEW_ROWS, capped, table
from deia.text import at_least, count, duration


def section(report: Report) -> Markup | None:
    """Return the calls that were made again with the same parameters."""
    profile = report.profile
    if not profile.repeated:
        return None
    return join(
        [
            table(
                "Repeated calls",
                ["Tool", "Parameters", "Calls|", "Errors|", "Wasted|"],
                (
                    [
                        finder(call.tool),
                        tag("code", call.params),
                        at_least(count(call.calls), call.at_least),
                        some(call.errors),
                        at_least(duration(call.wasted_ms), call.at_least),
                    ]
                    for call in profile.repeated[:FEW_ROWS]
                ),
            ),
            capped(len(profile.repeated), "group of calls", "groups of calls", more="repeated" in profile.capped),
        ]
    )
