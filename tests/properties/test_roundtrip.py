"""Whatever is logged, by whichever way it takes through the queue, is what is read back and what is summed up."""

from __future__ import annotations

import math
import pathlib
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deia import SessionLogger, analyze_session, read_events
from deia.events import ErrorEvent, FileEvent, LLMEvent, MessageEvent, TaskEvent, ToolEvent
from support.lines import assert_sound, lines_of

RING_BYTES = 64 * 1024


@dataclass(frozen=True)
class Value:
    """Something to log, and the form in which JSON must give it back.

    Attributes:
        given: What the caller has.
        recorded: What the log has.
    """

    given: Any = field(compare=False)
    recorded: Any


def _same(value: Any) -> Value:
    return Value(value, value)


def _of_list(values: list[Value]) -> Value:
    return Value([value.given for value in values], [value.recorded for value in values])


def _of_tuple(values: list[Value]) -> Value:
    return Value(tuple(value.given for value in values), [value.recorded for value in values])


def _of_dict(values: dict[str, Value]) -> Value:
    return Value(
        {key: value.given for key, value in values.items()}, {key: value.recorded for key, value in values.items()}
    )


texts = st.text(st.characters(codec="utf-8"), max_size=20)

plain_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.integers(0, 30_000).map(lambda length: "x" * length),  # for the ring: lines of every length up to half of it
).map(_same)

odd_values = st.one_of(
    st.datetimes().map(lambda value: Value(value, value.isoformat())),
    st.dates().map(lambda value: Value(value, value.isoformat())),
    st.uuids().map(lambda value: Value(value, str(value))),
    texts.map(lambda value: Value(pathlib.PurePosixPath("/", value), str(pathlib.PurePosixPath("/", value)))).filter(
        lambda value: "\0" not in value.recorded
    ),
    st.sets(st.integers(0, 9), max_size=1).map(lambda value: Value(value, list(value))),
    st.integers(2**64, 2**80).map(lambda value: Value(value, str(value))),
)
"""Those whose most readable form leaves no choice."""

values = st.recursive(
    plain_values | odd_values,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(_of_list),
        st.lists(inner, max_size=3).map(_of_tuple),
        st.dictionaries(texts, inner, max_size=3).map(_of_dict),
    ),
    max_leaves=6,
)
mappings = st.dictionaries(texts, values, max_size=3).map(_of_dict)
names = st.sampled_from(["plan", "write", "test"]) | texts.filter(bool)
sizes = st.none() | st.integers(0, 2**53)
durations = st.integers(0, 10**12)


@dataclass(frozen=True)
class Start:
    """`log_task_start`."""

    name: str
    metadata: Value


@dataclass(frozen=True)
class Complete:
    """`log_task_complete`."""

    name: str
    duration_ms: int | None
    metadata: Value


@dataclass(frozen=True)
class Read:
    """`log_file_read`."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True)
class Write:
    """`log_file_write`."""

    path: str
    size_bytes: int
    lines: int | None


@dataclass(frozen=True)
class Tool:
    """`log_tool_call`."""

    name: str
    params: Value
    duration_ms: int


@dataclass(frozen=True)
class Model:
    """`log_llm_call`."""

    model: str
    tokens: tuple[int | None, int | None, int | None, int | None, int | None]
    duration_ms: int | None
    cost_usd: float | None
    response_id: str | None
    attempt: int | None
    error: str | None
    metadata: Value


@dataclass(frozen=True)
class Message:
    """`log_message`."""

    role: str
    content: Value
    message_id: str | None
    metadata: Value


@dataclass(frozen=True)
class Error:
    """`log_error`."""

    message: str
    error_type: str | None
    metadata: Value


Call = Start | Complete | Read | Write | Tool | Model | Message | Error

calls = st.one_of(
    st.builds(Start, names, mappings),
    st.builds(Complete, names, st.none() | durations, mappings),
    st.builds(Read, texts.filter(bool), sizes),
    st.builds(Write, texts.filter(bool), st.integers(0, 2**53), sizes),
    st.builds(Tool, names, mappings, durations),
    st.builds(
        Model,
        names,
        st.tuples(sizes, sizes, sizes, sizes, sizes),
        st.none() | durations,
        st.none() | st.floats(0, 1e6),
        st.none() | names,
        st.none() | st.integers(1, 9),
        st.none() | names,
        mappings,
    ),
    st.builds(Message, names, values, st.none() | names, mappings),
    st.builds(Error, names, st.none() | names, mappings),
)


def log(logger: SessionLogger, call: Call) -> None:
    """Make a call."""
    if isinstance(call, Start):
        logger.log_task_start(call.name, call.metadata.given)
    elif isinstance(call, Complete):
        logger.log_task_complete(call.name, call.duration_ms, call.metadata.given)
    elif isinstance(call, Read):
        logger.log_file_read(call.path, call.size_bytes)
    elif isinstance(call, Write):
        logger.log_file_write(call.path, call.size_bytes, call.lines)
    elif isinstance(call, Tool):
        logger.log_tool_call(call.name, call.params.given, call.duration_ms)
    elif isinstance(call, Model):
        given, made, read, written, thought = call.tokens
        logger.log_llm_call(
            "provider",
            call.model,
            given,
            made,
            cache_read_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=thought,
            duration_ms=call.duration_ms,
            cost_usd=call.cost_usd,
            response_id=call.response_id,
            attempt=call.attempt,
            error=call.error,
            metadata=call.metadata.given,
        )
    elif isinstance(call, Message):
        logger.log_message(call.role, call.content.given, message_id=call.message_id, metadata=call.metadata.given)
    else:
        logger.log_error(call.message, error_type=call.error_type, metadata=call.metadata.given)


@dataclass
class Oracle:
    """What the log of a sequence of calls must say, worked out in the plainest way.

    Attributes:
        expected: One tuple per line.
        open: The open tasks, oldest first: name, `task_id`, metadata.
        completed: Names of completed tasks with their durations, None where measured.
    """

    expected: list[tuple[Any, ...]] = field(default_factory=list)
    open: list[tuple[str, int, dict[str, Any]]] = field(default_factory=list)
    completed: list[tuple[str, int | None]] = field(default_factory=list)

    def note(self, call: Call) -> None:
        """Note a call that has returned."""
        inside = self.open[-1][1] if self.open else None
        if isinstance(call, Start):
            seq = len(self.expected) + 1
            self.open.append((call.name, seq, call.metadata.recorded))
            self.expected.append(("start", call.name, call.metadata.recorded, seq, inside))
        elif isinstance(call, Complete):
            self._note_completion(call)
        elif isinstance(call, Read):
            self.expected.append(("file", call.path, "read", call.size_bytes, None, inside))
        elif isinstance(call, Write):
            self.expected.append(("file", call.path, "write", call.size_bytes, call.lines, inside))
        elif isinstance(call, Tool):
            self.expected.append(("tool", call.name, call.params.recorded, call.duration_ms, inside))
        elif isinstance(call, Model):
            told = (call.duration_ms, call.cost_usd, call.response_id, call.attempt, call.error)
            self.expected.append(("llm", call.model, *call.tokens, *told, call.metadata.recorded, inside))
        elif isinstance(call, Message):
            told_too = (call.role, call.content.recorded, call.message_id, call.metadata.recorded)
            self.expected.append(("message", *told_too, inside))
        else:
            self.expected.append(("error", call.error_type, call.message, call.metadata.recorded, inside))

    def _note_completion(self, call: Complete) -> None:
        for at in reversed(range(len(self.open))):
            name, task_id, metadata = self.open[at]
            if name == call.name:
                del self.open[at]
                merged = {**metadata, **call.metadata.recorded}
                self.expected.append(("end", name, merged, call.duration_ms, task_id))
                self.completed.append((name, call.duration_ms))
                return
        self.expected.append(("orphan", call.name, call.metadata.recorded, call.duration_ms))


def as_told(event: object, call: Call) -> tuple[Any, ...]:
    """Return what an event says in the oracle's form; a measured duration is only known to be one."""
    if isinstance(event, TaskEvent):
        assert isinstance(call, (Start, Complete))
        if event.end_time is None:
            return ("start", event.name, event.metadata, event.task_id, event.parent_id)
        duration = event.duration_ms
        if isinstance(call, Complete) and call.duration_ms is None:
            assert not duration or duration > 0
            duration = None
        if event.orphan:
            return ("orphan", event.name, event.metadata, duration)
        assert event.end_time >= event.start_time
        return ("end", event.name, event.metadata, duration, event.task_id)
    if isinstance(event, FileEvent):
        return ("file", event.path, event.operation, event.size_bytes, event.lines, event.task_id)
    if isinstance(event, LLMEvent):
        tokens = (event.input_tokens, event.output_tokens, event.cache_read_tokens, event.cache_write_tokens)
        told = (event.duration_ms, event.cost_usd, event.response_id, event.attempt, event.error)
        return ("llm", event.model, *tokens, event.reasoning_tokens, *told, event.metadata, event.task_id)
    if isinstance(event, MessageEvent):
        return ("message", event.role, event.content, event.message_id, event.metadata, event.task_id)
    if isinstance(event, ErrorEvent):
        return ("error", event.error_type, event.message, event.metadata, event.task_id)
    assert isinstance(event, ToolEvent)
    return ("tool", event.name, event.params, event.duration_ms, event.task_id)


@pytest.mark.parametrize("mode", ["mmap", "write", "memory"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sequence=st.lists(calls, max_size=25))
def test_what_was_logged_is_what_is_read_and_what_is_summed_up(mode: str, sequence: list[Call]) -> None:
    """For any calls: the events read back, their `seq`, the live summary and the file's analysis agree."""
    oracle = Oracle()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        logger = _logger(directory, mode)
        for call in sequence:
            log(logger, call)
            oracle.note(call)
        if sequence:
            assert logger.statistics().mode == mode
        summary, live = logger.get_session_summary(), logger.events
        path = logger.save_session(directory / "saved")
        logger.close()
        events = list(read_events(path))
        assert [as_told(event, call) for event, call in zip(events, sequence, strict=True)] == oracle.expected
        assert [event.seq for event in events] == list(range(1, len(sequence) + 1))
        assert len(lines_of(path)) == len(sequence)
        assert_sound(path)

        counted = Counter(type(call).__name__ for call in sequence)
        counts = (summary.tasks_completed, summary.files_read, summary.files_written, summary.tool_calls_count)
        assert counts == (len(oracle.completed), counted["Read"], counted["Write"], counted["Tool"])
        assert len(live) == sum(counted[kind] for kind in counted if kind != "Complete")

        analysis = analyze_session(path)
        assert set(analysis.task_breakdown) == {name for name, _ in oracle.completed}
        for task, total in analysis.task_breakdown.items():
            given_ms = sum(duration or 0 for name, duration in oracle.completed if name == task)
            measured = any(duration is None for name, duration in oracle.completed if name == task)
            assert total >= given_ms if measured else total == given_ms
        stats = {"read": summary.files_read, "write": summary.files_written}
        assert analysis.file_operation_stats == {name: count for name, count in stats.items() if count}


def _logger(directory: Path, mode: str) -> SessionLogger:
    if mode == "memory":
        (directory / "obstacle").touch()
        return SessionLogger("agent", "s", output_dir=directory / "obstacle" / "sessions", redact=False)
    modes: dict[str, Any] = {"mmap": "mmap", "write": "write"}
    return SessionLogger(
        "agent", "s", output_dir=directory, queue_bytes=RING_BYTES, queue_mode=modes[mode], redact=False
    )


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.uuids() | st.datetimes(),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none(), st.floats(), st.binary()), inner),
        st.frozensets(st.integers() | st.text()),
    ),
    max_leaves=20,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(values=st.lists(json_like, max_size=5), duration=st.floats())
def test_no_data_raises_or_breaks_a_line(values: list[Any], duration: float) -> None:
    """Data of any make gives one whole line per call, which a strict parser and our reader take."""
    with tempfile.TemporaryDirectory() as name:
        with SessionLogger("agent", "s", output_dir=name) as logger:
            for value in values:
                logger.log_tool_call("t", value, duration)
                logger.log_task_start("k", {"value": value})
                logger.log_task_complete("k", metadata={"more": value})
                logger.log_message("user", value, message_id=value, metadata=value)
                logger.log_llm_call("p", "m", duration_ms=duration, cost_usd=duration, error=value, metadata=value)
                logger.log_error("e", error_type=value, where=value, traceback=value, metadata=value)
        if not values:
            return
        lines = lines_of(logger.path)
        assert len(lines) == 6 * len(values)
        assert len(list(read_events(logger.path))) == len(lines)
        if math.isfinite(duration) and duration >= 0:
            assert lines[0]["duration_ms"] == round(duration) or duration > 2**53  # beyond, only that it can be read
        else:
            assert lines[0]["duration_ms"] == 0
        assert_sound(logger.path)


def test_examples_are_what_they_claim() -> None:
    """The oracle itself, on a case worked out by hand."""
    oracle = Oracle()
    for call in (
        Start("a", _same({"x": 1})),
        Read("f", 1),
        Complete("a", 5, _same({"y": 2})),
        Complete("a", 5, _same({})),
    ):
        oracle.note(call)
    assert oracle.expected == [
        ("start", "a", {"x": 1}, 1, None),
        ("file", "f", "read", 1, None, 1),
        ("end", "a", {"x": 1, "y": 2}, 5, 1),
        ("orphan", "a", {}, 5),
    ]
