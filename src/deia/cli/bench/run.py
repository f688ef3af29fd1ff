"""Run the measured processes in rounds, read what they left, and put the figures side by side."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson

from deia.cli.bench.figures import Row, row
from deia.cli.bench.process import Answer, Job
from deia.cli.bench.readback import UNREADABLE, Survivors, survivors, verify
from deia.cli.bench.recorders.catalogue import OURS, RECORDERS, WRITE_THROUGH, find_recorder, missing
from deia.cli.processes import environment
from deia.errors import DeiaError

OnProcess = Callable[[int, int, str], object]
"""Told, before a process is started, how many have been, of how many, and what it measures."""

_CHILD_TIMEOUT_S = 120
"""Fifty times what a process takes: beyond it the disk hangs."""

_KEPT = frozenset({"PYTHONHOME", "PYTHONPATH"})
"""What a measured Python needs of the variables that change how one runs."""


class BenchFailedError(DeiaError):
    """A measured process failed."""


@dataclass(frozen=True)
class Amount:
    """How much is measured: with these, a second or two for each process.

    Attributes:
        rounds: Processes of each recorder.
        warmup: Untimed calls of a process.
        paced: Calls of a process at `rate`: of all rounds together, fifteen lie beyond the 99.9th percentile.
        tight: Calls of a process one after the other.
        rate: Paced calls per second.
    """

    rounds: int = 3
    warmup: int = 1_000
    paced: int = 5_000
    tight: int = 20_000
    rate: float = 5_000


@dataclass
class Bench:
    """What was measured.

    Attributes:
        amount: How much.
        rows: One for each recorder, in the order of the catalogue.
        not_installed: Distributions whose recorders could not be measured.
        failed: Name of a recorder that is not ours → why it has no row.
        verified_events: Events that were read back, each exactly once and in order, and found right.
        problems: One sentence for each file of ours that did not hold what was recorded.
    """

    amount: Amount
    rows: list[Row] = field(default_factory=list)
    not_installed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    verified_events: int = 0
    problems: list[str] = field(default_factory=list)


def run_bench(
    directory: str | None = None, amount: Amount | None = None, on_process: OnProcess = lambda *_: None
) -> Bench:
    """Measure each recorder that is installed in fresh processes, in rounds of shuffled order; then kill one of each.

    Args:
        directory: Where files lie for the moment; the system's temporary directory where None.
        amount: How much.
        on_process: Told of each process.

    Raises:
        BenchFailedError: A process of ours failed, or one of write-through.
        OSError: The directory cannot be written.
    """
    amount = amount or Amount()
    needed = {name: missing(name) for name in RECORDERS}
    done = Bench(amount, not_installed=sorted({distribution for name in RECORDERS for distribution in needed[name]}))
    with tempfile.TemporaryDirectory(prefix="deia-bench-", dir=directory) as place:
        installed = {name: _Measured(name, find_recorder(name).label) for name in RECORDERS if not needed[name]}
        _Run(done, installed, Path(place), on_process).run()
    return done


@dataclass
class _Measured:
    """What is known of a recorder so far."""

    name: str
    label: str
    answers: list[Answer] = field(default_factory=list)
    bytes_per_event: float = 0.0
    killed: Survivors | None = None

    @property
    def must_work(self) -> bool:
        """Whether there is nothing to show without it."""
        return self.name in OURS or self.name == WRITE_THROUGH


class _Run:
    def __init__(self, done: Bench, recorders: dict[str, _Measured], place: Path, on_process: OnProcess) -> None:
        self._done = done
        self._recorders = recorders
        self._place = place
        self._on_process = on_process
        self._started = 0

    def run(self) -> None:
        shuffle = random.Random(1).shuffle
        for number in range(self._done.amount.rounds):
            shuffle(order := list(self._recorders))
            for name in order:
                self._attempt(self._measure, name, f"{number}-{name}")
        for name in list(self._recorders):
            self._attempt(self._kill, name, f"killed-{name}")
        base = self._recorders[WRITE_THROUGH].answers
        for it in self._recorders.values():
            assert it.killed
            self._done.rows.append(row(it.name, it.label, it.answers, base, it.bytes_per_event, it.killed))

    def _attempt(self, do: Callable[[_Measured, Job], None], name: str, directory: str) -> None:
        """Run one process of a recorder; another's that fails takes part in nothing, the rounds before included."""
        it, amount = self._recorders[name], self._done.amount
        path = self._place / directory
        path.mkdir()
        self._on_process(self._started, len(self._recorders) * (amount.rounds + 1), it.label)
        self._started += 1
        try:
            do(it, Job(name, str(path), amount.warmup, amount.paced, amount.tight, amount.rate))
        except BenchFailedError as error:
            if it.must_work:
                raise BenchFailedError(f"a measured process failed, of {it.label}: {error}") from error
            self._done.failed[name] = str(error)
            del self._recorders[name]

    def _measure(self, it: _Measured, job: Job) -> None:
        process = _start(job)
        if process.returncode != 0:
            raise BenchFailedError(_last_words(process))
        with _readable("what it measured"):
            answer = Answer(**orjson.loads(job.answer.read_bytes()))
        found = verify(job)
        it.answers.append(answer)
        it.bytes_per_event = found.bytes_per_event
        if found.wrong is None:
            self._done.verified_events += found.events
        elif it.must_work:
            self._done.problems.append(f"{it.label}: {found.wrong}")
        else:
            raise BenchFailedError(found.wrong)

    def _kill(self, it: _Measured, job: Job) -> None:
        """Let one more process be killed right after its last call, and count what is in its file."""
        job = replace(job, paced=0, kill=True)
        process = _start(job)
        if process.returncode != -getattr(signal, "SIGKILL", -signal.SIGTERM):
            raise BenchFailedError(f"the process that was to be killed ended before: {_last_words(process)}")
        with _readable("its file"):
            it.killed = found = survivors(job)
        if it.name in OURS and (found.missing or not found.in_order):
            self._done.problems.append(
                f"{it.label}, killed: {found.found:,} of {found.acknowledged:,} events, or not in order"
            )


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Raise one error for whatever is wrong with a file that a recorder's process has left."""
    try:
        yield
    except UNREADABLE as error:
        raise BenchFailedError(f"{what} cannot be read: {error!r}") from error


def _start(job: Job) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            [sys.executable, "-m", "deia.cli.bench.process", job.to_json()],
            cwd=job.directory,  # `-m` looks for modules there first; nothing of the user's is in this one
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchFailedError(f"it takes longer than {_CHILD_TIMEOUT_S} s") from error


def _environment() -> dict[str, str]:
    """Return the environment of a measured process, in which no recorder and no Python is set up by the caller."""
    return {
        name: value
        for name, value in environment().items()
        if name in _KEPT or not name.startswith(("LOGURU_", "PYTHON"))
    }


def _last_words(process: subprocess.CompletedProcess[bytes]) -> str:
    last = process.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return last or f"exit code {process.returncode}"
