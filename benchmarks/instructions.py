"""`python -m benchmarks instructions`: how many instructions a log call takes, counted by valgrind's callgrind.

A count is the same on a busy machine and on an idle one, within a hundredth, so that it can guard what a clock cannot.
It knows nothing of the kernel and of caches: what a call costs is measured by `overhead`.

Counted is the calling thread alone, from the difference of two processes, one of which makes more calls: imports,
opening and closing cancel out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.conditions import ROOT, conditions
from benchmarks.processes import plain_environment, workplace
from benchmarks.tables import circumstances, table, title
from deia import system

Result = dict[str, Any]

BASE = "bare"
"""What the counts are taken relative to: one encoding, one copy. It moves with the interpreter and with orjson."""

PEERS = ("sync", "unredacted")
"""Whose calls are counted."""

DRIFT = 1.05
"""By how much a count may be above the recorded one, relative to the base, before the guard speaks up."""

ATTEMPTS = 3
"""How often it is counted until nothing has drifted: an import that the background does in one process, and the calling
thread in the other, is no drift."""

_TIMEOUT_S = 600


@dataclass(frozen=True)
class Settings:
    """How much is counted.

    Attributes:
        few: Calls of the one process.
        many: Calls of the other.
    """

    few: int = 500
    many: int = 4_500


QUICK = Settings(few=20, many=120)
"""Enough to see that it works."""


class NoValgrindError(Exception):
    """There is no valgrind here."""


def run(settings: Settings, directory: Path, *, say: Callable[[str], object]) -> Result:
    """Count and return the raw result.

    Args:
        settings: How much.
        directory: Where the files lie meanwhile.
        say: Told what is being counted.

    Raises:
        NoValgrindError: It is not installed.
    """
    peers = (BASE, *PEERS)
    say(f"instructions of {', '.join(peers)}")
    with ThreadPoolExecutor(system.usable_processors()) as pool:  # beside one another: a count is no time
        counts = dict(zip(peers, pool.map(lambda peer: count(peer, settings, directory), peers), strict=True))
    return {
        "benchmark": "instructions",
        "schema": 1,
        "complete": settings == Settings(),
        **conditions(directory),
        "settings": asdict(settings),
        "instructions": counts,
    }


def count(peer: str, settings: Settings, directory: Path, environment: Mapping[str, str] | None = None) -> int:
    """Return how many instructions one call of a peer takes in its thread.

    Args:
        peer: Whose.
        settings: Between which numbers of calls.
        directory: Where the files lie meanwhile.
        environment: What the processes get, beside what every measured one gets.

    Raises:
        NoValgrindError: It is not installed.
        CalledProcessError: The peer does not work under it.
    """
    few, many = (_total(peer, calls, directory, environment or {}) for calls in (settings.few, settings.many))
    return round((many - few) / (settings.many - settings.few))


def _total(peer: str, calls: int, directory: Path, environment: Mapping[str, str]) -> int:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise NoValgrindError("valgrind is not installed")
    with workplace(directory) as place:
        job = {"job": "calls", "peer": peer, "calls": calls, "directory": str(place)}
        counted = place / "callgrind"
        subprocess.run(
            [
                *(valgrind, "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={counted}"),
                *(sys.executable, "-m", "benchmarks.child", orjson.dumps(job).decode()),
            ],
            cwd=ROOT,
            # no byte code of the first process, or the second one would be spared what the first had to compile
            env={**plain_environment(), **environment, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=True,
        )
        for line in Path(f"{counted}-01").read_text().splitlines():
            name, _, total = line.partition(":")
            if name == "totals":
                return int(total)
    raise ValueError("callgrind has counted nothing")


def ratios(result: Result) -> dict[str, float]:
    """Return each peer's count relative to the base's."""
    counts = result["instructions"]
    return {peer: counts[peer] / counts[BASE] for peer in counts if peer != BASE}


def drifted(result: Result, recorded: Result) -> list[str]:
    """Return a sentence for each peer whose calls take more than was recorded, the drift allowed."""
    now, before = ratios(result), ratios(recorded)
    return [
        f"{peer}: {now[peer]:.3f} times the instructions of {BASE}, {before[peer]:.3f} were recorded "
        f"(at commit {(recorded['commit'] or 'none')[:12]}); up to {before[peer] * DRIFT:.3f} is allowed"
        for peer in before
        if now[peer] > before[peer] * DRIFT
    ]


def tables(results: list[Result]) -> str:
    """Return results as one table, a row for each interpreter."""
    rows = []
    for result in results:
        counts, relative = result["instructions"], ratios(result)
        rows.append(
            [title(result), f"{counts[BASE]:,}", *(f"{counts[peer]:,} ({relative[peer]:.2f} x)" for peer in PEERS)]
        )
    return f"{table(['Instructions of one call', BASE, *PEERS], rows)}\n\n{circumstances(results[0])}"
