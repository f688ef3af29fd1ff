"""What a session is at, and what it has done so far: one event more, one step further."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from deia.analysis.sessions import State
from deia.analysis.usage import ModelUsage, UsageAccumulator, call_failed, call_of, together
from deia.events import AnyEvent, ErrorEvent, FileEvent, LLMEvent, MessageEvent, SessionEvent, TaskEvent, ToolEvent
from deia.journal.state import state_of

Activity = State | Literal["idle"]
"""What a session is at.

What became of it, in the words of `deia.analysis.sessions.State`; and while it is `recording`, more:

- `recording`: a logger has it open, and has logged something within `IDLE_AFTER_S`.
- `idle`: a logger has it open, and has logged nothing for longer.
"""

Unread = Literal["unreadable", "no log"]
"""Why there is nothing to read of a session, as `State` has it."""

IDLE_AFTER_S = 10.0
"""As long as the recorder itself waits before it rests."""

RATE_S = 10
"""Over how many seconds events per second are counted: long enough to be read, short enough to be now."""

_KEPT_RESPONSES = 1000
"""How many of the last model responses are kept apart: several lines about one follow each other soon."""


@dataclass(frozen=True)
class OpenTask:
    """The task that a session is in.

    Attributes:
        name: Its name.
        start_time: Since when, Unix seconds.
    """

    name: str
    start_time: float


@dataclass(frozen=True)
class LastEvent:
    """What a session has logged last, itself and its tasks excepted.

    Attributes:
        type: The event's class.
        name: Which tool, model, file and so on.
        failed: Whether it failed.
    """

    type: str
    name: str
    failed: bool


class SessionState:
    """Takes the events of one session in order; memory grows with its open tasks alone.

    Attributes:
        agent_id: Whose session it is; None until a line has said so.
        session_id: Which one.
        events: How many there were.
        tool_calls: How many of them were calls of tools.
        errors: Tasks, tool calls and model calls that failed, and errors that were logged.
        last: What was logged last.
        first_time: Time of the first event, Unix seconds.
        last_time: Time of the newest one.
        runs: How many times it was opened.
        dropped: Events dropped on purpose.
    """

    def __init__(self) -> None:
        self.agent_id: str | None = None
        self.session_id: str | None = None
        self.events = 0
        self.tool_calls = 0
        self.errors = 0
        self.last: LastEvent | None = None
        self.first_time: float | None = None
        self.last_time: float | None = None
        self.runs = 0
        self.dropped = 0
        self._open: dict[int, OpenTask] = {}
        self._per_second: Counter[int] = Counter()
        self._usage = UsageAccumulator(_KEPT_RESPONSES)

    @property
    def usage(self) -> ModelUsage:
        """Its model calls so far, counted as in the analysis."""
        return together(self._usage.finish().values())

    @property
    def innermost(self) -> OpenTask | None:
        """The task that was started last of those that are open."""
        return next(reversed(self._open.values()), None)

    @property
    def open_tasks(self) -> int:
        """How many tasks are open."""
        return len(self._open)

    def rate(self, now: float) -> float:
        """Return how many events there were per second, over the last `RATE_S` seconds.

        Args:
            now: Unix seconds.
        """
        since = int(now) - RATE_S
        for second in [second for second in self._per_second if second <= since]:
            del self._per_second[second]
        return self._per_second.total() / RATE_S

    def feed(self, event: AnyEvent) -> None:
        """Take the next event."""
        self.events += 1
        if self.session_id is None:
            self.agent_id, self.session_id = event.agent_id, event.session_id
        if event.timestamp is not None:
            self._see_time(event.timestamp)
        if isinstance(event, TaskEvent):
            self._see_task(event)
        elif isinstance(event, SessionEvent):
            self.runs = max(self.runs, event.run or 1)
            self.dropped += event.dropped or 0
        else:
            self._see_other(event)

    def _see_time(self, timestamp: float) -> None:
        self.first_time = timestamp if self.first_time is None else self.first_time
        self.last_time = timestamp if self.last_time is None else max(self.last_time, timestamp)
        if timestamp > self.last_time - RATE_S:
            self._per_second[int(timestamp)] += 1
            if len(self._per_second) > 2 * RATE_S:
                self.rate(self.last_time)

    def _see_task(self, event: TaskEvent) -> None:
        self.errors += bool(event.error)
        if event.task_id is None:
            return
        if event.end_time is None:
            self._open[event.task_id] = OpenTask(event.name, event.start_time)
        else:
            self._open.pop(event.task_id, None)

    def _see_other(self, event: AnyEvent) -> None:
        failed = False
        name = ""
        if isinstance(event, ToolEvent):
            self.tool_calls += 1
            failed = bool(event.error or event.params.get("error"))
            name = event.name
        elif isinstance(event, LLMEvent):
            failed = call_failed(event)
            name = f"{event.provider}/{event.model}"
            self._usage.feed(call_of(event))
        elif isinstance(event, FileEvent):
            name = f"{event.operation} {event.path}"
        elif isinstance(event, ErrorEvent):
            failed = True
            name = event.error_type or event.message
        elif isinstance(event, MessageEvent):
            name = event.role
        self.errors += failed
        self.last = LastEvent(getattr(event, "type", type(event).__name__), name, failed)


def activity(
    *,
    has_queue: bool,
    is_locked: bool | None,
    quiet_s: float | None,
    damaged: bool = False,
    has_open_tasks: bool = False,
    unread: Unread | None = None,
) -> Activity:
    """Return what a session is at.

    Args:
        has_queue: Whether its queue file is there.
        is_locked: Whether a logger has it open; None where that cannot be told, which is then by how quiet it is.
        quiet_s: Seconds since its last event; None where it has none.
        damaged: Whether lines cannot be read, or events are missing.
        has_open_tasks: Whether a task was begun and not completed.
        unread: Why there is nothing to read; None where there is something, or may come.
    """
    if unread is not None:
        return unread
    if not has_queue or is_locked is False:
        return state_of("left" if has_queue else "none", damaged=damaged, has_open_tasks=has_open_tasks)
    is_quiet = quiet_s is None or quiet_s > IDLE_AFTER_S
    return "idle" if is_quiet else "recording"
