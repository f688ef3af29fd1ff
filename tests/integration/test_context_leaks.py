"""What a context keeps of the tasks that were entered in it."""

from __future__ import annotations

import contextvars
import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import anyio
import pytest

from deia import AsyncSessionLogger, SessionLogger, system
from support.held_writer import HeldWriter
from support.lines import assert_sound, lines_of
from support.waiting import PATIENCE_S, eventually

PAD = {"pad": "x" * 9000}


def test_closed_loggers_with_unfinished_tasks_are_not_kept_alive(tmp_path: Path) -> None:
    """A context that outlives them holds nothing of theirs once it has entered another task."""

    def record(number: int) -> weakref.ref[Any]:
        with SessionLogger("agent", f"{number}", output_dir=tmp_path, sync_policy="never") as logger:
            logger.log_task_start("never completed")
            return weakref.ref(logger._session.producer)

    def work() -> list[weakref.ref[Any]]:
        left = [record(number) for number in range(20)]
        with SessionLogger("agent", "last", output_dir=tmp_path) as logger:
            logger.log_task_start("a")
            logger.log_task_complete("a")
        return left

    context = contextvars.copy_context()
    left = context.run(work)

    def all_gone() -> bool:
        gc.collect()
        return all(producer() is None for producer in left)

    eventually(all_gone, "the closed loggers to be freed")
    assert len(context) >= 0  # it is alive until here


@pytest.mark.anyio
async def test_cancelled_wait_for_a_sync_does_not_lose_the_entry_into_the_task(
    tmp_path: Path, held_writer: HeldWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that waited for room first, and is recorded, has been entered: what follows belongs to the task."""
    logger = AsyncSessionLogger(
        "agent", "s", output_dir=tmp_path, queue_bytes=64 * 1024, sync_policy="always", full_timeout_s=PATIENCE_S
    )
    await logger.log_file_read("first")
    may_sync = threading.Event()
    real = system.sync

    def slow(fd: int) -> None:
        may_sync.wait(PATIENCE_S)
        real(fd)

    scope = anyio.CancelScope()

    async def start_and_go_on() -> None:
        with scope:
            await logger.log_task_start("task", PAD)
        await logger.log_file_read("inside")

    async def recorded(number: int) -> None:
        with anyio.fail_after(PATIENCE_S):
            while (await logger.statistics()).logged < number:  # noqa: ASYNC110
                await anyio.sleep(0.005)  # no event tells of a commit

    held_writer.hold()
    async with anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(logger.log_tool_call, "fills the ring", PAD, 1)
        await recorded(8)
        tasks.start_soon(start_and_go_on)
        await anyio.wait_all_tasks_blocked()
        assert (await logger.statistics()).logged == 8
        monkeypatch.setattr(system, "sync", slow)
        held_writer.release()
        await recorded(9)
        scope.cancel()
        await recorded(10)
        may_sync.set()
    await logger.close()
    *_, start, inside = lines_of(logger.path)
    assert (start["name"], inside["path"]) == ("task", "inside")
    assert inside["task_id"] == start["task_id"] == start["seq"]
    assert_sound(logger.path)
