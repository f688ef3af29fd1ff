"""The errors, the most frequent first."""

from __future__ import annotations

from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.figures import NONE
from deia.report.sections.links import finder
from deia.report.sections.tables import ROWS, capped, table
from deia.text import count


def section(report: Report) -> Markup | None:
    """Return the errors, the most frequent first."""
    profile = report.profile
    if not profile.errors:
        return None
    return join(
        [
            table(
                "Errors",
                ["Where", "Name", "Kind", "What the first said", "Count|"],
                (
                    [
                        error.source,
                        NONE if error.source == "error" and not error.name else finder(error.name),
                        error.error_type or NONE,
                        error.message,
                        count(error.count),
                    ]
                    for error in profile.errors[:ROWS]
                ),
            ),
            capped(len(profile.errors), "kind of error", "kinds of errors", rows=ROWS, more="errors" in profile.capped),
        ]
    )
