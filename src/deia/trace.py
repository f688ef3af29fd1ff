"""How sessions of several processes make one tree: W3C trace context, and what of it follows from a session's ids."""

from __future__ import annotations

import re
from typing import NamedTuple
from zlib import crc32

VARIABLE = "TRACEPARENT"
"""The environment variable in which it travels."""

_FORM = re.compile(r"(?P<version>[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)


class Parent(NamedTuple):
    """What a session is a part of.

    Attributes:
        trace_id: Of the whole tree: 32 hexadecimal digits.
        span_id: Of the task, the session, or another program's span in which it was begun: 16 of them.
    """

    trace_id: str
    span_id: str

    @property
    def traceparent(self) -> str:
        """The same as it travels; what is recorded by us is marked as sampled."""
        return f"00-{self.trace_id}-{self.span_id}-01"


def parse(traceparent: str | None) -> Parent | None:
    """Return what a `traceparent` says, or None where it is none."""
    found = None if traceparent is None else _FORM.fullmatch(traceparent)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    parent = Parent(found[2], found[3])
    return parent if parent.trace_id.strip("0") and parent.span_id.strip("0") else None


def trace_id_of(agent_id: str, session_id: str) -> str:
    """Return the trace id of a session that is a part of no other: its own, if that is a UUID."""
    digits = session_id.replace("-", "") if _UUID.fullmatch(session_id) else ""
    if digits.strip("0"):
        return digits
    from hashlib import sha256  # it loads OpenSSL, and most sessions are named by us

    return sha256(f"{agent_id}_{session_id}".encode()).hexdigest()[:32]


def span_id_of(agent_id: str, session_id: str, task_id: int | None = None) -> str:
    """Return the span id of a session, or of a task in it."""
    session = crc32(f"{agent_id}_{session_id}".encode()) or 1
    return f"{session:08x}{(task_id or 0) & 0xFFFFFFFF:08x}"
