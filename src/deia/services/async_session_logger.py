"""The same recorder for asynchronous code: every call awaited, on asyncio, uvloop or trio."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from deia.bus.appender import Build, Done
from deia.bus.session import Session
from deia.events import LoggedEvent, SessionSummary
from deia.services import arguments
from deia.services.decorated import decorated
from deia.services.handles import AsyncTaskHandle, AsyncToolHandle, TaskHandle
from deia.services.nesting import AnyPath, F, title_of
from deia.services.recording import MustWait
from deia.services.session_logger import DEFAULT_TIMEOUT_S, SessionLogger
from deia.statistics import Statistics

if TYPE_CHECKING:
    from _typeshed import OpenBinaryMode, OpenTextMode
    from anyio import AsyncFile
    from typing_extensions import Self, Unpack

    from deia.analysis import SessionAnalysis
    from deia.options import LoggerOptions
    from deia.services.event_bus import EventBus

T = TypeVar("T")


class _Recorder(SessionLogger):
    """The sync logger, but for waiting: that is left to whoever awaits."""

    @staticmethod
    def _append(session: Session, build: Build, done: Done = None) -> None:
        pending = session.appender.attempt(build, done)
        if pending is not None:
            raise MustWait(build, done, pending)


class Closing(ABC):
    """What an `async with` closes."""

    @abstractmethod
    async def close(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """See `SessionLogger.close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        import anyio

        with anyio.CancelScope(shield=True):  # a cancelled block closes its session all the same
            await self.close()


class Awaited(Closing):
    """What awaited faces of a session have in common: they wait for it, end it, and say which one it is."""

    _recorder: SessionLogger

    async def flush(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """See `SessionLogger.flush`; cancelling the wait does not cancel the write."""
        return await in_thread(partial(self._recorder.flush, timeout_s))

    async def sync(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """See `SessionLogger.sync`; cancelling the wait does not cancel the sync."""
        return await in_thread(partial(self._recorder.sync, timeout_s))

    async def close(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """See `SessionLogger.close`. Subscriptions end once they have delivered everything."""
        await in_thread(partial(self._recorder.close, timeout_s))

    @property
    def agent_id(self) -> str:
        """See `SessionLogger.agent_id`."""
        return self._recorder.agent_id

    @property
    def session_id(self) -> str:
        """See `SessionLogger.session_id`."""
        return self._recorder.session_id

    @property
    def path(self) -> Path:
        """See `SessionLogger.path`."""
        return self._recorder.path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"


class AsyncSessionLogger(Awaited):
    """`SessionLogger` with every call awaited; see there for what each does, promises and raises.

    Awaiting a log call suspends only where the queue is full, or under `sync_policy="always"`; cancelling the wait for
    a sync does not take the event back. One logger may be used from many event loops and threads at once.

    Args:
        agent_id: As for `SessionLogger`.
        session_id: As for `SessionLogger`.
        output_dir: As for `SessionLogger`.
        **options: See `deia.options.Options`.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str | None = None,
        *,
        output_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[LoggerOptions],
    ) -> None:
        self._recorder = _Recorder(agent_id, session_id, output_dir=output_dir, **options)

    def __copy__(self) -> Self:
        """A logger of a session of its own, as `copy.copy` of a `SessionLogger` is."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._recorder = copy(self._recorder)
        return twin

    async def log_task_start(self, task_name: str, metadata: Mapping[str, Any] | None = None) -> None:
        """See `SessionLogger.log_task_start`."""
        try:
            self._recorder.log_task_start(task_name, metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def log_task_complete(
        self, task_name: str, duration_ms: float | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """See `SessionLogger.log_task_complete`."""
        try:
            self._recorder.log_task_complete(task_name, duration_ms, metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def log_file_read(
        self, path: str | bytes | os.PathLike[Any], size_bytes: int | None = None, *, duration_ms: float | None = None
    ) -> None:
        """See `SessionLogger.log_file_read`."""
        try:
            self._recorder.log_file_read(path, size_bytes, duration_ms=duration_ms)
        except MustWait as wait:
            await self._wait(wait)

    async def log_file_write(
        self,
        path: str | bytes | os.PathLike[Any],
        size_bytes: int | None,
        lines: int | None = None,
        *,
        duration_ms: float | None = None,
    ) -> None:
        """See `SessionLogger.log_file_write`."""
        try:
            self._recorder.log_file_write(path, size_bytes, lines, duration_ms=duration_ms)
        except MustWait as wait:
            await self._wait(wait)

    async def log_tool_call(self, tool_name: str, params: Mapping[str, Any] | None, duration_ms: float) -> None:
        """See `SessionLogger.log_tool_call`."""
        try:
            self._recorder.log_tool_call(tool_name, params, duration_ms)
        except MustWait as wait:
            await self._wait(wait)

    async def log_llm_call(
        self,
        provider: str,
        model: str,
        input_tokens: int | None = None,
        output_tokens: int | None = None,
        *,
        cache_read_tokens: int | None = None,
        cache_write_tokens: int | None = None,
        reasoning_tokens: int | None = None,
        duration_ms: float | None = None,
        time_to_first_token_ms: float | None = None,
        cost_usd: float | None = None,
        response_id: str | None = None,
        attempt: int | None = None,
        error: BaseException | str | None = None,
        error_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `SessionLogger.log_llm_call`."""
        try:
            self._recorder.log_llm_call(
                provider,
                model,
                input_tokens,
                output_tokens,
                cache_read_tokens=cache_read_tokens,
                cache_write_tokens=cache_write_tokens,
                reasoning_tokens=reasoning_tokens,
                duration_ms=duration_ms,
                time_to_first_token_ms=time_to_first_token_ms,
                cost_usd=cost_usd,
                response_id=response_id,
                attempt=attempt,
                error=error,
                error_type=error_type,
                metadata=metadata,
            )
        except MustWait as wait:
            await self._wait(wait)

    async def log_message(
        self, role: str, content: Any, *, message_id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """See `SessionLogger.log_message`."""
        try:
            self._recorder.log_message(role, content, message_id=message_id, metadata=metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def log_error(
        self,
        error: BaseException | str,
        *,
        error_type: str | None = None,
        where: str | None = None,
        traceback: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `SessionLogger.log_error`."""
        try:
            self._recorder.log_error(error, error_type=error_type, where=where, traceback=traceback, metadata=metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def log_decision(
        self,
        decision: str,
        *,
        reason: str | None = None,
        alternatives: Iterable[Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `SessionLogger.log_decision`."""
        try:
            self._recorder.log_decision(decision, reason=reason, alternatives=alternatives, metadata=metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def log_action_item(
        self,
        item: str,
        *,
        assignee: str | None = None,
        due: object = None,
        done: bool = False,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """See `SessionLogger.log_action_item`."""
        try:
            self._recorder.log_action_item(item, assignee=assignee, due=due, done=done, metadata=metadata)
        except MustWait as wait:
            await self._wait(wait)

    async def publish(self, event: object) -> None:
        """See `SessionLogger.publish`."""
        try:
            self._recorder.publish(event)
        except MustWait as wait:
            await self._wait(wait)

    @property
    def bus(self) -> EventBus:
        """See `SessionLogger.bus`."""
        return self._recorder.bus

    async def _wait(self, wait: MustWait) -> None:
        await self._recorder._session.appender.append_async(wait.build, wait.done, wait.pending)

    async def get_session_summary(self) -> SessionSummary:
        """See `SessionLogger.get_session_summary`."""
        return self._recorder.get_session_summary()

    async def analyze_session(self, session_path: str | os.PathLike[str], **options: Any) -> SessionAnalysis:
        """See `SessionLogger.analyze_session`; it is read on a worker thread."""
        return await in_thread(partial(self._recorder.analyze_session, session_path, **options))

    async def events(self) -> list[LoggedEvent]:
        """See `SessionLogger.events`; the log is read on a worker thread."""
        return await in_thread(lambda: self._recorder.events)

    async def save_session(self, output_dir: str | os.PathLike[str], timeout_s: float = DEFAULT_TIMEOUT_S) -> Path:
        """See `SessionLogger.save_session`."""
        return await in_thread(partial(self._recorder.save_session, output_dir, timeout_s))

    def task(self, task_name: str, metadata: Mapping[str, Any] | None = None) -> AsyncTaskHandle:
        """See `SessionLogger.task`; here it is `async with`."""
        return AsyncTaskHandle(self._recorder, arguments.text("task_name", task_name), metadata)

    def tool(self, tool_name: str, params: Mapping[str, Any] | None = None) -> AsyncToolHandle:
        """See `SessionLogger.tool`; here it is `async with`."""
        return AsyncToolHandle(self._recorder, arguments.text("tool_name", tool_name), params)

    @overload
    def as_task(self, function: F, /) -> F: ...

    @overload
    def as_task(
        self, function: None = None, /, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Callable[[F], F]: ...

    def as_task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        """See `SessionLogger.as_task`; a plain function or generator waits for a full queue where it is called."""
        if function is None:
            return partial(self._as_task, name=name, metadata=metadata)
        return self._as_task(function, name=name, metadata=metadata)

    def _as_task(self, function: Any, *, name: str | None, metadata: Mapping[str, Any] | None) -> Any:
        title = title_of(function, name)
        return decorated(
            function,
            lambda: TaskHandle(self._recorder, title, metadata, waits=True),
            lambda: AsyncTaskHandle(self._recorder, title, metadata),
        )

    @overload
    async def open(self) -> None: ...

    @overload
    async def open(
        self,
        path: AnyPath,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> AsyncFile[str]: ...

    @overload
    async def open(self, path: AnyPath, mode: OpenBinaryMode, buffering: int = -1) -> AsyncFile[bytes]: ...

    async def open(
        self,
        path: AnyPath | None = None,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """See `SessionLogger.open`; a file is wrapped as `anyio.open_file` does it, and worked on by threads."""
        call: Callable[[], Any] = partial(self._recorder.open, path, mode, buffering, encoding, errors, newline)
        opened = await in_thread(call)
        if opened is None:
            return None
        import anyio

        return anyio.wrap_file(opened)

    @property
    def traceparent(self) -> str | None:
        """See `SessionLogger.traceparent`."""
        return self._recorder.traceparent

    def child_environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """See `SessionLogger.child_environment`."""
        return self._recorder.child_environment(env)

    async def statistics(self) -> Statistics:
        """See `SessionLogger.statistics`."""
        return self._recorder.statistics()

    @property
    def start_time(self) -> float:
        """See `SessionLogger.start_time`."""
        return self._recorder.start_time

    @start_time.setter
    def start_time(self, value: float) -> None:
        self._recorder.start_time = value


async def in_thread(call: Callable[[], T]) -> T:
    """Run a call that may block on a worker thread; cancelling abandons it there."""
    import anyio.to_thread

    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
