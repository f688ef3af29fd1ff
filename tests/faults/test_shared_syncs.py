"""`sync_policy="always"`: calls awaited at the same time share an fsync, and each returns after one that covers it.

The numbers of events that one fsync carried are properties of these tests in a JUnit report, and printed (`-rP`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from deia import AsyncSessionLogger, SessionLogger, system
from support.lines import assert_sound, lines_of
from support.waiting import PATIENCE_S, Worker, eventually

EVENTS = 200
TASKS = 20
THREADS = 8


class CountedSync:
    """An fsync that is counted, and can be held: a disk on which it takes as long as the test says.

    Attributes:
        ended: Size of the journal at the beginning of each that has returned.
        reached: Set once one has begun.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ended: list[int] = []
        self.reached = threading.Event()
        self._may_go_on = threading.Event()
        self._sync = system.sync
        monkeypatch.setattr(system, "sync", self._counted)

    def release(self) -> None:
        """Let the one that waits, and all later ones, return."""
        self._may_go_on.set()

    def _counted(self, fd: int) -> None:
        size = system.fstat(fd).st_size
        self.reached.set()
        assert self._may_go_on.wait(PATIENCE_S)
        self._sync(fd)
        self.ended.append(size)

    @property
    def durable(self) -> int:
        """How far the journal is on the disk, at least."""
        return max(self.ended, default=0)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountedSync]:
    """The fsyncs of the test; let go at its end, whatever happened."""
    counted = CountedSync(monkeypatch)
    yield counted
    counted.release()


def report(syncs: CountedSync, events: int, record_property: Callable[[str, object], None], path: Path) -> None:
    """Record how many events one fsync carried, and that nothing is missing."""
    carried = events / len(syncs.ended)
    record_property("events", events)
    record_property("fsyncs", len(syncs.ended))
    print(f"{events} awaited events, {len(syncs.ended)} fsyncs: {carried:.1f} events each")
    assert len(lines_of(path)) == events


@pytest.mark.anyio
async def test_calls_awaited_at_once_share_an_fsync(
    tmp_path: Path,
    syncs: CountedSync,
    record_property: Callable[[str, object], None],
) -> None:
    """Those that come while one is under way wait for the next, all of them: two or three fsyncs carry two hundred."""
    logger = AsyncSessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always", full_timeout_s=PATIENCE_S)
    returned: list[str] = []
    too_early: list[str] = []

    async def log(name: str) -> None:
        await logger.log_file_read(name)
        ends = next(end for end, line in _ends(logger.path) if line["path"] == name)
        (returned if ends <= syncs.durable else too_early).append(name)

    async with anyio.create_task_group() as tasks:
        for number in range(EVENTS):
            tasks.start_soon(log, f"{number}")
        while (await logger.statistics()).logged < EVENTS:
            await anyio.lowlevel.checkpoint()
        await anyio.to_thread.run_sync(syncs.reached.wait, PATIENCE_S)
        assert returned == too_early == []
        syncs.release()
    assert too_early == []
    assert len(returned) == EVENTS
    assert len(syncs.ended) <= 4, "each of the two I/O threads may be at it when they come, and once more"
    report(syncs, EVENTS, record_property, logger.path)
    await logger.close()
    assert_sound(logger.path)


def _ends(path: Path) -> Iterator[tuple[int, dict]]:
    end = 0
    for raw, line in zip(path.read_bytes().splitlines(keepends=True), lines_of(path), strict=True):
        end += len(raw)
        yield end, line


def test_calls_of_many_threads_share_fsyncs_too(
    tmp_path: Path,
    syncs: CountedSync,
    record_property: Callable[[str, object], None],
) -> None:
    """Each thread waits for its own event; what has gathered meanwhile goes with the next fsync."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always", full_timeout_s=PATIENCE_S)
    workers = [Worker(partial(logger.log_file_read, f"{number}")) for number in range(THREADS)]
    assert syncs.reached.wait(PATIENCE_S)
    eventually(lambda: logger.statistics().logged == THREADS, "all threads to have logged")
    assert logger.statistics().durable_offset == 0
    syncs.release()
    for worker in workers:
        worker.finish()
    assert logger.statistics().durable_offset == logger.statistics().end_offset
    assert len(syncs.ended) <= 4
    report(syncs, THREADS, record_property, logger.path)
    logger.close()
    assert_sound(logger.path)


@pytest.mark.anyio
async def test_agents_that_await_each_event_share_the_fsyncs_of_a_real_disk(
    tmp_path: Path,
    syncs: CountedSync,
    record_property: Callable[[str, object], None],
) -> None:
    """Twenty tasks that log one event after the other: never more fsyncs than events, and as a rule far fewer."""
    syncs.release()
    logger = AsyncSessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always", full_timeout_s=PATIENCE_S)

    async def work(task: int) -> None:
        for number in range(EVENTS // TASKS):
            await logger.log_file_read(f"{task} {number}")
            statistics = await logger.statistics()
            assert statistics.durable_offset > 0

    async with anyio.create_task_group() as tasks:
        for task in range(TASKS):
            tasks.start_soon(work, task)
    assert len(syncs.ended) < EVENTS
    report(syncs, EVENTS, record_property, logger.path)
    await logger.close()
    assert_sound(logger.path)
