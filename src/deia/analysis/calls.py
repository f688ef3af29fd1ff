"""Calls by name, of tools and of models: how many there were, how many failed, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping

from deia.analysis.percentiles import Percentiles
from deia.analysis.stretch import CallTimes


class CallAccumulator:
    """Takes calls, keeps a histogram per name."""

    def __init__(self) -> None:
        self._calls: dict[str, Calls] = {}

    def feed(self, name: str, duration_ms: int | None, *, failed: bool) -> None:
        """Take one call; how long it took is None where its line does not say."""
        calls = self._calls.get(name)
        if calls is None:
            calls = self._calls[name] = Calls()
        calls.count += 1
        calls.errors += failed
        if duration_ms is not None:
            duration_ms = max(0, duration_ms)  # the original format recorded what a stepped clock said
            calls.total_ms += duration_ms
            calls.durations.add(duration_ms)

    def add(self, more: Mapping[str, CallTimes]) -> None:
        """Take calls that were counted elsewhere."""
        for name, (count, errors, total_ms, smallest_ms, largest_ms, buckets) in more.items():
            calls = self._calls.get(name)
            if calls is None:
                calls = self._calls[name] = Calls()
            calls.count += count
            calls.errors += errors
            calls.total_ms += total_ms
            calls.durations.add_counted(buckets, smallest_ms, largest_ms)

    def figures(self) -> dict[str, CallTimes]:
        """Return the calls of each name, as a stretch of lines has them."""
        return {
            name: (
                calls.count,
                calls.errors,
                calls.total_ms,
                calls.durations.smallest,
                calls.durations.largest,
                calls.durations.buckets,
            )
            for name, calls in self._calls.items()
        }


class Calls:
    """Those of one name.

    Attributes:
        count: How many there were.
        errors: How many of them failed.
        total_ms: The durations together, milliseconds.
        durations: Those of the calls that say how long they took.
    """

    __slots__ = ("count", "durations", "errors", "total_ms")

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.total_ms = 0
        self.durations = Percentiles()
