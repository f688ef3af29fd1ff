"""`python -m benchmarks bus`: what it costs to publish, and how long an event takes to its handlers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.buses import BUSES
from benchmarks.conditions import conditions
from benchmarks.processes import run_child, workplace
from benchmarks.tables import circumstances, table
from benchmarks.timing import percentile

Result = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        rounds: Processes of each bus, for each number of subscribers, in each of the two ways.
        deliveries: Events times subscribers, in the tight loop; so many at the most.
        events: Events of the tight loop at the most.
        paced: Events at a rate.
        rate: Events per second, where delays are measured: a busy agent's.
        subscribers: How many there are; with none, only what publishing costs is measured.
        seed: Of the order within a round.
    """

    rounds: int = 5
    deliveries: int = 100_000
    events: int = 20_000
    paced: int = 400
    rate: float = 200.0
    subscribers: tuple[int, ...] = (0, 1, 10, 100)
    seed: int = 20_250_101


QUICK = Settings(rounds=1, deliveries=400, events=200, paced=20)


def run(
    settings: Settings, directory: Path, *, only: list[str] | None = None, say: Callable[[str], None] = lambda _: None
) -> Result:
    """Measure each bus in processes of its own, in rounds of shuffled order.

    Args:
        settings: How much.
        directory: Where the files of those that record lie while they are needed.
        only: Names of the buses; all without.
        say: Told how far it is.
    """
    names = [name for name in BUSES if only is None or name in only]
    jobs = [(name, count) for name in names for count in settings.subscribers]
    found: dict[tuple[str, int], dict[str, list[Result]]] = {job: {"tight": [], "paced": []} for job in jobs}
    left_out: dict[str, str] = {}
    shuffle = random.Random(settings.seed).shuffle
    for number in range(settings.rounds):
        say(f"round {number + 1} of {settings.rounds}")
        shuffle(jobs)
        for name, count in jobs:
            if name not in left_out:
                _measure(name, count, settings, directory, found[name, count], left_out)
    rows = [_row(name, count, ways) for (name, count), ways in found.items() if name not in left_out]
    return {
        "schema": 1,
        "benchmark": "bus",
        "complete": settings == Settings() and only is None and not left_out,
        **conditions(directory),
        "settings": asdict(settings),
        "left_out": left_out,
        "rows": sorted(rows, key=lambda row: (row["subscribers"], list(BUSES).index(row["bus"]))),
    }


def _measure(
    name: str,
    count: int,
    settings: Settings,
    directory: Path,
    ways: dict[str, list[Result]],
    left_out: dict[str, str],
) -> None:
    """Run one bus in both ways, in a process each."""
    part = BUSES[name].part
    tight = min(settings.events, settings.deliveries // max(1, count))
    for way, events, rate in (("tight", tight, None), ("paced", settings.paced, settings.rate)):
        if way == "paced" and not count:
            return  # nobody for whom there would be a delay
        job = {"job": "bus", "bus": name, "subscribers": count, "events": max(1, events // part), "rate": rate}
        with workplace(directory) as place:
            answer = run_child({**job, "directory": str(place)})
        if "left_out" in answer:
            left_out[name] = answer["left_out"]
            return
        ways[way].append({**answer, "events": job["events"]})


def _row(name: str, subscribers: int, ways: dict[str, list[Result]]) -> Result:
    """Return the figures of one bus: the median of its rounds' throughput; delays and calls of all rounds together."""
    delays = sorted(delay for answer in ways["paced"] for delay in answer["delay_ns"]) or [None]
    calls = sorted(call for answer in ways["tight"] for call in answer["publish_ns"])
    return {
        "bus": name,
        "label": BUSES[name].label,
        "records": BUSES[name].records,
        "subscribers": subscribers,
        "events_per_s": round(median(answer["events"] / answer["elapsed_s"] for answer in ways["tight"])),
        "publish_p50_ns": percentile(calls, 0.5),
        "publish_p99_ns": percentile(calls, 0.99),
        "delay_p50_ns": percentile(delays, 0.5),
        "delay_p99_ns": percentile(delays, 0.99),
        "delay_max_ns": delays[-1],
    }


def tables(result: Result) -> str:
    """Return the figures of a result."""
    parts = [
        circumstances(result),
        "" if result["complete"] else "Not a complete run: the figures mean less, or nothing.",
        table(
            [
                *("Bus", "in a file", "subscribers", "events/s", "publish, median µs", "p99 µs"),
                *("to handler, median ms", "p99 ms", "max ms"),
            ],
            (
                [
                    row["label"],
                    "yes" if row["records"] else "no",
                    str(row["subscribers"]),
                    f"{row['events_per_s']:,}",
                    *(f"{row[name] / 1e3:,.1f}" for name in ("publish_p50_ns", "publish_p99_ns")),
                    *(_milliseconds(row[name]) for name in ("delay_p50_ns", "delay_p99_ns", "delay_max_ns")),
                ]
                for row in result["rows"]
            ),
            left=2,
        ),
        *(f"Left out: {BUSES[name].label}: {why}." for name, why in result["left_out"].items()),
    ]
    return "\n\n".join(filter(None, parts))


def _milliseconds(nanoseconds: int | None) -> str:
    return "" if nanoseconds is None else f"{nanoseconds / 1e6:,.3f}"
