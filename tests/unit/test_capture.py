"""`deia.testing.capture_events`: what a block of code records, whoever records it."""

from __future__ import annotations

import asyncio
import gc
import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import Mock

import pytest

from deia import (
    AsyncSessionLogger,
    CustomEvent,
    ErrorEvent,
    EventBus,
    FileEvent,
    LoggerClosedError,
    SessionEvent,
    SessionLogger,
    TaskEvent,
    ToolEvent,
)
from deia.bus import background
from deia.bus.course import Chunk, Position
from deia.testing import CapturedEvents, FakeClock, capture_events

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")


@pytest.fixture
def made_earlier(tmp_path: Path) -> SessionLogger:
    """A logger that has logged before anything is captured."""
    logger = SessionLogger("earlier", "s", output_dir=tmp_path)
    logger.log_tool_call("before", {}, 1)
    return logger


@dataclass
class StepsPlanned(CustomEvent):
    """An event of a user's own."""

    steps: int


def names(events: CapturedEvents[object]) -> list[str]:
    """The names of captured tool calls."""
    return [event.name for event in events.of(ToolEvent)]


def test_events_of_a_logger_that_was_made_earlier_are_seen(made_earlier: SessionLogger) -> None:
    """It need not be made for the test; what it logged before the block is not in the capture."""
    with capture_events() as events:
        made_earlier.log_tool_call("inside", {"a": 1}, 2)
    made_earlier.log_tool_call("after", {}, 3)
    assert events == [ToolEvent("inside", {"a": 1}, 2)]
    assert events[0].seq == 2


def test_events_of_a_logger_that_has_logged_nothing_yet_are_seen(tmp_path: Path) -> None:
    """Made before the block, opened by its first event, in it."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    with capture_events() as events:
        logger.log_file_read("a", 1)
    assert events == [FileEvent("a", "read", 1)]


def test_events_of_loggers_that_are_made_inside_are_seen(tmp_path: Path) -> None:
    """Open, closed or garbage by the end."""
    with capture_events() as events:
        open_still = SessionLogger("agent", "open", output_dir=tmp_path)
        open_still.log_tool_call("open", {}, 1)
        with SessionLogger("agent", "closed", output_dir=tmp_path) as closed:
            closed.log_tool_call("closed", {}, 1)
        SessionLogger("agent", "garbage", output_dir=tmp_path).log_tool_call("garbage", {}, 1)
        gc.collect()
    assert sorted(names(events)) == ["closed", "garbage", "open"]


def test_events_are_there_inside_the_block_as_soon_as_their_call_has_returned(made_earlier: SessionLogger) -> None:
    """Nothing is waited for: what is looked at is what is recorded."""
    with capture_events() as events:
        assert len(events) == 0
        for number in range(100):
            made_earlier.log_tool_call("step", {"number": number}, 1)
            assert len(events) == number + 1
            assert events[-1].params == {"number": number}


def test_events_of_every_thread_are_seen_in_the_order_of_their_session(made_earlier: SessionLogger) -> None:
    """Each once, in `seq` order."""

    def work(writer: int) -> None:
        for number in range(200):
            made_earlier.log_tool_call(f"{writer}", {"number": number}, 1)

    with capture_events() as events:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    assert [event.seq for event in events] == list(range(2, 1602))


def test_events_of_async_loggers_and_buses_are_seen(tmp_path: Path) -> None:
    """Whatever the face, what is recorded is the same."""

    async def main() -> None:
        async with AsyncSessionLogger("agent", "async", output_dir=tmp_path) as logger:
            async with logger.task("plan"):
                await logger.log_tool_call("pytest", {}, 5)
        async with EventBus("agent", "bus", output_dir=tmp_path) as bus:
            await bus.publish(StepsPlanned(3))

    with capture_events() as events:
        asyncio.run(main())
    assert [type(event) for event in events] == [TaskEvent, ToolEvent, TaskEvent, StepsPlanned]
    assert events.one(StepsPlanned).steps == 3


def test_more_events_than_the_queue_holds_are_all_seen(tmp_path: Path) -> None:
    """What has left the queue is read from the file."""
    with SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536) as logger, capture_events() as events:
        for number in range(3000):
            logger.log_tool_call("step", {"number": number}, 1)
    assert [event.params["number"] for event in events] == list(range(3000))


def test_session_in_several_files_is_seen_whole(tmp_path: Path) -> None:
    """A segment's first line and what it repeats are no events."""
    options = {"queue_bytes": 65536, "max_segment_bytes": 65536}
    with capture_events() as events:
        with SessionLogger("agent", "s", output_dir=tmp_path, **options) as logger:
            for number in range(2000):
                logger.log_tool_call("step", {"number": number}, 1)
    assert len(list(tmp_path.glob("*.jsonl"))) > 1
    assert [event.params["number"] for event in events] == list(range(2000))


def test_continued_session_is_seen_from_where_it_goes_on(made_earlier: SessionLogger, tmp_path: Path) -> None:
    """What its earlier run has recorded was logged before the block; that it goes on is an event."""
    made_earlier.close()
    with capture_events() as events:
        with SessionLogger("earlier", "s", output_dir=tmp_path) as again:
            again.log_tool_call("again", {}, 1)
    assert [type(event) for event in events] == [SessionEvent, ToolEvent]


def test_session_that_no_file_can_be_made_for_is_seen(tmp_path: Path) -> None:
    """In memory, and where it goes on in a file after all."""
    (tmp_path / "file").write_text("in the way")
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "file")
    with capture_events() as events:
        logger.log_tool_call("kept", {}, 1)
        assert names(events) == ["kept"]
        logger.save_session(tmp_path)
        logger.log_tool_call("written", {}, 1)
    assert names(events) == ["kept", "written"]


def test_log_that_cannot_be_read_when_its_session_is_closed_is_read_later(
    made_earlier: SessionLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing does not fail for the sake of who looks; looking does, for as long as it cannot be done."""
    course = made_earlier._session.course
    with capture_events() as events:
        made_earlier.log_tool_call("inside", {}, 1)
        with monkeypatch.context() as patch:
            patch.setattr(course, "read", Mock(side_effect=OSError("too many open files")))
            made_earlier.close()
            with pytest.raises(OSError, match="too many"):
                len(events)
        assert names(events) == ["inside"]


def test_events_that_are_looked_at_while_they_are_looked_at_are_seen_once(
    made_earlier: SessionLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a signal handler, say, in the middle of the reading."""
    course = made_earlier._session.course
    real = course.read
    with capture_events() as events, monkeypatch.context() as patch:
        made_earlier.log_tool_call("inside", {}, 1)

        def read(position: Position) -> Chunk:
            chunk = real(position)
            patch.undo()
            assert names(events) == ["inside"]
            return chunk

        patch.setattr(course, "read", read)
        assert names(events) == ["inside"]


def test_events_are_recorded_where_they_always_are(made_earlier: SessionLogger) -> None:
    """A capture moves nothing, holds nothing back and undoes nothing."""
    with capture_events():
        made_earlier.log_tool_call("inside", {}, 1)
    assert [event.name for event in made_earlier.events] == ["before", "inside"]


def test_session_whose_directory_is_removed_after_it_is_closed_is_seen(tmp_path: Path) -> None:
    """A temporary directory may end before the capture does."""
    with capture_events() as events:
        with SessionLogger("agent", "s", output_dir=tmp_path / "gone") as logger:
            logger.log_tool_call("kept", {}, 1)
        shutil.rmtree(tmp_path / "gone")
    assert names(events) == ["kept"]
    assert events.missed == 0


def test_disabled_loggers_record_nothing_to_see(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`DEIA_DISABLED` means that there are no events."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    with capture_events() as events:
        SessionLogger("agent", output_dir=tmp_path).log_tool_call("a", {}, 1)
    assert events == []
    with pytest.raises(AssertionError, match="nothing was recorded: DEIA_DISABLED is set"):
        events.one(ToolEvent)


def test_closed_logger_raises_as_ever(made_earlier: SessionLogger) -> None:
    """A call that records nothing is not captured."""
    made_earlier.close()
    with capture_events() as events, pytest.raises(LoggerClosedError):
        made_earlier.log_tool_call("late", {}, 1)
    assert events == []


def test_wrong_call_is_not_captured(made_earlier: SessionLogger) -> None:
    """It raises where it is made, and records nothing."""
    with capture_events() as events, pytest.raises(ValueError, match="tool_name"):
        made_earlier.log_tool_call("", {}, 1)
    assert events == []


def test_captures_overlap(made_earlier: SessionLogger) -> None:
    """Each sees everything from its own beginning to its own end."""
    with capture_events() as outer:
        made_earlier.log_tool_call("first", {}, 1)
        with capture_events() as inner:
            made_earlier.log_tool_call("second", {}, 1)
        made_earlier.log_tool_call("third", {}, 1)
    assert names(outer) == ["first", "second", "third"]
    assert names(inner) == ["second"]


def test_capture_of_kinds_leaves_out_the_others(made_earlier: SessionLogger) -> None:
    """Classes and names with wildcards, as for a subscription."""
    with capture_events(ToolEvent) as tools, capture_events("File*", ErrorEvent) as others:
        made_earlier.log_file_read("a")
        made_earlier.log_tool_call("pytest", {}, 1)
        made_earlier.log_error("bad")
    assert tools == [ToolEvent("pytest", {}, 1)]
    assert [type(event) for event in others] == [FileEvent, ErrorEvent]


def test_block_that_raises_leaves_what_was_captured(made_earlier: SessionLogger) -> None:
    """The exception goes on."""
    with pytest.raises(RuntimeError), capture_events() as events:
        made_earlier.log_tool_call("inside", {}, 1)
        raise RuntimeError
    assert names(events) == ["inside"]


def test_events_of_several_sessions_are_in_the_order_of_their_time(tmp_path: Path, made_earlier: SessionLogger) -> None:
    """By their timestamps, whichever session was opened first."""
    other = SessionLogger("other", "s", output_dir=tmp_path)
    with capture_events() as events, FakeClock() as clock:
        for number in range(6):
            (other if number % 2 else made_earlier).log_tool_call(str(number), {}, 1)
            clock.advance(1)
    assert names(events) == ["0", "1", "2", "3", "4", "5"]


def test_event_that_was_looked_at_keeps_its_place(tmp_path: Path, made_earlier: SessionLogger) -> None:
    """Whatever comes later, with whatever time."""
    other = SessionLogger("other", "s", output_dir=tmp_path)
    with capture_events() as events, FakeClock() as clock:
        made_earlier.log_tool_call("first", {}, 1)
        assert names(events) == ["first"]
        clock.step(-3600)
        other.log_tool_call("second", {}, 1)
    assert names(events) == ["first", "second"]


def test_nothing_is_kept_of_sessions_when_a_capture_has_ended(made_earlier: SessionLogger) -> None:
    """Nobody is told of sessions any more, and none is held."""
    with capture_events() as events:
        made_earlier.log_tool_call("inside", {}, 1)
        assert background._process.observers == [events]
    assert background._process.observers == []
    assert events._readers == {}


def test_capture_is_entered_once(made_earlier: SessionLogger) -> None:
    """A second block needs a second capture."""
    events = capture_events()
    with events:
        pass
    with pytest.raises(RuntimeError, match="entered once"), events:
        pass


@needs_fork
def test_forked_child_is_not_captured(made_earlier: SessionLogger) -> None:
    """It has sessions of its own, and its copy of a capture goes no further."""
    with capture_events() as events:
        made_earlier.log_tool_call("parent", {}, 1)
        pid = os.fork()
        if pid == 0:
            made_earlier.log_tool_call("child", {}, 1)
            os._exit(len(events))
        _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "not even the parent's, which it had not looked at"
    assert names(events) == ["parent"]


class TestAsking:
    """`of` and `one`."""

    @pytest.fixture
    def events(self, made_earlier: SessionLogger) -> CapturedEvents[object]:
        """Two tool calls and a task."""
        with capture_events() as events:
            with made_earlier.task("plan"):
                made_earlier.log_tool_call("grep", {"pattern": "x"}, 20)
                made_earlier.log_tool_call("pytest", {}, 900)
        return events

    def test_events_are_found_by_class_by_name_and_by_the_values_of_their_fields(
        self, events: CapturedEvents[object]
    ) -> None:
        """All in order."""
        assert [event.name for event in events.of(ToolEvent)] == ["grep", "pytest"]
        assert [event.name for event in events.of("Tool*", duration_ms=900)] == ["pytest"]
        assert [event.name for event in events.of(ToolEvent, where=lambda event: event.duration_ms < 100)] == ["grep"]
        assert [event.end_time is None for event in events.of(TaskEvent, name="plan")] == [True, False]
        assert len(events.of()) == 4
        assert events.of(ErrorEvent) == []

    def test_the_only_event_is_returned(self, events: CapturedEvents[object]) -> None:
        """To look at it further."""
        assert events.one(ToolEvent, name="grep").params == {"pattern": "x"}

    def test_where_there_is_none_or_another_one_it_is_said_what_there_is(self, events: CapturedEvents[object]) -> None:
        """The message of the assertion has what was asked for, and what was recorded."""
        with pytest.raises(AssertionError, match=r"expected one ToolEvent with name='rm', found 0; recorded were 4:\n"):
            events.one(ToolEvent, name="rm")
        with pytest.raises(AssertionError, match=r"found 2; (?s:.*)ToolEvent\(name='grep'"):
            events.one(ToolEvent)
        with capture_events() as nothing, pytest.raises(AssertionError, match=r"Error\* .*found 0; nothing was rec"):
            nothing.one("Error*", where=bool)

    def test_long_captures_show_their_end(self, made_earlier: SessionLogger) -> None:
        """A message that nobody can read says nothing."""
        with capture_events() as events:
            for number in range(50):
                made_earlier.log_tool_call(str(number), {}, 1)
        assert repr(events).count("ToolEvent") == 20
        assert "name='49'" in repr(events) and "name='29'" not in repr(events)

    def test_field_that_no_class_has_is_a_slip(self, events: CapturedEvents[object]) -> None:
        """It would find nothing for ever, and a test that wants nothing would pass."""
        with pytest.raises(TypeError, match="ToolEvent has no field 'nmae'"):
            events.of(ToolEvent, nmae="grep")

    def test_capture_equals_a_list_and_another_capture(self, events: CapturedEvents[object]) -> None:
        """By its events, and it is told apart from anything else."""
        assert events == list(events)
        assert events != events[1:]
        with capture_events() as nothing:
            pass
        assert events not in (nothing, 5)


def test_threads_that_log_while_events_are_looked_at_lose_none(tmp_path: Path) -> None:
    """Nor is one seen twice."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536)
    done = threading.Event()

    def work() -> None:
        for number in range(3000):
            logger.log_tool_call("step", {"number": number}, 1)
        done.set()

    with capture_events() as events:
        thread = threading.Thread(target=work)
        thread.start()
        while not done.is_set():
            len(events)
        thread.join()
    assert [event.seq for event in events] == list(range(1, 3001))
