"""Tool calls by name."""

from __future__ import annotations

from dataclasses import dataclass

from deia.analysis.calls import CallAccumulator


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


class ToolAccumulator(CallAccumulator):
    """Takes tool calls."""

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return sum(tool.count for tool in self._calls.values())

    def percentile(self, name: str, percent: int) -> int:
        """Return what `percent` of a tool's calls did not exceed, milliseconds; correct to 1 %."""
        return self._calls[name].durations.at(percent)

    def finish(self) -> dict[str, ToolStatistics]:
        """Return each tool's figures, the one that took the most time first."""
        return {
            name: ToolStatistics(
                tool.count,
                tool.errors,
                tool.total_ms,
                tool.durations.at(50),
                tool.durations.at(95),
                tool.durations.largest,
            )
            for name, tool in sorted(self._calls.items(), key=lambda item: (-item[1].total_ms, item[0]))
        }
