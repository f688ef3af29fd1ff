"""Lines that are no JSON object, or not the whole of one: what can be made of them, and what is said of them."""

from __future__ import annotations

from typing import Any

import orjson

from deia.journal.glue import BOM, is_torn
from deia.journal.record import is_original
from deia.journal.scan import RawLine

_NAMES = {
    list: "an array",
    str: "text",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def name_of(value: Any) -> str:
    """Return what to call a JSON value that is no object."""
    return _NAMES[type(value)]


def parse_odd(data: bytes) -> tuple[Any, int] | None:
    """Parse what stands behind a byte order mark, or behind NULs.

    NULs are what a file system leaves of blocks that it had not stored yet. JSON never holds one, and the end of an
    object never parses as an object; so what parses behind them is a whole line that was appended later.

    Returns:
        The value, and how many bytes stood before it; None where nothing parses.
    """
    rest = data.rpartition(b"\0")[2].removeprefix(BOM)
    try:
        return orjson.loads(rest), len(data) - len(rest)
    except orjson.JSONDecodeError:
        return None


def is_whole_original_line(data: bytes) -> bool:
    """Whether bytes without a newline are a whole line of the original format, which ended in none."""
    try:
        fields = orjson.loads(data.removeprefix(BOM))
    except orjson.JSONDecodeError:
        return False
    return isinstance(fields, dict) and is_original(fields)


def what_is_wrong(line: RawLine, error: orjson.JSONDecodeError) -> str:
    """Say why a line cannot be parsed."""
    if nuls := line.nuls + line.data.count(b"\0"):
        return nul_bytes(nuls)
    if line.skipped:
        return f"not a line: {line.length} bytes up to its end"
    return f"not JSON: {error.msg} (character {error.pos + 1})"


def is_damage(unfinished: RawLine) -> bool:
    """Whether the bytes after the last newline are no torn end: too long for a line, or none that a crash leaves."""
    return (not unfinished.data and not unfinished.nuls) or not is_torn(
        unfinished.data, behind_nuls=unfinished.nuls > 0
    )


def goes_on(unfinished: RawLine, lines: list[bytes]) -> bool:
    """Whether the window has the whole of a line that the journal has the beginning of."""
    return bool(lines) and not unfinished.skipped and lines[0].startswith(unfinished.data)


def nul_bytes(count: int) -> str:
    """Return what is said of so many NULs."""
    return f"{count} NUL bytes, as a loss of power leaves them"
