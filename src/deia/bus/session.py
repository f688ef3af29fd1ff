"""One session being recorded: the slow path of its producer, and all that can be asked of its writer.

The log calls append to the producer by themselves; they come here (`append`, `attempt`) when its `limit` sends them: for the
first event, at the end of a lap of the ring, to wake a parked consumer, when there is no room, without a ring, after `close`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from deia import line as lines
from deia import system
from deia.bus.background import background, is_exiting, unwatch, watch
from deia.bus.loop import Background, Bell
from deia.bus.progress import Progress
from deia.errors import FlushTimeoutError, LoggerClosedError, QueueFullError, WriterFailedError
from deia.journal.files import SessionFiles, open_session
from deia.journal.resume import Past, read_past
from deia.options import Options
from deia.queue.producer import ANYWHERE, OTHER, Entry, Producer
from deia.queue.tasks import OpenTask
from deia.statistics import Mode, Statistics

logger = logging.getLogger(__name__)

Build = Callable[[int], Entry]
"""Makes an entry for a given `seq`; called again where another event came first."""

State = Literal["unopened", "opening", "open", "closing", "closed", "disowned"]

BATCH_BYTES = 256 * 1024
"""What one write to the journal takes: large enough to be cheap by the byte, small enough to copy in 20 µs or so."""

RETRY_S = 0.5
"""How often a journal that could not be opened, or written, is tried again."""


@dataclass(frozen=True)
class Pending:
    """What an append has to wait for.

    Attributes:
        condition: Holds when it is over.
        recorded: Whether the event is recorded already, and only its sync is waited for.
    """

    condition: Callable[[], bool]
    recorded: bool


class Session:
    """A session of one logger, in the process that constructed it."""

    def __init__(
        self, agent_id: str, session_id: str, directory: Path, options: Options, parent_session_id: str | None = None
    ) -> None:
        self.agent_id = agent_id
        self.session_id = session_id
        self.directory = directory
        self.options = options
        self.start_time = system.now()
        self.started = system.monotonic()
        self.producer = Producer()
        self.state: State = "unopened"
        self.run = 0
        self.earlier_s = 0.0
        self.progress = Progress()
        self.lock = threading.RLock()
        self.files: SessionFiles | None = None
        self.bell: Bell | None = None
        self.urgent = False
        self.durable = 0
        self.error: OSError | None = None
        self._sync_error: OSError | None = None
        self._failures = 0
        self._dropped = 0
        self._dropped_told = 0
        self._writing_directly = False
        self._retry_at = 0.0
        self._warned: set[str] = set()
        self._first_fields: dict[str, Any] | None = {"session_start": self.start_time}
        if parent_session_id is not None:
            self._first_fields["parent_session_id"] = parent_session_id

    @property
    def path(self) -> Path:
        """The journal."""
        return self.directory / f"{self.agent_id}_{self.session_id}.jsonl"

    # Appending

    def append(self, build: Build) -> None:
        """Append an event, waiting where the options say so.

        Raises:
            LoggerClosedError: `close` was called.
            QueueFullError: The queue is full and `when_full="raise"`.
            SessionLockedError: At the first event: another logger has the session open.
            ForeignJournalError: At the first event: the file is another session's.
        """
        pending = self.attempt(build)
        deadline = system.monotonic() + self.options.full_timeout_s if pending is not None else 0.0
        while pending is not None:
            self.progress.wait_until(pending.condition, deadline - system.monotonic())
            pending = None if self._settle(pending, deadline) else self.attempt(build)

    async def append_async(self, build: Build, pending: Pending | None) -> None:
        """Go on with an append that has to wait, suspending the calling task instead of blocking its thread."""
        deadline = system.monotonic() + self.options.full_timeout_s
        while pending is not None:
            await self.progress.wait_until_async(pending.condition, deadline - system.monotonic())
            pending = None if self._settle(pending, deadline) else self.attempt(build)

    def _settle(self, pending: Pending, deadline: float) -> bool:
        """Tell, after a wait, whether the append is over: recorded, or dropped because its time was up."""
        over = pending.condition()
        if pending.recorded:
            if not over:
                self._warn("sync", "An event is recorded but could not be synced in time: %s", self.path)
            return True
        if not over and system.monotonic() >= deadline:
            self._drop(1)
            return True
        return False

    def attempt(self, build: Build) -> Pending | None:
        """Append an event, or say what has to be waited for; the parameters and errors are those of `append`."""
        producer = self.producer
        while True:
            if not self._get_ready():
                return None
            start = producer.end
            entry = build(producer.seq + 1)
            with self.lock:
                if producer.end != start or self.state not in ("open", "opening"):
                    continue
                if self._dropped > self._dropped_told and not self._tell_dropped():
                    return self._full(len(entry.line))
                if producer.end != start:
                    continue
                if self._first_fields is not None and producer.seq == 0:
                    entry = entry._replace(line=lines.extend(entry.line, self._first_fields))
                placed = self._admit(start, entry)
                if placed:
                    self._first_fields = None
                    self._after_commit()
            if placed is None:
                return self._full(len(entry.line))
            if placed:
                break
        if is_exiting():
            self.finish(self.options.exit_timeout_s)
        elif self.options.sync_policy == "always" and self.files is not None:
            target = producer.end
            self._submit(self._sync_job)
            return Pending(lambda: self.durable >= target, recorded=True)
        return None

    def _admit(self, start: int, entry: Entry) -> bool | None:
        """Commit an entry by whichever way there is; False if another came first, None if there is no room."""
        producer, size = self.producer, len(entry.line)
        waiting = producer.end - producer.flushed
        if self._writing_directly:
            self._cut_back(start)
        if producer.ring_bytes:
            if size > producer.ring_bytes:
                return self._write_directly(start, entry)
            if waiting + size > producer.ring_bytes:
                return None
        else:
            if self.files is not None and not waiting:
                done = self._write_directly(start, entry)
                if done is not None:
                    return done
            if waiting and waiting + size > self.options.memory_bytes:
                return None
        return producer.place(start, entry, ANYWHERE)

    def _write_directly(self, start: int, entry: Entry) -> bool | None:
        """Write a line to the journal at its offset, after everything before it, and commit it."""
        assert self.files is not None
        producer = self.producer
        producer.limit = -1
        try:
            self.drain()
            if producer.end != start or producer.flushed != start:
                return False
            self._writing_directly = True
            self.files.write_all(entry.line, start)
            return producer.commit_written(start, entry)
        except OSError as error:
            self.failed(error)
            self._cut_back(start)
            return None
        finally:
            self._writing_directly = False

    def _cut_back(self, size: int) -> None:
        """Take back what a direct write that was interrupted, or failed, left beyond the committed lines."""
        assert self.files is not None
        with suppress(OSError):  # it is beyond the last newline at worst, and the next write covers it
            self.files.cut(size)

    def _after_commit(self) -> None:
        """Wake the consumer if it has to be, and say how far the producer may go by itself."""
        producer = self.producer
        if producer.end - producer.flushed > producer.ring_bytes // 2 and not self.urgent:
            self.urgent = True
            self.wake()
        elif producer.limit == -1 and self.bell is not None:
            self.bell.ring()
        self.set_limit()

    def set_limit(self) -> None:
        """Compute `limit`: how far the producer may go without coming here."""
        producer = self.producer
        with self.lock:
            n = producer.ring_bytes
            if (
                not n
                or self.state != "open"
                or self._first_fields is not None
                or self._dropped > self._dropped_told
                or self._writing_directly
                or self.options.sync_policy == "always"
                or is_exiting()
            ):
                producer.limit = -1
                return
            lap_ends = (producer.end // n + 1) * n
            room = producer.flushed + (n if self.urgent else n // 2)
            producer.limit = min(lap_ends, room)

    def park(self) -> bool:
        """Have the next append ring the consumer's bell; False if there is something to write after all."""
        with self.lock:
            self.producer.limit = -1
            if self.producer.end == self.producer.flushed:
                return True
            self.set_limit()
            return False

    # Without room

    def _full(self, size: int) -> Pending | None:
        """Do what `when_full` says about an event that finds no room."""
        producer, options = self.producer, self.options
        waiting = producer.end - producer.flushed
        if options.when_full == "raise":
            raise QueueFullError(f"the queue of {self.path.name} is full: {waiting} bytes wait", pending_bytes=waiting)
        if options.when_full == "drop":
            self._drop(1)
            return None
        self.urgent = True
        self.wake()
        if self._on_own_thread():
            self._help()
        most = producer.ring_bytes or options.memory_bytes
        failures = self._failures if size > most else None
        return Pending(lambda: self._has_room(size, failures), recorded=False)

    def _has_room(self, size: int, failures: int | None) -> bool:
        producer = self.producer
        if self.state not in ("open", "opening"):
            return True
        waiting = producer.end - producer.flushed
        if failures is not None:  # longer than the ring: its caller writes it, once the journal takes writes again
            return waiting == 0 and self.error is None
        return waiting == 0 or waiting + size <= (producer.ring_bytes or self.options.memory_bytes)

    def _on_own_thread(self) -> bool:
        return threading.current_thread().name.startswith("deia-")

    def _help(self) -> None:
        """Drain right here: the consumer cannot be waited for on its own threads (a destructor that logs)."""
        try:
            self.drain()
        except OSError as error:
            self.failed(error)

    def _drop(self, count: int) -> None:
        with self.lock:
            self._dropped += count
            if self.files is not None and self.files.dropped is not None and self.state == "open":
                self.files.dropped[0] = self._dropped
            self.producer.limit = -1
        self._warn(
            "full", "The queue is full: events of %s are dropped and counted (see statistics())", self.path.name
        )

    def _tell_dropped(self) -> bool:
        """Append the line that says how many events were dropped; False if even that has no room."""
        while self._dropped > self._dropped_told:
            count = self._dropped - self._dropped_told
            start = self.producer.end
            placed = self._admit(start, self._session_entry(self.producer.seq + 1, "dropped", dropped=count))
            if placed is None:
                return False
            if placed:
                self._dropped_told += count
        return True

    def _session_entry(self, seq: int, event: str, **fields: Any) -> Entry:
        return Entry(
            lines.encode(
                {
                    "type": "SessionEvent",
                    "event": event,
                    **fields,
                    "seq": seq,
                    "timestamp": system.now(),
                    "agent_id": self.agent_id,
                    "session_id": self.session_id,
                    "v": lines.VERSION,
                }
            ),
            OTHER,
        )

    # Opening

    def _get_ready(self) -> bool:
        """Make sure that the session is open, or keeps its events in memory; False if they are not ours to record."""
        if self.state == "disowned":
            return False  # an append under way during `fork`: the parent records it
        if self.state in ("closing", "closed"):
            raise LoggerClosedError(f"the logger of {self.path.name} is closed")
        if self.state == "unopened" or (
            self.state == "open" and self.files is None and system.monotonic() >= self._retry_at
        ):
            self.open()
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
                raise LoggerClosedError(f"the logger of {self.path.name} is closed")
            if self.state == "opening" or self.files is not None:
                return
            before: State = self.state
            self.state = "opening"
            files = None
            try:
                files = open_session(self.agent_id, self.session_id, self.path, self.options_now())
                self._adopt(files)
                self.state = "open"
            except OSError as error:
                if files is not None:
                    files.release(remove=True)
                self._keep_in_memory(error)
            except BaseException:
                if files is not None:
                    files.release(remove=True)
                self.state = before
                raise
            watch(self)
            self.set_limit()

    def options_now(self) -> Options:
        """The options to open with: at interpreter exit nobody is left to drain a ring."""
        if not is_exiting():
            return self.options
        return Options(**{**self.options.__dict__, "queue_mode": "write"})

    def move_to(self, directory: Path) -> None:
        """Record to another directory, as long as no file could be made in the session's own."""
        with self.lock:
            if self.files is None:
                self.directory = directory
                self.open()

    def _keep_in_memory(self, error: OSError) -> None:
        self.state = "open"
        self._retry_at = system.monotonic() + RETRY_S
        self.failed(error)
        self._warn(
            "memory", "No session log can be made, events are kept in memory for now: %s: %s", self.path, error
        )

    def _adopt(self, files: SessionFiles) -> None:
        """Go on in these files: after their past, with what was kept in memory so far."""
        producer = self.producer
        first_time = self.run == 0
        past = read_past(self.path) if files.size and first_time else Past()
        seq = past.seq if first_time else producer.seq - sum(at is not None for at in producer.kept)
        self._dropped_told = past.dropped if first_time else self._dropped_told
        while True:
            expected, kept = producer.end, [at for at in producer.kept if at is not None]
            data: list[bytes] = []
            if first_time and past.run:
                fields = {
                    "run": past.run + 1,
                    "session_start": self.start_time,
                    "recovered_bytes": files.recovery.recovered_bytes,
                    "lost_bytes": files.recovery.lost_bytes,
                }
                data.append(self._session_entry(seq + 1, "continued", **fields).line)
            by = seq + len(data) - (0 if first_time else seq)
            data += [lines.shift(producer.kept[at], by) if by else producer.kept[at] for at in kept]
            joined = b"".join(data)
            end = files.write_all(joined, files.size) if joined else files.size
            if producer.rebase(
                expected,
                end=end,
                seq=seq + len(data),
                ring=files.ring,
                ring_bytes=self.options.ring_bytes if files.ring is not None else 0,
                committed=files.committed,
            ):
                break
        if first_time:
            self._continue(past)
            self._dropped = max(self._dropped, files.recovery.dropped)
        if past.run:
            self._first_fields = None
        self.files = files
        self.error = None
        self.durable = files.size

    def _continue(self, past: Past) -> None:
        """Take over an earlier run's counters and open tasks."""
        producer = self.producer
        self.run = past.run + 1
        self.earlier_s = past.recorded_s
        earlier = (past.started, past.completed, past.files_read, past.files_written, past.tool_calls, 0)
        for counter, count in enumerate(earlier):
            producer.counts[counter] += count
        for event in past.open_tasks.values():
            task = OpenTask(event.name, producer, event.start_time, None, lines.encode_value(event.metadata))
            task.task_id, task.parent_id, task.is_open = event.task_id, event.parent_id, True
            task.older = producer.tasks.get(task.name)
            producer.tasks[task.name] = task

    # Draining

    def _ensure_consumer(self) -> None:
        """Have a consumer on the background loop; a dead one is replaced."""
        home = background()
        if self._home is not home:
            from deia.bus.consumer import consume

            self._home = home
            self.bell = None
            home.start(partial(consume, self))

    _home: Background | None = None

    def wake(self) -> None:
        """Have the consumer drain now, and not at its next interval."""
        if self.bell is not None:
            self.bell.ring()
        elif self._home is not None:
            self._home.hurry()

    def drain(self, deadline: float | None = None) -> None:
        """Write to the journal whatever is not in it yet, on this thread.

        Raises:
            OSError: The journal cannot be written.
        """
        files = self.files
        if files is None:
            return
        while True:
            start, data = self.producer.copy_unflushed(BATCH_BYTES)
            if not data or (deadline is not None and system.monotonic() >= deadline):
                return
            self.wrote(files.write_all(data, start))

    def wrote(self, offset: int) -> None:
        """Note that the journal is written up to an offset, and let producers and waiters go on."""
        self.error = self._sync_error
        self.producer.advance(offset)
        with self.lock:
            if self.urgent and self.producer.end - self.producer.flushed <= self.producer.ring_bytes // 4:
                self.urgent = False
            if self.producer.limit != -1 or self.producer.end != self.producer.flushed:
                self.set_limit()
        self.progress.announce()

    def synced(self, offset: int) -> None:
        """Note that an fsync covered the journal up to an offset."""
        self.durable = max(self.durable, offset)
        self.progress.announce()

    def failed(self, error: OSError, *, syncing: bool = False) -> None:
        """Note that the journal could not be written or synced.

        A failed fsync leaves the kernel's copy of unknown durability, and a later one that succeeds would say nothing about
        it: from then on nothing more counts as durable.
        """
        self.error = error
        self._failures += 1
        if syncing:
            self._sync_error = error
        self.progress.announce()

    @property
    def sync_failed(self) -> bool:
        """Whether an fsync has failed: what it should have covered is of unknown durability for good."""
        return self._sync_error is not None

    def consumer_gone(self, bell: Bell) -> None:
        """Have the next append notice that nobody drains any more."""
        if self.bell is bell:
            self.bell = self._home = None
            self.producer.limit = -1
        self.progress.announce()

    def _submit(self, job: Callable[[], None]) -> None:
        if is_exiting():
            job()
        else:
            background().executor.submit(job)

    def _drain_job(self) -> None:
        try:
            if self.files is None:
                self.open()
            self.drain()
        except OSError as error:
            self.failed(error)

    def _sync_job(self) -> None:
        self._drain_job()
        self.sync_now()

    def sync_now(self) -> None:
        """fsync the journal, if something in it is not durable yet."""
        files, offset = self.files, self.producer.flushed
        if files is None or self._sync_error is not None or self.durable >= offset:
            return
        try:
            files.sync()
        except OSError as error:
            self.failed(error, syncing=True)
        else:
            self.synced(offset)

    # What a logger offers

    def flush(self, timeout_s: float) -> int:
        """See `SessionLogger.flush`."""
        target = self.producer.end
        self._wait_for(lambda: self.producer.flushed >= target and self._is_written(), self._drain_job, timeout_s)
        return target

    def _is_written(self) -> bool:
        return self.files is not None or not self.producer.end

    def sync(self, timeout_s: float) -> int:
        """See `SessionLogger.sync`."""
        target = self.producer.end
        self._wait_for(lambda: self.durable >= target and self._is_written(), self._sync_job, timeout_s)
        return target

    def _wait_for(self, condition: Callable[[], bool], job: Callable[[], None], timeout_s: float) -> None:
        if self.state in ("closing", "closed"):
            raise LoggerClosedError(f"the logger of {self.path.name} is closed")
        if self.state in ("unopened", "disowned") or condition():
            return
        failures = self._failures
        self._submit(job)
        self.progress.wait_until(lambda: condition() or self._failures > failures, timeout_s)
        if not condition():
            self._raise_behind(failed=self._failures > failures)

    def _raise_behind(self, *, failed: bool) -> None:
        pending = self.producer.end - self.producer.flushed
        if failed and self.error is not None:
            raise WriterFailedError(
                f"the session log cannot be written: {self.path}: {self.error}", path=self.path, pending_bytes=pending
            ) from self.error
        raise FlushTimeoutError(
            f"the writer of {self.path.name} did not get there in time; {pending} bytes wait", pending_bytes=pending
        )

    def close(self, timeout_s: float) -> None:
        """See `SessionLogger.close`."""
        if self.state in ("closed", "disowned"):
            return
        if self.state == "unopened":
            self.state = "closed"
            return
        failures = self._failures
        self._submit(partial(self.finish, timeout_s, explicit=True))
        self.progress.wait_until(lambda: self.state == "closed" or self._failures > failures, timeout_s)
        if self.state != "closed":
            self._raise_behind(failed=self._failures > failures)

    def abandon(self) -> None:
        """Drain and close without anyone waiting: the logger is garbage."""
        if self.state == "open":
            self._submit(partial(self.finish, self.options.exit_timeout_s))
        elif self.state == "unopened":
            self.state = "closed"

    def finish(self, timeout_s: float, *, explicit: bool = False) -> bool:
        """Drain, sync and close on this thread; at interpreter exit too.

        Args:
            timeout_s: Seconds; what is not written by then stays in the queue file.
            explicit: Whether `close` was called: then it is synced whatever the policy.

        Returns:
            Whether all is in the journal and the queue file is gone.
        """
        deadline = system.monotonic() + timeout_s
        producer = self.producer
        with self.lock:
            if self.state not in ("open", "closing"):
                return self.state in ("closed", "unopened")
            if self.files is None:
                self.open()
            if self.files is None:
                return False
            self._tell_dropped()
            producer.limit = -1
            self.state = "closing"
        try:
            self.drain(deadline)
        except OSError as error:
            self.failed(error)
        if producer.flushed < producer.end:
            if not explicit:
                self.state = "open"  # still recording, into the queue file
            return False
        if explicit or self.options.sync_policy != "never":
            self.sync_now()
        with self.lock:
            if self.files is not None:
                files, self.files = self.files, None
                producer.rebase(
                    producer.end, end=producer.end, seq=producer.seq, ring=None, ring_bytes=0, committed=None
                )
                files.release(remove=True)
            # a program that ends may log once more, from a later exit hook or a destructor: then it is opened again
            self.state = "unopened" if is_exiting() and not explicit else "closed"
            unwatch(self)
        self.wake()
        self.progress.announce()
        return True

    def disown(self) -> None:
        """Let go of everything in a forked child: the session is the parent's, and goes on there."""
        files, self.files = self.files, None
        self.state = "disowned"
        self.producer.limit = -1
        if files is not None:
            files.abandon()

    def statistics(self) -> Statistics:
        """See `SessionLogger.statistics`."""
        producer, files = self.producer, self.files
        mode: Mode = "memory"
        if self.state == "unopened":
            mode = "unopened"
        elif self.state in ("closed", "disowned"):
            mode = "closed"
        elif files is not None:
            mode = "mmap" if files.ring is not None else "write"
        return Statistics(
            mode=mode,
            path=self.path,
            run=self.run,
            locked=files.locked if files is not None else False,
            logged=producer.seq,
            dropped=self._dropped,
            end_offset=producer.end,
            flushed_offset=producer.flushed,
            durable_offset=self.durable,
            pending_bytes=producer.end - producer.flushed,
            ring_bytes=producer.ring_bytes,
            error=str(self.error) if self.error is not None else None,
        )

    def _warn(self, kind: str, message: str, *arguments: object) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            logger.warning(message, *arguments)
