"""What users pay and wait for: tokens, cost and durations of model calls, by model, each response counted once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deia.analysis.calls import CallAccumulator
from deia.analysis.odd_figures import not_negative
from deia.analysis.stretch import CallFigures, CallTimes, ModelCall

if TYPE_CHECKING:
    from deia.events import LLMEvent

RESPONSES_KEPT = 64 * 1024
"""How many responses are remembered, the newest, each by a hash of 64 bits, in case another line tells of one. They
take some 30 MB, and in a profile as much again."""


@dataclass
class ModelUsage:
    """The calls of one model, or of several together. Lines that tell of the same response are one call.

    Attributes:
        calls: How many there were.
        input_tokens: Tokens of the whole input, cached ones included.
        output_tokens: Of the whole output, reasoning included.
        cache_read_tokens: Of the input, those from the provider's cache.
        cache_write_tokens: Of the input, those that went into it.
        reasoning_tokens: Of the output, reasoning.
        cost_usd: US dollars, of the calls that say; None where none does.
        left_out: How many tokens and costs are in none of these: they are negative.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    left_out: int = 0

    @property
    def tokens(self) -> int:
        """Those of the input and of the output."""
        return self.input_tokens + self.output_tokens

    def add(self, other: ModelUsage) -> None:
        """Add other calls."""
        self.calls += other.calls
        self.left_out += other.left_out
        self.count(
            (
                *(other.input_tokens, other.output_tokens, other.cache_read_tokens, other.cache_write_tokens),
                *(other.reasoning_tokens, other.cost_usd),
            )
        )

    def count(self, figures: CallFigures) -> None:
        """Add what a call took; what its lines do not say counts as nothing."""
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd = figures
        self.input_tokens += input_tokens or 0
        self.output_tokens += output_tokens or 0
        self.cache_read_tokens += cache_read_tokens or 0
        self.cache_write_tokens += cache_write_tokens or 0
        self.reasoning_tokens += reasoning_tokens or 0
        if cost_usd is not None:
            self.cost_usd = (self.cost_usd or 0.0) + cost_usd


def together(usages: Iterable[ModelUsage]) -> ModelUsage:
    """Return what several models took together."""
    whole = ModelUsage()
    for usage in usages:
        whole.add(usage)
    return whole


def added(groups: Iterable[dict[str, ModelUsage]]) -> dict[str, ModelUsage]:
    """Return what each model took in several sessions, or groups of them, together; most tokens first."""
    models: dict[str, ModelUsage] = {}
    for group in groups:
        for name, usage in group.items():
            models.setdefault(name, ModelUsage()).add(usage)
    return by_tokens(models)


def by_tokens(models: dict[str, ModelUsage]) -> dict[str, ModelUsage]:
    """Return models in the order in which they are shown: the one with the most tokens first."""
    return dict(sorted(models.items(), key=lambda item: (-item[1].tokens, item[0])))


def call_of(event: LLMEvent) -> ModelCall:
    """Return what a line says of a model call."""
    said = (
        *(event.input_tokens, event.output_tokens, event.cache_read_tokens, event.cache_write_tokens),
        *(event.reasoning_tokens, event.cost_usd),
    )
    figures = tuple(map(not_negative, said))
    left_out = figures.count(None) - said.count(None)
    model = f"{event.provider}/{event.model}"
    return model, event.response_id, figures, left_out, event.duration_ms, call_failed(event)


def call_failed(event: LLMEvent) -> bool:
    """Whether a line tells that a model call failed."""
    return event.error is not None or event.error_type is not None


_Call = tuple[str, CallFigures, int | None, bool]
"""What the lines so far say of a response: `provider/model`, its figures, milliseconds, whether it failed."""


class UsageAccumulator:
    """Takes model calls in the order of the file."""

    def __init__(self, responses_kept: int | None = None) -> None:
        """Begin with nothing.

        Args:
            responses_kept: How many responses are remembered; None for `RESPONSES_KEPT`.
        """
        self._most = responses_kept
        self._models: dict[str, ModelUsage] = {}
        self._times = CallAccumulator()
        self._responses: dict[int, _Call] = {}

    def feed(self, call: ModelCall) -> None:
        """Take what one line says of a call."""
        model, response_id, figures, left_out, duration_ms, failed = call
        if left_out:
            self._models.setdefault(model, ModelUsage()).left_out += left_out
        if response_id is None:
            _count(self._models, model, figures)
            self._times.feed(model, duration_ms, failed=failed)
            return
        response = hash(response_id)
        before = self._responses.pop(response, None)
        if before is not None:  # the last line has the last word, as far as it says anything
            figures = tuple(b if a is None else a for a, b in zip(figures, before[1], strict=True))
            duration_ms = before[2] if duration_ms is None else duration_ms
        elif len(self._responses) >= (self._most or RESPONSES_KEPT):
            oldest = self._responses.pop(next(iter(self._responses)))
            _count(self._models, oldest[0], oldest[1])
            self._times.feed(oldest[0], oldest[2], failed=oldest[3])
        self._responses[response] = model, figures, duration_ms, failed

    def finish(self) -> dict[str, ModelUsage]:
        """Return what each model took in tokens and dollars, the one with the most tokens first."""
        models = {name: ModelUsage(**vars(usage)) for name, usage in self._models.items()}
        for model, figures, _, _ in self._responses.values():
            _count(models, model, figures)
        return by_tokens(models)

    def times(self) -> dict[str, CallTimes]:
        """Return how long the calls of each model took, as a stretch of lines has those of a tool.

        A call says how long it took where one of its lines does; it failed where the last of them says so.
        """
        times = CallAccumulator()
        times.add(self._times.figures())
        for model, _, duration_ms, failed in self._responses.values():
            times.feed(model, duration_ms, failed=failed)
        return times.figures()


def _count(models: dict[str, ModelUsage], model: str, figures: CallFigures) -> None:
    usage = models.get(model)
    if usage is None:
        usage = models[model] = ModelUsage()
    usage.calls += 1
    usage.count(figures)
