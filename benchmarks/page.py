"""`docs/reference/benchmarks.md`, made from the files in `benchmarks/results/` and from nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.conditions import ROOT
from benchmarks.results import read_result

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"

_HEAD = """\
<!-- Made from benchmarks/results/ by `python -m benchmarks table`; do not edit. -->

# Benchmarks

What a log call costs its caller, and what else is promised in numbers. Every figure on this page comes from a raw
result in `benchmarks/results/`; how it is measured, and how to measure it again, stands in `benchmarks/README.md`.

The *floor* is the least that anyone would write by hand for the same promise: take the clock, count, encode the line,
one `write`. The *original* design appends an object to a list in memory: it is the fastest at the call, it keeps every
event in memory, and a kill loses the whole session. *Tight* calls follow each other at once; *paced* ones come 5,000
times a second, and are what the tail is judged by. Each ratio is the median over pairs of fresh processes run back to
back.
"""

_APPENDS = """\
## One append, in parts

What the design rests on: an event costs its encoding and a copy, as long as it crosses neither a thread nor a loop.
"""


def load_results(directory: Path | None = None) -> list[dict[str, Any]]:
    """Return all results of a directory (`benchmarks/results/`), by file name."""
    return [read_result(path) for path in sorted((directory or RESULTS).glob("*.json"))]


def make_page(results: list[dict[str, Any]]) -> str:
    """Return the page; optimised interpreters come first, for they are what users have."""
    results = sorted(results, key=lambda result: (not result["python"]["optimised"], result["python"]["version"]))
    parts = [_HEAD]
    overheads = [result for result in results if result["benchmark"] == "overhead"]
    parts.extend(f"## {tables.title(result)}\n\n{tables.overhead(result)}\n" for result in overheads)
    appends = [result for result in results if result["benchmark"] == "appends"]
    if appends:
        parts.append(_APPENDS)
        parts.extend(f"### {tables.title(result)}\n\n{tables.appends(result)}\n" for result in appends)
    return "\n".join(parts)
