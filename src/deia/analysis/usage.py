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
take some 25 MB, and in a profile as much again."""


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
        self.pay(
            (
                *(other.input_tokens, other.output_tokens, other.cache_read_tokens, other.cache_write_tokens),
                *(other.reasoning_tokens, other.cost_usd),
            )
        )

    def pay(self, paid: CallFigures) -> None:
        """Add the tokens and the cost of a call, without its time; what its lines do not say counts as nothing."""
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_usd = paid
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
    paid = tuple(map(not_negative, said))
    left_out = paid.count(None) - said.count(None)
    figures = (*paid, event.duration_ms, call_failed(event))
    return f"{event.provider}/{event.model}", event.response_id, figures, left_out


def call_failed(event: LLMEvent) -> bool:
    """Whether a line tells that a model call failed."""
    return event.error is not None or event.error_type is not None


class UsageAccumulator:
    """Takes model calls in the order of the file."""

    def __init__(self, responses_kept: int | None = None) -> None:
        """Begin with nothing.

        Args:
            responses_kept: How many responses are remembered; None for `RESPONSES_KEPT`.
        """
        self._most = responses_kept
        self._counted = _Counted()
        self._responses: dict[int, tuple[str, CallFigures]] = {}

    def feed(self, call: ModelCall) -> None:
        """Take what one line says of a call."""
        model, response_id, figures, left_out = call
        if left_out:
            self._counted.models.setdefault(model, ModelUsage()).left_out += left_out
        if response_id is None:
            self._counted.count(model, figures)
            return
        response = hash(response_id)
        before = self._responses.pop(response, None)
        if before is not None:  # the last line has the last word, as far as it says anything
            figures = tuple(b if a is None else a for a, b in zip(figures, before[1], strict=True))
        elif len(self._responses) >= (self._most or RESPONSES_KEPT):
            self._counted.count(*self._responses.pop(next(iter(self._responses))))
        self._responses[response] = model, figures

    def finish(self) -> dict[str, ModelUsage]:
        """Return what each model took in tokens and dollars, the one with the most tokens first."""
        return by_tokens(self._all().models)

    def times(self) -> dict[str, CallTimes]:
        """Return how long the calls of each model took, as a stretch of lines has those of a tool.

        A call is timed where one of its lines says how long it took, and failed where the last one says so.
        """
        return self._all().times.figures()

    def _all(self) -> _Counted:
        """Return all calls, those of which another line may yet tell included."""
        counted = _Counted()
        counted.models = {name: ModelUsage(**vars(usage)) for name, usage in self._counted.models.items()}
        counted.times.add(self._counted.times.figures())
        for model, figures in self._responses.values():
            counted.count(model, figures)
        return counted


class _Counted:
    """Calls of which no line will tell any more.

    Attributes:
        models: What each model took.
        times: How long that was.
    """

    def __init__(self) -> None:
        self.models: dict[str, ModelUsage] = {}
        self.times = CallAccumulator()

    def count(self, model: str, figures: CallFigures) -> None:
        usage = self.models.get(model)
        if usage is None:
            usage = self.models[model] = ModelUsage()
        usage.calls += 1
        *paid, duration_ms, failed = figures
        usage.pay(tuple(paid))
        self.times.feed(model, duration_ms, failed=failed)
