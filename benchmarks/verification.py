"""Whether what a run left holds every event exactly once, in order.

A file of lines is read with nothing of Deia, so that the verification cannot share its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.event import TOOL

WRONG = ("lost", "dropped", "repeated", "out_of_order", "seq_gaps", "unreadable")
"""Fields of a verification that are 0 where nothing is wrong."""


@dataclass
class Verification:
    """What was found in a file, against the calls that returned.

    Attributes:
        calls: Calls made.
        lines: Lines of the file.
        bytes: Its size.
        event_bytes: Bytes of the lines of those calls, newline included.
        longest_event_bytes: The longest of them.
        lost: Calls without a line.
        repeated: Lines beyond the first of the same call.
        out_of_order: Lines of a call that stand after a later call's.
        seq_gaps: Lines whose `seq` is not one more than the line's before.
        unreadable: Lines that do not parse, and a last line without a newline.
        dropped: Events that the file itself says were dropped.
    """

    calls: int
    lines: int = 0
    bytes: int = 0
    event_bytes: int = 0
    longest_event_bytes: int = 0
    lost: int = 0
    repeated: int = 0
    out_of_order: int = 0
    seq_gaps: int = 0
    unreadable: int = 0
    dropped: int = 0

    @property
    def ok(self) -> bool:
        """Whether every call has exactly one line, in order, without a gap or damage."""
        return not any(getattr(self, wrong) for wrong in WRONG)


def read_lines(path: Path) -> Iterable[bytes]:
    """Yield the lines of a file."""
    with path.open("rb") as file:
        yield from file


def verify(
    path: Path,
    calls: int,
    *,
    has_seq: bool = True,
    lines: Callable[[Path], Iterable[bytes]] = read_lines,
    fields_of: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Verification:
    """Read what a run of `calls` tool calls left, numbered from 0 by their `duration_ms`.

    Where there is nothing at `path`, all of them are lost.

    Args:
        path: A file, or the directory of a store.
        calls: How many calls returned.
        has_seq: Whether each line has a `seq`.
        lines: Yields each record as a line of JSON.
        fields_of: Returns a record's fields under the names of the design.
    """
    found = Verification(calls)
    if not path.exists():
        found.lost = calls
        return found
    seen = bytearray(calls)
    newest = -1
    last_seq = 0
    for line in lines(path):
        found.lines += 1
        found.bytes += len(line)
        try:
            fields = fields_of(orjson.loads(line))
        except orjson.JSONDecodeError:
            found.unreadable += 1
            continue
        if not line.endswith(b"\n"):
            found.unreadable += 1
        if has_seq:
            seq = fields.get("seq")
            found.seq_gaps += seq != last_seq + 1
            last_seq = seq if isinstance(seq, int) else last_seq + 1
        if fields.get("type") == "SessionEvent":
            found.dropped += fields.get("dropped", 0)
        if fields.get("type") != "ToolEvent" or fields["name"] != TOOL:
            continue
        number = fields["duration_ms"]
        found.event_bytes += len(line)
        found.longest_event_bytes = max(found.longest_event_bytes, len(line))
        if not 0 <= number < calls or seen[number]:
            found.repeated += 1
            continue
        seen[number] = 1
        found.out_of_order += number < newest
        newest = max(newest, number)
    found.lost = seen.count(0)
    return found
