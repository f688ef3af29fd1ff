"""One measured process: `python -m deia.cli.bench.recorder JOB`, a JSON object in, one out.

A fresh process for each, because two in one process would share its heap, its caches and our background thread.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from array import array
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any

import orjson

AGENT_ID = "AGENT-004"
SESSION_ID = "s1"
TASK = "write_tests"
TOOL = "pytest"

_SPIN_NS = 110_000
"""How long before its time a paced call stops sleeping and spins: a sleep overshoots by 50 µs and a wake-up."""

Log = Callable[[str, dict[str, Any], int], object]


@dataclass(frozen=True)
class Job:
    """What a process does.

    Attributes:
        recorder: `"deia"` or `"write-through"`.
        directory: Where its file lies.
        warmup: Untimed calls, before all others.
        paced: Timed calls at `rate`.
        tight: Timed calls one after the other, after the paced ones.
        rate: Paced calls per second.
        kill: Whether it kills itself right after the last call.
    """

    recorder: str
    directory: str
    warmup: int
    paced: int
    tight: int
    rate: float
    kill: bool = False

    @property
    def calls(self) -> int:
        """All its calls."""
        return self.warmup + self.paced + self.tight

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.directory) / f"{AGENT_ID}_{SESSION_ID}.jsonl"

    def to_json(self) -> str:
        """Return the job as a command-line argument."""
        return json.dumps(asdict(self))


class WriteThrough:
    """The least that one would write by hand for the same promise: clock, count, the same line, one `write`."""

    __slots__ = ("fd", "seq")

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.seq = 0

    def log_task_start(self, task_name: str) -> None:
        """Write the start of the task that the tool calls belong to."""
        self.seq = 1
        now = time.time()
        line = {
            "type": "TaskEvent",
            "name": task_name,
            "start_time": now,
            "end_time": None,
            "metadata": {},
            "task_id": 1,
            "parent_id": None,
            "seq": 1,
            "timestamp": now,
            "agent_id": AGENT_ID,
            "session_id": SESSION_ID,
            "v": 1,
        }
        _write(self.fd, _dumps(line, None, _NEWLINE))

    def log_tool_call(self, tool_name: str, params: dict[str, Any], duration_ms: int) -> None:
        """Write a tool call."""
        self.seq = seq = self.seq + 1
        line = {
            "type": "ToolEvent",
            "name": tool_name,
            "params": params,
            "duration_ms": duration_ms,
            "task_id": 1,
            "seq": seq,
            "timestamp": _now(),
            "agent_id": AGENT_ID,
            "session_id": SESSION_ID,
            "v": 1,
        }
        _write(self.fd, _dumps(line, None, _NEWLINE))

    def flush(self) -> None:
        """Nothing to wait for: each line was written by its call."""

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)


# Bound here, so that write-through is as fast as plain code gets.
_now = time.time
_write = os.write
_dumps = orjson.dumps
_NEWLINE = orjson.OPT_APPEND_NEWLINE


def measure(job: Job) -> dict[str, float]:
    """Do a job: log, and return percentiles in nanoseconds by mode, and the events per second until all is in the file.

    Does not return where the job is to be killed.
    """
    recorder: Any
    if job.recorder == "deia":
        from deia import SessionLogger

        recorder = SessionLogger(AGENT_ID, SESSION_ID, output_dir=job.directory)
    else:
        recorder = WriteThrough(job.path)
    log: Log = recorder.log_tool_call
    recorder.log_task_start(TASK)
    for number in range(job.warmup):
        log(TOOL, {"path": "tests/"}, number)
    recorder.flush()  # the background is up, and idle when the timed calls begin
    found: dict[str, float] = {}
    if job.paced:
        found |= _describe("paced", _time(log, job.warmup, job.paced, round(1e9 / job.rate)))
        recorder.flush()
    began = clock()
    samples = _time(log, job.warmup + job.paced, job.tight, 0)
    if job.kill:
        # TerminateProcess where there is no SIGKILL: neither leaves a chance to write anything more.
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    recorder.flush()
    found["events_per_s"] = job.tight / (clock() - began) * 1e9
    recorder.close()
    return found | _describe("tight", samples)


def _time(log: Log, first: int, calls: int, gap_ns: int) -> array[int]:
    """Time each call, from just before to just after it; its number is its `duration_ms`, to be found again by."""
    samples = array("q", bytes(8 * calls))
    due = clock()
    for index in range(calls):
        params = {"path": "tests/"}  # its own dict each time, as an agent makes one
        if gap_ns:
            due += gap_ns
            if (sleep_ns := due - clock() - _SPIN_NS) > 0:
                time.sleep(sleep_ns / 1e9)
            while clock() < due:
                pass
        before = clock()
        log(TOOL, params, first + index)
        samples[index] = clock() - before
    return samples


def _describe(mode: str, samples: array[int]) -> dict[str, float]:
    ordered = sorted(samples)
    return {f"{mode}_{name}_ns": float(ordered[int(len(ordered) * share)]) for name, share in _SHARES[mode].items()}


_SHARES = {"paced": {"median": 0.5, "p99": 0.99}, "tight": {"median": 0.5, "p99": 0.99, "p999": 0.999}}
"""Percentiles with at least fifteen samples beyond them."""


if __name__ == "__main__":
    print(json.dumps(measure(Job(**json.loads(sys.argv[1])))))
