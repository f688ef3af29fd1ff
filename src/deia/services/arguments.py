"""The arguments of log calls that the fast path does not take as they are: checked, or made plain."""

from __future__ import annotations

import operator
import os
from typing import Any

import orjson

from deia.line import encode_mapping
from deia.plain import plain, readable
from deia.system import raised_by_signal_handler

LARGEST = 2**64 - 1
"""What JSON readers (orjson's included) take as an integer."""


def text(name: str, value: object) -> str:
    """Return a name as plain text.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {readable(value)}")
    if not value:
        raise ValueError(f"{name} must not be empty: {value!r}")
    return str.__str__(value)


def path_text(value: object) -> str:
    """Return a path (text, bytes or os.PathLike) as text.

    Raises:
        TypeError: It is none of these.
        ValueError: It is empty.
    """
    if not isinstance(value, (str, bytes, os.PathLike)):
        raise TypeError(f"path must be str, bytes or os.PathLike, not {readable(value)}")
    try:
        decoded = os.fsdecode(value)
    except Exception as error:  # a __fspath__ of the caller's, or what it returns
        if raised_by_signal_handler(error):
            raise
        raise TypeError(f"path must have a path's text: {readable(value)}") from error
    if not decoded:
        raise ValueError(f"path must not be empty: {readable(value)}")
    return str.__str__(decoded)


def whole(name: str, value: object, odd: dict[str, dict[str, Any]]) -> int | None:
    """Return a size or count, or None.

    Args:
        name: The argument's name.
        value: What was given.
        odd: Gets the fields to record in its place where it is a number beyond what JSON readers take: null, with the
            given value beside it.

    Raises:
        TypeError: It is not a whole number.
        ValueError: It is negative.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {readable(value)}")
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # whatever has no __index__ raises here
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {readable(value)}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative: {number}")
    if number > LARGEST:
        odd[name] = {name: None, f"given_{name}": plain(number)}
        return None
    return number


def positive(name: str, value: object, odd: dict[str, dict[str, Any]]) -> int | None:
    """Return a number that counts from 1, or None; otherwise as `whole`."""
    number = whole(name, value, odd)
    if number == 0:
        raise ValueError(f"{name} counts from 1, and is not 0")
    return number


def cost(value: object, odd: dict[str, dict[str, Any]]) -> float | None:
    """Return a cost in US dollars; one that cannot be is recorded as null beside the given value.

    Raises:
        TypeError: It is not a number.
    """
    number = _number("cost_usd", value, "a number of US dollars")
    if isinstance(number, (int, float)) and 0 <= number <= LARGEST:
        return float(number)
    odd["cost_usd"] = {"cost_usd": None, "given_cost_usd": plain(number)}
    return None


def readable_text(value: object) -> str | None:
    """Return a text that a caller may leave out, whatever was given for it; None for none, and for an empty one."""
    form = plain(value)
    return form or None if isinstance(form, str) else None if form is None else readable(value)


def mapping(value: object) -> dict[str, Any]:
    """Return params or metadata that are no plain dict as one; what is no mapping is kept under the key `value`."""
    if value is None:
        return {}
    fields: dict[str, Any] = orjson.loads(encode_mapping(value))
    return fields


def duration(name: str, value: object) -> tuple[int, Any]:
    """Return a duration in whole milliseconds, and the given value where that cannot be a duration.

    A stepped clock makes durations that are negative, or not numbers, or endless; that is odd data, recorded as 0
    beside the given value.

    Raises:
        TypeError: It is not a number.
    """
    number = _number(name, value, "a number of milliseconds")
    if isinstance(number, (int, float)) and 0 <= number <= LARGEST:
        return round(number), None
    return 0, number


def _number(name: str, value: object, wanted: str) -> int | float | str:
    """Return a number of any make as Python's own; as text where it is more than a float holds.

    Raises:
        TypeError: It is none.
    """
    if isinstance(value, (bool, str, bytes)):
        raise TypeError(f"{name} must be {wanted}, not {readable(value)}")
    try:
        return value if isinstance(value, (int, float)) else float(value)  # type: ignore[arg-type]  # tried, and caught
    except OverflowError:  # more than a float holds
        return readable(value)
    except Exception as error:  # whatever a number of the caller's own making raises
        if raised_by_signal_handler(error):
            raise
        raise TypeError(f"{name} must be {wanted}, not {readable(value)}") from error
