"""Figures and foreign text as people read them: what the commands print is worded as in a report (see `deia.text`)."""

from __future__ import annotations

from deia.text import (
    at_least,
    clean,
    count,
    dollars,
    duration,
    durations,
    moment,
    named,
    named_model,
    plural,
    rate,
    share,
    size,
)

__all__ = [
    "at_least",
    "clean",
    "count",
    "dollars",
    "duration",
    "durations",
    "moment",
    "named",
    "named_model",
    "plural",
    "rate",
    "share",
    "size",
]
