"""What a session's logger would say about it, from its log."""

from __future__ import annotations

import os

from deia.analysis.analyze import analyze_session
from deia.analysis.cache import AnalysisCache
from deia.analysis.session import SessionAnalysis, per_hour
from deia.events import SessionSummary


def summarize_session(
    path: str | os.PathLike[str], *, end: float | None = None, cache: AnalysisCache | None = None
) -> SessionSummary:
    """Summarise a session log as `get_session_summary` does while the session runs.

    Counts are those of the whole session. `total_duration_ms` is the time recorded, each run from its beginning to its
    last line; in the original format, whose lines do not tell, it is the session time of the analysis.

    Args:
        path: The journal, plain or compressed with gzip.
        end: Taken for the end of the newest run, Unix seconds: now, for a session that is running.
        cache: As for `analyze_session`.

    Raises:
        FileNotFoundError: There is no such file.
        NotASessionLogError: It is not empty, and there is no readable event in it.
        ValueError: An end that cannot be one.
    """
    return summary_of(analyze_session(path, end=end, cache=cache))


def summary_of(analysis: SessionAnalysis) -> SessionSummary:
    """Return the summary of a session that was analysed already."""
    return SessionSummary(
        total_duration_ms=analysis.recorded_ms,
        tasks_completed=analysis.tasks_completed,
        files_read=analysis.file_operation_stats.get("read", 0),
        files_written=analysis.file_operation_stats.get("write", 0),
        tool_calls_count=sum(tool.count for tool in analysis.tools.values()),
        velocity=per_hour(analysis.tasks_completed, analysis.recorded_ms),
    )
