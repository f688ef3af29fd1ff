"""What subscribers are given when their process forks, ends, or loses what serves them, and their session its files."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deia import EventBus, SessionLogger, read_events
from deia.bus import recorded
from deia.bus.background import background
from deia.errors import WriterFailedError
from deia.journal.next_segment import NextSegment
from support.causes import CAUSES, OPTIONS
from support.delivered import Step, handed_out
from support.held_writer import HeldWriter
from support.processes import run
from support.waiting import PATIENCE_S, eventually

PAD = {"pad": "x" * 600}


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_what_is_gone_with_its_file_is_counted_once_for_each_who_was_to_get_it(tmp_path: Path) -> None:
    """Whoever has room is told by the background; whoever has none, by its own reading; whoever came later, not."""
    log = SessionLogger("agent", output_dir=tmp_path, queue_bytes=65536, max_segment_bytes=65536)
    bus = log.bus
    log.log_tool_call("x", PAD, 0)
    with bus.subscribe() as roomy, bus.subscribe(buffer_events=3) as slow, bus.subscribe(replay=True) as replayed:
        handed_out(bus)
        late = bus.subscribe()
        with log._session.feed.lock:  # nothing is handed out meanwhile
            for number in range(600):
                log.log_tool_call("x", PAD, number)
            log.flush()
            late.begin()
            for number in range(200):
                log.log_tool_call("x", PAD, number)
            log.flush()
            eventually(lambda: log.statistics().segment > 1, "for the segment")
            log.path.unlink()
        log.close()
        assert [len(list(events)) + events.missed for events in (roomy, slow, replayed)] == [800, 800, 801]
        assert len(list(late)) + late.missed == 200
        assert min(roomy.missed, slow.missed, replayed.missed) > 0
        late.close()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_session_that_goes_on_in_another_file_is_delivered_as_one(
    tmp_path: Path, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To who is live, to who is behind, and in a replay that begins afterwards: each event once."""
    from deia import system

    monkeypatch.setattr(system, "sync", system.sync)  # one of the causes replaces it
    log = SessionLogger("agent", "s", output_dir=tmp_path / "sessions", queue_bytes=65536, **OPTIONS.get(cause, {}))
    bus = log.bus
    with bus.subscribe() as live, bus.subscribe(buffer_events=2) as slow:
        for number in range(200):
            log.log_tool_call("before", PAD, number)
        log.flush()
        found = [next(live).seq for _ in range(200)]
        slow_seqs = [next(slow).seq for _ in range(3)]
        for number in range(30):
            log.log_tool_call("meanwhile", PAD, number)
        CAUSES[cause](log.path)
        log.sync()
        for number in range(30):
            log.log_tool_call("after", PAD, number)
        log.sync()
        eventually(lambda: log.statistics().segment > 1, "for the segment")
        with bus.subscribe(replay=True) as replayed:
            log.close()
            everything = list(range(1, 261))
            assert [event.seq for event in read_events(log.path)] == everything
            assert found + [event.seq for event in live] == everything
            assert slow_seqs + [event.seq for event in slow] == everything
            assert [event.seq for event in replayed] == everything
            assert [live.missed, slow.missed, replayed.missed] == [0, 0, 0]


def test_switch_that_was_given_up_leaves_subscribers_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They read the file that the session stays in, to its end."""
    tried = threading.Event()

    def fail(_: object) -> None:
        tried.set()
        raise OSError("no name can be made")

    monkeypatch.setattr(NextSegment, "place", fail)
    log = SessionLogger("agent", output_dir=tmp_path, queue_bytes=65536, max_segment_bytes=65536)
    with log.bus.subscribe() as live, log.bus.subscribe(buffer_events=2) as slow:
        for number in range(300):
            log.log_tool_call("x", PAD, number)
        assert tried.wait(PATIENCE_S)
        log.log_tool_call("x", PAD, 300)
        with suppress(WriterFailedError):  # it says why there is no other file
            log.close()
        log.close()
        assert log.statistics().segment == 1
        for events in (live, slow):
            assert [event.duration_ms for event in events] == list(range(301))


def test_subscribers_are_served_again_after_the_background_has_died(tmp_path: Path) -> None:
    """The next log call starts another, and they have missed nothing."""
    bus = EventBus("agent", output_dir=tmp_path)
    with bus.subscribe() as events:
        bus.publish_blocking(Step(1))
        assert next(events).number == 1
        home = background()
        home._loop.call_soon_threadsafe(home._loop.stop)  # type: ignore[union-attr]
        eventually(lambda: not home.alive, "for the loop to die")
        bus.publish_blocking(Step(2))
        assert next(events).number == 2
    bus._recorder.close()


def test_close_that_the_disk_holds_up_takes_nothing_from_subscribers(tmp_path: Path, held_writer: HeldWriter) -> None:
    """They read what is queued; the end comes with the end."""
    log = SessionLogger("agent", output_dir=tmp_path)
    log.publish(Step(0))
    with log.bus.subscribe(Step) as events:
        held_writer.hold()
        log.publish(Step(1))
        handed_out(log.bus)
        assert next(events).number == 1
        held_writer.release()
        log.close()
        assert list(events) == []


def test_reading_defect_in_one_session_does_not_end_the_background(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings_logged: list[str]
) -> None:
    """It is logged, and raised at its subscribers; the session is written on, and others are served, also new ones."""
    broken, sound = EventBus("agent", "broken", output_dir=tmp_path), EventBus("agent", "sound", output_dir=tmp_path)
    with broken.subscribe() as troubled, broken.subscribe(replay=True) as late, sound.subscribe() as events:

        def fail(*_: Any) -> Any:
            raise AssertionError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(recorded, "event_of", fail)
            broken.publish_blocking(Step(1))
            with pytest.raises(RuntimeError, match="not delivered any more") as raised:
                next(troubled)
        assert isinstance(raised.value.__cause__, AssertionError)
        assert next(late).number == 1
        with pytest.raises(RuntimeError, match="not delivered any more"):
            next(late)
        with broken.subscribe() as later:
            broken.publish_blocking(Step(3))
            assert next(later).number == 3
        sound.publish_blocking(Step(2))
        assert next(events).number == 2
        eventually(lambda: any("not served" in message for message in warnings_logged), "for the report")
        assert broken._recorder.flush() > 0
    for bus in (broken, sound):
        bus._recorder.close()


FORK = """
import os, sys, threading
from deia import SessionLogger, ToolEvent
log = SessionLogger("agent", "parent", output_dir=sys.argv[1])
bus = log.bus
seen = []
bus.on(ToolEvent)(lambda event: seen.append(event.name))
with bus.subscribe(ToolEvent) as events:
    log.log_tool_call("before", {}, 1)
    assert next(events).name == "before"
    bus.wait_handled_blocking(20)
    pid = os.fork()
    if pid == 0:
        assert list(events) == []
        with log.bus.subscribe(ToolEvent) as own:
            log.log_tool_call("child's", {}, 1)
            assert next(own).name == "child's"
        log.close()
        assert seen == ["before"], seen
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    log.log_tool_call("after", {}, 1)
    assert next(events).name == "after"
    bus.wait_handled_blocking(20)
    log.close()
    assert list(events) == []
    assert seen == ["before", "after"], seen
print("done")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
def test_subscriptions_of_a_forked_child_end_and_its_own_session_has_new_ones(tmp_path: Path) -> None:
    """The parent's go on."""
    assert run(FORK, tmp_path, cwd=tmp_path).endswith("done\n")


HANGS = """
import sys, threading
from deia import SessionLogger, ToolEvent
log = SessionLogger("agent", "s", output_dir=sys.argv[1])
reached = threading.Event()

@log.bus.on(ToolEvent)
def hang(event):
    reached.set()
    threading.Event().wait()

@log.bus.on(ToolEvent)
async def hang_too(event):
    threading.Event().wait()

log.log_tool_call("a", {}, 1)
reached.wait()
log.log_tool_call("b", {}, 1)
"""


def test_handlers_that_hang_hold_up_no_exit(tmp_path: Path) -> None:
    """And everything that was logged is in the log."""
    run(HANGS, tmp_path, cwd=tmp_path)
    assert [event.name for event in read_events(tmp_path / "agent_s.jsonl")] == ["a", "b"]  # type: ignore[union-attr]
