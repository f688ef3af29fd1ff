"""A session that cannot go on in its file goes on in another one, and is read as one."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import deia
from deia import AsyncSessionLogger, SessionLogger, analyze_session, read_events, system
from deia.bus.segments import Segments
from deia.errors import SessionLockedError, WriterFailedError
from deia.journal.check import check
from deia.journal.segments import segments_of
from deia.queue.layout import queue_path
from deia.testing.tally import Tally
from support.causes import CAUSES, REASONS
from support.lines import assert_gapless, assert_sound, lines_of, seqs_of
from support.losses import Losses
from support.processes import kill_after, run, start
from support.simulated_disk.scenes import one_thread
from support.waiting import PATIENCE_S, Worker, eventually

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there"),
    pytest.mark.once,
]

PAD = "x" * 600
"""Makes two hundred events more than `max_segment_bytes` of the tests."""


def numbers_of(path: Path) -> list[int]:
    """Return the number that each event of the script carries, in order, as our reader finds them."""
    return [int(event.path.split()[0]) for event in read_events(path) if isinstance(event, deia.FileEvent)]


def in_one_piece(path: Path, directory: Path) -> Path:
    """Write a session's lines, each once, to one file, without our reader."""
    seen: dict[int, bytes] = {}
    parts = [
        path,
        *sorted(path.parent.glob(f"{path.stem}.[0-9]*.jsonl"), key=lambda part: int(part.stem.split(".")[-1])),
    ]
    for part in parts:
        for line in part.read_bytes().splitlines(keepends=True) if part.exists() else ():
            fields = json.loads(line) if line.endswith(b"}\n") else {}
            if "seq" in fields:
                seen.setdefault(fields["seq"], line)
    whole = directory / path.name
    directory.mkdir(exist_ok=True)
    whole.write_bytes(b"".join(seen[seq] for seq in sorted(seen)))
    return whole


SCRIPT = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parents[1])!r}]
import asyncio
from pathlib import Path
from deia import AsyncSessionLogger, SessionLogger
from support.causes import CAUSES, OPTIONS
from support.waiting import eventually
directory, cause, mode, face = sys.argv[1:]
pad = "x" * 600
options = dict(OPTIONS.get(cause, {{}}), queue_mode=mode, output_dir=directory, flush_interval_s=0.02)

def main():
    logger = SessionLogger("agent", "s", **options)
    logger.log_task_start("task")
    for number in range(100):
        logger.log_file_read(f"{{number}} {{pad}}")
    logger.flush()
    CAUSES[cause](logger.path)
    for number in range(100, 200):
        logger.log_file_read(f"{{number}} {{pad}}")
    eventually(lambda: logger.statistics().segment > 1, "the session to go on in another file")
    logger.log_task_complete("task")
    for number in range(200, 210):
        logger.log_file_read(f"{{number}} {{pad}}")
    print("done", flush=True)
    input()

async def amain():
    logger = AsyncSessionLogger("agent", "s", **options)
    await logger.log_task_start("task")
    for number in range(100):
        await logger.log_file_read(f"{{number}} {{pad}}")
    await logger.flush()
    CAUSES[cause](logger.path)
    for number in range(100, 200):
        await logger.log_file_read(f"{{number}} {{pad}}")
    while (await logger.statistics()).segment == 1:
        await asyncio.sleep(0.005)
    await logger.log_task_complete("task")
    for number in range(200, 210):
        await logger.log_file_read(f"{{number}} {{pad}}")
    print("done", flush=True)
    sys.stdin.read()

sys.stdin = open("/dev/zero")
main() if face == "sync" else asyncio.run(amain())
"""


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("mode", ["mmap", "write"])
@pytest.mark.parametrize("cause", CAUSES)
def test_session_goes_on_whatever_happens_to_its_file_and_survives_a_kill_after_that(
    tmp_path: Path, cause: str, mode: str, face: str, losses: Losses
) -> None:
    """Readers given the first file read every event once, before and after recovery; the session can be continued."""
    if cause == "truncated" and mode == "write":
        pytest.skip("without a ring what a file is cut of is gone: see the test of that")
    directory = tmp_path / "sessions"
    path = directory / "agent_s.jsonl"
    with start(SCRIPT, directory, cause, mode, face, cwd=tmp_path) as child:
        kill_after(child, 1)
    owed = list(range(210))
    found = numbers_of(path)
    duplicated = len(found) - len(set(found))
    losses.add("segment-" + cause, Tally(1, len(owed), len(set(found)), len(set(owed) - set(found)), 0, duplicated))
    assert found == owed
    assert_gapless(path)
    report = check(path)
    assert report.ok, report
    assert {segment.reason for segment in report.segments} == {REASONS[cause]}

    with SessionLogger("agent", "s", output_dir=directory, queue_mode=mode) as again:
        again.log_file_read("210")
    assert numbers_of(path) == [*owed, 210]
    assert_gapless(path)
    assert check(path).ok
    assert [event.run for event in read_events(path) if isinstance(event, deia.SessionEvent)] == [2]

    whole = in_one_piece(path, tmp_path / "whole")
    analysis, expected = analyze_session(path), analyze_session(whole)
    assert replace(analysis, damages=[], damage_count=0) == replace(expected, damages=[], damage_count=0)
    assert analysis.tasks_completed == 1 and analysis.open_tasks == []


@pytest.mark.parametrize("cause", CAUSES)
def test_flush_finds_out_and_its_events_are_where_readers_look(tmp_path: Path, cause: str) -> None:
    """Also where everything had been written before, to a file that is gone now."""
    if cause in ("size", "sync-failed"):
        pytest.skip("nothing that a flush looks for")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    logger = SessionLogger("agent", "s", output_dir=path.parent, flush_interval_s=60, sync_policy="never")
    for number in range(100):
        logger.log_file_read(f"{number}")
    logger.flush()
    CAUSES[cause](path)
    logger.flush()
    assert logger.statistics().segment == 2
    assert numbers_of(path) == list(range(100))
    logger.log_file_read("100")
    logger.close()
    assert numbers_of(path) == list(range(101))
    assert check(path).ok
    assert not [name for name in os.listdir(path.parent) if name.startswith(".")], "nothing is left behind"


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_eight_threads_log_while_their_session_goes_on_in_file_after_file(tmp_path: Path, mode: Any) -> None:
    """Each event of each thread is there once, in its thread's order, with a `seq` of its own."""
    logger = SessionLogger(
        "agent", "s", output_dir=tmp_path, queue_mode=mode, max_segment_bytes=64 * 1024, flush_interval_s=0.001
    )
    logged = [0] * 8
    logger.open()

    def log(thread: int) -> None:
        while logger.statistics().segment < 6:
            logger.log_tool_call(f"{thread}", {"number": logged[thread], "pad": PAD[:200]}, 1)
            logged[thread] += 1

    for worker in [Worker(lambda thread=thread: log(thread)) for thread in range(8)]:  # type: ignore[misc]
        worker.finish()
    logger.close(timeout_s=PATIENCE_S)
    numbers: dict[str, list[int]] = {}
    for event in read_events(logger.path):
        assert isinstance(event, deia.ToolEvent)
        numbers.setdefault(event.name, []).append(event.params["number"])
    assert numbers == {f"{thread}": list(range(count)) for thread, count in enumerate(logged)}
    assert_sound(logger.path)


@pytest.mark.parametrize("length", [1, 100_000], ids=["short-lines", "lines-longer-than-what-is-left-over"])
def test_segment_that_is_long_enough_is_left_though_threads_never_stop_logging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """Each write, to it or to the next one, is overtaken by one more line; after a while that is enough."""
    time_s, write_s, most = 0.0, 0.01, 100
    logged = passes = 0
    real, copy = system.pwrite, Segments._copy

    def slow_pwrite(*arguments: Any) -> int:
        nonlocal time_s, logged
        written = real(*arguments)
        time_s += write_s
        is_held_up = logger._session.segments.next is not None  # in the last moment of the switch
        is_of_lines = bytes(arguments[1][:1]) == b"{"
        if is_of_lines and logger.statistics().segment == 1 and not is_held_up and logged < most:
            Worker(lambda: logger.log_file_read(f"{logged:0{length}}")).finish()
            logged += 1
        return written

    def counted_copy(segments: Segments, *arguments: Any) -> None:
        nonlocal passes
        passes += segments.next is None
        copy(segments, *arguments)

    with one_thread(monkeypatch), monkeypatch.context() as patch:
        patch.setattr(system, "monotonic", lambda: time_s)
        logger = SessionLogger(
            "agent", "s", output_dir=tmp_path, max_segment_bytes=64 * 1024, queue_bytes=16 << 20, sync_policy="never"
        )
        for _ in range(100):
            logger.log_file_read(PAD)
        patch.setattr(system, "pwrite", slow_pwrite)
        patch.setattr(Segments, "_copy", counted_copy)
        logger._session.drain()
        assert logger.statistics().segment == 2
        assert 0 < logged < most, "it was left once nobody logged any more"
        assert passes <= 2, "a third one would have left no less to copy while calls are held up"
        logger.close()
    assert [event.path for event in read_events(logger.path) if isinstance(event, deia.FileEvent)] == [
        *[PAD] * 100,
        *(f"{number:0{length}}" for number in range(logged)),
    ]
    assert_sound(logger.path)


def test_threads_log_while_the_journal_is_deleted_again_and_again(tmp_path: Path) -> None:
    """What a call had acknowledged is in the new file, though it was on its way to the old one."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=0.001, queue_bytes=64 * 1024)
    stop = threading.Event()
    logged = [0] * 4

    def log(thread: int) -> None:
        while not stop.is_set():
            logger.log_tool_call(f"{thread}", {"number": logged[thread]}, 1)
            logged[thread] += 1

    workers = [Worker(lambda thread=thread: log(thread)) for thread in range(4)]  # type: ignore[misc]
    for number in range(2, 8):
        eventually(lambda: logger.statistics().flushed_offset, "the session to be written")
        segments_of(logger.path)[-1].path.unlink()
        eventually(lambda number=number: logger.statistics().segment >= number, "the session to go on")  # type: ignore[misc]
    stop.set()
    for worker in workers:
        worker.finish()
    logger.close()
    assert logger.statistics().dropped == 0
    numbers: dict[str, list[int]] = {}
    for event in read_events(logger.path):
        assert isinstance(event, deia.ToolEvent)
        numbers.setdefault(event.name, []).append(event.params["number"])
    assert numbers == {f"{thread}": list(range(count)) for thread, count in enumerate(logged)}
    assert_sound(logger.path)


def test_reading_while_the_session_goes_on_in_file_after_file_shows_each_event_once(tmp_path: Path) -> None:
    """A reader that is overtaken by switches sees all that was logged before it began, in order, and nothing twice."""
    logger = SessionLogger(
        "agent", "s", output_dir=tmp_path, max_segment_bytes=64 * 1024, flush_interval_s=0.001, sync_policy="never"
    )
    stop = threading.Event()

    def log() -> None:
        while not stop.is_set() and logger.statistics().segment < 40:
            logger.log_file_read(PAD)

    logger.log_file_read("first")
    worker = Worker(log)
    try:
        while worker.is_alive():
            before = logger.statistics().logged
            seqs = seqs_of(logger.path)
            assert seqs == list(range(1, len(seqs) + 1))
            assert len(seqs) >= before
            assert check(logger.path).ok
    finally:
        stop.set()
        worker.finish()
    logger.close()
    assert_sound(logger.path)


def test_second_logger_is_locked_out_whichever_segment_is_written(tmp_path: Path) -> None:
    """The lock is the session's, not a file's."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    for number in range(3):
        logger.log_file_read(f"{number}")
        segments = segments_of(logger.path)
        if segments:
            segments[-1].path.unlink()
            logger.flush()
        with pytest.raises(SessionLockedError):
            SessionLogger("agent", "s", output_dir=tmp_path).open()
    assert logger.statistics().segment > 2
    logger.close()
    assert_sound(logger.path)


def test_session_that_another_logger_took_over_waits_and_hides_nothing_of_it(tmp_path: Path) -> None:
    """Whose directory was removed, and made again by another logger of the session, keeps its events in its queue.

    Also when that one is closed; and they can be saved to another directory.
    """
    directory = tmp_path / "sessions"
    first = SessionLogger("agent", "s", output_dir=directory, flush_interval_s=60, sync_policy="never")
    first.log_file_read("first")
    first.flush()
    shutil.rmtree(directory)
    second = SessionLogger("agent", "s", output_dir=directory)
    second.log_file_read("second")
    first.log_file_read("waits")
    with pytest.raises(WriterFailedError):
        first.flush()
    second.close()
    with pytest.raises(WriterFailedError):
        first.flush()
    assert first.statistics().pending_bytes > 0
    assert [line["path"] for line in lines_of(second.path)] == ["second"]
    assert_sound(second.path)
    saved = first.save_session(tmp_path / "saved")
    assert [event.path for event in read_events(saved) if isinstance(event, deia.FileEvent)] == ["first", "waits"]
    first.close()
    assert_sound(saved)


def test_failed_fsync_is_told_once_and_made_good_in_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings_logged: list[str]
) -> None:
    """The `sync` that met it returns once the events are in the next segment, synced, with word of what is in doubt."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_interval_s=60)
    logger.log_file_read("durable")
    durable = logger.sync()
    logger.log_file_read("in doubt")
    monkeypatch.setattr(system, "sync", system.sync)
    CAUSES["sync-failed"](logger.path)
    end = logger.sync()
    statistics = logger.statistics()
    assert statistics.error is None and statistics.durable_offset >= end and statistics.segment == 2
    first, second = lines_of(logger.path), lines_of(tmp_path / "agent_s.2.jsonl")
    assert [line["path"] for line in first] == ["durable", "in doubt"]
    assert [line.get("path") for line in second] == [None, "in doubt"]
    told = second[0]
    assert (told["reason"], told["after_seq"], told["offset"]) == ("sync-failed", 1, durable)
    assert told["unsynced_bytes"] == logger.path.stat().st_size - durable
    logger.close()
    eventually(lambda: bool(warnings_logged), "the thread that met the failure to say so")
    assert len(warnings_logged) == 1 and "agent_s.2.jsonl" in warnings_logged[0]
    assert_sound(logger.path)


@pytest.mark.anyio
async def test_every_awaited_call_is_durable_though_an_fsync_failed_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: Any
) -> None:
    """Under `sync_policy="always"` a call that met the failure returns once the next segment has its event, synced."""
    logger = AsyncSessionLogger("agent", "s", output_dir=tmp_path, sync_policy="always")
    monkeypatch.setattr(system, "sync", system.sync)
    for number in range(6):
        if number % 2:
            CAUSES["sync-failed"](logger.path)
        await logger.log_file_read(f"{number}")
        statistics = await logger.statistics()
        assert statistics.durable_offset == statistics.end_offset
        assert statistics.dropped == 0
    await logger.close()
    assert numbers_of(logger.path) == list(range(6))
    assert len(segments_of(logger.path)) == 4
    assert_sound(logger.path)


def test_disk_that_syncs_no_more_is_given_no_segment_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment counts only once an fsync of it has succeeded; until then the session goes on in the old one."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=0.01, sync_interval_s=0.01)

    def fail(fd: int) -> None:
        raise OSError(5, "the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(system, "sync", fail)
        for number in range(50):
            logger.log_file_read(f"{number}")
        eventually(lambda: logger.statistics().error, "the failure to be noticed")
        for number in range(50, 100):
            logger.log_file_read(f"{number}")
        eventually(lambda: logger.statistics().pending_bytes == 0, "the writer to go on all the same")
        for _ in range(2):
            with pytest.raises(WriterFailedError):
                logger.sync()
        assert segments_of(logger.path)[-1].number == 1
    logger.sync()
    assert logger.statistics().segment == 2
    logger.close()
    assert numbers_of(logger.path) == list(range(100))
    assert_sound(logger.path)


def test_saved_copy_of_a_session_in_segments_is_one_file(tmp_path: Path) -> None:
    """Whoever knows nothing of segments gets the session as if it had been recorded in one piece."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions", queue_bytes=64 * 1024)
    for number in range(300):
        logger.log_file_read(f"{number}")
        if number in (100, 200):
            logger.flush()
            segments_of(logger.path)[-1].path.unlink() if number == 100 else queue_path(logger.path).unlink()
            logger.flush()
    assert logger.statistics().segment == 3
    copy = logger.save_session(tmp_path / "copies")
    lines = lines_of(copy)
    assert [line["path"] for line in lines] == [f"{number}" for number in range(300)]
    assert [line["seq"] for line in lines] == list(range(1, 301))
    assert os.listdir(copy.parent) == [copy.name]
    assert [event.path for event in logger.events if isinstance(event, deia.FileEvent)] == [
        line["path"] for line in lines
    ]
    logger.close()
    assert_sound(copy)
    assert_sound(logger.path)


def test_line_that_somebody_wrote_over_does_not_keep_the_session_in_a_file_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which event comes first in the next file is told by the lines after it."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write", sync_policy="never")
    logger.log_file_read("0")
    logger.sync()
    start = logger.path.stat().st_size
    for number in range(1, 4):
        logger.log_file_read(f"{number}")
    with logger.path.open("r+b") as file:
        file.seek(start)
        file.write(b"?" * 20)

    def fail_once(fd: int) -> None:
        monkeypatch.setattr(system, "sync", sync)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sync = system.sync
    monkeypatch.setattr(system, "sync", fail_once)
    logger.sync()
    assert logger.statistics().segment == 2
    logger.log_file_read("4")
    logger.close()
    assert numbers_of(logger.path) == [0, 2, 3, 4]
    assert [damage.kind for damage in check(logger.path).damages] == ["unreadable"]


def test_truncated_file_without_a_ring_is_reported_with_what_is_missing(tmp_path: Path) -> None:
    """In mode `write` nothing else holds what the file was cut of; the loss is told, and nothing after it is lost."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_mode="write")
    for number in range(100):
        logger.log_file_read(f"{number}")
    logger.flush()
    os.truncate(logger.path, 1000)
    for number in range(100, 110):
        logger.log_file_read(f"{number}")
    logger.close()
    found = numbers_of(logger.path)
    kept = found.index(100)
    assert found == [*range(kept), *range(100, 110)]
    report = check(logger.path)
    assert not report.ok
    assert report.damage_counts["gap"] == 1 and "unreadable" not in report.damage_counts
    (segment,) = report.segments
    assert segment.lost_bytes > 0


def test_truncated_file_is_made_good_from_the_ring_as_far_as_that_goes(tmp_path: Path) -> None:
    """What neither the file nor the ring has any more is one gap; no line is half."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=64 * 1024, flush_interval_s=0.001)
    for number in range(1000):
        logger.log_file_read(f"{number} {PAD}")
    logger.flush()
    os.truncate(logger.path, 100_000)
    logger.flush()
    logger.log_file_read("1000")
    logger.close()
    found = numbers_of(logger.path)
    report = check(logger.path)
    assert (
        report.damage_counts.keys() <= {"torn", "gap"} and report.damage_counts["gap"] == 1
    )  # it may end at a newline
    assert found[-1] == 1000 and found == sorted(set(found))
    assert 1001 - len(found) < 1000 - (64 * 1024) // 900, "the ring's content is there"


def test_flush_is_served_where_the_background_goes_on_by_itself_in_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at a truncated file and the wait for another one, that is: it is there, and nobody waits."""
    looked = Segments.is_displaced.fget
    assert looked is not None

    def look(segments: Segments) -> bool:
        is_displaced: bool = looked(segments)
        segments.go_on(urgent=True)
        return is_displaced

    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    logger.log_file_read("1")
    logger.flush()
    os.truncate(logger.path, 10)
    with monkeypatch.context() as patch:
        patch.setattr(Segments, "is_displaced", property(look))
        logger.flush()
    logger.log_file_read("2")
    logger.close()
    assert numbers_of(logger.path) == [1, 2]


def test_idle_session_whose_directory_was_removed_is_not_made_again_at_exit(tmp_path: Path) -> None:
    """Whoever removes a finished test's directory does not find it again."""
    script = """
import shutil, sys
from deia import SessionLogger
logger = SessionLogger("agent", "s", output_dir=sys.argv[1])
logger.log_file_read("a")
logger.sync()
shutil.rmtree(sys.argv[1])
"""
    run(script, tmp_path / "sessions", cwd=tmp_path)
    assert not (tmp_path / "sessions").exists()


def test_ring_elsewhere_goes_along_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    """With `queue_dir` each segment has a ring of its own there, and the ones before are removed."""
    rings = tmp_path / "rings"
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions", queue_dir=rings)
    for number in range(4):
        logger.log_file_read(f"{number}")
        logger.flush()
        segments_of(logger.path)[-1].path.unlink()
        logger.flush()
        assert len(os.listdir(rings)) <= 1 + 1
    logger.close()
    assert os.listdir(rings) == []
    assert numbers_of(logger.path) == list(range(4))
    assert_sound(logger.path)


def test_name_that_another_session_has_is_left_alone(tmp_path: Path) -> None:
    """A session called `s.2` has the name of the second segment of `s`: that one takes the next number."""
    other = SessionLogger("agent", "s.2", output_dir=tmp_path)
    other.log_file_read("other")
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    logger.log_file_read("0")
    logger.path.unlink()
    logger.flush()
    assert logger.statistics().segment == 3
    other.close()
    logger.close()
    assert [line["path"] for line in lines_of(other.path)] == ["other"]
    assert numbers_of(logger.path) == [0]
    for path in (other.path, logger.path):
        assert_sound(path)


def test_line_longer_than_the_ring_goes_to_the_segment_that_can_be_found(tmp_path: Path) -> None:
    """Its caller writes it directly, and looks where to."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=64 * 1024, flush_interval_s=0.01)
    logger.log_file_read("0")
    logger.flush()
    logger.log_file_read("1" + " " + "x" * 200_000)
    logger.path.unlink()
    logger.flush()
    logger.log_file_read("2" + " " + "x" * 200_000)
    segments_of(logger.path)[-1].path.unlink()
    logger.log_file_read("3" + " " + "x" * 200_000)
    logger.close()
    assert numbers_of(logger.path) == [0, 1, 2, 3]
    assert_sound(logger.path)
