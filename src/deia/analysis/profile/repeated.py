"""Tool calls that were made before with the same parameters."""

from __future__ import annotations

from itertools import islice
from typing import Any

from deia.analysis.profile.result import REPEATED_KEPT, RepeatedCall
from deia.analysis.profile.shown import NAME_SHOWN, PARAMS_SHOWN, shown, sorted_json
from deia.events import ToolEvent

CALLS_KEPT = 256 * 1024
"""How many different calls that came once are remembered, each by a hash of 64 bits, of which two of a million are the
same in one of 30 million logs: they take some 40 MB."""

REPEATED_TRACKED = 16 * 1024
"""How many that came again are counted at once; with one more, the half that wasted least is forgotten."""


class RepeatedCalls:
    """Takes tool calls.

    Attributes:
        wasted_ms: What all calls but the first with the same parameters took.
        exact: False once a call had to be forgotten.
    """

    def __init__(self) -> None:
        self.wasted_ms = 0
        self.exact = True
        self._once: dict[int, tuple[int | None, bool]] = {}
        self._again: dict[int, _Call] = {}

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
            first = self._once.pop(call, None)
            if first is None:
                self._remember(call, event.seq, failed=failed)
                return call
            known = self._again[call] = _Call(event.name, params, *first)
            if len(self._again) > REPEATED_TRACKED:
                self.exact = False
                self._again = dict(self._most_waste()[: REPEATED_TRACKED // 2])
        known.calls += 1
        known.errors += failed
        known.wasted_ms += duration_ms
        known.last_seq = event.seq
        self.wasted_ms += duration_ms
        return call

    def finish(self) -> tuple[list[RepeatedCall], bool]:
        """Return the calls that wasted most, the most first, and whether there are others; no call comes after this."""
        self._once.clear()
        calls = [
            RepeatedCall(
                *(call.tool, call.params, call.calls, call.errors, call.wasted_ms),
                *(call.first_seq, call.last_seq),
            )
            for _, call in self._most_waste()[:REPEATED_KEPT]
        ]
        return calls, len(self._again) > len(calls)

    def _remember(self, call: int, seq: int | None, *, failed: bool) -> None:
        once = self._once
        if len(once) >= CALLS_KEPT:
            self.exact = False
            for old in list(islice(once, CALLS_KEPT // 2)):
                del once[old]
        once[call] = (seq, failed)

    def _most_waste(self) -> list[tuple[int, _Call]]:
        return sorted(
            self._again.items(),
            key=lambda item: (-item[1].wasted_ms, -item[1].calls, item[1].tool, item[1].params),
        )


class _Call:
    __slots__ = ("calls", "errors", "first_seq", "last_seq", "params", "tool", "wasted_ms")

    def __init__(self, tool: str, params: dict[str, Any], first_seq: int | None, first_failed: bool) -> None:
        self.tool = shown(tool, NAME_SHOWN)
        self.params = shown(sorted_json(params).decode(), PARAMS_SHOWN)
        self.calls = 1
        self.errors = int(first_failed)
        self.wasted_ms = 0
        self.first_seq = first_seq
        self.last_seq = first_seq


def _without_error(params: dict[str, Any]) -> dict[str, Any]:
    """Return what a tool was called with: some programs tell there, too, how it ended."""
    return {name: value for name, value in params.items() if name != "error"} if "error" in params else params
