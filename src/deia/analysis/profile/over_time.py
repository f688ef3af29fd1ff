"""Concurrency over time: how many calls ran at once, in steps as fine as there is room for.

How long calls go on stands fast only at the log's end. So a step is a millisecond at first, and when there are too
many, each two of them become one: the sums stay exact, and memory does not grow with the log.

The steps begin with the first call and end with the last. Were they over the whole log, a task that claims to be
decades old would leave all calls to one of them.
"""

from __future__ import annotations

from collections.abc import Callable

from deia.analysis.profile.result import STEPS_OF_CONCURRENCY, ConcurrencyOverTime


class OverTime:
    """Takes stretches of time in which the same calls ran, in the order of time, and sums them up by step."""

    def __init__(self) -> None:
        self._step_ms = 1
        self._start: int | None = None
        self._end = 0
        self._steps: dict[int, tuple[int, int, int]] = {}

    def add(self, start: int, end: int, tools: int, models: int) -> None:
        """Take a stretch.

        Args:
            start: When it began, milliseconds; not before the end of the one before.
            end: When it ended, later than that.
            tools: How many tool calls ran all the time.
            models: How many model calls did.
        """
        if self._start is None:
            self._start = start
        self._end = end
        start -= self._start
        end -= self._start
        while end > STEPS_OF_CONCURRENCY * self._step_ms:
            self._double()
        step_ms, steps = self._step_ms, self._steps
        while start < end:
            number = start // step_ms
            to = min(end, (number + 1) * step_ms)
            tool_ms, model_ms, most = steps.get(number, (0, 0, 0))
            length = to - start
            steps[number] = (tool_ms + tools * length, model_ms + models * length, max(most, tools + models))
            start = to

    def finish(self, first: int, unix_s: Callable[[int], float]) -> ConcurrencyOverTime:
        """Return all steps of a log.

        Args:
            first: The first moment of the log, milliseconds; taken where no call ran, and there are no steps.
            unix_s: Makes Unix seconds of milliseconds.
        """
        start, end = (first, first) if self._start is None else (self._start, self._end)
        steps = [self._steps.get(number, (0, 0, 0)) for number in range(-(-(end - start) // self._step_ms))]
        return ConcurrencyOverTime(
            start=unix_s(start),
            end=unix_s(end),
            step_ms=self._step_ms,
            tool_ms=[tool_ms for tool_ms, _, _ in steps],
            model_ms=[model_ms for _, model_ms, _ in steps],
            most=[most for _, _, most in steps],
        )

    def _double(self) -> None:
        self._step_ms *= 2
        doubled: dict[int, tuple[int, int, int]] = {}
        for number, (tool_ms, model_ms, most) in self._steps.items():
            tools_so_far, models_so_far, most_so_far = doubled.get(number // 2, (0, 0, 0))
            doubled[number // 2] = (tool_ms + tools_so_far, model_ms + models_so_far, max(most, most_so_far))
        self._steps = doubled
