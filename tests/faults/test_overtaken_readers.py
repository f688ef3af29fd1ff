"""A reader that is overtaken between any two of its looks at the disk, and one that looks in the middle of a switch.

Both are on one thread: what the one does comes at a given step of the other, so each order is tried, each time.
"""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, read_events, system
from deia.journal.check import check
from deia.journal.damage import Damage
from support.effort import amount
from support.simulated_disk.scenes import one_thread
from support.simulated_disk.world import scratch_directory

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be replaced there"),
    pytest.mark.timeout(amount(reduced=120, full=3600)),
]

RING_BYTES = 64 * 1024
SEGMENT_BYTES = 4 * RING_BYTES
PAD = "x" * 600
LINES_A_LAP = RING_BYTES // len(PAD)

READING = ("open_existing", "list_directory", "open_for_reading", "fstat", "stat", "pread", "load_word")
"""What a reader calls, apart from the reads of the journal itself."""

WRITING = (
    *("open_new", "open_or_create", "open_existing", "pwrite", "ftruncate", "link", "rename", "unlink", "map_shared"),
    *("list_directory", "lstat", "fstat", "pread", "sync", "close", "lock"),
)
"""What a writer calls that goes on in another file."""


class Overtaking:
    """A session at work, in steps; what a writer on another thread may do between two steps of a reader."""

    def __init__(self, directory: Path) -> None:
        self.logger = SessionLogger(
            *("agent", "s"),
            output_dir=directory,
            queue_bytes=RING_BYTES,
            max_segment_bytes=SEGMENT_BYTES,
            sync_policy="never",
        )
        self._session = self.logger._session
        self.log(30)
        self._session.writer.drain()
        self.log(5)

    def log(self, lines: int) -> None:
        for _ in range(lines):
            self.logger.log_file_read(PAD)

    def append(self) -> None:
        """A few lines, in the ring only."""
        self.log(3)

    def stop_inside_a_line(self) -> None:
        """A write takes only a part of what it was given."""
        self.log(2)
        start, data = self._session.producer.copy_unflushed(2 * RING_BYTES)
        files = self._session.writer.files
        assert files is not None
        self._session.writer.wrote(files.write_all(data[: -len(PAD) // 2], start))

    def lap(self) -> None:
        """Go around the ring more than once, in the same file."""
        for _ in range(8):
            self.log(LINES_A_LAP // 4)
            self._session.writer.drain()

    def go_on(self) -> None:
        """Go on in another file."""
        segment = self.logger.statistics().segment
        while self.logger.statistics().segment == segment:
            self.log(LINES_A_LAP // 4)
            self._session.drain()
        self.log(1)

    def go_on_inside_a_line(self) -> None:
        """The same, with the end of the file before inside a line: the drain before it was out of time."""
        files, writer = self._session.writer.files, self._session.writer
        assert files is not None
        while self._session.producer.flushed - files.base < SEGMENT_BYTES:
            self.log(LINES_A_LAP // 4)
            writer.drain()
        self.stop_inside_a_line()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "drain", lambda deadline: None)
            assert self._session.segments.go_on(urgent=True)
        self.log(1)


Step = Callable[[Overtaking], None]

STEPS: list[Step] = [
    Overtaking.append,
    Overtaking.stop_inside_a_line,
    Overtaking.lap,
    Overtaking.go_on,
    Overtaking.go_on_inside_a_line,
]


def read(path: Path, before: int) -> None:
    """Assert that a reading shows each event once, those at least that had been logged before it, and no damage."""
    damages: list[Damage] = []
    seqs = [event.seq for event in read_events(path, on_damage=damages.append)]
    assert (seqs, damages) == (list(range(1, len(seqs) + 1)), [])
    assert len(seqs) >= before


def find_fault(path: Path, before: int) -> None:
    """Assert that `deia check` finds nothing wrong either."""
    report = check(path)
    assert report.damages == []
    assert report.events >= before


class Between:
    """Calls something before a given one of the calls of `deia.system` that are made by somebody else."""

    def __init__(self, patch: pytest.MonkeyPatch, names: tuple[str, ...], plan: list[tuple[int, Callable[[], object]]]):
        self.left = list(plan)
        self._calls = 0
        self._inside = False
        for name in names:
            patch.setattr(system, name, self._hooked(getattr(system, name)))

    def _hooked(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def hooked(*arguments: Any, **options: Any) -> Any:
            if not self._inside:
                self._calls += 1
                self._inside = True
                try:
                    while self.left and self.left[0][0] <= self._calls:
                        self.left.pop(0)[1]()
                finally:
                    self._inside = False
            return real(*arguments, **options)

        return hooked


Start = Callable[[], Overtaking]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Begins a session, each time from nothing."""
    sessions: list[Overtaking] = []

    def disown() -> None:
        while sessions:
            sessions.pop().logger._session.disown()

    with scratch_directory(tmp_path) as scratch, one_thread(monkeypatch):

        def begin() -> Overtaking:
            disown()
            shutil.rmtree(scratch / "sessions", ignore_errors=True)
            sessions.append(Overtaking(scratch / "sessions"))
            return sessions[0]

        yield begin
        disown()


def _is_tried(start: Start, look: Callable[[Path, int], None], *plan: tuple[int, Step]) -> bool:
    """Read with the steps of a plan in between; return whether the reader made so many calls that all had a place."""
    session = start()
    with pytest.MonkeyPatch.context() as patch:
        between = Between(patch, READING, [(call, lambda step=step: step(session)) for call, step in plan])  # type: ignore[misc]
        try:
            look(session.logger.path, session.logger.statistics().logged)
        except AssertionError as error:
            raise AssertionError(f"{[(call, step.__name__) for call, step in plan]}: {error}") from error
    return not between.left


@pytest.mark.parametrize(("boot_id", "look"), [("known", find_fault), ("unknown", read)])
def test_reader_that_is_overtaken_at_any_two_steps_sees_each_event_once_and_no_damage(
    boot_id: str, look: Callable[[Path, int], None], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By appends, writes that stop inside a line, laps of the ring and switches; also where no offset is trusted."""
    if boot_id == "unknown":
        monkeypatch.setattr(system, "boot_id", lambda: bytes(16))
    first_steps = STEPS if amount(reduced=0, full=1) else STEPS[2:]
    second_steps = STEPS if amount(reduced=0, full=1) else STEPS[2:4]
    for first in first_steps:
        for at in itertools.count(1):
            if not _is_tried(start, look, (at, first)):
                break
            for second in second_steps:
                for then in itertools.count(at + 1, amount(reduced=9, full=1)):
                    if not _is_tried(start, look, (at, first), (then, second)):
                        break


@pytest.mark.parametrize("step", [Overtaking.go_on, Overtaking.go_on_inside_a_line])
def test_reader_in_the_middle_of_a_switch_sees_each_event_once_and_no_damage(step: Step, start: Start) -> None:
    """Before each call of the system that the writer makes."""
    for call in itertools.count(1):
        session = start()
        step(session)  # so that it is no first switch
        logged = session.logger.statistics().logged

        def look(session: Overtaking = session, logged: int = logged) -> None:
            read(session.logger.path, logged)
            find_fault(session.logger.path, logged)

        with pytest.MonkeyPatch.context() as patch:
            between = Between(patch, WRITING, [(call, look)])
            step(session)
        if between.left:
            break
    assert call > 20
