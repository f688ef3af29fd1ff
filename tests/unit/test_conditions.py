"""The grammar of `--fail-if` and `--target`."""

from __future__ import annotations

import pytest

from deia.analysis.compare import compare
from deia.analysis.conditions import ConditionError, missing, parse_condition, parse_measure, parse_target
from deia.analysis.figures import Figures
from deia.analysis.sessions import Durations, SessionFigures
from deia.analysis.usage import ModelUsage, together
from support.fleets import durations, group

BEFORE = group({"pytest": [1000] * 50, "git diff": [10] * 50}, hours=[1])
AFTER = group({"pytest": [1500] * 50, "git diff": [10] * 50}, hours=[2])
for side, models in (
    (BEFORE, {"p/large": ModelUsage(3, 1000, 50, cost_usd=1.0), "p/small": ModelUsage(1, 10)}),
    (AFTER, {"p/large": ModelUsage(3, 2000, 50, cost_usd=2.5)}),
):
    side.models.update(models)
    usage = together(models.values())
    side.figures.model_calls, side.figures.cost_usd = usage.calls, usage.cost_usd
    side.figures.input_tokens = usage.input_tokens
for side, median, errors in ((BEFORE, 2000, 0), (AFTER, 4000, 30)):
    calls = {"p/large": durations([median] * 50, errors), "p/small": Durations(50, errors, 0, 0, 0, [])}
    side.add(SessionFigures("m", None, None, "finished", None, None, Figures(), {"model": calls}))
COMPARISON = compare(BEFORE, AFTER)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("slower", "met"),
        ("tool:pytest slower", "met"),
        ('tool:"git diff" slower', "not met"),
        ("tool:* slower", "met"),
        ("task:* slower", "cannot be told"),
        ("failing", "met"),
        ("worse", "cannot be told"),
        ("tasks_per_hour worse", "cannot be told"),
        ("tool:pytest p50 > 20%", "met"),
        ("tool:pytest p50 > +60%", "not met"),
        ("tool:pytest > 1.2s", "met"),
        ("tool:pytest p95 > 2 s", "not met"),
        ("tool:pytest mean >= 1500", "met"),
        ("tool:pytest max < 0.025min", "not met"),
        ("tool:pytest total > 1min", "met"),
        ("tool:pytest count < 50", "not met"),
        ("tool:pytest count <= 50", "met"),
        ("tool:pytest error_share > 0.5%", "not met"),
        ("tool:* p50 > 1s", "met"),
        ("tool:* p50 > 50%", "not met"),
        ("tool:gone p50 > 1s", "cannot be told"),
        ("tasks_per_hour < 8", "met"),
        ("tasks_per_hour<5", "not met"),
        ("tasks_per_hour < -40%", "met"),
        ("tool_error_share > 1%", "cannot be told"),
        ("size_bytes > 1MB", "not met"),
        ("errors > 10%", "not met"),
        ("cost_usd > 2 USD", "met"),
        ("cost_usd > 50%", "met"),
        ("cost_per_task > 1", "not met"),
        ("tokens_per_session > 1000", "met"),
        ("cached_share < 10%", "met"),
        ("model:p/large cost_usd > 2USD", "met"),
        ("model:p/large input_tokens > 20%", "met"),
        ("model:p/small cost_usd > 1", "cannot be told"),
        ("model:p/small calls < 1", "cannot be told"),
        ("model:* output_tokens > 1000", "not met"),
        ("model:p/large slower", "met"),
        ("model:* slower", "met"),
        ("model:p/small slower", "cannot be told"),
        ("model:p/large p50 > 20%", "met"),
        ("model:p/large > 5s", "not met"),
        ("model:p/large p95 > 3s", "met"),
        ("model:p/large total > 3min", "met"),
        ("model:p/large count > 50", "not met"),
        ("model:p/large errors > 29", "met"),
        ("model:p/large error_share > 50%", "met"),
        ("model:p/large failing", "met"),
        ("model:p/small failing", "met"),
        ("model:p/small errors > 10", "met"),
        ("model:p/small count >= 50", "met"),
        ("model:p/small p50 < 1s", "cannot be told"),
        ("model:p/small mean < 1s", "cannot be told"),
        ("tool:pytest errors > 0", "not met"),
        ("tool:pytest failing", "not met"),
    ],
)
def test_condition_is_judged_as_the_reference_says(text: str, judgement: str) -> None:
    """By verdict, by value, by change in per cent; of one name or of any."""
    outcome = parse_condition(text).judge(COMPARISON, BEFORE, AFTER)
    assert (outcome.text, outcome.judgement) == (text, judgement), outcome.says


def test_outcome_says_by_which_values() -> None:
    """Those of each name that is meant."""
    says = parse_condition("tool:* p50 > 20%").judge(COMPARISON, BEFORE, AFTER).says
    assert says == "pytest: 1.00 s → 1.50 s (+50.0%)"
    assert parse_condition("tasks_per_hour < 8").judge(COMPARISON, BEFORE, AFTER).says == "tasks_per_hour: 5"
    says = parse_condition("model:* cost_usd > 10%").judge(COMPARISON, BEFORE, AFTER).says
    assert says == "p/large: 1.00 USD → 2.50 USD (+150.0%)"
    assert parse_condition("cost_per_task > 0").judge(COMPARISON, BEFORE, AFTER).says == "cost_per_task: 0.25 USD"


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 1, "a figure, task:NAME, tool:NAME or model:NAME is expected, not the end at character 1"),
        ("tool:pytest p50 > x", 19, "a number is expected, not 'x' at character 19"),
        ("tool:pytest p50 20%", 17, "> or >= or < or <= is expected, not '20%' at character 17"),
        ("tool:pytest p49 > 20%", 13, "is expected, not 'p49' at character 13"),
        ("tasks_per_hor < 8", 1, "did you mean tasks_per_hour? a figure, task:NAME"),
        ("tool: p50 > 1", 1, "is expected, not 'tool:' at character 1"),
        (
            "tool:pytest p50 > 20kg",
            21,
            "ms, s, min, h, % or nothing is expected behind the number, not 'kg' at character 21",
        ),
        ("tasks_per_hour < 8 h", 20, "% or nothing is expected behind the number"),
        ("slower now", 8, "the end is expected, not 'now' at character 8"),
        ("tasks_per_hour slower", 16, "is expected, not 'slower' at character 16"),
        ("tasks_per_hour < 8 and slower", 20, "is expected"),
        ("__import__('os')", 1, "is expected"),
        ("model:a p49 > 5", 9, "is expected, not 'p49' at character 9"),
        ("model:a calls slower", 15, "is expected, not 'slower'"),
        ("tool:a cost_usd > 5", 8, "is expected, not 'cost_usd'"),
        ("cost_usd > 5 EUR", 14, "USD, % or nothing is expected behind the number"),
    ],
)
def test_condition_that_cannot_be_read_is_pointed_at(text: str, position: int, expected: str) -> None:
    """The first character that is wrong, what stands there, and what should."""
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert expected in str(caught.value)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("tasks_per_hour=8", "not met"),
        ("tasks_per_hour = 5", "met"),
        ("tool:pytest p95=2s", "met"),
        ("tool:pytest=1s", "not met"),
        ("tool:* p50=1s", "not met"),
        ("tool_error_share=5%", "cannot be told"),
        ("errors=0", "met"),
        ("cost_usd=2", "not met"),
        ("model:* cost_usd=3 USD", "met"),
        ("model:p/large p95=5s", "met"),
        ("model:p/large errors=0", "not met"),
    ],
)
def test_target_is_reached_from_the_side_that_is_better(text: str, judgement: str) -> None:
    """Tasks per hour from above, times and errors from below."""
    assert parse_target(text).judge(AFTER).judgement == judgement


@pytest.mark.parametrize(
    "text", ["tool_calls=5", "tool:a count=5", "model:a calls=5", "tasks_per_hour", "tasks_per_hour=8%", "slower"]
)
def test_target_that_cannot_be_one_is_refused(text: str) -> None:
    """A change has no target, nor has what is neither better nor worse."""
    with pytest.raises(ConditionError):
        parse_target(text)


def test_measure_is_a_figure_or_a_statistic_of_one_name() -> None:
    """The median where none is named."""
    assert parse_measure("tool:pytest").of(AFTER) == pytest.approx(1500, rel=0.01)
    assert parse_measure('tool:"git diff" count').of(AFTER) == 50
    assert parse_measure("tasks_per_hour").of(AFTER) == 5
    with pytest.raises(ConditionError):
        parse_measure("tool:* p50")


def test_name_that_is_nowhere_is_told() -> None:
    """A condition on it would never be met, and check nothing."""
    assert missing(parse_measure("tool:pytset"), BEFORE, AFTER) == "there is no tool 'pytset'"
    assert missing(parse_measure("tool:pytest"), BEFORE, AFTER) is None
    assert missing(parse_measure("model:p/smal calls"), BEFORE, AFTER) == "there is no model 'p/smal'"
    assert missing(parse_measure("model:p/small calls"), BEFORE, AFTER) is None
    assert missing(None, BEFORE, AFTER) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("task_per_hour", "did you mean tasks_per_hour"),
        ("Tasks_Per_Hour", "did you mean tasks_per_hour"),
        ("cost", "did you mean cost_usd"),
        ("tokens", "did you mean input_tokens or output_tokens or tokens_per_session? "),
        ("foo", "'foo': a figure, task:NAME, tool:NAME or model:NAME is expected"),
    ],
)
def test_figure_that_is_written_wrong_is_told_which_come_close(text: str, meant: str) -> None:
    """Not all of them, of which there are dozens: they stand in the reference."""
    with pytest.raises(ConditionError) as caught:
        parse_measure(text)
    said = str(caught.value)
    assert meant in said and len(said) < 250
    assert said.endswith(f', not {text!r} at character 1 (the reference, "Comparing sessions", lists the figures)')
