"""One line of a journal that holds a JSON object, and by whose format it was written."""

from __future__ import annotations

from typing import Any, NamedTuple

from deia.line import VERSION


class Record(NamedTuple):
    """One line that holds a JSON object.

    Attributes:
        number: Line number, from 1.
        offset: Byte offset of its first byte, in the uncompressed file.
        length: Its bytes, newline included (there is none where two lines stand in one).
        fields: The object.
    """

    number: int
    offset: int
    length: int
    fields: dict[str, Any]


def is_original(fields: dict[str, Any]) -> bool:
    """Whether a line was written before this format: it has no `v`."""
    return fields.get("v") is None


def is_known_version(fields: dict[str, Any]) -> bool:
    """Whether a line is in the original format, or in the version of ours that this release writes."""
    return fields.get("v") in (None, VERSION)
