"""Results as tables: Markdown that also reads well in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from benchmarks import figures

Result = dict[str, Any]

_FIGURE_NAMES = {"median_ns": "median", "p99_ns": "p99", "p999_ns": "p99.9"}


def table(head: list[str], rows: Iterable[Iterable[str]], *, left: int = 1) -> str:
    """Return a Markdown table, padded; the first `left` columns to the left, all others to the right."""
    cells = [head, *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]

    def line(row: list[str]) -> str:
        padded = (
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "| " + " | ".join(padded) + " |"

    rules = ("-" * width if at < left else "-" * (width - 1) + ":" for at, width in enumerate(widths))
    return "\n".join([line(cells[0]), line(list(rules)), *map(line, cells[1:])])


def title(result: Result) -> str:
    """Name the interpreter."""
    python = result["python"]
    build = "optimised by profile" if python["optimised"] else "not optimised by profile"
    source = "the distribution's build" if python["distribution"] else "built from source"
    return f"{python['implementation']} {python['version']}, {source}, {build}"


def heading(result: Result) -> str:
    """Name the interpreter and the processor."""
    return f"{title(result)}, on {result['machine']['processor']}"


def circumstances(result: Result) -> str:
    """Say in a paragraph where, when and of what a result was measured."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    commit = (result["commit"] or "none")[:12] + (" with changes" if result["dirty"] else "")
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']} {machine['kernel']}, files on "
        f"{machine['file_system']}; {versions}; commit {commit}; {result['recorded_at']}."
    )


def targets(result: Result) -> str:
    """Return what was promised, what was measured, and whether the one keeps to the other."""
    return table(
        ["Target", "at most", "measured", ""],
        (
            [
                target.name,
                f"{target.limit:g} {target.unit}",
                "-" if target.value is None else f"{_number(target.value)} {target.unit}",
                "met" if target.met else "MISSED",
            ]
            for target in figures.targets(result)
        ),
    )


def callers_side(result: Result) -> str:
    """Return what each call cost its caller, by mode and peer."""
    return table(
        ["Caller's side", "processes", "median µs", "p99 µs", "p99.9 µs", "max µs", "events/s to file", "bytes/event"],
        (
            [
                f"{row.mode}, {row.peer}",
                str(row.repetitions),
                *(microseconds(value) for value in (row.median_ns, row.p99_ns, row.p999_ns, row.max_ns)),
                f"{row.events_per_s:,.0f}",
                f"{row.bytes_per_event:.1f}",
            ]
            for row in figures.peer_figures(result)
        ),
    )


def ratios(result: Result) -> str:
    """Return each figure of a subject over its base's: median, smallest and largest of the pairs' ratios."""
    return table(
        ["Ratio", "figure", "pairs", "median", "from", "to", "difference µs"],
        (
            [
                f"{row.mode}, {row.subject} / {row.base}",
                _FIGURE_NAMES[row.figure],
                str(len(row.ratios)),
                *(f"{value:.2f}" for value in (row.ratio, min(row.ratios), max(row.ratios))),
                f"{row.difference / 1e3:+.2f}",
            ]
            for row in figures.comparisons(result)
        ),
    )


def starting(result: Result) -> str:
    """Return what a process pays once: imports, the first call, and the calls while the background starts."""
    imports = result["imports"]
    base, bare, loggers = (median(turn[name] for turn in imports) for name in ("base", "deia", "loggers"))
    rows = [
        ["`import orjson, logging`", _ms(base), "", ""],
        ["`import deia`", _ms(bare), "", ""],
        ["`from deia import SessionLogger, AsyncSessionLogger`", _ms(loggers), "", ""],
    ]
    for peer in ("sync", "awaited"):
        runs = [run for run in result["first_calls"] if run["peer"] == peer and run["verified"]]
        if runs:
            first = [run["first_ns"] for run in runs]
            then = max(run["max_ns"] for run in runs)
            usual = median(run["median_ns"] for run in runs)
            rows.append(
                [
                    f"first call, {peer}",
                    f"{_ms(median(first))} (worst {_ms(max(first))})",
                    microseconds(usual),
                    _ms(then),
                ]
            )
    return table(["Once per process", "median ms", "the calls after it, median µs", "their worst ms"], rows)


def long_session(result: Result) -> str:
    """Return what changes with the length of a session: each size, and the session of ten measured beside it."""

    def row(name: str, step: Result, which: str) -> list[str]:
        times = step[which]
        memory = (
            f"{step[key] / 1024:.1f}" if which == "long" and key in step else "" for key in ("rss_kib", "own_kib")
        )
        return [
            name,
            microseconds(times["summary_ns"]),
            microseconds(times["save_own_ns"]),
            *(_ms(times[key]) for key in ("save_elsewhere_ns", "plain_copy_ns", "sync_of_copy_ns")),
            *memory,
        ]

    rows = []
    for step in result["long_session"]["steps"]:
        rows += [row(f"{step['events']:,}", step, "long"), row("10, at the same time", step, "short")]
    return table(
        [
            *("Events", "get_session_summary() µs", "save_session() µs", "save elsewhere ms", "plain copy ms"),
            *("sync of the copy ms", "resident MiB", "own MiB"),
        ],
        rows,
    )


def losses(result: Result) -> str:
    """Say what was lost, or that nothing was."""
    lost = figures.losses(result)
    events = sum(
        run["verification"]["calls"] for run in (*result["repetitions"], *result["first_calls"], result["long_session"])
    )
    if not lost:
        return f"Verified after each process: {events:,} calls, each exactly once in its file, in order; none dropped."
    return "LOST, and left out of every figure above:\n\n" + "\n".join(f"- {sentence}" for sentence in lost)


def durability(result: Result) -> str:
    """Say what each peer's returned call survives."""
    return table(["Peer", "what a returned call survives"], result["durability"].items(), left=2)


def timer(result: Result) -> str:
    """Say what the clock itself cost."""
    cost = median(run["timer_ns"] for run in result["repetitions"])
    return f"One look at the clock costs {cost:.0f} ns; each figure of the caller's side contains it."


def overhead(result: Result) -> str:
    """Return a whole overhead result, the targets first."""
    event = result["event"]
    parts = [
        circumstances(result),
        ""
        if result["complete"]
        else "Not a complete run: with fewer pairs or calls than usual the figures mean less, or nothing.",
        targets(result),
        callers_side(result),
        timer(result),
        ratios(result),
        starting(result),
        long_session(result),
        losses(result),
        durability(result),
        f"The event ({event['bytes']} bytes): `{event['line'].strip()}`",
    ]
    return "\n\n".join(filter(None, parts))


def appends(result: Result) -> str:
    """Return a result of `benchmarks.appends`."""
    rows = (
        [row["what"], f"{row['appends']:,}", *(microseconds(row[key]) for key in ("median_ns", "p99_ns", "max_ns"))]
        for row in result["rows"]
    )
    parts = [circumstances(result), table(["One append", "appends a round", "median µs", "p99 µs", "max µs"], rows)]
    return "\n\n".join(parts)


def microseconds(nanoseconds: float) -> str:
    """Return nanoseconds as microseconds."""
    return f"{nanoseconds / 1e3:,.2f}"


def _ms(nanoseconds: float) -> str:
    return f"{nanoseconds / 1e6:,.2f}"


def _number(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")
