"""Tool calls that were made before with the same parameters."""

from __future__ import annotations

from typing import Any

from deia.analysis.profile.first_calls import FirstCall, FirstCalls
from deia.analysis.profile.result import REPEATED_KEPT, RepeatedCall
from deia.analysis.profile.shown import NAME_SHOWN, PARAMS_SHOWN, shown, sorted_json
from deia.events import ToolEvent

REPEATED_TRACKED = 16 * 1024
"""How many that came again are told apart at once; with one more, the half that wasted least is forgotten."""


class RepeatedCalls:
    """Takes tool calls.

    Attributes:
        wasted_ms: What all calls but the first with the same parameters took.
        exact: False where a figure of some call may be too low.
    """

    def __init__(self) -> None:
        self.wasted_ms = 0
        self.exact = True
        self._first = FirstCalls()
        self._again: dict[int, _Call] = {}

    @property
    def wasted_at_least(self) -> bool:
        """Whether there may have been more waste, in calls of which the first was forgotten."""
        return not self._first.exact

    def feed(self, event: ToolEvent, duration_ms: int, *, failed: bool) -> int:
        """Take one call, and return what it has in common with the same calls: a hash of its name and parameters.

        Args:
            event: The call.
            duration_ms: Milliseconds it took.
            failed: Whether it failed.
        """
        params = _without_error(event.params)
        call = hash(sorted_json([event.name, params]))
        known = self._again.get(call)
        if known is None:
            first = self._first.find(call, event.seq, failed=failed)
            self.exact = self.exact and self._first.exact
            if first is None:
                return call
            # found before, and not there any more: what it had wasted by then was forgotten
            at_least = first.found or not self._first.exact
            self.exact = self.exact and not at_least
            known = self._again[call] = _Call(event.name, params, first, at_least=at_least)
        known.calls += 1
        known.errors += failed
        known.wasted_ms += duration_ms
        known.last_seq = event.seq
        self.wasted_ms += duration_ms
        if len(self._again) > REPEATED_TRACKED:
            self._again = dict(self._most_waste()[: REPEATED_TRACKED // 2])
        return call

    def finish(self) -> tuple[list[RepeatedCall], bool]:
        """Return the calls that wasted most, the most first, and whether there are others; no call comes after this."""
        self._first.clear()
        calls = [
            RepeatedCall(
                *(call.tool, call.params, call.calls, call.errors, call.wasted_ms),
                *(call.first_seq, call.last_seq, call.at_least),
            )
            for _, call in self._most_waste()[:REPEATED_KEPT]
        ]
        return calls, len(self._again) > len(calls)

    def _most_waste(self) -> list[tuple[int, _Call]]:
        return sorted(
            self._again.items(),
            key=lambda item: (-item[1].wasted_ms, -item[1].calls, item[1].tool, item[1].params),
        )


class _Call:
    __slots__ = ("at_least", "calls", "errors", "first_seq", "last_seq", "params", "tool", "wasted_ms")

    def __init__(self, tool: str, params: dict[str, Any], first: FirstCall, *, at_least: bool) -> None:
        self.tool = shown(tool, NAME_SHOWN)
        self.params = shown(sorted_json(params).decode(), PARAMS_SHOWN)
        self.calls = 1
        self.errors = int(first.failed)
        self.wasted_ms = 0
        self.first_seq = self.last_seq = first.seq
        self.at_least = at_least


def _without_error(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a tool was called with: some programs tell there, too, how it ended."""
    return {name: value for name, value in params.items() if name != "error"} if "error" in params else params
