"""See what a block of code records: by reading the sessions of this process, from where they were to where they are.

Log calls know nothing of it: they are the real ones, at their real price, and what they record goes where it always
goes. So a logger need not be made for the test, or by the test, to be seen.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from deia import system
from deia.bus.background import observe, stop_observing
from deia.bus.course import Position
from deia.bus.filters import Filter, Wanted
from deia.bus.recorded import event_of, lines_of
from deia.registry import revived

if TYPE_CHECKING:
    from typing_extensions import Self

    from deia.bus.session import Session

T = TypeVar("T")
E_co = TypeVar("E_co", covariant=True)

_SHOWN = 20
"""Events in the message of a failed assertion, at the most: the last ones, for those are what a test has just done."""


class _Reader:
    """How far the events of one session were read."""

    def __init__(self, session: Session, position: Position) -> None:
        self.session = session
        self.position = position
        self.latest = 0.0
        self.missed = 0

    def read(self, wants: Filter, found: list[tuple[float, Any]]) -> None:
        """Read what is recorded by now: events, each with a time that does not go back within the session.

        Raises:
            OSError: A file cannot be read for now.
        """
        while True:
            position = self.position
            chunk = self.session.course.read(position)
            events = []
            reached, latest = chunk.position, self.latest
            for reached, name, line in lines_of(chunk):
                if reached.seq > reached.after and wants.wants(name) and (event := event_of(line)) is not None:
                    latest = max(latest, event.timestamp or 0.0)
                    events.append((latest, event))
            if self.position is not position:
                continue  # a signal handler has read on, inside this
            self.position, self.latest = reached, latest
            self.missed += chunk.missed
            found += events
            if not chunk.data:
                return


class CapturedEvents(Sequence[E_co], Generic[E_co]):
    """The events that the loggers of this process record inside a `with` block; see `capture_events`.

    A sequence of typed events that grows while the block runs, and is complete when it ends. It equals a list of equal
    events; where its length is asked for inside the block, it holds what every call that had returned has recorded.
    """

    def __init__(self, wanted: tuple[Wanted, ...] = ()) -> None:
        self._filter = Filter(wanted)
        self._events: list[Any] = []
        self._readers: dict[int, _Reader] = {}
        self._lock = threading.RLock()
        self._missed = 0
        self._pid: int | None = None

    # As an observer of sessions, with their locks

    def opened(self, session: Session) -> None:
        """Read a session from now on, unless it is read already."""
        with self._lock:
            if id(session) not in self._readers:
                first = session.course.first
                self._readers[id(session)] = _Reader(session, Position(first, first.begin, first.seq, first.seq))

    def closed(self, session: Session) -> None:
        """Read the rest of a session, as long as its files are there."""
        with self._lock:
            reader = self._readers.get(id(session))
            if reader is not None:
                try:
                    self._read([reader])
                except OSError:  # whoever asks for the events next is told
                    return

    # The block

    def __enter__(self) -> Self:
        if self._pid is not None:
            raise RuntimeError("a capture can be entered once; make another one")
        self._pid = system.process_id()
        with self._lock:
            for session in observe(self):
                if id(session) not in self._readers:
                    self._readers[id(session)] = _Reader(session, session.course.now())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        stop_observing(self)
        with self._lock:
            try:
                self._read_all()
            finally:
                self._readers = {}

    def _read_all(self) -> None:
        with self._lock:
            if self._pid == system.process_id():  # a forked child has no session of its parent's
                self._read(list(self._readers.values()))

    def _read(self, readers: list[_Reader]) -> None:
        found: list[tuple[float, Any]] = []
        try:
            for reader in readers:
                reader.read(self._filter, found)
        finally:
            found.sort(key=itemgetter(0))  # within a session they are in order, and stay so
            self._events += [revived(event) for _, event in found]
            self._missed += sum(reader.missed for reader in readers)
            for reader in readers:
                reader.missed = 0

    # A sequence

    def __len__(self) -> int:
        self._read_all()
        return len(self._events)

    @overload
    def __getitem__(self, index: int) -> E_co: ...

    @overload
    def __getitem__(self, index: slice) -> list[E_co]: ...

    def __getitem__(self, index: int | slice) -> Any:
        self._read_all()
        return self._events[index]

    def __iter__(self) -> Iterator[E_co]:
        self._read_all()
        return iter(self._events[:])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (list, CapturedEvents)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._told()}>"

    @property
    def missed(self) -> int:
        """Events that nobody could read any more: their file was removed before it was looked at."""
        self._read_all()
        return self._missed

    # What tests ask

    @overload
    def of(self, wanted: type[T], /, *, where: Callable[[T], object] | None = None, **fields: object) -> list[T]: ...

    @overload
    def of(self, /, *wanted: str, where: Callable[[Any], object] | None = None, **fields: object) -> list[Any]: ...

    @overload
    def of(
        self,
        first: Wanted,
        second: Wanted,
        /,
        *wanted: Wanted,
        where: Callable[[Any], object] | None = None,
        **fields: object,
    ) -> list[Any]: ...

    def of(self, /, *wanted: Any, where: Callable[[Any], object] | None = None, **fields: object) -> list[Any]:
        """Return the events of some kinds.

        Args:
            *wanted: Classes, which stand for those that inherit from them, and names with wildcards, as in
                `EventBus.subscribe`; nothing means all.
            where: Leaves out the events that it returns false for.
            **fields: Values that an event's fields have to equal.

        Raises:
            TypeError: None of the classes has such a field: a slip, which would find nothing for ever.
        """
        _check_fields(wanted, fields)
        wants = Filter(wanted)
        return [
            event
            for event in list(self)
            if wants.wants(_name_of(event))
            and all(getattr(event, name, _MISSING) == value for name, value in fields.items())
            and (where is None or where(event))
        ]

    @overload
    def one(self, wanted: type[T], /, *, where: Callable[[T], object] | None = None, **fields: object) -> T: ...

    @overload
    def one(self, /, *wanted: str, where: Callable[[Any], object] | None = None, **fields: object) -> Any: ...

    @overload
    def one(
        self,
        first: Wanted,
        second: Wanted,
        /,
        *wanted: Wanted,
        where: Callable[[Any], object] | None = None,
        **fields: object,
    ) -> Any: ...

    def one(self, /, *wanted: Any, where: Callable[[Any], object] | None = None, **fields: object) -> Any:
        """Return the only event of a kind; arguments are those of `of`.

        Raises:
            AssertionError: There is none, or more than one; the message shows what was recorded instead.
            TypeError: As for `of`.
        """
        __tracebackhide__ = True
        found = self.of(*wanted, where=where, **fields)
        if len(found) != 1:
            raise AssertionError(f"expected one {_asked(wanted, where, fields)}, found {len(found)}; {self._told()}")
        return found[0]

    def _told(self) -> str:
        events = list(self)
        lost = f" ({self._missed} more could not be read)" if self._missed else ""
        if not events:
            disabled = os.environ.get("DEIA_DISABLED", "0") not in ("", "0")
            return f"nothing was recorded{lost}" + (": DEIA_DISABLED is set" if disabled else "")
        shown = [f"\n  {event!r}" for event in events[-_SHOWN:]]
        if len(events) > _SHOWN:
            shown.insert(0, "\n  …")
        return f"recorded were {len(events)}{lost}:{''.join(shown)}"


def capture_events(*wanted: Wanted) -> CapturedEvents[Any]:
    """See the events that the loggers of this process record inside a `with` block.

    All of them: loggers that were made before the block and ones that are made in it, sync and async, on any thread,
    closed or garbage by the end. The calls are the real ones, and record where they always do: nothing is moved, held
    back or undone. What was logged before the block is not in it; nor is what disabled loggers are told, or what other
    processes record, forked ones included. Captures may overlap, and each sees all.

    The events of a session are in its order, a task's start and its completion being one each, as in the log. Those of
    different sessions are put in the order of their timestamps, and an event that was looked at keeps its place.

    Args:
        *wanted: Classes, which stand for those that inherit from them, and names with wildcards; nothing means all.

    Returns:
        What to enter, and then the events.

    Raises:
        OSError: When the block ends, or the events are looked at: a log cannot be read.
    """
    return CapturedEvents(wanted)


_MISSING = object()


def _name_of(event: Any) -> str:
    return getattr(event, "type", "") if type(event).__name__ == "UnknownEvent" else type(event).__name__


def _check_fields(wanted: tuple[Wanted, ...], fields: dict[str, object]) -> None:
    classes = [each for each in wanted if isinstance(each, type) and dataclasses.is_dataclass(each)]
    if not classes or len(classes) < len(wanted):
        return
    known = {field.name for each in classes for field in dataclasses.fields(each)}
    for name in fields:
        if name not in known:
            raise TypeError(f"{' and '.join(each.__name__ for each in classes)} has no field {name!r}")


def _asked(wanted: tuple[Wanted, ...], where: object, fields: dict[str, object]) -> str:
    kinds = " or ".join(each if isinstance(each, str) else each.__name__ for each in wanted) or "event"
    asked = ", ".join(f"{name}={value!r}" for name, value in fields.items())
    return kinds + (f" with {asked}" if asked else "") + (" that `where` lets pass" if where else "")
