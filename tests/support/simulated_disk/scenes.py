"""Runs that are recorded: what a session does, step by step on one thread, the same operations each time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import deia.bus.session
from deia import FileEvent, SessionLogger, TaskEvent, ToolEvent, system
from deia.errors import WriterFailedError
from deia.events import AnyEvent
from deia.services import session_logger, tasks
from support.simulated_disk.disk import Image
from support.simulated_disk.recording import Recorder
from support.simulated_disk.world import World

AGENT, SESSION = "agent", "s"
RING_BYTES = 64 * 1024
SEGMENT_BYTES = 64 * 1024
START = 1_700_000_000.0
_TICK_S = 1e-5
"""So little that no bound in time is reached in a run, and so much that a wait ends."""


class _Inline:
    """Stands for the background: what it would do is done at once, by the calling thread, or at the scene's word."""

    alive = True

    @property
    def executor(self) -> _Inline:
        return self

    def submit(self, job: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(job(*arguments))
        except Exception as error:  # noqa: BLE001  # it belongs to whoever waits for the future
            future.set_exception(error)
        return future

    def consume(self, session: Any) -> None:
        """The scene says when the queue is drained."""

    def call(self, function: Callable[[], Any]) -> None:
        function()


@contextmanager
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have no background and clocks that count calls, so that a run is the same each time."""
    ticks, moments = iter(range(10**9)), iter(range(10**12))
    background = _Inline()

    def now() -> float:
        return START + next(ticks) + 0.5  # as long as any other, as text

    def monotonic() -> float:
        return next(moments) * _TICK_S

    with monkeypatch.context() as patch:
        patch.setattr(deia.bus.session, "background", lambda: background)
        for module in (system, session_logger, tasks):
            patch.setattr(module, "now", now)
            patch.setattr(module, "stopwatch", monotonic)
        patch.setattr(system, "monotonic", monotonic)
        yield


def label_of(event: AnyEvent) -> str | None:
    """Return the label that an event of a scene was logged under; None for the session's own lines."""
    if isinstance(event, TaskEvent):
        return f"{event.name} {'begins' if event.end_time is None else 'ends'}"
    if isinstance(event, FileEvent):
        return event.path
    return event.name if isinstance(event, ToolEvent) else None


def filling(label: str, size: int) -> str:
    """Text of a given length that no other event has."""
    return (f"{label} " * (size // (len(label) + 1) + 1))[:size]


@dataclass
class Run:
    """A session at work on a simulated disk.

    Attributes:
        recorder: Notes what it does, and what it was promised.
        root: The simulated disk's.
        options: Of its loggers.
        logged: Label → the event as it was logged, in order.
        may_fail: Whether calls that wait for the disk may say that it fails.
        failures: What they said.
    """

    recorder: Recorder
    root: Path
    options: dict[str, Any]
    logged: dict[str, TaskEvent | FileEvent | ToolEvent] = field(default_factory=dict)
    may_fail: bool = False
    failures: list[Exception] = field(default_factory=list)
    _logger: SessionLogger | None = None
    _acknowledged: int = 0

    @property
    def directory(self) -> Path:
        return self.root / "deia" / "sessions"

    @property
    def journal(self) -> Path:
        return self.directory / f"{AGENT}_{SESSION}.jsonl"

    @property
    def copy(self) -> Path:
        return self.root / "copies" / self.journal.name

    @property
    def logger(self) -> SessionLogger:
        if self._logger is None:
            self._logger = SessionLogger(AGENT, SESSION, output_dir=self.directory, **self.options)
        return self._logger

    def _log(self, label: str, event: TaskEvent | FileEvent | ToolEvent, call: Callable[[], object]) -> None:
        assert label not in self.logged
        self.logged[label] = event
        self.recorder.mark("begun", label)
        call()
        self.recorder.mark("acknowledged", label)
        self._acknowledged = len(self.logged)
        if self.options.get("sync_policy") == "always" and self._is_durable():
            self._mark_durable()

    def file(self, label: str) -> None:
        """Log a short line."""
        self._log(label, FileEvent(label, "read", 7), lambda: self.logger.log_file_read(label, 7))

    def tool(self, label: str, size: int = 0) -> None:
        """Log a line of about this length."""
        params = {"filling": filling(label, size)}
        self._log(label, ToolEvent(label, params, 5), lambda: self.logger.log_tool_call(label, params, 5))

    def same(self, label: str, size: int) -> None:
        """Log a line with a text that others have too."""
        params = {"filling": filling("always the same", size)}
        self._log(label, ToolEvent(label, params, 5), lambda: self.logger.log_tool_call(label, params, 5))

    def begin(self, name: str) -> None:
        """Start a task."""
        task = TaskEvent(name, 0.0, metadata={"of": name})
        self._log(f"{name} begins", task, lambda: self.logger.log_task_start(name, {"of": name}))

    def end(self, name: str) -> None:
        """Complete a task."""
        task = TaskEvent(name, 0.0, 1.0, metadata={"of": name, "done": True})
        self._log(f"{name} ends", task, lambda: self.logger.log_task_complete(name, 9, {"done": True}))

    def drain(self) -> None:
        """What the consumer does at each interval."""
        self.logger._session.drain()

    def drain_a_part(self, size: int) -> None:
        """Write so many bytes of what waits; the disk takes no more."""
        producer, writer = self.logger._session.producer, self.logger._session.writer
        assert writer.files is not None
        start, data = producer.copy_unflushed(size)
        writer.wrote(start + writer.files.write(data, start))

    def _is_durable(self) -> bool:
        statistics = self.logger.statistics()
        return statistics.durable_offset >= statistics.end_offset

    def _mark_durable(self) -> None:
        """Note that everything is owed now; after a failed fsync, too: a sync that returns has covered it all again."""
        self.recorder.mark("durable", self._acknowledged)

    def _succeeds(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except (WriterFailedError, OSError) as error:
            self.failures.append(error)
            if not self.may_fail:
                raise
            return False
        return True

    def flush(self) -> None:
        self._succeeds(self.logger.flush)

    def sync(self) -> None:
        """Sync; from here on, what was logged is owed after a loss of power too."""
        if self._succeeds(self.logger.sync):
            self._mark_durable()

    @contextmanager
    def failing_sync(self) -> Iterator[None]:
        """Have the next fsync inside fail; the session goes on in another segment, and calls may say why."""
        self.recorder.before, self.may_fail = self._fail_sync, True
        yield
        assert self.recorder.before is None
        self.may_fail = False

    def _fail_sync(self, name: str) -> None:
        if name == "sync":
            self.recorder.before = None
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def close(self) -> None:
        """Close, which syncs; it is asked for again where the disk did not take everything."""
        while not self._succeeds(self.logger.close):
            assert len(self.failures) < 10, self.failures
            if self.logger.statistics().mode == "closed":
                break
        else:
            self._mark_durable()
        self._logger = None

    def die(self) -> None:
        """End as a killed process does: the kernel closes its files, and nothing else happens."""
        if self._logger is not None:
            self._logger._session.disown()
            self._logger = None

    def save(self) -> None:
        """Save a copy elsewhere; it is durable, as the log itself need not be."""
        if self._succeeds(lambda: self.logger.save_session(self.copy.parent)):
            self.recorder.mark("saved", self._acknowledged)


def ring(run: Run) -> None:
    """Open, log, drain and sync; go around the ring, with a line across its end; leave something in it."""
    run.begin("task")
    run.file("f1")
    run.drain()
    run.tool("t1", 300)
    run.sync()
    for number in range(8):
        run.tool(f"big{number}", 9_000)
        if number % 3 == 2:
            run.drain()
    run.file("f2")
    run.sync()
    for number in range(6):
        run.tool(f"more{number}", 5_000 + 700 * number)
    run.drain()
    run.end("task")
    run.tool("last", 700)


def reopened(run: Run) -> None:
    """Close and open again; die and open again, with a recovery; and once more."""
    run.begin("first")
    run.tool("t1", 600)
    run.close()
    run.file("f1")
    run.end("first")
    run.drain()
    run.tool("t2", 2_000)
    run.die()
    run.file("f2")
    run.sync()
    run.tool("t3", 900)
    run.die()
    run.file("f3")
    run.close()


def long_lines(run: Run) -> None:
    """Lines longer than the ring, written by their caller, between short ones."""
    run.file("f1")
    run.tool("long1", RING_BYTES + 5_000)
    run.file("f2")
    run.tool("t1", 3_000)
    run.tool("long2", 2 * RING_BYTES)
    run.sync()
    run.file("f3")
    run.tool("long3", RING_BYTES + 1)
    run.file("f4")


def written_through(run: Run) -> None:
    """Mode `write`: each line by a system call of its own."""
    run.begin("task")
    for number in range(5):
        run.tool(f"t{number}", 400 * number)
    run.sync()
    run.file("f1")
    run.end("task")
    run.die()
    run.tool("t9", 5_000)
    run.file("f2")


def elsewhere(run: Run) -> None:
    """The ring lies in another directory, and is found again there."""
    run.file("f1")
    run.tool("t1", 2_000)
    run.drain()
    run.file("f2")
    run.die()
    run.tool("t2", 4_000)
    run.sync()
    run.file("f3")
    run.close()
    run.file("f4")


def saved(run: Run) -> None:
    """A copy is saved to another directory, twice."""
    run.file("f1")
    run.tool("t1", 2_000)
    run.save()
    run.file("f2")
    run.tool("t2", 900)
    run.save()
    run.file("f3")


def laps(run: Run) -> None:
    """Many times around the ring with lines whose middle is text: a page of an earlier lap fits into each."""
    for number in range(18):
        run.tool(f"t{number}", 11_000)
        if number % 3 == 2:
            run.drain()
        if number % 9 == 8:
            run.sync()
    for number in range(3):
        run.tool(f"last{number}", 6_000 + number)


def repetition(run: Run) -> None:
    """The same again and again, 4,096 bytes each: what an earlier lap had in the place of a line is nearly the same."""
    for number in range(1, 46):
        run.same(f"t{number:03}", 3_932 - len(str(number)))
        if number % 15 == 9:
            run.sync()


def troubled(run: Run) -> None:
    """A little of everything that needs the disk, and no death: whatever fails, nothing may be lost."""
    run.begin("task")
    run.file("f1")
    run.drain()
    run.tool("t1", 3_000)
    run.flush()
    run.sync()
    run.tool("long", RING_BYTES + 1_000)
    run.end("task")
    run.save()
    run.close()
    run.file("f2")
    run.tool("t2", 900)
    run.sync()
    run.file("f3")
    run.drain()
    run.file("f4")


def segments(run: Run) -> None:
    """Go on in another file because one is long enough; die and be recovered there, and go on in a third."""
    run.begin("task")
    for number in range(7):
        run.tool(f"a{number}", 9_000)
        if number % 3 == 2:
            run.drain()
    run.tool("a7", 4_000)
    run.drain()
    assert run.logger.statistics().segment == 2
    run.file("f1")
    run.sync()
    run.end("task")
    for number in range(7):
        run.tool(f"b{number}", 9_000)
        run.drain()
    run.tool("b7", 700)
    run.die()
    run.tool("c1", 2_000)
    run.drain()
    assert run.logger.statistics().segment == 3
    run.file("f2")
    run.drain()
    run.tool("last", 700)


def failed_syncs(run: Run) -> None:
    """An fsync fails, and the session goes on in another file; it is recovered there, and an fsync fails again."""
    run.file("f1")
    run.sync()
    run.tool("t1", 3_000)
    run.drain()
    with run.failing_sync():
        run.tool("t2", 900)
        run.drain_a_part(300)
        run.sync()
    assert run.logger.statistics().segment == 2
    run.tool("t3", 2_000)
    run.sync()
    run.tool("t4", 900)
    run.drain()
    run.file("f2")
    run.die()
    run.tool("t5", 3_000)
    run.drain()
    with run.failing_sync():
        run.tool("t6", 500)
        run.sync()
    assert run.logger.statistics().segment == 3
    run.file("f3")
    run.close()
    run.file("f4")


def failed_sync_of_a_recovery(run: Run) -> None:
    """Die, and have the fsync fail that makes durable what was recovered; what a later one promises is there."""
    run.file("f1")
    run.sync()
    run.tool("t1", 3_000)
    run.drain_a_part(700)
    run.tool("t2", 900)
    run.die()
    with run.failing_sync():
        run.file("f2")
    run.sync()
    run.tool("t3", 900)


def short(run: Run) -> None:
    """Little enough to try everything."""
    run.file("f1")
    run.sync()
    run.tool("t1", 5_000)
    run.drain()
    run.tool("t2", 600)


Scene = Callable[[Run], None]

SCENES: dict[str, tuple[Scene, dict[str, Any]]] = {
    "ring": (ring, {}),
    "many laps": (laps, {}),
    "repetition": (repetition, {}),
    "reopened": (reopened, {}),
    "long lines": (long_lines, {}),
    "written through": (written_through, {"queue_mode": "write"}),
    "ring elsewhere": (elsewhere, {"queue_dir": "queue"}),
    "saved elsewhere": (saved, {}),
    "always": (short, {"sync_policy": "always"}),
    "never": (reopened, {"sync_policy": "never"}),
    "segments": (segments, {"max_segment_bytes": SEGMENT_BYTES}),
    "segments elsewhere": (segments, {"max_segment_bytes": SEGMENT_BYTES, "queue_dir": "queue"}),
    "segments, always": (segments, {"max_segment_bytes": SEGMENT_BYTES, "sync_policy": "always"}),
    "segments, never": (segments, {"max_segment_bytes": SEGMENT_BYTES, "sync_policy": "never"}),
    "segments written through": (segments, {"max_segment_bytes": SEGMENT_BYTES, "queue_mode": "write"}),
    "failed syncs": (failed_syncs, {}),
    "failed syncs, always": (failed_syncs, {"sync_policy": "always"}),
    "failed syncs, lines written through": (failed_syncs, {"queue_mode": "write"}),
    "failed sync of a recovery": (failed_sync_of_a_recovery, {}),
    "never, lines written through": (written_through, {"sync_policy": "never", "queue_mode": "write"}),
}
"""Name → the run, and the options of its loggers. A new feature that changes files adds a run of its own here."""


@dataclass
class Recording:
    """A scene as it was recorded.

    Attributes:
        world: Where it was, and where its states are laid out.
        run: What was logged.
        operations: What happened to the disk, and what was promised when.
    """

    world: World
    run: Run
    operations: list[Any]


def record(scene: Scene, options: dict[str, Any], directory: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    """Play a scene once and note every operation."""
    world = World(directory)
    recorder = Recorder(world)
    options = {"queue_bytes": RING_BYTES, **options}
    if "queue_dir" in options:
        options["queue_dir"] = world.root / options["queue_dir"]
    run = Run(recorder, world.root, options)
    with recorder.recording(monkeypatch):
        scene(run)
        recorder.mark("over")
    run.die()
    return Recording(world, run, recorder.operations)


def record_with_faults(
    options: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch, attach: Callable[[Recorder], None]
) -> Recording:
    """Play the scene of trouble on a disk whose operations fail as they are told to; at its end the disk is well."""
    world.lay_out(Image())
    recorder = Recorder(world)
    options = {"queue_bytes": RING_BYTES, **options}
    if "queue_dir" in options:
        options["queue_dir"] = world.root / options["queue_dir"]
    run = Run(recorder, world.root, options, may_fail=True)
    attach(recorder)
    with recorder.recording(monkeypatch):
        troubled(run)
        recorder.before = recorder.room = None
        run.may_fail = run.logger.statistics().error is not None  # an fsync that failed is told again
        run.close()
        recorder.mark("over")
    return Recording(world, run, recorder.operations)
