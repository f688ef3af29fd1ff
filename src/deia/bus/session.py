"""One session being recorded: its life from the first event to the last.

Appending is the producer's, and the appender's where that does not do; writing is the writer's. This is what holds them
together: when the session is opened, when the consumer is woken, what is waited for, how it is closed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from deia import line as lines
from deia import system
from deia.bus.appender import Appender
from deia.bus.background import background, is_exiting, watch
from deia.bus.closing import finish
from deia.bus.course import Course
from deia.bus.drops import Drops
from deia.bus.feed import Feed
from deia.bus.opening import keep_in_memory, open_files
from deia.bus.progress import Progress
from deia.bus.segments import Segments
from deia.errors import (
    DeiaError,
    LoggerClosedError,
    SessionLockedError,
)
from deia.journal.writer import Writer
from deia.options import Options
from deia.queue.producer import OTHER, Entry, Producer
from deia.statistics import Mode, Statistics
from deia.trace import Parent, span_id_of, trace_id_of

if TYPE_CHECKING:
    from deia.bus.handlers import Handlers
    from deia.bus.loop import Background, Bell

State = Literal["unopened", "opening", "open", "closing", "closed", "disowned"]


class Session:
    """A session of one logger, in the process that constructed it.

    Attributes:
        lock: Held by whoever changes anything here, and through direct writes; never by the fast path.
        run: Number of the run, from 1; 0 before the first event.
        start_time: When the logger was constructed, Unix seconds.
        started: The same, monotonic.
        earlier_s: Seconds that earlier runs recorded.
        joins: What the first line of this run carries where the session is a part of another.
        first_fields: What the session's first line carries beside its event, until there is one.
        urgent: Whether the consumer is to drain now and not at its next interval.
        parked: Whether it waits for its bell, which the next append has to ring.
        bell: Wakes the consumer; None until it runs.
        abandoned: Whether its logger is garbage.
        refused: Whether another logger had the session open when it was tried last.
        retry_at: Monotonic seconds before which no further attempt is made to open files that could not be.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str,
        directory: Path,
        options: Options,
        say_warning: Callable[..., object],
        parent_session_id: str | None = None,
        parent: Parent | None = None,
    ) -> None:
        self.agent_id = agent_id
        self.session_id = session_id
        self.directory = directory
        if options.queue_dir is not None:
            options = replace(options, queue_dir=os.path.abspath(options.queue_dir))
        self.options = options
        self.start_time = system.now()
        self.started = system.stopwatch()
        self.earlier_s = 0.0
        self.run = 0
        self.state: State = "unopened"
        self.lock = threading.RLock()
        self.progress = Progress()
        self.producer = Producer(options.ring_bytes)
        self.writer = Writer(self.producer, self._on_progress)
        self.drops = Drops()
        self.segments = Segments(self)
        self.appender = Appender(self)
        self.course = Course(self)
        self.feed = Feed(self)
        self.first_fields: dict[str, Any] | None = {"session_start": self.start_time}
        if parent_session_id is not None:
            self.first_fields["parent_session_id"] = parent_session_id
        self.joins = {} if parent is None else {"trace_id": parent.trace_id, "parent_span_id": parent.span_id}
        self.first_fields.update(self.joins)
        self.urgent = False
        self._is_relieving = False
        self.parked = False
        self.bell: Bell | None = None
        self.retry_at = 0.0
        self._consumed_by: Background | None = None
        self.refused = False
        self.abandoned = False
        self._warned: set[str] = set()
        self._say_warning = say_warning
        self._unsaid: list[tuple[str, tuple[object, ...]]] = []

    @property
    def path(self) -> Path:
        """The journal: its first file, if it goes on in others."""
        return self.directory / f"{self.agent_id}_{self.session_id}.jsonl"

    @property
    def whose(self) -> dict[str, Any]:
        """The fields that every line of the session ends in."""
        return {"agent_id": self.agent_id, "session_id": self.session_id, "v": lines.VERSION}

    def place(self, task_id: int | None) -> Parent:
        """What a session is a part of that is begun in a task of this one, or in none."""
        trace_id = self.joins.get("trace_id") or trace_id_of(self.agent_id, self.session_id)
        return Parent(trace_id, span_id_of(self.agent_id, self.session_id, task_id))

    def start_at(self, start_time: float) -> None:
        """Count times from another moment than the logger's construction, Unix seconds."""
        self.started += start_time - self.start_time
        self.start_time = start_time
        if self.first_fields is not None:
            self.first_fields["session_start"] = start_time

    def set_limit(self) -> None:
        """Compute how far the producer may go without the appender."""
        producer = self.producer
        with self.lock:
            n = producer.ring_bytes
            if n and not self._is_stopped():
                lap_ends = (producer.end // n + 1) * n
                producer.limit = min(lap_ends, producer.flushed + (n if self.urgent else n // 2))
            if not n or self._is_stopped():  # looked at again: a call made inside this one may have changed it
                producer.limit = -1

    def _is_stopped(self) -> bool:
        """Whether every append has to come by the appender."""
        return (
            self.state != "open"
            or self._consumed_by is None  # nobody drains yet: the next append sees to that
            or self.parked
            or self.first_fields is not None
            or self.drops.untold > 0
            or self.producer.direct is not None
            or self.segments.next is not None
            or self.options.sync_policy == "always"
            or self.feed.rings
            or is_exiting()
        )

    def session_entry(self, seq: int, event: str, **fields: Any) -> Entry:
        """Return the entry of a SessionEvent."""
        line = lines.encode(
            {
                "type": "SessionEvent",
                "event": event,
                **fields,
                "seq": seq,
                "timestamp": system.now(),
                **self.whose,
            }
        )
        return Entry(line, OTHER)

    # Open

    def get_ready(self) -> bool:
        """Make sure that the session is open, or kept in memory; False if its events are not ours to record."""
        if self.state == "disowned":
            return False  # an append that was under way at a `fork`: the parent records it
        if self.state in ("closing", "closed"):
            raise self.closed_error()
        if self.state == "unopened":
            self.open()
        elif self.state == "open" and self.writer.files is None and system.monotonic() >= self.retry_at:
            self.retry()
        if self.state == "open" and not is_exiting():
            self._ensure_consumer()
        return True

    def open(self) -> None:
        """Open the session: recover and continue it, or make it. Without effect where it is open.

        Where no file can be made, events are kept in memory from now on, and it is tried again.

        Raises:
            LoggerClosedError: `close` was called.
            SessionLockedError: Another logger has the session open.
            ForeignJournalError: The file is another session's.
        """
        with self.lock:
            if self.state in ("closing", "closed"):
                raise self.closed_error()
            if self.state in ("opening", "disowned") or self.writer.files is not None:
                return
            before = self.state
            self.state = "opening"
            try:
                open_files(self)
            except OSError as error:
                keep_in_memory(self, error)
            except BaseException as error:
                # a call made inside this one, by a signal handler, may have kept its line: it is written later
                self.state = before if self.producer.home is None and not self.producer.kept else "open"
                if self.state == "open":
                    watch(self)
                self.refused = isinstance(error, SessionLockedError)
                if is_exiting() and isinstance(error, (AttributeError, NameError, TypeError)):
                    # a destructor that logs when the interpreter has taken its own modules apart
                    raise LoggerClosedError("the interpreter has ended") from error
                raise
            self.state = "open"
            self.refused = False
            watch(self)
            self.set_limit()
        self.feed.wake()

    def retry(self) -> None:
        """Try again to open a session that is kept in memory; a refusal is noted as any other failure."""
        with self.lock:
            if self.state == "open" and self.writer.files is None:
                try:
                    self.open()
                except (DeiaError, ValueError) as error:
                    self.state = "open"
                    keep_in_memory(self, error)

    def move_to(self, directory: Path) -> None:
        """Record to another directory, as long as no file could be made in the session's own."""
        with self.lock:
            if self.writer.files is None:
                self.directory = directory
                self.open()

    def options_now(self) -> Options:
        """The options to open with: at interpreter exit nobody is left to drain a ring."""
        return replace(self.options, queue_mode="write") if is_exiting() else self.options

    def closed_error(self) -> LoggerClosedError:
        """What to raise where it is too late."""
        return LoggerClosedError(f"the logger of {self.path.name} is closed")

    # Between the producer and the consumer

    def _ensure_consumer(self) -> None:
        """Have a consumer on the background loop; one that died is replaced.

        Where the system gives us no thread, each append tries again, and a full queue is drained by its caller.
        """
        try:
            home = background()
        except RuntimeError as error:
            self.warn("threads", "No background thread can be started, so the log is behind: %s: %s", self.path, error)
            return
        if self._consumed_by is not home:
            self._consumed_by = home
            home.consume(self)
            self.feed.go_on(home)

    def wake(self) -> None:
        """Have what is queued written now, by an I/O thread at once.

        Not by way of the consumer's loop: each thread more that takes a turn holds up a busy caller once more.
        """
        if self.parked and self.bell is not None:
            self.bell.ring()
        if not is_exiting() and not self._is_relieving:
            try:
                self._is_relieving = True
                self.submit(self._relieve)
            except BaseException:  # an interruption: the next one is to try again
                self._is_relieving = self.urgent = False
                raise

    @cached_property
    def handlers(self) -> Handlers:
        """The functions that are called with its events."""
        from deia.bus.handlers import Handlers

        return Handlers(self)

    def _relieve(self) -> None:
        """Write what waits now; what comes meanwhile is too little to be worth a write, unless it is urgent, too."""
        while True:
            self.urgent = False
            try:
                self.writer.try_to_drain()
            finally:
                self._is_relieving = False  # and only then look: who finds it urgent later starts another one
            if not self.urgent or self.writer.error is not None:
                break
            self._is_relieving = True
        if self.segments.is_due and self.bell is not None:
            self.bell.ring()

    def park(self) -> bool:
        """Have the next append ring the consumer's bell; False if there is something to write after all."""
        with self.lock:
            self.parked = True
            self.set_limit()  # no commit passes by the slow path any more, so what is seen now is all there is
            self.parked = self.producer.end == self.producer.flushed
            self.set_limit()
            return self.parked

    def consumer_gone(self, bell: Bell) -> None:
        """Have the next append notice that nobody drains any more."""
        if self.bell is bell:
            self.bell = self._consumed_by = None
            self.set_limit()
        self.progress.announce()

    def _on_progress(self) -> None:
        """Let waiters and producers go on, after the writer got somewhere, or failed to."""
        self.progress.announce()  # first: who waits may be a signal handler, inside a call that holds the lock
        self.set_limit()

    def submit(self, job: Callable[[], object]) -> Future[object]:
        """Have one of our I/O threads do something; it is done here where no thread can be started."""
        try:
            return background().executor.submit(job)
        except RuntimeError:
            done: Future[object] = Future()
            done.set_result(job())
            return done

    def drain(self) -> None:
        """Write what waits, and go on in another segment where that is due; an error is noted."""
        self.retry()
        with self.lock:
            self.writer.finish_direct()
        self.writer.try_to_drain()
        if self.segments.is_due and self.segments.go_on():
            self.writer.try_to_drain()

    def drain_and_sync(self) -> None:
        self.drain()
        self.writer.sync()
        if self.segments.is_due:
            self.segments.go_on()

    def sync_soon(self) -> None:
        """Have what is logged so far synced at once, without waiting for it: after an error much may be about to end.

        One of our I/O threads does it. While it is at it, further calls cost next to nothing, and are covered.
        """
        if self.options.sync_policy != "interval" or self.writer.files is None or is_exiting():
            return
        self._sync_to = self.producer.end
        if self._soon is None or self._soon.done():
            with suppress(RuntimeError):  # no thread can be started: the next sync by interval comes
                self._soon = background().executor.submit(self._sync_now)

    _soon: Future[None] | None = None
    _sync_to = 0

    def _sync_now(self) -> None:
        target = -1
        while target != self._sync_to and self.writer.error is None:
            target = self._sync_to
            self.drain_and_sync()

    # Close

    def abandon(self) -> None:
        """Drain and close without anyone waiting: the logger is garbage."""
        self.abandoned = True
        if self.state == "open":
            self.submit(self.finish_if_abandoned)
        elif self.state == "unopened":
            self.state = "closed"
            self.feed.wake()  # whose subscribers would wait for a first event

    def finish_if_abandoned(self) -> None:
        """Close a session whose logger is garbage; the consumer tries again where the disk did not take all of it."""
        if self.abandoned:
            self.finish(system.monotonic() + self.options.exit_timeout_s)
            self.say()

    def settle(self) -> None:
        """Drain and sync by the policy, before the end of the interpreter."""
        self.drain()
        if self.options.sync_policy != "never":
            self.writer.sync()

    def finish(self, deadline: float) -> None:
        """Close without anyone having called `close`; what is not written at `deadline` stays in the queue file."""
        finish(self, deadline)

    def disown(self) -> None:
        """Let go of everything in a forked child: the session is the parent's, and goes on there."""
        files, self.writer.files = self.writer.files, None
        self.segments.abandon()
        self.feed.disown()
        self.state = "disowned"
        self.producer.limit = -1
        if files is not None:
            files.abandon()

    # Tell

    def statistics(self) -> Statistics:
        """See `SessionLogger.statistics`."""
        producer, files, error = self.producer, self.writer.files, self.writer.error
        mode: Mode = "memory"
        if self.state == "unopened":
            mode = "unopened"
        elif self.state in ("closed", "disowned"):
            mode = "closed"
        elif files is not None:
            mode = "mmap" if files.ring is not None else "write" if producer.end == producer.flushed else "memory"
        return Statistics(
            mode=mode,
            path=self.path,
            run=self.run,
            locked=files.locked if files is not None else False,
            logged=producer.seq,
            dropped=self.drops.total,
            end_offset=producer.end,
            flushed_offset=producer.flushed,
            durable_offset=self.writer.durable,
            pending_bytes=producer.end - producer.flushed,
            ring_bytes=producer.ring_bytes,
            error=None if error is None else str(error),
            segment=files.segment.number if files is not None else 1,
        )

    def warn(self, kind: str, message: str, *arguments: object) -> None:
        """Note a warning, once for each kind, to be logged by `say`."""
        if kind not in self._warned:
            self._warned.add(kind)
            self._unsaid.append((message, arguments))

    def say(self) -> None:
        """Log what there is to warn of: without the lock, for the handler of a log may well log to us."""
        while self._unsaid:
            message, arguments = self._unsaid.pop(0)
            self._say_warning(message, *arguments)
