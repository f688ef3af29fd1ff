"""The consumer of one session: drains its queue to the journal on the background loop, and syncs by the policy."""

from __future__ import annotations

import logging

import anyio
from aiofiles.os import wrap

from deia import system
from deia.bus.loop import Background, Bell
from deia.bus.opening import RETRY_S
from deia.bus.session import Session
from deia.journal.writer import BATCH_BYTES

logger = logging.getLogger(__name__)

REST_AFTER_S = 10.0
"""How long a session is idle before it gives back what it can: long beside what that costs, short beside the time that
an agent waits for a person."""

_LEAST_PAUSE_S = 0.001
"""What `flush_interval_s=0` comes to: who waits for a sync alone, without a pause, would keep all others from their
turn, the sync itself included."""


async def consume(session: Session, background: Background) -> None:
    """Write what a session queues, every `flush_interval_s`, until it is closed.

    Parked while there is nothing to do: an idle session costs no time, and after a while hardly any memory.
    """
    session.bell = bell = Bell(background)
    consumer = _Consumer(session, background)
    try:
        while session.state in ("opening", "open"):
            await _consume(session, background, bell, consumer)
    finally:
        session.consumer_gone(bell)


async def _consume(session: Session, background: Background, bell: Bell, consumer: _Consumer) -> None:
    """Do so until the session is closed, or a defect is met: after a while it is tried again then."""
    try:
        async with anyio.create_task_group() as tasks:
            while session.state in ("opening", "open"):
                if not consumer.is_behind() and session.park() and not await bell.wait(REST_AFTER_S):
                    await consumer.rest()
                    await bell.wait(None)
                if session.state == "open" and (pause_s := consumer.pause_s()):
                    await bell.wait(pause_s)
                session.urgent = False
                await consumer.drain()
                if session.abandoned:
                    await wrap(session.finish_if_abandoned)(executor=background.executor)
                if consumer.is_sync_due():
                    consumer.syncing = True
                    tasks.start_soon(consumer.sync)
    except Exception:  # in one session: the others' consumers go on
        logger.exception("The consumer of a session has failed: %s", session.path)
        await anyio.sleep(RETRY_S)


class _Consumer:
    """What one consumer remembers between two looks.

    Attributes:
        syncing: Whether an fsync is under way.
    """

    def __init__(self, session: Session, background: Background) -> None:
        self._session = session
        self._executor = background.executor
        self.syncing = False
        self._looked_at = system.monotonic()
        self._unsynced_since: float | None = None
        self._placed = 0

    def pause_s(self) -> float:
        """Seconds until the next look: none where the queue fills, some where writing failed and may work again."""
        session = self._session
        if session.writer.error is not None:
            return min(session.options.flush_interval_s, RETRY_S) or RETRY_S
        return 0.0 if session.urgent else max(session.options.flush_interval_s, _LEAST_PAUSE_S)

    def is_behind(self) -> bool:
        """Whether there is anything left to write or to sync."""
        session, writer = self._session, self._session.writer
        if writer.files is None or session.producer.end != session.producer.flushed:
            return True
        if writer.sync_error is not None:
            return True  # it has to go on in another segment
        return session.options.sync_policy != "never" and writer.durable < session.producer.end

    async def rest(self) -> None:
        """Give back what an idle session can do without; see `SessionFiles.rest`."""
        files = self._session.writer.files
        if files is not None and self._session.writer.error is None:
            await wrap(files.rest)(executor=self._executor)

    async def drain(self) -> None:
        """Write all that was committed when it was called; an error is noted, and tried again at the next interval."""
        session, writer = self._session, self._session.writer
        looked_at, self._looked_at = self._looked_at, system.monotonic()
        files = writer.files
        try:
            if files is None:
                await wrap(session.retry)(executor=self._executor)
                session.say()
            target = session.producer.end
            while session.producer.flushed < target and (files := writer.files) is not None:
                start, data = session.producer.copy_unflushed(BATCH_BYTES)
                if not data:
                    break
                if session.producer.home is not files:
                    continue  # it went on in another segment between the two looks
                writer.wrote(start + await wrap(files.write)(data, start, executor=self._executor))
                self._placed = session.producer.flushed
            if (files := writer.files) is not None and self._placed != session.producer.flushed:
                self._placed = session.producer.flushed  # written by others: by callers, in mode `write`
                await wrap(files.require_place)(self._placed, executor=self._executor)
        except OSError as error:
            if writer.files is files:  # else they were closed under this write, after everything was written
                writer.failed(error)
        if session.segments.is_due:
            await wrap(session.segments.go_on)(executor=self._executor)
            session.say()
        if self._unsynced_since is None and writer.durable < session.producer.end:
            self._unsynced_since = looked_at  # nothing is older: all there was then is synced

    def is_sync_due(self) -> bool:
        """Whether an fsync has to start now, so as not to be late at the next look."""
        session, writer, options = self._session, self._session.writer, self._session.options
        if self.syncing or options.sync_policy == "never" or writer.sync_error is not None:
            return False
        if writer.durable >= session.producer.flushed:
            self._unsynced_since = None
        if self._unsynced_since is None:
            return False
        return system.monotonic() - self._unsynced_since + options.flush_interval_s >= options.sync_interval_s

    async def sync(self) -> None:
        """fsync the journal, beside further draining."""
        self._unsynced_since = None
        try:
            await wrap(self._session.writer.sync)(executor=self._executor)
        finally:
            self.syncing = False
