"""`as_task`: functions of each kind whose every call is a task."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from deia import AsyncSessionLogger, SessionLogger
from deia.queue.tasks import current
from support.lines import lines_of

Logger = SessionLogger | AsyncSessionLogger


@pytest.fixture(params=[SessionLogger, AsyncSessionLogger])
def logger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Logger]:
    """A logger of either face."""
    logger: Logger = request.param("agent", "s", output_dir=tmp_path)
    yield logger
    recorder(logger).close()


@pytest.fixture
def sync(tmp_path: Path) -> Iterator[SessionLogger]:
    """A synchronous one."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        yield logger


def recorder(logger: Logger) -> SessionLogger:
    """Return what records for a logger, for log calls that need not be awaited here."""
    return logger if isinstance(logger, SessionLogger) else logger._recorder


def told(logger: Logger) -> list[str]:
    """Return the log in brief: begin and end of tasks with their parents, and what was logged where."""
    recorder(logger).flush()
    names: dict[int | None, str] = {None: "-"}
    found = []
    for line in lines_of(logger.path):
        if line["type"] != "TaskEvent":
            found.append(f"{line['path']} in {names[line['task_id']]}")
        elif line["end_time"] is None:
            names[line["task_id"]] = line["name"]
            found.append(f"{line['name']} begins in {names[line['parent_id']]}")
        else:
            how = " cancelled" if line.get("cancelled") else f" {line['error_type']}" if "error" in line else ""
            found.append(f"{line['name']} ends{how}")
    return found


class TestFunctions:
    """Plain ones and coroutines."""

    def test_each_call_of_a_function_is_a_task(self, logger: Logger) -> None:
        """Of its name, with its arguments and result left alone."""

        @logger.as_task
        def add(a: int, *, b: int) -> int:
            """Add."""
            recorder(logger).log_file_read("x")
            return a + b

        assert (add(1, b=2), add(3, b=4)) == (3, 7)
        assert told(logger) == ["add begins in -", "x in add", "add ends"] * 2
        assert (add.__name__, add.__doc__, inspect.signature(add).parameters.keys()) == ("add", "Add.", {"a", "b"})

    def test_name_and_metadata_may_be_given(self, logger: Logger) -> None:
        """With parentheses."""

        @logger.as_task(name="plan", metadata={"priority": "P1"})
        def function() -> None: ...

        @logger.as_task()
        def other() -> None: ...

        function()
        other()
        recorder(logger).flush()
        assert [(line["name"], line["metadata"]) for line in lines_of(logger.path)][::2] == [
            ("plan", {"priority": "P1"}),
            ("other", {}),
        ]

    def test_methods_and_whatever_can_be_called(self, logger: Logger) -> None:
        """A method is bound; what has no name is called by its type's."""

        class Agent:
            @logger.as_task
            def work(self) -> Agent:
                return self

        agent = Agent()
        assert agent.work() is agent
        assert logger.as_task(functools.partial(int, "5"))() == 5
        assert told(logger)[::2] == ["work begins in -", "partial begins in -"]

    def test_exception_is_recorded_and_goes_on(self, logger: Logger) -> None:
        """Recursion nests."""

        @logger.as_task
        def fail(depth: int) -> None:
            if depth:
                fail(depth - 1)
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            fail(1)
        assert told(logger) == [
            "fail begins in -",
            "fail begins in fail",
            "fail ends ValueError",
            "fail ends ValueError",
        ]

    def test_coroutine_is_a_task_while_it_runs(self, logger: Logger) -> None:
        """It stays a coroutine function; concurrent calls are told apart; cancellation is told as such."""

        @logger.as_task
        async def fetch(number: int) -> int:
            await asyncio.sleep(0)
            recorder(logger).log_file_read(str(number))
            if number == 3:
                await asyncio.Event().wait()
            return number

        async def main() -> None:
            assert await asyncio.gather(fetch(1), fetch(2)) == [1, 2]
            task = asyncio.create_task(fetch(3))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        assert inspect.iscoroutinefunction(fetch)
        asyncio.run(main())
        found = told(logger)
        assert found[:2] == ["fetch begins in -"] * 2
        assert found[-3:] == ["fetch begins in -", "3 in fetch", "fetch ends cancelled"]
        recorder(logger).flush()
        files = [line for line in lines_of(logger.path) if line["type"] == "FileEvent"]
        assert [(line["path"], line["task_id"]) for line in files] == [("1", 1), ("2", 2), ("3", 7)]

    @pytest.mark.parametrize(("function", "name", "error"), [(5, None, TypeError), (len, "", ValueError)])
    def test_wrong_use_raises_at_the_decoration(
        self, logger: Logger, function: Any, name: str | None, error: type[Exception]
    ) -> None:
        """What is no function, and an empty name."""
        with pytest.raises(error):
            logger.as_task(name=name)(function)

    def test_disabled_logger_leaves_functions_as_they_are(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What they do, not what they are."""
        monkeypatch.setenv("DEIA_DISABLED", "1")
        log = SessionLogger("agent", "s", output_dir=tmp_path)

        @log.as_task
        def steps() -> Iterator[int]:
            yield 1

        assert list(steps()) == [1]
        assert list(tmp_path.iterdir()) == []


class TestGenerators:
    """A task from the first step to the last, that is entered for each step and left between."""

    def test_what_is_logged_between_steps_is_not_in_it(self, logger: Logger) -> None:
        """Wherever it is iterated; tasks that it has open itself wait with it."""
        log = recorder(logger)

        @logger.as_task
        def steps() -> Iterator[int]:
            log.log_task_start("inner")
            log.log_file_read("a")
            yield 1
            log.log_file_read("b")
            log.log_task_complete("inner")
            yield 2
            log.log_file_read("c")

        iterator = steps()
        with log.task("first"):
            assert next(iterator) == 1
            log.log_file_read("x")
        with log.task("second"):
            assert next(iterator) == 2
            log.log_file_read("y")
            assert list(iterator) == []
            log.log_file_read("z")
        log.log_file_read("outside")
        assert told(logger) == [
            "first begins in -",
            "steps begins in first",
            "inner begins in steps",
            "a in inner",
            "x in first",
            "first ends",
            "second begins in -",
            "b in inner",
            "inner ends",
            "y in second",
            "c in steps",
            "steps ends",
            "z in second",
            "second ends",
            "outside in -",
        ]

    def test_values_exceptions_and_results_pass_through(self, logger: Logger) -> None:
        """`send`, `throw`, `return`, and `yield from` around all of it."""

        @logger.as_task
        def echo() -> Generator[str, str, str]:
            got = yield "ready"
            while got != "end":
                try:
                    got = yield got
                except KeyError as error:
                    got = f"caught {error}"
            return "result"

        def outer() -> Generator[str, str, None]:
            results.append((yield from echo()))

        results: list[str] = []
        generator = outer()
        assert [next(generator), generator.send("a"), generator.throw(KeyError("k"))] == ["ready", "a", "caught 'k'"]
        with pytest.raises(StopIteration):
            generator.send("end")
        assert results == ["result"]
        assert inspect.isgeneratorfunction(echo)
        failing = echo()
        next(failing)
        with pytest.raises(OSError, match="no"):
            failing.throw(OSError("no"))
        assert told(logger) == ["echo begins in -", "echo ends", "echo begins in -", "echo ends OSError"]

    def test_closed_generator_is_complete_and_neither_failed_nor_cancelled(self, logger: Logger) -> None:
        """By `close`, by the collector, in any thread; its own `finally` runs in its task."""
        log = recorder(logger)

        @logger.as_task
        def steps() -> Iterator[int]:
            try:
                yield 1
            finally:
                log.log_file_read("finally")

        closed = steps()
        next(closed)
        closed.close()
        held = [steps()]
        next(held[0])

        def collect() -> None:
            with log.task("elsewhere"):
                held.clear()
                gc.collect()
                log.log_file_read("x")

        thread = threading.Thread(target=collect)
        thread.start()
        thread.join()
        assert told(logger) == [
            *("steps begins in -", "finally in steps", "steps ends"),
            *("steps begins in -", "elsewhere begins in -", "finally in steps", "steps ends"),
            *("x in elsewhere", "elsewhere ends"),
        ]
        assert current.get() is None

    def test_generator_that_is_never_iterated_is_no_task(self, logger: Logger) -> None:
        """Nothing of it ran."""

        @logger.as_task
        def steps() -> Iterator[int]:
            yield 1

        steps().close()
        recorder(logger).open()
        assert told(logger) == []

    def test_steps_may_be_made_in_different_contexts(self, sync: SessionLogger) -> None:
        """Each context is left as it was."""

        @sync.as_task
        def steps() -> Iterator[int]:
            for number in range(3):
                sync.log_file_read(str(number))
                yield number

        iterator = steps()
        for number in range(3):
            context = contextvars.copy_context()
            context.run(sync.log_task_start, f"context {number}")
            context.run(next, iterator)
            context.run(sync.log_file_read, "outside")
        iterator.close()  # type: ignore[attr-defined]
        assert [line for line in told(sync) if " in " in line and "begins" not in line] == [
            *("0 in steps", "outside in context 0", "1 in steps", "outside in context 1"),
            *("2 in steps", "outside in context 2"),
        ]


@pytest.mark.anyio
class TestAsyncGenerators:
    """The same, awaited, on asyncio, uvloop and trio."""

    async def test_what_is_logged_between_steps_is_not_in_it(self, logger: Logger) -> None:
        """Cancel scopes and checkpoints inside do no harm."""
        log = recorder(logger)

        @logger.as_task
        async def steps() -> AsyncIterator[int]:
            for number in range(2):
                with anyio.CancelScope():
                    await anyio.lowlevel.checkpoint()
                log.log_file_read(f"in {number}")
                yield number

        assert inspect.isasyncgenfunction(steps)
        with log.task("outer"):
            async for number in steps():
                log.log_file_read(f"out {number}")
        assert told(logger) == [
            *("outer begins in -", "steps begins in outer", "in 0 in steps", "out 0 in outer"),
            *("in 1 in steps", "out 1 in outer", "steps ends", "outer ends"),
        ]

    async def test_values_and_exceptions_pass_through(self, logger: Logger) -> None:
        """`asend` and `athrow`."""

        @logger.as_task
        async def echo() -> Any:
            got = yield "ready"
            while True:
                try:
                    got = yield got
                except KeyError as error:
                    got = f"caught {error}"

        generator = echo()
        assert await generator.asend(None) == "ready"
        assert await generator.asend("a") == "a"
        assert await generator.athrow(KeyError("k")) == "caught 'k'"
        with pytest.raises(OSError, match="no"):
            await generator.athrow(OSError("no"))
        assert told(logger) == ["echo begins in -", "echo ends OSError"]

    async def test_closed_in_another_task_it_is_complete(self, logger: Logger) -> None:
        """`aclose` from anywhere; its `finally` may await, and runs in its task."""
        log = recorder(logger)

        @logger.as_task
        async def steps() -> AsyncIterator[int]:
            try:
                yield 1
            finally:
                await anyio.lowlevel.checkpoint()
                log.log_file_read("finally")

        generator: Any = steps()
        await generator.__anext__()

        async def close() -> None:
            with log.task("closer"):
                await generator.aclose()
                log.log_file_read("x")

        async with anyio.create_task_group() as group:
            group.start_soon(close)
        log.log_file_read("y")
        assert told(logger) == [
            *("steps begins in -", "closer begins in -", "finally in steps", "steps ends"),
            *("x in closer", "closer ends", "y in -"),
        ]

    async def test_cancelled_inside_it_is_cancelled(self, logger: Logger) -> None:
        """And so is whoever awaits it."""

        @logger.as_task
        async def steps() -> AsyncIterator[int]:
            yield 1
            await anyio.sleep_forever()

        with anyio.CancelScope() as scope:
            async for _ in steps():
                scope.cancel()
        assert scope.cancelled_caught
        assert told(logger) == ["steps begins in -", "steps ends cancelled"]

    async def test_coroutine_is_a_task_on_every_loop(self, logger: Logger) -> None:
        """Children of a task group have their parent."""

        @logger.as_task
        async def child() -> None:
            await anyio.lowlevel.checkpoint()

        @logger.as_task
        async def parent() -> None:
            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(child)

        await parent()
        assert sorted(told(logger)) == [
            *["child begins in parent"] * 3,
            *["child ends"] * 3,
            *("parent begins in -", "parent ends"),
        ]


def test_abandoned_async_generator_is_complete_when_the_loop_ends(sync: SessionLogger) -> None:
    """asyncio closes what nobody closed, in a task and a context of its own."""

    @sync.as_task
    async def steps() -> AsyncIterator[int]:
        yield 1

    held: list[Any] = []

    async def main() -> None:
        with sync.task("main"):
            held.append(steps())
            await held[0].__anext__()

    asyncio.run(main())
    assert told(sync) == ["main begins in -", "steps begins in main", "main ends", "steps ends"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_abandoned_async_generator_cleans_up_within_its_task_when_the_loop_ends(
    sync: SessionLogger, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is closed once, by the one around it: its event loop knows of no other."""
    held: list[Any] = []

    @sync.as_task
    async def steps() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            with anyio.CancelScope(shield=True):
                if backend == "asyncio":  # trio's may not wait any more then
                    await anyio.lowlevel.checkpoint()
            recorder(sync).log_file_read("cleaned up")

    async def main() -> None:
        held.append(steps())
        await held[0].__anext__()

    anyio.run(main, backend=backend)
    assert told(sync) == ["steps begins in -", "cleaned up in steps", "steps ends"]
    assert caplog.records == []
