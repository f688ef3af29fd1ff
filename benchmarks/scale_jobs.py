"""What `python -m benchmarks scale` does in its processes: one kind of work each, as much of it as the job says."""

from __future__ import annotations

import os
import random
import threading
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any

import orjson

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, TOOL, Params, params
from benchmarks.memory import resident
from benchmarks.peers import Log, Peer, find_peer
from benchmarks.timing import Plan, describe, percentile, time_calls
from deia import SessionLogger

Job = dict[str, Any]

_TIMEOUT_S = 300.0
"""A slow disk is a slow result, not a failed run."""

_WORDS = (
    *("the", "agent", "reads", "a", "file", "and", "finds", "that", "its", "tests", "fail", "because"),
    *("fixture", "was", "renamed", "in", "last", "change"),
)

_BELOW_THE_CLOCK = 250
"""Calls between two looks at the clock where single calls are not of interest."""


def events(job: Job) -> Job:
    """Log one long session in blocks: what a call costs in each, and what memory the process has after it."""
    logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=job["directory"])
    logger.log_task_start(TASK, {})
    block = job["events"] // job["blocks"]
    blocks = []
    for first in range(0, job["events"], block):
        samples = array("q")
        for begin in range(first, first + block, _BELOW_THE_CLOCK):
            before = clock()
            for number in range(begin, min(begin + _BELOW_THE_CLOCK, first + block)):
                logger.log_tool_call(TOOL, params(), number)
            samples.append((clock() - before) // _BELOW_THE_CLOCK)
        blocks.append(
            {"median_ns": percentile(sorted(samples), 0.5), "mean_ns": sum(samples) // len(samples), **resident()}
        )
    logger.sync(timeout_s=_TIMEOUT_S)
    logger.close(timeout_s=_TIMEOUT_S)
    return {"path": str(logger.path), "blocks": blocks}


def sessions(job: Job) -> Job:
    """Log to many sessions at once, one call to each in turn."""
    _allow_files(4_096)
    loggers = [SessionLogger(AGENT_ID, f"s{number}", output_dir=job["directory"]) for number in range(job["sessions"])]
    before = resident()
    for logger in loggers:
        logger.log_task_start(TASK, {})
    rounds = job["calls"] // len(loggers)
    samples = array("q")
    began = clock()
    for number in range(rounds):
        for logger in loggers:
            arguments = params()
            called = clock()
            logger.log_tool_call(TOOL, arguments, number)
            samples.append(clock() - called)
    for logger in loggers:
        logger.flush(timeout_s=_TIMEOUT_S)
    took = clock() - began
    found = {
        "events_per_s": round(rounds * len(loggers) / took * 1e9),
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None,
        "before": before,
        "after": resident(),
    }
    for logger in loggers:
        logger.close(timeout_s=_TIMEOUT_S)
    return {"paths": [str(logger.path) for logger in loggers], "calls_each": rounds, **found, **describe(samples)}


def _allow_files(count: int) -> None:
    """Let this process open so many files, if it may."""
    try:
        import resource
    except ImportError:  # not Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def threads(job: Job) -> Job:
    """Log to one session from several threads at once; the calls are shared out among them."""
    peer: Peer | None = None
    log: Log = _encode_only
    if job["peer"] != ENCODING:
        kind = find_peer(job["peer"])
        assert issubclass(kind, Peer)
        peer = kind(Path(job["directory"]))
        peer.start()
        peer.flush()
        log = peer.log_tool_call
    each = job["calls"] // job["threads"]
    ready = threading.Barrier(job["threads"] + 1)
    workers = [
        threading.Thread(target=_log_share, args=(log, range(first * each, (first + 1) * each), ready))
        for first in range(job["threads"])
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = clock()
    for worker in workers:
        worker.join()
    called = clock()
    if peer is not None:
        peer.flush()
    calls = each * job["threads"]
    rates = {
        name: round(calls / (end - began) * 1e9) for name, end in (("calls_per_s", called), ("events_per_s", clock()))
    }
    if peer is None:
        return rates
    peer.close()
    return {"path": str(peer.path), "calls": calls, **rates}


ENCODING = "encoding"
"""In the place of a peer: nothing but the encoding of the line, which is what threads of this interpreter can do."""


def _encode_only(tool_name: str, arguments: Params, duration_ms: int) -> object:
    fields = {"type": "ToolEvent", "name": tool_name, "params": arguments, "duration_ms": duration_ms, "task_id": 1}
    return orjson.dumps(
        {**fields, "seq": duration_ms, "timestamp": 1e9, "agent_id": AGENT_ID, "session_id": SESSION_ID, "v": 1},
        None,
        orjson.OPT_APPEND_NEWLINE,
    )


def _log_share(log: Log, numbers: range, ready: threading.Barrier) -> None:
    ready.wait()
    for number in numbers:
        log(TOOL, params(), number)


def payload(job: Job) -> Job:
    """Time the calls of one peer with parameters of a size: text, as agents have it."""
    kind = find_peer(job["peer"])
    assert issubclass(kind, Peer)
    peer = kind(Path(job["directory"]))
    peer.start()
    make_params = _texts(job["bytes"])
    plan = Plan(job["calls"], job["warmup"])
    for number in range(plan.warmup):
        peer.log_tool_call(TOOL, make_params(), number)
    peer.flush()
    began = clock()
    samples = time_calls(peer.log_tool_call, plan, make_params)
    peer.flush()
    took = clock() - began
    dropped = peer.close()
    rate = round(plan.calls / took * 1e9, 1)
    return {"path": str(peer.path), "events_per_s": rate, "dropped": dropped, **describe(samples)}


def _texts(size: int) -> Callable[[], Params]:
    """Return a maker of parameters whose texts have that many bytes, and begin differently."""
    draw = random.Random(size)
    words: list[str] = []
    length = 0
    while length < size + 64:
        words.append(draw.choice(_WORDS))
        length += len(words[-1]) + 1
    text = " ".join(words)
    starts = iter(partial(draw.randrange, 64), None)
    return lambda: {"text": text[(start := next(starts)) : start + size]}
