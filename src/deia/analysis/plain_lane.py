"""The plain lane: what is wholly regular in a journal, in as few operations a line as there can be.

Most journals are regular from end to end: lines of version 1, of known types, with every field of the type it should
have, whose `seq` counts up by one in one session. Such lines need none of a reader's care, and take a sixth of its time
here. The moment a stretch holds anything else, whatever it is, nothing is said of it at all, and the reader reads it.
So nothing here may be more tolerant than the reader; it may well be less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain
from typing import Any

import orjson

from deia.analysis.percentiles import buckets_of
from deia.analysis.stretch import CallTimes, Closed, Completion, ModelCall, RunTimes, Stretch
from deia.analysis.typed_lines import PARSING_ERRORS, IrregularError, TypedLines
from deia.analysis.usage import call_of

_BLOCK_BYTES = 64 * 1024
"""Lines of one block, and what they are parsed into, stay in a core's cache."""

_LONGEST_LINE_BYTES = 4 * 1024 * 1024
"""A longer one is the reader's: it keeps the parts of a line, and joins them once."""

_MANY_BYTES = 16 * 1024 * 1024
"""Some 50,000 lines: what makes each a little faster may take some milliseconds."""

_MOST_ODD_LINES = 32
"""With something that is not expected: they cost an exception each. From so many on the lines behind are parsed so that
anything may stand in them, which takes about twice as long as if nothing may."""

Read = Callable[[int, int], bytes]
"""Reads so many bytes at an offset; fewer only where the file ends."""


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
    except IrregularError:
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
        are_many: Whether the journal has very many.
        end: After the iteration: where the last one ends.
        last: After the iteration: where it begins.
    """

    def __init__(self, read: Read, begin: int, end: int, size: int) -> None:
        self.begin = self.end = self.last = begin
        self.are_many = size > _MANY_BYTES
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
                raise IrregularError  # it was cut since its size was looked up
            if not within:  # only the rest of a line is wanted, if there is one
                if not rest:
                    return
                block = block[: block.find(b"\n") + 1] or block
            at += len(block)
            lines = BytesIO(block).readlines()  # a third of the time that `split` takes: it searches with memchr
            if rest:
                lines[0] = rest + lines[0]
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
            if lines:
                self.end = at - len(rest)
                self.last = self.end - len(lines[-1])
                yield lines
                if at > self._to:
                    return
            elif len(rest) > _LONGEST_LINE_BYTES:
                raise IrregularError


def _add_up(blocks: _Lines) -> Stretch:
    """Return what regular lines amount to.

    One function for what most lines are, and every check in its place: a call per line would cost as much as all that
    is done for one. Each branch takes `seq` and `timestamp` from its events itself, because the interpreter is quick at
    an attribute only where all objects are of one class.

    Raises:
        IrregularError: They are not all regular.
    """
    rest = iter(blocks)
    block = next(rest, None)
    if block is None:
        raise IrregularError
    agent_id, session_id = _whose(block[0])
    typed = TypedLines(agent_id, session_id, many=blocks.are_many)
    tool_event, file_event, task_event, llm_event, session_event = typed.counted
    parse = typed.parse
    first, _ = typed.parse_with_care(block[0])
    first_seq, seq = first.seq, first.seq - 1
    run_first = timestamp = earliest = latest = first.timestamp
    runs: list[RunTimes] = []
    run_start: float | None = None
    types: dict[str, int] = {}
    operations: dict[str, int] = {}
    durations: dict[str, list[int]] = {}
    errors: dict[str, int] = {}
    completed: dict[str, list[int]] = {}
    failed_tasks: dict[str, int] = {}
    open_here: dict[int, Any] = {}
    completions: list[Completion] = []
    closed: list[Closed] = []
    model_calls: list[ModelCall] = []
    times: list[float] = []
    tasks = orphans = other_failures = dropped = odd = 0
    for lines in chain((block,), rest):
        before_block = seq
        remaining = iter(lines)
        events: Iterator[Any] = map(parse, remaining)
        while True:
            try:
                for event in events:
                    seq += 1
                    kind = type(event)
                    if kind is tool_event:
                        if event.seq != seq:
                            raise IrregularError
                        timestamp = event.timestamp
                        name, params = event.name, event.params
                        try:
                            durations[name].append(event.duration_ms)
                        except KeyError:
                            types.setdefault("ToolEvent", 0)
                            durations[name] = [event.duration_ms]
                        if "error" in params or event.error is not None:  # most have none
                            errors[name] = errors.get(name, 0) + bool(params.get("error") or event.error)
                    elif kind is file_event:
                        if event.seq != seq:
                            raise IrregularError
                        timestamp = event.timestamp
                        operation = event.operation
                        try:
                            operations[operation] += 1
                        except KeyError:
                            types.setdefault("FileEvent", 0)
                            operations[operation] = 1
                    elif kind is task_event:
                        if event.seq != seq:
                            raise IrregularError
                        timestamp = event.timestamp
                        began, ended, task_id = event.start_time, event.end_time, event.task_id
                        if not tasks:
                            types["TaskEvent"] = 0
                        tasks += 1
                        if ended is None:
                            if task_id != seq or event.duration_ms is not None or event.orphan is True or event.error:
                                raise IrregularError
                            open_here[seq] = event
                            if began != timestamp:
                                times.append(began)
                        elif event.orphan is True:
                            if event.duration_ms is None:
                                raise IrregularError
                            orphans += 1  # when it began is only claimed: the clock does not count it
                            if event.error:
                                other_failures += 1
                        else:
                            duration_ms, name, top_level = event.duration_ms, event.name, event.parent_id is None
                            if duration_ms is None or task_id is None:
                                raise IrregularError
                            start = open_here.pop(task_id, None)
                            if start is not None:
                                if start.start_time != began or (start.parent_id is None) is not top_level:
                                    raise IrregularError
                            elif task_id < first_seq:
                                closed.append((task_id, seq))
                                times.append(began)
                            else:
                                raise IrregularError
                            duration_ms = max(0, duration_ms)
                            try:
                                completed[name].append(duration_ms)
                            except KeyError:
                                completed[name] = [duration_ms]
                            if event.error:
                                failed_tasks[name] = failed_tasks.get(name, 0) + 1
                            if top_level:
                                completions.append((began, ended, duration_ms, task_id, seq))
                            if ended != timestamp:
                                times.append(ended)
                    else:
                        if event.seq != seq:
                            raise IrregularError
                        timestamp = event.timestamp
                        types[kind.__name__] = types.get(kind.__name__, 0) + 1
                        if kind is llm_event:
                            call = call_of(event)
                            model_calls.append(call)
                            other_failures += call[-1]
                        elif kind is session_event:
                            dropped += event.dropped or 0
                    if timestamp > latest:
                        latest = timestamp
                    elif timestamp < earliest:
                        earliest = timestamp
                break
            except PARSING_ERRORS:
                odd += 1
                if odd == _MOST_ODD_LINES:
                    typed = TypedLines(agent_id, session_id, many=blocks.are_many, loose=True)
                    tool_event, file_event, task_event, llm_event, session_event = typed.counted
                    parse = typed.parse
                event, session_start = typed.parse_with_care(lines[seq - before_block])
                if session_start is not None:
                    if seq >= first_seq:
                        runs.append((run_start, run_first, timestamp))
                    run_start, run_first = session_start, event.timestamp
                    times.append(session_start)
                events = chain((event,), map(parse, remaining))
    if first_seq < 1:
        raise IrregularError
    runs.append((run_start, run_first, timestamp))
    if "ToolEvent" in types:
        types["ToolEvent"] = sum(map(len, durations.values()))
    if tasks:
        types["TaskEvent"] = tasks
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
        earliest=min([earliest, *times]),
        latest=max([latest, *times]),
        runs=runs,
        types=types,
        operations=operations,
        tools={name: _tool(calls, errors.get(name, 0)) for name, calls in durations.items()},
        tasks={name: _figures(runs_ms, failed_tasks.get(name, 0)) for name, runs_ms in completed.items()},
        orphans=orphans,
        completions=completions,
        opened=[
            (task_id, start.name, start.start_time, start.parent_id is None) for task_id, start in open_here.items()
        ],
        closed=closed,
        dropped=dropped,
        model_calls=model_calls,
        other_failures=other_failures,
    )


def _whose(line: bytes) -> tuple[str | None, str]:
    """Return whose a line is: agent and session.

    Raises:
        IrregularError: It does not say.
    """
    try:
        fields = orjson.loads(line)
        agent_id, session_id = fields["agent_id"], fields["session_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise IrregularError from error
    if type(session_id) is not str or (agent_id is not None and type(agent_id) is not str):
        raise IrregularError
    return agent_id, session_id


def _tool(durations: list[int], errors: int) -> CallTimes:
    """Return what the calls of one tool amount to."""
    if min(durations) < 0:
        durations = [max(0, duration_ms) for duration_ms in durations]
    return _figures(durations, errors)


def _figures(durations: list[int], errors: int) -> CallTimes:
    """Return what durations, 0 or more, amount to."""
    buckets = list(buckets_of(durations).items())
    return len(durations), errors, sum(durations), min(durations), max(durations), buckets
