"""JSON of what came from JSON, however deep."""

from __future__ import annotations

from typing import Any

import orjson

_DEEPEST = 200
"""orjson writes 254 levels, and reads 1,024; what stands around a value takes a few."""


def dumps(value: Any, option: int | None = None) -> bytes:
    """Return a value as orjson writes it; what is nested deeper than that can is an ellipsis."""
    try:
        return orjson.dumps(value, None, option)
    except TypeError:
        return orjson.dumps(_shallow(value, _DEEPEST), None, option)


def _shallow(value: Any, levels: int) -> Any:
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        return "…"
    if isinstance(value, list):
        return [_shallow(item, levels - 1) for item in value]
    return {name: _shallow(item, levels - 1) for name, item in value.items()}
