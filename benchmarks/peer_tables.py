"""A result of `peers` as tables. Rows stand by what the call costs, ours wherever they fall."""

from __future__ import annotations

from typing import Any

from benchmarks.peer_figures import Calls, Missing, Standing, failures, standings
from benchmarks.tables import circumstances, microseconds, table

Result = dict[str, Any]

_NONE = "-"


def peers(result: Result) -> str:
    """Return a whole result of `peers`: what is asked first on top."""
    found = standings(result)
    parts = [
        circumstances(result),
        ""
        if result["complete"]
        else "Not a complete run: with fewer rounds, calls or peers than usual the figures mean less, or nothing.",
        overview(found),
        callers_side(found, "tight"),
        callers_side(found, "paced"),
        _late(found),
        missing(found),
        space(found),
        lost(found),
        left_out(result),
        ours(result),
        table(["Peer", "what a returned call survives"], ([row.label, row.durability] for row in found), left=2),
    ]
    return "\n\n".join(filter(None, parts))


def overview(found: list[Standing]) -> str:
    """Return one line for each peer: cost at the call, throughput with everything verified, and what is lost."""
    rows = []
    for row in found:
        tight, paced = row.calls.get("tight"), row.calls.get("paced")
        rows.append(
            [
                row.label,
                microseconds(tight.median_ns) if tight else _NONE,
                _times(tight.ratio if tight else None),
                microseconds(paced.p999_ns) if paced else _NONE,
                _times(paced.tail_ratio if paced else None),
                f"{tight.events_per_s:,.0f}" if tight else _NONE,
                _share(row.after("killed")),
                _share(row.after("exited")),
            ]
        )
    head = ["At a glance", "median µs, tight", "/ floor", "p99.9 µs, paced", "/ floor", "events/s to file"]
    return table([*head, "missing after SIGKILL", "missing after exit"], rows)


def callers_side(found: list[Standing], mode: str) -> str:
    """Return what a call cost its caller in one mode."""
    head = [f"Caller's side, {mode}", "processes", "calls each", "median µs", "p99 µs", "p99.9 µs", "max µs", "/ floor"]
    return table(
        [*head, "p99.9 / floor"],
        ([row.label, *(_calls(row.calls[mode]) if mode in row.calls else [_NONE] * 8)] for row in found),
    )


def _calls(calls: Calls) -> list[str]:
    times = (calls.median_ns, calls.p99_ns, calls.p999_ns, calls.max_ns)
    return [
        str(calls.processes),
        f"{calls.events:,}",
        *map(microseconds, times),
        _times(calls.ratio),
        _times(calls.tail_ratio),
    ]


def _late(found: list[Standing]) -> str:
    late = [row.label for row in found if "paced" in row.calls and not row.calls["paced"].kept_pace]
    return f"Slower than the pace, so called one after the other: {'; '.join(late)}." if late else ""


def missing(found: list[Standing]) -> str:
    """Return what was missing after each kind of end, out of how many acknowledged events."""
    return table(
        ["Missing of acknowledged", "SIGKILL, tight", "SIGKILL, paced", "exit without close, tight"],
        (
            [row.label, *(_count(row.missing.get(end)) for end in ("killed, tight", "killed, paced", "exited, tight"))]
            for row in found
        ),
    )


def _count(found: Missing | None) -> str:
    if found is None:
        return _NONE
    damaged = f", {found.damaged:,} damaged" if found.damaged else ""
    return f"{found.missing:,} of {found.acknowledged:,}{damaged}"


def _share(found: Missing | None) -> str:
    if found is None:
        return _NONE
    percent = 100 * found.missing / found.acknowledged
    return f"{percent:.1f} %" if percent >= 1 else f"{percent:.2g} %" if percent else "0"


def space(found: list[Standing]) -> str:
    """Return what an event takes on disk after closing, and what the process held in memory before."""
    rows = []
    for row in found:
        tight = row.calls.get("tight")
        memory = tight.rss_kib if tight else None
        rows.append(
            [
                row.label,
                f"{tight.disk_bytes_per_event:,.1f}" if tight else _NONE,
                _NONE if memory is None else f"{memory / 1024:.1f}",
            ]
        )
    return table(["Space, tight", "bytes on disk an event", "resident MiB"], rows)


def lost(found: list[Standing]) -> str:
    """Say which processes lost events while they ran, and so take part in no figure above."""
    told = [f"- {row.label}, {sentence}" for row in found for sentence in row.lost]
    return "Lost while it ran, and left out of the figures above:\n\n" + "\n".join(told) if told else ""


def left_out(result: Result) -> str:
    """Say which peers are not there, and why."""
    told = [f"- {result['labels'][peer]}: {why}" for peer, why in result["left_out"].items()]
    return "Left out:\n\n" + "\n".join(told) if told else ""


def ours(result: Result) -> str:
    """Say what Deia lost, or that it was nothing."""
    told = failures(result)
    return "LOST BY DEIA:\n\n" + "\n".join(f"- {sentence}" for sentence in told) if told else "Deia lost nothing."


def _times(ratio: float | None) -> str:
    return _NONE if ratio is None else f"{ratio:,.2f}"
