"""Every run is crashed after every operation of it: by the death of its process, and by a loss of power.

`docs/explanation/simulated-disk.md` says how. A failure names the run, the operation and the seed; `DEIA_SEED` tries
another one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deia import system
from deia.journal.files import SessionFiles
from deia.queue.layout import queue_path
from support.effort import amount
from support.losses import Losses
from support.simulated_disk import crashes
from support.simulated_disk.crashes import WAYS, Crash, Examiner, by_opening, deaths, power_losses
from support.simulated_disk.disk import PAGE, SECTOR, Disk
from support.simulated_disk.operations import Create, Mark, Rename, Sync, SyncDirectory, Truncate, Write
from support.simulated_disk.scenes import SCENES, Recording, one_thread, record, short
from support.simulated_disk.world import scratch_directory

pytestmark = pytest.mark.timeout(amount(reduced=180, full=3600))  # the long run tries some ten thousands of states each

SEED = os.environ.get("DEIA_SEED", "")

Record = Callable[[str], Recording]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Where the real files lie that stand for the simulated disk's."""
    with scratch_directory(tmp_path) as directory:
        yield directory


@pytest.fixture
def recorded(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """Records a scene by its name; until the test ends there is no background and no clock of the machine's."""
    with one_thread(monkeypatch):
        yield lambda scene: record(*SCENES[scene], scratch, monkeypatch)


@pytest.fixture
def examiner(recorded: Record, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[Recording, Examiner]]:
    """Records a scene, and looks at what its crashes leave."""

    def prepare(scene: str) -> tuple[Recording, Examiner]:
        recording = recorded(scene)
        return recording, Examiner(recording, monkeypatch)

    return prepare


Prepare = Callable[[str], tuple[Recording, Examiner]]

every_scene = pytest.mark.parametrize("scene", SCENES)
without_repetition = pytest.mark.parametrize("scene", [scene for scene in SCENES if scene != "repetition"])
"""Where the same is logged again in the same place of the ring, an old sector and a new one cannot be told apart."""


def policy_of(scene: str) -> str:
    return str(SCENES[scene][1].get("sync_policy", "interval"))


@every_scene
def test_process_killed_at_any_operation_loses_nothing_it_acknowledged(
    scene: str, examiner: Prepare, losses: Losses
) -> None:
    """Before each operation and inside each write; what is left is read, recovered in each way, and continued."""
    recording, examine = examiner(scene)
    losses.add("killed-at-any-operation", examine.examine_all(deaths(recording.operations)))


@every_scene
def test_machine_restarted_after_the_kill_loses_nothing_either(scene: str, examiner: Prepare, losses: Losses) -> None:
    """Offsets are not trusted under another kernel, and every acknowledged event is found all the same."""
    recording, examine = examiner(scene)
    losses.add("killed-then-restarted", examine.examine_all(crashes.clean_restarts(recording.operations)))


@every_scene
def test_process_killed_where_no_boot_id_can_be_had_loses_nothing_either(
    scene: str, examiner: Prepare, monkeypatch: pytest.MonkeyPatch, losses: Losses
) -> None:
    """There nobody knows whether the same kernel runs, so offsets are never trusted."""
    monkeypatch.setattr(system, "boot_id", lambda: bytes(16))
    recording, examine = examiner(scene)
    found = list(deaths(recording.operations))
    losses.add("killed-at-any-operation", examine.examine_all(found[:: amount(reduced=7, full=1)]))


@without_repetition
def test_power_lost_at_any_operation_keeps_everything_up_to_the_last_sync(
    scene: str, examiner: Prepare, losses: Losses
) -> None:
    """Whatever of the rest reached the disk, in whatever order, as whole pages, sectors, parts of one, or NULs."""
    recording, examine = examiner(scene)
    seeds = [f"{SEED}{number}" for number in range(amount(reduced=2, full=60))]
    tally = examine.examine_all(power_losses(recording.operations, seeds))
    losses.add(f"power-lost-{policy_of(scene)}", tally)


@pytest.mark.parametrize("policy", ["interval", "always", "never"])
def test_power_lost_leaves_whole_lines_for_every_outcome_of_a_short_run(
    policy: str, scratch: Path, monkeypatch: pytest.MonkeyPatch, losses: Losses
) -> None:
    """Every combination of old and new pages, one file at a time, where there are not too many to try."""
    with one_thread(monkeypatch):
        recording = record(short, {"sync_policy": policy}, scratch, monkeypatch)
        examine = Examiner(recording, monkeypatch)
        seeds = [f"{SEED}{number}" for number in range(amount(reduced=6, full=100))]
        found = power_losses(recording.operations, seeds, most=amount(reduced=48, full=1024))
        losses.add(f"power-lost-{policy}", examine.examine_all(found))


def _recoveries(examine: Examiner, recording: Recording, begin: list[Crash]) -> Iterator[tuple[Crash, list]]:
    for number, crash in enumerate(begin):
        way = WAYS[number % len(WAYS)]
        names = crash.disk.image.names
        sessions = recording.world.relative(recording.run.directory)
        journal = recording.run.journal
        if names.get(f"{sessions}/{journal.name}") is None and f"{sessions}/{queue_path(journal).name}" not in names:
            way = by_opening  # there is nothing to recover by the others
        with recording.world.passing():
            yield crash, examine.record_recovery(crash, way)


@every_scene
def test_recovery_killed_at_any_operation_is_done_again(scene: str, examiner: Prepare, losses: Losses) -> None:
    """And the recovery of that recovery: each crash is recovered in one of the three ways, and that one crashed."""
    recording, examine = examiner(scene)
    every = amount(reduced=40, full=2)
    for first, operations in _recoveries(examine, recording, list(deaths(recording.operations))[::every]):
        again = list(deaths(operations, first))
        losses.add("recovery-killed-at-any-operation", examine.examine_all(again))
        for second, further in _recoveries(examine, recording, again[:: amount(reduced=5, full=2)]):
            losses.add("recovery-killed-at-any-operation", examine.examine_all(deaths(further, second)))


@without_repetition
def test_power_lost_during_recovery_keeps_everything_up_to_the_last_sync(
    scene: str, examiner: Prepare, losses: Losses
) -> None:
    """After a kill, after a clean restart, and after a first loss of power."""
    recording, examine = examiner(scene)
    every = amount(reduced=50, full=3)
    for begin in (
        deaths(recording.operations),
        crashes.clean_restarts(recording.operations),
        power_losses(recording.operations, [f"{SEED}first"]),
    ):
        for first, operations in _recoveries(examine, recording, list(begin)[::every]):
            tally = examine.examine_all(power_losses(operations, [f"{SEED}second"], first))
            losses.add(f"power-lost-{policy_of(scene)}", tally)


@pytest.mark.parametrize("block", [pytest.param(SECTOR, id="sector"), pytest.param(PAGE, id="page")])
@pytest.mark.parametrize("scene", ["ring", "many laps", "long lines"])
def test_old_block_of_the_ring_never_becomes_a_part_of_a_newer_line(
    scene: str, block: int, examiner: Prepare, losses: Losses
) -> None:
    """It would parse: both are in the middle of a text. Every block is tried, as it was at each earlier moment."""
    recording, examine = examiner(scene)
    found = list(crashes.old_blocks(recording, block))
    losses.add("power-lost-interval", examine.examine_all(found[:: amount(reduced=max(1, len(found) // 150), full=1)]))


def test_old_block_is_found_out_where_no_boot_id_can_be_had(
    examiner: Prepare, monkeypatch: pytest.MonkeyPatch, losses: Losses
) -> None:
    """There the lines of a window may be taken from any place, but not when the one at its place is no whole one."""
    monkeypatch.setattr(system, "boot_id", lambda: bytes(16))
    recording, examine = examiner("many laps")
    found = [replace(crash, boots=0) for crash in crashes.old_blocks(recording, SECTOR)]
    losses.add("power-lost-interval", examine.examine_all(found[:: max(1, len(found) // 150)]))


@every_scene
def test_journal_is_there_under_its_name_once_a_sync_has_returned(scene: str, recorded: Record) -> None:
    """Its directories' names are durable too, whoever made them; nothing but what was synced is kept here."""
    recording = recorded(scene)
    journal = recording.world.relative(recording.run.journal)
    disk = Disk()
    durable = 0
    for operation in recording.operations:
        disk.apply(operation)
        if isinstance(operation, Mark) and operation.what == "durable":
            durable = int(str(operation.value))
        assert not durable or journal in disk.forgetful().names
    assert durable or scene == "saved elsewhere"


def test_directory_made_by_an_opener_that_died_is_made_durable_by_the_next(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds the directories made, but not whether their names were synced."""
    with one_thread(monkeypatch):
        recording = record(short, {}, scratch, monkeypatch)
        examine = Examiner(recording, monkeypatch)
        made = next(n for n, operation in enumerate(recording.operations) if isinstance(operation, SyncDirectory))
        disk = Disk()
        for operation in recording.operations[:made]:
            disk.apply(operation)
        before = Crash("", crashes.Promised([], [], 0, 0), disk)

        def open_and_sync(run: crashes.Run) -> None:
            run.logged.clear()
            run.file("f1")
            run.sync()
            run.die()

        for operation in examine.record_recovery(before, open_and_sync):
            disk.apply(operation)
        assert recording.world.relative(recording.run.journal) in disk.forgetful().names


# The simulation itself


@every_scene
def test_a_scene_is_the_same_each_time(scene: str, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a number and a seed name a crash for good."""
    runs = []
    with one_thread(monkeypatch):
        runs.append(record(*SCENES[scene], scratch / "1", monkeypatch).operations)
    with one_thread(monkeypatch):
        runs.append(record(*SCENES[scene], scratch / "2", monkeypatch).operations)
    assert [_shape(operation) for operation in runs[0]] == [_shape(operation) for operation in runs[1]]


def _shape(operation: object) -> object:
    """An operation without what is the machine's, or a matter of chance: paths and inodes in a queue file's header,
    the number in a temporary name.
    """
    if isinstance(operation, Write) and not operation.data.startswith(b"{"):
        return operation.file, operation.offset, len(operation.data), operation.stored
    return re.sub(r"saving-\w+|\.deia-\w+", "…", repr(operation))


def test_sync_that_does_nothing_is_found_out(
    examiner: Prepare, recorded: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle would notice: with an fsync that does nothing, a loss of power takes what was owed."""
    with monkeypatch.context() as patch:
        patch.setattr(SessionFiles, "sync", lambda files: None)
        recording, examine = examiner("ring")
    with pytest.raises(AssertionError, match="all that was not synced is gone"):
        examine.examine_all(power_losses(recording.operations, []))


def test_commit_before_the_copy_is_found_out(examiner: Prepare) -> None:
    """The oracle would notice: with the two stores of a call in the wrong order, a kill between them shows."""
    recording, examine = examiner("ring")
    operations = recording.operations
    at = next(
        number
        for number, operation in enumerate(operations)
        if isinstance(operation, Write) and operation.stored and operation.offset >= PAGE
    )
    operations[at], operations[at + 1] = operations[at + 1], operations[at]
    with pytest.raises(AssertionError, match=f"killed before operation {at + 1}"):
        examine.examine_all(deaths(operations))


def test_forgetful_disk_keeps_what_was_synced_and_nothing_else() -> None:
    """Content by the file's fsync, names by the directory's, a failed fsync for nothing."""
    disk = Disk()
    for operation in (
        Create("a", 0),
        Write(0, 0, b"one"),
        Sync(0),
        Write(0, 3, b" two"),
        SyncDirectory(""),
        Create("b", 1),
        Write(1, 0, b"x"),
        Sync(1),
        Rename("b", "c"),
    ):
        disk.apply(operation)
    kept = disk.forgetful()
    assert (kept.names, kept.files[0]) == ({"a": 0}, b"one")
    disk.apply(SyncDirectory(""))
    disk.apply(Sync(0, failed=True))
    disk.apply(Write(0, 7, b"!"))
    disk.apply(Sync(0))
    kept = disk.forgetful()
    assert kept.names == {"a": 0, "c": 1}
    assert kept.files[0] == b"one\0\0\0\0!"
    assert disk.after_a_clean_restart().files[0] == b"one two!"


def test_reordering_disk_has_every_outcome_of_a_small_file() -> None:
    """Each page old or new, each size that the file had, NULs where it grew over what had not arrived."""
    disk = Disk()
    disk.apply(Create("a", 0))
    disk.apply(Write(0, 0, b"x" * PAGE))
    disk.apply(Sync(0))
    disk.apply(Write(0, PAGE, b"y" * PAGE))
    disk.apply(Write(0, 2 * PAGE, b"z"))
    disk.apply(Truncate(0, 2 * PAGE))
    found = {bytes(content) for content in disk.outcomes(0, 100)}
    old, new, none = b"x" * PAGE, b"y" * PAGE, bytes(PAGE)
    ends = (b"", b"z", b"\0")
    assert found == {old, *(old + new + end for end in ends), *(old + none + end for end in ends)}
