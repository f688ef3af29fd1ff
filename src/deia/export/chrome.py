"""Chrome's Trace Event Format, which Perfetto opens.

The format is https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: an object whose
`traceEvents` may come in any order; complete events (`ph` "X") have their begin and duration in microseconds. Of one
thread each pair must be nested or apart, which Perfetto insists on (https://perfetto.dev/docs/faq); where two begin and
end together, the first in the file holds the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deia.export.json_text import dumps
from deia.export.lanes import Lanes, Place
from deia.export.sources import Source
from deia.export.timeline import Begun, Item, Mark, Opened, Session, Span, claimed, details, timeline

_HEAD = b'{"displayTimeUnit":"ms","traceEvents":['
_TAIL = b"\n]}\n"

_MOST_AT_ONCE = 1000
"""How many events that end at one moment are put in order; a log whose calls have no time may have any number."""


def chrome(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the pieces of a trace: a process for each session, and in it a thread for each lane."""
    yield _HEAD
    separator = b"\n"
    pid = 0
    for source in sources:
        processes: dict[Session, _Process] = {}
        for item in timeline(source.entries):
            process = processes.get(item.session)
            if process is None:
                pid += 1
                process = processes[item.session] = _Process(pid, source.name)
            for event in process.take(item):
                yield separator
                yield dumps(event)
                separator = b",\n"
    yield _TAIL


class _Process:
    """One session."""

    def __init__(self, pid: int, path: str) -> None:
        self._pid = pid
        self._path = path
        self._lanes = Lanes()
        self._named = 0
        self._end_us: int | None = None
        self._tasks: list[dict[str, Any]] = []
        self._others: list[dict[str, Any]] = []

    def take(self, item: Item) -> Iterator[dict[str, Any]]:
        if isinstance(item, Opened):
            name = " ".join(filter(None, item.session)) or self._path
            yield self._metadata("process_name", 0, name=name)
            yield self._metadata("process_labels", 0, labels=self._path)
            yield self._metadata("process_sort_index", 0, sort_index=self._pid)
        elif isinstance(item, Begun):
            self._lanes.begin(item.key, item.start_us, item.parent)
        elif isinstance(item, Span):
            if item.begun:
                assert item.key is not None
                place = self._lanes.finish(item.key, item.end_us)
            else:
                place = self._lanes.add(item.start_us, item.end_us, item.parent)
            yield from self._names()
            yield from self._until(place.end)
            (self._tasks if item.kind == "task" else self._others).append(self._complete(item, place))
        elif isinstance(item, Mark):
            yield from self._until(item.at_us)
            self._others.append(self._instant(item))
        else:
            yield from self._ended()

    def _until(self, end_us: int) -> Iterator[dict[str, Any]]:
        """Yield what ended, where something that ends at another moment follows."""
        if end_us != self._end_us or len(self._tasks) + len(self._others) >= _MOST_AT_ONCE:
            yield from self._ended()
            self._end_us = end_us

    def _ended(self) -> Iterator[dict[str, Any]]:
        """Yield what ended at one moment: tasks before what they hold, of which the log tells first."""
        yield from reversed(self._tasks)
        yield from self._others
        self._tasks, self._others = [], []

    def _instant(self, mark: Mark) -> dict[str, Any]:
        """Return a mark in the lane of its task; one of none is the process's, and is not drawn beneath a task."""
        lane = self._lanes.lane_of(mark.parent)
        scope = "p" if lane is None else "t"
        return self._event("i", mark.kind, mark.name, mark.at_us, lane or 0, details(mark.event), s=scope)

    def _complete(self, span: Span, place: Place) -> dict[str, Any]:
        args = details(span.event)
        if span.is_open:
            args["open"] = True
        if span.is_cut:
            args |= {"cut": True, **claimed(span)}
        return self._event("X", span.kind, span.name, place.start, place.lane, args, dur=place.end - place.start)

    def _event(
        self, phase: str, category: str, name: str, at_us: int, lane: int, args: dict[str, Any], **further: Any
    ) -> dict[str, Any]:
        place = {"ph": phase, "pid": self._pid, "tid": lane + 1, "ts": at_us}
        return {**place, **further, "cat": category, "name": name, "args": args}

    def _names(self) -> Iterator[dict[str, Any]]:
        """Yield the names of the lanes that are new."""
        while self._named < len(self._lanes):
            self._named += 1
            yield self._metadata("thread_name", self._named, name=f"lane {self._named}")
            yield self._metadata("thread_sort_index", self._named, sort_index=self._named)

    def _metadata(self, what: str, tid: int, **args: Any) -> dict[str, Any]:
        return {"ph": "M", "pid": self._pid, "tid": tid, "name": what, "args": args}
