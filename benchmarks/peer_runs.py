"""`python -m benchmarks peers`: the same event, recorded by what one would otherwise use.

Each figure comes from processes of their own. A round is one process of every peer in every mode, in shuffled order, so
that a slow minute of the machine meets all of them; ratios are taken within a round.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.conditions import conditions
from benchmarks.peers import PEERS, find_peer
from benchmarks.processes import run_to_death, run_verified
from benchmarks.verification import WRONG

Result = dict[str, Any]

_PROBE_CALLS = 300
"""Enough to tell microseconds from milliseconds."""

_FEWEST_CALLS = 1_000
"""Of the slowest peer: its 99.9th percentile is then its maximum but one."""


@dataclass(frozen=True)
class Settings:
    """How much is measured. The default run takes about twenty minutes.

    Attributes:
        rounds: Processes of each peer in each mode.
        calls: Timed calls of a process in the tight loop.
        paced_calls: Timed calls of a process at the paced rate.
        rate: Paced calls per second.
        warmup: Untimed calls before both.
        budget_s: Seconds that the calls of one process may take: a slow peer makes fewer, and the result says how many.
        deaths: Rounds in which processes are killed, and end without closing.
        death_calls: Calls before either; up to a tenth more or fewer, so that batches do not all end alike.
        seed: Of the order within a round, and of the number of calls before a death.
    """

    rounds: int = 5
    calls: int = 50_000
    paced_calls: int = 10_000
    rate: float = 5_000
    warmup: int = 2_000
    budget_s: float = 4.0
    deaths: int = 5
    death_calls: int = 5_000
    seed: int = 20_250_101


QUICK = Settings(rounds=1, calls=300, paced_calls=100, warmup=20, deaths=1, death_calls=200)
"""Enough to see that each peer works; its figures mean nothing."""

_ENDS = {"killed, tight": (True, False), "killed, paced": (True, True), "exited, tight": (False, False)}
"""Name → whether the process is killed, and whether its calls are paced."""


def run(
    settings: Settings,
    directory: Path,
    *,
    peers: list[str] | None = None,
    say: Callable[[str], object],
) -> Result:
    """Measure every peer that can be had here and return the raw result.

    Args:
        settings: How much.
        directory: Where the measured files lie while they are needed.
        peers: Their names, or `module:Class`; all where None. The floor is always measured, for ratios need it.
        say: Told what is being measured.
    """
    chosen = list(dict.fromkeys(["floor", *(PEERS if peers is None else peers)]))
    probes = {peer: _probe(peer, directory, say) for peer in chosen}
    there = {peer: probe["events_per_s"] for peer, probe in probes.items() if "left_out" not in probe}
    conditions_here = conditions(directory)
    conditions_here["versions"] |= _versions(list(there))
    result: Result = {
        "benchmark": "peers",
        "schema": 1,
        "complete": settings == Settings() and peers is None,
        **conditions_here,
        "settings": asdict(settings),
        "labels": {peer: find_peer(peer).label or peer for peer in chosen},
        "durability": {peer: find_peer(peer).durability for peer in there},
        "left_out": {peer: probe["left_out"] for peer, probe in probes.items() if "left_out" in probe},
        "repetitions": [],
        "deaths": [],
    }
    draw = random.Random(settings.seed)
    for number in range(max(settings.rounds, settings.deaths)):
        say(f"round {number + 1} of {max(settings.rounds, settings.deaths)}")
        jobs = [
            *((peer, mode) for peer in there for mode in ("tight", "paced") if number < settings.rounds),
            *((peer, end) for peer in there for end in _ENDS if number < settings.deaths),
        ]
        draw.shuffle(jobs)
        for peer, what in jobs:
            at = {"round": number, "peer": peer}
            if what in _ENDS:
                result["deaths"].append({**at, **_death(peer, what, settings, there[peer], directory, draw)})
            else:
                result["repetitions"].append({**at, **_repetition(peer, what, settings, there[peer], directory)})
    return result


def _probe(peer: str, directory: Path, say: Callable[[str], object]) -> Result:
    """Return what a few calls of a peer told of its speed, or `left_out`: why there will be none.

    Raises:
        CalledProcessError: It is there, and does not work.
        ValueError: It works, and what it left is not what it was given.
    """
    job = {"job": "probe", "peer": peer, "calls": _PROBE_CALLS, "warmup": 1}
    answer = run_verified(job, directory, _PROBE_CALLS + 1)
    if "left_out" in answer:
        say(f"without {peer}: {answer['left_out']}")
    elif not answer["verified"]:
        raise ValueError(f"{peer} does not record what it is given: {answer['verification']}")
    return answer


def _versions(peers: list[str]) -> dict[str, str]:
    needed = {name: version(name) for peer in peers for name in find_peer(peer).needs}
    return {**dict(sorted(needed.items())), "SQLite": sqlite3.sqlite_version}


def _calls(wanted: int, settings: Settings, events_per_s: float) -> int:
    """Return how many calls fit into the budget."""
    return min(wanted, max(_FEWEST_CALLS, round(settings.budget_s * events_per_s)))


def _repetition(peer: str, mode: str, settings: Settings, events_per_s: float, directory: Path) -> Result:
    rate = settings.rate if mode == "paced" else None
    calls = _calls(settings.paced_calls if rate else settings.calls, settings, events_per_s)
    warmup = min(settings.warmup, calls // 10)
    job = {"job": "repetition", "peer": peer, "calls": calls, "warmup": warmup, "rate": rate}
    return {"mode": mode, "events": calls, "warmup": warmup, **run_verified(job, directory, warmup + calls)}


def _death(
    peer: str, end: str, settings: Settings, events_per_s: float, directory: Path, draw: random.Random
) -> Result:
    kill, paced = _ENDS[end]
    calls = round(_calls(settings.death_calls, settings, events_per_s) * draw.uniform(0.9, 1.1))
    job = {"job": "death", "peer": peer, "calls": calls, "rate": settings.rate if paced else None, "kill": kill}
    found = run_to_death(job, directory)
    return {"end": end, "acknowledged": calls, **{wrong: getattr(found, wrong) for wrong in WRONG}}
