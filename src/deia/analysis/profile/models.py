"""How long model calls took, by model, and which of them failed; each response counted once.

What they took in tokens and dollars is counted by `deia.analysis.usage`, for the analysis and for the profile alike.
"""

from __future__ import annotations

from collections.abc import Mapping

from deia.analysis.percentiles import Percentiles
from deia.analysis.profile.result import ModelProfile
from deia.analysis.profile.timeline import LONGEST_MS, MODEL, Timeline
from deia.analysis.profile.work import Work
from deia.analysis.usage import RESPONSES_KEPT, ModelUsage, call_failed
from deia.events import LLMEvent


class ModelTable:
    """Takes model calls.

    Attributes:
        exact: False once a response had to be forgotten: a line that tells of it later makes a call of its own.
    """

    def __init__(self, timeline: Timeline, work: Work | None) -> None:
        """Begin with nothing.

        Args:
            timeline: Gets the calls.
            work: Gets those that say how long they took.
        """
        self.exact = True
        self._timeline = timeline
        self._work = work
        self._models: dict[str, _Model] = {}
        self._responses: dict[int, _Call] = {}

    def feed(self, event: LLMEvent, model: str, at: int | None) -> int:
        """Take one line; return how long it says that the call took, milliseconds.

        Args:
            event: The call.
            model: The name of the model.
            at: The millisecond it was logged; None where the line does not say.
        """
        call = _Call(model, event)
        lasted = min(call.duration_ms or 0, LONGEST_MS)
        if at is not None:
            call.place = self._timeline.add(self._timeline.name(MODEL, model), at - lasted, at)
            if self._work is not None:
                call.piece = self._work.add("model", model, at - lasted, at, event.seq)
        if event.response_id is None:
            self._count(call)
            return lasted
        response = hash(event.response_id)
        before = self._responses.pop(response, None)
        if before is not None:
            self._replace(before, call)
        elif len(self._responses) >= RESPONSES_KEPT:
            self.exact = False
            self._count(self._responses.pop(next(iter(self._responses))))
        self._responses[response] = call
        return lasted

    def _replace(self, before: _Call, call: _Call) -> None:
        """Put what a line says of a response in the place of what another one has said, as far as it says anything."""
        if call.duration_ms is None:
            call.duration_ms, call.place, call.piece = before.duration_ms, before.place, before.piece
        else:
            if before.place is not None:
                self._timeline.withdraw(before.place)
            if before.piece is not None and self._work is not None:
                self._work.withdraw(before.piece)
        if call.attempt is None:
            call.attempt = before.attempt
        if call.first_token_ms is None:
            call.first_token_ms = before.first_token_ms

    def finish(self, usage: Mapping[str, ModelUsage]) -> dict[str, ModelProfile]:
        """Return each model's figures, the one with the most effort first.

        Args:
            usage: What the same calls took, by model.
        """
        while self._responses:
            self._count(self._responses.pop(next(iter(self._responses))))
        by_effort = sorted(self._models.items(), key=lambda item: (-item[1].effort_ms, item[0]))
        return {name: model.profile(self._timeline.union_ms(MODEL, name), usage[name]) for name, model in by_effort}

    def _count(self, call: _Call) -> None:
        model = self._models.get(call.model)
        if model is None:
            model = self._models[call.model] = _Model()
        model.count(call)


class _Call:
    """One call, by the last line that tells of each of its times."""

    __slots__ = ("attempt", "duration_ms", "failed", "first_token_ms", "model", "piece", "place")

    def __init__(self, model: str, event: LLMEvent) -> None:
        first_token_ms = event.time_to_first_token_ms
        self.model = model
        self.failed = call_failed(event)
        self.attempt = event.attempt
        self.duration_ms = None if event.duration_ms is None else max(0, event.duration_ms)
        self.first_token_ms = None if first_token_ms is None else max(0, first_token_ms)
        self.place: int | None = None
        self.piece: int | None = None


class _Model:
    def __init__(self) -> None:
        self.errors = 0
        self.retries = 0
        self.effort_ms = 0
        self.max_ms = 0
        self.durations = Percentiles()
        self.first_tokens: Percentiles | None = None

    def count(self, call: _Call) -> None:
        self.errors += call.failed
        self.retries += call.attempt is not None and call.attempt > 1
        if call.duration_ms is not None:
            self.effort_ms += call.duration_ms
            self.max_ms = max(self.max_ms, call.duration_ms)
            self.durations.add(call.duration_ms)
        if call.first_token_ms is not None:
            if self.first_tokens is None:
                self.first_tokens = Percentiles()
            self.first_tokens.add(call.first_token_ms)

    def profile(self, wall_ms: int, usage: ModelUsage) -> ModelProfile:
        return ModelProfile(
            calls=usage.calls,
            errors=self.errors,
            retries=self.retries,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_usd=usage.cost_usd,
            wall_ms=wall_ms,
            effort_ms=self.effort_ms,
            p50_ms=self.durations.at(50),
            p95_ms=self.durations.at(95),
            max_ms=self.max_ms,
            first_token_p50_ms=None if self.first_tokens is None else self.first_tokens.at(50),
        )
