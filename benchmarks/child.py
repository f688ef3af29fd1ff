"""One measurement in a process of its own: `python -m benchmarks.child JOB`, a JSON object in, one out.

A fresh process has its own heap, its own background and its own luck with memory addresses; measuring again in the same
process would repeat that luck and call it precision.
"""

from __future__ import annotations

import asyncio
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any

import orjson

from benchmarks.event import TOOL, params
from benchmarks.peers import AwaitedPeer, Peer, find_peer
from benchmarks.timing import Plan, describe, time_awaited_calls, time_calls, timer_cost_ns

Job = dict[str, Any]


def repetition(job: Job) -> Job:
    """Time one peer's calls: every call on its own, and the whole until all is in its file."""
    kind = find_peer(job["peer"])
    plan = Plan(job["calls"], job["warmup"], job["rate"])
    peer = kind(Path(job["directory"]))
    timer_ns = timer_cost_ns()
    if isinstance(peer, AwaitedPeer):
        samples, elapsed_ns, dropped = asyncio.run(_repeat_awaited(peer, plan))
    else:
        samples, elapsed_ns, dropped = _repeat(peer, plan)
    return {
        "path": str(peer.path),
        "has_seq": peer.has_seq,
        "durability": peer.durability,
        "timer_ns": timer_ns,
        "dropped": dropped,
        "events_per_s": round(plan.calls / elapsed_ns * 1e9),
        **describe(samples),
    }


def _repeat(peer: Peer, plan: Plan) -> tuple[array[int], int, int]:
    peer.start()
    for number in range(plan.warmup):
        peer.log_tool_call(TOOL, params(), number)
    peer.flush()  # the background is up, and begins the timed calls with nothing to do
    began = clock()
    samples = time_calls(peer.log_tool_call, plan)
    peer.flush()
    elapsed_ns = clock() - began
    return samples, elapsed_ns, peer.close()


async def _repeat_awaited(peer: AwaitedPeer, plan: Plan) -> tuple[array[int], int, int]:
    await peer.start()
    for number in range(plan.warmup):
        await peer.log_tool_call(TOOL, params(), number)
    await peer.flush()
    began = clock()
    samples = await time_awaited_calls(peer.log_tool_call, plan)
    await peer.flush()
    elapsed_ns = clock() - began
    return samples, elapsed_ns, await peer.close()


def first_call(job: Job) -> Job:
    """Time the first call of this process, and the paced calls right after it, while the background starts."""
    plan = Plan(job["calls"], warmup=1, rate=job["rate"])
    peer = find_peer(job["peer"])(Path(job["directory"]))
    if isinstance(peer, AwaitedPeer):
        first_ns, samples = asyncio.run(_first_awaited(peer, plan))
    else:
        before = clock()
        peer.log_tool_call(TOOL, params(), 0)
        first_ns = clock() - before
        samples = time_calls(peer.log_tool_call, plan)
        peer.close()
    return {"path": str(peer.path), "has_seq": peer.has_seq, "first_ns": first_ns, **describe(samples)}


async def _first_awaited(peer: AwaitedPeer, plan: Plan) -> tuple[int, array[int]]:
    before = clock()
    await peer.log_tool_call(TOOL, params(), 0)
    first_ns = clock() - before
    samples = await time_awaited_calls(peer.log_tool_call, plan)
    await peer.close()
    return first_ns, samples


def long_session(job: Job) -> Job:
    """Grow one session, and look at it at several sizes."""
    from benchmarks.session_length import grow  # it imports Deia, which other jobs do without

    return grow(Path(job["directory"]), job["sizes"], job["looks"], job["copies"])


JOBS: dict[str, Callable[[Job], Job]] = {
    "repetition": repetition,
    "first_call": first_call,
    "long_session": long_session,
}


if __name__ == "__main__":
    request = orjson.loads(sys.argv[1])
    sys.stdout.buffer.write(orjson.dumps(JOBS[request["job"]](request)))
