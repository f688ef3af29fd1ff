"""`docs/reference/benchmarks.md` and its charts, made from the files in `benchmarks/results/` and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import (
    analysis,
    bus,
    calls,
    charts,
    curves,
    fleet,
    instructions,
    peer_tables,
    scale_tables,
    steps,
    tables,
)
from benchmarks.conditions import ROOT
from benchmarks.results import read_result, result_name

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"

_HEAD = """\
<!-- Made from benchmarks/results/ by `python -m benchmarks table`; do not edit. -->

# Benchmarks

What a log call costs its caller, and what else is promised in numbers. Every figure on this page comes from a raw
result in `benchmarks/results/`; how it is measured, and how to measure it again, stands in `benchmarks/README.md`.
`deia bench` runs the short form of the comparison
[with what one would otherwise use](#beside-what-one-would-otherwise-use) on your own machine.

The *floor* is the least that anyone would write by hand for the same promise: take the clock, count, encode the line,
one `write`. The *original* design appends an object to a list in memory: it is the fastest at the call, it keeps every
event in memory, and a kill loses the whole session. *Tight* calls follow each other at once; *paced* ones come 5,000
times a second, and are what the tail is judged by. Each ratio is the median over pairs of fresh processes run back to
back.
"""

_CALLS = """\
## Each kind of call

The figures above are those of the usual tool call, the first of these. Here is what the others cost, each as its
caller writes it, in a loop of its own; a task is two events, one for its start and one for its end.
"""

_APPENDS = """\
## One append, in parts

What the design rests on: an event costs its encoding and a copy, as long as it crosses neither a thread nor a loop.
"""


_STEPS = """\
## One call, step by step

The statements of a tool call, each timed by itself in a loop; what they mean, and what was tried on each, stands in
[Where the time goes](../explanation/performance.md).
"""


_INSTRUCTIONS = """\
## One call, in instructions

Counted by valgrind's callgrind in the calling thread, kernel excluded: the same on a busy machine and on an idle one,
within a hundredth. The base is the bare minimum, one encoding and one copy. Continuous integration counts again, and
fails where a call takes five hundredths more of the base than stands here.
"""


_PEERS = """\
## Beside what one would otherwise use

The same event, recorded by each: one line of JSON, or the store's own record, read back with the store's own reader
after each process. The floor is write-through. What each peer is, and how it was set up, stands in `benchmarks/peers/`;
rows stand by what a call costs, ours wherever they fall.
"""

_SCALE = """\
## As the work grows

One session of many events, many sessions in one process, many threads on one session, and large payloads: a median of
several processes each, in shuffled order. The payload is plain text, in which nothing is to be redacted and everything
is looked at.
"""


_ANALYSIS = """\
## Where the time of a long session went

One generated log, and the same figures from everyone who is asked for them, checked against each other: events by type;
runs and milliseconds by task; file operations; calls, milliseconds, longest, p50, p95 by tool; first and last moment.
`analyze_session` finds open tasks, gaps, damage and the session time besides. A fresh process for each repetition;
ratios to DuckDB are taken within a round, on as many processors.
"""


_FLEET = """\
## Thousands of sessions

Generated sessions of very different lengths, each fiftieth cut in the middle of its last line; calls and milliseconds
by tool asked in SQL, and everything exported, by a fresh process each. *All by our reader* is what `deia query` would
take if it took no log for regular; *DuckDB alone* is a statement written for this one question, which reads three
fields and leaves out what is odd. What stands behind it:
[How many sessions are read at once](../explanation/fleets.md).
"""


_BUS = """\
## From publish to handler

Each event delivered to none, 1, 10 and 100 subscribers on one asyncio loop, by ours and by what one would otherwise
use; only those that say so have the event in a file, too. Events per second are those of a tight loop, each delivered
to all; delays those of 200 events a second. What they come from stands in
[How events are delivered](../explanation/delivery.md#what-it-costs).
"""


def load_results(directory: Path | None = None) -> list[dict[str, Any]]:
    """Return all results of a directory (`benchmarks/results/`), by file name."""
    return [read_result(path) for path in sorted((directory or RESULTS).glob("*.json"))]


def make_pages(results: list[dict[str, Any]]) -> dict[Path, str]:
    """Return the page and its charts, by path; optimised interpreters come first, for they are what users have."""
    results = sorted(results, key=lambda result: (not result["python"]["optimised"], result["python"]["version"]))
    parts = [_HEAD]
    parts.extend(f"## {tables.heading(result)}\n\n{tables.overhead(result)}\n" for result in _of(results, "overhead"))
    made: dict[Path, str] = {}
    for benchmark, head, show in (
        ("analysis", _ANALYSIS, analysis.tables),
        ("fleet", _FLEET, fleet.tables),
        ("peers", _PEERS, peer_tables.peers),
        ("scale", _SCALE, scale_tables.scale),
        ("bus", _BUS, bus.tables),
        ("calls", _CALLS, calls.tables),
        ("appends", _APPENDS, tables.appends),
        ("steps", _STEPS, steps.tables),
    ):
        found = _of(results, benchmark)
        parts.extend([head] if found else [])
        for result in found:
            parts.append(f"### {tables.heading(result)}\n")
            for name, (title, svg) in _draw(result).items():
                path = _charts() / f"{Path(result_name(result)).stem}-{name}.svg"
                made[path] = svg
                parts.append(f"![{title}](charts/{path.name})\n")
            parts.append(f"{show(result)}\n")
    if counted := _of(results, "instructions"):
        parts.append(f"{_INSTRUCTIONS}\n{instructions.tables(counted)}\n")
    return {PAGE: "\n".join(parts), **made}


def _draw(result: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the charts of a result, if it has any: name → title and SVG."""
    if result["benchmark"] == "peers":
        return {name: (charts.TITLES[name], svg) for name, svg in charts.charts(result).items()}
    if result["benchmark"] == "scale":
        return {name: (plot.title, curves.draw(plot)) for name, plot in scale_tables.plots(result).items()}
    return {}


def _of(results: list[dict[str, Any]], benchmark: str) -> list[dict[str, Any]]:
    return [result for result in results if result["benchmark"] == benchmark]


def _charts() -> Path:
    return PAGE.parent / "charts"


def write_pages(made: dict[Path, str]) -> None:
    """Write them, and remove the charts that are made no more."""
    for path, text in made.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in _charts().glob("*.svg"):
        if path not in made:
            path.unlink()


def out_of_date(made: dict[Path, str]) -> list[Path]:
    """Return the files that are missing, that differ, or that are made no more."""
    there = {path for path in (PAGE, *_charts().glob("*.svg")) if path.exists()}
    differing = {path for path, text in made.items() if path not in there or path.read_text(encoding="utf-8") != text}
    return sorted(differing | (there - made.keys()))
