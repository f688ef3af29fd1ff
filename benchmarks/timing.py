"""The loops that time each call from the caller's side, and what is kept of their samples."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns as clock
from typing import Any

from benchmarks.event import TOOL, Params, params
from benchmarks.peers import AwaitedLog, Log

_SPIN_NS = 110_000
"""How long before its time a paced call stops sleeping and spins: a sleep overshoots by the kernel's timer slack
(50 µs) and a wake-up, and calls that are late come in bursts."""

_STEPS_PER_OCTAVE = 8
"""Resolution of a histogram: bucket bounds 9 % apart. Percentiles come from the samples, not from it."""


@dataclass(frozen=True)
class Plan:
    """How a peer is called.

    Attributes:
        calls: Timed calls.
        warmup: Untimed calls before them.
        rate: Calls per second, or None for a tight loop.
    """

    calls: int
    warmup: int
    rate: float | None = None

    @property
    def gap_ns(self) -> int:
        """Nanoseconds between two calls; 0 in a tight loop."""
        return round(1e9 / self.rate) if self.rate else 0


def wait_until(due_ns: int) -> None:
    """Sleep most of the way, spin the rest: the processor gets idle, and the call is on time."""
    sleep_ns = due_ns - clock() - _SPIN_NS
    if sleep_ns > 0:
        time.sleep(sleep_ns / 1e9)
    while clock() < due_ns:
        pass


def time_calls(log: Log, plan: Plan, make_params: Callable[[], Params] = params) -> array[int]:
    """Time each call of a plain function; the number of the call is its `duration_ms`, so that it can be found again.

    Args:
        log: The function.
        plan: How it is called.
        make_params: Makes the parameters of each call, untimed.

    Returns:
        Nanoseconds of each call, the cost of one look at the clock included.
    """
    samples = array("q", bytes(8 * plan.calls))
    gap_ns = plan.gap_ns
    due = clock()
    for index in range(plan.calls):
        arguments = make_params()
        number = plan.warmup + index
        if gap_ns:
            due += gap_ns
            wait_until(due)
        before = clock()
        log(TOOL, arguments, number)
        samples[index] = clock() - before
    return samples


async def time_awaited_calls(log: AwaitedLog, plan: Plan) -> array[int]:
    """The same for an awaited function.

    It is paced with the same sleep, which blocks the loop: a loop's own timers are too coarse for gaps below a
    millisecond, and the pause is not what is measured.
    """
    samples = array("q", bytes(8 * plan.calls))
    gap_ns = plan.gap_ns
    due = clock()
    for index in range(plan.calls):
        arguments = params()
        number = plan.warmup + index
        if gap_ns:
            due += gap_ns
            wait_until(due)
        before = clock()
        await log(TOOL, arguments, number)
        samples[index] = clock() - before
    return samples


def timed(statement: str, names: dict[str, Any]) -> Callable[[int], int]:
    """Return a function that does a statement so many times, on local names, and returns the nanoseconds it took."""
    given = ", ".join(f"{name}={name}" for name in names)
    loop = f" began = clock()\n for _ in range(_loops):\n  {statement}\n return clock() - began"
    scope = {**names, "clock": clock}
    exec(f"def timed(_loops, {given}):\n{loop}", scope)
    made: Callable[[int], int] = scope["timed"]
    return made


def timer_cost_ns(looks: int = 20_000) -> int:
    """Median nanoseconds between two looks at the clock: what each sample contains beside the call."""
    samples = array("q", bytes(8 * looks))
    for index in range(looks):
        before = clock()
        samples[index] = clock() - before
    return percentile(sorted(samples), 0.5)


def percentile(ordered: list[int], share: float) -> int:
    """Return the smallest sample that at least `share` of all samples do not exceed (nearest rank)."""
    rank = -(-len(ordered) * round(share * 1000) // 1000)
    return ordered[max(rank, 1) - 1]


def describe(samples: array[int]) -> dict[str, object]:
    """Return percentiles, maximum and histogram of samples in nanoseconds."""
    ordered = sorted(samples)
    return {
        "median_ns": percentile(ordered, 0.5),
        "p99_ns": percentile(ordered, 0.99),
        "p999_ns": percentile(ordered, 0.999),
        "max_ns": ordered[-1],
        "histogram": histogram(samples),
    }


def histogram(samples: array[int]) -> list[list[int]]:
    """Return `[upper bound in ns, samples]` of every bucket that is not empty, smallest first."""
    buckets = Counter(map(_bound, samples))
    return [[bound, buckets[bound]] for bound in sorted(buckets)]


def _bound(sample: int) -> int:
    """Round up to the next bound: eight equal steps to each power of two."""
    step = max(1, (1 << max(sample - 1, 1).bit_length()) // (2 * _STEPS_PER_OCTAVE))
    return -(-sample // step) * step
