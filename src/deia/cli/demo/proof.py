"""Whether the log holds what the recording processes acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deia.events import AnyEvent, FileEvent, LLMEvent, MessageEvent, SessionEvent, TaskEvent, ToolEvent

Acknowledgement = tuple[str, str]
"""Kind and name of an event whose log call has returned."""


@dataclass(frozen=True)
class Proof:
    """Acknowledged events against found ones.

    Attributes:
        acknowledged: Events whose call had returned.
        found: Events in the log.
        missing: Acknowledged events that are not in the log, at their place.
    """

    acknowledged: int
    found: int
    missing: int


@dataclass(frozen=True)
class Recording:
    """A session's log, taken apart by the process that wrote each event.

    Attributes:
        runs: The events of each run, as they were acknowledged.
        recovered_bytes: What came from the queue file, summed over the runs.
        lost_bytes: What was cut as a torn end, summed over the runs.
        has_gap: Whether the numbering of the events has one.
    """

    runs: tuple[tuple[Acknowledgement, ...], ...]
    recovered_bytes: int
    lost_bytes: int
    has_gap: bool

    @classmethod
    def of(cls, events: Iterable[AnyEvent]) -> Recording:
        """Take apart the events of a log."""
        runs: list[list[Acknowledgement]] = [[]]
        recovered = lost = 0
        expected = 1
        has_gap = False
        for event in events:
            has_gap = has_gap or event.seq != expected
            expected += 1
            if isinstance(event, SessionEvent):
                if event.event == "continued":
                    runs.append([])
                    recovered += event.recovered_bytes or 0
                    lost += event.lost_bytes or 0
            else:
                runs[-1].append(acknowledgement_of(event))
        return cls(tuple(map(tuple, runs)), recovered, lost, has_gap)

    def prove(self, acknowledged: Sequence[Sequence[Acknowledgement]]) -> Proof:
        """Compare what each process acknowledged with what the log holds of its run, event by event and in order."""
        missing = 0
        for number, run in enumerate(acknowledged):
            found = self.runs[number] if number < len(self.runs) else ()
            same = sum(mine == theirs for mine, theirs in zip(run, found, strict=False))
            missing += len(run) - same
        return Proof(sum(map(len, acknowledged)), sum(map(len, self.runs)), missing)


def acknowledgement_of(event: AnyEvent) -> Acknowledgement:
    """Return what the agent acknowledges an event with."""
    if isinstance(event, TaskEvent):
        return ("start" if event.end_time is None else "complete", event.name)
    if isinstance(event, FileEvent):
        return (event.operation, event.path)
    if isinstance(event, ToolEvent):
        return ("tool", event.name)
    if isinstance(event, LLMEvent):
        return ("model", event.model)
    if isinstance(event, MessageEvent):
        return ("message", event.role)
    return ("unknown", type(event).__name__)
