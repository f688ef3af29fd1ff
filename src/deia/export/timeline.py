"""A session as spans and marks in time, in the order of its log: what all exported timelines and traces are made from.

The report's items (`deia.report.items`) are texts to be shown, of a selection, and those without a time stand in its
table alone; here each event comes whole, and has a place in time whatever its line says. One form for both would make
texts of a million events for nobody, or guess times on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from deia.events import (
    ActionItemEvent,
    AnyEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
)
from deia.journal.limits import DURATION_STEP_S, LATEST, reach
from deia.journal.reader import Entry

SpanKind = Literal["task", "tool", "model", "file"]


class Session(NamedTuple):
    """Whose lines they are; a file may hold those of several."""

    agent_id: str | None
    session_id: str | None


class Opened(NamedTuple):
    """A session is met for the first time.

    Attributes:
        session: Which.
        trace_id: The trace that it is a part of, where its first line says.
        parent_span_id: The span in it, likewise.
    """

    session: Session
    trace_id: str | None
    parent_span_id: str | None


class Begun(NamedTuple):
    """A task began.

    Attributes:
        session: Whose it is.
        key: What its end will be known by.
        parent: Key of the task that it was started in.
        event: Its start.
        start_us: When, Unix microseconds.
    """

    session: Session
    key: int
    parent: int | None
    event: TaskEvent
    start_us: int


class Span(NamedTuple):
    """Something that took time, and is over.

    Attributes:
        session: Whose it is.
        kind: What it was.
        key: Of a task: what its beginning was known by, or its `task_id`; else None.
        begun: Whether its beginning was told.
        parent: Key of the task that it belongs to.
        name: What it is called.
        event: The event; of a task its end, or its start where it is still open.
        start_us: Unix microseconds.
        end_us: The same, not before the start.
        number: What tells it from every other in its session: its `seq`, else the negative number of its line.
        is_open: Whether it is a task that nothing completed: it ends with the log.
        is_cut: Whether its line claims far more time than is given to it here.
    """

    session: Session
    kind: SpanKind
    key: int | None
    begun: bool
    parent: int | None
    name: str
    event: AnyEvent
    start_us: int
    end_us: int
    number: int
    is_open: bool = False
    is_cut: bool = False


class Mark(NamedTuple):
    """Something that happened at a moment.

    Attributes:
        session: Whose it is.
        kind: What it was, in a word.
        parent: Key of the task that it belongs to.
        name: What to show of it.
        event: The event.
        at_us: Unix microseconds.
    """

    session: Session
    kind: str
    parent: int | None
    name: str
    event: AnyEvent
    at_us: int


class Ended(NamedTuple):
    """There is no more of a session.

    Attributes:
        session: Which.
        first_us: Its first moment, Unix microseconds.
        last_us: Its last.
    """

    session: Session
    first_us: int
    last_us: int


Item = Opened | Begun | Span | Mark | Ended

_SHOWN_CHARACTERS = 80
"""Of a message, in the place of a name."""


def timeline(entries: Iterable[Entry]) -> Iterator[Item]:
    """Yield what a log tells, in its order; memory grows with the tasks that are open, and with the sessions in it.

    A task is `Begun`, and a `Span` when it is completed; one that is still open when the log ends is a span up to the
    last moment of its session. Calls end when they were logged, and began as long before as they took: but not before
    their task, where only the rounding of durations says so, and what reaches far beyond all that was logged is cut.

    In the original format calls have no time. They stand at the last moment that the lines before them tell, or, where
    these tell none, at the first one that follows.
    """
    sessions: dict[Session, _State] = {}
    for entry in entries:
        event = entry.event
        session = Session(event.agent_id, event.session_id)
        state = sessions.get(session)
        if state is None:
            state = sessions[session] = _State(session)
            fields = entry.record.fields
            yield Opened(session, _text(fields.get("trace_id")), _text(fields.get("parent_span_id")))
        yield from state.feed(entry)
    for state in sessions.values():
        yield from state.end()


class _State:
    """What is known of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._open: dict[int, tuple[TaskEvent, int, bool]] = {}
        self._first: int | None = None
        self._last = 0
        self._logged: tuple[float, float] | None = None
        self._early: list[Entry] = []

    def feed(self, entry: Entry) -> Iterator[Item]:
        for moment in (entry.session_start, entry.event.timestamp):
            if moment is not None:
                first, last = self._logged or (moment, moment)
                self._logged = min(first, moment), max(last, moment)
        at = _moment_of(entry.event)
        if at is None:
            if self._first is None:
                self._early.append(entry)
                return
            at = self._last
        else:
            self._see(at)
            if self._early:
                early, self._early = self._early, []
                for one in early:
                    yield from self._take(one, at)
        yield from self._take(entry, at)

    def end(self) -> Iterator[Item]:
        for entry in self._early:
            yield from self._take(entry, 0)
        last = self._last
        for key, (event, start, is_cut) in sorted(
            self._open.items(), key=lambda item: (item[1][1], item[0]), reverse=True
        ):
            yield self._still_open(key, event, start, max(start, last), is_cut=is_cut)
        first = last if self._first is None else self._first
        yield Ended(self._session, first, last)

    def _see(self, at: int) -> None:
        self._first = at if self._first is None else min(self._first, at)
        self._last = max(self._last, at)

    def _take(self, entry: Entry, at: int) -> Iterator[Item]:
        event = entry.event
        session = self._session
        number = event.seq if event.seq is not None else -entry.record.number
        if isinstance(event, TaskEvent):
            yield from self._task(event, number)
        elif isinstance(event, ToolEvent):
            yield self._call("tool", event.name, event, at, event.duration_ms, number)
        elif isinstance(event, LLMEvent):
            yield self._call("model", f"{event.provider}/{event.model}", event, at, event.duration_ms, number)
        elif isinstance(event, FileEvent):
            took = entry.record.fields.get("duration_ms")
            took = took if type(took) is int else None
            yield self._call("file", f"{event.operation} {event.path}", event, at, took, number)
        else:
            kind, name = _shown(event)
            yield Mark(session, kind, parent_of(event), name, event, at)

    def _task(self, event: TaskEvent, number: int) -> Iterator[Item]:
        start, is_cut = _cut(_us(event.start_time), self._logged)
        self._see(start)
        if event.end_time is None:
            key = number if event.task_id is None else event.task_id
            if key in self._open:  # a line stands there twice, or a session does
                earlier, began, was_cut = self._open.pop(key)
                yield self._still_open(key, earlier, began, max(began, self._last), is_cut=was_cut)
            self._open[key] = event, start, is_cut
            yield Begun(self._session, key, event.parent_id, event, start)
            return
        end, is_late = _cut(_us(event.end_time), self._logged)
        self._see(end)
        begun = None if event.task_id is None or event.orphan else self._open.pop(event.task_id, None)
        if begun is not None:
            _, start, is_cut = begun
        task_id, parent, end = event.task_id, event.parent_id, max(start, end)
        is_cut = is_cut or is_late
        yield Span(
            *(self._session, "task", task_id, begun is not None, parent, event.name, event, start, end, number),
            is_cut=is_cut,
        )

    def _still_open(self, key: int, event: TaskEvent, start: int, end: int, *, is_cut: bool) -> Span:
        return Span(
            *(self._session, "task", key, True, event.parent_id, event.name, event, start, end, key),
            is_open=True,
            is_cut=is_cut,
        )

    def _call(self, kind: SpanKind, name: str, event: AnyEvent, at: int, duration_ms: int | None, number: int) -> Span:
        seen = self._logged
        if seen is None and self._first is not None:  # the original format, where only tasks tell the time
            seen = self._first / 1_000_000, at / 1_000_000
        start, is_cut = _cut(at - 1000 * min(max(0, duration_ms or 0), LATEST * 1000), seen)
        parent = parent_of(event)
        begun = None if parent is None else self._open.get(parent)
        if begun is not None and start < begun[1] <= min(start + _us(DURATION_STEP_S), at):
            start = begun[1]
        self._see(start)
        return Span(self._session, kind, None, False, parent, name, event, start, at, number, is_cut=is_cut)


def _cut(time: int, seen: tuple[float, float] | None) -> tuple[int, bool]:
    """Return a time, and whether it was brought nearer to what was seen until then, where anything was."""
    if seen is None:
        return time, False
    earliest, latest = reach(*seen)
    near = min(max(time, _us(earliest)), _us(latest))
    return near, near != time


def parent_of(event: AnyEvent) -> int | None:
    """Return the task that an event belongs to; a task's own is the one it was started in."""
    if isinstance(event, TaskEvent):
        return event.parent_id
    if isinstance(event, UnknownEvent):
        task_id = event.fields.get("task_id")
        return task_id if type(task_id) is int else None
    return None if isinstance(event, SessionEvent) else event.task_id


def claimed(span: Span) -> dict[str, Any]:
    """Return what the line of a span that is cut claims of its time, as it stands there; of any other nothing."""
    names = ("start_time", "end_time", "duration_ms") if span.is_cut else ()
    return {name: value for name in names if (value := getattr(span.event, name, None)) is not None}


def details(event: AnyEvent) -> dict[str, Any]:
    """Return what a line says beside what its span or mark already does; without what is null or empty."""
    if isinstance(event, UnknownEvent):
        return {name: value for name, value in event.fields.items() if name not in _CARRIED}
    return {
        name: value
        for name, value in vars(event).items()
        if name not in _CARRIED and value is not None and value is not False and value != {}
    }


_CARRIED = frozenset({"type", "timestamp", "agent_id", "session_id", "v", "start_time", "end_time", "name"})


def _moment_of(event: AnyEvent) -> int | None:
    """Return when an event was logged; of a task in the original format, what its line tells of it."""
    if event.timestamp is not None:
        return _us(event.timestamp)
    if isinstance(event, TaskEvent):
        return _us(event.start_time if event.end_time is None else event.end_time)
    return None


def _us(seconds: float) -> int:
    return round(seconds * 1_000_000)


def _shown(event: AnyEvent) -> tuple[str, str]:
    """Return the kind of a mark, and what to show of it."""
    if isinstance(event, MessageEvent):
        return "message", f"{event.role}: {_short(event.content)}"
    if isinstance(event, ErrorEvent):
        return "error", _short(f"{event.error_type}: {event.message}" if event.error_type else event.message)
    if isinstance(event, DecisionEvent):
        return "decision", _short(event.decision)
    if isinstance(event, ActionItemEvent):
        return "action_item", _short(event.item)
    if isinstance(event, SessionEvent):
        return "session", event.event
    assert isinstance(event, UnknownEvent)
    return "event", event.type


def _short(content: Any) -> str:
    if type(content) is not str:
        return "…"
    return content if len(content) <= _SHOWN_CHARACTERS else content[: _SHOWN_CHARACTERS - 1] + "…"


def _text(value: object) -> str | None:
    return value if type(value) is str else None
