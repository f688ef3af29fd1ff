"""Hundreds of sessions in one process, within the descriptors that it has."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.effort import FULL
from support.losses import Losses
from support.processes import run
from support.recorder import prove, tally

pytest.importorskip("resource", reason="this platform has no limit on descriptors")

MANY = """
import asyncio, json, os, resource, sys, threading
directory, face, loggers, descriptors, writers, ring, death = *sys.argv[1:3], *map(int, sys.argv[3:7]), sys.argv[7]
_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))
from deia import AsyncSessionLogger, SessionLogger
make = SessionLogger if face == "sync" else AsyncSessionLogger
sessions = [make("agent", f"{number}", output_dir=directory, queue_bytes=ring) for number in range(loggers)]
EVENTS = 5

def work(writer):
    for number in range(EVENTS):
        for logger in sessions:
            logger.log_tool_call(f"0/{writer}/{number}", {}, number)

async def work_async(writer):
    for number in range(EVENTS):
        for logger in sessions:
            await logger.log_tool_call(f"0/{writer}/{number}", {}, number)

def do(writer):
    work(writer) if face == "sync" else asyncio.run(work_async(writer))

threads = [threading.Thread(target=do, args=(writer,)) for writer in range(1, writers)]
for thread in threads:
    thread.start()
do(0)
for thread in threads:
    thread.join()
async def tell():
    for logger in sessions:
        statistics = logger.statistics()
        modes.add((statistics if face == "sync" else await statistics).mode)

modes = set()
asyncio.run(tell())
held = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
print(json.dumps([sorted(modes), held]), flush=True)
if death == "os._exit":
    os._exit(0)
"""


@pytest.mark.parametrize(("face", "writers"), [("sync", 1), ("sync", 8), ("async", 1), ("async", 8)])
@pytest.mark.parametrize("death", ["end", "os._exit"])
@pytest.mark.parametrize(("loggers", "descriptors"), [(400, 1024), (1000, 4096)])
def test_many_loggers_are_active_at_once(
    tmp_path: Path, losses: Losses, loggers: int, descriptors: int, death: str, face: str, writers: int
) -> None:
    """Each has its ring: none is turned away, or kept in memory, for want of a descriptor; and each is complete."""
    if not FULL and (face, writers) != (("sync", 8) if death == "end" else ("async", 1)):
        pytest.skip("in the full run")
    ring_bytes = 1 << 20 if FULL else 1 << 16
    arguments = (face, loggers, descriptors, writers, ring_bytes, death)
    modes, held = json.loads(run(MANY, tmp_path / "sessions", *arguments, cwd=tmp_path))
    assert modes == ["mmap"]
    if held is not None:
        assert held < 2 * loggers + 50
    paths = [tmp_path / "sessions" / f"agent_{number}.jsonl" for number in range(loggers)]
    owed = {f"0/{writer}": 5 for writer in range(writers)}
    for number, path in enumerate(paths):
        if number % 20:
            losses.add(f"loggers-{loggers}", tally(path, owed, tried=0, under_way=0))
        else:
            prove(path, owed, losses, f"loggers-{loggers}", tried=number == 0, under_way=0)
    if death == "end":
        assert len(os.listdir(tmp_path / "sessions")) == loggers
