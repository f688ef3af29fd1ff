"""One measured process: `python -m deia.cli.bench.process JOB`, a JSON object in, one in a file.

A fresh process for each, because two in one process would share its heap, its caches and their background threads.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from array import array
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns as clock

import orjson

from deia.cli.bench.event import TOOL
from deia.cli.bench.recorders.catalogue import find_recorder
from deia.cli.bench.recorders.face import Log

_SPIN_NS = 110_000
"""How long before its time a paced call stops sleeping and spins: a sleep overshoots by 50 µs and a wake-up."""


@dataclass(frozen=True)
class Job:
    """What a process does.

    Attributes:
        recorder: Its name in the catalogue.
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
        return Path(self.directory) / find_recorder(self.recorder).file_name

    @property
    def answer(self) -> Path:
        """Where what it measured is kept."""
        return Path(self.directory) / "answer.json"

    def to_json(self) -> str:
        """Return the job as a command-line argument."""
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Answer:
    """What a process measured.

    Attributes:
        paced: Nanoseconds of each paced call.
        tight: The same of the tight ones.
        events_per_s: Tight calls, until all were in the file.
    """

    paced: list[int]
    tight: list[int]
    events_per_s: float


def measure(job: Job) -> Answer:
    """Do a job; does not return where the process is to be killed."""
    recorder = find_recorder(job.recorder)(Path(job.directory))
    log = recorder.log_tool_call
    recorder.start()
    for number in range(job.warmup):
        log(TOOL, {"path": "tests/"}, number)
    recorder.flush()  # the background is up, and idle when the timed calls begin
    paced = _time(log, job.warmup, job.paced, round(1e9 / job.rate))
    recorder.flush()
    began = clock()
    tight = _time(log, job.warmup + job.paced, job.tight, 0)
    if job.kill:
        # TerminateProcess where there is no SIGKILL: neither leaves a chance to write anything more.
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    recorder.flush()
    events_per_s = job.tight / (clock() - began) * 1e9
    recorder.close()
    return Answer(paced.tolist(), tight.tolist(), events_per_s)


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


if __name__ == "__main__":
    _job = Job(**json.loads(sys.argv[1]))
    _job.answer.write_bytes(orjson.dumps(measure(_job)))  # not printed: what a recorder imports may print, too
