"""`AsyncSessionLogger`: the contract of `SessionLogger`, awaited, on asyncio, uvloop and trio."""

from __future__ import annotations

import asyncio
import contextvars
import errno
import inspect
import math
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
from anyio import wait_all_tasks_blocked

import deia
from deia import AsyncSessionLogger, SessionLogger, read_events, system
from deia.errors import FlushTimeoutError, LoggerClosedError, QueueFullError, SessionLockedError, WriterFailedError
from deia.services.session_logger import FileEvent, SessionAnalysis, TaskEvent, ToolEvent
from support.held_writer import HeldWriter
from support.lines import assert_gapless, lines_of
from support.odd_data import Odd, each_odd_value
from support.waiting import PATIENCE_S, Worker

pytestmark = pytest.mark.anyio

RING_BYTES = 64 * 1024
PAD = {"pad": "x" * 1000}


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Where the session's files are; not made yet."""
    return tmp_path / "sessions"


@pytest.fixture
async def logger(sessions: Path) -> AsyncIterator[AsyncSessionLogger]:
    """A new logger with short names; closed after the test."""
    logger = AsyncSessionLogger("AGENT-004", "session-1", output_dir=sessions)
    yield logger
    await logger.close()


def suspensions(awaitable: Awaitable[Any]) -> int:
    """Drive an awaitable without any event loop; return how often it wanted to wait for one."""
    steps = 0
    waiting = awaitable.__await__()
    try:
        while True:
            next(waiting)
            steps += 1
    except StopIteration:
        return steps


async def log_one_of_each(logger: AsyncSessionLogger) -> None:
    """Log five events, one by each call."""
    await logger.log_task_start("write_tests", {"priority": "P1"})
    await logger.log_file_read("/tests/test_logger.py", 4096)
    await logger.log_tool_call("pytest", {"path": "tests/"}, 2500)
    await logger.log_file_write("/tests/test_new.py", 1024, 30)
    await logger.log_task_complete("write_tests", 1_800_333, {"passed": True})


async def flushed(logger: AsyncSessionLogger) -> list[dict[str, Any]]:
    """Return the journal's lines as another tool sees them once they are flushed."""
    await logger.flush()
    return lines_of(logger.path)


class TestSameContract:
    """What the synchronous logger promises, awaited."""

    async def test_calls_and_arguments_are_those_of_the_sync_logger(self) -> None:
        """Whoever knows one knows the other: every public method has the same parameters."""
        names = [name for name in vars(SessionLogger) if not name.startswith("_") and name != "events"]
        assert "log_task_start" in names
        for name in names:
            ours, theirs = getattr(AsyncSessionLogger, name), getattr(SessionLogger, name)
            if callable(theirs):
                assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters), name
        parameters = list(inspect.signature(AsyncSessionLogger).parameters)
        assert parameters == list(inspect.signature(SessionLogger).parameters)

    async def test_attributes_are_there(self, logger: AsyncSessionLogger, sessions: Path) -> None:
        """Names, time and path are plain attributes; a new session has no events."""
        assert (logger.agent_id, logger.session_id) == ("AGENT-004", "session-1")
        assert logger.path == sessions / "AGENT-004_session-1.jsonl"
        assert logger.start_time > 0
        assert await logger.events() == []
        assert not sessions.exists()

    async def test_lines_are_those_of_the_sync_logger(self, logger: AsyncSessionLogger, sessions: Path) -> None:
        """Both write the same fields in the same order with the same values; only names and times differ."""
        await log_one_of_each(logger)
        with SessionLogger("other", "s", output_dir=sessions) as sync:
            sync.log_task_start("write_tests", {"priority": "P1"})
            sync.log_file_read("/tests/test_logger.py", 4096)
            sync.log_tool_call("pytest", {"path": "tests/"}, 2500)
            sync.log_file_write("/tests/test_new.py", 1024, 30)
            sync.log_task_complete("write_tests", 1_800_333, {"passed": True})
        ours, theirs = await flushed(logger), lines_of(sync.path)
        assert [list(line) for line in ours] == [list(line) for line in theirs]
        varying = {"timestamp", "start_time", "end_time", "session_start", "agent_id", "session_id"}
        for mine, yours in zip(ours, theirs, strict=True):
            assert {k: v for k, v in mine.items() if k not in varying} == {
                k: v for k, v in yours.items() if k not in varying
            }

    async def test_events_are_read_back(self, logger: AsyncSessionLogger) -> None:
        """`events()` gives them in order, a completed task being one."""
        await log_one_of_each(logger)
        task, *others = await logger.events()
        assert isinstance(task, TaskEvent)
        assert task.end_time is not None and task.metadata == {"priority": "P1", "passed": True}
        assert others == [
            FileEvent("/tests/test_logger.py", "read", 4096),
            ToolEvent("pytest", {"path": "tests/"}, 2500),
            FileEvent("/tests/test_new.py", "write", 1024, 30),
        ]

    async def test_summary_and_analysis(self, logger: AsyncSessionLogger) -> None:
        """Live counters and the file agree."""
        await log_one_of_each(logger)
        summary = await logger.get_session_summary()
        assert (summary.tasks_completed, summary.files_read, summary.files_written) == (1, 1, 1)
        assert summary.tool_calls_count == 1
        analysis = await logger.analyze_session(logger.path)
        assert isinstance(analysis, SessionAnalysis)
        assert analysis.task_breakdown == {"write_tests": 1_800_333}

    async def test_save_session_copies(self, logger: AsyncSessionLogger, tmp_path: Path) -> None:
        """The barrier and the copy are awaited; nothing but the copy is in the other directory."""
        await log_one_of_each(logger)
        copy = await logger.save_session(tmp_path / "other")
        assert copy == tmp_path / "other" / "AGENT-004_session-1.jsonl"
        assert copy.read_bytes() == logger.path.read_bytes()
        assert len(lines_of(copy)) == 5
        assert os.listdir(tmp_path / "other") == [copy.name]
        assert (await logger.save_session(logger.path.parent)) == logger.path

    async def test_empty_session_is_saved_as_an_empty_file(self, logger: AsyncSessionLogger, tmp_path: Path) -> None:
        """No event, no line."""
        assert (await logger.save_session(tmp_path / "other")).read_bytes() == b""

    async def test_async_with_closes(self, sessions: Path) -> None:
        """Leaving the block flushes and closes, after an error too; a log call then raises."""
        logger = AsyncSessionLogger("agent", "s", output_dir=sessions)
        with pytest.raises(ZeroDivisionError):
            async with logger as same:
                assert same is logger
                await logger.log_file_read("a")
                raise ZeroDivisionError
        assert len(lines_of(logger.path)) == 1
        assert os.listdir(sessions) == ["agent_s.jsonl"]
        with pytest.raises(LoggerClosedError):
            await logger.log_file_read("b")
        await logger.close()

    async def test_sync_covers_everything_logged_so_far(self, logger: AsyncSessionLogger) -> None:
        """After it an fsync has returned for all of it."""
        await logger.log_file_read("a")
        await logger.sync()
        statistics = await logger.statistics()
        assert statistics.durable_offset == statistics.end_offset == logger.path.stat().st_size

    async def test_open_makes_the_files(self, logger: AsyncSessionLogger, sessions: Path) -> None:
        """Errors of opening can be had early."""
        await logger.open()
        assert logger.path.read_bytes() == b""
        other = AsyncSessionLogger("AGENT-004", "session-1", output_dir=sessions)
        with pytest.raises(SessionLockedError):
            await other.open()
        with pytest.raises(SessionLockedError):
            await other.log_file_read("a")

    async def test_orphan_warns_once(self, logger: AsyncSessionLogger, warnings_logged: list[str]) -> None:
        """Through the same module global, in the same words."""
        await logger.log_task_complete("lost")
        assert warnings_logged == ["Task complete event logged without corresponding start event: lost"]
        assert (await flushed(logger))[0]["orphan"] is True
        assert await logger.events() == []

    async def test_wrong_calls_raise_and_record_nothing(self, logger: AsyncSessionLogger) -> None:
        """The error names argument and value."""
        with pytest.raises(ValueError, match="task_name"):
            await logger.log_task_start("")
        with pytest.raises(TypeError, match="task_name.*7"):
            await logger.log_task_complete(7)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="size_bytes.*-1"):
            await logger.log_file_read("a", -1)
        with pytest.raises(ValueError, match="size_bytes.*-1"):
            await logger.log_file_write("a", -1)
        with pytest.raises(ValueError, match="tool_name"):
            await logger.log_tool_call("", {}, 1)
        assert await logger.events() == []
        assert not logger.path.exists()

    @each_odd_value
    async def test_odd_value_is_recorded_readably(self, logger: AsyncSessionLogger, odd: Odd) -> None:
        """Odd data never raises here either."""
        await logger.log_tool_call("t", {"value": odd.make()}, 1)
        (line,) = await flushed(logger)
        assert odd.kept(line["params"]["value"]), line["params"]

    async def test_impossible_duration_is_zero_with_the_given_one_beside_it(
        self, logger: AsyncSessionLogger, warnings_logged: list[str]
    ) -> None:
        """As in the sync logger, with one warning."""
        await logger.log_tool_call("t", {}, math.nan)
        (line,) = await flushed(logger)
        assert line["duration_ms"] == 0
        assert line["given_duration_ms"].lower() == "nan"
        assert len(warnings_logged) == 1

    async def test_disabled_logger_records_nothing(
        self, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, warnings_logged: list[str]
    ) -> None:
        """`DEIA_DISABLED` holds for both loggers."""
        monkeypatch.setenv("DEIA_DISABLED", "1")
        async with AsyncSessionLogger("agent", "s") as logger:
            await log_one_of_each(logger)
            await logger.log_task_complete("lost")
            await logger.flush()
            await logger.sync()
            await logger.save_session(elsewhere / "saved")
            assert await logger.events() == []
        assert list(elsewhere.iterdir()) == []
        assert warnings_logged == []

    async def test_dict_changed_after_the_call_does_not_change_the_record(self, logger: AsyncSessionLogger) -> None:
        """The line is made before the call returns."""
        params: dict[str, Any] = {"a": [1]}
        await logger.log_tool_call("t", params, 1)
        params["a"].append(2)
        assert (await flushed(logger))[0]["params"] == {"a": [1]}


class TestSuspending:
    """Awaiting a log call suspends only where the queue is full or `sync_policy="always"`."""

    async def test_log_calls_do_not_suspend(self, logger: AsyncSessionLogger) -> None:
        """Not even the first one, which opens the session."""
        assert suspensions(logger.log_task_start("a", {"x": 1})) == 0
        for _ in range(100):
            assert suspensions(logger.log_file_read("a", 1)) == 0
            assert suspensions(logger.log_file_write("a", 1, 1)) == 0
            assert suspensions(logger.log_tool_call("a", {}, 1)) == 0
        assert suspensions(logger.log_task_complete("a")) == 0
        assert suspensions(logger.log_task_complete("lost")) == 0
        assert len(await flushed(logger)) == 303

    async def test_log_calls_do_not_let_other_tasks_run(self, logger: AsyncSessionLogger) -> None:
        """A series of calls is one piece of work for the loop, so what they record is in one order."""
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(self._log_ten, logger, number)
        names = [line["path"] for line in await flushed(logger)]
        assert [len(set(names[at : at + 10])) for at in (0, 10, 20)] == [1, 1, 1]

    @staticmethod
    async def _log_ten(logger: AsyncSessionLogger, number: int) -> None:
        for _ in range(10):
            await logger.log_file_read(f"{number}")

    async def test_full_queue_suspends_the_task_and_not_the_loop(self, sessions: Path, held_writer: HeldWriter) -> None:
        """While one task waits for room the others run; when there is room it goes on, and nothing was dropped."""
        async with AsyncSessionLogger(
            "agent", "s", output_dir=sessions, queue_bytes=RING_BYTES, full_timeout_s=PATIENCE_S
        ) as logger:
            await logger.open()
            held_writer.hold()
            finished = False

            async def log_more_than_fits() -> None:
                nonlocal finished
                for _ in range(200):
                    await logger.log_tool_call("t", PAD, 1)
                finished = True

            async with anyio.create_task_group() as group:
                group.start_soon(log_more_than_fits)
                await wait_all_tasks_blocked()
                assert not finished
                assert (await logger.statistics()).logged < 200
                held_writer.release()
            assert finished
            assert len(await flushed(logger)) == 200
            assert (await logger.statistics()).dropped == 0
            assert_gapless(logger.path)

    async def test_waiting_for_room_can_be_cancelled(self, sessions: Path, held_writer: HeldWriter) -> None:
        """Cancelling the wait records nothing of that call; whoever logs next finds the session in order."""
        async with AsyncSessionLogger(
            "agent", "s", output_dir=sessions, queue_bytes=RING_BYTES, full_timeout_s=PATIENCE_S
        ) as logger:
            await logger.open()
            held_writer.hold()
            returned = 0

            async def log_more_than_fits() -> None:
                nonlocal returned
                for number in range(200):
                    await logger.log_tool_call(f"{number}", PAD, 1)
                    returned += 1

            async with anyio.create_task_group() as group:
                group.start_soon(log_more_than_fits)
                await wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            assert 0 < returned < 200
            held_writer.release()
            await logger.log_file_read("after")
            lines = await flushed(logger)
            tools = [line["name"] for line in lines if line["type"] == "ToolEvent"]
            assert tools == [f"{number}" for number in range(returned)]
            assert lines[-1]["type"] == "FileEvent"
            assert_gapless(logger.path)

    async def test_flush_can_be_cancelled(self, logger: AsyncSessionLogger, held_writer: HeldWriter) -> None:
        """Cancelling the wait does not cancel the write."""
        await logger.open()
        held_writer.hold()
        await logger.log_file_read("a")
        async with anyio.create_task_group() as group:
            group.start_soon(logger.flush)
            await wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        held_writer.release()
        assert len(await flushed(logger)) == 1

    @pytest.mark.parametrize("barrier", ["flush", "sync", "close"])
    async def test_barrier_gives_up_in_time_and_loses_nothing(
        self, logger: AsyncSessionLogger, held_writer: HeldWriter, barrier: str
    ) -> None:
        """A disk that hangs ends the wait, not the record."""
        await logger.open()
        held_writer.hold()
        await logger.log_file_read("a")
        with pytest.raises(FlushTimeoutError):
            await getattr(logger, barrier)(timeout_s=0.05)
        assert sum(1 for _ in read_events(logger.path)) == 1
        held_writer.release()
        await logger.close()
        assert len(lines_of(logger.path)) == 1

    async def test_flush_tells_why_the_writer_cannot_write(
        self, logger: AsyncSessionLogger, held_writer: HeldWriter
    ) -> None:
        """The next flush raises the disk's error; when its cause is gone everything is written."""
        await logger.log_file_read("a")
        await logger.flush()
        held_writer.fail(lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        await logger.log_file_read("b")
        with pytest.raises(WriterFailedError) as caught:
            await logger.flush()
        assert isinstance(caught.value.__cause__, OSError)
        held_writer.release()
        assert len(await flushed(logger)) == 2

    async def test_full_queue_raises_where_it_shall(self, sessions: Path, held_writer: HeldWriter) -> None:
        """Under `when_full="raise"` nothing waits and nothing of the call is recorded."""
        async with AsyncSessionLogger(
            "agent", "s", output_dir=sessions, queue_bytes=RING_BYTES, when_full="raise"
        ) as logger:
            await logger.open()
            held_writer.hold()
            recorded = 0
            with pytest.raises(QueueFullError):
                for _ in range(200):
                    await logger.log_tool_call("t", PAD, 1)
                    recorded += 1
            assert recorded > 10
            held_writer.release()
            assert len(await flushed(logger)) == recorded


class TestSyncPolicyAlways:
    """`sync_policy="always"`: awaited calls return after an fsync that covers them."""

    async def test_call_returns_after_its_fsync(self, sessions: Path) -> None:
        """What a call recorded survives a loss of power once it returned."""
        async with AsyncSessionLogger("agent", "s", output_dir=sessions, sync_policy="always") as logger:
            for _ in range(3):
                await logger.log_file_read("a")
                statistics = await logger.statistics()
                assert statistics.durable_offset == statistics.end_offset > 0

    async def test_concurrent_calls_share_an_fsync(self, sessions: Path, held_sync: HeldSync) -> None:
        """What was logged while one fsync ran is covered by the next one together."""
        async with AsyncSessionLogger("agent", "s", output_dir=sessions, sync_policy="always") as logger:
            await logger.log_file_read("first")
            held_sync.hold()
            async with anyio.create_task_group() as group:
                for number in range(20):
                    group.start_soon(logger.log_file_read, f"{number}")
                await wait_all_tasks_blocked()
                assert (await logger.statistics()).logged == 21
                held_sync.release()
            assert held_sync.count <= 6
            statistics = await logger.statistics()
            assert statistics.durable_offset == statistics.end_offset

    async def test_cancelling_stops_the_wait_and_not_the_record(self, sessions: Path, held_sync: HeldSync) -> None:
        """An event whose call was cancelled while it waited for the disk is in the log all the same."""
        async with AsyncSessionLogger("agent", "s", output_dir=sessions, sync_policy="always") as logger:
            await logger.log_file_read("first")
            held_sync.hold()
            async with anyio.create_task_group() as group:
                group.start_soon(logger.log_file_read, "cancelled")
                await wait_all_tasks_blocked()
                group.cancel_scope.cancel()
            held_sync.release()
            await logger.log_file_read("last")
            assert [line["path"] for line in await flushed(logger)] == ["first", "cancelled", "last"]


class HeldSync:
    """An fsync that the test can hold, and that is counted while it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self._free = threading.Event()
        self._free.set()
        self._sync = system.sync
        monkeypatch.setattr(system, "sync", self._held_sync)

    def hold(self) -> None:
        """From now on every fsync waits, and is counted."""
        self.count = 0
        self._free.clear()

    def release(self) -> None:
        """Let them through."""
        self._free.set()

    def _held_sync(self, fd: int) -> None:
        self.count += 1
        self._free.wait()
        self._sync(fd)


@pytest.fixture
def held_sync(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An fsync to be held; let go at the end, whatever happened."""
    sync = HeldSync(monkeypatch)
    yield sync
    sync.release()


class TestNestingAcrossTasks:
    """Task nesting follows contextvars, so it follows structured concurrency."""

    async def test_child_tasks_inherit_and_keep_their_own(self, logger: AsyncSessionLogger) -> None:
        """What a child task starts is inside what it was spawned in, and no sibling or parent is inside it."""
        started = [anyio.Event() for _ in range(2)]

        async def child(number: int) -> None:
            await logger.log_task_start(f"child {number}")
            started[number].set()
            await started[1 - number].wait()
            await logger.log_tool_call(f"in child {number}", {}, 1)
            await logger.log_task_complete(f"child {number}")

        await logger.log_task_start("parent")
        async with anyio.create_task_group() as group:
            for number in range(2):
                group.start_soon(child, number)
            for event in started:
                await event.wait()
            await logger.log_file_read("in parent")
        await logger.log_task_complete("parent")
        lines = await flushed(logger)
        ids = {line["name"]: line["task_id"] for line in lines if line["type"] == "TaskEvent"}
        parents = {line["name"]: line["parent_id"] for line in lines if line["type"] == "TaskEvent"}
        assert parents == {"parent": None, "child 0": ids["parent"], "child 1": ids["parent"]}
        tools = {line["name"]: line["task_id"] for line in lines if line["type"] == "ToolEvent"}
        assert tools == {"in child 0": ids["child 0"], "in child 1": ids["child 1"]}
        assert [line["task_id"] for line in lines if line["type"] == "FileEvent"] == [ids["parent"]]

    async def test_task_completed_by_another_task_is_left_by_its_own(
        self, logger: AsyncSessionLogger, warnings_logged: list[str]
    ) -> None:
        """Completion by name searches the whole session; the context that started the task is out of it then."""
        started, completed = anyio.Event(), anyio.Event()

        async def child() -> None:
            await logger.log_task_start("inner")
            started.set()
            await completed.wait()
            await logger.log_file_read("after")

        await logger.log_task_start("outer")
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            await started.wait()
            await logger.log_task_complete("inner")
            completed.set()
        lines = await flushed(logger)
        assert warnings_logged == []
        assert [line["task_id"] for line in lines if line["type"] == "FileEvent"] == [1]

    async def test_sync_and_async_loggers_keep_their_own_tasks(
        self, logger: AsyncSessionLogger, sessions: Path
    ) -> None:
        """Two sessions in one context do not mix."""
        with SessionLogger("other", "s", output_dir=sessions) as other:
            await logger.log_task_start("a")
            other.log_file_read("b")
            other.flush()
            assert lines_of(other.path)[0]["task_id"] is None

    async def test_context_run_is_honoured(self, logger: AsyncSessionLogger) -> None:
        """A call driven in a context of its own belongs to nothing that is open elsewhere."""
        await logger.log_task_start("a")
        assert contextvars.Context().run(suspensions, logger.log_file_read("b")) == 0
        assert (await flushed(logger))[1]["task_id"] is None


def run_asyncio(main: Callable[[], Any]) -> None:
    """Run in a new asyncio loop."""
    asyncio.run(main())


def run_trio(main: Callable[[], Any]) -> None:
    """Run in a new trio loop."""
    trio.run(main)


class TestManyLoops:
    """Loops come and go, the recording stays."""

    def test_one_logger_outlives_many_event_loops(self, sessions: Path) -> None:
        """`asyncio.run` again and again, and trio in between, continue one session."""
        logger = deia.AsyncSessionLogger("agent", "s", output_dir=sessions)

        async def main() -> None:
            await log_one_of_each(logger)
            await logger.flush()

        for number in range(6):
            (run_trio if number % 3 == 2 else run_asyncio)(main)
        run_asyncio(logger.close)
        assert [line["seq"] for line in lines_of(logger.path)] == list(range(1, 31))

    def test_log_calls_need_no_loop_at_all(self, sessions: Path) -> None:
        """A call that does not suspend can be driven by anything, and its event is there."""
        logger = AsyncSessionLogger("agent", "s", output_dir=sessions)
        assert suspensions(logger.log_file_read("a")) == 0
        assert sum(1 for _ in read_events(logger.path)) == 1
        run_asyncio(logger.close)

    def test_threads_with_loops_of_their_own_share_a_logger(self, sessions: Path) -> None:
        """Four threads on three kinds of loop record one session without a gap, each in its own order."""
        logger = AsyncSessionLogger("agent", "s", output_dir=sessions)

        async def main(thread: int) -> None:
            for number in range(200):
                await logger.log_tool_call(f"{thread}", {}, number)
                if number % 50 == 0:
                    await anyio.lowlevel.checkpoint()
                    await logger.flush()

        runs = [run_asyncio, run_trio, run_asyncio, run_trio]
        workers = [Worker(lambda run=run, thread=thread: run(lambda: main(thread))) for thread, run in enumerate(runs)]
        for worker in workers:
            worker.finish()
        run_trio(logger.close)
        lines = lines_of(logger.path)
        assert [line["seq"] for line in lines] == list(range(1, 801))
        for thread in range(4):
            assert [line["duration_ms"] for line in lines if line["name"] == f"{thread}"] == list(range(200))

    def test_recording_goes_on_while_the_agents_loop_is_blocked(self, sessions: Path) -> None:
        """A loop that hangs in a synchronous call holds up neither the writer nor another thread's calls."""
        logger = AsyncSessionLogger("agent", "s", output_dir=sessions)
        blocked, go_on = threading.Event(), threading.Event()

        async def agent() -> None:
            await logger.log_file_read("before the block")
            blocked.set()
            assert go_on.wait(PATIENCE_S)
            await logger.log_file_read("after the block")

        worker = Worker(lambda: run_asyncio(agent))
        assert blocked.wait(PATIENCE_S)

        async def other() -> None:
            await logger.log_file_read("meanwhile")
            await logger.flush()

        run_asyncio(other)
        assert [line["path"] for line in lines_of(logger.path)] == ["before the block", "meanwhile"]
        go_on.set()
        worker.finish()
        run_asyncio(logger.close)
        assert len(lines_of(logger.path)) == 3
