"""What `deia bench` shows people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deia.cli.bench.figures import Calls, Ratio, Row
from deia.cli.bench.recorders.catalogue import find_recorder
from deia.cli.bench.run import Bench
from deia.cli.page import Column, Page
from deia.cli.text import count, plural

_CALLS = ("median µs", "ratio", "from", "to", "p99 µs", "p99.9 µs", "p99.9 ratio", "longest ms")
_TO_FILE = ("events/s", "ratio", "from", "to", "bytes an event", "missing")
_LEAVING = {"p99 µs": 2, "from": 1, "to": 1}
"""Where a terminal is too narrow."""


def show(page: Page, done: Bench) -> None:
    """Put the tables, and what is to be said beside them, on a page."""
    page.heading("Tight: calls that follow each other at once")
    _table(page, done.rows, _CALLS, lambda row: _costs(row.tight))
    page.heading(f"Paced: {count(round(done.amount.rate))} calls a second")
    _table(page, done.rows, _CALLS, lambda row: _costs(row.paced))
    acknowledged = count(done.rows[0].killed.acknowledged)
    page.heading(f"Until everything is in the file; missing of {acknowledged} acknowledged after SIGKILL")
    _table(page, done.rows, _TO_FILE, _end)
    page.gap()
    page.line("Ratios are to write-through, one write for each event.", "quiet")
    page.line(f"{plural(done.verified_events, 'event')} read back, each once and in order.", "quiet")
    if late := [row.label for row in done.rows if row.paced.median_ns * done.amount.rate > 1e9]:
        page.line(f"Slower than the pace, so called one after the other: {'; '.join(late)}.")
    if done.not_installed:
        page.line(f"Not installed, so not measured: {', '.join(done.not_installed)}.", "quiet")
    for name, why in done.failed.items():
        page.line(f"Not measured, because it failed: {find_recorder(name).label}: {why}")
    for problem in done.problems:
        page.line(f"{problem}. That must not be: please report it.", "bad")
    if not done.problems:
        page.line("No event of Deia is missing.", "good")


def _table(page: Page, rows: Sequence[Row], names: Sequence[str], cells: Callable[[Row], list[str]]) -> None:
    figures = [Column(name, number=True, leaves=_LEAVING.get(name, 0)) for name in names]
    page.table([Column("Recorder", whole=True), *figures], [[row.label, *cells(row)] for row in rows])


def _costs(calls: Calls) -> list[str]:
    p99, p999 = (f"{ns / 1e3:,.1f}" for ns in (calls.p99_ns, calls.p999_ns))
    longest = f"{calls.max_ns / 1e6:,.2f}"
    return [f"{calls.median_ns / 1e3:,.2f}", *_ratios(calls.ratio), p99, p999, _ratio(calls.p999_ratio), longest]


def _end(row: Row) -> list[str]:
    speed = count(round(row.events_per_s))
    return [speed, *_ratios(row.speed_ratio), f"{row.bytes_per_event:.1f}", count(row.killed.missing)]


def _ratios(ratio: Ratio) -> list[str]:
    return [_ratio(value) for value in (ratio.median, min(ratio.rounds), max(ratio.rounds))]


def _ratio(value: float) -> str:
    """Return three digits of a ratio: more would be noise."""
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"
