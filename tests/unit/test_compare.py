"""What is said of two groups of sessions."""

from __future__ import annotations

import random

import pytest

from deia.analysis.compare import FEWEST_VALUES, Group, ModelChange, compare
from deia.analysis.figures import METRICS, SUMS, Figures
from deia.analysis.sessions import Durations, SessionFigures
from deia.analysis.usage import ModelUsage, together
from support.fleets import durations, group
from support.journals import START

GENERATOR = random.Random(5)


def calls(number: int, median: float, spread: float = 0.3) -> list[int]:
    return [round(median * GENERATOR.lognormvariate(0, spread)) for _ in range(number)]


def paid(models: dict[str, tuple[int, float | None]]) -> SessionFigures:
    """Return a session that completed ten tasks with a call of each model: tokens of its input, and cost."""
    usage = {name: ModelUsage(1, tokens, cost_usd=cost_usd) for name, (tokens, cost_usd) in models.items()}
    whole = together(usage.values())
    figures = Figures(
        sessions=1, session_ms=1, tasks=10, model_calls=1, input_tokens=whole.tokens, cost_usd=whole.cost_usd
    )
    return SessionFigures("s", "agent", "s", "finished", START, START, figures, models=usage)


def called(*sessions: Durations) -> Group:
    """Return sessions with calls of one model, as a group."""
    return Group(
        SessionFigures(
            *("s", "agent", "s", "finished", START, START, Figures(sessions=1)),
            {"model": {"p/m": of}} if of.count else {},
        )
        for of in sessions
    )


def untimed(number: int, errors: int = 0) -> Durations:
    """Return calls that do not say how long they took."""
    return Durations(number, errors, 0, 0, 0, [])


def test_slower_tool_is_named_with_how_much_and_how_sure() -> None:
    """The other one is not; what costs the most time comes first."""
    before = group({"pytest": calls(200, 1000), "git": calls(200, 50)})
    after = group({"pytest": calls(200, 1500), "git": calls(200, 50)})
    comparison = compare(before, after)
    (slower,) = comparison.slower
    assert slower.name == "pytest"
    assert slower.ratio == pytest.approx(1.5, rel=0.1)
    assert slower.p is not None and slower.p < 0.01
    assert slower.extra_ms == pytest.approx(200 * 500, rel=0.3)
    assert comparison.changes[0] is slower
    assert [change.verdict for change in comparison.changes] == ["slower", "same"]
    (faster,) = compare(after, before).faster
    assert faster.name == "pytest" and faster.ratio == pytest.approx(1 / 1.5, rel=0.1)


def test_change_that_is_sure_but_small_is_none() -> None:
    """Unless smaller ones are asked for."""
    before, after = group({"a": [1000] * 500 + [1001] * 500}), group({"a": [1050] * 500 + [1060] * 500})
    assert compare(before, after).slower == []
    (slower,) = compare(before, after, smallest_change=0.02).slower
    assert slower.ratio == pytest.approx(1.05, rel=0.02)


def test_too_few_calls_are_not_judged() -> None:
    """However different they are."""
    few = FEWEST_VALUES - 1
    (change,) = compare(group({"a": [1] * few}), group({"a": [1000] * 100})).changes
    assert (change.verdict, change.ratio, change.p) == ("few", None, None)


def test_what_is_new_and_what_is_gone_is_said() -> None:
    """Neither is slower or faster."""
    comparison = compare(group({"old": [5]}), group({"new": [5]}))
    assert {change.name: change.verdict for change in comparison.changes} == {"new": "new", "old": "gone"}
    assert all(change.extra_ms == 0 for change in comparison.changes)


def test_what_takes_less_than_the_logs_resolution_is_no_change() -> None:
    """0 ms and 1 ms are the same: no log has finer ones."""
    (change,) = compare(group({"a": [0] * 100}), group({"a": [1] * 100})).changes
    assert (change.verdict, change.ratio) == ("same", 1.0)


def test_tool_that_fails_more_often_is_named() -> None:
    """By the share of its calls that failed."""
    before, after = group({"a": [5] * 200}), group({"a": [5] * 200})
    for session_group, errors in ((before, 2), (after, 40)):
        sample = session_group._samples["tool", "a"]
        sample.errors = errors
        sample.failures[0] = type(sample.failures[0])({0: 200 - errors, 1: errors})
    comparison = compare(before, after)
    assert [change.name for change in comparison.failing] == ["a"]
    assert comparison.slower == []
    assert compare(after, before).changes[0].errors == "lower"


def test_tool_that_fails_always_is_no_news() -> None:
    """Where all calls of both groups failed there is nothing to test."""
    broken = SessionFigures(
        *("s", "agent", "s", "finished", START, START, Figures(sessions=1)), {"tool": {"a": durations([5] * 50, 50)}}
    )
    for sessions in (1, 4):
        (change,) = compare(Group([broken] * sessions), Group([broken] * sessions)).changes
        assert (change.errors, change.errors_p) == ("same", 1.0)


def test_figures_are_judged_from_session_to_session() -> None:
    """With eight sessions a side or more; in the direction that the figure gets worse in."""
    before = group(*[{}] * 12, hours=[1 + number / 100 for number in range(12)])
    after = group(*[{}] * 12, hours=[2 + number / 100 for number in range(12)])
    comparison = compare(before, after)
    worse = {figure.name: figure for figure in comparison.worse}
    assert worse["tasks_per_hour"].verdict == "lower"
    assert worse["tasks_per_hour"].ratio == pytest.approx(0.513, rel=0.01)
    assert compare(after, before).worse == []
    few = compare(group(*[{}] * 7), group(*[{}] * 7, hours=[9] * 7))
    assert {figure.verdict for figure in few.figures} == {"few"}


def test_memory_of_a_group_does_not_grow_with_its_sessions() -> None:
    """They are dealt to a fixed number of clusters."""
    many = group(*({"a": [number]} for number in range(1000)))
    assert len(many._samples["tool", "a"].clusters) == 64
    assert many.figures.sessions == 1000


def test_every_figure_can_be_computed_and_none_is_of_nothing() -> None:
    """Rates and means of no time and no calls are None, and not 0; so is a cost that no line tells of."""
    for name, metric in METRICS.items():
        assert (metric.of(Figures()) is None) is (name not in SUMS or name == "cost_usd"), name
        ones = Figures(*[1] * len(Figures.__dataclass_fields__))
        assert metric.of(ones) is not None, name


def test_models_are_side_by_side_with_what_was_paid() -> None:
    """The one with the most tokens in both groups first; one that a group did not call is not there."""
    before, after = Group([paid({"a": (10, 1.0), "b": (5, None)})]), Group([paid({"a": (20, 2.0)})] * 2)
    comparison = compare(before, after)
    assert comparison.models == [
        ModelChange("a", ModelUsage(1, 10, cost_usd=1.0), ModelUsage(2, 40, cost_usd=4.0)),
        ModelChange("b", ModelUsage(1, 5), None),
    ]


def test_sessions_that_cost_more_got_worse() -> None:
    """Beyond noise, from session to session: what is paid for a session, and for a task."""
    before = Group(paid({"a": (1000 + number, 1 + number / 100)}) for number in range(12))
    after = Group(paid({"a": (1500 + number, 1.5 + number / 100)}) for number in range(12))
    worse = {figure.name: figure.ratio for figure in compare(before, after).worse}
    assert worse.keys() == {"tokens_per_session", "tokens_per_task", "cost_per_session", "cost_per_task"}
    assert worse["cost_per_task"] == pytest.approx(1.47, rel=0.01)
    assert compare(after, before).worse == []


def test_model_is_compared_like_a_tool() -> None:
    """From session to session; beside tools and tasks, and corrected together with them."""
    before, after = (
        called(*(durations(calls(60, 2000)) for _ in range(8))),
        called(*(durations(calls(60, 4000)) for _ in range(8))),
    )
    comparison = compare(before, after)
    (slower,) = comparison.slower
    assert (slower.kind, slower.name) == ("model", "p/m")
    assert slower.ratio == pytest.approx(2, rel=0.1)
    assert comparison.by_session
    assert comparison.of("model") == [slower]
    assert [change.verdict for change in compare(after, before).faster] == ["faster"]


def test_calls_without_a_duration_are_not_compared() -> None:
    """Those of the same model that have one are; what they took in all is that of these alone."""
    some = Durations(100, 0, 5000, 50, 50, durations([50] * 100).buckets)
    half = Durations(200, 0, 5000, 50, 50, some.buckets)
    (change,) = compare(called(some), called(half)).changes
    assert change.after is not None
    assert (change.after.count, change.after.timed, change.after.mean_ms) == (200, 100, 50)
    assert (change.verdict, change.ratio, change.extra_ms) == ("same", 1.0, 0)
    for before, after in ((some, untimed(100)), (untimed(100), some), (untimed(100), untimed(100))):
        (change,) = compare(called(before), called(after)).changes
        assert (change.verdict, change.p, change.extra_ms) == ("untimed", None, 0)
    assert compare(called(*[some] * 3, untimed(9)), called(*[some] * 4)).changes[0].verdict == "same"


def test_model_whose_calls_fail_more_often_is_named_whether_they_say_how_long_they_took() -> None:
    """A call that failed often does not."""
    comparison = compare(called(untimed(200, 2)), called(untimed(200, 60)))
    assert [(change.name, change.verdict) for change in comparison.failing] == [("p/m", "untimed")]
    few = compare(called(untimed(7, 0)), called(untimed(200, 60)))
    assert [change.errors for change in few.changes] == ["few"]
