"""The files with the most traffic."""

from __future__ import annotations

from deia.report.markup import Markup, join
from deia.report.model import Report
from deia.report.sections.figures import NONE, some
from deia.report.sections.links import finder
from deia.report.sections.tables import FEW_ROWS, capped, table
from deia.text import duration, size


def section(report: Report) -> Markup | None:
    """Return the files with the most traffic."""
    profile = report.profile
    if not profile.files:
        return None
    return join(
        [
            table(
                "Files",
                ["File", "Reads|", "Writes|", "Read|", "Written|", "Time|"],
                (
                    [
                        finder(path),
                        some(file.reads),
                        some(file.writes),
                        size(file.bytes_read),
                        size(file.bytes_written),
                        duration(file.duration_ms) if file.duration_ms else NONE,
                    ]
                    for path, file in list(profile.files.items())[:FEW_ROWS]
                ),
            ),
            capped(len(profile.files), "file", more="files" in profile.capped),
        ]
    )
