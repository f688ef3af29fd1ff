"""One subscriber of a session: its buffer, and how it reads by itself where it has fallen behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import anyio.lowlevel
import anyio.to_thread

from deia import system
from deia.bus.course import Chunk, Position
from deia.bus.feed import Numbered
from deia.bus.filters import Filter, Wanted
from deia.bus.progress import Progress
from deia.bus.recorded import event_of, lines_of
from deia.journal.reader import read_entries
from deia.registry import revived

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from deia.bus.session import Session

E = TypeVar("E")
WhenBehind = Literal["catch-up", "drop-oldest", "drop-newest"]

_TURN_S = 0.001
"""How long a subscriber that has always something to read keeps other tasks of its loop waiting."""

_FOREVER_S = threading.TIMEOUT_MAX / 2
_NOTHING: Any = object()
_REFUSED: Any = object()
_END: Any = object()


class Subscription(Generic[E]):
    """The events of a session as they are recorded: `async with` it, and `async for` over it; or `with` and `for`.

    It begins where its block is entered: what is recorded from then on is in it (and, with `replay`, what was recorded
    before). It ends with its block, or when the session is closed and everything was delivered. Several tasks or
    threads may iterate over one; each event comes to one of them. Cancelling the wait for an event loses none.

    Attributes:
        dropped: Events that were dropped because the buffer was full, under a policy that drops.
        missed: Events that could not be read any more: they were only in a file that is gone, or was damaged.
    """

    def __init__(
        self,
        session: Session,
        wanted: tuple[Wanted, ...],
        where: Callable[[E], object] | None = None,
        replay: bool | int = False,
        when_behind: WhenBehind = "catch-up",
        buffer_events: int = 1024,
        at_once: bool = False,
        *,
        disabled: bool = False,
    ) -> None:
        """See `deia.EventBus.subscribe`."""
        if where is not None and not callable(where):
            raise TypeError(f"where must be callable, not {where!r}")
        if not isinstance(replay, int):
            raise TypeError(f"replay must be True, False or a seq, not {replay!r}")
        if not isinstance(replay, bool) and replay < 1:
            raise ValueError(f"replay: seq counts from 1, and is not {replay!r}")
        if when_behind not in ("catch-up", "drop-oldest", "drop-newest"):
            raise ValueError(f"when_behind must be 'catch-up', 'drop-oldest' or 'drop-newest', not {when_behind!r}")
        if type(buffer_events) is not int:
            raise TypeError(f"buffer_events must be a number of events, not {buffer_events!r}")
        if buffer_events < 1:
            raise ValueError(f"buffer_events must be 1 at least, not {buffer_events!r}")
        self.filter = Filter(wanted)
        self.at_once = bool(at_once)
        self.dropped = 0
        self.missed = 0
        self._session = session
        self._disabled = disabled
        self._where: Callable[[Any], object] | None = where
        self._from = None if replay is False else 1 if replay is True else replay
        self._when_behind = when_behind
        self._most = buffer_events
        self._buffer: deque[Numbered] = deque()
        self._progress = Progress()
        self._turn = threading.Lock()
        self._state: Literal["new", "begun", "ended", "left"] = "new"
        self._behind: Position | None = None
        self._after = 0
        self._past: Iterator[Any] | None = None
        self._idle = False
        self._defect: Exception | None = None
        self._gave_way = 0.0

    # Its life

    def begin(self) -> None:
        """Subscribe from now on.

        Raises:
            LoggerClosedError: The session is closed.
            RuntimeError: It was begun before, or the system gives us no background thread.
        """
        if self._state != "new":
            raise RuntimeError("a subscription can be entered once; subscribe again for another")
        if self._session.state in ("closing", "closed"):
            raise self._session.closed_error()
        if self._disabled:
            self._state = "ended"
            return
        self._state = "begun"
        self._session.feed.add(self, self._place)

    def _place(self, now: Position) -> None:
        if self._from is None:
            self._after = now.seq
            return
        first = self._session.course.first
        self._behind = Position(first, first.begin, first.seq, self._from - 1)

    def close(self) -> None:
        """Unsubscribe; who waits for an event gets the end instead. May be called twice."""
        self._state = "left"
        self._session.feed.remove(self)
        self._buffer.clear()
        self._progress.announce()

    # From the feed, with its lock

    @property
    def is_live(self) -> bool:
        """Whether events are handed to it; else it reads by itself."""
        return self._behind is None

    def offer(self, events: list[Numbered], before: Position, chunk: Chunk) -> None:
        """Take events that were recorded, in order.

        Args:
            events: All that it wants of a piece of the session.
            before: Up to where events were handed out before.
            chunk: The piece.
        """
        if events and events[0][0] <= self._after:
            events = [numbered for numbered in events if numbered[0] > self._after]
        buffer = self._buffer
        room = self._most - len(buffer)
        if len(events) > room and self._when_behind == "catch-up":
            self.fall_behind(before)  # what cannot be read any more is counted when it gets there
            return
        self.missed += min(chunk.missed, max(0, chunk.position.seq - self._after))
        if not events:
            return
        if len(events) <= room:
            buffer.extend(events)
        elif self._when_behind == "drop-newest":
            buffer.extend(events[: max(room, 0)])
            self.dropped += len(events) - max(room, 0)
        else:
            buffer.extend(events[-self._most :])
            self.dropped += max(0, len(events) - self._most)
            while len(buffer) > self._most:
                try:
                    buffer.popleft()
                except IndexError:  # whoever reads was first
                    break
                self.dropped += 1
        self._progress.announce()

    def fall_behind(self, position: Position) -> None:
        """Read by itself from a position on."""
        self._behind = position._replace(after=max(position.seq, self._after))
        self._progress.announce()

    def skip(self, position: Position, to: Position) -> None:
        """Do without what cannot be read for now; or read it by itself, once it can be."""
        if self._when_behind == "catch-up":
            self.fall_behind(position)
        else:
            self.dropped += max(0, to.seq - max(position.seq, self._after))

    @property
    def awaits_past(self) -> bool:
        """Whether it wants what earlier runs have recorded, which can be told once the session is open."""
        return self._from is not None

    def break_off(self) -> None:
        """End at once: it is a copy, in a forked child."""
        self._state = "left"
        self._buffer.clear()

    def end(self, defect: Exception | None = None) -> None:
        """Nothing more will be handed out; because of a defect, if there is one."""
        if self._state == "begun":
            self._state = "ended"
            self._defect = defect
        self._progress.announce()

    # On the side of whoever reads

    def _catch_up(self) -> None:
        """Read the next events, a buffer's worth at the most; go live where there are no more. It may block.

        A reading that nobody waits for any more is completed all the same: what it has found is in the buffer.
        """
        with self._turn:
            position = self._behind
            if position is None or self._buffer:
                return
            if self._reads_past(position):
                return
            course, feed = self._session.course, self._session.feed
            chunk = course.read(position)
            self.missed += chunk.missed
            reached = chunk.position
            found: list[Numbered] = []
            for reached, name, line in lines_of(chunk):
                if reached.seq <= reached.after or not self.filter.wants(name):
                    continue
                event = event_of(line)
                if event is None:
                    self.missed += 1
                    continue
                found.append((reached.seq, event))
                if len(found) == self._most:
                    break
            with feed.lock:
                self._buffer.extend(found)
                self._behind = reached
                head = feed.head
                if head is None or self._state != "begun":
                    if not chunk.data and (self._defect is not None or course.is_over(reached)):
                        self._behind = None
                elif reached.seq >= head.seq:
                    self._after = max(reached.seq, reached.after)
                    self._behind = None
            feed.progress.announce()

    def _reads_past(self, position: Position) -> bool:
        """Read on in what earlier runs of the session have recorded; False where that is read, or there is none."""
        if self._from is None:
            return False
        stretch = position.stretch
        if self._past is None:
            if position.seq == 0 and stretch.next is not None and self._session.run:
                stretch = stretch.next
            if stretch.seq < self._from or position.seq > stretch.seq:
                if stretch.home is not None:
                    self._from = None
                return False
            self._past = self._past_events(stretch.seq)
        try:
            for seq, event in self._past:
                self._buffer.append((seq, event))
                self._from = seq + 1
                if len(self._buffer) >= self._most:
                    return True
        except OSError:
            self._past = None  # it is begun anew, from there on
            raise
        self._from = self._past = None
        return True

    def _past_events(self, last: int) -> Iterator[Numbered]:
        assert self._from is not None
        seen = self._from - 1
        for entry in read_entries(self._session.path):
            event = entry.event
            seq = event.seq or 0
            if event.session_id != self._session.session_id or seq <= seen:
                continue
            if seq > last:
                return
            seen = seq
            if self.filter.wants(entry.record.fields.get("type", "")):
                yield seq, event

    def _take(self) -> Any:
        """Take the next event: `_REFUSED` where `where` leaves it out, `_NOTHING` where none is there, `_END`.

        Raises:
            RuntimeError: It was not begun; or a defect has ended the delivery, which is the cause.
        """
        if self._state == "new":
            raise RuntimeError("a subscription begins with its block: `async with`, or `with`")
        self._idle = False
        try:
            event = revived(self._buffer.popleft()[1])
        except IndexError:
            if not self._is_at_end:
                return _NOTHING
            self.rest()
            if self._defect is not None:
                raise RuntimeError("the events of this session are not delivered any more") from self._defect
            return _END
        return event if self._where is None or self._where(event) else _REFUSED

    def take_batch(self, most: int, timeout_s: float) -> list[E] | None:
        """Take what is there by now, from a thread, or wait for it.

        Args:
            most: How many events at the most.
            timeout_s: Seconds to wait for the first.

        Returns:
            The events, none where none came in time; None at the end.

        Raises:
            RuntimeError: As for the iteration.
        """
        events: list[E] = []
        if not self._has_news() and not self._progress.wait_until(self._has_news, timeout_s):
            return events
        if self._behind is not None and not self._buffer:
            self._catch_up()
        while len(events) < most and (self._buffer or not events):  # with events in hand, the end is not reached yet
            event = self._take()
            if event is _END:
                return None
            if event is _NOTHING:
                break
            if event is not _REFUSED:
                events.append(event)
        return events

    def _has_news(self) -> bool:
        return bool(self._buffer) or self._behind is not None or self._state != "begun"

    @property
    def _is_at_end(self) -> bool:
        return not self._buffer and (self._state == "left" or (self._state == "ended" and self._behind is None))

    def rest(self) -> None:
        """Note that everything that was taken has been dealt with."""
        self._idle = True
        self._session.feed.progress.announce()

    def has_dealt_with(self, seq: int) -> bool:
        """Whether it has taken, and come back from, everything up to a `seq`."""
        with self._session.feed.lock:  # head first, then the buffer, then what is in hand: in this order it passes
            if self._state != "begun":
                return self._is_at_end and self._idle
            head = self._session.feed.head
            passed = self._behind is None and head is not None and head.seq >= seq
            return passed and not self._buffer and self._idle

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> E:
        while True:
            event = self._take()
            if event is _END:
                raise StopIteration
            if event is _NOTHING:
                if self._behind is not None:
                    self._catch_up()
                else:
                    self.rest()
                    self._progress.wait_until(self._has_news, _FOREVER_S)
            elif event is not _REFUSED:
                return event  # type: ignore[no-any-return]  # what the filter lets pass

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        while True:
            if system.monotonic() - self._gave_way > _TURN_S:
                await anyio.lowlevel.checkpoint()
                self._gave_way = system.monotonic()
            event = self._take()
            if event is _END:
                raise StopAsyncIteration
            if event is _NOTHING:
                if self._behind is not None:
                    await anyio.to_thread.run_sync(self._catch_up, abandon_on_cancel=True)
                else:
                    self.rest()
                    await self._progress.wait_async(self._has_news)
                self._gave_way = system.monotonic()
            elif event is not _REFUSED:
                return event  # type: ignore[no-any-return]  # what the filter lets pass

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        self.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
