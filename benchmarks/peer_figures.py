"""What follows from a raw result of `peers`: one standing for each peer.

A repetition that did not leave every event exactly once takes part in no figure; its losses are told instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.figures import what_is_wrong
from benchmarks.verification import WRONG

Result = dict[str, Any]

OURS = "Deia"
"""How the labels of our own rows begin: they must lose nothing, and the command fails if they do."""

_PACE_KEPT = 0.95
"""A peer that takes fewer calls than this share of the paced rate was called late, one call after the other."""


@dataclass(frozen=True)
class Calls:
    """What calls of one mode cost: medians over the processes, the worst of the maxima, and ratios to the floor's.

    Attributes:
        processes: Processes that lost nothing.
        events: Timed calls of each.
        ratio: Median over the rounds of this peer's median over the floor's.
        tail_ratio: The same of the 99.9th percentiles.
        kept_pace: Whether the calls came at the paced rate; True in the tight loop.
    """

    processes: int
    events: int
    median_ns: float
    p99_ns: float
    p999_ns: float
    max_ns: int
    events_per_s: float
    disk_bytes_per_event: float
    rss_kib: float | None
    ratio: float | None
    tail_ratio: float | None
    kept_pace: bool


@dataclass(frozen=True)
class Missing:
    """What was missing after processes ended in one way.

    Attributes:
        missing: Events that were not there.
        acknowledged: Calls that had returned.
        damaged: Whatever else was wrong: records that cannot be read, stand twice or out of order, gaps in `seq`.
    """

    missing: int
    acknowledged: int
    damaged: int


@dataclass(frozen=True)
class Standing:
    """One peer.

    Attributes:
        calls: By mode; a mode in which every process lost events is missing.
        missing: By the end of the process: `killed, tight`, `killed, paced`, `exited, tight`.
        lost: One sentence for each process that lost events while it ran.
    """

    peer: str
    label: str
    durability: str
    calls: dict[str, Calls] = field(default_factory=dict)
    missing: dict[str, Missing] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    @property
    def is_ours(self) -> bool:
        """Whether it is Deia."""
        return self.label.startswith(OURS)

    def after(self, end: str) -> Missing | None:
        """Return what was missing after all ends whose names begin with `end`; None where there was none."""
        ends = [found for name, found in self.missing.items() if name.startswith(end)]
        if not ends:
            return None
        return Missing(
            sum(found.missing for found in ends),
            sum(found.acknowledged for found in ends),
            sum(found.damaged for found in ends),
        )

    @property
    def survives_kill(self) -> bool:
        """Whether nothing was missing after any SIGKILL."""
        killed = self.after("killed")
        return killed is None or not killed.missing


def standings(result: Result) -> list[Standing]:
    """Return every peer that was measured, the cheapest median of the tight loop first."""
    found = [_standing(result, peer) for peer in result["durability"]]
    return sorted(found, key=lambda standing: (_tight_median(standing), standing.label))


def _tight_median(standing: Standing) -> float:
    calls = standing.calls.get("tight")
    return calls.median_ns if calls else float("inf")


def _standing(result: Result, peer: str) -> Standing:
    standing = Standing(peer, result["labels"][peer], result["durability"][peer])
    for mode in ("tight", "paced"):
        runs = [run for run in result["repetitions"] if (run["peer"], run["mode"]) == (peer, mode)]
        if good := [run for run in runs if run["verified"]]:
            standing.calls[mode] = _calls(result, mode, good)
        standing.lost.extend(
            f"{mode}, round {run['round'] + 1}: {what_is_wrong(run['verification'])}"
            for run in runs
            if not run["verified"]
        )
    for end in dict.fromkeys(death["end"] for death in result["deaths"]):
        deaths = [death for death in result["deaths"] if (death["peer"], death["end"]) == (peer, end)]
        standing.missing[end] = Missing(
            sum(death["lost"] for death in deaths),
            sum(death["acknowledged"] for death in deaths),
            sum(death[wrong] for death in deaths for wrong in WRONG if wrong != "lost"),
        )
    return standing


def _calls(result: Result, mode: str, runs: list[Result]) -> Calls:
    floors = {
        run["round"]: run
        for run in result["repetitions"]
        if (run["peer"], run["mode"]) == ("floor", mode) and run["verified"]
    }

    def ratio(figure: str) -> float | None:
        ratios = [run[figure] / floors[run["round"]][figure] for run in runs if run["round"] in floors]
        return median(ratios) if ratios else None

    def middle(figure: str) -> float:
        return median(run[figure] for run in runs)

    return Calls(
        processes=len(runs),
        events=runs[0]["events"],
        median_ns=middle("median_ns"),
        p99_ns=middle("p99_ns"),
        p999_ns=middle("p999_ns"),
        max_ns=max(run["max_ns"] for run in runs),
        events_per_s=middle("events_per_s"),
        disk_bytes_per_event=middle("disk_bytes_per_event"),
        rss_kib=middle("rss_kib") if "rss_kib" in runs[0] else None,
        ratio=ratio("median_ns"),
        tail_ratio=ratio("p999_ns"),
        kept_pace=mode == "tight" or middle("calls_per_s") >= _PACE_KEPT * result["settings"]["rate"],
    )


def failures(result: Result) -> list[str]:
    """Return one sentence for each loss of our own."""
    told: list[str] = []
    for standing in standings(result):
        if standing.is_ours:
            told.extend(f"{standing.label}, {sentence}" for sentence in standing.lost)
            told.extend(
                f"{standing.label}, {end}: {found.missing:,} missing and {found.damaged:,} damaged of "
                f"{found.acknowledged:,} acknowledged"
                for end, found in standing.missing.items()
                if found.missing or found.damaged
            )
    return told
