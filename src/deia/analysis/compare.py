"""Two groups of sessions side by side: what got slower, by how much, and whether that is more than noise.

`docs/reference/comparing.md` says what each verdict means.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

from deia.analysis.figures import METRICS, SUMS, Figures
from deia.analysis.percentiles import Percentiles, value_of
from deia.analysis.ranksum import RankSum, holm, rank_sum, ratio
from deia.analysis.sessions import Durations, Kind, SessionFigures
from deia.analysis.usage import ModelUsage, added

NOISE = 0.01
"""How likely one comparison may take noise for a change, all that is looked at together."""

SMALLEST_CHANGE = 0.1
"""What is less than 10 % longer or shorter is no change, however sure it is: nobody would look for its cause."""

SMALLEST_ERROR_CHANGE = 0.01
"""In the share of calls that failed: one in a hundred."""

FEWEST_VALUES = 8
"""How many each group needs at least. Of 4 and 4 not even the clearest order is rarer than noise (1 in 35); 8 and 8
(1 in 6,435) leave room for sixty names that are looked at together."""

CLUSTERS = 64
"""Sessions of a group are dealt to so many clusters: more tell nothing more, and each takes memory for each name."""

Verdict = Literal["slower", "faster", "same", "few", "untimed", "new", "gone"]
"""What became of a name: beyond noise, or not; `few` where one group has too few to tell, `untimed` where none of one
group says how long it took, `new` and `gone` where one has none at all."""

Direction = Literal["higher", "lower", "same", "few"]
"""What became of a share or a figure, likewise."""


@dataclass(frozen=True)
class Spread:
    """How long the runs of one task, or the calls of one tool or model, took in one group.

    Attributes:
        count: How many there were.
        errors: How many of them failed, as far as the logs tell.
        timed: How many of them say how long they took: all runs of tasks and calls of tools. Where it is 0, so are all
            milliseconds.
        total_ms: Milliseconds together.
        p50_ms: Half of them took no longer; correct to 1 %, as all percentiles.
        p95_ms: Likewise for 95 of 100.
        max_ms: The longest.
    """

    count: int
    errors: int
    timed: int
    total_ms: int
    p50_ms: int
    p95_ms: int
    max_ms: int

    @property
    def mean_ms(self) -> float:
        """The mean; 0 where none says."""
        return self.total_ms / self.timed if self.timed else 0.0

    @property
    def error_share(self) -> float:
        """The part of them that failed, 0 to 1."""
        return self.errors / self.count


@dataclass(frozen=True)
class Change:
    """What became of one task, tool or model.

    Attributes:
        kind: Which of them.
        name: Its name.
        before: How long it took in the first group; None where it was not there.
        after: In the second.
        verdict: Whether it got slower or faster.
        ratio: How many times as long one typically takes: the median of all pairs. None where there are too few.
        p: How likely noise alone would look like that, corrected for how much was looked at; None likewise.
        errors: Whether a higher or a lower share of it failed.
        errors_p: As `p`.
    """

    kind: Kind
    name: str
    before: Spread | None
    after: Spread | None
    verdict: Verdict
    ratio: float | None = None
    p: float | None = None
    errors: Direction = "few"
    errors_p: float | None = None

    @property
    def extra_ms(self) -> int:
        """How much more time it took in the second group than so many would have taken in the first, milliseconds."""
        if self.before is None or self.after is None or not self.before.timed:
            return 0
        return round(self.after.total_ms - self.before.mean_ms * self.after.timed)


@dataclass(frozen=True)
class FigureChange:
    """What became of one figure.

    Attributes:
        name: Its name in `METRICS`.
        before: Its value for the first group as a whole; None where there is nothing to compute it from.
        after: For the second.
        verdict: Whether it got higher or lower, from session to session.
        p: As for a `Change`.
    """

    name: str
    before: float | None
    after: float | None
    verdict: Direction
    p: float | None = None

    @property
    def ratio(self) -> float | None:
        """The second value in terms of the first; None where that has no meaning."""
        return self.after / self.before if self.before and self.after is not None else None

    @property
    def is_worse(self) -> bool:
        """Whether it changed in the wrong direction, beyond noise."""
        better = METRICS[self.name].better
        return self.verdict in ("higher", "lower") and better is not None and self.verdict != better


@dataclass(frozen=True)
class ModelChange:
    """What was paid for the calls of one model in both groups.

    Attributes:
        name: `provider/model`.
        before: In the first group; None where it was not called.
        after: In the second.
    """

    name: str
    before: ModelUsage | None
    after: ModelUsage | None


@dataclass(frozen=True)
class Comparison:
    """Two groups of sessions side by side.

    Attributes:
        before: Key figures of the first group.
        after: Of the second.
        figures: What became of them.
        changes: What became of tasks, tools and models, what took the most additional time first.
        by_session: Whether there were enough sessions to tell what differs between them from what differs within; else
            each run and call was taken by itself.
        models: What was paid for models, the one with the most tokens in both groups together first.
    """

    before: Figures
    after: Figures
    figures: list[FigureChange]
    changes: list[Change]
    by_session: bool
    models: list[ModelChange] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Change]:
        """Return what became of tasks, of tools, or of models."""
        return [change for change in self.changes if change.kind == kind]

    @property
    def slower(self) -> list[Change]:
        """What got slower beyond noise."""
        return [change for change in self.changes if change.verdict == "slower"]

    @property
    def faster(self) -> list[Change]:
        """What got faster beyond noise, what saved the most time first."""
        return [change for change in reversed(self.changes) if change.verdict == "faster"]

    @property
    def failing(self) -> list[Change]:
        """What fails more often, beyond noise."""
        return [change for change in self.changes if change.errors == "higher"]

    @property
    def worse(self) -> list[FigureChange]:
        """Figures that got worse beyond noise."""
        return [figure for figure in self.figures if figure.is_worse]


class Group:
    """Sessions that are looked at together. Its memory grows with the number of names, and not with that of sessions.

    Attributes:
        figures: Their key figures.
        models: `"provider/model"` → the tokens and the cost of its calls.
    """

    def __init__(self, sessions: Iterable[SessionFigures] = ()) -> None:
        self.figures = Figures()
        self.models: dict[str, ModelUsage] = {}
        self._samples: dict[tuple[Kind, str], _Sample] = {}
        self._values: dict[str, Counter[float]] = {name: Counter() for name in METRICS.keys() - SUMS}
        for session in sessions:
            self.add(session)

    def add(self, session: SessionFigures) -> None:
        """Add a session."""
        cluster = self.figures.sessions % CLUSTERS
        self.figures.add(session.figures)
        for kind, names in session.durations.items():
            for name, durations in names.items():
                sample = self._samples.get((kind, name))
                if sample is None:
                    sample = self._samples[kind, name] = _Sample()
                sample.add(cluster, durations)
        for name, usage in session.models.items():
            self.models.setdefault(name, ModelUsage()).add(usage)
        for name, values in self._values.items():
            value = METRICS[name].of(session.figures)
            if value is not None:
                values[value] += 1

    def names(self, kind: Kind) -> list[str]:
        """Return the names of its tasks, of its tools, or of its models."""
        return [name for of, name in self._samples if of == kind]

    def spread(self, kind: Kind, name: str) -> Spread | None:
        """Return how long a task, a tool or a model took; None where it is not there."""
        sample = self._samples.get((kind, name))
        return None if sample is None else sample.spread()


class _Sample:
    """One name in one group: what all sessions have of it together, and what each cluster has."""

    def __init__(self) -> None:
        self.count = 0
        self.errors = 0
        self.total_ms = 0
        self.durations = Percentiles()
        self.clusters: dict[int, Counter[int]] = {}
        self.failures: dict[int, Counter[int]] = {}

    def add(self, cluster: int, more: Durations) -> None:
        self.count += more.count
        self.errors += more.errors
        self.total_ms += more.total_ms
        self.durations.add_counted(more.buckets, more.smallest_ms, more.largest_ms)
        for bucket, count in more.buckets:  # a session without any is no cluster
            self.clusters.setdefault(cluster, Counter())[bucket] += count
        failures = {0: more.count - more.errors, 1: more.errors}
        self.failures.setdefault(cluster, Counter()).update({failed: each for failed, each in failures.items() if each})

    def spread(self) -> Spread:
        of = self.durations
        return Spread(self.count, self.errors, of.count, self.total_ms, of.at(50), of.at(95), of.largest)

    def values(self) -> Iterator[tuple[float, int]]:
        """Yield the durations, milliseconds; what took less than one counts as one, for no log has finer ones."""
        for bucket, count in self.durations.buckets:
            yield float(max(1, value_of(bucket))), count


def compare(before: Group, after: Group, *, smallest_change: float = SMALLEST_CHANGE) -> Comparison:
    """Say what differs between two groups of sessions.

    Args:
        before: The first group.
        after: The second.
        smallest_change: The part by which something must take longer, or shorter, to be called slower or faster.
    """
    tests = _Tests()
    drafts = [
        _draft_change(tests, *key, before._samples.get(key), after._samples.get(key), smallest_change)
        for key in {**before._samples, **after._samples}
    ]
    figures = [_draft_figure(tests, name, before, after, smallest_change) for name in METRICS]
    tests.correct()
    changes = [draft() for draft in drafts]
    return Comparison(
        before.figures,
        after.figures,
        [draft() for draft in figures],
        sorted(changes, key=lambda change: (-change.extra_ms, change.kind, change.name)),
        tests.by_session,
        [
            ModelChange(name, before.models.get(name), after.models.get(name))
            for name in added((before.models, after.models))
        ],
    )


class _Tests:
    """The tests of one comparison: how sure each is depends on how many there are.

    Attributes:
        by_session: Whether all tests of durations took sessions as a whole.
    """

    def __init__(self) -> None:
        self.by_session = True
        self._values: list[float] = []
        self._numbers: list[int | None] = []

    def add(self, outcome: RankSum) -> int:
        """Note a test; return its number. What had nothing to test is none, and makes no other less sure."""
        self._numbers.append(None if outcome.constant else len(self._values))
        if not outcome.constant:
            self._values.append(outcome.p)
        return len(self._numbers) - 1

    def correct(self) -> None:
        """Take it that these are all."""
        self._values = holm(self._values)

    def __getitem__(self, number: int) -> float:
        """Return a test's p value, corrected."""
        value = self._numbers[number]
        return 1.0 if value is None else self._values[value]


def _draft_change(
    tests: _Tests, kind: Kind, name: str, first: _Sample | None, second: _Sample | None, smallest_change: float
) -> Callable[[], Change]:
    """Test a task, a tool or a model; return what says what became of it, once all tests are known."""
    before, after = (None if each is None else each.spread() for each in (first, second))
    change = Change(kind, name, before, after, "few")
    if first is None or second is None:
        change = replace(change, verdict="new" if first is None else "gone")
        return lambda: change
    timed = min(first.durations.count, second.durations.count)
    if not timed:
        change = replace(change, verdict="untimed")
    drafts: list[Callable[[Change], Change]] = []
    if timed >= FEWEST_VALUES:
        drafts.append(_draft_durations(tests, first, second, smallest_change))
    if min(first.count, second.count) >= FEWEST_VALUES:
        drafts.append(_draft_errors(tests, first, second))
    return lambda: reduce(lambda so_far, draft: draft(so_far), drafts, change)


def _draft_durations(
    tests: _Tests, first: _Sample, second: _Sample, smallest_change: float
) -> Callable[[Change], Change]:
    """Test durations; return what adds to a change what became of them, likewise."""
    outcome = rank_sum(list(first.clusters.values()), list(second.clusters.values()))
    tests.by_session = tests.by_session and outcome.clustered
    number = tests.add(outcome)
    times = ratio(first.values(), second.values())
    verdict = _direction(times, smallest_change)
    return lambda change: replace(
        change, verdict=verdict if tests[number] <= NOISE else "same", ratio=times, p=tests[number]
    )


def _draft_errors(tests: _Tests, first: _Sample, second: _Sample) -> Callable[[Change], Change]:
    """Test which part failed, likewise."""
    if not first.errors + second.errors:
        return lambda change: replace(change, errors="same")
    number = tests.add(rank_sum(list(first.failures.values()), list(second.failures.values())))
    errors = _error_direction(first, second)
    return lambda change: replace(change, errors=errors if tests[number] <= NOISE else "same", errors_p=tests[number])


def _draft_figure(
    tests: _Tests, name: str, before: Group, after: Group, smallest_change: float
) -> Callable[[], FigureChange]:
    """Test a figure from session to session, likewise."""
    of = METRICS[name].of
    figure = FigureChange(name, of(before.figures), of(after.figures), "few")
    values = before._values.get(name, Counter()), after._values.get(name, Counter())
    if min(each.total() for each in values) < FEWEST_VALUES:
        return lambda: figure
    number = tests.add(rank_sum(*([_ranked(each, values)] for each in values)))
    verdict = _figure_direction(figure, smallest_change)
    return lambda: replace(figure, p=tests[number], verdict=verdict if tests[number] <= NOISE else "same")


def _ranked(values: Counter[float], groups: Iterable[Counter[float]]) -> Counter[int]:
    """Return values by their rank among those of all groups."""
    ranks = {value: rank for rank, value in enumerate(sorted(set().union(*groups)))}
    return Counter({ranks[value]: count for value, count in values.items()})


def _direction(times: float, smallest_change: float) -> Verdict:
    if 1 / (1 + smallest_change) < times < 1 + smallest_change:
        return "same"
    return "slower" if times > 1 else "faster"


def _error_direction(before: _Sample, after: _Sample) -> Direction:
    change = after.errors / after.count - before.errors / before.count
    if abs(change) < SMALLEST_ERROR_CHANGE:
        return "same"
    return "higher" if change > 0 else "lower"


def _figure_direction(figure: FigureChange, smallest_change: float) -> Direction:
    if figure.before is None or figure.after is None:
        return "same"
    low, high = sorted((figure.before, figure.after))
    if high < low * (1 + smallest_change) or low == high:
        return "same"
    return "higher" if figure.after > figure.before else "lower"
