"""The slow path of appending: everything that the one comparison in `Producer.commit` stands for.

The log calls append by themselves; they come here when the producer's `limit` sends them: for the first event, at the
end of a lap of the ring, to wake a parked consumer, when there is no room, without a ring, after `close`.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from deia import line as lines
from deia import system
from deia.bus.background import is_exiting
from deia.bus.nesting import depth
from deia.bus.opening import RETRY_S
from deia.bus.threads import on_own_thread
from deia.errors import QueueFullError
from deia.journal.files import DisplacedError
from deia.queue.producer import ANYWHERE, Entry

if TYPE_CHECKING:
    from deia.bus.session import Session

Build = Callable[[int], Entry]
"""Makes an entry for a given `seq`; called again where another event came first, so it runs no code of the user's."""

Done = Callable[[], object] | None

_PATIENCE = 8
"""How often an append is tried again, because another came first, before it holds off the garbage collector."""

_NESTED = 2
_NESTED_PATIENCE_S = 0.1
"""What a disk that works needs at the most to make room in a full queue."""

_TELLING_BYTES = 1024
"""What the line about dropped events takes at the most, with the longest ids."""


class Pending(NamedTuple):
    """What an append has to wait for.

    Attributes:
        condition: Holds when it is over.
        recorded: Whether the event is recorded already, and only its sync is waited for.
    """

    condition: Callable[[], bool]
    recorded: bool


class Appender:
    """Appends to one session, one attempt after the other until it is done."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, build: Build, done: Done = None) -> None:
        """Append an event, waiting where the options say so.

        Args:
            build: Makes the entry.
            done: Called once it is recorded.

        Raises:
            LoggerClosedError: `close` was called.
            QueueFullError: The queue is full and `when_full="raise"`.
            SessionLockedError: Another logger has the session open.
            ForeignJournalError: The file is another session's.
        """
        pending = self.attempt(build, done)
        if pending is not None:
            self.wait(build, done, pending)

    def wait(self, build: Build, done: Done, pending: Pending | None) -> None:
        """Go on with an append that has to wait, blocking this thread; the errors are those of `append`."""
        deadline = system.monotonic() + self._patience_s()
        while pending is not None:
            self._session.progress.wait_until(pending.condition, min(deadline - system.monotonic(), RETRY_S))
            pending = self._go_on(build, done, pending, deadline)

    def _patience_s(self) -> float:
        """How long this call may wait, in seconds.

        One made inside another, which may be waiting itself, hardly waits, and one inside that not at all: a handler of
        signals that come faster than the disk takes lines would pile up calls without end.
        """
        calls = depth()
        longest = self._session.options.full_timeout_s
        return longest if calls < _NESTED else min(longest, _NESTED_PATIENCE_S) if calls == _NESTED else 0.0

    async def append_async(self, build: Build, done: Done, pending: Pending | None) -> None:
        """Go on with an append that has to wait, suspending the calling task instead of blocking its thread."""
        deadline = system.monotonic() + self._session.options.full_timeout_s
        while pending is not None:
            await self._session.progress.wait_until_async(
                pending.condition, min(deadline - system.monotonic(), RETRY_S)
            )
            pending = self._go_on(build, done, pending, deadline)

    def _go_on(self, build: Build, done: Done, pending: Pending, deadline: float) -> Pending | None:
        """Go on with an append after a wait: try again, or give up because its time is up."""
        over = pending.condition()
        in_time = system.monotonic() < deadline
        if pending.recorded:
            if over or in_time:
                return None if over else pending
            self._session.warn("sync", "An event is recorded but was not synced in time: %s", self._session.path)
        else:
            following = self.attempt(build, done, waited=over) if over or in_time else pending
            if following is None or following.recorded or system.monotonic() < deadline:
                return following
            self._drop()
        self._session.say()
        return None

    def attempt(self, build: Build, done: Done = None, *, waited: bool = False) -> Pending | None:
        """Append an event, or say what has to be waited for; the errors are those of `append`.

        Args:
            build: Makes the entry.
            done: Called once it is recorded.
            waited: Whether the event has waited before.
        """
        try:
            placed: bool | None = False
            size = conflicts = 0
            while placed is False:
                if not self._session.get_ready():
                    return None
                # a collection in each attempt, with callbacks or destructors that log, would let it never win
                holds_off = conflicts >= _PATIENCE and gc.isenabled()
                if holds_off:
                    gc.disable()
                try:
                    placed, size = self._try_once(build, waited)
                finally:
                    if holds_off:
                        gc.enable()
                conflicts += 1
            if placed is None:
                return self._full(size, waited)
            if done is not None:
                done()
            return self._after_append()
        finally:
            self._session.say()

    def _after_append(self) -> Pending | None:
        if is_exiting():
            self._session.finish(system.monotonic() + self._session.options.exit_timeout_s)
        elif self._session.options.sync_policy == "always" and self._session.writer.files is not None:
            target = self._session.producer.end
            if on_own_thread():
                self._session.drain_and_sync()
                return None
            done = self._session.submit(self._session.drain_and_sync)
            done.add_done_callback(lambda _: self._session.progress.announce())
            return Pending(lambda: self._session.writer.durable >= target or done.done(), recorded=True)
        return None

    def _try_once(self, build: Build, waited: bool) -> tuple[bool | None, int]:
        """Build an entry and commit it; return what `_admit` returns, and the entry's size.

        The fast path is stopped meanwhile, or a line that takes long to encode would never win against busy threads.
        """
        session, producer = self._session, self._session.producer
        if self._is_held_up():
            session.progress.wait_until(lambda: not self._is_held_up(), self._patience_s())
            if self._is_held_up():
                return None, 0
        with session.lock:
            if session.state not in ("open", "opening"):
                return False, 0
            if session.segments.next is not None and not session.segments.try_to_complete():
                return None, 0
            producer.limit = -1
            start, seq = producer.end, producer.seq
            entry = build(seq + 1)
            size = len(entry.line)
            placed = self.tell_drops(size) and self._admit(start, seq, entry, waited)
            if placed:
                self._note_commit()
            session.set_limit()
            return placed, size

    def _is_held_up(self) -> bool:
        """Whether another thread works on the disk with the lock held, and the disk may stall.

        It writes its line to the journal, or goes on in another segment.
        """
        direct = self._session.producer.direct
        ours = (0, threading.get_ident())
        return (direct is not None and direct.writer not in ours) or self._session.segments.thread not in ours

    def _admit(self, start: int, seq: int, entry: Entry, waited: bool = True) -> bool | None:
        """Commit an entry by whichever way there is: False if another came first, None if it has to wait."""
        producer, writer = self._session.producer, self._session.writer
        if self._session.first_fields is not None and producer.seq == 0:
            entry = entry._replace(line=lines.extend(entry.line, self._session.first_fields))
        size = len(entry.line)
        waiting = producer.end - producer.flushed
        if producer.direct is not None:
            writer.finish_direct()  # this call is made inside that one, or an exception has ended it
            return False
        if size > producer.ring_bytes > 0:
            # only once the disk was seen to take writes: this one holds the lock, and the caller
            return writer.write_directly(start, seq, entry) if waited or not waiting else None
        if producer.ring_bytes == 0 and writer.files is not None and not waiting:
            written = writer.write_directly(start, seq, entry)
            if written is not None:
                return written
            if not isinstance(writer.error, DisplacedError):  # with that the session is about to go on in another file
                self._session.warn(
                    "memory",
                    "The log cannot be written, events are kept in memory: %s: %s",
                    self._session.path,
                    writer.error,
                )
        if waiting + size > self._room_bytes and waiting:
            return None
        return producer.place(start, seq, entry, ANYWHERE)

    @property
    def _room_bytes(self) -> int:
        return self._session.producer.ring_bytes or self._session.options.memory_bytes

    def _note_commit(self) -> None:
        """Wake the consumer, if it has to be."""
        producer = self._session.producer
        self._session.first_fields = None
        if producer.end - producer.flushed > self._room_bytes // 2 and not self._session.urgent:
            self._session.urgent = True
            self._session.wake()
        elif self._session.parked and self._session.bell is not None:
            self._session.bell.ring()
        self._session.parked = False
        self._session.feed.note()

    def _full(self, size: int, waited: bool) -> Pending | None:
        """Do what `when_full` says about an event that finds no room."""
        producer, options = self._session.producer, self._session.options
        waiting = producer.end - producer.flushed
        too_long = size > producer.ring_bytes > 0
        if waited or not too_long:
            if options.when_full == "raise":
                raise QueueFullError(
                    f"the queue of {self._session.path.name} is full: {waiting} bytes wait", pending_bytes=waiting
                )
            if options.when_full == "drop":
                self._drop()
                return None
        self._session.urgent = True
        self._session.wake()
        if on_own_thread():
            self._session.writer.try_to_drain()  # a destructor that logs: it would wait for itself
        if too_long and not waited:
            target = producer.end
            return Pending(lambda: producer.flushed >= target, recorded=False)
        return Pending(partial(self._has_room, size), recorded=False)

    def _has_room(self, size: int) -> bool:
        if self._session.state not in ("open", "opening"):
            return True
        waiting = self._session.producer.end - self._session.producer.flushed
        if self._session.drops.untold:
            size += _TELLING_BYTES
        if size > self._room_bytes:  # its caller will write it, once the journal takes writes
            return waiting == 0 and self._session.writer.error is None
        return waiting + size <= self._room_bytes

    def _drop(self) -> None:
        # without our lock, which a caller may hold whose write the disk does not take
        self._session.drops.add(self._session.writer)
        self._session.producer.limit = -1
        self._session.warn(
            "full",
            "The queue is full: events of %s are dropped and counted (see statistics())",
            self._session.path.name,
        )

    def tell_drops(self, size: int = 0) -> bool | None:
        """Append the line that says how many events were dropped; None if it, and `size` bytes more, have no room."""
        placed: bool | None = True
        while placed is not None and (untold := self._session.drops.untold):
            start, seq = self._session.producer.end, self._session.producer.seq
            if (
                start - self._session.producer.flushed + _TELLING_BYTES + size
                > self._room_bytes
                >= _TELLING_BYTES + size
            ):
                return None
            placed = self._admit(start, seq, self._session.session_entry(seq + 1, "dropped", dropped=untold))
            if placed:
                self._session.drops.told += untold
        return None if placed is None else True
