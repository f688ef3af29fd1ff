"""Tool calls by tool."""

from __future__ import annotations

from deia.analysis.percentiles import Percentiles
from deia.analysis.profile.result import ToolProfile
from deia.analysis.profile.timeline import TOOL, Timeline


class ToolTable:
    """Takes tool calls."""

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def feed(self, name: str, duration_ms: int, *, failed: bool, cancelled: bool) -> None:
        """Take one call."""
        tool = self._tools.get(name)
        if tool is None:
            tool = self._tools[name] = _Tool()
        tool.calls += 1
        tool.errors += failed
        tool.cancelled += cancelled
        tool.effort_ms += duration_ms
        tool.max_ms = max(tool.max_ms, duration_ms)
        tool.durations.add(duration_ms)

    def finish(self, timeline: Timeline) -> dict[str, ToolProfile]:
        """Return each tool's figures, the one with the most effort first."""
        return {
            name: ToolProfile(
                calls=tool.calls,
                errors=tool.errors,
                cancelled=tool.cancelled,
                wall_ms=timeline.union_ms(TOOL, name),
                effort_ms=tool.effort_ms,
                p50_ms=tool.durations.at(50),
                p95_ms=tool.durations.at(95),
                p99_ms=tool.durations.at(99),
                max_ms=tool.max_ms,
            )
            for name, tool in sorted(self._tools.items(), key=lambda item: (-item[1].effort_ms, item[0]))
        }


class _Tool:
    __slots__ = ("calls", "cancelled", "durations", "effort_ms", "errors", "max_ms")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.cancelled = 0
        self.effort_ms = 0
        self.max_ms = 0
        self.durations = Percentiles()
