"""Events of any size, from nothing to 64 MiB, and a kill inside the largest write."""

from __future__ import annotations

import json
import random
import signal
import sys
from pathlib import Path

import pytest

from deia import read_events
from deia.events import ToolEvent
from support.effort import FULL, amount
from support.losses import Losses
from support.processes import run, start
from support.recorder import prove
from support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as these tests use them are POSIX")

MIB = 1 << 20

SIZES = """
import asyncio, json, os, signal, sys, threading
from deia import AsyncSessionLogger, SessionLogger, system
directory, face, writers, sizes, end = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5]
run = os.environ.get("RUN", "0")
make = SessionLogger if face == "sync" else AsyncSessionLogger
logger = make("agent", "s", output_dir=directory, full_timeout_s=60)

def work(writer):
    for number, size in enumerate(sizes):
        logger.log_tool_call(f"{run}/{writer}/{number}", {"pad": "x" * size} if size else {}, size)

async def work_async(writer):
    for number, size in enumerate(sizes):
        await logger.log_tool_call(f"{run}/{writer}/{number}", {"pad": "x" * size} if size else {}, size)

def do(writer):
    work(writer) if face == "sync" else asyncio.run(work_async(writer))

threads = [threading.Thread(target=do, args=(writer,)) for writer in range(1, writers)]
for thread in threads:
    thread.start()
do(0)
for thread in threads:
    thread.join()
if end == "os._exit":
    os._exit(0)
if end != "end":  # the size of one event more, that this process does not outlive
    pwrite = system.pwrite
    def dying_pwrite(fd, data, offset):
        if len(data) > 1 << 20:
            pwrite(fd, memoryview(data)[: len(data) // 2], offset)
            os.kill(os.getpid(), signal.SIGKILL)
        return pwrite(fd, data, offset)
    if os.environ.get("HALF"):
        system.pwrite = dying_pwrite
    print("largest", flush=True)
    sizes = [int(end)]
    run = f"{run}/largest"
    do(0)
    threading.Event().wait()
"""


@pytest.mark.parametrize(("face", "writers"), [("sync", 1), ("sync", 8), ("async", 1), ("async", 8)])
@pytest.mark.parametrize("end", ["end", "os._exit"])
def test_events_of_any_size_are_recorded_whole(
    tmp_path: Path, losses: Losses, face: str, writers: int, end: str
) -> None:
    """From none to 64 MiB, around the sizes of the ring and of a batch; none is cut, and none holds up another's."""
    sizes = [0, 1, 100, 4095, 4096, 65_535, 262_144, MIB - 300, MIB, MIB + 1, 5 * MIB]
    if FULL or (face, writers, end) in (("sync", 1, "end"), ("async", 1, "os._exit")):
        sizes += [64 * MIB, 7]
    run(SIZES, tmp_path / "sessions", face, writers, json.dumps(sizes), end, cwd=tmp_path)
    path = tmp_path / "sessions" / "agent_s.jsonl"
    found: dict[str, list[tuple[int, int]]] = {}
    for event in read_events(path):
        assert isinstance(event, ToolEvent)
        writer = event.name.split("/")[1]
        found.setdefault(writer, []).append((event.duration_ms, len(event.params.get("pad", ""))))
    assert found == {f"{writer}": [(size, size) for size in sizes] for writer in range(writers)}
    owed = {f"0/{writer}": len(sizes) for writer in range(writers)}
    prove(path, owed, losses, "event-sizes", tried=len(sizes) * writers, under_way=0)


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("where", ["half", "anywhere"])
def test_kill_inside_the_largest_write_harms_nothing_else(
    tmp_path: Path, losses: Losses, monkeypatch: pytest.MonkeyPatch, face: str, where: str
) -> None:
    """The call had not returned: what it left is a torn end, which is cut; everything before is there, and what follows
    is recorded.
    """
    chance = random.Random(face)
    path = tmp_path / "sessions" / "agent_s.jsonl"
    if where == "half":
        monkeypatch.setenv("HALF", "1")
    owed: dict[str, int] = {}
    kills = amount(reduced=2, full=25)
    for number in range(kills):
        monkeypatch.setenv("RUN", str(number))
        size = 64 * MIB if FULL else 16 * MIB
        with start(SIZES, tmp_path / "sessions", face, 1, "[0, 10, 1000, 70000]", size, cwd=tmp_path) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"largest\n"
            before = path.stat().st_size  # but for what the queue holds yet
            if where == "anywhere":
                mark = before + chance.randrange(MIB, size - MIB)
                eventually(lambda mark=mark: path.stat().st_size > mark, "the write to get so far")
                child.kill()
        assert child.returncode == -signal.SIGKILL
        if where == "half":
            assert size // 2 - 1000 < path.stat().st_size - before < size // 2 + 100_000
        owed[f"{number}/0"] = 4
        # written in full or not, it may be recovered; it is not owed
    prove(path, owed, losses, "sigkill-in-largest-write", tried=kills, may_tear=True)
