"""Figures as the page shows them, and a sign for those that are not there."""

from __future__ import annotations

import math

from deia import text
from deia.text import count

NONE = "–"
"""Where there is no figure."""


def dollars(cost_usd: float | None) -> str:
    """Return a cost; a dash where no line tells of one."""
    if cost_usd is None or not math.isfinite(cost_usd):
        return NONE
    return text.dollars(cost_usd)


def some(number: int) -> str:
    """Return a number; a dash for none."""
    return count(number) if number else NONE
