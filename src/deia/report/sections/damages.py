"""What is wrong with the file."""

from __future__ import annotations

from deia.journal.check import in_words
from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.tables import ROWS, more, table


def section(report: Report) -> Markup | None:
    """Return what is wrong with the file."""
    profile = report.profile
    if not profile.analysis.damages:
        return None
    analysis = profile.analysis
    return join(
        [
            table(
                in_words(analysis.damages, analysis.damage_count),
                ["Line|", "Byte|", "What is wrong"],
                ([str(damage.line), str(damage.offset), damage.reason] for damage in analysis.damages[:ROWS]),
            ),
            more(analysis.damage_count, "problem"),
        ]
    )
