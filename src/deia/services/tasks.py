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
from deia.queue.tasks import OpenTask, current, innermost, leave
from deia.services.screen import Screen
from deia.system import monotonic, now


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

    def start(self, name: str, metadata: bytes) -> None:
        """Record that a task starts, its metadata being encoded, and enter it."""
        producer = self._producer
        if self._screen is not None:
            name, metadata = self._screen.task(name, metadata)
        task = OpenTask(name, now(), monotonic(), metadata)
        outer = current.get()
        while outer is not None and outer.owner is None:
            outer = outer.outer
        task.outer = outer
        parent = innermost(outer, producer.owner)
        task.parent_id = None if parent is None else parent.task_id
        self._append(partial(self._start_entry, task), partial(current.set, task))

    def _start_entry(self, task: OpenTask, seq: int) -> Entry:
        task.task_id = seq
        task.older = self._producer.tasks.get(task.name)
        line = self._line(task, seq, None, task.metadata, {})
        return Entry(line, STARTED, task.name, task, task, self._producer.owner)

    def complete(self, name: str, duration: dict[str, Any], metadata: bytes) -> None:
        """Record that a task is complete, and leave it.

        Args:
            name: Its name.
            duration: The fields of a duration that was given.
            metadata: Encoded, to be merged over the start's.
        """
        if self._screen is not None:
            name, metadata = self._screen.task(name, metadata)
        completion = _Completion(self, name, duration, metadata)
        self._append(completion, completion.done)

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

    def __init__(self, tasks: Tasks, name: str, duration: dict[str, Any], metadata: bytes) -> None:
        self._tasks = tasks
        self._name = name
        self._duration = duration
        self._metadata = metadata
        self._end_time = now()
        self._ended = monotonic()
        self._orphan = False

    def __call__(self, seq: int) -> Entry:
        tasks = self._tasks
        task = tasks._producer.tasks.get(self._name)
        self._orphan = task is None
        if task is None:
            return self._orphan_entry(seq)
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
        return Entry(tasks._line(task, seq, end_time, metadata, beside), COMPLETED, self._name, task.older, task)

    def _orphan_entry(self, seq: int) -> Entry:
        tasks = self._tasks
        duration_ms = self._duration.get("duration_ms", 0)
        task = OpenTask(self._name, self._end_time - duration_ms / 1000, None, b"{}")
        parent = innermost(current.get(), tasks._producer.owner)
        task.parent_id = None if parent is None else parent.task_id
        beside = {**(self._duration or {"duration_ms": None}), "orphan": True}
        return Entry(tasks._line(task, seq, self._end_time, self._metadata, beside), OTHER)

    def done(self) -> None:
        if self._orphan:
            # one finished text, as callers of the original module's logger assert it
            self._tasks._warn(f"Task complete event logged without corresponding start event: {self._name}")
        else:
            self._tasks._producer.forget(self._name)
            leave()
