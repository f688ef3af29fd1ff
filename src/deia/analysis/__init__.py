"""What the recording of a session tells: where the time went.

The names below are loaded at first use: a process that reads one chunk of a long log needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deia.analysis.analyze import analyze_session
    from deia.analysis.cache import AnalysisCache
    from deia.analysis.profile import (
        ConcurrencyOverTime,
        Effort,
        ErrorFigure,
        FileProfile,
        Gap,
        ModelProfile,
        PathStep,
        RepeatedCall,
        SessionProfile,
        TaskProfile,
        TimeShares,
        ToolProfile,
        profile_session,
    )
    from deia.analysis.session import SessionAnalysis
    from deia.analysis.summary import summarize_session
    from deia.analysis.tasks import OpenTask
    from deia.analysis.tools import ToolStatistics
    from deia.analysis.usage import ModelUsage

_HOME_OF = {
    "AnalysisCache": "deia.analysis.cache",
    "ConcurrencyOverTime": "deia.analysis.profile",
    "Effort": "deia.analysis.profile",
    "ErrorFigure": "deia.analysis.profile",
    "FileProfile": "deia.analysis.profile",
    "Gap": "deia.analysis.profile",
    "ModelProfile": "deia.analysis.profile",
    "ModelUsage": "deia.analysis.usage",
    "OpenTask": "deia.analysis.tasks",
    "PathStep": "deia.analysis.profile",
    "RepeatedCall": "deia.analysis.profile",
    "SessionAnalysis": "deia.analysis.session",
    "SessionProfile": "deia.analysis.profile",
    "TaskProfile": "deia.analysis.profile",
    "TimeShares": "deia.analysis.profile",
    "ToolProfile": "deia.analysis.profile",
    "ToolStatistics": "deia.analysis.tools",
    "analyze_session": "deia.analysis.analyze",
    "profile_session": "deia.analysis.profile",
    "summarize_session": "deia.analysis.summary",
}

__all__ = [
    "AnalysisCache",
    "ConcurrencyOverTime",
    "Effort",
    "ErrorFigure",
    "FileProfile",
    "Gap",
    "ModelProfile",
    "ModelUsage",
    "OpenTask",
    "PathStep",
    "RepeatedCall",
    "SessionAnalysis",
    "SessionProfile",
    "TaskProfile",
    "TimeShares",
    "ToolProfile",
    "ToolStatistics",
    "analyze_session",
    "profile_session",
    "summarize_session",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
