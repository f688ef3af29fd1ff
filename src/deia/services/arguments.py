"""The arguments of log calls that the fast path does not take as they are: checked, or made plain."""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Mapping
from typing import Any


def text(name: str, value: object) -> str:
    """Return a name as plain text.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty")
    return str.__str__(value)


def path_text(value: object) -> str:
    """Return a path (text, bytes or os.PathLike) as text.

    Raises:
        TypeError: It is none of these.
        ValueError: It is empty.
    """
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"path must be str, bytes or os.PathLike, not {value!r}")
    decoded = os.fsdecode(value)
    if not decoded:
        raise ValueError("path must not be empty")
    return str.__str__(decoded)


def whole(name: str, value: object) -> int | None:
    """Return a size or count, or None.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is negative.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # whatever has no __index__ raises here
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative, not {value!r}")
    return number


def mapping(value: object) -> Any:
    """Return params or metadata as a mapping; what is none is kept under the key `value`."""
    if value is None:
        return {}
    if isinstance(value, Mapping) or callable(getattr(value, "model_dump", None)):
        return value
    return {"value": value}


def duration(value: object) -> tuple[int, Any]:
    """Return a duration in whole milliseconds, and the given value where that cannot be a duration.

    A stepped clock makes durations that are negative, or not numbers; that is odd data, recorded as 0 beside the given value.

    Raises:
        TypeError: It is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        try:
            number: Any = float(value)  # type: ignore[arg-type]  # Decimal and numpy's numbers are no numbers.Real
            if isinstance(value, (bool, str, bytes)):
                raise TypeError
        except (TypeError, ValueError):
            raise TypeError(f"duration_ms must be a number of milliseconds, not {value!r}") from None
    else:
        number = value
    if math.isfinite(number) and number >= 0:
        return round(number), None
    return 0, int(number) if isinstance(number, numbers.Integral) else float(number)
