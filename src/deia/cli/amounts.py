"""Times, spans, sizes and parts, as they are written on the command line: types of options."""

from __future__ import annotations

import math
import re
from datetime import datetime

import click

from deia import system

_NUMBER = r"(?P<number>\d+(?:\.\d+)?)\s*"
_SPAN = re.compile(rf"{_NUMBER}(?P<unit>s|min|h|d|w)")
_AGO = re.compile(rf"{_NUMBER}(?P<unit>s|min|m|h|d|w)")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = re.compile(rf"{_NUMBER}(?P<unit>[kKMGT]?)(?P<binary>i?)B?")
_PART = re.compile(rf"{_NUMBER}%?")


def span(text: str) -> float:
    """Read a span of time: `90s`, `30min`, `12h`, `30d`, `2w`; return seconds.

    What is older than a span may be removed: `6m`, which may be meant as months, is none.

    Raises:
        BadParameter: It is none.
    """
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no span of time such as 30min, 12h, 30d or 2w.")
    return _seconds(found)


def _seconds(found: re.Match[str]) -> float:
    return float(found["number"]) * _SECONDS[found["unit"]]


def moment(text: str) -> float:
    """Read a date, a date with a time (in the local zone, unless it says which), or how long ago; return Unix seconds.

    How long ago is a span, or minutes as `10m`: who means months sees at once that too little is shown.

    Raises:
        BadParameter: It is none.
    """
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return system.now() - _seconds(ago)
    try:
        return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp()  # Python 3.10 does not know the Z
    except (ValueError, OverflowError, OSError) as error:
        message = f"{text!r} is neither a date such as 2026-11-23 or 2026-11-23T08:00 nor how long ago, such as 7d."
        raise click.BadParameter(message) from error


def size(text: str) -> int:
    """Read a size: `500MB`, `1GB`, `2GiB`; return bytes.

    Raises:
        BadParameter: It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or (found["binary"] and not found["unit"]):
        raise click.BadParameter(f"{text!r} is no size such as 500MB, 1GB or 2GiB.")
    factor: int = (1024 if found["binary"] else 1000) ** ("", "K", "M", "G", "T").index(found["unit"].upper())
    number = float(found["number"]) * factor
    if math.isinf(number):
        raise click.BadParameter(f"{text[:20]!r}… is more than any size.")
    return int(number)


def part(text: str) -> float:
    """Read a part of a whole in per cent: `10%`, or `10`; return it as a number, 0.1.

    Raises:
        BadParameter: It is none.
    """
    found = _PART.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is no part in per cent such as 10%.")
    return float(found["number"]) / 100
