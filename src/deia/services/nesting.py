"""What is recorded by itself from its beginning to its end: blocks, functions, files; and whose part a session is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, TYPE_CHECKING, Any, TypeVar, overload

from deia.bus.session import Session
from deia.queue.producer import READ, WRITTEN
from deia.queue.tasks import OpenTask, entered_last, innermost
from deia.services import arguments
from deia.services.decorated import decorated
from deia.services.handles import TaskHandle, ToolHandle
from deia.services.recorded_file import CountedFile, lines_written, open_counted
from deia.services.recording import Recording
from deia.trace import VARIABLE, parse

if TYPE_CHECKING:
    from io import TextIOWrapper

    from _typeshed import OpenBinaryMode, OpenTextMode

F = TypeVar("F", bound=Callable[..., Any])

AnyPath = str | bytes | os.PathLike[Any]


class Nesting(Recording):
    """Blocks, functions and files that record themselves."""

    def task(self, task_name: str, metadata: Mapping[str, Any] | None = None) -> TaskHandle:
        """Return a block that is a task: `with logger.task("plan") as task:`.

        Its start is recorded at the beginning, its completion at the end, with the time that it took; if an exception
        ends it, with type and message of that, which then goes on (and, under `sync_policy="interval"`, a sync starts
        at once, and is not waited for); if it is cancelled, as cancelled. What is logged inside belongs to it, in tasks
        and threads that begin there as well, as far as they get a copy of the context; see `in_context`.

        Args:
            task_name: Its name.
            metadata: Anything worth keeping with it; what is known only later goes to the block's own `metadata`.
        """
        return TaskHandle(self, arguments.text("task_name", task_name), metadata)

    def tool(self, tool_name: str, params: Mapping[str, Any] | None = None) -> ToolHandle:
        """Return a block that is a call of a tool: `with logger.tool("pytest", {"path": "tests/"}) as call:`.

        It is recorded at the end, in one line, with the time that it took; if an exception ends it, with type and
        message of that, which then goes on; if it is cancelled, as cancelled. It belongs to the task that it was begun
        in. (Of a tool that a kill of the process interrupts there is no line: a long one is better a task.)

        Args:
            tool_name: Its name.
            params: What it is called with; what is known only later goes to the block's own `params`.
        """
        return ToolHandle(self, arguments.text("tool_name", tool_name), params)

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
        """Decorate a function: each of its calls is a task.

        It may be a plain function, a coroutine, a generator or an async generator. The task of a generator begins with
        its first step and ends with its last, or when it is closed; what is logged between two steps by whoever
        iterates it is not in it.

        Args:
            function: The function, where the decorator is written without parentheses.
            name: The task's name; the function's, unless given.
            metadata: Of each of the tasks.
        """
        if function is None:
            return partial(self._as_task, name=name, metadata=metadata)
        return self._as_task(function, name=name, metadata=metadata)

    def _as_task(self, function: Any, *, name: str | None, metadata: Mapping[str, Any] | None) -> Any:
        title = title_of(function, name)
        return decorated(function, lambda: TaskHandle(self, title, metadata))

    @overload
    def open(self) -> None: ...

    @overload
    def open(
        self,
        path: AnyPath,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> TextIOWrapper: ...

    @overload
    def open(self, path: AnyPath, mode: OpenBinaryMode, buffering: int = -1) -> IO[bytes]: ...

    def open(
        self,
        path: AnyPath | None = None,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Open a file that records what is read and written; or, without a path, the session itself.

        The file is a real one, as the builtin `open` returns it. When it is closed, by `with`, by `close` or as
        garbage, its reads are recorded as one event and its writes as another, in the task that it was opened in. Of
        a file that is opened for one of both there is always that event, of one for both what has happened; a file
        that was created or emptied was written. Sizes are what went between file and process: a buffer reads on to
        its end, what is read twice counts twice, and what goes past the object, by its `fileno()`, is not seen. Lines
        are counted of text that was written. Durations are the time that the system took to read and to write; what it
        took to open and to close the file counts as writing where that is recorded, else as reading. What the program
        did between is not in them.

        Without a path: directories, files and lock of the session are made, an earlier run is recovered, now and not
        at the first event. Where no file can be made, events are kept in memory, as they are at the first event.

        Args:
            path: Of the file; None opens the session.
            mode: As of the builtin, like all that follow.
            buffering: As there.
            encoding: As there.
            errors: As there.
            newline: As there.

        Raises:
            OSError: The file cannot be opened.
            LoggerClosedError: `close` was called.
            SessionLockedError: Another logger has the session open.
            ForeignJournalError: The session's file is another session's.
        """
        if path is None:
            if self._producer is not None:
                self._session.open()
            return None
        producer = self._producer
        closed_by = None
        if producer is not None:
            inside = innermost(entered_last(), producer.owner)
            closed_by = partial(self._file_closed, self._session, inside, arguments.path_text(path), mode)
        file, counted = open_counted(os.fsdecode(path), mode, buffering, encoding, errors, newline)
        if closed_by is not None:
            counted.closed_by = partial(closed_by, getattr(file, "encoding", None), newline)
        return file

    def _file_closed(
        self,
        session: Session,
        inside: OpenTask | None,
        path: str,
        mode: str,
        encoding: str | None,
        newline: str | None,
        file: CountedFile,
    ) -> None:
        if self._session is not session:
            return  # a copy, made by `fork` while it was open: what was read and written is the parent's
        both = "+" in mode
        writes = file.bytes_written or "w" in mode or "x" in mode or ("a" in mode and not both)
        around_s = file.opening_s + file.closing_s
        if file.was_read or ("r" in mode and not both):
            took_s = file.reading_s + (0.0 if writes else around_s)
            self._log_closed("read", READ, path, file.bytes_read, None, took_s, inside)
        if writes:
            lines = lines_written(file, encoding, newline)
            self._log_closed("write", WRITTEN, path, file.bytes_written, lines, file.writing_s + around_s, inside)

    def _log_closed(
        self,
        operation: str,
        counter: int,
        path: str,
        size_bytes: int,
        lines: int | None,
        took_s: float,
        inside: OpenTask | None,
    ) -> None:
        fields = {
            "type": "FileEvent",
            "path": path,
            "operation": operation,
            "size_bytes": size_bytes,
            "lines": lines,
            "duration_ms": max(0, round(took_s * 1000)),  # below zero where a fake clock ended meanwhile
        }
        suspects = None if self._screen is None else self._screen.suspects_path
        # who closes a file does not await
        self._log(self._session.producer, fields, counter, inside, waits=True, suspects=suspects)

    @property
    def traceparent(self) -> str | None:
        """Where this context is, for sub-agents in other processes: a W3C `traceparent`.

        It names the innermost open task, or the session. A logger that does not record passes on what it got.
        """
        if self._producer is None:
            parent = parse(os.environ.get(VARIABLE))
            return None if parent is None else parent.traceparent
        task = innermost(entered_last(), self._producer.owner)
        return self._session.place(None if task is None else task.task_id).traceparent

    def child_environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment for a process whose session is to be a part of this task, or session.

        `subprocess.run(command, env=logger.child_environment())`

        Args:
            env: The variables it is made of; those of this process, unless given. `TRACEPARENT` is set in a copy.
        """
        result = dict(os.environ if env is None else env)
        traceparent = self.traceparent
        if traceparent is not None:
            if parse(result.get(VARIABLE)) is None:
                result.pop("TRACESTATE", None)  # of a trace that cannot be gone on with
            result[VARIABLE] = traceparent
        return result


def title_of(function: Any, name: str | None) -> str:
    """Return the name of a decorated function's tasks.

    Raises:
        TypeError: It is no function, or the name is no text.
        ValueError: The name is empty.
    """
    if not callable(function):
        raise TypeError(f"as_task decorates functions, not {function!r}")
    return arguments.text("name", getattr(function, "__name__", type(function).__name__) if name is None else name)
