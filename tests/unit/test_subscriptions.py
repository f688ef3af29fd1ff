"""`EventBus.subscribe`: what a subscriber is promised, on asyncio, uvloop and trio, and in plain threads."""

from __future__ import annotations

import dataclasses
import math
import sys
import threading
import types
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import pytest
from anyio import wait_all_tasks_blocked

from deia import (
    AsyncSessionLogger,
    CustomEvent,
    EventBus,
    FileEvent,
    MessageEvent,
    SessionEvent,
    SessionLogger,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
    read_events,
    system,
)
from deia.bus import subscription
from deia.errors import LoggerClosedError
from support.delivered import LastStep, Step, handed_out, rest_of, seqs, take
from support.held_writer import HeldWriter
from support.waiting import PATIENCE_S, Worker, eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EventBus]:
    """A bus of a session of its own; closed after the test."""
    async with EventBus("agent", "session", output_dir=tmp_path) as bus:
        yield bus


async def publish(bus: EventBus, *numbers: int) -> None:
    """Publish steps of these numbers."""
    for number in numbers:
        await bus.publish(Step(number))


def numbers(events: list[Step]) -> list[int]:
    """Return the number of each step."""
    return [event.number for event in events]


class TestWhatIsDelivered:
    """Everything that is recorded, in order, and nothing else."""

    async def test_events_come_in_the_order_of_their_seq(self, bus: EventBus) -> None:
        """Each once."""
        async with bus.subscribe() as events:
            await publish(bus, *range(1000))
            found = await take(events, 1000)
        assert seqs(found) == list(range(1, 1001))
        assert numbers(found) == list(range(1000))

    async def test_delivered_event_equals_the_one_that_is_read_from_the_log(self, bus: EventBus) -> None:
        """In every field, also those that take no part in comparisons."""
        async with bus.subscribe() as events:
            await bus.publish(TaskEvent("t", 0.0))
            await bus.publish(ToolEvent("x", {"password": "hunter2hunter2"}, 3))
            await publish(bus, 1)
            found = await take(events, 3)
        assert list(map(repr, found)) == list(map(repr, read_events(bus.path)))

    async def test_what_a_caller_changes_later_does_not_change_what_is_delivered(self, bus: EventBus) -> None:
        """An event is encoded at the call."""
        params = {"a": 1}
        async with bus.subscribe(ToolEvent) as events:
            await bus.publish(ToolEvent("x", params, 3))
            params["a"] = 2
            (event,) = await take(events, 1)
        assert event.params == {"a": 1}

    async def test_only_events_from_the_blocks_beginning_on_are_delivered(self, bus: EventBus) -> None:
        """Unless a replay is asked for."""
        await publish(bus, 1, 2)
        async with bus.subscribe() as events:
            await publish(bus, 3)
            assert numbers(await take(events, 1)) == [3]

    async def test_what_the_logger_of_the_session_logs_is_delivered(self, tmp_path: Path) -> None:
        """The bus of a logger is that of its session, whichever face either has."""
        log = AsyncSessionLogger("agent", output_dir=tmp_path)
        async with log, log.bus.subscribe(FileEvent) as events:
            await log.log_file_read("a", 1)
            async with log.bus.subscribe(FileEvent) as others:
                await log.log_file_read("b", 1)
                assert [event.path for event in await take(others, 1)] == ["b"]
            assert [event.path for event in await take(events, 2)] == ["a", "b"]

    async def test_subscribing_touches_no_disk(self, tmp_path: Path) -> None:
        """The first event opens the session, as without a subscriber."""
        async with EventBus("agent", output_dir=tmp_path / "sub") as bus, bus.subscribe(replay=True) as events:
            assert not (tmp_path / "sub").exists()
            await publish(bus, 1)
            await take(events, 1)
            assert bus.path.exists()

    @pytest.mark.parametrize("queue_mode", ["mmap", "write"])
    async def test_lines_longer_than_the_queue_are_delivered(self, tmp_path: Path, queue_mode: Any) -> None:
        """And where there is no queue, every line."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536, queue_mode=queue_mode) as bus:
            async with bus.subscribe(MessageEvent) as events:
                for size in (10, 200_000, 10, 70_000):
                    await bus.publish(MessageEvent("user", "x" * size))
                assert [len(event.content) for event in await take(events, 4)] == [10, 200_000, 10, 70_000]

    async def test_events_at_once_are_the_same_events(self, bus: EventBus) -> None:
        """A bell per event changes when, not what; and it is taken off with its subscription."""
        async with bus.subscribe(at_once=True) as events, bus.subscribe() as others:
            await publish(bus, *range(100))
            assert numbers(await take(events, 100)) == numbers(await take(others, 100)) == list(range(100))
            assert bus._recorder._session.feed.rings
        assert not bus._recorder._session.feed.rings

    async def test_session_that_was_idle_is_served_again(self, bus: EventBus) -> None:
        """It is not looked at meanwhile: its next event rings."""
        session = bus._recorder._session
        async with bus.subscribe() as events:
            await publish(bus, 1)
            await take(events, 1)
            await bus.sync()
            eventually(lambda: session.parked and session.feed._asleep, "for the session to be idle")
            await publish(bus, 2)
            assert numbers(await take(events, 1)) == [2]


class TestFilters:
    """By class, base class, name, and a function."""

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ((), ["Step", "LastStep", "ToolEvent", "FileEvent"]),
            ((Step,), ["Step", "LastStep"]),
            ((LastStep,), ["LastStep"]),
            ((CustomEvent,), ["Step", "LastStep"]),
            ((ToolEvent, LastStep), ["LastStep", "ToolEvent"]),
            (("*Step",), ["Step", "LastStep"]),
            (("[TF]*Event",), ["ToolEvent", "FileEvent"]),
            (("ToolEvent", Step), ["Step", "LastStep", "ToolEvent"]),
            ((object,), ["Step", "LastStep", "ToolEvent", "FileEvent"]),
            ((UnknownEvent,), []),
            (("step",), []),
        ],
        ids=str,
    )
    async def test_events_are_chosen_by_class_base_class_and_name(
        self, bus: EventBus, wanted: tuple[Any, ...], found: list[str]
    ) -> None:
        """Live and in a replay alike; a name is that of the class, with wildcards, as it is written."""
        async with bus.subscribe(*wanted) as live, bus.subscribe(*wanted, replay=True) as replayed:
            for event in (Step(1), LastStep(2), ToolEvent("x", {}, 1), FileEvent("a", "read")):
                await bus.publish(event)
            handed_out(bus)
            await bus.close()
            for events in (live, replayed):
                assert [type(event).__name__ for event in await rest_of(events)] == found

    async def test_class_that_refuses_to_be_compared_holds_up_nobody(self, bus: EventBus) -> None:
        """Only what inherits from a class is asked for by it: a protocol says nothing of others, and is not asked."""

        class Sized(Protocol):
            size_bytes: int

        class Refusing(type):
            def __subclasscheck__(cls, other: type) -> bool:
                raise AssertionError("it is not asked")

        class Base(metaclass=Refusing):
            pass

        async with bus.subscribe(Sized, Base) as nothing, bus.subscribe() as others:
            await bus.publish(FileEvent("a", "read"))
            assert len(await take(others, 1)) == 1
            await bus.close()
            assert await rest_of(nothing) == []

    async def test_class_that_is_made_again_is_still_the_class_that_was_subscribed_to(self, bus: EventBus) -> None:
        """Its module was reloaded, or the cell of a notebook run again; so with one that inherits from it."""

        def made() -> tuple[type, type]:
            @dataclasses.dataclass
            class Made(CustomEvent):
                number: int

            @dataclasses.dataclass
            class MadeToo(Made):
                pass

            return Made, MadeToo

        first, again = made(), made()
        async with bus.subscribe(first[0]) as events:
            for cls in again:
                await bus.publish(cls(1))
            assert [type(event) for event in await take(events, 2)] == list(again)

    async def test_where_leaves_out_what_it_returns_false_for(self, bus: EventBus) -> None:
        """It is called with the event."""
        async with bus.subscribe(Step, where=lambda step: step.number % 2) as events:
            await publish(bus, *range(6))
            assert numbers(await take(events, 3)) == [1, 3, 5]

    async def test_what_where_raises_is_raised_where_events_are_taken(self, bus: EventBus) -> None:
        """That event is passed over; the next turn goes on, and nobody else notices."""
        async with bus.subscribe(Step, where=lambda step: 1 / step.number) as events, bus.subscribe() as others:
            await publish(bus, 0, 1)
            with pytest.raises(ZeroDivisionError):
                await take(events, 1)
            assert numbers(await take(events, 1)) == [1]
            assert numbers(await take(others, 2)) == [0, 1]

    @pytest.mark.parametrize(
        ("arguments", "options", "error"),
        [
            ((3,), {}, TypeError),
            ((Step(1),), {}, TypeError),
            (("",), {}, ValueError),
            ((), {"where": 3}, TypeError),
            ((), {"replay": "yes"}, TypeError),
            ((), {"replay": 0}, ValueError),
            ((), {"replay": -1}, ValueError),
            ((), {"when_behind": "wait"}, ValueError),
            ((), {"buffer_events": 0}, ValueError),
            ((), {"buffer_events": True}, TypeError),
            ((), {"buffer_events": 1.5}, TypeError),
        ],
        ids=str,
    )
    async def test_wrong_arguments_are_refused_at_the_call(
        self, bus: EventBus, arguments: tuple[Any, ...], options: dict[str, Any], error: type[Exception]
    ) -> None:
        """Not when the first event comes."""
        with pytest.raises(error):
            bus.subscribe(*arguments, **options)

    async def test_class_that_cannot_be_published_is_refused(self, bus: EventBus) -> None:
        """Subscribing to a class registers it, with the same rules."""
        with pytest.raises(ValueError, match="seq"):
            bus.subscribe(dataclasses.make_dataclass("Odd", ["seq"]))


class TestReplay:
    """The session from its beginning, then live, with no gap and no duplicate."""

    @pytest.mark.parametrize(("replay", "first"), [(True, 1), (1, 1), (2, 2), (300, 300), (501, 501), (510, 510)])
    async def test_replay_begins_at_the_first_event_or_at_a_seq(
        self, bus: EventBus, replay: bool | int, first: int
    ) -> None:
        """Also at one that is yet to come."""
        await publish(bus, *range(500))
        async with bus.subscribe(replay=replay) as events:
            await publish(bus, *range(100))
            assert seqs(await take(events, 601 - first)) == list(range(first, 601))

    async def test_replay_of_a_session_that_its_queue_does_not_hold_any_more(self, tmp_path: Path) -> None:
        """It is read from the journal, then from the queue."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536) as bus:
            await publish(bus, *range(3000))
            async with bus.subscribe(replay=True) as events:
                await publish(bus, 3000)
                assert numbers(await take(events, 3001)) == list(range(3001))

    @pytest.mark.parametrize("is_open", [False, True], ids=["not open yet", "open"])
    async def test_replay_has_what_earlier_runs_of_the_session_recorded(self, tmp_path: Path, is_open: bool) -> None:
        """Then the line that says that it goes on, then this run."""
        for run in range(2):
            async with EventBus("agent", "session", output_dir=tmp_path) as bus:
                await publish(bus, run)
        async with EventBus("agent", "session", output_dir=tmp_path) as bus:
            if is_open:
                await publish(bus, 2)
            async with bus.subscribe(replay=True) as events, bus.subscribe(replay=3) as later:
                if not is_open:
                    await publish(bus, 2)
                await publish(bus, 3)
                found = await take(events, 6)
                assert seqs(found) == [1, 2, 3, 4, 5, 6]
                assert [type(event) for event in found] == [Step, SessionEvent, Step, SessionEvent, Step, Step]
                assert seqs(await take(later, 4)) == [3, 4, 5, 6]

    async def test_live_subscriber_of_a_continued_session_gets_this_run_only(self, tmp_path: Path) -> None:
        """From the line on that says that it goes on."""
        async with EventBus("agent", "session", output_dir=tmp_path) as bus:
            await publish(bus, 1)
        async with EventBus("agent", "session", output_dir=tmp_path) as bus, bus.subscribe() as events:
            await publish(bus, 2)
            continued, step = await take(events, 2)
            assert (continued.event, continued.seq, step.number) == ("continued", 2, 2)

    async def test_replay_of_what_is_kept_in_memory(self, tmp_path: Path) -> None:
        """Where no file can be made."""
        blocked = tmp_path / "file"
        blocked.write_text("")
        bus = EventBus("agent", output_dir=blocked)
        await publish(bus, 1, 2)
        async with bus.subscribe(replay=True) as events, bus.subscribe() as live:
            await publish(bus, 3)
            assert numbers(await take(events, 3)) == [1, 2, 3]
            assert numbers(await take(live, 1)) == [3]
            blocked.unlink()
            await publish(bus, 4)
            await bus.flush()
            assert numbers(await take(events, 1)) == numbers(await take(live, 1)) == [4]
        await bus.close()

    async def test_events_kept_in_memory_are_not_delivered_twice_when_the_session_has_a_past(
        self, tmp_path: Path
    ) -> None:
        """In the log they have other numbers than they were delivered with."""
        directory = tmp_path / "sessions"
        async with EventBus("agent", "session", output_dir=directory) as bus:
            await publish(bus, 1, 2)
        hidden = directory.rename(tmp_path / "hidden")
        directory.write_text("")
        async with EventBus("agent", "session", output_dir=directory) as bus, bus.subscribe() as events:
            await publish(bus, 3, 4)
            assert seqs(await take(events, 2)) == [1, 2]
            directory.unlink()
            hidden.rename(directory)
            await bus.flush()
            await publish(bus, 5)
            (event,) = await take(events, 1)
            assert (event.number, event.seq) == (5, 6)


class TestSlowSubscribers:
    """They slow nobody; each policy keeps what it promises."""

    async def test_by_default_nothing_is_lost_however_slow_a_subscriber_is(self, tmp_path: Path) -> None:
        """It catches up from the log: the queue has long gone on."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536) as bus:
            async with bus.subscribe(buffer_events=7) as slow, bus.subscribe() as fast:
                await publish(bus, *range(3000))
                assert numbers(await take(fast, 3000)) == list(range(3000))
                assert numbers(await take(slow, 3000)) == list(range(3000))
                assert (slow.dropped, slow.missed) == (0, 0)

    async def test_buffer_holds_so_many_events_and_no_more(self, bus: EventBus) -> None:
        """Whatever the policy."""
        async with (
            bus.subscribe(buffer_events=5) as first,
            bus.subscribe(buffer_events=5, when_behind="drop-oldest") as second,
            bus.subscribe(buffer_events=5, when_behind="drop-newest") as third,
        ):
            await publish(bus, *range(50))
            handed_out(bus)
            assert all(len(events._buffer) <= 5 for events in (first, second, third))
            await take(first, 1)
            assert len(first._buffer) <= 5

    async def test_drop_oldest_keeps_the_newest_and_counts_the_others(self, bus: EventBus) -> None:
        """Told at the subscription."""
        async with bus.subscribe(buffer_events=10, when_behind="drop-oldest") as events:
            await publish(bus, *range(100))
            handed_out(bus)
            assert numbers(await take(events, 10)) == list(range(90, 100))
            assert events.dropped == 90
            await publish(bus, 100)
            assert numbers(await take(events, 1)) == [100]

    async def test_drop_newest_keeps_the_oldest_and_counts_the_others(self, bus: EventBus) -> None:
        """Once there is room, what comes then is delivered."""
        async with bus.subscribe(buffer_events=10, when_behind="drop-newest") as events:
            await publish(bus, *range(100))
            handed_out(bus)
            assert numbers(await take(events, 10)) == list(range(10))
            assert events.dropped == 90
            await publish(bus, 100)
            assert numbers(await take(events, 1)) == [100]

    async def test_replay_drops_nothing_under_any_policy(self, tmp_path: Path) -> None:
        """The log is read at the subscriber's own pace; only from then on is it the bus's."""
        async with EventBus("agent", output_dir=tmp_path) as bus:
            await publish(bus, *range(200))
            for policy in ("drop-oldest", "drop-newest"):
                async with bus.subscribe(replay=True, buffer_events=3, when_behind=policy) as events:  # type: ignore[arg-type]
                    assert numbers(await take(events, 200)) == list(range(200))
                    assert events.dropped == 0

    async def test_subscriber_that_never_reads_holds_up_neither_logging_nor_others(self, tmp_path: Path) -> None:
        """Nor the writer."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536, when_full="raise") as bus:
            async with bus.subscribe(buffer_events=1), bus.subscribe(Step) as others:
                for batch in range(20):
                    await publish(bus, *range(batch * 100, batch * 100 + 100))
                    await bus.flush()
                assert numbers(await take(others, 2000)) == list(range(2000))

    async def test_events_wait_for_no_disk(self, bus: EventBus, held_writer: HeldWriter) -> None:
        """What the queue holds is delivered while the journal cannot be written."""
        await publish(bus, 0)
        async with bus.subscribe() as events:
            held_writer.hold()
            await publish(bus, 1, 2)
            assert numbers(await take(events, 2)) == [1, 2]
            held_writer.release()

    async def test_what_cannot_be_read_any_more_is_counted(self, tmp_path: Path) -> None:
        """Its file was removed after the session had gone on in another."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536, max_segment_bytes=65536) as bus:
            async with bus.subscribe(replay=True) as events:
                for batch in range(3):
                    await publish(bus, *range(batch * 500, batch * 500 + 500))
                    await bus.flush()
                    eventually(lambda batch=batch: bus.statistics().segment == batch + 2, "for the next segment")  # type: ignore[misc]
                bus.path.unlink()
                await bus.close()
                found = await rest_of(events)
        assert seqs(found) == list(range(events.missed + 1, 1501))
        assert events.missed > 0

    async def test_what_is_gone_at_the_end_is_counted_too(self, tmp_path: Path) -> None:
        """The last file was removed after the session was closed, before a slow subscriber had read it."""
        async with EventBus("agent", output_dir=tmp_path) as bus, bus.subscribe(buffer_events=5) as events:
            await publish(bus, *range(100))
            assert numbers(await take(events, 1)) == [0]
            await bus.close()
            bus.path.unlink()
            rest = await rest_of(events)
            assert len(rest) + 1 + events.missed == 100
            assert events.missed > 0

    @pytest.mark.parametrize(
        ("lost", "damage"),
        [
            (1, lambda data, at: data.replace(b'"number":300,', b'"number":3\r0,')),
            (1, lambda data, at: data.replace(b'{"type":"Step","number":300', b'\0"type":"Step","number":300')),
            (
                3,
                lambda data, at: (
                    data[:at] + bytes(data.index(b'"number":302') - at) + data[data.index(b'"number":302') :]
                ),
            ),
        ],
        ids=["a line", "its name", "a hole"],
    )
    async def test_what_is_damaged_is_counted_and_what_comes_after_it_is_delivered(
        self, tmp_path: Path, lost: int, damage: Callable[[bytes, int], bytes]
    ) -> None:
        """A hole may begin in one line and end in another: the events behind it are told by their own `seq`."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536) as bus:
            await publish(bus, *range(1000))
            await bus.flush()
            data = bus.path.read_bytes()
            damaged = damage(data, data.index(b'"number":300'))
            assert len(damaged) == len(data) and damaged != data
            with bus.path.open("r+b") as file:
                file.write(damaged)
            async with bus.subscribe(replay=True, buffer_events=7) as events:
                await bus.close()
                found = await rest_of(events)
        assert [event.seq for event in found] == [event.number + 1 for event in found]
        assert [event.number for event in found] == [n for n in range(1000) if not 300 <= n < 300 + lost]
        assert events.missed == lost

    async def test_replay_from_a_seq_behind_a_hole_begins_with_that_event(self, tmp_path: Path) -> None:
        """Three lines that have become one do not shift the numbers of those behind them."""
        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536) as bus:
            await publish(bus, *range(1000))
            await bus.flush()
            data = bus.path.read_bytes()
            begin, end = data.index(b'"number":300'), data.index(b'"number":302')
            with bus.path.open("r+b") as file:
                file.write(data[:begin] + bytes(end - begin) + data[end:])
            async with bus.subscribe(replay=305) as events:
                await bus.close()
                found = await rest_of(events)
        assert seqs(found) == list(range(305, 1001))

    async def test_past_that_cannot_be_read_for_now_is_read_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """From where it stopped: each event once."""
        async with EventBus("agent", "session", output_dir=tmp_path) as bus:
            await publish(bus, *range(3000))
        async with EventBus("agent", "session", output_dir=tmp_path) as bus:
            await publish(bus, 3000)
            async with bus.subscribe(Step, replay=True, buffer_events=100) as events:
                found = await take(events, 150)
                reads = 0
                real = subscription.read_entries

                def fail_in_the_middle(path: Any) -> Any:
                    for number, entry in enumerate(real(path)):
                        if number == 1000:
                            raise OSError("the disk is away")
                        yield entry

                events._past = None  # what was read ahead of it is read anew
                with monkeypatch.context() as broken:
                    broken.setattr(subscription, "read_entries", fail_in_the_middle)
                    with pytest.raises(OSError, match="away"):
                        while True:
                            found += await take(events, 1)
                            reads += 1
                found += await take(events, 3001 - len(found))
                assert reads > 0
                assert numbers(found) == list(range(3001))

    async def test_log_that_cannot_be_read_for_now_raises_and_is_read_later(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The position stays; others are served."""
        from deia import system

        async with EventBus("agent", output_dir=tmp_path, queue_bytes=65536) as bus:
            await publish(bus, *range(2000))
            await bus.flush()
            async with bus.subscribe(replay=True) as events, bus.subscribe() as others:

                def fail(*_: object) -> bytes:
                    raise OSError("the disk is away")

                with monkeypatch.context() as broken:
                    broken.setattr(system, "pread", fail)
                    with pytest.raises(OSError, match="away"):
                        await take(events, 2000)
                    await publish(bus, 2000)
                    assert numbers(await take(others, 1)) == [2000]
                assert numbers(await take(events, 2001)) == list(range(2001))


class TestItsLife:
    """Begin, end, cancel."""

    async def test_iteration_ends_when_the_session_is_closed_and_everything_was_delivered(self, bus: EventBus) -> None:
        """To whoever is live, and to whoever is behind."""
        async with bus.subscribe() as live, bus.subscribe(buffer_events=2) as slow, bus.subscribe(replay=True) as again:
            await publish(bus, *range(50))
            await bus.close()
            for events in (live, slow, again):
                assert numbers(await rest_of(events)) == list(range(50))

    async def test_iteration_ends_when_a_session_without_events_is_closed(self, bus: EventBus) -> None:
        """Nothing was opened, and nothing is waited for."""
        async with bus.subscribe() as live, bus.subscribe(replay=True) as again:
            await bus.close()
            assert await rest_of(live) == await rest_of(again) == []

    async def test_iteration_ends_when_the_logger_is_garbage(self, tmp_path: Path) -> None:
        """A subscription does not keep a session open that nobody can record to any more."""
        log = SessionLogger("agent", output_dir=tmp_path)
        async with log.bus.subscribe(Step) as events:
            log.publish(Step(1))
            del log
            assert numbers(await rest_of(events)) == [1]

    async def test_iteration_ends_when_a_logger_without_events_is_garbage(self, tmp_path: Path) -> None:
        """No first event can come any more."""
        log = SessionLogger("agent", output_dir=tmp_path)
        async with log.bus.subscribe(Step) as events:
            del log
            assert await rest_of(events) == []

    async def test_disabled_logger_ends_the_iteration_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing will ever come."""
        monkeypatch.setenv("DEIA_DISABLED", "1")
        bus = EventBus("agent", output_dir=tmp_path)
        async with bus.subscribe() as events:
            assert await rest_of(events) == []

    async def test_subscribing_to_a_closed_session_raises(self, bus: EventBus) -> None:
        """`read_events` reads it."""
        await bus.close()
        with pytest.raises(LoggerClosedError):
            async with bus.subscribe():
                pass

    async def test_subscription_begins_with_its_block_and_only_once(self, bus: EventBus) -> None:
        """Forgetting the block is told, and does not hang."""
        events = bus.subscribe()
        with pytest.raises(RuntimeError, match="block"):
            await anext(events)
        async with events:
            pass
        with pytest.raises(RuntimeError, match="once"):
            await events.__aenter__()

    async def test_block_that_is_left_subscribes_no_more(self, bus: EventBus) -> None:
        """The background reads for nobody then."""
        async with bus.subscribe() as events:
            await publish(bus, 1)
        assert await rest_of(events) == []
        assert bus._recorder._session.feed.head is None

    async def test_cancelled_wait_loses_no_event(self, bus: EventBus) -> None:
        """Neither for this subscriber nor for another one, wherever it was cancelled."""
        async with bus.subscribe(replay=True, buffer_events=3) as events, bus.subscribe() as others:
            found: list[Step] = []
            total = 300
            await publish(bus, *range(total // 2))
            at = 0
            while len(found) < total:
                with anyio.CancelScope() as scope:
                    async with anyio.create_task_group() as tasks:

                        async def read(scope: anyio.CancelScope = scope) -> None:
                            found.append(await anext(events))
                            scope.cancel()

                        tasks.start_soon(read)
                        for _ in range(at % 4):
                            await anyio.lowlevel.checkpoint()
                        if at % 3:
                            scope.cancel()
                at += 1
                if at == total // 2:
                    await publish(bus, *range(total // 2, total))
            assert numbers(found) == list(range(total))
            assert numbers(await take(others, total)) == list(range(total))

    async def test_one_subscription_may_be_read_by_several_tasks(self, bus: EventBus) -> None:
        """Each event comes to one of them."""
        found: list[int] = []
        async with bus.subscribe(Step) as events:

            async def work() -> None:
                async for event in events:
                    found.append(event.number)
                    await anyio.lowlevel.checkpoint()

            with anyio.fail_after(PATIENCE_S):
                async with anyio.create_task_group() as tasks:
                    for _ in range(3):
                        tasks.start_soon(work)
                    await wait_all_tasks_blocked()
                    await publish(bus, *range(100))
                    await bus.close()
        assert sorted(found) == list(range(100))

    async def test_subscriber_gives_way_to_other_tasks(self, bus: EventBus) -> None:
        """Also where there is always something to read."""
        await publish(bus, *range(5000))
        turns = 0
        async with bus.subscribe(replay=True) as events, anyio.create_task_group() as tasks:

            async def count() -> None:
                nonlocal turns
                while True:
                    await anyio.lowlevel.checkpoint()
                    turns += 1

            tasks.start_soon(count)
            with monotonic_steps(0.0005):
                await take(events, 5000)
            tasks.cancel_scope.cancel()
        assert turns > 1000

    async def test_refusing_one_event_after_the_other_gives_way_to_other_tasks(self, bus: EventBus) -> None:
        """What `where` leaves out takes its time as well."""
        asked = turns = 0

        def refuse(_: Step) -> bool:
            nonlocal asked
            asked += 1
            deadline = system.monotonic() + 0.002
            while system.monotonic() < deadline:
                pass
            return asked == 20

        async def take_turns() -> None:
            nonlocal turns
            while True:
                await anyio.lowlevel.checkpoint()
                turns += 1

        async with bus.subscribe(Step, where=refuse) as events, anyio.create_task_group() as tasks:
            await publish(bus, *range(20))
            handed_out(bus)
            tasks.start_soon(take_turns)
            await take(events, 1)
            tasks.cancel_scope.cancel()
        assert turns >= 10

    async def test_slow_block_of_one_loop_holds_up_no_subscriber_on_another(self, bus: EventBus) -> None:
        """Each loop and thread has its own subscriptions, of the same session."""
        found: list[int] = []

        async def elsewhere() -> None:
            async with bus.subscribe(Step) as events:
                ready.set()
                found.extend(numbers(await take(events, 10)))

        async with bus.subscribe() as events:
            for backend in ("asyncio", "trio"):
                ready = threading.Event()
                worker = Worker(lambda backend=backend: anyio.run(elsewhere, backend=backend))  # type: ignore[misc]
                assert ready.wait(PATIENCE_S)
                await publish(bus, *range(10))
                worker.finish()  # blocks this loop
            assert found == [*range(10), *range(10)]
            assert len(await take(events, 20)) == 20


class monotonic_steps:  # noqa: N801  # used as a function is
    """A clock that moves on with each look."""

    def __init__(self, step_s: float) -> None:
        self._step_s = step_s
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> None:
        from deia import system

        real, steps = system.monotonic, iter(range(10**9))
        self._patch.setattr(system, "monotonic", lambda: real() + next(steps) * self._step_s)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


class TestInThreads:
    """`with` and `for`, where there is no event loop."""

    def test_plain_thread_iterates_without_an_event_loop(self, tmp_path: Path) -> None:
        """Live, and after a replay."""
        bus = EventBus("agent", output_dir=tmp_path)
        for number in range(10):
            bus.publish_blocking(Step(number))
        found: list[int] = []
        with bus.subscribe(Step, replay=True) as events:
            worker = Worker(lambda: found.extend(event.number for event in events))
            for number in range(10, 20):
                bus.publish_blocking(Step(number))
            bus._recorder.close()
            worker.finish()
        assert found == list(range(20))

    def test_leaving_the_block_ends_the_iteration_of_another_thread(self, tmp_path: Path) -> None:
        """It does not wait for ever."""
        bus = EventBus("agent", output_dir=tmp_path)
        with bus.subscribe() as events:
            worker = Worker(lambda: list(events))
        worker.finish()
        bus._recorder.close()

    def test_events_of_many_threads_come_in_the_order_of_their_seq(self, tmp_path: Path) -> None:
        """Which is that of the log."""
        bus = EventBus("agent", output_dir=tmp_path, queue_bytes=65536)
        each = 300
        with bus.subscribe(Step) as events:
            workers = [Worker(lambda: [bus.publish_blocking(Step(n)) for n in range(each)]) for _ in range(4)]
            found = [next(events) for _ in range(4 * each)]
            for worker in workers:
                worker.finish()
        assert seqs(found) == list(range(1, 4 * each + 1))
        bus._recorder.close()


def test_sync_policy_always_delivers_too(tmp_path: Path) -> None:
    """Each call waits for its fsync; the subscriber does not."""
    log = SessionLogger("agent", output_dir=tmp_path, sync_policy="always")
    with log, log.bus.subscribe(Step) as events:
        log.publish(Step(1))
        assert next(events).number == 1


def test_waits_take_no_longer_than_threads_can(tmp_path: Path) -> None:
    """The wait of a thread is for ever, in a number that the system takes."""
    assert subscription._FOREVER_S < threading.TIMEOUT_MAX < math.inf


@pytest.mark.parametrize("imported", [{}, {"lowlevel": types.ModuleType("trio.lowlevel")}])
async def test_trio_that_another_thread_is_importing_troubles_nobody(
    bus: EventBus, monkeypatch: pytest.MonkeyPatch, anyio_backend_name: str, imported: dict[str, Any]
) -> None:
    """It is in `sys.modules` before there is anything in it."""
    if anyio_backend_name == "trio":
        pytest.skip("here it runs")
    trio = types.ModuleType("trio")
    vars(trio).update(imported)
    monkeypatch.setitem(sys.modules, "trio", trio)
    seen: list[int] = []

    @bus.on(Step)
    async def handle(step: Step) -> None:
        seen.append(step.number)

    async with bus.subscribe() as events:
        await publish(bus, 1)
        assert numbers(await take(events, 1)) == [1]
        await bus.wait_handled(PATIENCE_S)
    assert seen == [1]


async def test_constructor_of_a_users_class_runs_where_its_event_is_taken(bus: EventBus) -> None:
    """Not on the background: one that takes its time, or hangs, holds up nobody else."""
    threads: set[int] = set()

    @dataclasses.dataclass
    class Thoughtful:
        number: int

        def __post_init__(self) -> None:
            threads.add(threading.get_ident())

    async with bus.subscribe(Thoughtful) as events, bus.subscribe(Thoughtful, replay=True) as again:
        await bus.publish(Thoughtful(1))
        (event,), (other,) = await take(events, 1), await take(again, 1)
    assert event == other and event is not other
    assert threads == {threading.get_ident()}


def test_events_are_taken_in_batches_as_large_as_is_asked_for(tmp_path: Path) -> None:
    """In a thread: what is there, as far as is wanted; none where none comes in time; at the end None."""
    log = SessionLogger("agent", "session", output_dir=tmp_path)
    with log.bus.subscribe(ToolEvent, replay=True) as events:
        assert events.take_batch(2, 0.0) == []
        for number in range(3):
            log.log_tool_call(f"{number}", {}, 1)
        log.log_message("user", "nobody asked for it")
        log.close()
        names: list[str] = []
        sizes: list[int] = []
        while (batch := events.take_batch(2, PATIENCE_S)) is not None:
            names += [event.name for event in batch]
            sizes.append(len(batch))
        assert names == ["0", "1", "2"]
        assert max(sizes) <= 2
        assert events.take_batch(2, PATIENCE_S) is None
