"""How long it takes to find out where the time of a long session went, beside what one would otherwise use."""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from importlib import import_module, metadata
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.analysts import ANALYSTS, IMPORTS, SLOW, USES_PROCESSORS, VERSIONED, differences
from benchmarks.conditions import conditions
from benchmarks.peers import LeftOutError
from benchmarks.processes import run_child, workplace
from benchmarks.session_log import write_log
from benchmarks.tables import circumstances, table

Result = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        bytes: Size of the log.
        rounds: Processes of each analyst on each number of processors, in shuffled order; of slow ones one in all.
        seed: Of the log.
    """

    bytes: int = 1_000_000_000
    rounds: int = 5
    seed: int = 1


QUICK = Settings(bytes=3_000_000, rounds=1)
"""Does it work? The figures mean nothing."""

_DEIA = "deia"

_LONGEST_S = 1_800
"""On a busy machine the slowest takes a third of that."""


def run(
    settings: Settings, directory: Path, *, only: Collection[str] | None = None, say: Callable[[str], None] = print
) -> Result:
    """Write a log, have everyone analyse it, and compare what they found.

    Args:
        settings: How much is measured.
        directory: Where the log lies meanwhile.
        only: Who takes part, beside ours; None for everyone.
        say: Told of each step.
    """
    with workplace(directory) as place:
        log = place / "session.jsonl"
        say(f"a log of {settings.bytes:,} bytes")
        lines = write_log(log, settings.bytes, seed=settings.seed)
        left_out: dict[str, str] = {}
        runs: list[Result] = []
        for number in range(settings.rounds):
            for analyst, processors in _in_shuffled_order(number):
                if analyst in left_out or (only is not None and analyst not in {_DEIA, *only}):
                    continue
                say(f"round {number + 1} of {settings.rounds}: {analyst}, {processors} processors")
                job = {"job": "analysis", "analyst": analyst, "processors": processors, "path": str(log)}
                answer = run_child(job, timeout_s=_LONGEST_S)
                if "left_out" in answer:
                    left_out[analyst] = answer["left_out"]
                    continue
                runs.append({"round": number + 1, "analyst": analyst, "processors": processors, **answer})
    mine = next(run["figures"] for run in runs if run["analyst"] == _DEIA)
    for measured in runs:
        measured["differences"] = differences(mine, measured.pop("figures"))
    found = conditions(directory)
    used = [name for name in VERSIONED if any(one["analyst"] == name for one in runs)]
    found["versions"] |= {name: metadata.version(name) for name in ("msgspec", *used)}
    return {
        "benchmark": "analysis",
        "schema": 1,
        "complete": settings == Settings() and only is None,
        **found,
        "settings": asdict(settings),
        "lines": lines,
        "left_out": left_out,
        "figures": mine,
        "runs": runs,
    }


def _in_shuffled_order(number: int) -> list[tuple[str, int]]:
    every = processors()
    names = [name for name in ANALYSTS if number == 0 or name not in SLOW]
    jobs = [(name, count) for name in names for count in (every if name in USES_PROCESSORS else every[:1])]
    random.Random(number).shuffle(jobs)
    return jobs


def processors() -> list[int]:
    """Return on how many processors everyone is measured: 1, 2, 4 and so on, and all there are."""
    all_of_them = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    doubled = [1 << power for power in range(all_of_them.bit_length()) if 1 << power < all_of_them]
    return [*doubled, all_of_them]


def measure(job: Result) -> Result:
    """Do one analyst's work once, in this process: what `benchmarks.child` does for `run`."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: job["processors"]])
    analyst, path = ANALYSTS[job["analyst"]], Path(job["path"])
    os.environ["POLARS_MAX_THREADS"] = str(job["processors"])  # it looks when it is imported
    try:
        if job["analyst"] in IMPORTS:
            import_module(IMPORTS[job["analyst"]])
    except ModuleNotFoundError as error:
        return {"left_out": f"{error.name} is not installed"}
    before = perf_counter()
    try:
        figures = analyst(path, job["processors"])
    except LeftOutError as error:
        return {"left_out": str(error)}
    return {
        "seconds": round(perf_counter() - before, 4),
        "memory_mib": round(_peak_mib(job["processors"] if job["analyst"] == _DEIA else 1), 1),
        "figures": figures,
    }


def _peak_mib(children: int) -> float:
    """Return the most memory that this process had, and its largest child, for each there may have been at once."""
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    own, child = (resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own + children * child


def failures(result: Result) -> list[str]:
    """Return every answer that is not ours."""
    return [
        f"{run['analyst']}, {run['processors']} processors, round {run['round']}: {difference}"
        for run in result["runs"]
        for difference in run["differences"]
    ]


def tables(result: Result) -> str:
    """Return a result as tables: who takes how long, and what the ratios to DuckDB are, round by round."""
    size = result["settings"]["bytes"]
    rows = []
    for analyst in ANALYSTS:
        for count in sorted({run["processors"] for run in result["runs"] if run["analyst"] == analyst}):
            found = [run for run in result["runs"] if (run["analyst"], run["processors"]) == (analyst, count)]
            seconds = statistics.median(run["seconds"] for run in found)
            ratios = _ratios(result, analyst, count, "duckdb", count)
            rows.append(
                [
                    analyst,
                    str(count),
                    f"{seconds:.2f}",
                    f"{size / seconds / 1e6:,.0f}",
                    f"{statistics.median(ratios):.2f}" if ratios else "-",
                    f"{max(run['memory_mib'] for run in found):,.0f}",
                    "no" if any(run["differences"] for run in found) else "yes",
                ]
            )
    head = [f"{size / 1e6:,.0f} MB", "processors", "seconds", "MB/s", "/ DuckDB", "MiB", "same figures"]
    speedups = [
        f"{_DEIA} on {count} processors, times as fast as on 1: {statistics.median(found):.2f}"
        for count in sorted({run["processors"] for run in result["runs"]})[1:]
        if (found := _ratios(result, _DEIA, 1, _DEIA, count))
    ]
    parts = [
        circumstances(result),
        "" if result["complete"] else "Not a complete run: the figures mean less, or nothing.",
        table(head, rows),
        "\n".join(speedups),
        "\n".join(f"Left out: {name}, for {why}." for name, why in result["left_out"].items()),
        "\n".join(f"Not the same: {failure}" for failure in failures(result)),
    ]
    return "\n\n".join(filter(None, parts))


def _ratios(result: Result, analyst: str, count: int, base: str, base_count: int) -> list[float]:
    """Return times as ratios to another's, within each round: a slow minute meets both."""
    by_round = {(run["analyst"], run["processors"], run["round"]): run["seconds"] for run in result["runs"]}
    rounds = sorted({run["round"] for run in result["runs"]})
    return [
        by_round[analyst, count, number] / by_round[base, base_count, number]
        for number in rounds
        if (analyst, count, number) in by_round and (base, base_count, number) in by_round
    ]
