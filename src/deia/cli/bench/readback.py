"""What a measured process left in its file, read with nothing of ours but the names of the fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from deia.cli.bench.event import TOOL
from deia.cli.bench.process import Job
from deia.cli.bench.recorders.catalogue import OURS
from deia.events import ToolEvent
from deia.journal.reader import read_events

UNREADABLE = (OSError, ValueError, LookupError, TypeError)
"""What reading raises where there is no file, no JSON in it, or other JSON than was recorded."""


@dataclass(frozen=True)
class ReadBack:
    """What is in a file.

    Attributes:
        events: Calls that are there.
        bytes_per_event: Of their lines.
        wrong: Where the file differs from what was recorded; None where it holds every call once, in order.
    """

    events: int
    bytes_per_event: float
    wrong: str | None


@dataclass(frozen=True)
class Survivors:
    """What is there after a process was killed.

    Attributes:
        acknowledged: Calls that had returned.
        found: Of these, how many are in the file.
        in_order: Whether they are there once each, in the order of the calls.
    """

    acknowledged: int
    found: int
    in_order: bool

    @property
    def missing(self) -> int:
        """Calls that had returned and are not in the file."""
        return self.acknowledged - self.found


def verify(job: Job) -> ReadBack:
    """Hold a file against the calls of a job: every call once, in order, without a gap in `seq`."""
    numbers: list[int] = []
    size = seq = 0
    wrong = None
    try:
        for seq, line in enumerate(_lines(job), start=1):
            event = orjson.loads(line)
            if wrong is None and event["seq"] != seq:
                wrong = f"line {seq} carries seq {event['seq']}"
            if event["type"] == "ToolEvent" and event["name"] == TOOL:
                numbers.append(event["duration_ms"])
                size += len(line)
    except UNREADABLE as error:
        wrong = f"line {seq} cannot be read: {error!r}" if seq else f"its file cannot be read: {error!r}"
    if wrong is None and numbers != list(range(job.calls)):
        wrong = f"{len(set(numbers)):,} of {job.calls:,} events, or not in order"
    return ReadBack(len(numbers), size / max(1, len(numbers)), wrong)


def survivors(job: Job) -> Survivors:
    """Return what a killed process left: ours as any reader sees it, that is with what its queue file holds."""
    found = _recovered(job) if job.recorder in OURS else _whole_lines(job)
    return Survivors(job.calls, len(set(found) & set(range(job.calls))), found == sorted(set(found)))


def _recovered(job: Job) -> list[int]:
    return [event.duration_ms for event in read_events(job.path) if isinstance(event, ToolEvent)]


def _whole_lines(job: Job) -> list[int]:
    """Return the numbers of the calls whose line is complete: a torn last one is no event."""
    events = [orjson.loads(line) for line in _lines(job) if line.endswith(b"\n")]
    return [event["duration_ms"] for event in events if event["type"] == "ToolEvent"]


def _lines(job: Job) -> Iterator[bytes]:
    with job.path.open("rb") as file:
        yield from file
