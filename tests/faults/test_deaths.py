"""However a process ends, every call that had returned is in the log: shown with real processes that really die."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from support.effort import amount
from support.lines import assert_sound, lines_of
from support.losses import Losses
from support.processes import run
from support.recorder import Owed, Recorder, prove, tally
from support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as these tests use them are POSIX")


def remove_all(directory: Path) -> None:
    """Make room for the next try."""
    shutil.rmtree(directory)


KILLS_A_SESSION = 5
"""How often one session is killed, and goes on, before another one begins."""


@pytest.mark.parametrize(
    ("face", "writers", "options"),
    [
        pytest.param("sync", 1, {}, id="sync"),
        pytest.param("sync", 8, {}, id="sync, eight threads"),
        pytest.param("sync", 8, {"queue_mode": "write"}, id="write mode, eight threads"),
        pytest.param("sync", 1, {"queue_dir": "rings"}, id="ring elsewhere"),
        pytest.param("sync", 1, {"flush_interval_s": 0.001}, id="busy writer"),
        pytest.param("sync", 8, {"sync_policy": "always"}, id="always, eight threads"),
        pytest.param("asyncio", 1, {}, id="asyncio"),
        pytest.param("asyncio", 8, {}, id="asyncio, eight loops"),
        pytest.param("trio", 1, {}, id="trio"),
        pytest.param("trio", 8, {}, id="trio, eight loops"),
    ],
)
def test_killed_session_has_every_acknowledged_event_and_goes_on(
    tmp_path: Path, losses: Losses, face: str, writers: int, options: dict[str, Any]
) -> None:
    """SIGKILL at random instants, the same session opened again after each: nothing acknowledged is ever missing."""
    chance = random.Random(f"{face}{writers}{options}")
    if "queue_dir" in options:
        options = {"queue_dir": str(tmp_path / "rings")}
    options = {"queue_bytes": 65536, **options}
    for session in range(amount(reduced=1, full=20)):
        directory = tmp_path / f"{session}"
        owed: Owed = {}
        for run_number in range(KILLS_A_SESSION):
            recorder = Recorder(directory, run=run_number, face=face, writers=writers, options=options)
            recorder.wait_for("begun")
            # while it opens and recovers, in its first calls, or at work
            threading.Event().wait(chance.choice([0.005, 0.02, 0.15]) * chance.random())
            recorder.kill()
            owed |= recorder.owed()
            result = tally(recorder.path, owed)
            assert (result.missing, result.duplicated) == (0, 0), result
            assert result.torn <= 1, result  # of the call that had not returned: the first of a run writes by itself
        prove(recorder.path, owed, losses, "sigkill", tried=KILLS_A_SESSION, may_tear=True, options=options)
        remove_all(directory)


@pytest.mark.parametrize("face", ["sync", "asyncio", "trio"])
@pytest.mark.parametrize("writers", [1, 8])
def test_session_killed_while_it_is_opened_can_be_opened_again(
    tmp_path: Path, losses: Losses, face: str, writers: int
) -> None:
    """A kill at any instant of the first calls leaves nothing that stands in the way of the next run."""
    owed: Owed = {}
    kills = amount(reduced=4, full=40)
    for number in range(kills):
        recorder = Recorder(tmp_path / "sessions", run=number, face=face, writers=writers)
        recorder.wait_for("begun")
        if number % 2:
            eventually(recorder.owed, "the first call to return")
        recorder.kill()
        owed |= recorder.owed()
        assert tally(recorder.path, owed).missing == 0
    prove(recorder.path, owed, losses, "sigkill-while-opening", tried=kills)
    assert os.listdir(tmp_path / "sessions") == ["agent_s.jsonl"]


WRITERS = [
    pytest.param("sync", 1, id="sync"),
    pytest.param("sync", 8, id="sync, eight threads"),
    pytest.param("asyncio", 1, id="asyncio"),
    pytest.param("asyncio", 8, id="asyncio, eight loops"),
    pytest.param("trio", 1, id="trio"),
    pytest.param("trio", 8, id="trio, eight loops"),
]


@pytest.mark.parametrize(("face", "writers"), WRITERS)
@pytest.mark.parametrize(
    ("row", "death", "returncode"),
    [
        pytest.param("end", "end", 0, id="end of the script"),
        pytest.param("end", "logger dropped", 0, id="logger dropped before"),
        pytest.param("sys-exit", "sys.exit", 3, id="sys.exit"),
        pytest.param("sys-exit", "SIGTERM turned into sys.exit", 7, id="SIGTERM turned into sys.exit"),
        pytest.param("exception", "exception", 1, id="unhandled exception"),
        pytest.param("exception-in-thread", "exception in a thread", 0, id="exception in a thread"),
        pytest.param("sigint", "SIGINT", -signal.SIGINT, id="SIGINT"),
    ],
)
def test_end_without_close_leaves_a_complete_journal(
    tmp_path: Path, losses: Losses, row: str, death: str, returncode: int, face: str, writers: int
) -> None:
    """Whatever runs the interpreter's exit drains the queue: the journal is complete, and the only file."""
    directory = tmp_path / "sessions"
    recorder = Recorder(directory, face=face, writers=writers, events=50, others=50, death=death)
    recorder.wait(returncode)
    names = [line.get("name", line.get("path")) for line in lines_of(recorder.path)]
    assert sorted(names) == sorted(f"0/{writer}/{number}" for writer in range(writers) for number in range(50))
    assert os.listdir(directory) == ["agent_s.jsonl"]
    assert_sound(recorder.path)
    prove(recorder.path, recorder.owed(), losses, row, under_way=0)


@pytest.mark.parametrize(("face", "writers"), WRITERS)
@pytest.mark.parametrize(
    ("row", "death", "returncode"),
    [
        pytest.param("os-exit", "os._exit", 4, id="os._exit"),
        pytest.param("os-abort", "os.abort", -signal.SIGABRT, id="os.abort"),
        pytest.param("sigterm", "SIGTERM", -signal.SIGTERM, id="SIGTERM"),
        pytest.param("sigsegv", "SIGSEGV", -signal.SIGSEGV, id="crash of the interpreter"),
        pytest.param("sigkill", "SIGKILL", -signal.SIGKILL, id="SIGKILL"),
        pytest.param("exec", "exec", 0, id="another program takes over"),
    ],
)
def test_sudden_death_loses_no_call_that_had_returned(
    tmp_path: Path, losses: Losses, row: str, death: str, returncode: int, face: str, writers: int
) -> None:
    """Nothing of ours gets to run, and still every event is there: for our reader at once, for others after a run."""
    recorder = Recorder(tmp_path / "sessions", face=face, writers=writers, events=50, death=death)
    recorder.wait(returncode)
    assert recorder.count() == 50
    prove(recorder.path, recorder.owed(), losses, row)
    names = {line.get("name", line.get("path")) for line in lines_of(recorder.path)}
    assert names >= {f"0/0/{number}" for number in range(50)}


@pytest.mark.parametrize(("face", "writers"), [each for each in WRITERS if "eight" in str(each.id)])
@pytest.mark.parametrize("death", ["end", "sys.exit", "exception"])
def test_threads_that_log_while_the_interpreter_ends_lose_nothing(
    tmp_path: Path, losses: Losses, death: str, face: str, writers: int
) -> None:
    """Daemon threads are stopped wherever they are; every call that had returned in one of them is in the log."""
    for _ in range(amount(reduced=1, full=20)):
        directory = tmp_path / "sessions"
        recorder = Recorder(directory, face=face, writers=writers, events=100, death=death)
        recorder.wait(None)
        assert len(recorder.owed()) == writers
        prove(recorder.path, recorder.owed(), losses, "threads-at-exit")
        remove_all(directory)


def test_thread_that_outlives_the_main_thread_may_log(tmp_path: Path) -> None:
    """The interpreter waits for such a thread before it ends, and so does the last drain."""
    script = """
import sys, threading
from deia import SessionLogger
logger = SessionLogger("agent", "s", output_dir=sys.argv[1])
logger.log_file_read("main")
def work():
    threading.main_thread().join()
    logger.log_file_read("late")
threading.Thread(target=work).start()
"""
    run(script, tmp_path, cwd=tmp_path)
    assert [line["path"] for line in lines_of(tmp_path / "agent_s.jsonl")] == ["main", "late"]
    assert_sound(tmp_path / "agent_s.jsonl")
