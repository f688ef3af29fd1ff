"""What the recording of a session tells: where the time went."""

from __future__ import annotations

from deia.analysis.analyze import analyze_session
from deia.analysis.session import SessionAnalysis
from deia.analysis.summary import summarize_session
from deia.analysis.tasks import OpenTask
from deia.analysis.tools import ToolStatistics

__all__ = ["OpenTask", "SessionAnalysis", "ToolStatistics", "analyze_session", "summarize_session"]
