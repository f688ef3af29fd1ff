"""Starts and completions of tasks: which task is meant, what context it leaves or enters, and its line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from deia.bus.appender import Build, Done
from deia.bus.session import Session
from deia.plain import plain
from deia.queue.producer import COMPLETED, OTHER, STARTED, Entry
from deia.queue.tasks import OpenTask, current, entered_last, innermost, leave
from deia.services.screen import Screen
from deia.system import now, stopwatch


class Tasks:
    """The tasks of one session, for its logger.

    Args:
        session: The session.
        append: Appends to it where the fast path does not do.
        whose: The end of each line, encoded, in the place of the agent's id.
        screen: What keeps secrets out of them; None where nothing is to.
        warn: Logs a warning of the logger's.
    """

    def __init__(
        self,
        session: Session,
        append: Callable[[Session, Build, Done], None],
        whose: orjson.Fragment,
        screen: Screen | None,
        warn: Callable[[str], object],
    ) -> None:
        self._session = session
        self._append_slowly = append
        self._producer = session.producer
        self._whose = whose
        self._screen = screen
        self._warn = warn

    def that_wait(self) -> Tasks:
        """The same, for calls that wait where they have to, whatever the logger does there."""
        return Tasks(
            self._session, lambda session, *what: session.appender.append(*what), self._whose, self._screen, self._warn
        )

    def start(self, name: str, metadata: bytes) -> None:
        """Record that a task starts, its metadata being encoded, and enter it."""
        task = self._new(name, metadata)
        self._append(partial(self._start_entry, task), partial(current.set, task))

    def begin(self, name: str, metadata: bytes, begun: Callable[[OpenTask], object]) -> None:
        """The same for a task that `end` completes.

        Args:
            name: Its name.
            metadata: Encoded.
            begun: Gets the task once it is recorded.
        """
        task = self._new(name, metadata)

        def done() -> None:
            current.set(task)
            begun(task)

        self._append(partial(self._begin_entry, task), done)

    def _new(self, name: str, metadata: bytes) -> OpenTask:
        if self._screen is not None:
            name, metadata, _ = self._screen.task(name, metadata)
        task = OpenTask(name, now(), stopwatch(), metadata)
        outer = entered_last()
        while outer is not None and outer.owner is None:
            outer = outer.outer
        task.outer = outer
        parent = innermost(outer, self._producer.owner)
        task.parent_id = None if parent is None else parent.task_id
        return task

    def _start_entry(self, task: OpenTask, seq: int) -> Entry:
        task.task_id = seq
        task.older = self._producer.tasks.get(task.name)
        line = self._line(task, seq, None, task.metadata, {})
        return Entry(line, STARTED, task.name, task, task, self._producer.owner)

    def _begin_entry(self, task: OpenTask, seq: int) -> Entry:
        task.task_id = seq
        self._producer.held[task] = None  # before it is committed: whoever looks there looks at its owner, too
        return Entry(self._line(task, seq, None, task.metadata, {}), STARTED, None, None, task, self._producer.owner)

    def complete(
        self, name: str, duration: dict[str, Any], metadata: bytes, outcome: dict[str, Any] | None = None
    ) -> None:
        """Record that a task is complete, and leave it.

        Args:
            name: Its name.
            duration: The fields of a duration that was given.
            metadata: Encoded, to be merged over the start's.
            outcome: The fields that tell of a failure, if it failed.
        """
        if self._screen is not None:
            name, metadata, outcome = self._screen.task(name, metadata, outcome)
        completion = _Completion(self, name, duration, metadata, outcome)
        self._append(completion, completion.done)

    def end(self, task: OpenTask, metadata: bytes, outcome: dict[str, Any]) -> None:
        """Record that a task that was begun is complete, unless it was completed by its name before.

        Args:
            task: The task.
            metadata: Encoded, to be merged over the start's.
            outcome: The fields that tell of a failure.

        Raises:
            LoggerClosedError: The logger was closed before.
        """
        if task.owner is None:
            self._producer.held.pop(task, None)
            leave()
            if self._session.state in ("closing", "closed"):
                raise self._session.closed_error()
            return
        if self._screen is not None:
            _, metadata, outcome = self._screen.task(task.name, metadata, outcome)
        completion = _Completion(self, task.name, {}, metadata, outcome, task)
        self._append(completion, completion.done)

    def end_unbegun(self, name: str, elapsed_s: float, metadata: bytes, outcome: dict[str, Any]) -> None:
        """Record the completion of a task whose start was dropped: without a start, as it is in the log."""
        if self._screen is not None:
            name, metadata, outcome = self._screen.task(name, metadata, outcome)
        beside = {"duration_ms": round(max(elapsed_s, 0.0) * 1000)}
        completion = _Completion(self, name, beside, metadata, outcome)
        self._append(completion.orphan_entry, lambda: None)

    def _append(self, build: Build, done: Callable[[], object]) -> None:
        producer = self._producer
        start, seq = producer.end, producer.seq
        if producer.place(start, seq, build(seq + 1)):
            done()
        else:
            self._append_slowly(self._session, build, done)

    def _line(self, task: OpenTask, seq: int, end_time: float | None, metadata: bytes, beside: dict[str, Any]) -> bytes:
        fields = {
            "type": "TaskEvent",
            "name": task.name,
            "start_time": task.start_time,
            "end_time": end_time,
            "metadata": orjson.Fragment(metadata),
            **beside,
            "task_id": task.task_id,
            "parent_id": task.parent_id,
            "seq": seq,
            "timestamp": task.start_time if end_time is None else end_time,
            "agent_id": self._whose,
        }
        try:
            line = orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # lone surrogates in the name
            line = orjson.dumps({**fields, "name": plain(task.name)}, None, orjson.OPT_APPEND_NEWLINE)
        return line if self._screen is None else self._screen.fit(line)


class _Completion:
    """The entry of a task's completion: which task that is shows only at the moment of its commit."""

    def __init__(
        self,
        tasks: Tasks,
        name: str,
        duration: dict[str, Any],
        metadata: bytes,
        outcome: dict[str, Any] | None = None,
        task: OpenTask | None = None,
    ) -> None:
        self._tasks = tasks
        self._name = name
        self._duration = duration
        self._metadata = metadata
        self._outcome = outcome or {}
        self._task = task
        self._end_time = now()
        self._ended = stopwatch()
        self._orphan = False
        self._held: OpenTask | None = None

    def __call__(self, seq: int) -> Entry:
        tasks = self._tasks
        producer = tasks._producer
        if self._task is None:
            task = producer.newest(self._name)
        else:  # unless another call has completed it by its name since we looked
            task = self._task if self._task.owner is producer.owner else None
        self._orphan = task is None
        if task is None:
            return self.orphan_entry(seq)
        end_time = max(self._end_time, task.start_time)
        beside = self._duration
        if not beside:
            # another process's monotonic clock says nothing here
            elapsed = self._ended - task.started if task.started is not None else end_time - task.start_time
            beside = {"duration_ms": round(max(elapsed, 0.0) * 1000)}
        metadata = task.metadata
        if self._metadata != b"{}":
            metadata = orjson.dumps({**orjson.loads(metadata), **orjson.loads(self._metadata)})
        if task.started is None and tasks._screen is not None:  # what an earlier run recorded may be anything
            metadata = tasks._screen.metadata(metadata)
        line = tasks._line(task, seq, end_time, metadata, {**beside, **self._outcome} if self._outcome else beside)
        self._held = task if task in producer.held else None
        if self._held is not None:
            return Entry(line, COMPLETED, None, None, task)
        return Entry(line, COMPLETED, self._name, task.older, task)

    def orphan_entry(self, seq: int) -> Entry:
        tasks = self._tasks
        duration_ms = self._duration.get("duration_ms", 0)
        task = OpenTask(self._name, self._end_time - duration_ms / 1000, None, b"{}")
        parent = innermost(entered_last(), tasks._producer.owner)
        task.parent_id = None if parent is None else parent.task_id
        beside = {**(self._duration or {"duration_ms": None}), "orphan": True, **self._outcome}
        return Entry(tasks._line(task, seq, self._end_time, self._metadata, beside), OTHER)

    def done(self) -> None:
        if self._orphan:
            # one finished text, as callers of the original module's logger assert it
            self._tasks._warn(f"Task complete event logged without corresponding start event: {self._name}")
            return
        if self._held is None:
            self._tasks._producer.forget(self._name)
        else:
            self._tasks._producer.held.pop(self._held, None)
        leave()
        if "error" in self._outcome:
            self._tasks._session.sync_soon()
