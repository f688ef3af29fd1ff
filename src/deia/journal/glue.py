"""Find whole lines of ours inside one that does not parse: a newline was lost, or a torn line was written behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

_LONGEST_BYTES = 16 * 1024 * 1024
"""Longer ones are not looked into: it takes several times their size in memory."""

_RUBBISH_BYTES = 16
"""What may stand between two lines in a newline's place."""

_MOST_TRIES = 100
"""How many places are tried for the beginning of a line behind a torn one."""

BOM = b"\xef\xbb\xbf"
"""What some editors put at a file's start."""

_BEGINNING = b'{"type":"'
_CARRIED = ("type", "seq", "timestamp", "agent_id", "session_id", "v")

_decoder = json.JSONDecoder()


class Part(NamedTuple):
    """A whole line inside another.

    Attributes:
        start: Its first byte, counted from the start of the outer line.
        end: After its last.
        fields: The object.
    """

    start: int
    end: int
    fields: dict[str, Any]


def parts_of(data: bytes) -> list[Part]:
    """Return the whole lines in one that does not parse.

    Only what begins where the line begins, or follows such a one, or goes on to the line's end. An object anywhere else
    may be the parameter of an event that cannot be read, and no event itself.
    """
    if len(data) > _LONGEST_BYTES:
        return []
    text = data.decode("latin-1")  # one character a byte: what is outside of strings is ASCII
    size = len(data.rstrip(b" \t\r\0"))
    found = list(_chain(data, text, 0))
    if found and found[-1].end == size:
        return found
    at = found[-1].end if found else 0
    behind_nuls = data.rfind(b"\0", at, size) + 1  # JSON never holds one: what is there was appended later
    if behind_nuls and (chain := list(_chain(data, text, behind_nuls))):
        return found + chain
    for _ in range(_MOST_TRIES):
        at = data.find(_BEGINNING, at + 1)
        if at < 0:
            break
        chain = list(_chain(data, text, at))
        if chain and chain[-1].end == size:
            return found + chain
    return found


def ended_parts(data: bytes) -> list[Part]:
    """Return the whole lines in the bytes after the last newline, but for one that those end with.

    That may be of a call that had not returned; one that something follows was ended by a newline once.
    """
    end = len(data.rstrip(b"\0"))
    return [part for part in parts_of(data) if part.end < end]


def is_torn(data: bytes, *, behind_nuls: bool) -> bool:
    """Whether the bytes after the last newline can be what a crash left of a line: its beginning, or NULs.

    Args:
        data: The bytes, from behind the last NUL if there is one.
        behind_nuls: Whether there is: then they may be any part of a line, in a later block than one that a loss of
            power left empty.
    """
    is_beginning = data.strip(b" \t\r").removeprefix(BOM)[:1] in (b"", b"{")
    return (is_beginning or behind_nuls) and not ended_parts(data)


def _chain(data: bytes, text: str, start: int) -> Iterator[Part]:
    """Yield lines that follow each other."""
    while data.startswith(_BEGINNING, start):
        try:
            _, end = _decoder.raw_decode(text, start)
            fields = orjson.loads(data[start:end])
        except (ValueError, RecursionError):
            return
        if any(name not in fields for name in _CARRIED):
            return
        yield Part(start, end, fields)
        start = data.find(_BEGINNING, end, end + _RUBBISH_BYTES + len(_BEGINNING))
