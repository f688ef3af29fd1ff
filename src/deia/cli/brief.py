"""Values, names and texts of any size in a few words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from deia.cli.fitting import shortened
from deia.cli.text import named

_DEEPEST = 6

_NAME = 100
"""How much of a name stands in a sentence."""


def short_name(name: str) -> str:
    """Return a name as a sentence has it: of a long one beginning and end."""
    return shortened(named(name), _NAME)


def brief(value: Any, most: int = 120) -> str:
    """Return the beginning of a value's JSON, of so many characters at most."""
    shown = ""
    for piece in _pieces(value, most, 0):
        shown += piece
        if len(shown) > most:
            return shown[: most - 1] + "…"
    return shown


def one_line(text: str, most: int = 120) -> str:
    """Return the beginning of a text in one line, of so many characters at most."""
    words = " ".join(text[: 2 * most].split())
    return words if len(words) <= most and len(text) <= 2 * most else words[: most - 1] + "…"


def _pieces(value: Any, most: int, depth: int) -> Iterator[str]:
    """Yield the pieces of a value's JSON, in order; what is more than so many items is left out."""
    if isinstance(value, str):
        yield json.dumps(value[: most + 1], ensure_ascii=False)
    elif depth > _DEEPEST and isinstance(value, (dict, list)) and value:
        yield "{…}" if isinstance(value, dict) else "[…]"
    elif isinstance(value, dict):
        yield "{"
        for number, (key, item) in enumerate(islice(value.items(), most)):
            yield f"{', ' if number else ''}{key[: most + 1]}: "
            yield from _pieces(item, most, depth + 1)
        yield "}"
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(islice(value, most)):
            yield ", " * (number > 0)
            yield from _pieces(item, most, depth + 1)
        yield "]"
    else:
        yield json.dumps(value)
