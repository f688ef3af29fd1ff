"""Tool calls by name."""

from __future__ import annotations

from dataclasses import dataclass

from deia.analysis.percentiles import Percentiles
from deia.analysis.stretch import ToolFigures
from deia.events import ToolEvent


@dataclass(frozen=True)
class ToolStatistics:
    """The calls of one tool.

    Attributes:
        count: How many there were.
        errors: How many of them failed: those with something true under `error`, in their parameters or on their line.
        total_ms: Their durations together.
        p50_ms: Half of them took no longer; correct to 1 %.
        p95_ms: Likewise for 95 of 100.
        max_ms: The longest.
    """

    count: int
    errors: int
    total_ms: int
    p50_ms: int
    p95_ms: int
    max_ms: int


class ToolAccumulator:
    """Takes tool calls, keeps a histogram per tool."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def feed(self, event: ToolEvent, *, failed: bool) -> None:
        """Take one call."""
        tool = self._tools.get(event.name)
        if tool is None:
            tool = self._tools[event.name] = _Tool()
        duration_ms = max(0, event.duration_ms)  # the original format recorded what a stepped clock said
        tool.count += 1
        tool.errors += failed
        tool.total_ms += duration_ms
        tool.max_ms = max(tool.max_ms, duration_ms)
        tool.durations.add(duration_ms)

    def add(self, tools: dict[str, ToolFigures]) -> None:
        """Take the calls of a stretch of lines."""
        for name, more in tools.items():
            count, errors, total_ms, smallest_ms, largest_ms, buckets = more
            tool = self._tools.get(name)
            if tool is None:
                tool = self._tools[name] = _Tool()
            tool.count += count
            tool.errors += errors
            tool.total_ms += total_ms
            tool.max_ms = max(tool.max_ms, largest_ms)
            tool.durations.add_counted(buckets, smallest_ms, largest_ms)

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return sum(tool.count for tool in self._tools.values())

    def percentile(self, name: str, percent: int) -> int:
        """Return what `percent` of a tool's calls did not exceed, milliseconds; correct to 1 %."""
        return self._tools[name].durations.at(percent)

    def finish(self) -> dict[str, ToolStatistics]:
        """Return each tool's figures, the one that took the most time first."""
        return {
            name: ToolStatistics(
                tool.count,
                tool.errors,
                tool.total_ms,
                tool.durations.at(50),
                tool.durations.at(95),
                tool.max_ms,
            )
            for name, tool in sorted(self._tools.items(), key=lambda item: (-item[1].total_ms, item[0]))
        }


class _Tool:
    __slots__ = ("count", "durations", "errors", "max_ms", "total_ms")

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.total_ms = 0
        self.max_ms = 0
        self.durations = Percentiles()
