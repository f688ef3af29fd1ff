"""What a comparison, or a figure, is held against: `--fail-if` and `--target`, a grammar of a few lines.

    condition = verdict | subject verdict | measure operator value
    target    = measure "=" value
    measure   = subject [statistic] | "model" ":" name paid
    subject   = FIGURE | ("task" | "tool" | "model") ":" name
    name      = NAME | '"' NAME '"' | "*"
    verdict   = "slower" | "failing" | "worse"
    statistic = "p50" | "p95" | "mean" | "max" | "total" | "count" | "errors" | "error_share"
    paid      = "calls" | "input_tokens" | "output_tokens" | "cache_read_tokens" | "cache_write_tokens" | "cost_usd"
    operator  = ">" | ">=" | "<" | "<="
    value     = NUMBER [UNIT]

`docs/reference/comparing.md` says what each means. Nothing is evaluated as Python.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from deia.analysis.compare import Comparison, Spread
from deia.analysis.figures import METRICS, Figures, Unit
from deia.analysis.sessions import Kind
from deia.analysis.usage import ModelUsage

ANY = "*"
"""A name that stands for each."""

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_VERDICTS = ("slower", "failing", "worse")
STATISTICS: dict[str, tuple[Unit, Callable[[Spread], float]]] = {
    "p50": ("ms", lambda of: of.p50_ms),
    "p95": ("ms", lambda of: of.p95_ms),
    "mean": ("ms", lambda of: of.mean_ms),
    "max": ("ms", lambda of: of.max_ms),
    "total": ("ms", lambda of: of.total_ms),
    "count": ("count", lambda of: of.count),
    "errors": ("count", lambda of: of.errors),
    "error_share": ("share", lambda of: of.error_share),
}
"""What can be asked of a task, a tool or a model: what it is counted in, and how it is computed."""
PAID: dict[str, tuple[Unit, Literal["lower"] | None, Callable[[ModelUsage], float | None]]] = {
    "calls": ("count", None, lambda of: of.calls),
    "input_tokens": ("count", "lower", lambda of: of.input_tokens),
    "output_tokens": ("count", "lower", lambda of: of.output_tokens),
    "cache_read_tokens": ("count", None, lambda of: of.cache_read_tokens),
    "cache_write_tokens": ("count", None, lambda of: of.cache_write_tokens),
    "cost_usd": ("usd", "lower", lambda of: of.cost_usd),
}
"""What can be asked of a model besides: what it is counted in, whether less is better, and how it is computed."""
_KINDS: dict[str, Kind] = {"task": "task", "tool": "tool", "model": "model"}
_UNITS: dict[Unit, dict[str, float]] = {
    "ms": {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000},
    "bytes": {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9},
    "share": {"%": 0.01},
    "usd": {"USD": 1},
    "count": {},
    "per_hour": {},
}
_TOKEN = re.compile(
    r"\s*(?:(?P<operator>[<>]=?|=)|(?P<number>[+-]?(?:\d+(?:\.\d+)?|\.\d+))(?:\s*(?P<unit>%|[A-Za-z]+))?(?![\w.])"
    r'|(?P<word>(?:(?:task|tool|model):(?:"[^"]*"|[^\s<>="]+))|\w+))'
)

_NAMED = "task:NAME, tool:NAME or model:NAME"
_LISTED = ' (the reference, "Comparing sessions", lists the figures)'
_SUGGESTED = 3
"""Figures that are named where one is written wrong; there are too many to name all of them."""
_CLOSE = 0.8
"""How much of two names is the same where one may be meant for the other: one letter wrong in five."""

Judgement = Literal["met", "not met", "cannot be told"]


class ConditionError(ValueError):
    """A condition cannot be read.

    Attributes:
        position: Of the first character that is wrong, from 1.
    """

    def __init__(self, text: str, at: int, problem: str, help_: str = "") -> None:
        there = repr(text[at:].split(maxsplit=1)[0]) if text[at:].strip() else "the end"
        super().__init__(f"{text!r}: {problem}, not {there} at character {at + 1}{help_}")
        self.position = at + 1


class Side(Protocol):
    """One of the groups that are compared, or a session."""

    figures: Figures
    models: dict[str, ModelUsage]

    def names(self, kind: Kind) -> list[str]: ...

    def spread(self, kind: Kind, name: str) -> Spread | None: ...


@dataclass(frozen=True)
class Measure:
    """A figure, a statistic of tasks, tools or models, or what was paid for models.

    Attributes:
        text: As it was written.
        kind: What it is of; None for a figure.
        name: The figure, or the name; `ANY` for each.
        statistic: Which; None for a figure.
    """

    text: str
    kind: Kind | None
    name: str
    statistic: str | None

    @property
    def unit(self) -> Unit:
        """What it is counted in."""
        if self.statistic is None:
            return METRICS[self.name].unit
        return PAID[self.statistic][0] if self.statistic in PAID else STATISTICS[self.statistic][0]

    @property
    def better(self) -> Literal["higher", "lower"] | None:
        """Which direction is the better one; None where that depends."""
        if self.statistic is None:
            return METRICS[self.name].better
        if self.statistic in PAID:
            return PAID[self.statistic][1]
        return None if self.statistic == "count" else "lower"

    def of(self, side: Side, name: str | None = None) -> float | None:
        """Return its value; None where there is nothing to compute it from.

        Args:
            side: Of which group.
            name: Of which task, tool or model, where it is of each.
        """
        if self.kind is None or self.statistic is None:
            return METRICS[self.name].of(side.figures)
        if self.statistic in PAID:
            usage = side.models.get(name or self.name)
            return None if usage is None else PAID[self.statistic][2](usage)
        spread = side.spread(self.kind, name or self.name)
        unit, statistic = STATISTICS[self.statistic]
        return None if spread is None or (unit == "ms" and not spread.timed) else statistic(spread)


@dataclass(frozen=True)
class Outcome:
    """What came of a condition.

    Attributes:
        text: The condition, as it was written.
        judgement: Whether it is met.
        says: In words, by which values.
    """

    text: str
    judgement: Judgement
    says: str


@dataclass(frozen=True)
class Condition:
    """What must not be so.

    Attributes:
        text: As it was written.
        measure: What is looked at; None for all tasks, tools and models, or all figures.
        verdict: What must not have become of it; None where its value is looked at.
        operator: How the value is compared.
        value: With what: in the measure's own unit, or as a part of its value before.
        relative: Whether it is such a part.
    """

    text: str
    measure: Measure | None
    verdict: str | None = None
    operator: str = ""
    value: float = 0.0
    relative: bool = False

    def judge(self, comparison: Comparison, before: Side, after: Side) -> Outcome:
        """Say whether it is met.

        Args:
            comparison: What differs between the groups.
            before: The first group.
            after: The second.
        """
        if self.verdict is not None:
            return self._by_verdict(comparison)
        assert self.measure is not None
        told: list[str] = []
        met: list[str] = []
        for name in _names(self.measure, before, after):
            value, earlier = self.measure.of(after, name), self.measure.of(before, name)
            label = self.measure.text if name is None else name
            if self.relative:
                if value is None or earlier is None:
                    continue
                change = value / earlier - 1 if earlier else math.inf if value else 0.0
                is_met = _OPERATORS[self.operator](change, self.value)
                says = (
                    f"{label}: {shown(earlier, self.measure.unit)} → {shown(value, self.measure.unit)} ({change:+.1%})"
                )
            else:
                if value is None:
                    continue
                is_met = _OPERATORS[self.operator](value, self.value)
                says = f"{label}: {shown(value, self.measure.unit)}"
            told.append(says)
            if is_met:
                met.append(says)
        if not told:
            return Outcome(self.text, "cannot be told", "there is nothing to compute it from")
        return Outcome(self.text, "met", "; ".join(met)) if met else Outcome(self.text, "not met", "; ".join(told[:1]))

    def _by_verdict(self, comparison: Comparison) -> Outcome:
        found: list[str]
        if self.verdict == "worse":
            found = [figure.name for figure in comparison.worse if self.measure in (None, _figure(figure.name))]
            told = any(figure.verdict != "few" for figure in comparison.figures if self._is_about(None, figure.name))
        else:
            changes = [change for change in comparison.changes if self._is_about(change.kind, change.name)]
            wanted = comparison.slower if self.verdict == "slower" else comparison.failing
            found = [f"{change.kind} {change.name}" for change in changes if change in wanted]
            told = any(
                change.p is not None if self.verdict == "slower" else change.errors != "few" for change in changes
            )
        if found:
            return Outcome(self.text, "met", ", ".join(found))
        if not told:
            return Outcome(self.text, "cannot be told", "there is too little to tell it from noise")
        return Outcome(self.text, "not met", "nothing beyond noise")

    def _is_about(self, kind: Kind | None, name: str) -> bool:
        measure = self.measure
        return measure is None or (measure.kind == kind and measure.name in (ANY, name))


@dataclass(frozen=True)
class Target:
    """What a value is to reach.

    Attributes:
        text: As it was written.
        measure: Of what.
        value: The value, in the measure's own unit.
    """

    text: str
    measure: Measure
    value: float

    def judge(self, side: Side) -> Outcome:
        """Say whether a group, or a session, reaches it."""
        unit = self.measure.unit
        told: list[str] = []
        missed: list[str] = []
        for name in _names(self.measure, side):
            value = self.measure.of(side, name)
            if value is None:
                continue
            told.append(f"{self.measure.text if name is None else name}: {shown(value, unit)}")
            if value < self.value if self.measure.better == "higher" else value > self.value:
                missed.append(told[-1])
        if not told:
            return Outcome(self.text, "cannot be told", "there is nothing to compute it from")
        return Outcome(self.text, "not met" if missed else "met", "; ".join(missed or told[:1]))


def parse_condition(text: str) -> Condition:
    """Read what must not be so.

    Raises:
        ConditionError: It is no condition.
    """
    tokens = _Tokens(text)
    verdict = tokens.word(_VERDICTS)
    if verdict is not None:
        tokens.end()
        return Condition(text, None, verdict)
    measure, statistic_given = _measure(tokens)
    if not statistic_given:
        verdict = tokens.word(("worse",) if measure.kind is None else ("slower", "failing"))
        if verdict is not None:
            tokens.end()
            return Condition(text, measure, verdict)
    sign = tokens.operator(tuple(_OPERATORS))
    value, relative = _value(tokens, measure, may_be_relative=True)
    tokens.end()
    return Condition(text, measure, None, sign, value, relative)


def parse_target(text: str) -> Target:
    """Read what is to be reached.

    Raises:
        ConditionError: It is no target.
    """
    tokens = _Tokens(text)
    measure, _ = _measure(tokens)
    if measure.better is None:
        raise ConditionError(text, 0, "a target is for what is better the higher, or the lower")
    tokens.operator(("=",))
    value, _ = _value(tokens, measure, may_be_relative=False)
    tokens.end()
    return Target(text, measure, value)


def parse_measure(text: str) -> Measure:
    """Read what is to be watched over time: a figure, or a statistic of one task, tool or model.

    Raises:
        ConditionError: It is nothing of the kind.
    """
    tokens = _Tokens(text)
    measure, _ = _measure(tokens)
    if measure.name == ANY:
        raise ConditionError(text, text.index(ANY), "one name is expected")
    tokens.end()
    return measure


def shown(value: float, unit: Unit) -> str:
    """Return a value in the form in which a condition may have it."""
    if unit == "share":
        return f"{100 * value:.1f} %"
    if unit == "ms":
        return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.2f} s"
    if unit == "usd":
        return f"{value:.4g} USD" if value < 1 else f"{value:,.2f} USD"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


class _Tokens:
    """The parts of a condition, taken one after the other."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def _peek(self) -> re.Match[str] | None:
        return _TOKEN.match(self.text, self.at)

    def start(self) -> int:
        """Return where the next part begins."""
        rest = self.text[self.at :]
        return self.at + len(rest) - len(rest.lstrip())

    def word(self, words: tuple[str, ...]) -> str | None:
        """Take a word if it is one of these."""
        found = self._peek()
        if found is None or found["word"] not in words:
            return None
        self.at = found.end()
        return found["word"]

    def subject(self) -> str:
        """Take what a condition is about."""
        found = self._peek()
        if found is None or found["word"] is None:
            raise ConditionError(self.text, self.start(), f"a figure, {_NAMED} is expected")
        word = found["word"]
        if ":" not in word and word not in METRICS:
            raise ConditionError(self.text, self.start(), f"{_meant(word)}a figure, {_NAMED} is expected", _LISTED)
        self.at = found.end()
        return word

    def operator(self, signs: tuple[str, ...]) -> str:
        """Take a sign."""
        found = self._peek()
        if found is None or found["operator"] not in signs:
            raise ConditionError(self.text, self.start(), f"{' or '.join(signs)} is expected")
        self.at = found.end()
        return found["operator"]

    def number(self) -> tuple[float, str | None, int]:
        """Take a number with its unit, and where that stands."""
        found = self._peek()
        if found is None or found["number"] is None:
            raise ConditionError(self.text, self.start(), "a number is expected")
        unit = found["unit"]
        self.at = found.end()
        return float(found["number"]), unit, found.start("unit")

    def end(self) -> None:
        """Make sure that nothing is left."""
        if self.text[self.at :].strip():
            raise ConditionError(self.text, self.start(), "the end is expected")


def _meant(word: str) -> str:
    """Return a question for the figures whose names a word is part of or comes close to, if there are any."""
    # Imported here because nearly always the figure is one.
    from difflib import get_close_matches

    close = get_close_matches(word.lower(), METRICS, _SUGGESTED, _CLOSE)
    names = list(dict.fromkeys([*close, *(name for name in METRICS if word.lower() in name)]))[:_SUGGESTED]
    return f"did you mean {' or '.join(names)}? " if names else ""


def _measure(tokens: _Tokens) -> tuple[Measure, bool]:
    begin = tokens.start()
    subject = tokens.subject()
    kind, colon, name = subject.partition(":")
    if not colon:
        return _figure(subject), False
    statistic = tokens.word((*STATISTICS, *(PAID if kind == "model" else ())))
    text = tokens.text[begin : tokens.at]
    return Measure(text, _KINDS[kind], name.strip('"'), statistic or "p50"), statistic is not None


def _figure(name: str) -> Measure:
    return Measure(name, None, name, None)


def _value(tokens: _Tokens, measure: Measure, *, may_be_relative: bool) -> tuple[float, bool]:
    """Take a value; return it in the measure's own unit, and whether it is a part of the value before."""
    number, unit, at = tokens.number()
    if unit is None:
        return number, False
    units = _UNITS[measure.unit]
    if unit in units:
        return number * units[unit], False
    if unit == "%" and may_be_relative:
        return number / 100, True
    allowed = [*units, *(["%"] if may_be_relative and "%" not in units else [])]
    expected = f"{', '.join(allowed)} or nothing" if allowed else "no unit"
    raise ConditionError(tokens.text, at, f"{expected} is expected behind the number")


def _names(measure: Measure, *sides: Side) -> Iterator[str | None]:
    """Yield the names that a measure is of; None for a figure, and for one task, tool or model."""
    if measure.kind is None or measure.name != ANY:
        yield None
        return
    yield from sorted({name for side in sides for name in _known(side, measure.kind)})


def missing(measure: Measure | None, *sides: Side) -> str | None:
    """Return what a measure is of if it is on no side at all: a name that is written wrong, most likely."""
    if measure is None or measure.kind is None or measure.name == ANY:
        return None
    if any(measure.name in _known(side, measure.kind) for side in sides):
        return None
    return f"there is no {measure.kind} {measure.name!r}"


def _known(side: Side, kind: Kind) -> Collection[str]:
    """Return the names of one kind on one side."""
    return side.models if kind == "model" else side.names(kind)
