"""What follows from the samples: percentiles of all calls together, and ratios to write-through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from deia.cli.bench.process import Answer
from deia.cli.bench.readback import Survivors


@dataclass(frozen=True)
class Ratio:
    """One recorder's figure over write-through's.

    Attributes:
        rounds: Round by round, so that a slow minute of the machine is in both.
    """

    rounds: list[float]

    @property
    def median(self) -> float:
        """The ratio that is shown."""
        return median(self.rounds)


@dataclass(frozen=True)
class Calls:
    """What calls of one mode cost, in nanoseconds: percentiles of the calls of all rounds together.

    Attributes:
        ratio: Of the medians.
        p999_ratio: Of the 99.9th percentiles of all rounds together: a single round has too few calls beyond it.
    """

    median_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    ratio: Ratio
    p999_ratio: float


@dataclass(frozen=True)
class Row:
    """One recorder.

    Attributes:
        name: In the catalogue.
        label: In tables.
        tight: Calls one after the other.
        paced: Calls at the paced rate.
        events_per_s: Tight calls until all are in the file, median over the rounds.
        speed_ratio: Of the events per second.
        bytes_per_event: Of its line.
        killed: What was there after SIGKILL.
    """

    name: str
    label: str
    tight: Calls
    paced: Calls
    events_per_s: float
    speed_ratio: Ratio
    bytes_per_event: float
    killed: Survivors


def row(
    name: str, label: str, rounds: Sequence[Answer], base: Sequence[Answer], bytes_per_event: float, killed: Survivors
) -> Row:
    """Return one recorder's figures.

    Args:
        name: In the catalogue.
        label: In tables.
        rounds: What its processes measured.
        base: What write-through's did, in the same rounds.
        bytes_per_event: Of its line.
        killed: What was there after SIGKILL.
    """
    return Row(
        name,
        label,
        _calls([answer.tight for answer in rounds], [answer.tight for answer in base]),
        _calls([answer.paced for answer in rounds], [answer.paced for answer in base]),
        median(answer.events_per_s for answer in rounds),
        Ratio([mine.events_per_s / its.events_per_s for mine, its in zip(rounds, base, strict=True)]),
        bytes_per_event,
        killed,
    )


def _calls(rounds: Sequence[list[int]], base: Sequence[list[int]]) -> Calls:
    pooled, pooled_base = (sorted(sample for samples in every for sample in samples) for every in (rounds, base))
    p999_ns = percentile(pooled, 0.999)
    return Calls(
        percentile(pooled, 0.5),
        percentile(pooled, 0.99),
        p999_ns,
        pooled[-1],
        Ratio([median(mine) / median(its) for mine, its in zip(rounds, base, strict=True)]),
        p999_ns / percentile(pooled_base, 0.999),
    )


def percentile(ordered: Sequence[int], share: float) -> int:
    """Return the smallest sample that at least `share` of all samples do not exceed (nearest rank)."""
    rank = -(-len(ordered) * round(share * 1000) // 1000)
    return ordered[max(rank, 1) - 1]
