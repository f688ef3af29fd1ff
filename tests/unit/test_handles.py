"""`task` and `tool`: blocks that record their beginning, their end, and how they ended."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from anyio import wait_all_tasks_blocked

from deia import AsyncSessionLogger, SessionLogger, TaskEvent, ToolEvent, in_context, read_events
from deia.errors import LoggerClosedError, QueueFullError
from deia.queue.tasks import current
from deia.services.recording import MustWait
from support.held_writer import HeldWriter
from support.lines import assert_sound, lines_of
from support.odd_data import Odd, each_odd_value
from support.waiting import PATIENCE_S


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[SessionLogger]:
    """A new logger; closed after the test."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    yield logger
    logger.close()


@pytest.fixture
async def awaited(tmp_path: Path) -> AsyncIterator[AsyncSessionLogger]:
    """The same, asynchronous."""
    logger = AsyncSessionLogger("agent", "s", output_dir=tmp_path)
    yield logger
    await logger.close()


def lines(logger: SessionLogger | AsyncSessionLogger) -> list[dict[str, Any]]:
    """Return what another tool sees of a session, once it is flushed."""
    recorder = logger if isinstance(logger, SessionLogger) else logger._recorder
    recorder.flush()
    return lines_of(logger.path)


def shape(logger: SessionLogger | AsyncSessionLogger) -> list[tuple[Any, ...]]:
    """Return of each line: what it is of, whether it begins or ends that, and the task that it belongs to."""
    told: list[tuple[Any, ...]] = []
    for line in lines(logger):
        if line["type"] == "TaskEvent":
            told.append(("start" if line["end_time"] is None else "end", line["name"], line["parent_id"]))
        else:
            told.append((line.get("name") or line.get("path") or line.get("content"), line["task_id"]))
    return told


class TestTask:
    """What a block records."""

    def test_start_and_completion_are_what_the_plain_calls_record(self, logger: SessionLogger) -> None:
        """The same fields in the same order; the duration is measured, and metadata merged."""
        with logger.task("plan", {"priority": "P1", "n": 1}) as task:
            assert (task.name, task.task_id) == ("plan", 1)
            task.metadata["n"] = 2
        logger.log_task_start("plan", {"priority": "P1", "n": 1})
        logger.log_task_complete("plan", metadata={"n": 2})
        first, second, third, fourth = lines(logger)
        first.pop("session_start")
        assert [list(line) for line in (first, second)] == [list(line) for line in (third, fourth)]
        assert (first["name"], first["metadata"]) == ("plan", {"priority": "P1", "n": 1})
        assert second["metadata"] == fourth["metadata"] == {"priority": "P1", "n": 2}
        assert logger.get_session_summary().tasks_completed == 2
        assert [event.name for event in logger.events if isinstance(event, TaskEvent)] == ["plan", "plan"]
        assert_open_tasks(logger, [])

    def test_blocks_and_plain_calls_may_be_mixed(self, logger: SessionLogger) -> None:
        """Whatever is innermost is the parent."""
        with logger.task("a"):
            logger.log_task_start("b")
            with logger.task("c"):
                logger.log_file_read("in c")
            logger.log_file_read("in b")
            logger.log_task_complete("b")
            logger.log_file_read("in a")
        logger.log_file_read("outside")
        assert shape(logger) == [
            ("start", "a", None),
            ("start", "b", 1),
            ("start", "c", 2),
            ("in c", 3),
            ("end", "c", 2),
            ("in b", 2),
            ("end", "b", 1),
            ("in a", 1),
            ("end", "a", None),
            ("outside", None),
        ]

    def test_each_block_completes_its_own_task_whatever_else_has_its_name(self, logger: SessionLogger) -> None:
        """In any order: a name tells which was begun last, a block which one it is."""
        first, second = logger.task("fetch", {"n": 1}), logger.task("fetch", {"n": 2})
        first.__enter__()
        second.__enter__()
        logger.log_task_start("fetch", {"n": 3})
        first.__exit__(None, None, None)
        logger.log_task_complete("fetch")
        second.__exit__(None, None, None)
        ends = [line for line in lines(logger) if line["end_time"] is not None]
        assert [(line["task_id"], line["metadata"]["n"]) for line in ends] == [(1, 1), (3, 3), (2, 2)]
        assert_open_tasks(logger, [])

    def test_task_of_a_block_may_be_completed_by_its_name_and_is_not_completed_again(
        self, logger: SessionLogger, warnings_logged: list[str]
    ) -> None:
        """By name the newest open task is meant, however it was begun."""
        logger.log_task_start("a", {"by": "name"})
        with logger.task("a", {"by": "block"}):
            logger.log_task_complete("a", duration_ms=5)
            logger.log_file_read("after it")
        logger.log_task_complete("a")
        ends = [line for line in lines(logger) if line.get("end_time") is not None]
        assert [(line["task_id"], line["metadata"]) for line in ends] == [(2, {"by": "block"}), (1, {"by": "name"})]
        assert shape(logger)[3] == ("after it", 1)
        assert warnings_logged == []

    def test_exception_is_recorded_and_goes_on(self, logger: SessionLogger) -> None:
        """With its type, its module unless it is built in, and its message."""
        error = trio.BrokenResourceError("gone")
        for raised in (ValueError("no"), KeyError(), error):
            with pytest.raises(type(raised)) as caught, logger.task("t"):
                raise raised
            assert caught.value is raised
        ends = [line for line in lines(logger) if line["end_time"] is not None]
        assert [(line["error_type"], line["error"]) for line in ends] == [
            ("ValueError", "no"),
            ("KeyError", "KeyError"),
            ("trio.BrokenResourceError", "gone"),
        ]
        assert list(ends[0])[5:10] == ["duration_ms", "error_type", "error", "task_id", "parent_id"]
        event = next(event for event in read_events(logger.path) if isinstance(event, TaskEvent) and event.end_time)
        assert (event.error_type, event.error, event.cancelled) == ("ValueError", "no", False)
        first = logger.events[0]
        assert isinstance(first, TaskEvent) and first.error == "no"
        assert logger.get_session_summary().tasks_completed == 3

    @pytest.mark.parametrize("error", [GeneratorExit(), SystemExit(), SystemExit(0)], ids=repr)
    def test_orderly_exit_is_no_failure(self, logger: SessionLogger, error: BaseException) -> None:
        """A generator that is closed, a program that ends."""
        with pytest.raises(type(error)), logger.task("t"):
            raise error
        assert not {"error", "error_type", "cancelled"} & lines(logger)[1].keys()

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit("no"), SystemExit(3)], ids=repr)
    def test_whatever_else_ends_a_block_is_a_failure(self, logger: SessionLogger, error: BaseException) -> None:
        """An interrupt from the keyboard, an exit with a code."""
        with pytest.raises(type(error)), logger.task("t"):
            raise error
        assert lines(logger)[1]["error_type"] == type(error).__name__

    def test_exception_that_raises_at_every_look_is_recorded(self, logger: SessionLogger) -> None:
        """Its own methods are the caller's code."""

        class Broken(Exception):
            def __getattr__(self, name: str) -> None:
                raise RuntimeError(name)

            def __str__(self) -> str:
                raise RuntimeError

        with pytest.raises(Broken), logger.task("t"):
            raise Broken
        assert lines(logger)[1]["error_type"].endswith("Broken")

    def test_whatever_an_exception_makes_of_its_type_and_its_text_it_goes_on_and_is_recorded(
        self, logger: SessionLogger
    ) -> None:
        """Its class's name, its message, and how deep a group is are the caller's."""

        class Text(str):
            def encode(self, *_: object) -> bytes:
                raise RuntimeError

        class OddMessage(Exception):
            def __str__(self) -> str:
                return Text("half \ud800")

        class Refusing(type):
            @property
            def __module__(cls) -> str:  # type: ignore[override]
                raise RuntimeError

        class NoName(Exception, metaclass=Refusing):
            pass

        class OddName(Exception):
            pass

        OddName.__module__ = "half \ud800"
        told = {}
        for error in (OddMessage(), NoName("x"), OddName("y")):
            with pytest.raises(type(error)), logger.task("t"):
                raise error
            line = lines(logger)[-1]
            told[type(error)] = line["error_type"].rpartition(".")[2], line["error"]
        assert told == {
            OddMessage: ("OddMessage", "half \\ud800"),
            NoName: ("NoName('x')", "NoName('x')"),
            OddName: ("OddName", "y"),
        }

    @pytest.mark.skipif(sys.version_info < (3, 11), reason="no groups")
    def test_group_may_be_as_deep_as_it_likes(self, logger: SessionLogger) -> None:
        """Deeper than calls can be."""
        group = ExceptionGroup("g", [ValueError()])  # noqa: F821
        for _ in range(sys.getrecursionlimit() * 2):
            group = ExceptionGroup("g", [group])  # noqa: F821
        ended: BaseException | None = None
        try:
            with logger.task("t"):
                raise group
        except BaseException as error:  # not `pytest.raises`, which would have to show what else comes  # noqa: BLE001
            ended = error
        assert ended is group
        assert lines(logger)[1]["error_type"] == "ExceptionGroup"

    def test_block_that_is_left_again_or_was_never_entered_records_nothing(self, logger: SessionLogger) -> None:
        """As whoever unwinds several of them by hand may do."""
        for block in (logger.task("t"), logger.tool("t")):
            block.__exit__(None, None, None)
            with block:
                pass
            block.__exit__(None, None, None)
        assert [line["type"] for line in lines(logger)] == ["TaskEvent", "TaskEvent", "ToolEvent"]

    def test_block_is_entered_once(self, logger: SessionLogger) -> None:
        """A second time would be another task: a wrong call, and nothing is recorded."""
        block = logger.task("t")
        with block:
            pass
        with pytest.raises(ValueError, match="'t' was begun before"), block:
            raise AssertionError("not reached")
        assert len(lines(logger)) == 2

    @pytest.mark.parametrize(("name", "error"), [("", ValueError), (None, TypeError), (5, TypeError)])
    def test_wrong_name_raises_where_it_is_written(
        self, logger: SessionLogger, name: Any, error: type[Exception]
    ) -> None:
        """Before anything is entered."""
        with pytest.raises(error, match="task_name"):
            logger.task(name)
        with pytest.raises(error, match="tool_name"):
            logger.tool(name)

    @each_odd_value
    def test_odd_data_never_raises(self, logger: SessionLogger, odd: Odd) -> None:
        """At the beginning, at the end, and in what an exception says."""
        with pytest.raises(RuntimeError), logger.task("t", {"odd": odd.make()}) as task:
            task.metadata["more"] = odd.make()
            with logger.tool("t", {"odd": odd.make()}) as call:
                call.params["more"] = odd.make()
                raise RuntimeError(odd.make())
        _, tool, end = lines(logger)
        assert odd.kept(tool["params"]["odd"]) and odd.kept(tool["params"]["more"])
        assert odd.kept(end["metadata"]["odd"]) and odd.kept(end["metadata"]["more"])
        assert end["error_type"] == tool["error_type"] == "RuntimeError" and end["error"]

    def test_what_the_caller_changes_afterwards_does_not_change_the_record(self, logger: SessionLogger) -> None:
        """What was given counts as it was then; what is put into the block, as it is at its end."""
        given = {"a": 1}
        with logger.task("t", given), logger.tool("x", given):
            given["a"] = 2
        assert [line.get("metadata", line.get("params")) for line in lines(logger)] == [{"a": 1}] * 3

    def test_secrets_are_kept_out_of_what_a_block_records(self, logger: SessionLogger) -> None:
        """Names, metadata, parameters and what exceptions quote."""
        with pytest.raises(RuntimeError), logger.task("t", {"password": "hunter22x"}) as task:
            task.metadata["token"] = "hunter22x"
            with logger.tool("psql", {"url": "postgres://ada:hunter22x@db"}) as call:
                call.params["password"] = "hunter22x"
                raise RuntimeError("bad url:\npostgres://ada:hunter22x@db")
        logger.flush()
        text = logger.path.read_text()
        assert "hunter22x" not in text and text.count("[redacted:") == 7

    def test_users_redaction_sees_how_a_block_ended(self, tmp_path: Path) -> None:
        """And is asked about a name once for each line."""
        seen: list[dict[str, Any]] = []

        def look(event: dict[str, Any]) -> dict[str, Any]:
            seen.append(dict(event))
            return {**event, "error": "withheld"} if event.get("error") else event

        with SessionLogger("agent", "r", output_dir=tmp_path, redact=look) as log:
            with pytest.raises(ValueError, match="no"), log.task("t"), log.tool("x"):
                raise ValueError("no")
        assert [event.get("error") for event in seen] == [None, "no", "no"]
        assert [line.get("error") for line in lines_of(log.path)] == [None, "withheld", "withheld"]

    def test_long_errors_are_cut_as_other_texts(self, tmp_path: Path) -> None:
        """By `max_event_bytes`."""
        with SessionLogger("agent", "r", output_dir=tmp_path, max_event_bytes=1024) as log:
            with pytest.raises(ValueError, match="x"), log.task("t"), log.tool("x"):
                raise ValueError("x" * 5000)
        assert max(map(len, log.path.read_bytes().splitlines())) < 1024
        assert all("[cut from 5000 bytes" in line["error"] for line in lines_of(log.path)[1:])

    def test_block_is_recorded_whichever_way_lines_take(self, tmp_path: Path) -> None:
        """Written through, kept in memory, and shifted behind a past that was not known yet."""
        (tmp_path / "obstacle").touch()
        for mode, place in (("write", tmp_path), ("auto", tmp_path / "obstacle" / "sessions")):
            log = SessionLogger("agent", mode, output_dir=place, queue_mode=mode)  # type: ignore[arg-type]
            with log.task("a"), log.task("b"), log.tool("x"):
                pass
            path = log.save_session(tmp_path / "saved")
            log.close()
            assert [(line["seq"], line["task_id"]) for line in lines_of(path)] == [
                (1, 1),
                (2, 2),
                (3, 2),
                (4, 2),
                (5, 1),
            ]

    def test_open_blocks_move_with_what_was_kept_in_memory(self, tmp_path: Path) -> None:
        """A session whose file could not be made at first finds its past there: ids move, blocks go on."""
        with SessionLogger("agent", "s", output_dir=tmp_path / "sessions") as earlier:
            earlier.log_file_read("a")
        (tmp_path / "sessions").rename(tmp_path / "away")
        (tmp_path / "sessions").touch()
        log = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
        with log.task("outer") as outer, log.task("inner"):
            assert (log.statistics().mode, outer.task_id) == ("memory", 1)
            (tmp_path / "sessions").unlink()
            (tmp_path / "away").rename(tmp_path / "sessions")
            log._session.open()
            assert outer.task_id == 3
            log.log_file_read("b")
        log.close()
        assert [(line["seq"], line.get("task_id"), line.get("parent_id")) for line in lines_of(log.path)] == [
            *((1, None, None), (2, None, None), (3, 3, None), (4, 4, 3), (5, 4, None), (6, 4, 3), (7, 3, None))
        ]
        assert_sound(log.path)

    def test_task_that_a_kill_interrupts_can_be_completed_by_its_name_later(self, tmp_path: Path) -> None:
        """In another run it is an open task like any other."""
        log = SessionLogger("agent", "s", output_dir=tmp_path)
        log.task("t").__enter__()
        log.close()
        with SessionLogger("agent", "s", output_dir=tmp_path) as again:
            again.log_task_complete("t", 5)
        assert lines_of(log.path)[-1]["task_id"] == 1

    def test_completion_after_close_raises_as_any_log_call(self, logger: SessionLogger) -> None:
        """Unless the block raises by itself: then that goes on, and a warning says that the end is not recorded."""
        with pytest.raises(LoggerClosedError), logger.task("t"):
            logger.close()

    def test_error_of_the_block_wins_over_one_of_the_record(
        self, logger: SessionLogger, warnings_logged: list[str]
    ) -> None:
        """Who catches what the block raises, catches it."""
        for block in (logger.task("t"), logger.tool("x")):
            with pytest.raises(ZeroDivisionError), block:
                logger.close()
                raise ZeroDivisionError
        assert len(warnings_logged) == 1
        assert "could not be recorded" in warnings_logged[0]

    def test_dropped_start_leaves_a_completion_without_one(
        self, tmp_path: Path, held_writer: HeldWriter, warnings_logged: list[str]
    ) -> None:
        """As the format has it; what is inside belongs to the task outside."""
        log = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536, when_full="drop")
        held_writer.hold()
        while not log.statistics().dropped:
            log.log_tool_call("x", {"pad": "x" * 1000}, 0)
        with log.task("t", {"a": 1, "pad": "x" * 1000}) as block:
            block.metadata["b"] = 2
            assert block.task_id is None
            held_writer.release()
            log.flush()
        log.close()
        last = lines_of(log.path)[-1]
        assert (last["name"], last["orphan"], last["task_id"]) == ("t", True, None)
        assert (last["metadata"]["a"], last["metadata"]["b"]) == (1, 2)
        assert not any("without corresponding" in warning for warning in warnings_logged)

    def test_disabled_logger_runs_blocks_and_records_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """`DEIA_DISABLED` changes nothing for the program."""
        monkeypatch.setenv("DEIA_DISABLED", "1")
        log = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
        with pytest.raises(ValueError, match="no"), log.task("t") as task, log.tool("x") as call:
            task.metadata["a"] = call.params["b"] = 1
            raise ValueError("no")
        assert not (tmp_path / "sessions").exists()


def assert_open_tasks(logger: SessionLogger, names: list[str]) -> None:
    """Assert which tasks are open, and that nothing is kept of the others."""
    producer = logger._session.producer
    assert [task.name for task in producer.open_tasks()] == names
    assert len(producer.held) + len(producer.tasks) <= len(names) + 1


class TestTool:
    """A call of a tool as a block."""

    def test_tool_is_one_line_at_its_end_in_the_task_of_its_beginning(self, logger: SessionLogger) -> None:
        """With the duration that was measured, and what was put in on the way."""
        with logger.task("a"), logger.tool("pytest", {"path": "tests/"}) as call:
            assert call.name == "pytest"
            logger.log_task_start("b")
            call.params["exit_code"] = 1
        tool = lines(logger)[2]
        assert (tool["type"], tool["name"], tool["params"]) == (
            "ToolEvent",
            "pytest",
            {"path": "tests/", "exit_code": 1},
        )
        assert (tool["task_id"], type(tool["duration_ms"])) == (1, int)
        assert list(tool)[:5] == ["type", "name", "params", "duration_ms", "task_id"]
        assert logger.get_session_summary().tool_calls_count == 1

    def test_failure_is_recorded_counted_and_goes_on(self, logger: SessionLogger) -> None:
        """The analysis counts it among the tool's errors."""
        with pytest.raises(OSError, match="no"), logger.tool("x"):
            raise OSError("no")
        event = logger.events[0]
        assert isinstance(event, ToolEvent)
        assert (event.error_type, event.error, event.cancelled) == ("OSError", "no", False)
        logger.close()
        assert logger.analyze_session(logger.path).tools["x"].errors == 1

    @pytest.mark.parametrize(
        ("name", "params", "added"),
        [
            ("psql postgres://ada:swordfish@db", {}, {}),
            ("psql", {"url": "postgres://ada:swordfish@db"}, {}),
            ("psql", {"password": "swordfish"}, {}),
            ("psql", {}, {"password": "swordfish"}),
            ("psql", {"env": {"password": "swordfish"}}, {}),
            ("psql", {"env": [["password", "swordfish"]]}, {}),
        ],
        ids=["name", "text", "key", "later key", "nested key", "pair"],
    )
    def test_secrets_are_kept_out_of_a_call_that_ends_well(
        self, logger: SessionLogger, name: str, params: dict[str, Any], added: dict[str, Any]
    ) -> None:
        """As out of one that is logged at once."""
        with logger.tool(name, params) as call:
            call.params.update(added)
        logger.flush()
        text = logger.path.read_text()
        assert "swordfish" not in text and text.count("[redacted:") == 1


class TestContexts:
    """Parents follow the context."""

    def test_blocks_left_in_another_context_do_no_harm(self, logger: SessionLogger) -> None:
        """No token is reset: a block may end anywhere, and each context finds its way."""
        block = logger.task("a")
        here, there = contextvars.copy_context(), contextvars.copy_context()
        here.run(block.__enter__)
        there.run(logger.log_task_start, "b")
        there.run(block.__exit__, None, None, None)
        here.run(logger.log_file_read, "in none")
        there.run(logger.log_file_read, "in b")
        assert shape(logger)[-2:] == [("in none", None), ("in b", 2)]
        assert here.run(current.get) is not None  # it is completed, and nothing is in it any more

    def test_threads_of_asyncio_take_their_parents_along(self, logger: SessionLogger) -> None:
        """`asyncio.to_thread`, and tasks."""

        def work(name: str) -> None:
            with logger.tool(name):
                pass

        async def child() -> None:
            with logger.task("child"):
                await asyncio.to_thread(work, "in child")

        async def main() -> None:
            with logger.task("parent"):
                await asyncio.gather(asyncio.create_task(child()), asyncio.to_thread(work, "in parent"))

        asyncio.run(main())
        told = shape(logger)
        assert ("in child", 2) in told and ("in parent", 1) in told
        assert ("start", "child", 1) in told

    def test_executor_takes_parents_along_with_in_context_and_not_without(self, logger: SessionLogger) -> None:
        """`submit` and `map`, many at once; without it the thread is in no task."""

        def work(number: int) -> int:
            with logger.task("work"):
                logger.log_file_read(str(number))
            return number

        with logger.task("parent"), ThreadPoolExecutor(4) as pool:
            assert list(pool.map(in_context(work), range(20))) == list(range(20))
            assert pool.submit(in_context(work), 20).result() == 20
            pool.submit(work, 21).result()
        starts = [line for line in lines(logger) if line.get("end_time", 0) is None][1:]
        assert [line["parent_id"] for line in starts] == [1] * 21 + [None]
        inside = {line["task_id"] for line in lines(logger) if line["type"] == "FileEvent"}
        assert inside == {line["task_id"] for line in starts}

    def test_calls_in_context_run_at_once_and_change_nothing_for_each_other(self, logger: SessionLogger) -> None:
        """Each has a context of its own: what one of them begins is no other's parent, nor that of a later one."""
        together = threading.Barrier(3)

        def work(number: int) -> None:
            together.wait(PATIENCE_S)
            logger.log_task_start(str(number))
            together.wait(PATIENCE_S)
            logger.log_file_read(str(number))

        with logger.task("parent"), ThreadPoolExecutor(3) as pool:
            run = in_context(work)
            for turn in (0, 3):
                for done in [pool.submit(run, turn + number) for number in range(3)]:
                    done.result(PATIENCE_S)
        found = lines(logger)
        begun = {line["name"]: line for line in found if line["type"] == "TaskEvent" and line["name"] != "parent"}
        assert {line["parent_id"] for line in begun.values()} == {1}
        files = [line for line in found if line["type"] == "FileEvent"]
        assert [line["task_id"] for line in files] == [begun[line["path"]]["task_id"] for line in files]

    def test_run_in_executor_takes_parents_along_with_in_context(self, logger: SessionLogger) -> None:
        """asyncio's own executor does not copy the context either."""

        async def main() -> None:
            with logger.task("parent"):
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, in_context(logger.log_file_read), "a")

        asyncio.run(main())
        assert shape(logger)[1] == ("a", 1)

    def test_many_threads_with_blocks_of_one_name(self, logger: SessionLogger) -> None:
        """Each start has its completion, and nothing is kept."""

        def work() -> None:
            for _ in range(50):
                with logger.task("same"), logger.task("same"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = lines(logger)
        starts = {line["task_id"]: line["parent_id"] for line in found if line["end_time"] is None}
        ends = {line["task_id"]: line["parent_id"] for line in found if line["end_time"] is not None}
        assert starts == ends and len(starts) == 800
        assert sum(parent is None for parent in starts.values()) == 400
        assert_open_tasks(logger, [])
        assert_sound_when_closed(logger)

    def test_generator_collected_elsewhere_completes_its_task(self, logger: SessionLogger) -> None:
        """Its `with` is left wherever the collector runs."""

        def steps() -> Iterator[int]:
            with logger.task("steps"):
                yield 1

        def collect() -> None:
            with logger.task("other"):
                held.clear()
                gc.collect()
                logger.log_file_read("in other")

        held = [steps()]
        next(held[0])
        thread = threading.Thread(target=collect)
        thread.start()
        thread.join()
        assert shape(logger) == [
            ("start", "steps", None),
            ("start", "other", None),
            ("end", "steps", None),
            ("in other", 2),
            ("end", "other", None),
        ]


def assert_sound_when_closed(logger: SessionLogger) -> None:
    """Assert that a log is without a fault."""
    logger.close()
    assert_sound(logger.path)


@pytest.mark.anyio
class TestAsync:
    """The same on asyncio, uvloop and trio."""

    async def test_awaited_blocks_record_what_plain_ones_do(self, awaited: AsyncSessionLogger) -> None:
        """Nesting, failure, what is put in."""
        with pytest.raises(ValueError, match="no"):
            async with awaited.task("a", {"x": 1}) as task, awaited.tool("t") as call:
                task.metadata["y"] = 2
                call.params["z"] = 3
                await awaited.log_file_read("in a")
                raise ValueError("no")
        start, file, tool, end = lines(awaited)
        assert (start["metadata"], end["metadata"], tool["params"]) == ({"x": 1}, {"x": 1, "y": 2}, {"z": 3})
        assert (file["task_id"], tool["task_id"], tool["error"], end["error"]) == (1, 1, "no", "no")

    async def test_cancellation_is_recorded_as_such(self, awaited: AsyncSessionLogger) -> None:
        """By a cancel scope, from outside: no failure of the task; of each that it ends."""
        with anyio.CancelScope() as scope:
            async with awaited.task("a"), awaited.tool("t"):
                scope.cancel()
                await anyio.sleep_forever()
        _, tool, end = lines(awaited)
        assert tool["cancelled"] is end["cancelled"] is True
        assert not {"error", "error_type"} & (tool.keys() | end.keys())
        event = (await awaited.events())[0]
        assert isinstance(event, TaskEvent) and event.cancelled

    async def test_plain_blocks_tell_a_cancellation_in_async_code_too(self, logger: SessionLogger) -> None:
        """The synchronous logger's."""
        with anyio.CancelScope() as scope:
            with logger.task("a"), logger.tool("t"):
                scope.cancel()
                await anyio.sleep_forever()
        assert [line.get("cancelled") for line in lines(logger)] == [None, True, True]

    async def test_group_of_cancellations_is_one_and_a_mixed_group_a_failure(self, logger: SessionLogger) -> None:
        """As task groups raise them."""
        with anyio.CancelScope() as scope:
            with logger.task("cancelled"):
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
                    scope.cancel()
        with pytest.raises(BaseException) as caught:
            with logger.task("failed"):
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
                    raise ValueError("no")
        assert isinstance(caught.value, Exception)
        ends = [line for line in lines(logger) if line["end_time"] is not None]
        assert ends[0]["cancelled"] is True
        assert ends[1]["error_type"].endswith("ExceptionGroup") and "cancelled" not in ends[1]

    async def test_child_tasks_and_threads_have_their_parent(self, awaited: AsyncSessionLogger) -> None:
        """What begins inside a block belongs to it, however it ends."""

        async def child(name: str) -> None:
            async with awaited.task(name):
                await anyio.lowlevel.checkpoint()
                await anyio.to_thread.run_sync(awaited._recorder.log_file_read, name)

        async with awaited.task("parent"), anyio.create_task_group() as group:
            for name in ("one", "two", "three"):
                group.start_soon(child, name)
        found = lines(awaited)
        ids = {line["name"]: line["task_id"] for line in found if line["type"] == "TaskEvent"}
        assert {line["parent_id"] for line in found if line.get("name") in ("one", "two", "three")} == {ids["parent"]}
        assert all(line["task_id"] == ids[line["path"]] for line in found if line["type"] == "FileEvent")

    async def test_cancelled_block_is_recorded_though_the_queue_is_full(
        self, tmp_path: Path, held_writer: HeldWriter
    ) -> None:
        """The end waits for room, shielded: what was cancelled is told to be."""
        log = AsyncSessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536, full_timeout_s=60)
        await log.open()
        held_writer.hold()
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                async with log.task("t"):
                    for pad in ("x" * 1000, ""):  # up to the last byte, nearly
                        with pytest.raises(MustWait):
                            while True:
                                log._recorder.log_tool_call("x", {"pad": pad}, 0)
                    group.start_soon(release_when_all_wait, held_writer)
                    scope.cancel()
                    await anyio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        await log.close()
        assert lines_of(log.path)[-1].get("cancelled") is True

    async def test_closed_coroutine_is_recorded_though_the_queue_is_full(
        self, tmp_path: Path, held_writer: HeldWriter
    ) -> None:
        """It cannot await any more, so it waits where it is."""
        log = AsyncSessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536, full_timeout_s=60)
        await log.open()
        held_writer.hold()

        async def coroutine() -> None:
            async with log.task("t"):
                await anyio.sleep_forever()

        running = coroutine()
        running.send(None)
        for pad in ("x" * 1000, ""):
            with pytest.raises(MustWait):
                while True:
                    log._recorder.log_tool_call("x", {"pad": pad}, 0)
        assert held_writer.reached.wait(60)
        threading.Timer(0, held_writer.release).start()
        running.close()
        await log.close()
        last = lines_of(log.path)[-1]
        assert (last["name"], last["end_time"] is None, "error" in last) == ("t", False, False)

    async def test_start_cancelled_while_its_sync_is_waited_for_is_completed_as_cancelled(self, tmp_path: Path) -> None:
        """The record stands, the block is not entered: so it must not stay open."""
        log = AsyncSessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always")
        await log.log_file_read("a")
        with anyio.CancelScope() as scope:
            scope.cancel()
            async with log.task("t"):
                raise AssertionError("not reached")
        await log.log_file_read("b")
        await log.close()
        found = lines_of(log.path)
        assert [line.get("cancelled") for line in found] == [None, None, True, None]
        assert found[-1]["task_id"] is None

    async def test_full_queue_raises_at_the_beginning_where_that_is_asked_for(
        self, tmp_path: Path, held_writer: HeldWriter
    ) -> None:
        """`when_full="raise"`: nothing is recorded, the block is not entered."""
        log = AsyncSessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536, when_full="raise")
        held_writer.hold()
        with pytest.raises(QueueFullError):
            while True:
                await log.log_tool_call("x", {"pad": "x" * 1000}, 0)
        with pytest.raises(QueueFullError):
            async with log.task("t", {"pad": "x" * 1000}):
                raise AssertionError("not reached")
        held_writer.release()
        await log.close()
        assert all(line["type"] == "ToolEvent" for line in lines_of(log.path))


async def release_when_all_wait(held: HeldWriter) -> None:
    """Let the disk go on once every other task waits."""
    with anyio.CancelScope(shield=True):
        await wait_all_tasks_blocked()
        held.release()
