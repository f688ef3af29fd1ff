"""Errors of the disk at the moments that are easily forgotten: each is told, and nothing is lost or written twice."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deia import FileEvent, SessionLogger, read_events, system
from deia.bus import consumer
from deia.bus.opening import RETRY_S
from deia.errors import WriterFailedError
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from support.held_writer import HeldWriter
from support.lines import assert_sound, lines_of
from support.processes import run
from support.waiting import PATIENCE_S, Worker, eventually

RING_BYTES = 64 * 1024


def no_space() -> OSError:
    """Return what a full disk answers."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_was_kept_in_memory_is_written_once_though_the_disk_fills_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first attempt that got half of it into the file is no past run of the session."""
    obstacle = tmp_path / "sessions"
    obstacle.write_text("a file")
    logger = SessionLogger("agent", "s", output_dir=obstacle)
    for number in range(50):
        logger.log_file_read(f"{number}")
    room: list[int | None] = [5000]
    real = os.pwrite

    def short_of_room(fd: int, data: bytes | memoryview, offset: int) -> int:
        if room[0] is not None and os.readlink(f"/proc/self/fd/{fd}").endswith(".jsonl"):
            if offset >= room[0]:
                raise no_space()
            data = memoryview(data)[: room[0] - offset]
        return real(fd, data, offset)

    monkeypatch.setattr(system, "pwrite", short_of_room)
    obstacle.unlink()
    for bytes_free in (5000, 7000):
        room[0] = bytes_free
        with pytest.raises(WriterFailedError):
            logger.flush()
    room[0] = None
    logger.flush()
    assert logger.statistics().mode == "mmap"
    logger.log_file_read("50")
    logger.close()
    assert [line["path"] for line in lines_of(logger.path)] == [f"{number}" for number in range(51)]
    assert_sound(logger.path)


def test_full_disk_in_write_mode_is_told_and_ridden_out(
    tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
) -> None:
    """While lines are kept in memory one warning and the mode say so; they are written when there is room again."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write")
    logger.log_file_read("0")
    held_writer.fail(no_space)
    for number in range(1, 4):
        logger.log_file_read(f"{number}")
    assert logger.statistics().mode == "memory"
    assert logger.statistics().error
    assert len(warnings_logged) == 1
    held_writer.release()
    eventually(lambda: logger.statistics().pending_bytes == 0, "the writer to go on by itself")
    assert logger.statistics().mode == "write"
    logger.log_file_read("4")
    assert [line["path"] for line in lines_of(logger.path)] == [f"{number}" for number in range(5)]
    logger.close()
    assert len(warnings_logged) == 1
    assert_sound(logger.path)


def test_every_sync_after_a_failed_one_says_so_until_the_events_are_synced_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk seems well again, it is another file that is synced: the first stays of unknown durability."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_interval_s=60)
    logger.log_file_read("a")

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(system, "sync", fail)
        for _ in range(2):
            with pytest.raises(WriterFailedError) as caught:
                logger.sync()
            assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.EIO
    assert logger.statistics().segment == 1
    logger.sync()
    statistics = logger.statistics()
    assert statistics.segment == 2 and statistics.durable_offset == statistics.end_offset
    assert [line["seq"] for line in lines_of(logger.path.with_name("agent_s.2.jsonl"))[1:]] == [1]
    logger.close()
    assert_sound(logger.path)


def test_long_line_is_written_when_the_disk_is_well_again(tmp_path: Path, held_writer: HeldWriter) -> None:
    """An error met on the way does not outlive its cause, neither for the caller nor in `statistics`."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES, full_timeout_s=PATIENCE_S / 2)
    logger.log_file_read("before")
    logger.flush()
    held_writer.fail(no_space)
    worker = Worker(lambda: logger.log_tool_call("long", {"pad": "x" * 2 * RING_BYTES}, 1))
    assert held_writer.reached.wait(PATIENCE_S)
    held_writer.release()
    worker.finish()
    assert logger.statistics().dropped == 0
    eventually(lambda: logger.statistics().error is None, "the error to be forgotten")
    logger.log_tool_call("long again", {"pad": "x" * 2 * RING_BYTES}, 1)
    logger.close()
    assert [line.get("name", "before") for line in lines_of(logger.path)] == ["before", "long", "long again"]
    assert_sound(logger.path)


def test_what_only_memory_holds_is_tried_to_be_written_until_the_exit_has_no_more_time(tmp_path: Path) -> None:
    """Mode `write` on a disk that takes nothing for a moment, at the very end: an exit does not give up at once."""
    script = """
import errno, sys, time
from deia import FileEvent, SessionLogger, read_events, system
logger = SessionLogger("agent", "s", output_dir=sys.argv[1], queue_mode="write")
logger.log_file_read("before")
write, free = system.pwrite, time.monotonic() + 0.5

def fill(fd, data, offset):
    if time.monotonic() < free:
        raise OSError(errno.ENOSPC, "No space left on device")
    return write(fd, data, offset)

system.pwrite = fill
for number in range(10):
    logger.log_file_read(f"{number}")
"""
    run(script, tmp_path, cwd=tmp_path)
    paths = [event.path for event in read_events(tmp_path / "agent_s.jsonl") if isinstance(event, FileEvent)]
    assert paths == ["before", *map(str, range(10))]


@pytest.mark.parametrize("way", [recover, mend])
def test_recovery_whose_fsync_fails_says_so_and_leaves_the_queue_file(
    way: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it brought into the journal may not be on the disk; it can be done again."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=60)
    logger.log_file_read("a")
    logger._session.disown()  # as a killed process leaves it

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(system, "sync", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            way(logger.path)
    assert queue_path(logger.path).exists()
    way(logger.path)
    assert not queue_path(logger.path).exists()
    assert [line["path"] for line in lines_of(logger.path)] == ["a"]
    assert_sound(logger.path)


def test_defect_in_the_background_is_told_now_and_then_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Busy calls do not tell of it as often as they come; what they record is written once it is over."""
    began = time.monotonic()
    with monkeypatch.context() as patch, SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=0) as logger:
        patch.setattr(consumer._Consumer, "is_sync_due", lambda *_: 1 / 0)
        logged = 0

        def told() -> int:
            """How often it was told of this session; those that other tests have left open meet the defect, too."""
            return sum(record.args == (logger.path,) for record in caplog.records)

        while told() < 2:
            logger.log_file_read(f"{logged}")
            logged += 1
        patch.undo()
        times = told()
        logger.flush()
    assert times <= 1 + (time.monotonic() - began) / RETRY_S
    assert {record.msg for record in caplog.records} == {"The consumer of a session has failed: %s"}
    assert [event.path for event in read_events(logger.path) if isinstance(event, FileEvent)] == [
        f"{number}" for number in range(logged)
    ]
    assert_sound(logger.path)


def test_what_was_logged_after_a_defect_is_written_and_synced_without_a_further_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The background tries again by itself, though nobody calls it any more."""
    with SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=0, sync_interval_s=0.01) as logger:
        with monkeypatch.context() as patch:
            patch.setattr(consumer._Consumer, "drain", lambda *_: 1 / 0)
            logger.log_file_read("met the defect")
            eventually(lambda: caplog.records, "the defect to be told")
        logger.log_file_read("after it")
        end = logger.statistics().end_offset
        eventually(lambda: logger.statistics().durable_offset >= end, "what was logged to be synced")
