"""Figures and foreign text as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timezone


def clean(text: object) -> str:
    """Return `text` with everything that a terminal would obey, hide or reorder made visible.

    What a log holds was written by an agent, and perhaps by whatever the agent read: an escape sequence, a line break
    or a right-to-left mark in a task's name must not reach the terminal as such.
    """
    raw = str(text)
    return raw if raw.isprintable() else "".join(c if c.isprintable() else _escaped(c) for c in raw)


def named(name: object) -> str:
    """Return a name as it stands in a table or on a chart: `clean`, and in words where it would show as nothing."""
    return clean(name) if str(name).strip() else "(no name)"


def named_model(name: str) -> str:
    """Return `provider/model` likewise: the one, or the other, may have none."""
    provider, _, model = name.partition("/")
    return f"{named(provider)}/{named(model)}"


def _escaped(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def count(number: int) -> str:
    """Return a whole number with its thousands apart: `12,345`."""
    return f"{number:,}"


def duration(milliseconds: float) -> str:
    """Return a duration in the two largest units that matter: `850 ms`, `12.4 s`, `3 min 20 s`, `2 h 05 min`."""
    if not math.isfinite(milliseconds):  # the sum of what a damaged or hostile log claims
        return "-"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{count(hours // 24)} d {hours % 24:02d} h"


def durations(milliseconds: Iterable[float]) -> list[str]:
    """Return the durations of a column in one unit, so that the longest number is the longest time.

    That is milliseconds, seconds to the millisecond, or from ten minutes on hours, minutes and seconds: `1:02:03.4`.
    Of less than ten seconds that would leave two digits or fewer, so beside hours these keep a unit of their own, and
    are still the shortest texts: `1.23 s`, `120 ms`.
    """
    values = list(milliseconds)
    longest = max(filter(math.isfinite, values), default=0)
    return [_in_unit(value, longest) if math.isfinite(value) else "-" for value in values]


def _in_unit(milliseconds: float, longest: float) -> str:
    if longest < 999.5:
        return f"{milliseconds:.0f} ms"
    if longest < 600_000:
        return f"{milliseconds / 1000:.3f} s"
    tenths = round(milliseconds / 100)
    if tenths < 100:
        return duration(milliseconds)
    return f"{count(tenths // 36_000)}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def size(number: int) -> str:
    """Return a number of bytes in decimal units: `512 B`, `4.1 kB`, `12.3 MB`."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def dollars(amount: float) -> str:
    """Return US dollars, of less than one the ten-thousandths as well: `$12.30`, `$0.0123`, and for nothing `$0.00`."""
    if not math.isfinite(amount):
        return "-"
    return f"${amount:,.2f}" if abs(amount) >= 1 or not amount else f"${amount:.4f}"


def share(part: float, whole: float) -> str:
    """Return `part` of `whole` in per cent: `31.4 %`; a dash where there is no whole."""
    return f"{100 * part / whole:.1f} %" if whole > 0 and math.isfinite(part) and math.isfinite(whole) else "-"


def rate(per_hour: float) -> str:
    """Return a number per hour: `12.3 / h`, `4,120 / h`."""
    return f"{per_hour:,.1f} / h" if per_hour < 1000 else f"{per_hour:,.0f} / h"


def at_least(figure: str, is_least: bool) -> str:
    """Return a figure, with a word about it where it may be too low."""
    return f"at least {figure}" if is_least else figure


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 file`, `2 files`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def moment(unix_s: float) -> str:
    """Return a moment in the local time zone: `2026-11-22 14:28:01+00:00`."""
    try:
        return datetime.fromtimestamp(unix_s, tz=timezone.utc).astimezone().isoformat(" ", "seconds")
    except (OverflowError, OSError, ValueError):  # a clock beyond the calendar
        return f"{unix_s:g} s" if math.isfinite(unix_s) else "-"
