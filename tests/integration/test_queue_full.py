"""What a log call does when the queue is full, when a line is longer than the queue, and when there is none."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, read_events, system
from deia.bus.progress import Progress
from deia.bus.session import Session
from deia.errors import QueueFullError, WriterFailedError
from deia.events import SessionEvent, ToolEvent
from deia.services.session_logger import FileEvent
from support.held_writer import HeldWriter
from support.lines import assert_gapless, assert_sound, lines_of
from support.waiting import PATIENCE_S, Worker, eventually

RING_BYTES = 64 * 1024
PAD = {"pad": "x" * 1000}
MORE_THAN_FITS = 200
"""Lines of over a kilobyte: three times what the ring holds."""


def full_logger(directory: Path, held_writer: HeldWriter, **options: Any) -> SessionLogger:
    """Return an open logger with the smallest ring, whose writer is held."""
    logger = SessionLogger("agent", "s", output_dir=directory, queue_bytes=RING_BYTES, **options)
    logger.open()
    held_writer.hold()
    return logger


def fill(logger: SessionLogger) -> int:
    """Log more than fits; return how many calls were recorded."""
    before = logger.get_session_summary().tool_calls_count
    for number in range(MORE_THAN_FITS):
        logger.log_tool_call(f"{number}", PAD, number)
    return logger.get_session_summary().tool_calls_count - before


def told_as_dropped(path: Path) -> int:
    """Return how many drops the session's lines tell of."""
    events = (event for event in read_events(path) if isinstance(event, SessionEvent) and event.event == "dropped")
    return sum(event.dropped or 0 for event in events)


class TestDrop:
    """`when_full="drop"`."""

    def test_what_does_not_fit_is_dropped_and_counted(
        self, tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
    ) -> None:
        """The call returns at once; what was accepted before is untouched; one warning tells of it all."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        recorded = fill(logger)
        statistics = logger.statistics()
        assert 10 < recorded < MORE_THAN_FITS
        assert statistics.dropped == MORE_THAN_FITS - recorded
        assert statistics.pending_bytes <= RING_BYTES
        assert len(warnings_logged) == 1
        held_writer.release()
        logger.close()
        tools = [event.name for event in read_events(logger.path) if isinstance(event, ToolEvent)]
        assert tools == [f"{number}" for number in range(recorded)]
        assert_gapless(logger.path)

    def test_later_line_tells_how_many_were_dropped(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """The next line that finds room is a SessionEvent with the number lost since the last such line."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        recorded = fill(logger)
        held_writer.release()
        logger.flush()
        logger.log_file_read("after")
        logger.close()
        *_, told, after = lines_of(logger.path)
        assert list(told) == ["type", "event", "dropped", "seq", "timestamp", "agent_id", "session_id", "v"]
        assert (told["type"], told["event"]) == ("SessionEvent", "dropped")
        assert told["dropped"] > 0
        assert (after["path"], after["seq"]) == ("after", told["seq"] + 1)
        assert told_as_dropped(logger.path) == MORE_THAN_FITS - recorded
        assert_sound(logger.path)

    def test_what_the_lines_tell_adds_up(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """A line counts what was lost since the line before it, so they add up to all that was lost."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        for _ in range(3):
            held_writer.hold()
            fill(logger)
            held_writer.release()
            logger.flush()
            logger.log_file_read("room")
        dropped = logger.statistics().dropped
        logger.close()
        assert told_as_dropped(logger.path) == dropped > 0
        assert_sound(logger.path)

    def test_drops_are_told_though_nothing_is_logged_after_them(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """A session that ends after a drop does not hide it."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        recorded = fill(logger)
        held_writer.release()
        logger.close()
        assert told_as_dropped(logger.path) == MORE_THAN_FITS - recorded
        assert_sound(logger.path)

    def test_dropped_events_are_not_counted_as_done(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """The summary counts what is in the log, so both agree."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        recorded = fill(logger)
        assert logger.get_session_summary().tool_calls_count == recorded
        assert len(logger.events) == recorded
        assert sum(isinstance(event, ToolEvent) for event in read_events(logger.path)) == recorded
        held_writer.release()
        logger.close()

    def test_dropped_start_leaves_no_open_task(
        self, tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
    ) -> None:
        """What is not in the log did not happen in it: its completion is one without a start."""
        logger = full_logger(tmp_path, held_writer, when_full="drop")
        fill(logger)
        logger.log_task_start("dropped", PAD)
        held_writer.release()
        logger.flush()
        logger.log_file_read("belongs to no task")
        logger.log_task_complete("dropped")
        logger.close()
        read, end = lines_of(logger.path)[-2:]
        assert (read["task_id"], end["orphan"], end["task_id"]) == (None, True, None)
        assert len(warnings_logged) == 2

    def test_dropped_completion_leaves_the_task_open(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """A task whose completion was lost can be completed again."""
        logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES, when_full="drop")
        logger.log_task_start("a")
        logger.flush()
        held_writer.hold()
        fill(logger)
        logger.log_task_complete("a", metadata=PAD)
        assert logger.get_session_summary().tasks_completed == 0
        held_writer.release()
        logger.flush()
        logger.log_task_complete("a")
        logger.close()
        assert "orphan" not in lines_of(logger.path)[-1]
        assert_sound(logger.path)


class TestWait:
    """`when_full="wait"`, the default."""

    def test_call_waits_for_room_and_nothing_is_lost(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """Backpressure: the producer goes on as soon as the writer does."""
        logger = full_logger(tmp_path, held_writer, full_timeout_s=PATIENCE_S)
        worker = Worker(lambda: fill(logger))
        eventually(lambda: logger.statistics().pending_bytes > RING_BYTES // 2, "the ring to fill")
        held_writer.release()
        worker.finish()
        assert logger.statistics().dropped == 0
        logger.close()
        assert [line["name"] for line in lines_of(logger.path)] == [f"{number}" for number in range(MORE_THAN_FITS)]
        assert_sound(logger.path)

    def test_wait_ends_after_full_timeout_and_the_event_is_dropped(
        self, tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
    ) -> None:
        """An agent is not held for ever by a disk that hangs; the loss is counted, told once, and told in the log."""
        logger = full_logger(tmp_path, held_writer, full_timeout_s=0.001)
        worker = Worker(lambda: fill(logger))
        worker.finish()
        recorded = logger.get_session_summary().tool_calls_count
        assert logger.statistics().dropped == MORE_THAN_FITS - recorded > 0
        assert len(warnings_logged) == 1
        held_writer.release()
        logger.flush()
        logger.log_file_read("after")
        logger.close()
        assert told_as_dropped(logger.path) == MORE_THAN_FITS - recorded
        assert_sound(logger.path)

    def test_waiting_call_holds_no_lock(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """While one thread waits, the others can ask the logger anything, and other sessions go on."""
        logger = full_logger(tmp_path, held_writer, full_timeout_s=PATIENCE_S)
        worker = Worker(lambda: fill(logger))
        eventually(lambda: logger.statistics().pending_bytes > RING_BYTES - 2000, "the ring to fill")
        assert logger.get_session_summary().tool_calls_count > 10
        assert len(logger.events) > 10
        other = SessionLogger("agent", "other", output_dir=tmp_path)
        other.log_file_read("a")
        assert other.events == [FileEvent("a", "read")]
        held_writer.release()
        worker.finish()
        other.close()
        logger.close()

    @pytest.mark.parametrize("redact", [True, False])
    def test_what_a_call_was_given_is_recorded_though_it_is_changed_while_the_call_waits(
        self, tmp_path: Path, held_writer: HeldWriter, monkeypatch: pytest.MonkeyPatch, redact: bool
    ) -> None:
        """A dict that another thread goes on with is recorded as it was."""
        waits = threading.Event()
        wait_until = Progress.wait_until
        monkeypatch.setattr(Progress, "wait_until", lambda *what: waits.set() or wait_until(*what))
        logger = full_logger(tmp_path, held_writer, full_timeout_s=PATIENCE_S, redact=redact)
        params = {"pad": "x" * (RING_BYTES * 3 // 4), "step": 1}
        logger.log_tool_call("first", params, 0)
        worker = Worker(lambda: logger.log_tool_call("second", params, 0))
        eventually(waits.is_set, "the second call to wait")
        params["step"] = 2
        held_writer.release()
        worker.finish()
        logger.close()
        assert [line["params"]["step"] for line in lines_of(logger.path)] == [1, 1]
        assert_sound(logger.path)

    def test_many_waiting_threads_all_get_room(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """Each of them goes on; the order of each thread's events is kept."""
        logger = full_logger(tmp_path, held_writer, full_timeout_s=PATIENCE_S)

        def work(thread: int) -> None:
            for number in range(100):
                logger.log_tool_call(f"{thread}", PAD, number)

        workers = [Worker(lambda thread=thread: work(thread)) for thread in range(4)]
        eventually(lambda: logger.statistics().pending_bytes > RING_BYTES // 2, "the ring to fill")
        held_writer.release()
        for worker in workers:
            worker.finish()
        logger.close()
        lines = lines_of(logger.path)
        for thread in range(4):
            assert [line["duration_ms"] for line in lines if line["name"] == f"{thread}"] == list(range(100))
        assert_sound(logger.path)


class TestRaise:
    """`when_full="raise"`."""

    def test_call_raises_and_records_nothing(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """The caller decides; what was not recorded is not counted as dropped and takes no `seq`."""
        logger = full_logger(tmp_path, held_writer, when_full="raise")
        recorded = 0
        with pytest.raises(QueueFullError) as caught:
            for number in range(MORE_THAN_FITS):
                logger.log_tool_call(f"{number}", PAD, number)
                recorded += 1
        assert recorded > 10
        assert 0 < caught.value.pending_bytes <= RING_BYTES
        statistics = logger.statistics()
        assert (statistics.logged, statistics.dropped) == (recorded, 0)
        held_writer.release()
        logger.flush()
        logger.log_file_read("after")
        logger.close()
        assert lines_of(logger.path)[-1]["seq"] == recorded + 1
        assert told_as_dropped(logger.path) == 0
        assert_sound(logger.path)


class TestTheRing:
    """Lines of any length pass through a ring of any size."""

    def test_ring_wraps_around_many_times(self, tmp_path: Path) -> None:
        """A session far longer than its ring is complete and in order, with lines across every lap's end."""
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES) as logger:
            for number in range(3000):
                logger.log_tool_call(f"{number}", {"pad": "x" * (number * 7 % 1013)}, number)
            assert logger.statistics().dropped == 0
        lines = lines_of(logger.path)
        assert logger.path.stat().st_size > 20 * RING_BYTES
        assert [(line["name"], len(line["params"]["pad"])) for line in lines] == [
            (f"{number}", number * 7 % 1013) for number in range(3000)
        ]
        assert_sound(logger.path)

    @pytest.mark.parametrize("length", [RING_BYTES - 250, RING_BYTES, RING_BYTES + 1, 5 * RING_BYTES])
    def test_line_as_long_as_the_ring_or_longer_is_recorded(self, tmp_path: Path, length: int) -> None:
        """It is written after everything before it and before everything after it."""
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES) as logger:
            for number in range(5):
                logger.log_file_read(f"before {number}")
                logger.log_tool_call("long", {"pad": "x" * length}, number)
                assert sum(1 for event in read_events(logger.path) if isinstance(event, ToolEvent)) == number + 1
                logger.log_file_read(f"after {number}")
        lines = lines_of(logger.path)
        assert [line.get("path", "long") for line in lines] == [
            text for number in range(5) for text in (f"before {number}", "long", f"after {number}")
        ]
        assert {len(line["params"]["pad"]) for line in lines if line["type"] == "ToolEvent"} == {length}
        assert_sound(logger.path)

    def test_threads_with_long_and_short_lines_do_not_disturb_each_other(self, tmp_path: Path) -> None:
        """A line that takes the long way round keeps its place among those that do not."""
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES) as logger:

            def work(thread: int) -> None:
                for number in range(100):
                    size = 2 * RING_BYTES if (number + thread) % 25 == 0 else 300
                    logger.log_tool_call(f"{thread}", {"pad": "x" * size}, number)

            for worker in [Worker(lambda thread=thread: work(thread)) for thread in range(3)]:
                worker.finish()
            assert logger.statistics().dropped == 0
        lines = lines_of(logger.path)
        for thread in range(3):
            assert [line["duration_ms"] for line in lines if line["name"] == f"{thread}"] == list(range(100))
        assert_sound(logger.path)

    def test_long_line_waits_for_the_writer_as_any_other(
        self, tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
    ) -> None:
        """Where the disk hangs it is dropped in the end, and what was logged before it is not."""
        logger = full_logger(tmp_path, held_writer, when_full="drop", full_timeout_s=0.05)
        logger.log_file_read("before")
        worker = Worker(lambda: logger.log_tool_call("long", {"pad": "x" * 2 * RING_BYTES}, 1))
        worker.finish()
        assert logger.statistics().dropped == 1
        held_writer.release()
        logger.log_file_read("after")
        logger.close()
        assert [line["path"] for line in lines_of(logger.path) if line["type"] == "FileEvent"] == ["before", "after"]
        assert_sound(logger.path)


class TestWriteMode:
    """`queue_mode="write"`: no ring, every line in the journal before the call returns."""

    def test_line_is_in_the_journal_when_the_call_returns(self, tmp_path: Path) -> None:
        """Any reader sees it at once, without a flush."""
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write") as logger:
            for number in range(50):
                logger.log_file_read(f"{number}")
                assert len(lines_of(logger.path)) == number + 1
            statistics = logger.statistics()
            assert (statistics.mode, statistics.ring_bytes, statistics.pending_bytes) == ("write", 0, 0)
        assert_sound(logger.path)

    def test_session_is_locked_in_write_mode_too(self, tmp_path: Path) -> None:
        """The queue file is the lock, ring or not, and goes with the close."""
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write") as logger:
            logger.log_file_read("a")
            assert logger.statistics().locked is True
            assert (tmp_path / ".agent_s.queue").exists()
        assert os.listdir(tmp_path) == ["agent_s.jsonl"]

    def test_modes_may_follow_each_other_in_one_session(self, tmp_path: Path) -> None:
        """A session written in one mode is continued in the other."""
        modes: list[Any] = ["write", "mmap", "write"]
        for mode in modes:
            with SessionLogger("agent", "s", output_dir=tmp_path, queue_mode=mode) as logger:
                logger.log_file_read(mode)
                assert logger.statistics().mode == mode
        paths = [line["path"] for line in lines_of(logger.path) if line["type"] == "FileEvent"]
        assert paths == modes
        assert_sound(logger.path)

    def test_auto_falls_back_where_nothing_can_be_mapped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file system without shared mappings costs a system call an event, and no promise."""

        def refuse(fd: int, size: int, **options: Any) -> None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

        monkeypatch.setattr("deia.system.map_shared", refuse)
        with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
            logger.log_file_read("a")
            assert logger.statistics().mode == "write"
            assert len(lines_of(logger.path)) == 1
        assert os.listdir(tmp_path) == ["agent_s.jsonl"]
        assert_sound(logger.path)


class TestMemoryMode:
    """Where no file can be made at all."""

    @pytest.fixture
    def blocked(self, tmp_path: Path) -> Iterator[Path]:
        """A directory that cannot be made, for a file stands in its way."""
        obstacle = tmp_path / "obstacle"
        obstacle.write_text("a file")
        yield obstacle / "sessions"

    def test_events_are_kept_with_one_warning(self, blocked: Path, warnings_logged: list[str]) -> None:
        """No call raises; the events are there to be asked for."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        logger.log_task_start("a")
        logger.log_file_read("b")
        logger.log_task_complete("a")
        assert logger.statistics().mode == "memory"
        assert logger.statistics().error
        assert len(warnings_logged) == 1
        assert [type(event).__name__ for event in logger.events] == ["TaskEvent", "FileEvent"]
        assert logger.get_session_summary().tasks_completed == 1

    def test_save_session_writes_what_was_kept(self, blocked: Path, tmp_path: Path) -> None:
        """Another directory takes everything that was logged so far."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        for number in range(10):
            logger.log_file_read(f"{number}")
        path = logger.save_session(tmp_path / "saved")
        assert path == tmp_path / "saved" / "agent_s.jsonl"
        assert [line["path"] for line in lines_of(path)] == [f"{number}" for number in range(10)]
        logger.log_file_read("later")
        assert len(lines_of(logger.save_session(tmp_path / "saved"))) == 11

    def test_save_session_is_complete_while_the_file_is_tried_again(
        self, blocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An attempt to open the session's own file, under way on another thread, does not make the saved one empty."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        logger.log_file_read("a")
        trying, go_on = threading.Event(), threading.Event()
        real = system.make_directory

        def slow(path: Path) -> list[Path]:
            if path == blocked:
                trying.set()
                go_on.wait(PATIENCE_S)
            return real(path)

        monkeypatch.setattr(system, "make_directory", slow)
        assert trying.wait(PATIENCE_S)
        saved: list[Path] = []
        worker = Worker(lambda: saved.append(logger.save_session(tmp_path / "saved")))
        worker.join(0.2)  # it may be done by now, or wait for the attempt
        go_on.set()
        worker.finish()
        assert [line["path"] for line in lines_of(saved[0])] == ["a"]

    def test_recording_goes_to_the_file_when_the_cause_is_gone(self, blocked: Path, warnings_logged: list[str]) -> None:
        """Recovery is by itself: what was kept is in the journal, followed by what came after, without a gap."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        for number in range(10):
            logger.log_file_read(f"{number}")
        blocked.parent.unlink()

        def recovered() -> bool:
            logger.log_file_read("later")
            return logger.statistics().mode in ("mmap", "write")

        eventually(recovered, "the session to find its file")
        logger.log_file_read("last")
        logger.close()
        paths = [line["path"] for line in lines_of(logger.path)]
        assert paths[:10] == [f"{number}" for number in range(10)]
        assert set(paths[10:-1]) == {"later"} and paths[-1] == "last"
        assert len(warnings_logged) == 1
        assert_sound(logger.path)

    def test_recovery_needs_no_further_event(self, blocked: Path) -> None:
        """What was kept is written though the agent logs nothing more."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        logger.log_file_read("a")
        blocked.parent.unlink()
        eventually(logger.path.exists, "the journal to be made")
        logger.close()
        assert [line["path"] for line in lines_of(logger.path)] == ["a"]

    def test_memory_is_bounded(self, blocked: Path, warnings_logged: list[str]) -> None:
        """Beyond `memory_bytes` the queue is full: dropped, counted, told with a warning of its own."""
        logger = SessionLogger("agent", "s", output_dir=blocked, memory_bytes=10_000, when_full="drop")
        for number in range(100):
            logger.log_tool_call(f"{number}", PAD, number)
        recorded = logger.get_session_summary().tool_calls_count
        assert 0 < recorded < 10
        assert logger.statistics().dropped == 100 - recorded
        assert len(logger.events) == recorded
        assert len(warnings_logged) == 2

    def test_full_memory_raises_where_it_shall(self, blocked: Path) -> None:
        """`when_full` holds for this mode as well."""
        logger = SessionLogger("agent", "s", output_dir=blocked, memory_bytes=10_000, when_full="raise")
        with pytest.raises(QueueFullError):
            for number in range(100):
                logger.log_tool_call(f"{number}", PAD, number)
        assert logger.statistics().dropped == 0

    def test_threads_share_the_memory_without_a_gap(self, blocked: Path, tmp_path: Path) -> None:
        """Concurrent calls are as safe as with a file."""
        logger = SessionLogger("agent", "s", output_dir=blocked)

        def work(thread: int) -> None:
            for number in range(200):
                logger.log_tool_call(f"{thread}", {}, number)

        for worker in [Worker(lambda thread=thread: work(thread)) for thread in range(3)]:
            worker.finish()
        path = logger.save_session(tmp_path / "saved")
        assert [line["seq"] for line in lines_of(path)] == list(range(1, 601))

    def test_flush_tells_that_there_is_no_file(self, blocked: Path) -> None:
        """Whoever wants the events on disk learns why they are not, with the cause."""
        logger = SessionLogger("agent", "s", output_dir=blocked)
        logger.log_file_read("a")
        with pytest.raises(WriterFailedError) as caught:
            logger.flush()
        assert isinstance(caught.value.__cause__, OSError)


class TestFailingDisk:
    """A writer that cannot write for a while."""

    def test_disk_that_fills_is_ridden_out(self, tmp_path: Path, held_writer: HeldWriter) -> None:
        """What was accepted waits in the ring; `flush` and `statistics` tell; writing resumes by itself."""
        logger = SessionLogger("agent", "s", output_dir=tmp_path)
        logger.log_file_read("a")
        logger.flush()
        held_writer.fail(lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        logger.log_file_read("b")
        with pytest.raises(WriterFailedError) as caught:
            logger.flush()
        assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOSPC
        assert caught.value.pending_bytes > 0
        assert logger.statistics().error
        assert sum(1 for _ in read_events(logger.path)) == 2
        held_writer.release()
        eventually(lambda: len(lines_of(logger.path)) == 2, "the writer to go on by itself")
        logger.flush()
        assert logger.statistics().error is None
        logger.close()
        assert_sound(logger.path)

    def test_short_writes_are_gone_on_with(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write that takes only a few bytes at a time puts the same bytes at the same place."""
        real = os.pwrite
        calls = threading.Event()

        def short(fd: int, data: bytes | memoryview, offset: int) -> int:
            calls.set()
            return real(fd, memoryview(data)[:7], offset)

        monkeypatch.setattr("deia.system.pwrite", short)
        with SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write") as logger:
            for number in range(20):
                logger.log_file_read(f"{number}")
        assert calls.is_set()
        assert [line["path"] for line in lines_of(logger.path)] == [f"{number}" for number in range(20)]
        assert_sound(logger.path)


def test_call_inside_a_waiting_call_hardly_waits(tmp_path: Path, held_writer: HeldWriter) -> None:
    """A signal handler that logs gives up at once what finds no room, however long the call under it may wait."""
    logger = full_logger(tmp_path, held_writer, when_full="wait", full_timeout_s=10_000)
    inner: list[int] = []

    def handle(number: int, frame: object) -> None:
        logger.log_tool_call("inner", PAD, 1)
        inner.append(logger.statistics().dropped)
        held_writer.release()

    earlier = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1)  # by then the queue is full, and a call waits
        fill(logger)
    finally:
        signal.signal(signal.SIGALRM, earlier)
    logger.close()
    assert inner == [1]
    assert told_as_dropped(logger.path) == 1
    assert_sound(logger.path)


def test_queue_that_fills_while_it_is_relieved_is_relieved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fills the queue during the very write that relieves it does not wait for the next flush."""
    real = os.pwrite
    writes: list[int] = []
    most_of_it = {"pad": "x" * (RING_BYTES * 5 // 8)}

    def write_and_log(fd: int, data: bytes | memoryview, offset: int) -> int:
        written = real(fd, data, offset)
        if not writes and os.path.samestat(os.fstat(fd), os.stat(logger.path)):
            writes.append(written)
            logger.log_tool_call("meanwhile", most_of_it, 2)
        return written

    monkeypatch.setattr("deia.bus.loop.Background.consume", lambda *_: None)  # the next flush never comes
    monkeypatch.setattr("deia.system.pwrite", write_and_log)
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES)
    logger.log_tool_call("first", most_of_it, 1)
    eventually(lambda: writes and logger.statistics().pending_bytes == 0, "what was logged meanwhile to be written")
    logger.close()
    assert_gapless(logger.path)


def test_interrupted_call_leaves_the_relief_of_the_queue_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C may come between the decision to write and the writing: the next call decides anew."""
    submit = Session.submit
    interrupted: list[object] = []

    def interrupt_once(session: Session, job: Callable[[], object]) -> Future[object]:
        if not interrupted:
            interrupted.append(job)
            raise KeyboardInterrupt
        return submit(session, job)

    monkeypatch.setattr("deia.bus.loop.Background.consume", lambda *_: None)  # the next flush never comes
    monkeypatch.setattr(Session, "submit", interrupt_once)
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=RING_BYTES)
    with pytest.raises(KeyboardInterrupt):
        logger.log_tool_call("interrupted", {"pad": "x" * (RING_BYTES * 5 // 8)}, 1)
    logger.log_tool_call("next", {}, 2)
    eventually(lambda: logger.statistics().pending_bytes == 0, "both to be written")
    logger.close()
    assert [line["name"] for line in lines_of(logger.path)] == ["interrupted", "next"]
    assert_sound(logger.path)
