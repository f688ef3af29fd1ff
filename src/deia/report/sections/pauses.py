"""The longest pauses."""

from __future__ import annotations

from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections.tables import FEW_ROWS, table
from deia.text import duration, plural

_GAPS = {"human": "waiting for people", "unattributed": "unexplained", "idle": "idle", "between_runs": "between runs"}


def section(report: Report) -> Markup | None:
    """Return the longest pauses."""
    profile = report.profile
    if not profile.gaps:
        return None
    start = profile.analysis.first_time or 0.0
    return join(
        [
            table(
                "Pauses",
                ["Why", "Began after|", "Lasted|", "Behind", "Before"],
                (
                    [
                        _GAPS[gap.kind],
                        duration((gap.start - start) * 1000),
                        duration(gap.duration_ms),
                        gap.after,
                        gap.before,
                    ]
                    for gap in profile.gaps[:FEW_ROWS]
                ),
            ),
            tag("p", f"The longest of {plural(profile.gap_count, 'pause')}.", class_="quiet")
            if profile.gap_count > len(profile.gaps[:FEW_ROWS])
            else None,
        ]
    )
