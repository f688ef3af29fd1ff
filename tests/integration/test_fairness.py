"""Who waits for whom: no call is starved, or held, by what other threads do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from deia import SessionLogger, system
from deia.bus import progress
from deia.bus.background import background
from deia.bus.progress import Progress
from support.held_writer import HeldWriter
from support.lines import assert_sound, lines_of
from support.waiting import PATIENCE_S, Worker, eventually

RING_BYTES = 64 * 1024


def test_large_event_is_recorded_while_others_log_without_pause(tmp_path: Path) -> None:
    """However long it takes to encode, and however often another comes first meanwhile."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_policy="never")
    logger.log_file_read("first")
    large = {"data": ["abcdefgh" * 8] * 100_000}
    recorded = threading.Event()

    def log_without_pause() -> None:
        while not recorded.is_set():
            logger.log_file_read("small")

    others = [Worker(log_without_pause) for _ in range(2)]
    try:
        Worker(lambda: logger.log_tool_call("large", large, 1)).finish()
    finally:
        recorded.set()
    for worker in others:
        worker.finish()
    assert logger.statistics().dropped == 0
    assert logger.get_session_summary().tool_calls_count == 1
    logger.close()


def test_session_that_is_flushed_without_a_pause_is_synced_and_keeps_no_other_from_it(tmp_path: Path) -> None:
    """Nobody calls anything; all consumers have their turn on the one loop of the background."""
    loggers = [
        SessionLogger("agent", f"{number}", output_dir=tmp_path, flush_interval_s=flush_s, sync_interval_s=0.01)
        for number, flush_s in enumerate((0, 0.25))
    ]
    for logger in loggers:
        logger.log_file_read("x")
    eventually(
        lambda: all(logger.statistics().durable_offset > 0 for logger in loggers), "what was logged to be synced"
    )
    for logger in loggers:
        logger.close()


def test_sync_returns_though_threads_never_stop_logging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each write is overtaken by one more line; what was logged before the call is all that is waited for."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=60, sync_policy="never")
    most, logged = 1000, 0
    real = system.pwrite

    def overtaken_pwrite(*arguments: Any) -> int:
        nonlocal logged
        written = real(*arguments)
        if logged < most:
            Worker(lambda: logger.log_file_read("meanwhile")).finish()
            logged += 1
        return written

    logger.log_file_read("before")
    monkeypatch.setattr(system, "pwrite", overtaken_pwrite)
    logger.sync()
    assert 0 < logged < most, "it returned once nobody logged any more"
    monkeypatch.setattr(system, "pwrite", real)
    logger.close()
    assert_sound(logger.path)


def test_long_line_on_a_stalled_disk_holds_no_other_caller(tmp_path: Path, held_writer: HeldWriter) -> None:
    """Whoever logs beside it returns in bounded time, recorded or dropped and counted, while the disk still hangs."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES, full_timeout_s=0.05)
    logger.log_file_read("first")
    logger.flush()
    held_writer.hold()
    long = Worker(lambda: logger.log_tool_call("long", {"pad": "x" * 2 * RING_BYTES}, 1))
    assert held_writer.reached.wait(PATIENCE_S)
    Worker(lambda: logger.log_file_read("beside it")).finish()
    logger.statistics()
    held_writer.release()
    long.finish()
    logger.flush()
    logger.log_file_read("last")
    dropped = logger.statistics().dropped
    logger.close()
    names = [line.get("path", line.get("name")) for line in lines_of(logger.path) if line["type"] != "SessionEvent"]
    assert len(names) + dropped == 4
    assert (names[0], names[-1]) == ("first", "last")
    assert_sound(logger.path)


def test_waits_that_time_out_leave_nothing_behind(
    tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
) -> None:
    """A disk that hangs for long costs no memory with each call that waited for it in vain."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES, full_timeout_s=0.0)
    logger.open()
    held_writer.hold()
    for _ in range(500):
        logger.log_tool_call("t", {"pad": "x" * 500}, 1)
    assert logger.statistics().dropped > 100
    assert len(logger._session.progress._wakers) == 0
    held_writer.release()
    logger.close()
    assert_sound(logger.path)


def test_thread_that_gave_up_waiting_is_forgotten() -> None:
    """Its waker is not kept for an announcement that may never come."""
    waited_on = Progress()
    assert not waited_on.wait_until(lambda: False, 0.0)
    assert waited_on._wakers == []


@pytest.mark.anyio
async def test_task_that_gave_up_waiting_is_forgotten() -> None:
    """The same on an event loop, for a wait that timed out and for one that was cancelled."""
    waited_on = Progress()
    assert not await waited_on.wait_until_async(lambda: False, 0.0)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await waited_on.wait_until_async(lambda: False, PATIENCE_S)
    assert waited_on._wakers == []


class Announced:
    """A condition that comes to hold, and is announced, right after a waiter has looked in vain."""

    def __init__(self, waited_on: Progress) -> None:
        self._waited_on = waited_on
        self._holds = False

    def __call__(self) -> bool:
        held, self._holds = self._holds, True
        if not held:
            self._waited_on.announce()
        return held


def test_announcement_between_look_and_wait_wakes_the_thread() -> None:
    """No wake-up is lost: the waiter was registered before it looked."""
    waited_on = Progress()
    assert waited_on.wait_until(Announced(waited_on), float(threading.TIMEOUT_MAX))


@pytest.mark.anyio
async def test_announcement_between_look_and_wait_wakes_the_task() -> None:
    """The same on an event loop."""
    waited_on = Progress()
    with anyio.fail_after(PATIENCE_S):
        assert await waited_on.wait_until_async(Announced(waited_on), float("inf"))


@pytest.mark.anyio
async def test_announcement_while_a_task_registers_does_not_lose_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may announce at any moment of a waiter's registration; what comes after still wakes it."""
    waited_on = Progress()
    real = progress._from_any_thread

    def racing() -> Any:
        found = real()
        waited_on.announce()
        return found

    monkeypatch.setattr(progress, "_from_any_thread", racing)
    with anyio.fail_after(PATIENCE_S):
        assert await waited_on.wait_until_async(Announced(waited_on), float("inf"))


def test_announcements_from_another_thread_are_never_lost() -> None:
    """Two threads hand a ball back and forth many times, each waiting for the other without a time limit."""
    waited_on = Progress()
    at = [0]

    def play(side: int) -> Callable[[], None]:
        def work() -> None:
            for turn in range(side, 2000, 2):
                assert waited_on.wait_until(lambda turn=turn: at[0] == turn, PATIENCE_S)
                at[0] = turn + 1
                waited_on.announce()

        return work

    for worker in [Worker(play(0)), Worker(play(1))]:
        worker.finish()
    assert at == [2000]


def test_destructors_on_our_own_threads_do_not_wait_for_themselves(tmp_path: Path, warnings_logged: list[str]) -> None:
    """Under `sync_policy="always"`, what is logged on every I/O thread at once is recorded without a time-out."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always", full_timeout_s=PATIENCE_S / 2)
    logger.log_file_read("first")
    together = threading.Barrier(2)

    def as_a_destructor_would() -> None:
        together.wait(PATIENCE_S)
        logger.log_file_read("from our thread")

    calls = [background().executor.submit(as_a_destructor_would) for _ in range(2)]
    for call in calls:
        call.result(PATIENCE_S)
    assert warnings_logged == []
    logger.sync()
    logger.close()
    assert len(lines_of(logger.path)) == 3
    assert_sound(logger.path)
