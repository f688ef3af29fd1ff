"""Where the wall time of a session went, who worked how long at what, and what could be spared."""

from __future__ import annotations

from deia.analysis.profile.advice import Advice, advise
from deia.analysis.profile.result import (
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
)
from deia.analysis.profile.session import profile_session

__all__ = [
    "Advice",
    "ConcurrencyOverTime",
    "Effort",
    "ErrorFigure",
    "FileProfile",
    "Gap",
    "ModelProfile",
    "PathStep",
    "RepeatedCall",
    "SessionProfile",
    "TaskProfile",
    "TimeShares",
    "ToolProfile",
    "advise",
    "profile_session",
]
