"""Whatever runs inside whatever, and however it ends: the file holds the tree that the program says."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deia import AsyncSessionLogger, SessionLogger, in_context
from support.lines import assert_sound, lines_of

Node = tuple[str, Any, list[Any]]
"""What is done, how, and what is done inside."""

HOW = st.sampled_from(["well", "fail", "exit"])
LEAVES: st.SearchStrategy[Node] = st.tuples(st.sampled_from(["file", "message"]), st.none(), st.just([]))


def _lists(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[list[Node]]:
    return st.lists(nodes, max_size=3)


def _parts(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[list[tuple[bool, list[Node], list[Node]]]]:
    """Of a generator's steps: whether a task is begun in it that stays open, what is done in it, and after it."""
    return st.lists(st.tuples(st.booleans(), _lists(nodes), _lists(nodes)), min_size=1, max_size=3)


def _plain_within(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    return st.one_of(
        st.tuples(st.sampled_from(["task", "decorated", "tool"]), HOW, _lists(nodes)),
        st.tuples(st.just("plain"), st.none(), _lists(nodes)),
        st.tuples(st.just("generator"), st.sampled_from(["to its end", "closed", "collected"]), _parts(nodes)),
        st.tuples(st.just("thread"), st.sampled_from(["bare", "in context", "executor"]), _lists(nodes)),
    )


PLAIN = st.recursive(LEAVES, _plain_within, max_leaves=8)


def _async_within(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    ways = st.sampled_from(["well", "fail", "exit", "cancel"])
    return st.one_of(
        st.tuples(st.sampled_from(["async task", "coroutine", "async tool"]), ways, _lists(nodes)),
        st.tuples(st.sampled_from(["task", "tool"]), ways, _lists(nodes)),
        st.tuples(st.just("plain"), st.none(), _lists(nodes)),
        st.tuples(
            st.just("async generator"), st.sampled_from(["to its end", "closed", "closed elsewhere"]), _parts(nodes)
        ),
        st.tuples(st.just("children"), st.none(), _lists(nodes)),
        st.tuples(st.just("to_thread"), st.none(), _lists(PLAIN)),
        PLAIN,
    )


ASYNC = st.recursive(LEAVES, _async_within, max_leaves=10)


class Failure(Exception):
    """What a block raises that fails."""


@dataclass
class World:
    """Runs programs, and notes what must be in the log.

    Attributes:
        log: What records.
        awaited: The same session, awaited.
        expected: Name → what it is, the name of what it belongs to, and how it ended.
    """

    log: SessionLogger
    awaited: AsyncSessionLogger
    expected: dict[str, tuple[str, str | None, str | None]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, parent: str | None, how: str | None = None) -> str:
        """Note something, and return a name for it."""
        with self.lock:
            name = f"{kind} {len(self.expected)}"
            self.expected[name] = (kind, parent, how)
            return name

    def run_all(self, nodes: list[Node], parent: str | None) -> None:
        for node in nodes:
            self.run(node, parent)

    def run(self, node: Node, parent: str | None) -> None:
        """Run what needs no event loop, inside of a task."""
        kind, how, inside = node
        if kind == "file":
            self.log.log_file_read(self.note("file", parent))
        elif kind == "message":
            self.log.log_message("user", self.note("message", parent))
        elif kind == "plain":
            name = self.note("task", parent, "well")
            self.log.log_task_start(name)
            self.run_all(inside, name)
            self.log.log_task_complete(name)
        elif kind in ("task", "tool"):
            name = self.note(kind, parent, how)
            with contextlib.suppress(Failure, GeneratorExit):
                with self.log.task(name) if kind == "task" else self.log.tool(name):
                    self.run_all(inside, name if kind == "task" else parent)
                    self._end(how)
        elif kind == "decorated":
            name = self.note("task", parent, how)

            @self.log.as_task(name=name)
            def function() -> None:
                self.run_all(inside, name)
                self._end(how)

            with contextlib.suppress(Failure, GeneratorExit):
                function()
        elif kind == "thread":
            self._in_thread(how, inside, parent)
        else:
            self._iterate(how, inside, parent)

    @staticmethod
    def _end(how: str) -> None:
        if how == "fail":
            raise Failure("failed")
        if how == "exit":
            raise GeneratorExit

    def _in_thread(self, how: str, inside: list[Node], parent: str | None) -> None:
        if how == "executor":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(in_context(self.run_all), inside, parent).result()
            return
        run = in_context(self.run_all) if how == "in context" else self.run_all
        thread = threading.Thread(target=run, args=(inside, parent if how == "in context" else None))
        thread.start()
        thread.join()

    def _iterate(self, how: str, parts: list[tuple[bool, list[Node], list[Node]]], parent: str | None) -> None:
        name = self.note("task", parent, "well")

        @self.log.as_task(name=name)
        def steps() -> Iterator[int]:
            held: list[str] = []
            try:
                for at, (holds, inside, _) in enumerate(parts):
                    if holds:
                        held.append(self.note("task", held[-1] if held else name, "well"))
                        self.log.log_task_start(held[-1])
                    self.run_all(inside, held[-1] if held else name)
                    yield at
            finally:
                for task in reversed(held):
                    self.log.log_task_complete(task)

        iterator = [steps()]
        for at in iterator[0]:
            self.run_all(parts[at][2], parent)
            if how != "to its end":
                break
        if how == "closed":
            iterator[0].close()  # type: ignore[attr-defined]

    # With an event loop

    async def go_all(self, nodes: list[Node], parent: str | None) -> None:
        for node in nodes:
            await self.go(node, parent)

    async def go(self, node: Node, parent: str | None) -> None:
        """Run anything, inside of a task."""
        kind, how, inside = node
        if kind == "children":
            async with anyio.create_task_group() as group:
                for child in inside:
                    group.start_soon(self.go, child, parent)
        elif kind == "to_thread":
            await anyio.to_thread.run_sync(self.run_all, inside, parent)
        elif kind == "async generator":
            await self._iterate_async(how, inside, parent)
        elif kind == "plain":
            name = self.note("task", parent, "well")
            await self.awaited.log_task_start(name)
            await self.go_all(inside, name)
            await self.awaited.log_task_complete(name)
        elif kind in ("task", "tool", "async task", "async tool", "coroutine"):
            await self._block(kind, how, inside, parent)
        else:
            self.run(node, parent)

    async def _block(self, kind: str, how: str, inside: list[Node], parent: str | None) -> None:
        is_tool = "tool" in kind
        name = self.note("tool" if is_tool else "task", parent, how)

        async def body() -> None:
            await anyio.lowlevel.checkpoint()
            await self.go_all(inside, parent if is_tool else name)
            if how == "cancel":
                scope.cancel()
                await anyio.sleep_forever()
            self._end(how)

        with anyio.CancelScope() as scope, contextlib.suppress(Failure, GeneratorExit):
            if kind == "coroutine":
                await self.awaited.as_task(name=name)(body)()
            elif kind.startswith("async"):
                async with self.awaited.tool(name) if is_tool else self.awaited.task(name):
                    await body()
            else:
                with self.log.tool(name) if is_tool else self.log.task(name):
                    await body()

    async def _iterate_async(
        self, how: str, parts: list[tuple[bool, list[Node], list[Node]]], parent: str | None
    ) -> None:
        name = self.note("task", parent, "well")

        @self.awaited.as_task(name=name)
        async def steps() -> AsyncIterator[int]:
            held: list[str] = []
            try:
                for at, (holds, inside, _) in enumerate(parts):
                    await anyio.lowlevel.checkpoint()
                    if holds:
                        held.append(self.note("task", held[-1] if held else name, "well"))
                        await self.awaited.log_task_start(held[-1])
                    await self.go_all(inside, held[-1] if held else name)
                    yield at
            finally:
                for task in reversed(held):
                    await self.awaited.log_task_complete(task)

        iterator: Any = steps()
        async for at in iterator:
            await self.go_all(parts[at][2], parent)
            if how != "to its end":
                break
        if how == "closed":
            await iterator.aclose()
        elif how == "closed elsewhere":
            async with anyio.create_task_group() as group:
                group.start_soon(iterator.aclose)


def found(lines: list[dict[str, Any]]) -> dict[str, tuple[str, str | None, str | None]]:
    """Return of a log what `World.expected` says."""
    names: dict[int | None, str | None] = {None: None}
    result: dict[str, tuple[str, str | None, str | None]] = {}
    ended = set()
    for line in lines:
        how = "cancel" if line.get("cancelled") else "fail" if line.get("error") == "failed" else "well"
        if line["type"] != "TaskEvent":
            kind = {"FileEvent": "file", "MessageEvent": "message", "ToolEvent": "tool"}[line["type"]]
            name = line.get("name") or line.get("path") or line["content"]
            assert name not in result
            result[name] = (kind, names[line["task_id"]], how if kind == "tool" else None)
        elif line["end_time"] is None:
            names[line["task_id"]] = line["name"]
        else:
            assert line["task_id"] not in ended and "orphan" not in line
            ended.add(line["task_id"])
            assert names[line["task_id"]] == line["name"]
            result[line["name"]] = ("task", names[line["parent_id"]], how)
    assert len(ended) == len(names) - 1, "every task is complete"
    return result


def compare(world: World) -> None:
    """Assert that the log of a world says what was done in it."""
    world.log.close()
    expected = {
        name: (kind, parent, "well" if how == "exit" else how) for name, (kind, parent, how) in world.expected.items()
    }
    assert found(lines_of(world.log.path)) == expected
    assert not world.log._session.producer.held
    if expected:  # an empty file is no session log
        assert_sound(world.log.path)


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    """A world of its own for each program."""
    with tempfile.TemporaryDirectory() as directory:
        awaited = AsyncSessionLogger("agent", "s", output_dir=directory, redact=False)
        world = World(awaited._recorder, awaited)
        world.log.open()
        yield world
        compare(world)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PLAIN, max_size=4))
def test_plain_code_leaves_the_tree_that_it_is(program: list[Node]) -> None:
    """Blocks, functions, generators, threads; ended in each way."""
    with a_world() as world:
        world.run_all(program, None)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(program=st.lists(ASYNC, max_size=4))
def test_async_code_leaves_the_tree_that_it_is(backend: str, program: list[Node]) -> None:
    """The same with coroutines, async generators, child tasks, threads and cancellation."""
    with a_world() as world:
        anyio.run(world.go_all, program, None, backend=backend)
