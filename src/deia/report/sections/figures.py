"""Figures as the page shows them, beyond what `deia.text` knows."""

from __future__ import annotations

import math

from deia.text import count

NONE = "–"
"""Where there is no figure."""


def dollars(cost_usd: float | None) -> str:
    """Return a cost; a dash where no line tells of one."""
    if cost_usd is None or not math.isfinite(cost_usd):
        return NONE
    return f"${cost_usd:,.2f}" if cost_usd >= 1 else f"${cost_usd:.4f}"


def some(number: int) -> str:
    """Return a number; a dash for none."""
    return count(number) if number else NONE
