"""Foreign text and data, cut to what is worth showing."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import orjson

from deia.line import encode_value

NAME_SHOWN = 200
"""Characters of a name in a label."""

PATH_SHOWN = 300
"""Of a path: longer than nearly all that are real."""

MESSAGE_SHOWN = 300
PARAMS_SHOWN = 300


def shown(text: str, most: int) -> str:
    """Return a text, or its beginning and a mark of omission where it has more characters than that."""
    return text if len(text) <= most else text[: most - 1] + "…"


def shown_path(path: str) -> str:
    """Return a path; of a very long one beginning, end, and something by which to tell it from others like it."""
    if len(path) <= PATH_SHOWN:
        return path
    mark = f"…{blake2b(path.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}…"
    head = (PATH_SHOWN - len(mark)) // 3
    return path[:head] + mark + path[-(PATH_SHOWN - len(mark) - head) :]


def shown_data(value: Any) -> str:
    """Return data as compact JSON, cut; a text as it is."""
    return shown(value if isinstance(value, str) else encode_value(value).decode(), MESSAGE_SHOWN)


def sorted_json(value: Any) -> bytes:
    """Return data as JSON that does not depend on the order of keys."""
    try:
        return orjson.dumps(value, None, orjson.OPT_SORT_KEYS)
    except TypeError:  # lone surrogates, say
        return encode_value(value)
