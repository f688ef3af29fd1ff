"""The longest chain of work."""

from __future__ import annotations

from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections.figures import NONE
from deia.report.sections.links import finder
from deia.report.sections.tables import FEW_ROWS, capped, table
from deia.text import duration


def section(report: Report) -> Markup | None:
    """Return the longest steps of the longest chain of work."""
    profile = report.profile
    if not profile.critical_path:
        return None
    steps = sorted(profile.critical_path, key=lambda step: step.start - step.end)[:FEW_ROWS]
    start = profile.analysis.first_time or 0.0
    return join(
        [
            tag(
                "p",
                "The longest chain of work, each piece begun after the one before it had ended: to make something else "
                "faster hardly makes the session shorter.",
                class_="quiet",
            ),
            table(
                "Critical path",
                ["What", "Name", "Began after|", "Took|"],
                (
                    [
                        step.kind,
                        NONE if step.kind == "wait" else finder(step.name),
                        duration((step.start - start) * 1000),
                        duration(step.duration_ms),
                    ]
                    for step in steps
                ),
            ),
            capped(len(profile.critical_path), "step", more="critical_path" in profile.capped),
        ]
    )
