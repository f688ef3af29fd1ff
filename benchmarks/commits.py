"""`python -m benchmarks compare REF1 REF2`: the calls of two commits, in pairs of processes, by the same loops.

Each commit's package is taken out of git beside the checkout, and measured by the benchmarks of the checkout. The two
processes of a pair run back to back, in shuffled order, so the ratio says more than two results of different days do.
"""

from __future__ import annotations

import io
import random
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import instructions
from benchmarks.conditions import ROOT, conditions
from benchmarks.processes import run_verified, workplace
from benchmarks.tables import circumstances, microseconds, table

Result = dict[str, Any]

PEERS = ("sync", "unredacted", "awaited")
FIGURES = {"median_ns": "median", "p99_ns": "p99", "p999_ns": "p99.9"}


class NoSuchCommitError(Exception):
    """Git does not know it, or there is no package in it."""


@dataclass(frozen=True)
class Settings:
    """How much is measured. The default run takes about three minutes.

    Attributes:
        pairs: Pairs of processes for each peer and mode.
        calls: Timed calls of a process in the tight loop.
        paced_calls: Timed calls of a process at the paced rate.
        rate: Paced calls per second.
        warmup: Untimed calls before both.
        seed: Of the order.
    """

    pairs: int = 11
    calls: int = 50_000
    paced_calls: int = 5_000
    rate: float = 5_000
    warmup: int = 2_000
    seed: int = 20_250_101


QUICK = Settings(pairs=1, calls=500, paced_calls=100, warmup=50)
"""Enough to see that it works; its figures mean nothing."""


def run(before: str, after: str, settings: Settings, directory: Path, *, say: Callable[[str], object]) -> Result:
    """Measure two commits and return the raw result.

    Args:
        before: A commit, as git takes it.
        after: Another.
        settings: How much.
        directory: Where the packages and the measured files lie meanwhile.
        say: Told what is being measured.

    Raises:
        NoSuchCommitError: Git does not know one of them, or it has no package.
    """
    with workplace(directory) as place:
        sides = {side: _export(commit, place / side) for side, commit in (("before", before), ("after", after))}
        left_out = {}
        for peer in PEERS:
            for side, package in sides.items():
                probe = {"job": "probe", "peer": peer, "calls": 20, "warmup": 1}
                answer = run_verified(probe, directory, 21, environment=_environment(package))
                if "left_out" in answer:
                    left_out[peer] = f"{side}: {answer['left_out']}"
        peers = [peer for peer in PEERS if peer not in left_out]
        repetitions = []
        shuffle = random.Random(settings.seed).shuffle
        for pair in range(settings.pairs):
            say(f"pair {pair + 1} of {settings.pairs}")
            shuffle(jobs := [(mode, peer) for mode in ("tight", "paced") for peer in peers])
            for mode, peer in jobs:
                shuffle(order := list(sides))
                for side in order:
                    measured = _repetition(settings, mode, peer, directory, sides[side])
                    repetitions.append({"pair": pair, "mode": mode, "peer": peer, "side": side, **measured})
        counts: dict[str, dict[str, int]] = {}
        try:
            for peer in filter(peers.__contains__, instructions.PEERS):
                say(f"instructions of {peer}")
                few = instructions.QUICK if settings == QUICK else instructions.Settings()
                counts[peer] = {
                    side: instructions.count(peer, few, directory, _environment(package))
                    for side, package in sides.items()
                }
        except instructions.NoValgrindError as error:
            say(f"without instructions: {error}")
    return {
        "benchmark": "commits",
        "schema": 1,
        "complete": settings == Settings(),
        **conditions(directory),
        "before": {"ref": before, "commit": _commit(before)},
        "after": {"ref": after, "commit": _commit(after)},
        "settings": asdict(settings),
        "left_out": left_out,
        "repetitions": repetitions,
        "instructions": counts,
    }


def _repetition(settings: Settings, mode: str, peer: str, directory: Path, package: Path) -> Result:
    rate = settings.rate if mode == "paced" else None
    calls = settings.paced_calls if rate else settings.calls
    job = {"job": "repetition", "peer": peer, "calls": calls, "warmup": settings.warmup, "rate": rate}
    return run_verified(job, directory, settings.warmup + calls, environment=_environment(package))


def _environment(package: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(package)}


def _export(commit: str, place: Path) -> Path:
    """Write a commit's package under a directory, and return what belongs onto the path of a process."""
    command = ["git", "archive", "--format=zip", "-0", _commit(commit), "src"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if made.returncode:
        raise NoSuchCommitError(f"there is no package in {commit}: {made.stderr.decode().strip()}")
    with zipfile.ZipFile(io.BytesIO(made.stdout)) as archive:
        archive.extractall(place)
    return place / "src"


def _commit(ref: str) -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise NoSuchCommitError(f"git knows no commit {ref}")
    return found.stdout.strip()


def failures(result: Result) -> list[str]:
    """Return one sentence for each process whose file did not hold every event exactly once."""
    return [
        f"{run['side']}, {run['mode']}, {run['peer']}, pair {run['pair'] + 1}: {run['verification']}"
        for run in result["repetitions"]
        if not run["verified"]
    ]


def tables(result: Result) -> str:
    """Return each figure of both commits, and the second relative to the first, pair by pair."""
    rows = []
    for mode in ("tight", "paced"):
        for peer in PEERS:
            pairs: dict[int, dict[str, Result]] = {}
            for run in result["repetitions"]:
                if run["verified"] and (run["mode"], run["peer"]) == (mode, peer):
                    pairs.setdefault(run["pair"], {})[run["side"]] = run
            whole = [pair for pair in pairs.values() if len(pair) == 2]
            for figure, name in FIGURES.items() if whole else ():
                found = [pair["after"][figure] / pair["before"][figure] for pair in whole]
                sides = (median(pair[side][figure] for pair in whole) for side in ("before", "after"))
                shown = (f"{ratio:.3f}" for ratio in (median(found), min(found), max(found)))
                rows.append([f"{mode}, {peer}", name, *map(microseconds, sides), *shown])
    counts = [
        [peer, f"{sides['before']:,}", f"{sides['after']:,}", f"{sides['after'] / sides['before']:.3f}"]
        for peer, sides in result["instructions"].items()
    ]
    named = (f"{side}: {result[side]['ref']} ({result[side]['commit'][:12]})" for side in ("before", "after"))
    lost = failures(result)
    parts = [
        ", ".join(named),
        circumstances(result),
        "" if result["complete"] else "Not a complete run: the figures mean less, or nothing.",
        table(["Caller's side, µs", "figure", "before", "after", "after / before", "from", "to"], rows),
        table(["Instructions of one call", "before", "after", "after / before"], counts) if counts else "",
        "\n".join(f"Left out: {peer}; {why}." for peer, why in result["left_out"].items()),
        "\n".join(["LOST, and left out:", *(f"- {sentence}" for sentence in lost)]) if lost else "",
    ]
    return "\n\n".join(filter(None, parts))
