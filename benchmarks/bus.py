"""`python -m benchmarks bus`: what it costs to publish, and how long an event takes to its handlers."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.buses import BUSES
from benchmarks.conditions import ROOT, conditions
from benchmarks.processes import workplace
from benchmarks.timing import percentile

_TIMEOUT_S = 300


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        rounds: Processes of each bus, for each number of subscribers, in each of the two ways.
        deliveries: Events times subscribers, in the tight loop; so many events at the most.
        events: Events of the tight loop at the most.
        paced: Events at a rate.
        rate: Events per second, where delays are measured: a busy agent's.
        subscribers: How many there are.
    """

    rounds: int = 5
    deliveries: int = 100_000
    events: int = 20_000
    paced: int = 400
    rate: float = 200.0
    subscribers: tuple[int, ...] = (1, 10, 100)


QUICK = Settings(rounds=1, deliveries=400, events=200, paced=20)


def run(
    settings: Settings, directory: Path, *, only: list[str] | None = None, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Measure each bus in processes of its own, in rounds of shuffled order."""
    names = [name for name in BUSES if only is None or name in only]
    jobs = [(name, count) for name in names for count in settings.subscribers]
    found: dict[tuple[str, int], dict[str, list[Any]]] = {job: {"tight": [], "paced": []} for job in jobs}
    missing: set[str] = set()
    for number in range(settings.rounds):
        say(f"round {number + 1} of {settings.rounds}")
        random.shuffle(jobs)
        for name, count in jobs:
            if name in missing:
                continue
            part = BUSES[name].part
            events = min(settings.events, settings.deliveries // count)
            for way, job in (
                ("tight", {"events": max(1, events // part)}),
                ("paced", {"events": max(1, settings.paced // part), "rate": settings.rate}),
            ):
                answer = _run({**job, "bus": name, "subscribers": count}, directory)
                if "missing" in answer:
                    missing.add(name)
                    break
                found[name, count][way].append({**answer, "events": job["events"]})
    rows = [_row(name, count, ways) for (name, count), ways in found.items() if ways["paced"]]
    return {
        "benchmark": "bus",
        **conditions(directory),
        "settings": asdict(settings),
        "missing": sorted(missing),
        "rows": sorted(rows, key=lambda row: (row["subscribers"], list(BUSES).index(row["bus"]))),
    }


def _run(job: dict[str, Any], directory: Path) -> dict[str, Any]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("DEIA_")}
    with workplace(directory) as place:
        command = [sys.executable, "-m", "benchmarks.buses", orjson.dumps({**job, "directory": str(place)}).decode()]
        done = subprocess.run(command, cwd=ROOT, env=plain, stdout=subprocess.PIPE, timeout=_TIMEOUT_S, check=True)
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


def _row(name: str, subscribers: int, ways: dict[str, list[Any]]) -> dict[str, Any]:
    """Return the figures of one bus: the median of its rounds' throughput; delays and calls of all rounds together."""
    delays = sorted(delay for answer in ways["paced"] for delay in answer["delay_ns"])
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


def table(result: dict[str, Any]) -> str:
    """Return the figures as a table in Markdown."""
    lines = [
        "| Subscribers | Bus | Recorded | Events per second | `publish`, median | 99 % | To handler | 99 % | Longest |",
        "| --: | --- | --- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in result["rows"]:
        micros = [f"{row[name] / 1000:,.1f} µs" for name in ("publish_p50_ns", "publish_p99_ns")]
        millis = [f"{row[name] / 1e6:,.3f} ms" for name in ("delay_p50_ns", "delay_p99_ns", "delay_max_ns")]
        cells = [
            *(str(row["subscribers"]), row["label"], "yes" if row["records"] else "no", f"{row['events_per_s']:,}"),
            *micros,
            *millis,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if result["missing"]:
        lines.append(f"\nNot installed: {', '.join(result['missing'])}")
    return "\n".join(lines)
