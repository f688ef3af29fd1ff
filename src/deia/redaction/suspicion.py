"""Whether an encoded line may hold a secret: asked for each event, and answered with no for almost all of them.

What is looked at is the part of the line that its caller gave: not the ids, not the times. A yes costs an event the
slow path, where the rules look at it; a no has to be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import orjson

from deia.redaction.names import kind_of
from deia.redaction.search import Search
from deia.redaction.signs import FORMS, JSON, KEYS, NAMES, PAIRS

_underscore, _hyphen, _capital, _at = (FORMS[name].in_line for name in "_-A@")
_equals, _colon, _quote, _apostrophe = (sign.in_line for sign in NAMES)

_ESCAPED = Search(rb"\\\\+u00[2-7]")
"""A character of ASCII by its number, as JSON in a text may have it, and our own JSON has none."""

_CONTROLS = re.compile(rb"\\+(?:u[0-9a-fA-F]{4}|[bfnrt])")
_BETWEEN = re.compile(rb"\\{2,}(?![\"/\\])(?:u[0-9a-fA-F]{4}|[bfnrt])?")
"""A control character as JSON has it, at any depth; and what may be one, or a backslash, within a text of JSON in a
text. What of it stands between names and what is a letter cannot be told without parsing, so each reading is tried."""

_MOST_NAMES = 4096
_LONGEST_NAME = 64
"""Longer keys, and more different ones, are data and no vocabulary: they are looked at each time."""

_known: set[str] = set()
"""Keys that were looked at before, and are no names of secrets."""

are_known = _known.issuperset
"""Whether keys are all among these."""

AFTER_PARAMS = b'},"duration_ms":'
"""What stands between what the caller of a tool call gave and what is ours: numbers and ids."""

_FREQUENT, _MARKS, _RARE, _NULL = 0x81, 0x82, 0x83, 0x84

_CLASSES = {_FREQUENT: b"_- ", _MARKS: b"='\\", _RARE: b"ABJG9@}]", _NULL: b"u"}

SIGNS = bytes(
    next((group for group, members in _CLASSES.items() if character in members), 0) for character in range(256)
)
"""For `bytes.translate`: the characters of which all signs need one become what is not ASCII, all others 0, and whether
there is one is a single question then. (None of them stands in what is ours of a line before the caller's part.) The
`u` is for `null`, which whoever asks has to look for as well."""

ALL = b"\xff" * 256
"""The same where each event has to be looked at."""


def in_tool_call(_: bytes, head: bytes, signs: bytes, params: dict[str, object]) -> object:
    """Whether a tool call may hold a secret: what is returned is true, or is not.

    Args:
        _: Its line, which others than this one may ask for.
        head: The same up to `AFTER_PARAMS`.
        signs: The head, translated by `SIGNS`.
        params: Its params.
    """
    # One function for all, as a call of another takes as long as two of these looks. `95 in` is a look at memory;
    # `b"_" in` takes thrice as long, and a search of `re` five times.
    return (
        not (are_known(params) or _learn(params))
        or (
            _FREQUENT in signs
            and (
                (95 in head and _underscore.search(head))  # _
                or (45 in head and _hyphen.search(head))  # -
                or (32 in head and head.partition(b": ")[1] and _colon.search(head))
            )
        )
        or (
            _MARKS in signs
            and (
                (61 in head and _equals.search(head))  # =
                or (39 in head and _apostrophe.search(head))  # '
                or (92 in head and head.partition(b'\\"')[1] and (_quote.search(head) or _in_json(head, signs)))  # \
            )
        )
        or (
            _RARE in signs
            and (
                (125 in head and head.count(b"{") > 2 and _in_keys(head))  # }, of a third mapping, or in a text
                or (93 in head and _in_pairs(head))  # ]
                or (65 in head and _capital.search(head))  # A
                or (66 in head and (head.partition(b"Bearer ")[1] or head.partition(b"hooks.slack.com/")[1]))  # B
                or (74 in head and head.partition(b"eyJ")[1])  # J
                or (71 in head and head.partition(b"SG.")[1])  # G
                or (57 in head and head.partition(b"ya29.")[1])  # 9
                or (64 in head and _at.search(head))  # @
            )
        )
    )


def in_file_event(line: bytes) -> bool:
    """Whether the line of a file event may hold a secret."""
    head = line.rpartition(b'","operation":"')[0]
    signs = head.translate(SIGNS)
    return not signs.isascii() and bool(in_tool_call(line, head, signs, {}))


def in_event(line: bytes) -> bool:
    """Whether the line of an event about a model, a message or an error may hold a secret."""
    head = line.rpartition(b',"task_id":')[0]
    # the event itself is the first mapping, and its keys are ours
    return (head.count(b'{"') > 1 and _in_keys(head)) or _in_text(head)


def in_task(name: bytes, metadata: bytes) -> bool:
    """Whether a task's name, in UTF-8, or its metadata, in JSON, may hold a secret."""
    if b'"' in name or b"\\" in name:
        name = b":" + orjson.dumps(name.decode())
    if metadata == b"{}":
        return _in_text(name)
    head = b'{"%b" %b' % (name, metadata[:-1])  # two mappings begin there, as in a tool call's
    return bool(in_tool_call(b"", head, head.translate(SIGNS), decoded(metadata)))


def decoded(encoded: bytes) -> dict[str, object]:
    """Return params or metadata; `{}` where they are no JSON, for an `orjson.Fragment` of the caller's is not."""
    try:
        data: dict[str, object] = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return {}
    return data


def _in_text(head: bytes) -> bool:
    """Whether encoded texts may hold a secret."""
    signs = head.translate(SIGNS)
    return not signs.isascii() and bool(in_tool_call(b"", head, signs, {}))


def _in_keys(data: bytes) -> bool:
    """Whether a key of a mapping, in JSON, may be the name of a secret."""
    return any(found["odd"] is None or _is_odd_name(data, found.start(), b"") for found in KEYS.finditer(data))


def _in_pairs(data: bytes) -> bool:
    """Whether the first of a list, in JSON, may be."""
    return data.partition(b'["')[1] != b"" and any(
        found["odd"] is None or _is_odd_name(data, found.start(), b"[") for found in PAIRS.finditer(data)
    )


def _is_odd_name(data: bytes, end: int, before: bytes) -> bool:
    """Whether a text in JSON that ends here, and in no letter, is the name of a secret; where `before` is before it."""
    start = data.rfind(b'"', 0, end)
    while start > 0 and data[start - 1] == 92:  # \
        start = data.rfind(b'"', 0, start)
    if end - start == 1 and data[start - 1] not in b"{,:[":
        return True  # it ends in a quote itself, whose backslash was taken away
    if not data.endswith(before, 0, max(0, start)):
        return False
    try:
        return not _learn((orjson.loads(data[start : end + 1]),))
    except orjson.JSONDecodeError:
        return True


def _in_json(head: bytes, signs: bytes) -> bool:
    """Whether texts that are JSON themselves may hold a secret: in there it may be written otherwise."""
    if _RARE not in signs or not JSON.search(head):
        return False
    if _ESCAPED.search(head):
        return True
    between = _BETWEEN.sub(b".", head)
    for data in (head, _CONTROLS.sub(b" ", head), _CONTROLS.sub(b" ", between)):
        plain = data.replace(b"\\", b"")
        for flat in (plain, b"".join(plain.split())):
            if _in_keys(flat) or _in_pairs(flat) or _in_text(flat):
                return True
    return False


def _learn(names: Iterable[str]) -> bool:
    """Whether none of these keys is the name of a secret; they are known from now on."""
    for name in names:
        if name not in _known:
            if len(name) > _LONGEST_NAME or kind_of(name) is not None or name.lower() == "value":
                return False
            if len(_known) >= _MOST_NAMES:
                _known.clear()
            _known.add(name)
    return True
