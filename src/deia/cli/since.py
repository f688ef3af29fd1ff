"""A moment as people say it: `10m` ago, or a date."""

from __future__ import annotations

import re
from datetime import datetime

import click

from deia import system

_AGO = re.compile(r"(\d+(?:\.\d+)?) ?(s|m|min|h|d|w)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


def moment(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    """Return an option's moment as Unix seconds: so long ago, or an ISO date; one without a zone is in the local one.

    Raises:
        click.BadParameter: It is neither.
    """
    if value is None:
        return None
    text = value.strip()
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return system.now() - float(ago[1]) * _SECONDS[ago[2]]
    try:
        return datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp()  # Python 3.10 does not know the Z
    except (ValueError, OverflowError, OSError):
        raise click.BadParameter(
            f"{text!r} is neither a time ago (30s, 10m, 2h, 1d) nor an ISO date (2026-11-23T14:00)", context, parameter
        ) from None
