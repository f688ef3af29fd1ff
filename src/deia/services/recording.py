"""How a log call's event is recorded where the fast path does not do: what all kinds of log calls share."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson

from deia.bus.appender import Build, Done
from deia.bus.session import Session
from deia.line import encode, plain_fields
from deia.plain import plain
from deia.queue.producer import Entry, Producer
from deia.services import arguments
from deia.services.screen import Screen
from deia.services.tasks import Tasks


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
        """Append by the slow path; `done` is called once it is recorded."""
        session.appender.append(build, done)

    def _append_again(self, fields: dict[str, Any], counter: int, *, odd: bool = False) -> None:
        """Append an event by the slow path, encoded again; odd data is made plain once and for all before."""
        fields = {**fields, **self._session.whose}
        screen = self._screen
        if odd:
            fields = plain_fields(fields) if screen is None else screen.event(fields)
        self._append(self._session, partial(_again, fields, counter, screen))

    def _duration(self, value: object, name: str = "duration_ms") -> dict[str, Any]:
        """The fields of a duration that is not simply a whole number: rounded, or 0 beside the given value."""
        duration_ms, given = arguments.duration(value, name)
        if given is None:
            return {name: duration_ms}
        given = plain(given)
        if self._screen is not None:
            given = self._screen.text(given)
        self._session.warn(
            "duration", "A duration of %r ms cannot be one: recorded as 0, with the given value beside it", given
        )
        self._session.say()
        return {name: duration_ms, f"given_{name}": given}


def replaced(fields: dict[str, Any], odd: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Put other fields in the place of those whose values are odd."""
    result: dict[str, Any] = {}
    for name, value in fields.items():
        result.update(odd.get(name, {name: value}))
    return result


def _again(fields: dict[str, Any], counter: int, screen: Screen | None, seq: int) -> Entry:
    """Encode an event again, with another `seq`."""
    fields["seq"] = seq
    line = encode(fields)
    return Entry(line if screen is None else screen.fit(line), counter)
