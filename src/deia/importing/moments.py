"""Points of time as other programs write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,12}))?\s*(?:[Zz]|([+-])(\d\d):?(\d\d))?", re.ASCII
)
"""ISO 8601 as it is met: 7 digits of a second, which `datetime.fromisoformat` refuses before Python 3.11, among it."""


def unix_seconds(value: object) -> float | None:
    """Return a point of time in Unix seconds; None for what is none.

    Args:
        value: Text in the form of ISO 8601, to the second or finer. Without a zone it is taken for UTC.
    """
    if type(value) is not str:
        return None
    found = _ISO.fullmatch(value)
    if found is None:
        return None
    *parts, fraction, sign, hours, minutes = found.groups()
    try:
        whole = datetime(*map(int, parts), tzinfo=timezone.utc).timestamp()  # type: ignore[misc,arg-type]  # six numbers
    except ValueError:  # the 30th of February
        return None
    if sign is not None:
        offset = int(hours) * 3600 + int(minutes) * 60
        whole += -offset if sign == "+" else offset
    return whole + float(f"0.{fraction}") if fraction else whole
