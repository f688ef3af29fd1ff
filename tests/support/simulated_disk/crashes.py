"""Every way to cut a recorded run off, and what came of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from deia import SessionLogger
from deia.errors import NotASessionLogError
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from deia.testing.tally import Tally
from support.simulated_disk.disk import Disk, Image
from support.simulated_disk.operations import Mark, Operation, Write
from support.simulated_disk.oracle import Oracle, Promised, after_restart
from support.simulated_disk.recording import Recorder
from support.simulated_disk.scenes import AGENT, SESSION, Recording, Run

_WORD = 8
"""A store of one word is never cut in two."""


@dataclass(frozen=True)
class Crash:
    """A run cut off at one point.

    Attributes:
        how: Where and by what, in words that say how to get there again.
        promised: What it had been promised.
        disk: The disk as it is now, with a past: nothing may have been synced.
        boots: How many times the machine was started since.
        all_is_kept: Whether what the kernel had is there, in order: no power was lost.
    """

    how: str
    promised: Promised
    disk: Disk
    boots: int = 0
    all_is_kept: bool = True


def _points(operations: list[Operation], disk: Disk) -> Iterator[tuple[int, Operation, Disk]]:
    """Yield every operation of the disk's with the disk before it."""
    disk = disk.copy()
    for number, operation in enumerate(operations):
        if not isinstance(operation, Mark):
            yield number, operation, disk
        disk.apply(operation)
    yield len(operations), Mark("over"), disk


def deaths(operations: list[Operation], before: Crash | None = None) -> Iterator[Crash]:
    """The process is killed before each operation, and inside each write.

    Args:
        operations: What it did.
        before: What had happened before it was started.
    """
    start, promised, how, boots, kept = _beginning(before)
    for number, operation, disk in _points(operations, start):
        if before is None:
            promised = Promised.by(operations[:number])
        yield Crash(f"{how}killed before operation {number}", promised, disk.copy(), boots, kept)
        if isinstance(operation, Write) and len(operation.data) > _WORD:
            for cut in sorted({1, len(operation.data) // 2, len(operation.data) - 1}):
                partly = disk.copy()
                partly.apply(Write(operation.file, operation.offset, operation.data[:cut], operation.stored))
                yield Crash(f"{how}killed in operation {number} after {cut} bytes", promised, partly, boots, kept)


def clean_restarts(operations: list[Operation], before: Crash | None = None) -> Iterator[Crash]:
    """The process is killed before each operation, and the machine then shut down in order: no offset is trusted."""
    start, promised, how, boots, kept = _beginning(before)
    for number, _, disk in _points(operations, start):
        if before is None:
            promised = Promised.by(operations[:number])
        yield Crash(f"{how}shut down before operation {number}", promised, disk.copy(), boots + 1, kept)


def power_losses(
    operations: list[Operation], seeds: Iterable[str], before: Crash | None = None, most: int = 0
) -> Iterator[Crash]:
    """The power is lost before each operation.

    Args:
        operations: What the process did.
        seeds: For each, one of the many outcomes; that everything unsynced is gone is one that is always there.
        before: What had happened before it was started.
        most: Where a file's pages have no more outcomes than this, each of them too.
    """
    start, promised, how, boots, _ = _beginning(before)
    seeds = list(seeds)
    for number, _, disk in _points(operations, start):
        if before is None:
            promised = Promised.by(operations[:number])

        outcomes = [("all that was not synced is gone", disk.forgetful())]
        for seed in seeds:
            outcomes.append((f"seed {seed!r}", disk.reordered(random.Random(f"{seed} {how}{number}"))))
        for file in disk.unsynced:
            for count, content in enumerate(disk.outcomes(file, most)):
                image = disk.after_a_clean_restart()
                image.files[file] = content
                outcomes.append((f"outcome {count} of file {file}", image))
        for what, image in outcomes:
            after = Disk(image, image.copy())
            yield Crash(f"{how}power lost before operation {number} ({what})", promised, after, boots + 1, False)


def old_blocks(recording: Recording, block: int) -> Iterator[Crash]:
    """The power is lost at the end of a run; the journal has what was synced, the queue file all but one block."""
    *_, (number, _, disk) = _points(recording.operations, Disk())
    promised = Promised.by(recording.operations[:number])
    sessions = recording.world.relative(recording.run.directory)
    queue = disk.image.names[f"{sessions}/{queue_path(recording.run.journal).name}"]
    assert queue is not None
    for place, moment, content in disk.with_one_old_block(queue, block):
        image = Image(disk.forgetful().files, dict(disk.image.names))
        image.files[queue] = content
        how = f"power lost at the end, block {place} of {block} bytes as after change {moment}"
        yield Crash(how, promised, Disk(image, image.copy()), 1, False)


def _beginning(before: Crash | None) -> tuple[Disk, Promised, str, int, bool]:
    if before is None:
        return Disk(), Promised([], [], 0, 0), "", 0, True
    return before.disk, before.promised, f"{before.how}; recovery ", before.boots, before.all_is_kept


class Examiner:
    """Lays crashes out, one after the other, and has each looked at."""

    def __init__(self, recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
        self._world = recording.world
        self._run = recording.run
        self._oracle = Oracle(recording.run)
        self._monkeypatch = monkeypatch

    def examine(self, crash: Crash) -> Tally:
        """Assert that a crash leaves what it may leave; return what was found."""
        self._world.lay_out(crash.disk.image)
        look = self._oracle.after_death if crash.all_is_kept else self._oracle.after_power_loss
        try:
            with after_restart(self._monkeypatch, crash.boots):
                return look(crash.promised)
        except Exception as error:
            raise AssertionError(f"{crash.how}: {error!r}") from error

    def examine_all(self, crashes: Iterable[Crash]) -> Tally:
        """Assert it of each; return the sum."""
        return sum(map(self.examine, crashes), Tally())

    def record_recovery(self, crash: Crash, way: Callable[[Run], object]) -> list[Operation]:
        """Recover after a crash, in a given way, and note what that does to the disk."""
        self._world.lay_out(crash.disk.image)
        recorder = Recorder(self._world)
        with after_restart(self._monkeypatch, crash.boots), recorder.recording(self._monkeypatch):
            way(self._run)
        return recorder.operations


def by_recovering(run: Run) -> None:
    """What a program does that only wants the journal."""
    recover(run.journal)


def by_mending(run: Run) -> None:
    """What `deia recover` does; it refuses a log of which no event can be read any more."""
    with suppress(NotASessionLogError):
        mend(run.journal)


def by_opening(run: Run) -> None:
    """What the next run of the session does, before its first event."""
    logger = SessionLogger(AGENT, SESSION, output_dir=run.directory, **run.options)
    logger.open()
    logger._session.disown()


WAYS = (by_recovering, by_mending, by_opening)
