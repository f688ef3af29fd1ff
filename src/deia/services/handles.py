"""Blocks that record themselves: a task and a tool call between the beginning and the end of a `with`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from deia.errors import DeiaError
from deia.line import encode_mapping
from deia.queue.tasks import OpenTask, entered_last, innermost
from deia.services.failures import outcome
from deia.services.recording import MustWait, Recording
from deia.services.tasks import Tasks
from deia.system import stopwatch

if TYPE_CHECKING:
    from typing_extensions import Self


class _Block(ABC):
    """What a task's and a tool call's block have in common: they are entered once, and left whatever happens."""

    _entered = False
    _left = False
    _has_begun = False

    def __init__(self, recorder: Recording, name: str) -> None:
        self._recorder = recorder
        self._name = name
        self._disabled = recorder._producer is None
        self._started = 0.0

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    def _enter(self) -> None:
        if self._entered:
            raise ValueError(f"{self._name!r} was begun before: each block needs a call of its own")
        self._entered = True
        if not self._disabled:
            self._started = stopwatch()
            self._begin()

    def _leave(self, error: BaseException | None) -> None:
        """Record the end, once. Where the block has raised, that goes on whatever becomes of the record."""
        if self._disabled or self._left or not self._entered:
            return
        self._left = True
        try:
            self._end(outcome(error))
        except DeiaError as unrecorded:
            if error is None:
                raise
            session = self._recorder._session
            session.warn("end", "The end of %r could not be recorded: %s", self._name, unrecorded)
            session.say()

    @abstractmethod
    def _begin(self) -> None:
        """Note what there is to note at the beginning, or record it."""

    @abstractmethod
    def _end(self, outcome: dict[str, Any]) -> None:
        """Record the end, with the fields that tell of a failure."""


class _SyncBlock(_Block):
    def __enter__(self) -> Self:
        self._enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(error)


class _AsyncBlock(_Block):
    async def __aenter__(self) -> Self:
        try:
            self._enter()
        except MustWait as wait:
            try:
                await self._wait(wait)
            except BaseException as error:
                self._leave_at_once(error)
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._leave(error)
        except MustWait as wait:
            if wait.pending.recorded:  # its sync is what is waited for, and that may be cancelled
                await self._wait(wait)
                return
            if isinstance(error, GeneratorExit):  # a coroutine that is closed cannot await any more
                self._recorder._session.appender.append(wait.build, wait.done)
                return
            import anyio

            with anyio.CancelScope(shield=True):  # a cancelled block is told to be one
                await self._wait(wait)

    def _leave_at_once(self, error: BaseException) -> None:
        """Leave a block whose beginning is recorded, while its sync was waited for and then not any more."""
        if self._has_begun:
            try:
                self._leave(error)
            except MustWait:  # recorded; or there is no room, and then the log shows a task that was interrupted
                return

    async def _wait(self, wait: MustWait) -> None:
        await self._recorder._session.appender.append_async(wait.build, wait.done, wait.pending)


class _Task(_Block):
    _tasks: Tasks

    def __init__(
        self, recorder: Recording, name: str, metadata: Mapping[str, Any] | None, *, waits: bool = False
    ) -> None:
        super().__init__(recorder, name)
        self._waits = waits
        self._task: OpenTask | None = None
        self._encoded = b"{}" if metadata is None else encode_mapping(metadata)
        self.metadata: dict[str, Any] = {}

    @property
    def task_id(self) -> int | None:
        """`seq` of its start line; None before that is recorded."""
        return None if self._task is None else self._task.task_id

    def _begin(self) -> None:
        tasks = self._recorder._tasks
        self._tasks = tasks.that_wait() if self._waits else tasks
        self._tasks.begin(self._name, self._encoded, self._begun)

    def _begun(self, task: OpenTask) -> None:
        self._task = task
        self._has_begun = True

    def _end(self, outcome: dict[str, Any]) -> None:
        metadata = encode_mapping(self.metadata) if self.metadata else b"{}"
        if self._task is not None:
            self._tasks.end(self._task, metadata, outcome)
            return
        if self.metadata:
            metadata = orjson.dumps({**orjson.loads(self._encoded), **orjson.loads(metadata)})
        else:
            metadata = self._encoded
        self._tasks.end_unbegun(self._name, stopwatch() - self._started, metadata, outcome)


class _Tool(_Block):
    def __init__(self, recorder: Recording, name: str, params: Mapping[str, Any] | None) -> None:
        super().__init__(recorder, name)
        self._encoded = b"{}" if params is None else encode_mapping(params)
        self._inside: OpenTask | None = None
        self._begun_in = recorder._session
        self.params: dict[str, Any] = {}

    def _begin(self) -> None:
        self._begun_in = self._recorder._session
        self._inside = innermost(entered_last(), self._begun_in.producer.owner)

    def _end(self, outcome: dict[str, Any]) -> None:
        elapsed_s = stopwatch() - self._started
        recorder = self._recorder
        if recorder._session is not self._begun_in:
            return  # a copy, made by `fork` inside the block: the call is the parent's
        params = self._encoded
        if self.params:
            params = orjson.dumps({**orjson.loads(params), **orjson.loads(encode_mapping(self.params))})
        duration = {"duration_ms": round(max(elapsed_s, 0.0) * 1000)}
        recorder._log_tool(recorder._session.producer, self._name, params, duration, outcome, self._inside)


class TaskHandle(_Task, _SyncBlock):
    """A task from the beginning of a `with` to its end; see `SessionLogger.task`.

    Attributes:
        metadata: What is put in here by the end of the block is merged over the start's metadata.
    """


class ToolHandle(_Tool, _SyncBlock):
    """A tool call from the beginning of a `with` to its end; see `SessionLogger.tool`.

    Attributes:
        params: What is put in here by the end of the block, an exit status say, is recorded with the parameters.
    """


class AsyncTaskHandle(_Task, _AsyncBlock):
    """A task from the beginning of an `async with` to its end; see `AsyncSessionLogger.task`.

    Attributes:
        metadata: What is put in here by the end of the block is merged over the start's metadata.
    """


class AsyncToolHandle(_Tool, _AsyncBlock):
    """A tool call from the beginning of an `async with` to its end; see `AsyncSessionLogger.tool`.

    Attributes:
        params: What is put in here by the end of the block, an exit status say, is recorded with the parameters.
    """
