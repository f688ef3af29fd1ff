"""`python -m benchmarks overhead`: what a log call costs its caller, against the floor, in one run.

Every figure comes from processes of their own, and every ratio from a pair of them run back to back.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.conditions import conditions
from benchmarks.peers import find_peer
from benchmarks.processes import run_child, run_python, run_verified, workplace
from deia.options import Options

TIGHT = [
    *(("floor", "sync"), ("sync", "awaited"), ("floor", "awaited"), ("floor", "original")),
    *(("floor", "unredacted"), ("unredacted", "sync")),
]
"""Pairs in the tight loop: base and subject."""

PACED = [("floor", "sync"), ("floor", "unredacted"), ("floor", "awaited"), ("floor", "original")]
"""Pairs at the paced rate."""


@dataclass(frozen=True)
class Settings:
    """How much is measured. The default run takes about seven minutes.

    Attributes:
        pairs: Pairs of processes per comparison.
        calls: Timed calls of a process in the tight loop.
        paced_calls: Timed calls of a process at the paced rate; 15 of them lie beyond the 99.9th percentile.
        rate: Paced calls per second.
        warmup: Untimed calls before both.
        starts: Processes per peer whose first call is timed, and pairs of processes whose imports are.
        start_calls: Paced calls after a first call: half a second, in which the background starts.
        sizes: Events at which one growing session is looked at, beside a session of ten.
        looks: Timed summaries and saves at each size.
        copies: Timed saves to another directory at each size.
        seed: Of the order of pairs and of the two within one.
    """

    pairs: int = 11
    calls: int = 100_000
    paced_calls: int = 15_000
    rate: float = 5_000
    warmup: int = 2_000
    starts: int = 11
    start_calls: int = 2_500
    sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    looks: int = 501
    copies: int = 5
    seed: int = 20_250_101


QUICK = Settings(
    pairs=1,
    calls=2_000,
    paced_calls=200,
    warmup=200,
    starts=1,
    start_calls=50,
    sizes=(500, 1_000, 2_000),
    looks=3,
    copies=1,
)
"""Enough to see that all parts work; its figures mean nothing."""

Result = dict[str, Any]


def run(
    settings: Settings,
    directory: Path,
    *,
    own_peers: list[str] | None = None,
    say: Callable[[str], object],
) -> Result:
    """Measure everything and return the raw result.

    Args:
        settings: How much.
        directory: Where the measured files lie while they are needed.
        own_peers: Further peers as `module:Class`, each compared with the floor.
        say: Told what is being measured.
    """
    own = [("floor", peer) for peer in own_peers or []]
    result: Result = {
        "benchmark": "overhead",
        "schema": 1,
        "complete": settings == Settings(),
        **conditions(directory),
        "settings": asdict(settings),
        "options": _shipped_options(),
        "durability": {peer: find_peer(peer).durability for peer in sorted(set(chain.from_iterable(TIGHT + own)))},
        "event": _sample(directory),
    }
    shuffle = random.Random(settings.seed).shuffle
    result["repetitions"] = list(
        chain(
            _pairs(settings, directory, "tight", TIGHT + own, shuffle, say),
            _pairs(settings, directory, "paced", PACED + own, shuffle, say),
        )
    )
    say("the first call of a process")
    result["first_calls"] = _first_calls(settings, directory)
    say("imports")
    result["imports"] = _imports(settings, shuffle)
    say(f"a session of {settings.sizes[-1]:,} events")
    result["long_session"] = _long_session(settings, directory)
    return result


def _pairs(
    settings: Settings,
    directory: Path,
    mode: str,
    comparisons: list[tuple[str, str]],
    shuffle: Callable[[list[Any]], None],
    say: Callable[[str], object],
) -> list[Result]:
    """Run every comparison `pairs` times, interleaved, so that a slow minute of the machine meets all of them."""
    rate = settings.rate if mode == "paced" else None
    calls = settings.paced_calls if rate else settings.calls
    repetitions = []
    for pair in range(settings.pairs):
        say(f"{mode}, pair {pair + 1} of {settings.pairs}")
        shuffle(order := list(comparisons))
        for base, subject in order:
            shuffle(peers := [base, subject])
            for peer in peers:
                job = {"job": "repetition", "peer": peer, "calls": calls, "warmup": settings.warmup, "rate": rate}
                answer = run_verified(job, directory, settings.warmup + calls)
                where = {"mode": mode, "base": base, "subject": subject, "pair": pair, "peer": peer, "events": calls}
                repetitions.append({**where, **answer})
    return repetitions


def _first_calls(settings: Settings, directory: Path) -> list[Result]:
    found = []
    for _ in range(settings.starts):
        for peer in ("sync", "awaited"):
            job = {"job": "first_call", "peer": peer, "calls": settings.start_calls, "rate": settings.rate}
            found.append({"peer": peer, **run_verified(job, directory, settings.start_calls + 1)})
    return found


_IMPORTS = {
    "base": "import orjson, logging",
    "deia": "import deia",
    "loggers": "from deia import SessionLogger, AsyncSessionLogger",
}


def _imports(settings: Settings, shuffle: Callable[[list[Any]], None]) -> list[dict[str, int]]:
    """Time each import in fresh processes, in turn; the first turn compiles and is thrown away."""
    rounds = []
    for _ in range(settings.starts + 1):
        shuffle(order := list(_IMPORTS))
        rounds.append({name: _import_ns(_IMPORTS[name]) for name in order})
    return rounds[1:]


def _import_ns(statement: str) -> int:
    return int(run_python(f"from time import perf_counter_ns as c; a = c()\n{statement}\nprint(c() - a)"))


def _long_session(settings: Settings, directory: Path) -> Result:
    job = {
        "job": "long_session",
        "peer": "sync",
        "sizes": settings.sizes,
        "looks": settings.looks,
        "copies": settings.copies,
    }
    return run_verified(job, directory, settings.sizes[-1])


def _shipped_options() -> Result:
    return asdict(Options())


def _sample(directory: Path) -> Result:
    """Return a line as the sync logger writes it, and its size."""
    job = {"job": "repetition", "peer": "sync", "calls": 11, "warmup": 0, "rate": None}
    with workplace(directory) as place:
        path = Path(run_child({**job, "directory": str(place)})["path"])
        line = path.read_bytes().splitlines(keepends=True)[-1]
    return {"line": line.decode(), "bytes": len(line)}
