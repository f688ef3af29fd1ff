"""How a log call's event is recorded where the fast path does not do: what all kinds of log calls share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any

import orjson

from deia.bus.appender import Build, Done, Pending
from deia.bus.nesting import depth
from deia.bus.session import Session
from deia.line import encode, encode_mapping, plain_fields
from deia.plain import plain
from deia.queue.producer import CALLED, Entry, Producer
from deia.queue.tasks import OpenTask, innermost
from deia.services import arguments
from deia.services.screen import Screen
from deia.services.tasks import Tasks
from deia.system import now

suspends: ContextVar[bool] = ContextVar("deia_suspends", default=False)
"""Whether the log call that is made in this context is one that a task awaits, or that must not wait at all."""


_SEQ = b',"seq":'


class MustWait(Exception):
    """An append that cannot go on at once; the task that called has to be suspended."""

    def __init__(self, build: Build, done: Done, pending: Pending) -> None:
        self.build = build
        self.done = done
        self.pending = pending


class Recording:
    """What records into a session."""

    _session: Session
    _producer: Producer | None
    """None where `DEIA_DISABLED` was set at construction: then no call does anything."""
    _whose: orjson.Fragment
    """The end of every line, encoded: it stands in the place of the agent's id and brings two more fields along."""
    _screen: Screen | None
    _tasks: Tasks

    @staticmethod
    def _append(session: Session, build: Build, done: Done = None) -> None:
        """Append by the slow path; `done` is called once it is recorded.

        Raises:
            MustWait: It cannot go on at once, and the caller sees to that. (Never in a call made inside that one.)
        """
        if not suspends.get() or depth() > 1:
            session.appender.append(build, done)
            return
        pending = session.appender.attempt(build, done)
        if pending is not None:
            raise MustWait(build, done, pending)

    def _log(
        self,
        producer: Producer,
        fields: dict[str, Any],
        counter: int,
        task: OpenTask | None,
        *,
        waits: bool = False,
        suspects: Callable[[bytes], object] | None = None,
    ) -> None:
        """Record an event.

        Args:
            producer: The session's.
            fields: What the event has of its own: plain or encoded, the caller's texts before all else that is.
            counter: What it counts as.
            task: The task that it was logged in, or one in that.
            waits: Whether it waits where it has to, whatever the logger does there.
            suspects: Whether its line has to be looked at closely for secrets, where its like are told otherwise than
                most events are.
        """
        if task is not None and task.owner is not producer.owner:
            task = innermost(task, producer.owner)
        start = producer.end
        seq = producer.seq
        fields["task_id"] = None if task is None else task.task_id
        fields["seq"] = seq + 1
        fields["timestamp"] = now()
        fields["agent_id"] = self._whose
        try:
            line = orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # lone surrogates in a text
            fields = {name: plain(value) if type(value) is str else value for name, value in fields.items()}
            line = orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
        screen = self._screen
        if screen is not None and (screen.suspects if suspects is None else suspects)(line):
            self._append_odd(orjson.loads(line), counter, waits=waits)
        elif not producer.commit(start, seq, line, counter):
            self._append_slowly(Encoded(line, seq + 1, counter, screen), waits=waits)

    def _complete_task(
        self,
        name: str,
        duration_ms: float | None,
        metadata: Mapping[str, Any] | None,
        outcome: dict[str, Any] | None = None,
    ) -> None:
        """Record that the newest open task of a name is complete; `outcome` tells of a failure, if it failed."""
        if self._producer is None:
            return
        if type(name) is not str or not name:
            name = arguments.text("task_name", name)
        duration = {} if duration_ms is None else self._duration_fields(duration_ms)
        self._tasks.complete(name, duration, b"{}" if metadata is None else encode_mapping(metadata), outcome)

    def _log_tool(
        self,
        producer: Producer,
        name: str,
        params: bytes,
        duration: dict[str, Any],
        outcome: dict[str, Any],
        task: OpenTask | None,
    ) -> None:
        """Record a tool call that knows how it ended, its parameters being encoded."""
        fields = {"type": "ToolEvent", "name": name, "params": orjson.Fragment(params), **duration, **outcome}
        suspects = None if outcome or self._screen is None else partial(self._screen.suspects_tool, params)
        self._log(producer, fields, CALLED, task, suspects=suspects)

    def _append_odd(self, fields: dict[str, Any], counter: int, *, waits: bool = False) -> None:
        """Append an event whose data is made plain, screened and cut, once and for all."""
        fields = {**fields, **self._session.whose}
        screen = self._screen
        line = encode(plain_fields(fields) if screen is None else screen.event(fields))
        self._append_slowly(Encoded(line, fields["seq"], counter, screen), waits=waits)

    def _append_slowly(self, encoded: Encoded, *, waits: bool = False) -> None:
        append = Recording._append if waits else self._append
        append(self._session, encoded)

    def _duration_fields(self, value: object) -> dict[str, Any]:
        """Return the fields of a duration: itself, or what is recorded of one that cannot be."""
        if type(value) is int and 0 <= value <= arguments.LARGEST:
            return {"duration_ms": value}
        odd: dict[str, dict[str, Any]] = {}
        duration_ms = self._duration("duration_ms", value, odd)
        return odd.get("duration_ms", {"duration_ms": duration_ms})

    def _duration(self, name: str, value: object, odd: dict[str, dict[str, Any]]) -> int:
        """Return a duration in whole milliseconds; `odd` gets the fields of one that cannot be, as in `arguments`."""
        duration_ms, given = arguments.duration(name, value)
        if given is None:
            return duration_ms
        given = plain(given)
        if self._screen is not None:
            given = self._screen.data(given)
        self._session.warn(
            "duration", "A duration of %r ms cannot be one: recorded as 0, with the given value beside it", given
        )
        self._session.say()
        odd[name] = {name: duration_ms, f"given_{name}": given}
        return duration_ms


def replaced(fields: dict[str, Any], odd: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put other fields in the place of those whose values are odd."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        if name in odd:
            result.update(odd[name])
        else:
            result[name] = value
    return result


class Encoded:
    """An encoded event that found no room, or no free place: an entry for whichever `seq` it gets.

    Another `seq` is written over the one that it has, which is cheaper than to encode again, and asks no object of the
    caller's that may have changed since. The name of a field is told from a text by its quotes, which a text has
    escaped, and it is the last of that name, since the fields of the caller's come before ours.
    """

    __slots__ = ("_counter", "_entry", "_line", "_screen", "_seq")

    def __init__(self, line: bytes, seq: int, counter: int, screen: Screen | None) -> None:
        self._line = line
        self._seq = seq
        self._counter = counter
        self._screen = screen
        self._entry: Entry | None = None

    def __call__(self, seq: int) -> Entry:
        entry = self._entry
        if entry is None or seq != self._seq:
            if seq != self._seq:
                before, name, after = self._line.rpartition(_SEQ)
                self._line = b"%b%b%d,%b" % (before, name, seq, after.partition(b",")[2])
                self._seq = seq
            line = self._line if self._screen is None else self._screen.fit(self._line)
            self._entry = entry = Entry(line, self._counter)
        return entry
