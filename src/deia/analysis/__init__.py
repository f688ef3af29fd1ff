"""What the recording of a session tells: where the time went.

The names below are loaded at first use: a process that reads one chunk of a long log needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deia.analysis.analyze import analyze_session
    from deia.analysis.cache import AnalysisCache
    from deia.analysis.session import SessionAnalysis
    from deia.analysis.summary import summarize_session
    from deia.analysis.tasks import OpenTask
    from deia.analysis.tools import ToolStatistics

_HOME_OF = {
    "AnalysisCache": "deia.analysis.cache",
    "OpenTask": "deia.analysis.tasks",
    "SessionAnalysis": "deia.analysis.session",
    "ToolStatistics": "deia.analysis.tools",
    "analyze_session": "deia.analysis.analyze",
    "summarize_session": "deia.analysis.summary",
}

__all__ = [
    "AnalysisCache",
    "OpenTask",
    "SessionAnalysis",
    "ToolStatistics",
    "analyze_session",
    "summarize_session",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value
