"""What may be the last thing that a program tells is synced at once, and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, system
from support.lines import lines_of
from support.waiting import PATIENCE_S

LATER: dict[str, Any] = {"flush_interval_s": 3600, "sync_interval_s": 3600}


class Syncs:
    """Counts fsyncs of journals, and lets a test wait for one and hold them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.begun = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()
        self._sync = system.sync
        monkeypatch.setattr(system, "sync", self._counted)

    def _counted(self, fd: int) -> None:
        self.count += 1
        self.begun.release()
        assert self.free.wait(PATIENCE_S)
        self._sync(fd)


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> Syncs:
    """The fsyncs of the test."""
    return Syncs(monkeypatch)


def fail(logger: SessionLogger) -> None:
    """Have a task fail."""
    with pytest.raises(ValueError, match="no"), logger.task("t"):
        raise ValueError("no")


@pytest.mark.parametrize("call", [lambda logger: logger.log_error("e"), fail], ids=["error", "failed task"])
def test_error_and_failed_task_start_a_sync_at_once(
    tmp_path: Path, syncs: Syncs, call: Callable[[SessionLogger], None]
) -> None:
    """Long before the interval is over; what was logged before is covered."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, **LATER)
    logger.log_file_read("a")
    before = syncs.count
    while syncs.begun.acquire(blocking=False):
        pass
    call(logger)
    assert syncs.begun.acquire(timeout=PATIENCE_S)
    assert syncs.count == before + 1
    assert len(lines_of(logger.path)) == logger.statistics().logged
    logger.close()


def test_nobody_waits_for_it_and_errors_in_a_row_share_it(tmp_path: Path, syncs: Syncs) -> None:
    """While the disk takes its time, logging goes on; one more sync covers all that came meanwhile."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, **LATER)
    logger.log_file_read("a")
    before = syncs.count
    while syncs.begun.acquire(blocking=False):
        pass
    syncs.free.clear()
    logger.log_error("0")
    assert syncs.begun.acquire(timeout=PATIENCE_S)
    for number in range(1, 100):
        logger.log_error(str(number))
    assert syncs.count == before + 1
    syncs.free.set()
    assert syncs.begun.acquire(timeout=PATIENCE_S)
    logger._session._soon.result(PATIENCE_S)  # type: ignore[union-attr]  # one is under way
    assert syncs.count == before + 2
    assert logger.statistics().durable_offset == logger.statistics().end_offset
    logger.close()


@pytest.mark.parametrize(
    "call",
    [
        lambda logger: logger.log_llm_call("p", "m", error="e"),
        lambda logger: logger.task("t").__enter__().__exit__(None, None, None),
        lambda logger: logger.log_message("user", "e"),
    ],
    ids=["model call", "task", "message"],
)
def test_other_events_wait_for_the_interval(
    tmp_path: Path, syncs: Syncs, call: Callable[[SessionLogger], None]
) -> None:
    """A model call that failed is tried again; it is no end."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, **LATER)
    logger.log_file_read("a")
    call(logger)
    assert logger._session._soon is None
    logger.close()


def test_policy_never_is_kept(tmp_path: Path) -> None:
    """No fsync that nobody asked for."""
    with SessionLogger("agent", "s", output_dir=tmp_path, sync_policy="never") as logger:
        logger.log_error("e")
        fail(logger)
        assert logger._session._soon is None
