"""A result of `scale` as tables and charts, and what in it is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from benchmarks.curves import Curve, Plot
from benchmarks.scale import PAYLOAD_PEERS, STARTS, THREAD_PEERS
from benchmarks.tables import circumstances, microseconds, table

Result = dict[str, Any]

_LABELS = {
    "sync": "Deia",
    "unredacted": "Deia, redact=False",
    "encoding": "encoding alone",
    "floor": "write-through",
}


def failures(result: Result) -> list[str]:
    """Return one sentence for each process whose files did not hold every event exactly once."""
    found = []
    runs = [
        ("the long session", result["events"]["verification"]),
        *((f"{run['count']} sessions", run["wrong"]) for run in result["sessions"]),
        *((f"{run['count']} threads, {run['peer']}", run["wrong"]) for run in result["threads"]),
        *((f"{run['bytes']} bytes, {run['peer']}", run["verification"]) for run in result["payloads"]),
    ]
    names = ("lost", "dropped", "repeated", "out_of_order", "seq_gaps", "unreadable")
    for what, wrong in runs:
        counts = [f"{wrong[name]} {name.replace('_', ' ')}" for name in names if wrong.get(name)]
        if counts:
            found.append(f"{what}: {', '.join(counts)}")
    return found


def scale(result: Result) -> str:
    """Return a whole result."""
    lost = failures(result)
    parts = [
        circumstances(result),
        "" if result["complete"] else "Not a complete run: fewer events or rounds than in what is published.",
        _events(result),
        _sessions(result),
        _threads(result),
        _payloads(result),
        _starts(result),
        "\n".join(["LOST:", *(f"- {sentence}" for sentence in lost)])
        if lost
        else "Verified after each process: every call exactly once in its file; none dropped.",
    ]
    return "\n\n".join(filter(None, parts))


def _events(result: Result) -> str:
    blocks = result["events"]["blocks"]
    size = result["settings"]["events"] // len(blocks)
    shown = sorted({0, 1, *range(3, len(blocks), max(1, len(blocks) // 5)), len(blocks) - 1} & set(range(len(blocks))))
    rows = [
        [
            f"{size * (at + 1):,}",
            microseconds(blocks[at]["median_ns"]),
            microseconds(blocks[at]["mean_ns"]),
            *(f"{blocks[at][name] / 1024:.1f}" if name in blocks[at] else "-" for name in ("rss_kib", "own_kib")),
        ]
        for at in shown
    ]
    head = ["Events in one session", "median µs a call", "mean µs", "resident MiB", "own MiB"]
    quarter = max(1, len(blocks) // 4)
    first, last = (median(block["median_ns"] for block in part) for part in (blocks[:quarter], blocks[-quarter:]))
    told = f"The last quarter of it costs {last / first:.2f} times what the first does"
    if "rss_kib" in blocks[0]:
        growth_kib = blocks[-1]["rss_kib"] - blocks[len(blocks) // 10]["rss_kib"]
        told += f"; after its first tenth, resident memory grew by {growth_kib:,} KiB"
    return f"{table(head, rows)}\n\n{told}."


def _grouped(runs: Iterable[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    groups: dict[Any, list[Result]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def _sessions(result: Result) -> str:
    rows = []
    for count, runs in _grouped(result["sessions"], lambda run: run["count"]).items():
        has_memory = all("rss_kib" in run["after"] for run in runs)
        rows.append(
            (
                count,
                [
                    f"{count:,}",
                    *(microseconds(median(run[name] for run in runs)) for name in ("median_ns", "p99_ns")),
                    f"{median(run['events_per_s'] for run in runs):,.0f}",
                    *(
                        f"{median(run['after'][name] - run['before'][name] for run in runs) / count:,.0f}"
                        if has_memory
                        else "-"
                        for name in ("own_kib", "rss_kib")
                    ),
                    f"{median(run['descriptors'] or 0 for run in runs):,.0f}",
                ],
            )
        )
    head = [
        "Sessions at once",
        "median µs",
        "p99 µs",
        "events/s to files",
        "own KiB each",
        "resident KiB each",
        "descriptors",
    ]
    return table(head, [row for _, row in sorted(rows)])


def _threads(result: Result) -> str:
    groups = _grouped(result["threads"], lambda run: (run["peer"], run["count"]))
    counts = sorted({count for _, count in groups})
    rows = []
    for peer in THREAD_PEERS:
        rates = {count: median(run["events_per_s"] for run in groups[peer, count]) for count in counts}
        ones = {run["round"]: run["events_per_s"] for run in groups[peer, counts[0]]}
        most = median(run["events_per_s"] / ones[run["round"]] for run in groups[peer, counts[-1]])
        rows.append([_LABELS[peer], *(f"{rates[count]:,.0f}" for count in counts), f"{most:.2f}"])
    return table(["Events/s, threads at once", *map(str, counts), f"{counts[-1]} / {counts[0]}"], rows)


def _payloads(result: Result) -> str:
    groups = _grouped(result["payloads"], lambda run: (run["peer"], run["bytes"]))
    rows = []
    for size in sorted({size for _, size in groups}):
        floors = {run["round"]: run["median_ns"] for run in groups["floor", size]}
        medians = [microseconds(median(run["median_ns"] for run in groups[peer, size])) for peer in PAYLOAD_PEERS]
        ratios = [
            f"{median(run['median_ns'] / floors[run['round']] for run in groups[peer, size]):.2f}"
            for peer in PAYLOAD_PEERS[1:]
        ]
        rates = [f"{median(run['events_per_s'] for run in groups[peer, size]):,.0f}" for peer in PAYLOAD_PEERS]
        rows.append([f"{size:,}", *medians, *ratios, *rates])
    names = [_LABELS[peer] for peer in PAYLOAD_PEERS]
    head = [
        "Payload, bytes",
        *(f"{name}, median µs" for name in names),
        *(f"{name} / {names[0]}" for name in names[1:]),
        *(f"{name}, events/s" for name in names),
    ]
    return table(head, rows)


def _starts(result: Result) -> str:
    turns = result["starts"]
    if not turns:
        return ""  # in a result of which they were taken out
    rows = [
        [
            f"`{name}`",
            f"{median(turn[name] for turn in turns) / 1e6:.1f}",
            f"{median(turn[name] - turn['python'] for turn in turns) / 1e6:+.1f}",
        ]
        for name in STARTS
    ]
    return table(["A process that does nothing else", "median ms", "beside bare Python, ms"], rows)


def plots(result: Result) -> dict[str, Plot]:
    """Return the charts of a result, by name."""
    blocks = result["events"]["blocks"]
    size = result["settings"]["events"] // len(blocks)
    per_event = [(size * (at + 1.0), block["median_ns"] / 1e3) for at, block in enumerate(blocks)]
    sessions = _grouped(result["sessions"], lambda run: run["count"])
    threads = _grouped(result["threads"], lambda run: (run["peer"], run["count"]))
    payloads = _grouped(result["payloads"], lambda run: (run["peer"], run["bytes"]))

    def curve(label: str, groups: dict[Any, list[Result]], figure: str, scale: float) -> Curve:
        return Curve(
            label, [(float(at), median(run[figure] for run in runs) / scale) for at, runs in sorted(groups.items())]
        )

    def of_peer(groups: dict[Any, list[Result]], peer: str) -> dict[Any, list[Result]]:
        return {at: runs for (who, at), runs in groups.items() if who == peer}

    return {
        "events": Plot("What a call costs as one session grows, µs", "events", [Curve("median", per_event)]),
        "sessions": Plot(
            "What a call costs beside other sessions of the process, µs",
            "sessions at once",
            [curve("median", sessions, "median_ns", 1e3), curve("p99", sessions, "p99_ns", 1e3)],
        ),
        "threads": Plot(
            "Events a second from all threads together",
            "threads at once",
            [curve(_LABELS[peer], of_peer(threads, peer), "events_per_s", 1) for peer in THREAD_PEERS],
        ),
        "payload": Plot(
            "What a call costs as its event grows: median, µs",
            "bytes of text in the parameters",
            [
                curve(_LABELS[peer], of_peer(payloads, peer), "median_ns", 1e3)
                for peer in ("sync", "unredacted", "floor")
            ],
            log=True,
        ),
    }
