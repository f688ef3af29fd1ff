"""The agent's event loops come and go, and hang: recording does not depend on them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import SessionLogger
from deia.testing.tally import compare
from support.lines import assert_sound, lines_of
from support.losses import Losses
from support.processes import kill_after, run, start
from support.recorder import prove

LOOPS = """
import asyncio, itertools, os, sys, threading
import trio
from deia import AsyncSessionLogger
directory, writers, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
logger = AsyncSessionLogger("agent", "s", output_dir=directory, queue_bytes=65536)
done = [0] * writers

async def log(writer, calls):
    for _ in range(calls):
        await logger.log_tool_call(f"0/{writer}/{done[writer]}", {"pad": "x" * 500}, 0)
        done[writer] += 1

async def log_and_hang(writer):
    await log(writer, 20)
    hanging.release()
    threading.Event().wait()  # blocks its loop for ever

async def leave_a_task(writer):
    task = asyncio.ensure_future(asyncio.sleep(3600))
    await log(writer, 20)
    assert not task.done()  # the loop is closed over it

async def fail(writer):
    await log(writer, 20)
    raise RuntimeError("the loop ends by this")

def write(writer):
    for turn in range(6):
        asyncio.run(log(writer, 20))
        trio.run(log, writer, 20)
        asyncio.run(leave_a_task(writer))
        try:
            asyncio.run(fail(writer))
        except RuntimeError:
            pass
        loop = asyncio.new_event_loop()
        loop.run_until_complete(log(writer, 20))
        loop.close()
    if end == "hang":
        asyncio.run(log_and_hang(writer))

hanging = threading.Semaphore(0)
threads = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in range(writers)]
for thread in threads:
    thread.start()
for thread in threads:
    hanging.acquire() if end == "hang" else thread.join()
# every loop is closed or hangs by now; what was logged reaches the journal without any of them
print(*done, flush=True)
if end == "hang":
    os._exit(0)
"""


@pytest.mark.parametrize("writers", [1, 8])
@pytest.mark.parametrize("end", ["end", "hang"])
def test_one_logger_is_used_from_loops_that_are_closed_replaced_and_blocked(
    tmp_path: Path, losses: Losses, writers: int, end: str
) -> None:
    """One logger under dozens of event loops, of asyncio and of trio, some at once: what returned is there."""
    directory = tmp_path / "sessions"
    numbers = run(LOOPS, directory, writers, end, cwd=tmp_path).split()
    assert numbers == [str(6 * 5 * 20 + 20 * (end == "hang"))] * writers
    owed = {f"0/{writer}": int(number) for writer, number in enumerate(numbers)}
    if end == "end":
        assert os.listdir(directory) == ["agent_s.jsonl"]
    prove(directory / "agent_s.jsonl", owed, losses, "event-loops", tried=30 * writers, under_way=0)


def test_agents_hung_loop_can_be_killed_without_loss(tmp_path: Path, losses: Losses) -> None:
    """The agent's loop hangs in a synchronous call for ever; what it had logged reaches the journal without it."""
    script = """
import asyncio, os, sys, threading
from deia import AsyncSessionLogger
logger = AsyncSessionLogger("agent", "s", output_dir=sys.argv[1])
async def agent():
    for number in range(50):
        await logger.log_file_read(f"{number}")
    hanging.set()
    threading.Event().wait()
hanging = threading.Event()
threading.Thread(target=asyncio.run, args=(agent(),), daemon=True).start()
hanging.wait()
asyncio.run(logger.flush())
os.write(1, b"flushed\\n")
threading.Event().wait()
"""
    assert kill_after(start(script, tmp_path, cwd=tmp_path), 1) == ["flushed"]
    path = tmp_path / "agent_s.jsonl"
    expected = [f"{number}" for number in range(50)]
    found = [line["path"] for line in lines_of(path)]
    losses.add("event-loops", compare(expected, found))
    assert found == expected
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        logger.log_file_read("next")
    assert_sound(path)


def test_process_with_a_hung_loop_still_ends(tmp_path: Path) -> None:
    """Neither the background loop nor its threads keep an interpreter from ending, nor do the agent's own."""
    script = """
import asyncio, sys, threading
from deia import AsyncSessionLogger, SessionLogger
loggers = [SessionLogger("agent", f"{number}", output_dir=sys.argv[1]) for number in range(20)]
hanging = threading.Event()
asynchronous = AsyncSessionLogger("agent", "s", output_dir=sys.argv[1])
async def agent():
    await asynchronous.log_file_read("a")
    hanging.set()
    threading.Event().wait()
threading.Thread(target=asyncio.run, args=(agent(),), daemon=True).start()
hanging.wait()
for logger in loggers:
    logger.log_file_read("a")
"""
    run(script, tmp_path, cwd=tmp_path)
    journals = sorted(tmp_path.glob("*.jsonl"))
    assert len(journals) == 21
    assert [len(lines_of(path)) for path in journals] == [1] * 21
    assert sorted(file.name for file in tmp_path.iterdir() if file.suffix != ".jsonl") == ["script.py"]
