"""Concurrency over time: how many calls ran at once, in steps as fine as there is room for.

How long a log is stands fast only at its end. So a step is a millisecond at first, and when there are too many, each
two of them become one: the sums stay exact, and memory does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable

from deia.analysis.profile.result import STEPS_OF_CONCURRENCY, ConcurrencyOverTime


class OverTime:
    """Takes stretches of time in which the same calls ran, and sums them up by step."""

    def __init__(self) -> None:
        self._step_ms = 1
        self._anchor: int | None = None
        self._first = 0
        self._steps: dict[int, tuple[int, int, int]] = {}

    def reach(self, first: int, last: int) -> None:
        """Make steps long enough for what is going to be added.

        Args:
            first: When the earliest of it begins, milliseconds; the first ever given is where a step begins.
            last: When the latest ends.
        """
        if self._anchor is None:
            self._anchor = self._first = first
        self._first = min(self._first, first)
        while len(self._numbers(last)) > STEPS_OF_CONCURRENCY:
            self._double()

    def add(self, start: int, end: int, tools: int, models: int) -> None:
        """Take a stretch.

        Args:
            start: When it began, milliseconds.
            end: When it ended, later than that.
            tools: How many tool calls ran all the time.
            models: How many model calls did.
        """
        anchor, step_ms, steps = self._anchor or 0, self._step_ms, self._steps
        start -= anchor
        end -= anchor
        while start < end:
            number = start // step_ms
            to = min(end, (number + 1) * step_ms)
            tool_ms, model_ms, most = steps.get(number, (0, 0, 0))
            length = to - start
            steps[number] = (tool_ms + tools * length, model_ms + models * length, max(most, tools + models))
            start = to

    def finish(self, first: int, last: int, unix_s: Callable[[int], float]) -> ConcurrencyOverTime:
        """Return all steps of a log.

        Args:
            first: The first moment of the log, milliseconds.
            last: Its last.
            unix_s: Makes Unix seconds of milliseconds.
        """
        self.reach(first, last)
        numbers = self._numbers(last)
        steps = [self._steps.get(number, (0, 0, 0)) for number in numbers]
        return ConcurrencyOverTime(
            start=unix_s((self._anchor or 0) + numbers.start * self._step_ms),
            end=unix_s(last),
            step_ms=self._step_ms,
            tool_ms=[tool_ms for tool_ms, _, _ in steps],
            model_ms=[model_ms for _, model_ms, _ in steps],
            most=[most for _, _, most in steps],
        )

    def _numbers(self, last: int) -> range:
        """Return the numbers of the steps from the first moment to a last one."""
        anchor = self._anchor or 0
        return range((self._first - anchor) // self._step_ms, (last - 1 - anchor) // self._step_ms + 1)

    def _double(self) -> None:
        self._step_ms *= 2
        doubled: dict[int, tuple[int, int, int]] = {}
        for number, (tool_ms, model_ms, most) in self._steps.items():
            tools_so_far, models_so_far, most_so_far = doubled.get(number // 2, (0, 0, 0))
            doubled[number // 2] = (tool_ms + tools_so_far, model_ms + models_so_far, max(most, most_so_far))
        self._steps = doubled
