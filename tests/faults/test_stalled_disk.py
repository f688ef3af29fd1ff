"""A disk that takes no writes for a while: what a log call does when the queue is full, and what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from deia import SessionLogger, read_events
from deia.events import SessionEvent
from deia.journal.check import check
from deia.testing.tally import Tally
from support.effort import FULL
from support.lines import assert_sound
from support.losses import Losses
from support.processes import run
from support.recorder import name_of
from support.waiting import PATIENCE_S

STALLED = """
import asyncio, json, logging, os, signal, sys, threading, time
from deia import AsyncSessionLogger, QueueFullError, SessionLogger, system
directory, face, when_full, end = sys.argv[1:5]
writers, timeout_s = int(sys.argv[5]), float(sys.argv[6])
logging.disable()
make = SessionLogger if face == "sync" else AsyncSessionLogger
logger = make("agent", "s", output_dir=directory, queue_bytes=65536, when_full=when_full, full_timeout_s=timeout_s)
CALLS = 300 // writers
PAD = {"pad": "x" * 1000}
refused, longest = [0] * writers, [0.0] * writers

def measure(writer, began):
    longest[writer] = max(longest[writer], time.monotonic() - began)

def work(writer):
    for number in range(CALLS):
        began = time.monotonic()
        try:
            logger.log_tool_call(f"0/{writer}/{number}", PAD, 0)
        except QueueFullError:
            refused[writer] += 1
        measure(writer, began)

async def work_async(writer):
    for number in range(CALLS):
        began = time.monotonic()
        try:
            await logger.log_tool_call(f"0/{writer}/{number}", PAD, 0)
        except QueueFullError:
            refused[writer] += 1
        measure(writer, began)

def do(writer):
    work(writer) if face == "sync" else asyncio.run(work_async(writer))

async def statistics():
    found = logger.statistics()
    return found if face == "sync" else await found

if face == "sync":
    logger.open()
else:
    asyncio.run(logger.open())
well, pwrite = threading.Event(), system.pwrite
def stalling_pwrite(fd, data, offset):
    if os.readlink(f"/proc/self/fd/{fd}").endswith(".jsonl"):
        well.wait()
    return pwrite(fd, data, offset)
system.pwrite = stalling_pwrite
threads = [threading.Thread(target=do, args=(writer,)) for writer in range(1, writers)]
for thread in threads:
    thread.start()
do(0)
for thread in threads:
    thread.join()
print(json.dumps([CALLS * writers, sum(refused), asyncio.run(statistics()).dropped, max(longest)]), flush=True)
if end == "SIGKILL":
    os.kill(os.getpid(), signal.SIGKILL)
well.set()
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the journal's descriptor is known by its path")
@pytest.mark.parametrize(("face", "writers"), [("sync", 1), ("sync", 8), ("async", 1), ("async", 8)])
@pytest.mark.parametrize("when_full", ["wait", "drop", "raise"])
@pytest.mark.parametrize("end", ["SIGKILL", "end"])
def test_full_queue_holds_nobody_for_long_and_what_was_dropped_is_told_after_a_kill(
    tmp_path: Path, losses: Losses, when_full: str, face: str, writers: int, end: str
) -> None:
    """The disk takes no byte until the end, or the kill; each call has returned by then: recorded, counted, refused."""
    timeout_s = 0.02 if FULL else 0.003
    arguments = (tmp_path / "sessions", face, when_full, end, writers, timeout_s)
    returncode = 0 if end == "end" else -signal.SIGKILL
    out = run(STALLED, *arguments, cwd=tmp_path, returncode=returncode)
    calls, refused, dropped, longest_s = json.loads(out)
    assert longest_s < (timeout_s + 0.5 if FULL and when_full == "wait" else PATIENCE_S)
    assert (refused > 0, dropped > 0) == (when_full == "raise", when_full != "raise")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    names = [name for event in read_events(path) if (name := name_of(event))]
    report = check(path)
    owed = calls - refused - dropped
    found = Tally(
        tried=1,
        acknowledged=owed,
        found=min(owed, len(set(names))),
        missing=max(0, owed - len(set(names))),
        torn=report.damage_count,
        duplicated=len(names) - len(set(names)),
    )
    losses.add(f"queue-full-{when_full}", found)
    assert (found.missing, found.torn, found.duplicated) == (0, 0, 0)
    assert len(names) == owed, "what was dropped is not there"
    assert report.ok
    assert report.dropped == dropped, "the queue file counted them"
    with SessionLogger("agent", "s", output_dir=path.parent) as logger:
        logger.log_file_read("after")
        assert logger.statistics().dropped == dropped
    told = [event.dropped for event in read_events(path) if isinstance(event, SessionEvent) and event.dropped]
    assert sum(each or 0 for each in told) == dropped
    assert_sound(path)
