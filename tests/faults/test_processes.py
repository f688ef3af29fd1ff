"""Forks, workers and neighbours: each process has sessions of its own, and what it recorded is there."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import AsyncSessionLogger, SessionLogger
from deia.errors import SessionLockedError
from deia.testing.processes import end
from support.effort import amount
from support.losses import Losses
from support.processes import run, start
from support.recorder import Recorder, prove, tally
from support.waiting import Worker, eventually

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

FAMILY = """
import asyncio, itertools, json, multiprocessing, os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: what this is about
from deia import AsyncSessionLogger, SessionLogger

def record(logger, run, writer, calls):
    for number in range(calls):
        logger.log_tool_call(f"{run}/{writer}/{number}", {"pad": "x" * (number % 300)}, number)

async def record_async(logger, run, writer, calls):
    for number in range(calls):
        await logger.log_tool_call(f"{run}/{writer}/{number}", {"pad": "x" * (number % 300)}, number)

def log(logger, run, writer, calls):
    if isinstance(logger, SessionLogger):
        record(logger, run, writer, calls)
    else:
        asyncio.run(record_async(logger, run, writer, calls))

def tell(logger, run, calls):
    os.write(1, json.dumps([str(logger.path), run, calls]).encode() + b"\\n")

def child(logger, number):
    log(logger, f"child{number}", 0, 100)
    tell(logger, f"child{number}/0", 100)
    if number % 3 == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    if number % 3 == 1:
        os._exit(0)

def make(face, directory):
    return (SessionLogger if face == "sync" else AsyncSessionLogger)("agent", "parent", output_dir=directory)
"""

FORK = (
    FAMILY
    + """
directory, face, writers, where, used = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5] == "used"
logger = make(face, directory)
if used:
    log(logger, "before", 0, 50)
stopped, counts = threading.Event(), [0] * writers
def work(writer):
    while not stopped.wait(0.0005):
        log(logger, f"parent/{writer}", counts[writer], 1)
        counts[writer] += 1
threads = [threading.Thread(target=work, args=(writer,)) for writer in range(1, writers)]
for thread in threads:
    thread.start()
def fork(number):
    pid = os.fork()
    if pid == 0:
        child(logger, number)
        sys.stdout.flush()
        os._exit(0) if where == "thread" else sys.exit(0)
    os.waitpid(pid, 0)
for number in range(int(os.environ["FORKS"])):
    if where == "thread":
        thread = threading.Thread(target=fork, args=(number,))
        thread.start()
        thread.join()
    else:
        fork(number)
stopped.set()
for thread in threads:
    thread.join()
log(logger, "after", 0, 50)
tell(logger, "after/0", 50)
if used:
    tell(logger, "before/0", 50)
for writer in range(1, writers):
    for number in range(counts[writer]):
        tell(logger, f"parent/{writer}/{number}", 1)
"""
)


def prove_all(out: str, losses: Losses, row: str, *, tried: int) -> int:
    """Prove each session that a family told of; return how many there were."""
    owed: dict[str, dict[str, int]] = {}
    for line in out.splitlines():
        path, series, calls = json.loads(line)
        owed.setdefault(path, {})[series] = calls
    for number, (path, series) in enumerate(owed.items()):
        prove(Path(path), series, losses, row, tried=tried if number == 0 else 0, under_way=0)
    return len(owed)


@needs_fork
@pytest.mark.parametrize("used", ["used", "unused"])
@pytest.mark.parametrize("where", ["main", "thread"])
@pytest.mark.parametrize(("face", "writers"), [("sync", 1), ("sync", 8), ("async", 1), ("async", 8)])
def test_forked_children_and_their_parent_each_have_every_event(
    tmp_path: Path, losses: Losses, monkeypatch: pytest.MonkeyPatch, where: str, used: str, face: str, writers: int
) -> None:
    """Children that log at once and end in any way, made while the parent's other threads log; also of a logger that
    was not used before the fork.
    """
    forks = amount(reduced=3, full=60)
    monkeypatch.setenv("FORKS", str(forks))
    out = run(FORK, tmp_path / "sessions", face, writers, where, used, cwd=tmp_path)
    assert prove_all(out, losses, "fork", tried=forks) == forks + 1


MULTIPROCESSING = (
    FAMILY
    + """
if __name__ == "__main__":
    directory, face, method = sys.argv[1:4]
    logger = make(face, directory)
    log(logger, "before", 0, 50)
    context = multiprocessing.get_context(method)
    workers = [context.Process(target=child, args=(logger, number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode in (0, -9), worker.exitcode
    log(logger, "after", 0, 50)
    tell(logger, "before/0", 50)
    tell(logger, "after/0", 50)
"""
)


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=needs_fork), "spawn", pytest.param("forkserver", marks=needs_fork)]
)
def test_workers_of_multiprocessing_have_every_event(tmp_path: Path, losses: Losses, method: str, face: str) -> None:
    """Handed to a worker under any start method, a logger records there what the worker logs, however that ends."""
    out = run(MULTIPROCESSING, tmp_path / "sessions", face, method, cwd=tmp_path)
    assert prove_all(out, losses, "multiprocessing", tried=3) == 4


def drop(logger: Any) -> Path:
    """Forget a logger without closing it; return where it recorded."""
    path: Path = logger.path
    del logger
    gc.collect()
    return path


@pytest.mark.parametrize(
    "duplicate",
    [
        pytest.param(lambda logger: pickle.loads(pickle.dumps(logger)), id="pickle"),
        pytest.param(copy.deepcopy, id="deepcopy"),
    ],
)
@pytest.mark.parametrize("writers", [1, 8])
def test_copies_and_dropped_loggers_have_every_event(
    tmp_path: Path, losses: Losses, duplicate: Callable[[Any], Any], writers: int
) -> None:
    """A copy is a session of its own; a logger that is dropped without `close` is drained and closed."""

    def work() -> None:
        original = SessionLogger("agent", output_dir=tmp_path)
        loggers = [original, duplicate(original), duplicate(original)]
        for number in range(100):
            for logger in loggers:
                logger.log_tool_call(f"0/0/{number}", {}, 0)
        paths = [logger.path for logger in loggers]
        assert len(set(paths)) == 3
        del original, loggers, logger
        gc.collect()
        dropped.extend(paths)

    dropped: list[Path] = []
    for worker in [Worker(work) for _ in range(writers)]:
        worker.finish()
    eventually(lambda: not list(tmp_path.glob(".*.queue")), "the dropped loggers to be closed")
    for path in dropped:
        prove(path, {"0/0": 100}, losses, "copies", under_way=0)


@pytest.mark.anyio
async def test_dropped_async_logger_has_every_event(tmp_path: Path, losses: Losses) -> None:
    """Also where its event loop goes on."""
    logger = AsyncSessionLogger("agent", "dropped", output_dir=tmp_path)
    for number in range(100):
        await logger.log_tool_call(f"0/0/{number}", {}, 0)
    path = logger.path
    del logger
    gc.collect()
    eventually(lambda: not list(tmp_path.glob(".*.queue")), "the dropped logger to be closed")
    prove(path, {"0/0": 100}, losses, "copies", under_way=0)


@pytest.mark.parametrize(("face", "writers"), [("sync", 1), ("sync", 8), ("asyncio", 1), ("asyncio", 8)])
def test_second_process_on_a_session_harms_nothing_and_goes_on_when_the_first_is_killed(
    tmp_path: Path, losses: Losses, face: str, writers: int
) -> None:
    """It is refused as long as the first one lives, and records nothing; then it recovers all of it."""
    owed: dict[str, int] = {}
    kills = amount(reduced=2, full=40)
    for number in range(kills):
        recorder = Recorder(tmp_path / "sessions", run=number, face=face, writers=writers, pause_s=0.001)
        eventually(lambda recorder=recorder: recorder.count() > 50, "the recorder to work")
        for _ in range(5):
            with pytest.raises(SessionLockedError):
                SessionLogger("agent", "s", output_dir=tmp_path / "sessions").log_tool_call("refused/0/0", {}, 0)
        recorder.kill()
        owed |= recorder.owed()
        with SessionLogger("agent", "s", output_dir=tmp_path / "sessions") as logger:
            logger.log_tool_call(f"second/{number}/0", {}, 0)
            owed[f"second/{number}"] = 1
        assert tally(recorder.path, owed).missing == 0
    prove(recorder.path, owed, losses, "two-processes", tried=kills)


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
def test_eight_processes_record_in_one_directory(tmp_path: Path, losses: Losses, face: str) -> None:
    """Each is killed at work, at its own time; none touches what is another's."""
    chance = random.Random(face)
    for turn in range(amount(reduced=1, full=10)):
        directory = tmp_path / f"{turn}"
        recorders = [
            Recorder(directory, session_id=f"{number}", face=face, writers=1 + number % 2, pause_s=0.0005)
            for number in range(8)
        ]
        for recorder in recorders:
            recorder.wait_for("begun")
        for recorder in chance.sample(recorders, 8):
            threading.Event().wait(0.02 * chance.random())
            recorder.kill()
        for recorder in recorders:
            prove(recorder.path, recorder.owed(), losses, "eight-processes")
        assert sorted(path.name for path in directory.iterdir()) == [f"agent_{number}.jsonl" for number in range(8)]


OUTLIVED = (
    FAMILY
    + """
logger = make(sys.argv[2], sys.argv[1])
log(logger, "before", 0, 50)
pid = os.fork()
if pid == 0:
    os.write(1, b"child\\n")  # which does nothing with its parent's logger
    threading.Event().wait()
tell(logger, "before/0", 50)
os.waitpid(pid, 0)
"""
)


@needs_fork
@pytest.mark.parametrize("face", ["sync", "async"])
def test_child_that_outlives_its_parent_does_not_hold_the_parents_session(
    tmp_path: Path, losses: Losses, face: str
) -> None:
    """Its copies of the descriptors are closed at the fork, and with them the lock: the session can go on elsewhere."""
    with start(OUTLIVED, tmp_path / "sessions", face, cwd=tmp_path) as parent:
        assert parent.stdout is not None
        assert b"child\n" in {parent.stdout.readline() for _ in range(2)}
        parent.kill()
        parent.wait()
        prove(tmp_path / "sessions" / "agent_parent.jsonl", {"before/0": 50}, losses, "fork", under_way=0)
        end(parent)  # what is left of its family
