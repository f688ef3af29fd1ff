"""Record what an agent does, one short call per thing; the documented names of this package.

The log calls encode the event here, on the caller's thread, and append it to the session's queue; see
`deia.queue.producer` for what makes it safe, and `deia.bus.session` for everything that is not the fast path.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import orjson

from deia import errors
from deia.bus import barriers
from deia.bus.session import Session
from deia.events import FileEvent, LoggedEvent, SessionSummary, TaskEvent, ToolEvent
from deia.line import encode_mapping
from deia.options import Options
from deia.plain import has_nonfinite
from deia.queue.layout import HEADER_BYTES
from deia.queue.producer import CALLED, COMPLETED, READ, WRITTEN
from deia.queue.tasks import entered_last, innermost
from deia.redaction.suspicion import AFTER_PARAMS, are_known
from deia.services import arguments
from deia.services.decisions import Decisions
from deia.services.ids import checked_id, checked_pair, new_session_id
from deia.services.model_calls import ModelCalls
from deia.services.nesting import Nesting
from deia.services.publishing import Publishing
from deia.services.recording import Encoded, replaced
from deia.services.screen import Screen
from deia.services.tasks import Tasks
from deia.statistics import Statistics
from deia.system import now, raised_by_signal_handler, stopwatch
from deia.trace import VARIABLE, parse

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from deia.analysis import SessionAnalysis
    from deia.options import LoggerOptions
    from deia.services.event_bus import EventBus

__all__ = [
    "FileEvent",
    "SessionAnalysis",
    "SessionLogger",
    "SessionSummary",
    "TaskEvent",
    "ToolEvent",
    "logger",
]

_ELSEWHERE = {
    "AnalysisCache": "deia.analysis",
    "AsyncConversationLogger": "deia.services.conversation_logger",
    "AsyncSessionLogger": "deia.services.async_session_logger",
    "ConversationLogger": "deia.services.conversation_logger",
    "EventBus": "deia.services.event_bus",
    "SessionAnalysis": "deia.analysis",
    "SessionProfile": "deia.analysis",
    "Subscription": "deia.bus.subscription",
    "analyze_session": "deia.analysis",
    "in_context": "deia.services.context",
    "profile_session": "deia.analysis",
    "read_events": "deia.journal.reader",
    "register_event": "deia.registry",
    "summarize_session": "deia.analysis",
    **{name: "deia.errors" for name, value in vars(errors).items() if isinstance(value, type)},
}

logger = logging.getLogger(__name__)
"""Where warnings go. Looked up at each use, so that it can be replaced; nothing here configures it."""

_NEWLINE = orjson.OPT_APPEND_NEWLINE
_dumps = orjson.dumps
_HOUR_MS = 3_600_000
_LARGEST = arguments.LARGEST

DEFAULT_TIMEOUT_S = 5.0
"""What `flush`, `sync`, `close` and `save_session` wait for, unless told: it outlasts an ordinary disk stall."""


def __getattr__(name: str) -> Any:
    """What is public and lives elsewhere is to be had here, too: loaded when asked for, as few programs do."""
    home = _ELSEWHERE.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


class SessionLogger(ModelCalls, Decisions, Nesting, Publishing):
    """Records one session of one agent; every call may be made from any thread, and inside any other.

    A log call costs a few microseconds, waits for no I/O of its own, and once it has returned its event survives
    whatever death the process dies. Nothing has to be opened, started or closed.

    A log call raises `ValueError` or `TypeError` where it is wrong (naming the argument and its value; nothing is
    recorded), `LoggerClosedError` after `close`, `SessionLockedError` where another logger has the session open (until
    this one could open it), `QueueFullError` under `when_full="raise"`, and nothing else. Odd data is recorded in its
    most readable form.

    Args:
        agent_id: Who records: one plain part of a file name, at most 200 bytes.
        session_id: The same for the session; empty or None makes a new one, a UUID of version 7. An earlier session's
            id continues it.
        output_dir: Directory of the session log, made if missing; `$DEIA_SESSIONS_DIR` or else `.deia/sessions`.
        **options: See `deia.options.Options`.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: An id is not one plain part of a file name, or an option is out of its range.
    """

    def __init__(
        self,
        agent_id: str,
        session_id: str | None = None,
        *,
        output_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[LoggerOptions],
    ) -> None:
        agent_id = checked_id("agent_id", agent_id)
        session_id = (
            new_session_id() if session_id is None or session_id == "" else checked_id("session_id", session_id)
        )
        checked_pair(agent_id, session_id)
        directory = output_dir if output_dir is not None else os.environ.get("DEIA_SESSIONS_DIR") or ".deia/sessions"
        parent = parse(os.environ.get(VARIABLE))
        self._record(Session(agent_id, session_id, _absolute(directory), Options(**options), _warn, parent=parent))
        if os.environ.get("DEIA_DISABLED", "0") not in ("", "0"):
            self._producer = None

    def _record(self, session: Session) -> None:
        """Record into this session from now on."""
        self._session = session
        self._producer = session.producer
        # the end of every line, encoded once: it stands in the place of the agent's id and brings two more fields along
        self._whose = orjson.Fragment(_dumps(session.whose)[len(b'{"agent_id":') : -1])
        options = session.options
        self._screen = Screen(session) if options.redact is not False or options.max_event_bytes is not None else None
        self._tasks = Tasks(session, self._append, self._whose, self._screen, _warn)
        self._finalizer = weakref.finalize(self, Session.abandon, session)
        self._finalizer.atexit = False
        _loggers.add(self)

    # What was done

    def log_task_start(self, task_name: str, metadata: Mapping[str, Any] | None = None) -> None:
        """Record that a task starts, and enter it: what this context logs from now on belongs to it.

        Args:
            task_name: Its name.
            metadata: Anything worth keeping with it.
        """
        producer = self._producer
        if producer is None:
            return
        if type(task_name) is not str or not task_name:
            task_name = arguments.text("task_name", task_name)
        self._tasks.start(task_name, b"{}" if metadata is None else encode_mapping(metadata))

    def log_task_complete(
        self, task_name: str, duration_ms: float | None = None, metadata: Mapping[str, Any] | None = None
    ) -> None:
        """Record that the most recently started open task of this name is complete, and leave it.

        Without such a task the completion is recorded as an orphan, and one warning logged.

        Args:
            task_name: Its name.
            duration_ms: Milliseconds it took, if the caller knows better than the clock.
            metadata: Merged over the start's.
        """
        self._complete_task(task_name, duration_ms, metadata)

    def log_file_read(
        self, path: str | bytes | os.PathLike[Any], size_bytes: int | None = None, *, duration_ms: float | None = None
    ) -> None:
        """Record that a file was read.

        Args:
            path: Its path.
            size_bytes: How many bytes.
            duration_ms: Milliseconds it took, if that was measured; the line has it only then.
        """
        if duration_ms is None:
            self._log_file("read", READ, path, size_bytes, None)
        else:
            self._log_timed_file("read", READ, path, size_bytes, None, duration_ms)

    def log_file_write(
        self,
        path: str | bytes | os.PathLike[Any],
        size_bytes: int | None,
        lines: int | None = None,
        *,
        duration_ms: float | None = None,
    ) -> None:
        """Record that a file was written.

        Args:
            path: Its path.
            size_bytes: How many bytes.
            lines: How many lines.
            duration_ms: Milliseconds it took, if that was measured; the line has it only then.
        """
        if duration_ms is None:
            self._log_file("write", WRITTEN, path, size_bytes, lines)
        else:
            self._log_timed_file("write", WRITTEN, path, size_bytes, lines, duration_ms)

    def _log_file(self, operation: str, counter: int, path: Any, size_bytes: Any, lines: Any) -> None:
        producer = self._producer
        if producer is None:
            return
        if type(path) is not str or not path:
            path = arguments.path_text(path)
        odd: dict[str, dict[str, Any]] | None = None
        if size_bytes is not None and (type(size_bytes) is not int or not 0 <= size_bytes <= _LARGEST):
            odd = {}
            size_bytes = arguments.whole("size_bytes", size_bytes, odd)
        if lines is not None and (type(lines) is not int or not 0 <= lines <= _LARGEST):
            odd = {} if odd is None else odd
            lines = arguments.whole("lines", lines, odd)
        task = entered_last()
        if task is not None and task.owner is not producer.owner:
            task = innermost(task, producer.owner)
        start = producer.end
        seq = producer.seq
        fields = {
            "type": "FileEvent",
            "path": path,
            "operation": operation,
            "size_bytes": size_bytes,
            "lines": lines,
            "task_id": None if task is None else task.task_id,
            "seq": seq + 1,
            "timestamp": now(),
            "agent_id": self._whose,
        }
        if odd:
            fields = replaced(fields, odd)
        try:
            line = _dumps(fields, None, _NEWLINE)
        except TypeError:  # lone surrogates in the path
            self._append_odd(fields, counter)
            return
        screen = self._screen
        if screen is not None and screen.suspects_path(line):
            self._append_odd(fields, counter)
        elif not producer.commit(start, seq, line, counter):
            self._append_slowly(Encoded(line, seq + 1, counter, self._screen))

    def _log_timed_file(
        self, operation: str, counter: int, path: Any, size_bytes: Any, lines: Any, duration_ms: Any
    ) -> None:
        producer = self._producer
        if producer is None:
            return
        odd: dict[str, dict[str, Any]] = {}
        fields = {
            "type": "FileEvent",
            "path": arguments.path_text(path),
            "operation": operation,
            "size_bytes": arguments.whole("size_bytes", size_bytes, odd),
            "lines": arguments.whole("lines", lines, odd),
            "duration_ms": self._duration("duration_ms", duration_ms, odd),
        }
        self._log(
            producer,
            replaced(fields, odd) if odd else fields,
            counter,
            entered_last(),
            suspects=None if self._screen is None else self._screen.suspects_path,
        )

    def log_tool_call(self, tool_name: str, params: Mapping[str, Any] | None, duration_ms: float) -> None:
        """Record that a tool was called.

        Args:
            tool_name: Its name.
            params: What it was called with; None means `{}`.
            duration_ms: Milliseconds it took.
        """
        producer = self._producer
        if producer is None:
            return
        odd_duration: dict[str, dict[str, Any]] | None = None
        if type(tool_name) is not str or not tool_name:
            tool_name = arguments.text("tool_name", tool_name)
        if type(params) is not dict:
            params = arguments.mapping(params)
        if type(duration_ms) is not int or duration_ms < 0:
            if type(duration_ms) is float and 0 <= duration_ms <= _LARGEST:
                duration_ms = round(duration_ms)
            else:
                odd_duration = {}
                duration_ms = self._duration("duration_ms", duration_ms, odd_duration)
        task = entered_last()
        if task is not None and task.owner is not producer.owner:
            task = innermost(task, producer.owner)
        start = producer.end
        seq = producer.seq
        fields = {
            "type": "ToolEvent",
            "name": tool_name,
            "params": params,
            "duration_ms": duration_ms,
            "task_id": None if task is None else task.task_id,
            "seq": seq + 1,
            "timestamp": now(),
            "agent_id": self._whose,
        }
        if odd_duration:
            fields = replaced(fields, odd_duration)
        try:
            line = _dumps(fields, None, _NEWLINE)
            screen = self._screen
            if screen is None:
                # One null beside the task's is a None of the caller's, or a NaN that orjson wrote as null. (`partition`
                # is the fastest search that bytes have: `in` and `count` take 50 ns more.)
                rest = line if task is not None else line.rpartition(b"null")[0]
                odd: object = rest.partition(b"null")[1] and has_nonfinite(params)
            else:
                # What has no unknown name and none of the characters that all signs of a secret, and null, need one of
                # needs no closer look; here, and not in a function, for the sake of the short calls, which are most.
                head = line.rpartition(AFTER_PARAMS)[0]
                signs = head.translate(screen.signs)
                odd = not (signs.isascii() and are_known(params)) and (
                    (head.partition(b"null")[1] and has_nonfinite(params))
                    or screen.suspects_call(line, head, signs, params)
                )
        except Exception as error:  # whatever orjson refuses, or another thread changes under us
            if raised_by_signal_handler(error):
                raise
            line, odd = b"", True
        if odd:
            if odd_duration is None:  # an integer beyond 64 bits is what orjson may have refused
                self._duration("duration_ms", duration_ms, odd_duration := {})
                fields = replaced(fields, odd_duration)
            # once and for all: what runs here of the caller's own code may log, and then this event is encoded again
            self._append_odd(fields, CALLED)
            return
        size = len(line)
        end = start + size
        at = (start & producer.mask) + HEADER_BYTES
        where = slice(at, at + size)
        # As `Producer.commit`, in place: one call less for what agents log most.
        # fmt: off
        if producer.seq == seq and producer.end == start and end <= producer.limit: producer.ring[where] = line; producer.committed[0] = end; producer.end = end; producer.seq = seq + 1; return  # noqa: E501, E701, E702
        # fmt: on
        self._append_slowly(Encoded(line, seq + 1, CALLED, self._screen))

    @property
    def bus(self) -> EventBus:
        """The event bus of this session: what is recorded here is delivered there, and the other way round."""
        from deia.services.event_bus import EventBus

        return EventBus.of(self)

    # What it comes to

    def get_session_summary(self) -> SessionSummary:
        """Return what the session did so far, from live counters: the same time however long it is."""
        counts = self._session.producer.tally()
        elapsed_s = stopwatch() - self._session.started + self._session.earlier_s
        total_duration_ms = round(elapsed_s * 1000)
        completed = counts[COMPLETED]
        return SessionSummary(
            total_duration_ms=total_duration_ms,
            tasks_completed=completed,
            files_read=counts[READ],
            files_written=counts[WRITTEN],
            tool_calls_count=counts[CALLED],
            velocity=completed / (total_duration_ms / _HOUR_MS) if elapsed_s >= 0.001 else 0.0,
        )

    def analyze_session(self, session_path: str | os.PathLike[str], **options: Any) -> SessionAnalysis:
        """Analyse a session log; the same as `deia.analyze_session`, and nothing of this logger is touched."""
        from deia.analysis import analyze_session

        return analyze_session(session_path, **options)

    @property
    def events(self) -> list[LoggedEvent]:
        """The session's events in order of logging, a completed task being one, without those of your own classes.

        Read back from the log into a new list each time: for tests and small sessions.
        """
        from deia.services.read_back import read_back

        return [] if self._producer is None else read_back(self._session)

    def save_session(self, output_dir: str | os.PathLike[str], timeout_s: float = DEFAULT_TIMEOUT_S) -> Path:
        """Return once all events logged so far are in a file of that directory, made if missing.

        The session's own directory costs a flush; another one gets a copy, which appears whole or not at all. Where
        events are kept in memory, because no file could be made, the session moves to that directory.

        Args:
            output_dir: The directory.
            timeout_s: Seconds to wait for the writer.

        Returns:
            The file: `{agent_id}_{session_id}.jsonl` in that directory.

        Raises:
            FlushTimeoutError: The writer is alive but behind.
            WriterFailedError: The journal cannot be written; its cause is the system's error.
            SessionLockedError: Another logger records a session of these ids in that directory.
            OSError: The copy cannot be written.
        """
        from deia.services.save import save

        return save(self._session, Path(os.path.abspath(output_dir)), timeout_s, disabled=self._producer is None)

    # Its life

    def flush(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """Wait until every event logged before this call is in the journal, where any program sees it.

        It adds nothing to crash safety, and the disk may not have it yet (see `sync`).

        Args:
            timeout_s: Seconds to wait.

        Returns:
            Offset, in bytes, up to which the file is complete.

        Raises:
            FlushTimeoutError: The writer is alive but behind.
            WriterFailedError: The journal cannot be written; its cause is the system's error.
            LoggerClosedError: `close` was called.
        """
        return 0 if self._producer is None else barriers.flush(self._session, timeout_s)

    def sync(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> int:
        """Wait until an fsync that covers every event logged before this call has returned: power may fail then.

        Args:
            timeout_s: Seconds to wait.

        Returns:
            Offset, in bytes, up to which the file is durable.

        Raises:
            FlushTimeoutError: The disk did not get there in time.
            WriterFailedError: The journal cannot be written or synced, nor another file in its place; its cause is the
                system's error.
            LoggerClosedError: `close` was called.
        """
        return 0 if self._producer is None else barriers.sync(self._session, timeout_s)

    def close(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        """Flush, sync, and remove the queue file. May be called twice, and need not be called at all.

        Args:
            timeout_s: Seconds to wait; what is not written by then stays in the queue file, and is written later.

        Raises:
            FlushTimeoutError: The writer is alive but behind.
            WriterFailedError: The journal cannot be written; its cause is the system's error.
        """
        if self._producer is not None:
            barriers.close(self._session, timeout_s)

    def statistics(self) -> Statistics:
        """Return the state of the recording: mode, offsets, what waits, what was dropped, what is wrong."""
        statistics = self._session.statistics()
        if self._producer is None:
            from dataclasses import replace

            return replace(statistics, mode="disabled")
        return statistics

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Who it is

    @property
    def agent_id(self) -> str:
        """Who records."""
        return self._session.agent_id

    @property
    def session_id(self) -> str:
        """The session that is recorded."""
        return self._session.session_id

    @property
    def start_time(self) -> float:
        """When this logger was constructed, Unix seconds. Set to another time, it is that from which times count."""
        return self._session.start_time

    @start_time.setter
    def start_time(self, value: float) -> None:
        self._session.start_at(value)

    @property
    def path(self) -> Path:
        """The session log."""
        return self._session.path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    # Copies: a session belongs to the process, and the logger, that constructed it

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in self.__dict__.items() if name not in _OWN}
        session = self._session
        state["_copied_from"] = (
            session.agent_id,
            session.session_id,
            session.directory,
            session.options,
            self._producer is None,
            self.traceparent,
        )
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        agent_id, copied, directory, options, disabled, traceparent = state.pop("_copied_from")
        self.__dict__.update(state)
        self._record(Session(agent_id, new_session_id(), directory, options, _warn, copied, parse(traceparent)))
        if disabled:
            self._producer = None

    def _start_over(self) -> None:
        """Become the logger of a new session, in a forked child."""
        parent, disabled = self._session, self._producer is None
        place = parse(self.traceparent)
        closed = parent.state == "closed"
        parent.disown()
        self._finalizer.detach()
        self._record(
            Session(
                *(parent.agent_id, new_session_id(), parent.directory, parent.options, _warn, parent.session_id, place)
            )
        )
        if closed:
            self._session.state = "closed"
        if disabled:
            self._producer = None


_OWN = frozenset(
    (
        *("_session", "_producer", "_whose", "_screen", "_tasks", "_finalizer"),
        "_copied_from",
    )
)
"""Attributes that a copy does not take over."""

_loggers: weakref.WeakSet[SessionLogger] = weakref.WeakSet()


def _warn(message: str, *arguments: object) -> None:
    """Log a warning of a session's, by whatever is this module's logger by now."""
    logger.warning(message, *arguments)


def _absolute(directory: str | os.PathLike[str]) -> Path:
    """The directory as it is meant now: a later chdir must not tear the session in two."""
    try:
        return Path(os.path.abspath(directory))
    except FileNotFoundError:  # the working directory was removed: no file can be made in it, and that is for later
        return Path(directory)


def _after_fork() -> None:
    for face in list(_loggers):
        face._start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
