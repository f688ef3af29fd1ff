"""Every operation on a file fails once, and then for a while: nothing that was accepted is lost, nothing is twice."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deia.events import SessionEvent
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from deia.testing.tally import Tally
from support.effort import amount
from support.losses import Losses
from support.simulated_disk.crashes import Examiner, power_losses
from support.simulated_disk.faults import Counting, Failing, Short
from support.simulated_disk.oracle import Reading
from support.simulated_disk.scenes import SEGMENT_BYTES, Recording, one_thread, record_with_faults
from support.simulated_disk.world import World, scratch_directory

pytestmark = pytest.mark.timeout(amount(reduced=180, full=1800))

OPTIONS: dict[str, dict[str, Any]] = {
    "interval": {},
    "always": {"sync_policy": "always"},
    "never": {"sync_policy": "never"},
    "written through": {"queue_mode": "write"},
    "ring elsewhere": {"queue_dir": "queue"},
    "segments": {"max_segment_bytes": SEGMENT_BYTES},
}

every_option = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
every_error = pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EINTR"])

Play = Callable[[dict[str, Any], Counting], Recording]


@pytest.fixture
def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Plays the scene of trouble on a disk that is told how to fail."""
    with scratch_directory(tmp_path) as directory, one_thread(monkeypatch):
        world = World(directory / "disk")

        def run(options: dict[str, Any], faults: Counting) -> Recording:
            return record_with_faults({"full_timeout_s": 0.0, **options}, world, monkeypatch, faults.attach)

        with world.passing():
            yield run


def nothing_is_lost(recording: Recording) -> Tally:
    """Assert that everything accepted is there once and in order, and that nothing else is; now the disk is well."""
    run = recording.run
    if queue_path(run.journal).exists():
        recover(run.journal)  # one that could not be removed
    found = Reading.of(run.journal)
    saved = Reading.of(run.copy)
    assert found.damages == saved.damages == []
    if found.labels[0] != next(iter(run.logged)):  # kept in memory until it was saved: its log is there now
        found.labels = saved.labels + found.labels
        found.events = saved.events + found.events
    dropped = [label for label in run.logged if label not in found.labels]
    assert found.labels == [label for label in run.logged if label not in dropped]
    assert dropped in ([], ["long"])  # a line that its caller writes, in the time that it may take: none at all
    assert sum(event.dropped or 0 for event in found.events if isinstance(event, SessionEvent)) == len(dropped)
    return Tally(tried=1, acknowledged=len(found.labels), found=len(found.labels))


def faults_of(play: Play, options: dict[str, Any], error: str, times: int) -> Iterator[Failing]:
    counting = Counting()
    play(options, counting)
    some = amount(reduced=5, full=1)
    for name, calls in counting.calls.items():
        first = 1 + (len(name) + len(error)) % min(some, calls)  # now one, now another, and at least one of each name
        for which in range(first, calls + 1, some):
            yield Failing(name, which, getattr(errno, error), times)


@every_option
@every_error
def test_operation_that_fails_once_loses_nothing(
    options: dict[str, Any], error: str, play: Play, losses: Losses
) -> None:
    """Each open, read, write, truncation, rename, removal and fsync of a run, one at a time."""
    for fault in faults_of(play, options, error, times=1):
        losses.add("operation-fails", nothing_is_lost(play(options, fault)))


@every_option
def test_operations_that_fail_for_a_while_lose_nothing(options: dict[str, Any], play: Play, losses: Losses) -> None:
    """From each operation on, several in a row."""
    for fault in faults_of(play, options, "ENOSPC", times=4):
        losses.add("operation-fails", nothing_is_lost(play(options, fault)))


@every_option
def test_short_writes_lose_nothing(options: dict[str, Any], play: Play, losses: Losses) -> None:
    """Each write of a run takes half of what it is given; then all of them do, again and again."""
    counting = Counting()
    play(options, counting)
    for which in range(0, counting.calls["pwrite"] + 1, amount(reduced=3, full=1)):
        losses.add("short-writes", nothing_is_lost(play(options, Short(which))))


@every_option
def test_failed_fsync_promises_nothing_that_a_loss_of_power_takes(
    options: dict[str, Any], play: Play, monkeypatch: pytest.MonkeyPatch, losses: Losses
) -> None:
    """What it should have covered may be lost although a later one succeeds: no sync says that it is durable."""
    counting = Counting()
    play(options, counting)
    for which in range(1, counting.calls["sync"] + 1):
        recording = play(options, Failing("sync", which, errno.EIO))
        crashes = list(power_losses(recording.operations, [str(which)]))
        examine = Examiner(recording, monkeypatch)
        losses.add("fsync-fails-then-power-lost", examine.examine_all(crashes[:: amount(reduced=24, full=1)]))
