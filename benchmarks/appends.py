"""`python -m benchmarks appends`: what one append costs, done in each way that the design chose between.

All ways encode the same line; they differ in where it goes. They run in one process, in rounds of shuffled order: the
differences between them are far larger than those between two processes.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import random
import tempfile
import threading
from array import array
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter_ns as clock
from time import time
from typing import Any

import aiofiles
import orjson
from anyio.from_thread import start_blocking_portal

from benchmarks.conditions import conditions
from benchmarks.event import AGENT_ID, SESSION_ID, TOOL, params
from benchmarks.timing import percentile, timer_cost_ns

_RING_BYTES = 1024 * 1024
_COMMITTED_AT = 0
_RING_AT = 4096

Append = Callable[[], object]


def encode() -> bytes:
    """Return the line of a tool call."""
    line = {
        "type": "ToolEvent",
        "name": TOOL,
        "params": params(),
        "duration_ms": 2500,
        "task_id": 1,
        "seq": 1,
        "timestamp": time(),
        "agent_id": AGENT_ID,
        "session_id": SESSION_ID,
        "v": 1,
    }
    return orjson.dumps(line, None, orjson.OPT_APPEND_NEWLINE)


class Ring:
    """A mapped ring that no one drains: only the producer's side of an append."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_RING_AT + _RING_BYTES))
        fd = os.open(path, os.O_RDWR)
        try:
            self.mapping = mmap.mmap(fd, _RING_AT + _RING_BYTES)
        finally:
            os.close(fd)
        self.ring = memoryview(self.mapping)[_RING_AT:]
        self.words = memoryview(self.mapping)[:_RING_AT].cast("Q")
        self.lock = threading.RLock()
        self.end = 0
        self.ring[:] = bytes(_RING_BYTES)  # a page costs microseconds when it is first touched

    def append(self) -> None:
        """Copy and commit, with nothing around it."""
        line = encode()
        at = self.end & (_RING_BYTES - 1)
        after = at + len(line)
        if after > _RING_BYTES:
            at, after = 0, len(line)
        self.ring[at:after] = line
        self.words[_COMMITTED_AT] = self.end = self.end + len(line)

    def append_locked(self) -> None:
        """The same in a lock that a signal handler may take again."""
        line = encode()
        with self.lock:
            at = self.end & (_RING_BYTES - 1)
            after = at + len(line)
            if after > _RING_BYTES:
                at, after = 0, len(line)
            self.ring[at:after] = line
            self.words[_COMMITTED_AT] = self.end = self.end + len(line)

    def close(self) -> None:
        """Unmap the ring."""
        self.ring.release()
        self.words.release()
        self.mapping.close()


@contextmanager
def _ways(directory: Path) -> Iterator[dict[str, Append]]:
    """Yield every way that is a plain call."""
    with ExitStack() as stack:
        ring = stack.enter_context(closing(Ring(directory / "ring")))
        fd = os.open(directory / "written", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        stack.callback(os.close, fd)
        portal = stack.enter_context(start_blocking_portal())

        async def receive(line: bytes) -> None:
            """Do nothing with it: the way there and back is what costs."""

        yield {
            "encoding alone": encode,
            "and a copy into warm mapped pages": ring.append,
            "the same with an RLock": ring.append_locked,
            "and one write": lambda: os.write(fd, encode()),
            "and a call through an anyio portal": lambda: portal.call(receive, encode()),
        }


_AWAITED = "and an awaited aiofiles write"
QUICK = {"rounds": 1, "appends": 200, "crossings": 10}
"""Enough to see that it works."""

_CROSSES = ("and a call through an anyio portal", _AWAITED)


def run(directory: Path, *, rounds: int = 11, appends: int = 20_000, crossings: int = 500) -> dict[str, Any]:
    """Measure every way and return the raw result.

    Args:
        directory: Where files are made, in a directory that goes away again.
        rounds: How often each way has its turn.
        appends: Appends a turn.
        crossings: Appends a turn of the ways that cross a thread: they are a hundred times slower.
    """
    samples: dict[str, list[dict[str, int]]] = {}
    shuffle = random.Random(1).shuffle
    with tempfile.TemporaryDirectory(prefix="deia-benchmark-", dir=directory) as place, _ways(Path(place)) as ways:
        for _ in range(rounds):
            shuffle(order := [*ways, _AWAITED])
            for what in order:
                count = crossings if what in _CROSSES else appends
                if what == _AWAITED:
                    found = asyncio.run(_time_awaited(Path(place) / "awaited", count))
                else:
                    found = _time(ways[what], count)
                samples.setdefault(what, []).append(_describe(found))
        names = [*ways, _AWAITED]
    return {
        "benchmark": "appends",
        "schema": 1,
        **conditions(directory),
        "settings": {"rounds": rounds, "appends": appends, "crossings": crossings},
        "timer_ns": timer_cost_ns(),
        "rows": [
            {
                "what": what,
                "appends": crossings if what in _CROSSES else appends,
                "median_ns": median(turn["median_ns"] for turn in samples[what]),
                "p99_ns": median(turn["p99_ns"] for turn in samples[what]),
                "max_ns": max(turn["max_ns"] for turn in samples[what]),
                "rounds": samples[what],
            }
            for what in names
        ],
    }


def _time(append: Append, count: int) -> array[int]:
    found = array("q", bytes(8 * count))
    for index in range(count):
        before = clock()
        append()
        found[index] = clock() - before
    return found


async def _time_awaited(path: Path, count: int) -> array[int]:
    found = array("q", bytes(8 * count))
    async with aiofiles.open(path, "ab", buffering=0) as file:
        write: Callable[[bytes], Awaitable[object]] = file.write
        for index in range(count):
            before = clock()
            await write(encode())
            found[index] = clock() - before
    return found


def _describe(found: array[int]) -> dict[str, int]:
    ordered = sorted(found)
    return {"median_ns": percentile(ordered, 0.5), "p99_ns": percentile(ordered, 0.99), "max_ns": ordered[-1]}
