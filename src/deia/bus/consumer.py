"""The consumer of one session: drains its queue to the journal on the background loop, and syncs by the policy."""

from __future__ import annotations

import anyio
from aiofiles.os import wrap

from deia import system
from deia.bus.loop import Background, Bell
from deia.bus.session import BATCH_BYTES, RETRY_S, Session


async def consume(session: Session, background: Background) -> None:
    """Write what a session queues, every `flush_interval_s`, until it is closed.

    Parked while there is nothing to do: an idle session costs nothing.
    """
    bell = Bell(background)
    session.bell = bell
    consumer = _Consumer(session, background)
    interval = session.options.flush_interval_s
    try:
        async with anyio.create_task_group() as tasks:
            while session.state in ("opening", "open"):
                if not consumer.is_behind() and session.park():
                    await bell.wait(None)
                if not session.urgent and session.state == "open":
                    await bell.wait(interval)
                await consumer.drain()
                if consumer.is_sync_due():
                    consumer.syncing = True
                    tasks.start_soon(consumer.sync)
    finally:
        session.consumer_gone(bell)


class _Consumer:
    def __init__(self, session: Session, background: Background) -> None:
        self._session = session
        self._executor = background.executor
        self._unsynced_since: float | None = None
        self._looked_at = system.monotonic()
        self.syncing = False

    def is_behind(self) -> bool:
        """Whether there is anything left to write or to sync."""
        session = self._session
        if session.producer.end != session.producer.flushed:
            return True
        return session.options.sync_policy != "never" and session.durable < session.producer.end and not session.sync_failed

    async def drain(self) -> None:
        """Write all that was committed when it was called; an error is noted, and tried again at the next interval."""
        session = self._session
        looked_at, self._looked_at = self._looked_at, system.monotonic()
        try:
            if session.files is None:
                await anyio.sleep(RETRY_S)
                await wrap(session.open)(executor=self._executor)
            target = session.producer.end
            while session.producer.flushed < target and (files := session.files) is not None:
                start, data = session.producer.copy_unflushed(BATCH_BYTES)
                if not data:
                    break
                written = await wrap(files.write)(data, start, executor=self._executor)
                session.wrote(start + written)
        except OSError as error:
            if session.state != "closed":
                session.failed(error)
                await anyio.sleep(min(RETRY_S, max(session.options.flush_interval_s, 0.01)))
        if self._unsynced_since is None and session.durable < session.producer.end:
            self._unsynced_since = looked_at  # nothing is older: all there was then is synced

    def is_sync_due(self) -> bool:
        """Whether an fsync has to start now, so as not to be late at the next look."""
        session = self._session
        options = session.options
        if self.syncing or options.sync_policy == "never" or session.sync_failed:
            return False
        if session.durable >= session.producer.flushed:
            self._unsynced_since = None
            return False
        if self._unsynced_since is None:
            return False
        return system.monotonic() - self._unsynced_since + options.flush_interval_s >= options.sync_interval_s

    async def sync(self) -> None:
        """fsync the journal, beside further draining."""
        self._unsynced_since = None
        try:
            await wrap(self._session.sync_now)(executor=self._executor)
        finally:
            self.syncing = False
