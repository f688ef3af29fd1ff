"""One measurement in a process of its own: `python -m benchmarks.child JOB`, a JSON object in, one out.

A fresh process has its own heap, its own background and its own luck with memory addresses; measuring again in the same
process would repeat that luck and call it precision.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any, NoReturn

import orjson

from benchmarks.event import TOOL, params
from benchmarks.loops import run_under
from benchmarks.memory import resident
from benchmarks.peers import AwaitedPeer, LeftOutError, Peer, find_peer
from benchmarks.timing import Plan, describe, time_awaited_calls, time_calls, timer_cost_ns

Job = dict[str, Any]


def repetition(job: Job) -> Job:
    """Time one peer's calls: every call on its own, and the whole until all is in its file."""
    kind = find_peer(job["peer"])
    plan = Plan(job["calls"], job["warmup"], job["rate"])
    peer = kind(Path(job["directory"]))
    timer_ns = timer_cost_ns()
    if isinstance(peer, AwaitedPeer):
        measured, samples = run_under(peer.loop, _repeat_awaited, peer, plan)
    else:
        measured, samples = _repeat(peer, plan)
    return {"path": str(peer.path), "timer_ns": timer_ns, **measured, **describe(samples)}


def _repeat(peer: Peer, plan: Plan) -> tuple[Job, array[int]]:
    peer.start()
    for number in range(plan.warmup):
        peer.log_tool_call(TOOL, params(), number)
    peer.flush()  # the background is up, and begins the timed calls with nothing to do
    began = clock()
    samples = time_calls(peer.log_tool_call, plan)
    called = clock()
    peer.flush()
    return {**_whole(plan, began, called), "dropped": peer.close() or 0}, samples


async def _repeat_awaited(peer: AwaitedPeer, plan: Plan) -> tuple[Job, array[int]]:
    await peer.start()
    for number in range(plan.warmup):
        await peer.log_tool_call(TOOL, params(), number)
    await peer.flush()
    began = clock()
    samples = await time_awaited_calls(peer.log_tool_call, plan)
    called = clock()
    await peer.flush()
    return {**_whole(plan, began, called), "dropped": await peer.close()}, samples


def _whole(plan: Plan, began: int, called: int) -> Job:
    """Return how fast the calls came, and how fast all was in its file, as of now; and the memory it took."""
    calls_per_s, events_per_s = (round(plan.calls / (end - began) * 1e9) for end in (called, clock()))
    return {"calls_per_s": calls_per_s, "events_per_s": events_per_s, **resident()}


def first_call(job: Job) -> Job:
    """Time the first call of this process, and the paced calls right after it, while the background starts."""
    plan = Plan(job["calls"], warmup=1, rate=job["rate"])
    peer = find_peer(job["peer"])(Path(job["directory"]))
    if isinstance(peer, AwaitedPeer):
        first_ns, samples = run_under(peer.loop, _first_awaited, peer, plan)
    else:
        before = clock()
        peer.log_tool_call(TOOL, params(), 0)
        first_ns = clock() - before
        samples = time_calls(peer.log_tool_call, plan)
        peer.close()
    return {"path": str(peer.path), "first_ns": first_ns, **describe(samples)}


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


def probe(job: Job) -> Job:
    """Make a few calls of one peer, and tell what one takes; or why there will be none here."""
    try:
        peer = find_peer(job["peer"])(Path(job["directory"]))
        if isinstance(peer, AwaitedPeer):
            measured, _ = run_under(peer.loop, _repeat_awaited, peer, Plan(job["calls"], job["warmup"]))
        else:
            measured, _ = _repeat(peer, Plan(job["calls"], job["warmup"]))
    except ModuleNotFoundError as error:
        return {"left_out": f"{error.name} is not installed"}
    except LeftOutError as error:
        return {"left_out": str(error)}
    return {"path": str(peer.path), **measured}


def analysis(job: Job) -> Job:
    """Analyse a log once, by one of the ways there are."""
    from benchmarks.analysis import measure

    return measure(job)


def bus(job: Job) -> Job:
    """Publish on one event bus, to so many subscribers."""
    from benchmarks import buses

    return buses.measure(job)


def fleet(job: Job) -> Job:
    """Ask, or export, many sessions in one way."""
    from benchmarks.fleet_jobs import measure

    return measure(job)


def calls(job: Job) -> NoReturn:
    """Make the calls of one peer, untimed: somebody counts instructions."""
    kind = find_peer(job["peer"])
    assert issubclass(kind, Peer)
    peer = kind(Path(job["directory"]))
    peer.start()
    peer.log_tool_call(TOOL, params(), 0)
    peer.flush()
    # What is imported with the first event has been now, by whichever thread; and a full collection, which falls to the
    # thread that happens to be at it, has nothing to look at but what the calls below make.
    gc.collect()
    gc.freeze()
    for number in range(job["calls"]):
        peer.log_tool_call(TOOL, params(), number)
    peer.close()
    os._exit(0)  # the interpreter's own end takes the longer, the more the background has come to import by now


def scale(job: Job) -> Job:
    """Do one part of `benchmarks.scale`."""
    from benchmarks import scale_jobs  # it imports Deia, which other jobs do without

    parts = {
        "scale_events": scale_jobs.events,
        "scale_sessions": scale_jobs.sessions,
        "scale_threads": scale_jobs.threads,
        "scale_payload": scale_jobs.payload,
    }
    return parts[job["job"]](job)


_DYING: list[Peer | AwaitedPeer] = []
"""Keeps the peer until the interpreter exits, as an agent's module keeps its logger."""


def death(job: Job) -> Job:
    """Make a peer's calls, and end without closing it: by SIGKILL right after the last one, or as a program ends.

    Where to look for what it left is told beforehand, so that nothing stands between the last call and the end.
    """
    peer = find_peer(job["peer"])(Path(job["directory"]))
    _DYING.append(peer)
    plan = Plan(job["calls"], 0, job["rate"])
    _answer({"path": str(peer.path)})
    if isinstance(peer, AwaitedPeer):
        run_under(peer.loop, _die_awaited, peer, plan, job["kill"])
    else:
        peer.start()
        time_calls(peer.log_tool_call, plan)
        if job["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
    return {}


async def _die_awaited(peer: AwaitedPeer, plan: Plan, kill: bool) -> None:
    await peer.start()
    await time_awaited_calls(peer.log_tool_call, plan)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)


JOBS: dict[str, Callable[[Job], Job]] = {
    "repetition": repetition,
    "first_call": first_call,
    "long_session": long_session,
    "probe": probe,
    "death": death,
    "analysis": analysis,
    "bus": bus,
    "fleet": fleet,
    "calls": calls,
    **dict.fromkeys(("scale_events", "scale_sessions", "scale_threads", "scale_payload"), scale),
}


def _answer(answer: Job) -> None:
    if answer:
        sys.stdout.buffer.write(orjson.dumps(answer))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    request = orjson.loads(sys.argv[1])
    _answer(JOBS[request["job"]](request))
