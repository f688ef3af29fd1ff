"""Who records, and what: the two ids that make a journal's name."""

from __future__ import annotations

import os

from deia import system
from deia.plain import readable

_ID_BYTES = 200
_NAME_BYTES = 237
"""Both ids and the separator: the file system's 255 less the longest suffix of a session's files (`.jsonl.damaged-1`,
and room for a second digit), and enough for the longest agent id with a session id of ours."""


def new_session_id() -> str:
    """A UUID version 7 (RFC 9562, section 5.7): its text sorts by the time it was made.

    The twelve bits after the milliseconds are the fraction of one (section 6.2, method 3): a quarter of a microsecond.
    """
    milliseconds, fraction = divmod(int(system.now() * 4_096_000), 4096)
    random = int.from_bytes(os.urandom(8), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def checked_id(name: str, value: object) -> str:
    """Return an id that is one plain part of a file name.

    Raises:
        TypeError: It is not text.
        ValueError: It is empty, longer than 200 bytes, or more (or less) than a file name.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {readable(value)}")
    value = str(value)
    if not value:
        raise ValueError(f"{name} must not be empty: {value!r}")
    try:
        size = len(value.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be text that UTF-8 can hold, not {value!r}") from error
    if size > _ID_BYTES:
        raise ValueError(f"{name} must be at most {_ID_BYTES} bytes long, not {size}: {value!r}")
    if value in (".", "..") or any(c in "/\\" or not c.isprintable() for c in value):
        raise ValueError(f"{name} must be one plain part of a file name, not {value!r}")
    return value


def checked_pair(agent_id: str, session_id: str) -> None:
    """Check that two ids fit into one file name.

    Raises:
        ValueError: They do not.
    """
    size = len(f"{agent_id}_{session_id}".encode())
    if size > _NAME_BYTES:
        raise ValueError(
            f"agent_id and session_id make a file name of {size} bytes, more than {_NAME_BYTES}: "
            f"{agent_id!r}, {session_id!r}"
        )
