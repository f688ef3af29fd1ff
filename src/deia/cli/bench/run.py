"""Run the measured processes in pairs, read what they left, and put the figures side by side."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import orjson

from deia.cli.bench.recorder import TOOL, Job
from deia.cli.processes import environment
from deia.errors import DeiaError
from deia.events import ToolEvent
from deia.journal.reader import read_events

DEIA = "deia"
WRITE_THROUGH = "write-through"

_CHILD_TIMEOUT_S = 120
"""A hundred times what a process takes: beyond it the disk hangs."""


class BenchFailedError(DeiaError):
    """A measured process failed."""


@dataclass(frozen=True)
class Amount:
    """How much is measured: with these, a few seconds.

    Attributes:
        pairs: Pairs of processes, one of each recorder.
        warmup: Untimed calls of a process.
        paced: Calls of a process at `rate`.
        tight: Calls of a process one after the other.
        rate: Paced calls per second.
    """

    pairs: int = 5
    warmup: int = 1_000
    paced: int = 1_500
    tight: int = 20_000
    rate: float = 5_000


@dataclass(frozen=True)
class Row:
    """One figure of both recorders.

    Attributes:
        figure: Its name.
        deia: Median over the processes.
        write_through: The same.
        ratios: Deia's over write-through's, pair by pair.
    """

    figure: str
    deia: float
    write_through: float
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """Median of the pairs' ratios."""
        return median(self.ratios)


@dataclass
class Bench:
    """What was measured.

    Attributes:
        rows: Percentiles in nanoseconds, and `events_per_s`.
        verified_events: Events that were read back, each exactly once and in order, and found right.
        bytes_per_event: Of our line.
        acknowledged_before_kill: Calls that had returned when a process was killed.
        found_after_kill: Of these, how many were in the log.
        problems: One sentence for each file that did not hold what was recorded.
    """

    rows: list[Row] = field(default_factory=list)
    verified_events: int = 0
    bytes_per_event: float = 0.0
    acknowledged_before_kill: int = 0
    found_after_kill: int = 0
    problems: list[str] = field(default_factory=list)


def run_bench(directory: str | None = None, amount: Amount | None = None) -> Bench:
    """Measure both recorders in fresh processes, in pairs of shuffled order, and kill one more of ours.

    Args:
        directory: Where files lie for the moment; the system's temporary directory where None.
        amount: How much.

    Raises:
        BenchFailedError: A process failed.
        OSError: The directory cannot be written.
    """
    amount = amount or Amount()
    done = Bench()
    pairs: list[dict[str, dict[str, float]]] = []
    shuffle = random.Random(1).shuffle
    with tempfile.TemporaryDirectory(prefix="deia-bench-", dir=directory) as place:
        for number in range(amount.pairs):
            order = [DEIA, WRITE_THROUGH]
            shuffle(order)
            pair = {}
            for recorder in order:
                job = _job(recorder, Path(place) / f"{number}-{recorder}", amount)
                pair[recorder] = _run(job)
                _verify(job, done)
            pairs.append(pair)
        _kill(_job(DEIA, Path(place) / "killed", amount), done)
    for figure in pairs[0][DEIA]:
        ours, theirs = ([pair[recorder][figure] for pair in pairs] for recorder in (DEIA, WRITE_THROUGH))
        ratios = [our / their for our, their in zip(ours, theirs, strict=True)]
        done.rows.append(Row(figure, median(ours), median(theirs), ratios))
    return done


def _job(recorder: str, directory: Path, amount: Amount) -> Job:
    directory.mkdir()
    return Job(recorder, str(directory), amount.warmup, amount.paced, amount.tight, amount.rate)


def _start(job: Job) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "deia.cli.bench.recorder", job.to_json()],
        cwd=job.directory,  # `-m` looks for modules there first; nothing of the user's is in this one
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_CHILD_TIMEOUT_S,
        check=False,
    )


def _run(job: Job) -> dict[str, float]:
    process = _start(job)
    if process.returncode != 0:
        last = process.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BenchFailedError(f"a measured process failed: {last or f'exit code {process.returncode}'}")
    found: dict[str, float] = orjson.loads(process.stdout)
    return found


def _verify(job: Job, done: Bench) -> None:
    """Read a file back with nothing of ours but the names of its fields: every call once, in order, without a gap."""
    numbers: list[int] = []
    sizes = 0
    for seq, line in enumerate(_lines(job.path), start=1):
        event = orjson.loads(line)
        if event["seq"] != seq:
            done.problems.append(f"{job.recorder}: line {seq} carries seq {event['seq']}")
            return
        if event["type"] == "ToolEvent" and event["name"] == TOOL:
            numbers.append(event["duration_ms"])
            sizes += len(line)
    if numbers == list(range(job.calls)):
        done.verified_events += len(numbers)
    else:
        done.problems.append(f"{job.recorder}: {len(set(numbers)):,} of {job.calls:,} events, or not in order")
    if job.recorder == DEIA and numbers:
        done.bytes_per_event = sizes / len(numbers)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _kill(job: Job, done: Bench) -> None:
    """Let one more process be killed right after its last call, and count what is in its log."""
    killed = replace(job, paced=0, kill=True)
    process = _start(killed)
    if process.returncode != -getattr(signal, "SIGKILL", -signal.SIGTERM):
        raise BenchFailedError("the process that was to be killed ended before")
    done.acknowledged_before_kill = killed.calls
    numbers = [event.duration_ms for event in read_events(killed.path) if isinstance(event, ToolEvent)]
    done.found_after_kill = len(set(numbers) & set(range(killed.calls)))
    if numbers != list(range(killed.calls)):
        done.problems.append(f"deia, killed: {done.found_after_kill:,} of {killed.calls:,} events, or not in order")
