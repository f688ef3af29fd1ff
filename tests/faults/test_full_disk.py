"""A disk that fills and is freed again: a small one, and a limit on the size of files where none can be mounted."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import AsyncSessionLogger, SessionLogger
from deia.bus.opening import RETRY_S
from deia.errors import WriterFailedError
from deia.journal.check import check
from deia.journal.recovery import recover
from support.effort import FULL
from support.losses import Losses
from support.mounts import Filler, small_disk
from support.processes import run
from support.recorder import Recorder, prove, tally
from support.waiting import PATIENCE_S, Worker, eventually

RING_BYTES = 64 * 1024
PAD = {"pad": "x" * 200}

WRITERS = [
    pytest.param("sync", 1, id="sync"),
    pytest.param("sync", 8, id="sync, eight threads"),
    pytest.param("async", 1, id="async"),
    pytest.param("async", 8, id="async, eight loops"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that no test of these fills by what it logs."""
    with small_disk(tmp_path / "disk", size_bytes=64 << 20) as path:
        yield path


class Writers:
    """Threads that log numbered events until they are told to stop, and count the calls that returned."""

    def __init__(self, logger: Any, number: int) -> None:
        self.counts = [0] * number
        self._logger = logger
        self._stopped = threading.Event()
        work = (
            self._write if isinstance(logger, SessionLogger) else lambda writer: asyncio.run(self._write_async(writer))
        )
        self._workers = [Worker(lambda writer=writer: work(writer)) for writer in range(number)]

    def _name(self, writer: int) -> str:
        return f"0/{writer}/{self.counts[writer]}"

    def _write(self, writer: int) -> None:
        while not self._stopped.wait(0.0005):
            self._logger.log_tool_call(self._name(writer), PAD, 0)
            self.counts[writer] += 1

    async def _write_async(self, writer: int) -> None:
        while not self._stopped.is_set():
            await self._logger.log_tool_call(self._name(writer), PAD, 0)
            self.counts[writer] += 1
            await asyncio.sleep(0.0005)

    def owed(self) -> dict[str, int]:
        """Return how many calls of each writer have returned."""
        return {f"0/{writer}": count for writer, count in enumerate(self.counts) if count}

    def stop(self) -> None:
        """End them."""
        self._stopped.set()
        for worker in self._workers:
            worker.finish()


def ask(answer: Any) -> Any:
    """Return what a call answered, awaited where that has to be."""
    return asyncio.run(_await(answer)) if hasattr(answer, "__await__") else answer


async def _await(answer: Any) -> Any:
    return await answer


@pytest.mark.parametrize(("face", "writers"), WRITERS)
def test_full_disk_is_ridden_out_and_told(
    disk: Path, losses: Losses, warnings_logged: list[str], face: str, writers: int
) -> None:
    """What was accepted waits in the ring; `statistics` and `flush` tell; it is written when there is room again."""
    make: Any = SessionLogger if face == "sync" else AsyncSessionLogger
    filler = Filler(disk)
    logger = make("agent", "s", output_dir=disk, queue_bytes=RING_BYTES, full_timeout_s=PATIENCE_S)
    working = Writers(logger, writers)
    for _ in range(3):
        eventually(lambda: sum(working.counts) > 50, "the writers to work")
        filler.fill()
        eventually(lambda: ask(logger.statistics()).error, "the full disk to be met")
        statistics = ask(logger.statistics())
        assert os.strerror(errno.ENOSPC) in statistics.error
        assert (statistics.mode, statistics.pending_bytes > 0) == ("mmap", True)
        with pytest.raises(WriterFailedError) as caught:
            ask(logger.flush())
        assert isinstance(caught.value.__cause__, OSError) and caught.value.__cause__.errno == errno.ENOSPC
        # the ring is full: whoever logs waits
        eventually(lambda: ask(logger.statistics()).pending_bytes > RING_BYTES - 1000, "the ring to fill")
        result = tally(logger.path, working.owed())
        assert (result.missing, result.torn, result.duplicated) == (0, 0, 0)
        at = ask(logger.statistics()).flushed_offset
        filler.free()
        freed = time.monotonic()
        eventually(lambda at=at: ask(logger.statistics()).flushed_offset > at, "the writer to go on by itself")
        if FULL:  # a promise about time is told from the clock only where nothing else runs
            assert time.monotonic() - freed < 1.0
        eventually(lambda: ask(logger.statistics()).error is None, "the error to be forgotten")
    working.stop()
    assert ask(logger.statistics()).dropped == 0
    ask(logger.close())
    assert RETRY_S <= 0.5, "so that it goes on within a second of space returning"
    assert warnings_logged == []
    prove(logger.path, working.owed(), losses, "disk-full", tried=3, under_way=0)


@pytest.mark.parametrize(
    ("face", "writers"), [("sync", 1), ("sync", 8), ("asyncio", 1), ("asyncio", 8), ("trio", 1), ("trio", 8)]
)
def test_process_that_is_killed_on_a_full_disk_loses_nothing(
    disk: Path, losses: Losses, face: str, writers: int
) -> None:
    """What waits in the ring outlives its process; it is recovered when there is room, and not harmed before that."""
    filler = Filler(disk)
    recorder = Recorder(disk, face=face, writers=writers, pause_s=0.0005, options={"queue_bytes": RING_BYTES})
    eventually(lambda: recorder.count() > 100, "the recorder to work")
    filler.fill()
    eventually(lambda: check(recorder.path).waiting_bytes > RING_BYTES * 3 // 4, "the ring to fill")
    recorder.kill()
    for _ in range(2):
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            recover(recorder.path)
        result = tally(recorder.path, recorder.owed())
        assert (result.missing, result.torn, result.duplicated) == (0, 0, 0)
    filler.free()
    prove(recorder.path, recorder.owed(), losses, "disk-full-killed")


def test_session_that_begins_on_a_full_disk_is_recorded_when_there_is_room(
    disk: Path, losses: Losses, warnings_logged: list[str]
) -> None:
    """No file can be made, so it is kept in memory, with one warning; the first room there is takes all of it."""
    filler = Filler(disk)
    filler.fill()
    logger = SessionLogger("agent", "s", output_dir=disk)
    for number in range(50):
        logger.log_tool_call(f"0/0/{number}", PAD, 0)
    assert (logger.statistics().mode, len(warnings_logged)) == ("memory", 1)
    with pytest.raises(WriterFailedError):
        logger.flush()
    filler.free()
    eventually(lambda: logger.statistics().mode == "mmap", "the session to be opened")
    logger.log_tool_call("0/0/50", PAD, 0)
    logger.close()
    prove(logger.path, {"0/0": 51}, losses, "disk-full-at-open", under_way=0)


LIMITED = """
import json, os, resource, signal, sys, threading, time
from deia import SessionLogger
from deia.errors import WriterFailedError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a write beyond the limit fails then, and one across it is short
directory, writers = sys.argv[1], int(sys.argv[2])
logger = SessionLogger("agent", "s", output_dir=directory, queue_bytes=65536, full_timeout_s=20)
counts, stopped = [0] * writers, threading.Event()
def write(writer):
    while not stopped.is_set():
        logger.log_tool_call(f"0/{writer}/{counts[writer]}", {"pad": "x" * 200}, 0)
        counts[writer] += 1
logger.open()  # the ring's file is larger than the first limit
told = 0
threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in range(writers)]
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
limit(100_003)
for thread in threads:
    thread.start()
for size in (200_017, 300_001, hard):
    while logger.statistics().error is None:
        time.sleep(0.001)
    try:
        logger.flush()
    except WriterFailedError as error:
        told += 1
    at = logger.statistics().flushed_offset
    limit(size)
    while logger.statistics().flushed_offset == at:
        time.sleep(0.001)
stopped.set()
for thread in threads:
    thread.join()
assert logger.statistics().dropped == 0
logger.close()
print(json.dumps([counts, told]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this platform has no limit on the size of files")
@pytest.mark.parametrize("writers", [1, 8])
def test_file_that_may_not_grow_is_ridden_out_as_a_full_disk(tmp_path: Path, losses: Losses, writers: int) -> None:
    """Writes across the limit are short, those beyond it fail; when it is raised everything accepted is there."""
    counts, told = json.loads(run(LIMITED, tmp_path / "sessions", writers, cwd=tmp_path))
    assert told == 3
    owed = {f"0/{writer}": count for writer, count in enumerate(counts)}
    prove(tmp_path / "sessions" / "agent_s.jsonl", owed, losses, "file-size-limit", tried=3, under_way=0)
