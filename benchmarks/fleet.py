"""`python -m benchmarks fleet`: thousands of sessions, asked and exported."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.conditions import conditions
from benchmarks.fleet_jobs import WAYS
from benchmarks.processes import run_child, workplace
from benchmarks.session_log import AGENT, write_log
from benchmarks.tables import circumstances, table

Result = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        sessions: How many there are.
        bytes: Size of all of them together.
        odd_every: Each so-manieth was cut in the middle of its last line, as a loss of power leaves it.
        streamed_every: Each so-manieth is exported to the formats that are written session by session.
        rounds: Processes of each way, in shuffled order.
        seed: Of the sessions, and of the order.
    """

    sessions: int = 1_000
    bytes: int = 1_000_000_000
    odd_every: int = 50
    streamed_every: int = 1
    rounds: int = 3
    seed: int = 1


FULL = Settings(sessions=10_000, bytes=10_000_000_000, streamed_every=10, rounds=1)
"""What is recorded and published; it takes some 30 GB of disk and half an hour."""

QUICK = Settings(sessions=12, bytes=400_000, odd_every=5, rounds=1)
"""Does it work? The figures mean nothing."""

_LONGEST_S = 3 * 3_600


def run(
    settings: Settings, directory: Path, *, only: Collection[str] | None = None, say: Callable[[str], None] = print
) -> Result:
    """Write the sessions, have each way read them, and compare the answers.

    Args:
        settings: How much is measured.
        directory: Where the sessions lie meanwhile.
        only: Which ways; None for all.
        say: Told of each step.
    """
    runs: list[Result] = []
    left_out: dict[str, str] = {}
    with workplace(directory) as place:
        say(f"{settings.sessions:,} sessions of {settings.bytes:,} bytes")
        lines = write_fleet(place / "sessions", settings)
        for number in range(settings.rounds):
            ways = [way for way in WAYS if only is None or way in only]
            random.Random(settings.seed + number).shuffle(ways)
            for way in ways:
                if way in left_out:
                    continue
                say(f"round {number + 1} of {settings.rounds}: {way}")
                with workplace(place) as scratch:
                    job = {
                        "job": "fleet",
                        "way": way,
                        "directory": str(place / "sessions"),
                        "out": str(scratch / "out"),
                        "streamed_every": settings.streamed_every,
                    }
                    answer = run_child(job, timeout_s=_LONGEST_S)
                if "left_out" in answer:
                    left_out[way] = answer["left_out"]
                else:
                    runs.append({"round": number + 1, "way": way, **answer})
    answers = {run["way"]: run.pop("answer") for run in runs}
    found = conditions(directory)
    if find_spec("duckdb") is not None:
        found["versions"]["duckdb"] = metadata.version("duckdb")
    return {
        "benchmark": "fleet",
        "schema": 1,
        "complete": settings in (FULL, Settings()) and only is None and not left_out,
        **found,
        "settings": asdict(settings),
        "lines": lines,
        "left_out": left_out,
        "answers": answers,
        "runs": runs,
    }


def write_fleet(directory: Path, settings: Settings) -> int:
    """Write sessions of very different lengths, most of them short; return how many lines they have."""
    directory.mkdir()
    rng = random.Random(settings.seed)
    shares = [rng.lognormvariate(0, 1) for _ in range(settings.sessions)]
    whole = sum(shares)
    lines = 0
    for number, share in enumerate(shares, start=1):
        name = f"{number:06d}"
        path = directory / f"{AGENT}_{name}.jsonl"
        lines += write_log(path, round(settings.bytes * share / whole), seed=settings.seed + number, session=name)
        if number % settings.odd_every == 0:
            with path.open("rb+") as file:
                file.truncate(path.stat().st_size - 9)
            lines -= 1
    return lines


def failures(result: Result) -> list[str]:
    """Return every answer that is another than ours."""
    ours = result["answers"].get("query")
    return [
        f"{way}: another answer"
        for way, answer in result["answers"].items()
        if answer and ours is not None and answer != ours
    ]


def tables(result: Result) -> str:
    """Return the figures of a result."""
    rows = []
    for way in WAYS:
        found = [run for run in result["runs"] if run["way"] == way]
        if not found:
            continue
        seconds = statistics.median(run["seconds"] for run in found)
        rows.append(
            [
                way,
                f"{found[-1]['sessions']:,}",
                f"{found[-1]['bytes'] / 1e6:,.0f}",
                f"{seconds:,.1f}",
                f"{found[-1]['bytes'] / seconds / 1e6:,.0f}",
                f"{max(run['memory_mib'] for run in found):,.0f}",
                f"{found[-1]['out_bytes'] / 1e6:,.0f}" if found[-1]["out_bytes"] else "-",
            ]
        )
    parts = [
        circumstances(result),
        "" if result["complete"] else "Not a complete run: the figures mean less, or nothing.",
        table(["", "sessions", "MB", "seconds", "MB/s", "MiB", "written, MB"], rows),
        "\n".join(f"Left out: {way}, for {why}." for way, why in result["left_out"].items()),
        "\n".join(f"Not the same: {failure}." for failure in failures(result)),
    ]
    return "\n\n".join(filter(None, parts))
