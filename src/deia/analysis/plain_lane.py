"""The plain lane: what is wholly regular in a journal, in as few operations a line as there can be.

Most journals are regular from end to end: lines of version 1, of known types, with every field of the type it should
have, whose `seq` counts up by one in one session. Such lines need none of a reader's care, and take a fifth of its time
here. The moment a stretch holds anything else, whatever it is, nothing is said of it at all, and the reader reads it.
So nothing here may be more tolerant than the reader; it may well be less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from deia.analysis.percentiles import buckets_of
from deia.analysis.stretch import Closed, Completion, RunTimes, Stretch, ToolFigures
from deia.journal.limits import LARGEST, LARGEST_SEQ, LATEST
from deia.line import VERSION

_BLOCK_BYTES = 128 * 1024
"""Lines of one block stay in a core's cache while they are parsed."""

_LONGEST_LINE_BYTES = 4 * 1024 * 1024
"""A longer one is the reader's: it keeps the parts of a line, and joins them once."""

_WHOLE_OR_NONE = frozenset({int, type(None)})

_TEXT = frozenset({str})
_TEXT_OR_NONE = frozenset({str, type(None)})

_FURTHER_FIELDS = {
    "LLMEvent": (
        ("provider", "model"),
        ("response_id", "error_type", "error"),
        (
            *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens"),
            *("duration_ms", "time_to_first_token_ms", "attempt", "task_id"),
        ),
    ),
    "MessageEvent": (("role",), ("message_id",), ("task_id",)),
    "ErrorEvent": (("message",), ("error_type", "where", "traceback"), ("task_id",)),
    "DecisionEvent": (("decision",), ("reason",), ("task_id",)),
    "ActionItemEvent": (("item",), ("assignee", "due"), ("task_id",)),
}
"""Of the types that are counted and nothing more: the fields that hold text, text or null, a whole number or null."""

_NO_ENDING = b"no line"
"""Of the line before the first; what ends so is no object."""

Read = Callable[[int, int], bytes]
"""Reads so many bytes at an offset; fewer only where the file ends."""


class _IrregularError(Exception):
    """The reader has to read this stretch."""


def read_stretch(read: Read, begin: int, end: int, size: int) -> Stretch | None:
    """Return what the lines amount to that begin in a range of bytes; None where they are not wholly regular.

    Args:
        read: Reads the journal.
        begin: The first byte of the range.
        end: The byte after its last.
        size: How much of the journal there is. What stands there behind the last newline is no line, and left out.
    """
    try:
        first = _first_line(read, begin, end)
        return None if first is None else _add_up(_Lines(read, first, end, size))
    except (_IrregularError, KeyError, TypeError, orjson.JSONDecodeError):
        return None


def _first_line(read: Read, begin: int, end: int) -> int | None:
    """Return where the first line begins that begins in a range; None where none does."""
    if begin == 0:
        return 0
    at = begin - 1
    while at < end - 1:
        block = read(min(_BLOCK_BYTES, end - 1 - at), at)
        newline = block.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        if not block:
            break
        at += len(block)
    return None


class _Lines:
    """The lines of a range, block by block.

    Attributes:
        begin: Where the first line begins.
        end: After the iteration: where the last one ends.
        last: After the iteration: where it begins.
    """

    def __init__(self, read: Read, begin: int, end: int, size: int) -> None:
        self.begin = self.end = self.last = begin
        self._read = read
        self._to = end
        self._size = size

    def __iter__(self) -> Iterator[list[bytes]]:
        at = self.begin
        rest = b""
        while at < self._size:
            within = at < self._to
            block = self._read(min(_BLOCK_BYTES, (self._to if within else self._size) - at), at)
            if not block:
                raise _IrregularError  # it was cut since its size was looked up
            if not within:  # only the rest of a line is wanted, if there is one
                if not rest:
                    return
                block = block[: block.find(b"\n") + 1] or block
            at += len(block)
            *lines, rest = (rest + block).split(b"\n")
            if lines:
                self.end = at - len(rest)
                self.last = self.end - len(lines[-1]) - 1
                yield lines
                if at > self._to:
                    return
            elif len(rest) > _LONGEST_LINE_BYTES:
                raise _IrregularError


def _add_up(blocks: _Lines) -> Stretch:
    """Return what regular lines amount to.

    One function, and every check in its place: a call per line would cost as much as all that is done for one.

    Raises:
        _IrregularError, KeyError, TypeError, JSONDecodeError: They are not all regular.
    """
    loads = orjson.loads
    ending = _NO_ENDING
    seq = first_seq = 0
    session_id: Any = None
    agent_id: Any = None
    runs: list[RunTimes] = []
    run_start: float | None = None
    run_first = timestamp = earliest = latest = 0.0
    types: dict[str, int] = {}
    operations: dict[str, int] = {}
    durations: dict[str, list[int]] = {}
    errors: dict[str, int] = {}
    completed: dict[str, list[int]] = {}
    failed_tasks: dict[str, int] = {}
    whole_or_none: list[int | None] = []
    times: list[float] = []
    open_here: dict[int, tuple[str, float, bool]] = {}
    completions: list[Completion] = []
    closed: list[Closed] = []
    orphans = dropped = 0
    for lines in blocks:
        for line in lines:
            fields = loads(line)
            number = fields["seq"]
            before, timestamp = timestamp, fields["timestamp"]
            if not line.endswith(ending):
                if ending is _NO_ENDING:
                    seq, first_seq = number - 1, number
                    session_id, agent_id = fields["session_id"], fields["agent_id"]
                    ending = _ending(session_id, agent_id)
                    earliest = latest = run_first = before = timestamp
                if fields["session_id"] != session_id or fields["agent_id"] != agent_id or fields["v"] != VERSION:
                    raise _IrregularError
            seq += 1
            if number != seq or type(number) is not int or type(timestamp) is not float:
                raise _IrregularError
            if timestamp > latest:
                latest = timestamp
            elif timestamp < earliest:
                earliest = timestamp
            if "session_start" in fields:
                start = fields["session_start"]
                if type(start) is not float:
                    raise _IrregularError
                if number != first_seq:
                    runs.append((run_start, run_first, before))
                run_start, run_first = start, timestamp
                times.append(start)
            kind = fields["type"]
            if kind == "ToolEvent":
                name, params, task_id = fields["name"], fields["params"], fields["task_id"]
                if type(params) is not dict or (type(task_id) is not int and task_id is not None):
                    raise _IrregularError
                duration_ms = fields["duration_ms"]
                try:
                    durations[name].append(duration_ms)
                except KeyError:
                    types.setdefault(kind, 0)
                    durations[name] = [duration_ms]
                if "error" in params or "error" in fields:  # most have none, and to look costs less than to get
                    failed = bool(params.get("error") or fields.get("error"))
                    errors[name] = errors.get(name, 0) + failed
            elif kind == "FileEvent":
                operation = fields["operation"]
                try:
                    operations[operation] += 1
                except KeyError:
                    types.setdefault(kind, 0)
                    operations[operation] = 1
                if type(fields["path"]) is not str:
                    raise _IrregularError
                whole_or_none += (fields["size_bytes"], fields["lines"], fields["task_id"])
            elif kind == "TaskEvent":
                types[kind] = types.get(kind, 0) + 1
                name, began, ended = fields["name"], fields["start_time"], fields["end_time"]
                task_id, parent_id = fields["task_id"], fields["parent_id"]
                if type(name) is not str or type(began) is not float or not -LATEST <= began <= LATEST:
                    raise _IrregularError
                if type(parent_id) is not int and parent_id is not None:
                    raise _IrregularError
                if ended is None:
                    if type(task_id) is not int or task_id != number or fields.get("duration_ms") is not None:
                        raise _IrregularError
                    open_here[number] = name, began, parent_id is None
                else:
                    duration_ms = fields["duration_ms"]
                    if type(duration_ms) is not int or type(ended) is not float or not -LATEST <= ended <= LATEST:
                        raise _IrregularError
                    if fields.get("orphan") is True:
                        if type(task_id) is not int and task_id is not None:
                            raise _IrregularError
                        orphans += 1
                        continue  # when it began is only claimed: the clock does not count it
                    if type(task_id) is not int:
                        raise _IrregularError
                    if task_id in open_here:
                        _, as_began, top_level = open_here.pop(task_id)
                        if began != as_began or (parent_id is None) is not top_level:
                            raise _IrregularError
                    elif task_id < first_seq:
                        closed.append((task_id, number))
                    else:
                        raise _IrregularError
                    duration_ms = max(0, duration_ms)
                    try:
                        completed[name].append(duration_ms)
                    except KeyError:
                        completed[name] = [duration_ms]
                    if fields.get("error"):
                        failed_tasks[name] = failed_tasks.get(name, 0) + 1
                    if parent_id is None:
                        completions.append((began, ended, duration_ms, task_id, number))
                    times.append(ended)
                times.append(began)
            elif kind in _FURTHER_FIELDS:
                types[kind] = types.get(kind, 0) + 1
                texts, texts_or_none, numbers = _FURTHER_FIELDS[kind]
                if not (
                    _TEXT.issuperset(map(type, map(fields.__getitem__, texts)))
                    and _TEXT_OR_NONE.issuperset(map(type, map(fields.__getitem__, texts_or_none)))
                    and type(fields["metadata"]) is dict
                ):
                    raise _IrregularError
                whole_or_none += map(fields.__getitem__, numbers)
                cost = fields["cost_usd"] if kind == "LLMEvent" else None
                if cost is not None and (type(cost) is not float or not -LARGEST <= cost <= LARGEST):
                    raise _IrregularError
                if kind == "MessageEvent" and "content" not in fields:
                    raise _IrregularError
            elif kind == "SessionEvent":
                types[kind] = types.get(kind, 0) + 1
                if type(fields["event"]) is not str:
                    raise _IrregularError
                whole_or_none += map(fields.get, ("run", "recovered_bytes", "lost_bytes", "dropped"))
                dropped += fields.get("dropped") or 0
            else:
                raise _IrregularError
        if not _WHOLE_OR_NONE.issuperset(map(type, whole_or_none)):
            raise _IrregularError
        whole_or_none.clear()
        times += (earliest, latest)
        earliest, latest = min(times), max(times)
        times.clear()
    if not 1 <= first_seq <= seq <= LARGEST_SEQ or not -LATEST <= earliest <= latest <= LATEST:
        raise _IrregularError
    runs.append((run_start, run_first, timestamp))
    if not {str}.issuperset(map(type, durations)) or not {str}.issuperset(map(type, operations)):
        raise _IrregularError
    tools = {name: _tool(calls, errors.get(name, 0)) for name, calls in durations.items()}
    if "ToolEvent" in types:
        types["ToolEvent"] = sum(map(len, durations.values()))
    if "FileEvent" in types:
        types["FileEvent"] = sum(operations.values())
    return Stretch(
        begin=blocks.begin,
        end=blocks.end,
        last=blocks.last,
        lines=seq - first_seq + 1,
        agent_id=agent_id,
        session_id=session_id,
        first_seq=first_seq,
        earliest=earliest,
        latest=latest,
        runs=runs,
        types=types,
        operations=operations,
        tools=tools,
        tasks={name: _figures(runs_ms, failed_tasks.get(name, 0)) for name, runs_ms in completed.items()},
        orphans=orphans,
        completions=completions,
        opened=[(task_id, *start) for task_id, start in open_here.items()],
        closed=closed,
        dropped=dropped,
    )


def _ending(session_id: Any, agent_id: Any) -> bytes:
    """Return how nearly every line of a session ends: with whose it is, and the version.

    In an object that parses, such an end can be nothing else: were its comma inside a text, the quotation mark behind
    it would end that, and a bare word follow. To compare it costs less than to look at three fields.

    Raises:
        _IrregularError: These are no ids.
    """
    if type(session_id) is not str or (agent_id is not None and type(agent_id) is not str):
        raise _IrregularError
    return b"," + orjson.dumps({"agent_id": agent_id, "session_id": session_id, "v": VERSION})[1:]


def _tool(durations: list[int], errors: int) -> ToolFigures:
    """Return what the calls of one tool amount to."""
    if not {int}.issuperset(map(type, durations)):
        raise _IrregularError
    if min(durations) < 0:
        durations = [max(0, duration_ms) for duration_ms in durations]
    return _figures(durations, errors)


def _figures(durations: list[int], errors: int) -> ToolFigures:
    """Return what durations, 0 or more, amount to."""
    buckets = list(buckets_of(durations).items())
    return len(durations), errors, sum(durations), min(durations), max(durations), buckets
