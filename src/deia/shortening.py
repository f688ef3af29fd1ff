"""Shorten what is too long to be recorded as a whole, the longest values first; a mark says what each was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

_MARK_BYTES = 64
"""What a mark takes at the most."""


def shorten(texts: dict[str, Any], room: int) -> dict[str, Any]:
    """Return texts and plain data in at most so many bytes of JSON, as long as there is room for one mark in each.

    Texts are cut to one length, as long as can be: whatever is shorter stays. Where that does not do, or little would
    be left of them, lists and mappings are cut, too. What is cut ends in a mark with the length in bytes, or the
    number of items, that it had, and the beginning of its SHA-256 (of the text in UTF-8, of other data as compact
    JSON), so that it can be told whether something else is what stood here.

    Args:
        texts: The fields of an event that its caller gave.
        room: Bytes.
    """
    try:
        return _shorten(texts, room)
    except RecursionError:  # a caller that is deep in its own recursion, with data that is nested deeply
        return _cut(_limit(texts, 0), 0)  # type: ignore[no-any-return]  # a dict makes a dict


def _shorten(texts: dict[str, Any], room: int) -> dict[str, Any]:
    most = _longest(texts)
    items = min(most, room)  # each takes a byte, and more
    while True:
        limited = _limit(texts, items) if items < most else texts
        cap = _cap(limited, room)
        if cap or not items:
            return _cut(limited, cap)  # type: ignore[no-any-return]  # a dict makes a dict
        items //= 2


def _size(value: object) -> int:
    return len(orjson.dumps(value))


def _cap(texts: Any, room: int) -> int:
    """How long texts may be, in bytes of JSON, for all to fit; 0 where none is long enough to be cut for that."""
    whole = _size(texts)
    if whole <= room:
        return whole
    sizes = sorted(_sizes(texts))
    low, high = 0, sizes[-1] if sizes else 0
    while low < high:
        middle = (low + high + 1) // 2
        if whole - sum(size - middle for size in sizes if size > middle) <= room:
            low = middle
        else:
            high = middle - 1
    return low if low >= _MARK_BYTES else 0


def _sizes(value: Any) -> Iterator[int]:
    """Yield the size of each text."""
    if type(value) is str:
        yield _size(value)
    elif type(value) is dict:
        for key, item in value.items():
            yield _size(key)
            yield from _sizes(item)
    elif type(value) is list:
        for item in value:
            yield from _sizes(item)


def _cut(value: Any, cap: int) -> Any:
    """Return data with every text cut to at most `cap` bytes of JSON, or to its mark alone."""
    if type(value) is str:
        return _cut_text(value, cap)
    if type(value) is dict:
        return {_cut_text(key, cap): _cut(item, cap) for key, item in value.items()}
    if type(value) is list:
        return [_cut(item, cap) for item in value]
    return value


def _cut_text(text: str, cap: int) -> str:
    if len(text) <= max(cap, _MARK_BYTES) // 6 - 2 or _size(text) <= max(cap, _MARK_BYTES):
        return text
    mark = _mark("bytes", len(text.encode()), text.encode)
    room = cap - len(mark) - 4
    kept = text[: max(room, 0)]
    while kept and (over := _size(kept) - room - 2) > 0:  # escapes, and characters of several bytes
        kept = kept[: len(kept) - max(over // 6, 1)]
    return kept + mark


def _longest(value: Any) -> int:
    """How many items the longest list or mapping has."""
    if type(value) is dict:
        return max(len(value), max(map(_longest, value.values()), default=0))
    if type(value) is list:
        return max(len(value), max(map(_longest, value), default=0))
    return 0


def _limit(texts: dict[str, Any], items: int) -> dict[str, Any]:
    """Return the fields with at most so many items in each list and mapping that is in them."""
    return {name: _limited(value, items) for name, value in texts.items()}


def _limited(value: Any, items: int) -> Any:
    if type(value) is dict:
        result = {key: _limited(item, items) for key, item in list(value.items())[:items]}
        if len(value) > items:
            result["…"] = _mark("items", len(value), lambda: orjson.dumps(value))
        return result
    if type(value) is list:
        rest = [_mark("items", len(value), lambda: orjson.dumps(value))] if len(value) > items else []
        return [_limited(item, items) for item in value[:items]] + rest
    return value


def _mark(unit: str, count: int, encoded: Callable[[], bytes]) -> str:
    from hashlib import sha256  # it loads OpenSSL, and most sessions have nothing to shorten

    return f"… [cut from {count} {unit}, sha256 {sha256(encoded()).hexdigest()[:16]}]"
