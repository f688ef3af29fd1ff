"""What follows from a raw result: figures by peer, ratios by pair, and whether each target is met.

A repetition whose file did not hold every event exactly once takes part in none of them; `losses` tells of it instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.verification import WRONG

Result = dict[str, Any]

SAME = 1.25
"""Two times count as the same within this factor."""

MEMORY_GROWTH_KIB = 1024
"""Resident memory counts as not growing below this over the last nine tenths of a million events: a byte an event."""


@dataclass(frozen=True)
class PeerFigures:
    """One peer in one mode, over all its processes that lost nothing: medians, and the worst of the maxima."""

    mode: str
    peer: str
    repetitions: int
    median_ns: float
    p99_ns: float
    p999_ns: float
    max_ns: int
    events_per_s: float
    bytes_per_event: float


@dataclass(frozen=True)
class Comparison:
    """One figure of a subject over the same figure of its base, pair by pair."""

    mode: str
    base: str
    subject: str
    figure: str
    ratios: list[float]
    differences: list[float]

    @property
    def ratio(self) -> float:
        """Median of the ratios of the pairs."""
        return median(self.ratios)

    @property
    def difference(self) -> float:
        """Median of the differences of the pairs, nanoseconds."""
        return median(self.differences)


@dataclass(frozen=True)
class Target:
    """A number that was promised, and the one that was measured; None where every pair lost events."""

    name: str
    value: float | None
    limit: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether the promise was kept."""
        return self.value is not None and self.value <= self.limit


def peer_figures(result: Result) -> list[PeerFigures]:
    """Return the figures of every peer in every mode, the floor first."""
    found = []
    for mode in ("tight", "paced"):
        by_peer: dict[str, list[Result]] = {}
        for repetition in result["repetitions"]:
            if repetition["mode"] == mode and repetition["verified"]:
                by_peer.setdefault(repetition["peer"], []).append(repetition)
        for peer in sorted(by_peer, key=_rank):
            runs = by_peer[peer]
            found.append(
                PeerFigures(
                    mode,
                    peer,
                    len(runs),
                    median(run["median_ns"] for run in runs),
                    median(run["p99_ns"] for run in runs),
                    median(run["p999_ns"] for run in runs),
                    max(run["max_ns"] for run in runs),
                    median(run["events_per_s"] for run in runs),
                    median(run["bytes_per_event"] for run in runs),
                )
            )
    return found


def _rank(peer: str) -> tuple[int, str]:
    order = ("floor", "sync", "unredacted", "awaited", "original")
    return (order.index(peer) if peer in order else len(order), peer)


def comparisons(result: Result) -> list[Comparison]:
    """Return the ratios of every pair, for the median, the 99th and the 99.9th percentile."""
    found = []
    for (mode, base, subject), pairs in _pairs(result).items():
        for figure in ("median_ns", "p99_ns", "p999_ns") if pairs else ():
            ratios = [round(over[figure] / under[figure], 4) for under, over in pairs]
            differences = [over[figure] - under[figure] for under, over in pairs]
            found.append(Comparison(mode, base, subject, figure, ratios, differences))
    return found


def _pairs(result: Result) -> dict[tuple[str, str, str], list[tuple[Result, Result]]]:
    """Return the pairs of which both lost nothing, by mode, base and subject: the base's, the subject's."""
    pairs: dict[tuple[str, str, str], dict[int, dict[str, Result]]] = {}
    for run in result["repetitions"]:
        if run["verified"]:
            key = (run["mode"], run["base"], run["subject"])
            pairs.setdefault(key, {}).setdefault(run["pair"], {})[run["peer"]] = run
    return {
        key: [(pair[key[1]], pair[key[2]]) for pair in pairs[key].values() if len(pair) == 2]
        for key in sorted(pairs, key=lambda key: (key[0] != "tight", _rank(key[2]), _rank(key[1])))
    }


def targets(result: Result) -> list[Target]:
    """Return every promised number beside the measured one."""
    return [*_call_targets(result), *_start_targets(result), *_length_targets(result)]


def _call_targets(result: Result) -> list[Target]:
    compared = {(c.mode, c.base, c.subject, c.figure): c for c in comparisons(result)}

    def ratio(mode: str, subject: str, figure: str) -> float | None:
        found = compared.get((mode, "floor", subject, figure))
        return None if found is None else found.ratio

    awaiting = compared.get(("tight", "sync", "awaited", "median_ns"))
    redacts = "redact" in result["options"]  # results of earlier versions know of no redaction
    return [
        Target("sync / floor, median, tight", ratio("tight", "sync", "median_ns"), 1.0 if redacts else 0.8, "x"),
        *(_redaction_targets(result, compared) if redacts else []),
        Target("awaited / sync, median, tight", None if awaiting is None else awaiting.ratio, 1.15, "x"),
        Target("awaited - sync, median, tight", None if awaiting is None else awaiting.difference / 1e3, 0.3, "µs"),
        Target("sync / floor, p99.9, paced", ratio("paced", "sync", "p999_ns"), 1.3, "x"),
        Target("awaited / floor, p99.9, paced", ratio("paced", "awaited", "p999_ns"), 1.3, "x"),
        Target("bytes of the tool event", result["event"]["bytes"], 200, "bytes"),
    ]


def _redaction_targets(result: Result, compared: dict[tuple[str, str, str, str], Comparison]) -> list[Target]:
    """What the call costs without redaction, and how much more with it."""

    def ratio(mode: str, base: str, subject: str, figure: str) -> float | None:
        found = compared.get((mode, base, subject, figure))
        return None if found is None else found.ratio

    pairs = _pairs(result).get(("tight", "floor", "unredacted"))
    slower = median(floor["events_per_s"] / ours["events_per_s"] for floor, ours in pairs) if pairs else None
    name = "sync, redact=False / floor"
    return [
        Target(f"{name}, median, tight", ratio("tight", "floor", "unredacted", "median_ns"), 0.65, "x"),
        Target(f"{name}, p99.9, tight", ratio("tight", "floor", "unredacted", "p999_ns"), 1.1, "x"),
        Target(f"{name}, p99.9, paced", ratio("paced", "floor", "unredacted", "p999_ns"), 1.1, "x"),
        Target(f"{name}, time from the first call to the last line", slower, 0.67, "x"),
        Target(
            "sync / sync, redact=False, median, tight", ratio("tight", "unredacted", "sync", "median_ns"), 1.25, "x"
        ),
    ]


def _start_targets(result: Result) -> list[Target]:
    bare_ms, loggers_ms = (
        median(turn[name] - turn["base"] for turn in result["imports"]) / 1e6 for name in ("deia", "loggers")
    )
    return [
        Target("first call of a process, sync", _first_call_ms(result, "sync"), 5, "ms"),
        Target("first call of a process, awaited", _first_call_ms(result, "awaited"), 5, "ms"),
        Target("`import deia` - `import orjson, logging`", bare_ms, 40, "ms"),
        Target("the same, with both loggers imported from it", loggers_ms, 40, "ms"),
    ]


def _first_call_ms(result: Result, peer: str) -> float | None:
    calls = [run["first_ns"] for run in result["first_calls"] if run["peer"] == peer and run["verified"]]
    return median(calls) / 1e6 if calls else None


def _length_targets(result: Result) -> list[Target]:
    *_, settled, last = result["long_session"]["steps"]
    long, short = last["long"], last["short"]
    span = f"{last['events']:,} events / 10 events"
    copied_ns = short["save_elsewhere_ns"] + long["plain_copy_ns"] + long["sync_of_copy_ns"]
    growth_kib = last["rss_kib"] - settled["rss_kib"] if "rss_kib" in last else None
    memory = f"growth in memory, {settled['events']:,} to {last['events']:,} events"
    return [
        Target(f"get_session_summary(), {span}", long["summary_ns"] / short["summary_ns"], SAME, "x"),
        Target(f"save_session(), idle, {span}", long["save_own_ns"] / short["save_own_ns"], SAME, "x"),
        Target(f"the same elsewhere, {span} and a synced copy", long["save_elsewhere_ns"] / copied_ns, SAME, "x"),
        Target(memory, growth_kib, MEMORY_GROWTH_KIB, "KiB"),
    ]


def losses(result: Result) -> list[str]:
    """Return one sentence for each process whose file did not hold every event exactly once, in order."""
    runs = [
        *((f"{run['peer']}, {run['mode']}, pair {run['pair'] + 1}", run) for run in result["repetitions"]),
        *((f"{run['peer']}, first call", run) for run in result["first_calls"]),
        ("sync, long session", result["long_session"]),
    ]
    told = []
    for name, run in runs:
        if not run["verified"]:
            told.append(f"{name}: {what_is_wrong(run['verification'])}")
    return told


def what_is_wrong(verification: Result) -> str:
    """Say in what a verification failed."""
    counts = ", ".join(f"{verification[key]:,} {key}" for key in WRONG if verification[key])
    return f"{counts} of {verification['calls']:,} calls"
