"""Figures of a foreign log that cannot be: no call takes less than no tokens, and no provider pays for one."""

from __future__ import annotations

from typing import TypeVar

_Figure = TypeVar("_Figure", int, float)


def not_negative(figure: _Figure | None) -> _Figure | None:
    """Return a figure; None, as where a line does not say, for a negative one: in a sum it would hide true ones."""
    return None if figure is None or figure < 0 else figure
