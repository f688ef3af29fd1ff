"""Any dataclass is an event: what `publish` records, and what is read back."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from deia import (
    AsyncSessionLogger,
    CustomEvent,
    ErrorEvent,
    EventBus,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    SessionLogger,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
    read_events,
    register_event,
    registry,
)
from deia.errors import LoggerClosedError, QueueFullError
from support.held_writer import HeldWriter
from support.lines import lines_of
from support.odd_data import Odd, each_odd_value
from support.waiting import PATIENCE_S, Worker

pytestmark = pytest.mark.anyio


@dataclasses.dataclass
class PlanMade(CustomEvent):
    """An event of a program's own, which wants to know what its line carries."""

    steps: list[str]
    cost: float = 0.0


@dataclasses.dataclass(frozen=True)
class Measured:
    """One that does not."""

    value: Any


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EventBus]:
    """A bus of a session of its own; closed after the test."""
    async with EventBus("agent", "session", output_dir=tmp_path) as bus:
        yield bus


async def test_dataclass_is_recorded_under_the_name_of_its_class_with_its_fields(bus: EventBus) -> None:
    """Then comes what every line carries."""
    await bus.publish(PlanMade(["read", "write"], 0.5))
    await bus.flush()
    (line,) = lines_of(bus.path)
    assert list(line.items())[:4] == [
        ("type", "PlanMade"),
        ("steps", ["read", "write"]),
        ("cost", 0.5),
        ("task_id", None),
    ]
    assert (line["seq"], line["agent_id"], line["session_id"], line["v"]) == (1, "agent", "session", 1)


async def test_registered_class_is_read_back_as_that_class(bus: EventBus) -> None:
    """Publishing registers; what a line carries is in the fields of those that inherit from CustomEvent."""
    await bus.publish(PlanMade(["read"]))
    await bus.publish(Measured(3))
    plan, measured = read_events(bus.path)
    assert plan == PlanMade(["read"])
    assert isinstance(plan, PlanMade)
    assert (plan.seq, plan.agent_id, plan.session_id, plan.task_id) == (1, "agent", "session", None)
    assert measured == Measured(3)


async def test_class_that_nobody_registered_is_read_as_an_unknown_event(bus: EventBus) -> None:
    """With all its fields."""
    await bus.publish(dataclasses.make_dataclass("Forgotten", ["what"])("this"))
    registry._classes.pop("Forgotten")  # as in a process that knows nothing of it
    (event,) = read_events(bus.path)
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.fields["what"], event.seq) == ("Forgotten", "this", 1)
    register_event(dataclasses.make_dataclass("Forgotten", ["what"]))
    (again,) = read_events(bus.path)
    assert type(again).__name__ == "Forgotten"


async def test_class_whose_constructor_refuses_the_line_is_read_as_an_unknown_event(bus: EventBus) -> None:
    """Whatever has become of the class, the event is there."""

    @dataclasses.dataclass
    class Picky:
        value: int

        def __post_init__(self) -> None:
            if self.value > 1:
                raise ValueError("too much")

    event = Picky(1)
    event.value = 2
    await bus.publish(event)
    (read,) = read_events(bus.path)
    assert isinstance(read, UnknownEvent)


@pytest.mark.parametrize(
    ("event", "call"),
    [
        (ToolEvent("pytest", {"q": 1}, 12), lambda log: log.log_tool_call("pytest", {"q": 1}, 12)),
        (FileEvent("a", "read", 4), lambda log: log.log_file_read("a", 4)),
        (FileEvent("a", "write", 4, 2), lambda log: log.log_file_write("a", 4, 2)),
        (FileEvent("a", "read", 4, duration_ms=7), lambda log: log.log_file_read("a", 4, duration_ms=7)),
        (FileEvent("a", "write", 4, duration_ms=0), lambda log: log.log_file_write("a", 4, duration_ms=0)),
        (TaskEvent("t", 0.0, None, {"a": 1}), lambda log: log.log_task_start("t", {"a": 1})),
        (TaskEvent("t", 0.0, 1.0, {"a": 1}, duration_ms=7), lambda log: log.log_task_complete("t", 7, {"a": 1})),
        (LLMEvent("p", "m", 1, 2, cost_usd=0.5), lambda log: log.log_llm_call("p", "m", 1, 2, cost_usd=0.5)),
        (
            LLMEvent("p", "m", error_type="Timeout", error="late"),
            lambda log: log.log_llm_call("p", "m", error="late", error_type="Timeout"),
        ),
        (MessageEvent("user", ["x"], "id"), lambda log: log.log_message("user", ["x"], message_id="id")),
        (
            ErrorEvent("E", "m", "here", "trace", {"a": 1}),
            lambda log: log.log_error("m", error_type="E", where="here", traceback="trace", metadata={"a": 1}),
        ),
    ],
    ids=lambda value: type(value).__name__ if not callable(value) else "",
)
def test_publishing_an_event_of_this_package_equals_its_log_call(tmp_path: Path, event: object, call: Any) -> None:
    """The same line but for the times."""
    lines = []
    for name in ("published", "logged"):
        with SessionLogger("agent", name, output_dir=tmp_path) as log:
            if name == "published":
                log.publish(event)
            else:
                call(log)
        (line,) = lines_of(log.path)
        for differing in ("timestamp", "session_start", "session_id", "start_time", "end_time"):
            line.pop(differing, None)
        lines.append(line)
    assert lines[0] == lines[1]


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        ({"error": "late", "error_type": "Timeout"}, {"error": "late", "error_type": "Timeout"}),
        ({"error": "late"}, {"error": "late", "error_type": None}),
        ({"error_type": "Timeout"}, {"error": "Timeout", "error_type": "Timeout"}),
        ({"error": ValueError("late")}, {"error": "late", "error_type": "ValueError"}),
        ({"cancelled": True}, {"cancelled": True}),
        ({"error": "Bearer abcdefghijklmnopqrstuvwxyz0123456789"}, {"error_type": None}),
    ],
)
def test_published_failure_is_recorded_as_one(tmp_path: Path, given: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Of a task as of a tool call: what kind of error, what it said, or that it was cancelled; no secret."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_start("t")
        log.publish(TaskEvent("t", 0.0, 1.0, {"a": 1}, duration_ms=7, **given))
        log.publish(ToolEvent("x", {"b": 2}, 12, **given))
        log.publish(ToolEvent("x", None, 12, **given))  # type: ignore[arg-type]  # as `log_tool_call` takes it
    _, task, *tools = lines_of(log.path)
    assert task["duration_ms"] == 7 and task["metadata"] == {"a": 1}
    assert [(tool["duration_ms"], tool["params"]) for tool in tools] == [(12, {"b": 2}), (12, {})]
    for line in (task, *tools):
        assert recorded.items() <= line.items()
        assert line.get("error", "") == recorded.get("error", line.get("error", ""))
        assert "abcdefghijklmnopqrstuvwxyz" not in str(line)
    events = log.events
    assert all(event.cancelled or event.error for event in events if not isinstance(event, FileEvent))


def test_wrong_failure_is_refused_as_its_log_call_refuses_it(tmp_path: Path) -> None:
    """A tool without a name, a task without one; a logger that is switched off does nothing."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        with pytest.raises(ValueError, match="tool_name"):
            log.publish(ToolEvent("", {}, 1, error="late"))
        with pytest.raises(ValueError, match="task_name"):
            log.publish(TaskEvent("", 0.0, 1.0, error="late"))
    assert not log.path.exists() or lines_of(log.path) == []


async def test_both_loggers_publish_too(tmp_path: Path) -> None:
    """In the way of their other calls."""
    with SessionLogger("agent", "one", output_dir=tmp_path) as log:
        log.publish(Measured(1))
    async with AsyncSessionLogger("agent", "two", output_dir=tmp_path) as other:
        await other.publish(Measured(2))
    assert [*read_events(log.path), *read_events(other.path)] == [Measured(1), Measured(2)]


def test_events_of_a_logger_are_those_of_this_package(tmp_path: Path) -> None:
    """What was published of other classes is for `read_events`."""
    with SessionLogger("agent", output_dir=tmp_path) as log:
        log.publish(Measured(1))
        log.log_tool_call("x", {}, 1)
        assert log.events == [ToolEvent("x", {}, 1)]


def test_published_event_belongs_to_the_innermost_task(tmp_path: Path) -> None:
    """As every other event."""
    with SessionLogger("agent", output_dir=tmp_path) as log, log.task("outer") as task:
        log.publish(Measured(1))
    assert lines_of(log.path)[1]["task_id"] == task.task_id == 1


@pytest.mark.parametrize(
    "event", [None, 3, {"type": "ToolEvent"}, Measured, ToolEvent, object()], ids=lambda value: type(value).__name__
)
def test_what_is_no_instance_of_a_dataclass_is_refused(tmp_path: Path, event: object) -> None:
    """A wrong call raises, and records nothing."""
    log = SessionLogger("agent", output_dir=tmp_path)
    with pytest.raises(TypeError):
        log.publish(event)
    assert not log.path.exists()


@pytest.mark.parametrize(
    "event", [SessionEvent("continued"), UnknownEvent("X"), CustomEvent()], ids=lambda value: type(value).__name__
)
def test_events_that_tell_of_the_recording_itself_cannot_be_published(tmp_path: Path, event: object) -> None:
    """Nor can what is no event of anybody's own."""
    with pytest.raises(TypeError, match=type(event).__name__):
        SessionLogger("agent", output_dir=tmp_path).publish(event)


@pytest.mark.parametrize(
    ("name", "is_filled_in"),
    [
        *((name, True) for name in ("seq", "timestamp", "agent_id", "session_id", "task_id")),
        *((name, False) for name in ("type", "v", "session_start", "trace_id")),
    ],
)
def test_field_with_a_name_of_the_formats_own_is_refused_by_name(name: str, is_filled_in: bool) -> None:
    """At the registration, that is: when the first is published, or it is subscribed to. It says what helps."""
    with pytest.raises(ValueError, match=rf"Mine\.{name}: lines have '{name}' for themselves") as refused:
        register_event(dataclasses.make_dataclass("Mine", [name]))
    assert ("inherit from deia.CustomEvent" in str(refused.value)) == is_filled_in


@pytest.mark.parametrize("name", ["", 'We"ird', "two words"])
def test_class_whose_name_is_none_in_python_is_refused(name: str) -> None:
    """Subscribers tell lines apart by it."""
    with pytest.raises(ValueError, match="needs a name"):
        register_event(dataclasses.dataclass(type(name, (), {})))


def test_class_with_the_name_of_one_of_ours_is_refused() -> None:
    """Its lines would be taken for the other's."""
    with pytest.raises(ValueError, match="name of an event of this package"):
        register_event(dataclasses.make_dataclass("ToolEvent", ["what"]))


def test_two_classes_of_one_name_are_refused() -> None:
    """But a class that was defined again, as in a notebook, takes the place of the one before."""
    first = dataclasses.make_dataclass("Twice", ["a"], namespace={"__module__": "one"})
    second = dataclasses.make_dataclass("Twice", ["b"], namespace={"__module__": "two"})
    first.__module__, second.__module__ = "one", "two"
    register_event(first)
    with pytest.raises(ValueError, match=r"two classes of events are called Twice: one\.Twice and two\.Twice"):
        register_event(second)
    second.__module__ = "one"
    assert register_event(second) is second


def test_class_may_inherit_from_an_event_of_this_package() -> None:
    """It is recorded under its own name, with the fields of both."""

    @register_event
    @dataclasses.dataclass
    class Benchmarked(ToolEvent):
        rounds: int = 1

    assert registry.event_class(Benchmarked).carried == ("task_id", "seq", "timestamp", "agent_id", "session_id")


@each_odd_value
def test_odd_data_is_recorded_in_its_most_readable_form(tmp_path: Path, odd: Odd) -> None:
    """As in the parameters of a tool call."""
    with SessionLogger("agent", output_dir=tmp_path) as log:
        log.publish(Measured(odd.make()))
    (line,) = lines_of(log.path)
    assert odd.kept(line["value"])


def test_secrets_are_kept_out_of_published_events(tmp_path: Path) -> None:
    """In texts, under the names of keys, and under the names of the class's own fields."""

    @dataclasses.dataclass
    class LoggedIn:
        user: str
        password: str
        details: dict[str, str]
        text: str

    with SessionLogger("agent", output_dir=tmp_path) as log:
        log.publish(LoggedIn("me", "hunter2-hunter2", {"api_key": "abcdef-123456"}, "Bearer abcdefghijklmnop123456"))
    (line,) = lines_of(log.path)
    assert line["user"] == "me"
    assert line["password"].startswith("[redacted:password:")
    assert line["details"]["api_key"].startswith("[redacted:")
    assert "abcdefghijklmnop" not in log.path.read_text()


def test_redact_is_given_the_fields_of_a_published_event(tmp_path: Path) -> None:
    """All of its own, and none of the line's."""
    given = []

    def look(fields: dict[str, Any]) -> dict[str, Any]:
        given.append(dict(fields))
        return {**fields, "value": "gone"}

    with SessionLogger("agent", output_dir=tmp_path, redact=look) as log:
        log.publish(Measured("here"))
    assert given == [{"type": "Measured", "value": "here"}]
    assert lines_of(log.path)[0]["value"] == "gone"


def test_published_event_is_cut_to_max_event_bytes(tmp_path: Path) -> None:
    """Its longest values, and only its own."""
    with SessionLogger("agent", output_dir=tmp_path, max_event_bytes=1024) as log:
        log.publish(Measured("x" * 5000))
    (raw,) = log.path.read_bytes().splitlines()
    assert len(raw) < 1024
    assert "cut from 5000 bytes" in lines_of(log.path)[0]["value"]


def test_disabled_logger_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But a wrong call is one all the same."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    log = SessionLogger("agent", output_dir=tmp_path)
    log.publish(Measured(1))
    log.publish(ToolEvent("x", {}, 1))
    assert not log.path.exists()
    with pytest.raises(TypeError):
        log.publish(3)


async def test_publishing_after_close_raises(bus: EventBus) -> None:
    """As a log call does."""
    await bus.close()
    with pytest.raises(LoggerClosedError):
        await bus.publish(Measured(1))
    with pytest.raises(LoggerClosedError):
        bus.publish_nowait(ToolEvent("x", {}, 1))


@pytest.mark.parametrize("face", [EventBus, AsyncSessionLogger, SessionLogger])
async def test_publish_nowait_raises_where_publish_would_wait(
    tmp_path: Path, held_writer: HeldWriter, face: type, anyio_backend: Any
) -> None:
    """Whichever logger's bus it is; `publish` suspends, and goes on once there is room."""
    made = face("agent", "full", output_dir=tmp_path, queue_bytes=65536, full_timeout_s=PATIENCE_S)
    bus = made if isinstance(made, EventBus) else made.bus
    bus.publish_nowait(Measured(0))
    await bus.flush()
    held_writer.hold()
    published = 1
    with pytest.raises(QueueFullError):
        while True:
            bus.publish_nowait(Measured("x" * 1000))
            published += 1
    done = anyio.Event()

    async def publish() -> None:
        await bus.publish(Measured("y" * 1000))
        done.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(publish)
        await anyio.wait_all_tasks_blocked()
        assert not done.is_set()
        held_writer.release()
        with anyio.fail_after(PATIENCE_S):
            await done.wait()
    await bus.close()
    assert [event.value for event in read_events(bus.path)][-1] == "y" * 1000  # type: ignore[union-attr]
    assert len(list(read_events(bus.path))) == published + 1


def test_publish_blocking_waits_for_room(tmp_path: Path, held_writer: HeldWriter) -> None:
    """For threads without an event loop."""
    bus = EventBus("agent", output_dir=tmp_path, queue_bytes=65536, full_timeout_s=PATIENCE_S)
    bus.publish_blocking(Measured(0))
    held_writer.hold()
    with pytest.raises(QueueFullError):
        while True:
            bus.publish_nowait(Measured("x" * 1000))
    worker = Worker(lambda: bus.publish_blocking(Measured("y" * 1000)))
    held_writer.release()
    worker.finish()
    assert [event.value for event in read_events(bus.path)][-1] == "y" * 1000  # type: ignore[union-attr]


async def test_a_date_of_an_event_is_text_when_read(bus: EventBus) -> None:
    """JSON has none; a class that wants one makes it in `__post_init__`."""

    @dataclasses.dataclass
    class Due:
        day: datetime.date

        def __post_init__(self) -> None:
            if isinstance(self.day, str):
                self.day = datetime.date.fromisoformat(self.day)

    await bus.publish(Due(datetime.date(2024, 5, 1)))
    assert list(read_events(bus.path)) == [Due(datetime.date(2024, 5, 1))]
