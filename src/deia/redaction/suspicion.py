"""Whether an encoded line may hold a secret: asked for each event, and answered with no for almost all of them.

What is looked at is the part of the line that its caller gave: not the ids, not the times. A yes costs an event the
slow path, where the rules look at it; a no has to be right.
"""

from __future__ import annotations

from collections.abc import Iterable

from deia.redaction.names import kind_of
from deia.redaction.signs import FORMS, KEYS, NAMES, PAIRS

_underscore, _hyphen, _capital, _at = (FORMS[name].in_line for name in "_-A@")
_equals, _colon, _quote, _apostrophe = (sign.in_line for sign in NAMES)

_MOST_NAMES = 4096
_LONGEST_NAME = 64
"""Longer keys, and more different ones, are data and no vocabulary: they are looked at each time."""

known: set[str] = set()
"""Keys that were looked at before, and are no names of secrets."""

AFTER_PARAMS = b'},"duration_ms":'
"""What stands between what the caller of a tool call gave and what is ours: numbers and ids."""

_FREQUENT, _RARE, _NULL = 0x81, 0x82, 0x83

SIGNS = bytes(
    _FREQUENT if character in b"_- " else _RARE if character in b"=ABJG9@\\'}]" else _NULL if character in b"u" else 0
    for character in range(256)
)
"""For `bytes.translate`: the characters of which all signs need one become what is not ASCII, all others 0, and whether
there is one is a single question then. (None of them stands in what is ours of a line before the caller's part.) The
`u` is for `null`, which whoever asks has to look for as well."""

ALL = b"\xff" * 256
"""The same where each event has to be looked at."""


def in_tool_call(_: bytes, head: bytes, signs: bytes, params: dict[str, object]) -> bool:
    """Whether a tool call may hold a secret.

    Args:
        _: Its line, which others than this one may ask for.
        head: The same up to `AFTER_PARAMS`.
        signs: The head, translated by `SIGNS`.
        params: Its params.
    """
    return (
        not (known.issuperset(params) or _learn(params))
        # quotes stand behind backslashes in texts: `{"` and `["` begin mappings and lists, here a third and a first one
        or (125 in head and head.count(b'{"') > 2 and KEYS.search(head) is not None)  # }
        or (93 in head and head.partition(b'["')[1] != b"" and PAIRS.search(head) is not None)  # ]
        or _in_text(head, signs)
    )


def in_file_event(line: bytes) -> bool:
    """Whether the line of a file event may hold a secret."""
    head = line.rpartition(b'","operation":"')[0]
    return _in_text(head, head.translate(SIGNS))


def in_task(name: bytes, metadata: bytes) -> bool:
    """Whether a task's name, in UTF-8, or its metadata, in JSON, may hold a secret."""
    both = name + b" " + metadata
    return bool(KEYS.search(both) or PAIRS.search(both)) or _in_text(both, both.translate(SIGNS))


def _in_text(head: bytes, signs: bytes) -> bool:
    """Whether encoded texts may hold a secret; of the keys of mappings, their own signs only."""
    # `95 in` is a look at memory; `b"_" in` takes thrice as long, and a search of `re` five times
    return bool(
        (
            _FREQUENT in signs
            and (
                (95 in head and _underscore.search(head))  # _
                or (45 in head and _hyphen.search(head))  # -
                or (32 in head and head.partition(b": ")[1] and _colon.search(head))
            )
        )
        or (
            _RARE in signs
            and (
                (61 in head and _equals.search(head))  # =
                or (65 in head and _capital.search(head))  # A
                or (66 in head and (head.partition(b"Bearer ")[1] or head.partition(b"hooks.slack.com/")[1]))  # B
                or (74 in head and head.partition(b"eyJ")[1])  # J
                or (71 in head and head.partition(b"SG.")[1])  # G
                or (57 in head and head.partition(b"ya29.")[1])  # 9
                or (64 in head and _at.search(head))  # @
                or (92 in head and head.partition(b'\\"')[1] and _quote.search(head))  # \
                or (39 in head and _apostrophe.search(head))  # '
            )
        )
    )


def _learn(names: Iterable[str]) -> bool:
    """Whether none of these keys is the name of a secret; they are known from now on."""
    for name in names:
        if name not in known:
            if len(name) > _LONGEST_NAME or kind_of(name) is not None or name.lower() == "value":
                return False
            if len(known) >= _MOST_NAMES:
                known.clear()
            known.add(name)
    return True
