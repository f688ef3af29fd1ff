"""What a stretch of regular lines amounts to: figures that can be added to those of the lines before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

# Plain tuples: they are made by the thousand, and between processes they travel as JSON.

Completion = tuple[float, float, int, int, int]
"""A top-level task that completed: its start and its end, Unix seconds; what it counts, milliseconds; its `task_id`;
the `seq` of the line that tells of it."""

Opened = tuple[int, str, float, bool]
"""A task that began, and is open at the end: `task_id`, name, start in Unix seconds, whether it is a top-level one."""

Closed = tuple[int, int]
"""A task that began before, and completed: `task_id`, and the `seq` of the line that tells of it."""

RunTimes = tuple[float | None, float, float]
"""Lines of one run: its `session_start`, if its first line is among them; times of the first and of the last one."""

CallTimes = tuple[int, int, int, int, int, list[tuple[int, int]]]
"""The calls of one tool or model: how many, failed ones, milliseconds together, the shortest, the longest; and of
`Percentiles` each bucket, with how many durations fell into it. Of calls that do not say how long they took there is
none."""

TaskFigures = CallTimes
"""The completed runs of one name, likewise."""

CallFigures = tuple[Any, ...]
"""What a model call took, None where its line does not say: tokens of the input, of the output, read from the cache,
written to it, of reasoning, five whole numbers; and US dollars."""

ModelCall = tuple[str, str | None, CallFigures, int, int | None, bool]
"""What a line says of a model call: `provider/model`; the response, if it has a name; its figures; how many of them are
left out, as they cannot be; milliseconds, None where it does not say; whether it failed. Which lines tell of the same
response only the whole log shows, so all are kept."""


@dataclass(slots=True)
class Stretch:
    """Whole lines of one session that follow each other, without anything that would have to be reported.

    Dicts are in the order in which their keys came first.

    Attributes:
        begin: Offset of its first byte.
        end: Offset after its last.
        last: Offset of its last line.
        lines: How many lines it has; as many events.
        agent_id: Whose they are.
        session_id: Likewise.
        first_seq: `seq` of its first line; it counts up by one from there.
        earliest: The first moment that a line tells of, Unix seconds.
        latest: The last.
        runs: The runs that the lines belong to.
        types: Type of event → count.
        operations: Operation on files → count.
        tools: Tool → its calls.
        tasks: Name → its completed runs.
        orphans: Completions without a start.
        completions: Those of top-level tasks.
        opened: Tasks that began in it and did not complete in it.
        closed: Tasks that completed in it and did not begin in it.
        dropped: Events dropped on purpose.
        model_calls: Lines that tell of a model call, in their order.
        other_failures: Lines that tell of a failure, and are neither among the calls of tools nor among the completed
            runs: those of model calls, and of orphans.
    """

    begin: int
    end: int
    last: int
    lines: int
    agent_id: str | None
    session_id: str
    first_seq: int
    earliest: float
    latest: float
    runs: list[RunTimes]
    types: dict[str, int] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    tools: dict[str, CallTimes] = field(default_factory=dict)
    tasks: dict[str, TaskFigures] = field(default_factory=dict)
    orphans: int = 0
    completions: list[Completion] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    dropped: int = 0
    model_calls: list[ModelCall] = field(default_factory=list)
    other_failures: int = 0

    @property
    def last_seq(self) -> int:
        """`seq` of its last line."""
        return self.first_seq + self.lines - 1


def pack(number: int, stretch: Stretch | None) -> bytes:
    """Return the line by which one process tells another what a chunk amounts to."""
    return orjson.dumps([number, stretch], None, orjson.OPT_APPEND_NEWLINE)


def unpack(line: bytes) -> tuple[int, Stretch | None]:
    """Return what `pack` was given; tuples have become lists.

    Raises:
        ValueError: It is no such line.
        TypeError: Likewise.
    """
    number, fields = orjson.loads(line)
    return number, None if fields is None else Stretch(**fields)
