"""`python -m benchmarks scale`: what a call costs as the work grows: events, sessions, threads, payload; and the start.

Every figure comes from processes of their own, in shuffled order within a round; what they left is read and counted.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any

from benchmarks.conditions import ROOT, conditions
from benchmarks.processes import run_child, run_verified, workplace
from benchmarks.scale_jobs import ENCODING
from benchmarks.verification import WRONG, Verification, verify

Result = dict[str, Any]

_LONGEST_S = 3_600


@dataclass(frozen=True)
class Settings:
    """How much is measured. The default run takes about six minutes.

    Attributes:
        events: Of the one long session; 20 million in what is published.
        blocks: Parts of it that are looked at one by one.
        rounds: Processes of each other kind.
        sessions: How many sessions one process has at once.
        session_calls: Calls to all of them together.
        threads: How many threads log to one session at once.
        thread_calls: Calls of all of them together.
        payloads: Sizes of the text in a call's parameters, bytes.
        payload_bytes: Bytes of all payloads of a process together, within the bounds of `calls_of`.
        starts: Processes of each kind of start.
        seed: Of the order within a round.
    """

    events: int = 2_000_000
    blocks: int = 20
    rounds: int = 7
    sessions: tuple[int, ...] = (1, 10, 100, 1_000)
    session_calls: int = 200_000
    threads: tuple[int, ...] = (1, 2, 4, 8)
    thread_calls: int = 200_000
    payloads: tuple[int, ...] = (20, 200, 1_000, 4_000, 100_000, 1_000_000)
    payload_bytes: int = 60_000_000
    starts: int = 15
    seed: int = 20_250_101

    def calls_of(self, size: int) -> int:
        """Return how many calls with such a payload a process makes."""
        return min(max(self.payload_bytes // size, 60), 20_000)


QUICK = Settings(
    events=4_000,
    blocks=4,
    rounds=1,
    sessions=(1, 20),
    session_calls=2_000,
    threads=(1, 2),
    thread_calls=2_000,
    payloads=(20, 100_000),
    payload_bytes=1_000_000,
    starts=1,
)
"""Enough to see that all parts work; its figures mean nothing."""

LONG_EVENTS = 20_000_000
"""Events of the long session in what is published."""

THREAD_PEERS = ("sync", "unredacted", ENCODING)
PAYLOAD_PEERS = ("floor", "sync", "unredacted")

STARTS = {
    "python": ["-c", "pass"],
    "import deia": ["-c", "import deia"],
    "import both loggers": ["-c", "from deia import AsyncSessionLogger, SessionLogger"],
    "deia --version": ["-m", "deia", "--version"],
}
"""Kind of start → what the interpreter is given."""


def run(settings: Settings, directory: Path, *, say: Callable[[str], object]) -> Result:
    """Measure everything and return the raw result.

    Args:
        settings: How much.
        directory: Where the measured files lie while they are needed.
        say: Told what is being measured.
    """
    for arguments in STARTS.values():
        _start_ns(arguments)  # the first time, which compiles; and what cannot be started is told now, not in the end
    say(f"one session of {settings.events:,} events")
    result: Result = {
        "benchmark": "scale",
        "schema": 1,
        "complete": settings.events >= LONG_EVENTS and settings == Settings(events=settings.events),
        **conditions(directory),
        "settings": asdict(settings),
        "events": _events(settings, directory),
        "sessions": [],
        "threads": [],
        "payloads": [],
        "starts": [],
    }
    shuffle = random.Random(settings.seed).shuffle
    for number in range(settings.rounds):
        say(f"sessions, threads and payloads, round {number + 1} of {settings.rounds}")
        jobs: list[tuple[str, Callable[[], Result]]] = [
            *(("sessions", _sessions_job(settings, count, directory)) for count in settings.sessions),
            *(
                ("threads", _threads_job(settings, peer, count, directory))
                for peer in THREAD_PEERS
                for count in settings.threads
            ),
            *(
                ("payloads", _payload_job(settings, peer, size, directory))
                for peer in PAYLOAD_PEERS
                for size in settings.payloads
            ),
        ]
        shuffle(jobs)
        for kind, job in jobs:
            result[kind].append({"round": number, **job()})
    say("starts")
    for _ in range(settings.starts):
        shuffle(order := list(STARTS))
        result["starts"].append({name: _start_ns(STARTS[name]) for name in order})
    return result


def _events(settings: Settings, directory: Path) -> Result:
    job = {"job": "scale_events", "peer": "sync", "events": settings.events, "blocks": settings.blocks}
    return run_verified(job, directory, settings.events, timeout_s=_LONGEST_S)


def _sessions_job(settings: Settings, count: int, directory: Path) -> Callable[[], Result]:
    def job() -> Result:
        with workplace(directory) as place:
            answer = run_child(
                {"job": "scale_sessions", "sessions": count, "calls": settings.session_calls, "directory": str(place)}
            )
            calls = answer["calls_each"]
            found = [verify(Path(path), calls) for path in answer.pop("paths")]
        return {"count": count, **answer, "wrong": _sum_up(found)}

    return job


def _threads_job(settings: Settings, peer: str, count: int, directory: Path) -> Callable[[], Result]:
    def job() -> Result:
        with workplace(directory) as place:
            asked = {"job": "scale_threads", "peer": peer, "threads": count, "calls": settings.thread_calls}
            answer = run_child({**asked, "directory": str(place)})
            found = [verify(Path(answer.pop("path")), answer["calls"])] if "path" in answer else []
        wrong = _sum_up(found)
        del wrong["out_of_order"]  # which thread comes first is nobody's promise; a gap in `seq` would show
        return {"peer": peer, "count": count, **answer, "wrong": wrong}

    return job


def _payload_job(settings: Settings, peer: str, size: int, directory: Path) -> Callable[[], Result]:
    def job() -> Result:
        calls = settings.calls_of(size)
        warmup = calls // 20
        asked = {"job": "scale_payload", "peer": peer, "bytes": size, "calls": calls, "warmup": warmup}
        return {"peer": peer, "bytes": size, "calls": calls, **run_verified(asked, directory, warmup + calls)}

    return job


def _sum_up(found: Iterable[Verification]) -> dict[str, int]:
    files = list(found)
    return {wrong: sum(getattr(file, wrong) for file in files) for wrong in WRONG}


def _start_ns(arguments: list[str]) -> int:
    """Return how long a process takes that does nothing else, nanoseconds."""
    began = clock()
    # without a timeout: with one, `subprocess` looks for the end of a process after 16, 32, 64, 114 ms, and not before
    subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return clock() - began
