"""What to fix first: each rule speaks up beyond its threshold, says what it saw, and is silent below."""

from __future__ import annotations

from typing import Any

import pytest

from deia.analysis.profile import Advice, ErrorFigure, RepeatedCall, SessionProfile, advise
from deia.analysis.tasks import OpenTask
from deia.journal.damage import Damage
from support.profiles import model, profile, task, tool

BUSY = {"tool_ms": 90_000}
"""A session that is not idle, so that no rule but the one in question has a say."""


def told(about: SessionProfile, *, killed: bool = False) -> list[str]:
    return [advice.title for advice in advise(about, killed=killed)]


def only(about: SessionProfile, *, killed: bool = False) -> Advice:
    (advice,) = advise(about, killed=killed)
    return advice


def test_session_in_which_nothing_stands_out_gets_no_advice() -> None:
    """Small shares of everything."""
    assert told(profile(wall=BUSY, tasks={"a": task(29_000)}, tools={"t": tool(19_000, calls=5)})) == []


def test_empty_session_gets_no_advice() -> None:
    """No time, nothing to divide by."""
    assert told(profile(0)) == []


def test_task_with_much_time_of_its_own_is_a_bottleneck() -> None:
    """Beyond 30 % of the span, without the tasks inside it; with a way to its events."""
    advice = only(profile(wall=BUSY, tasks={"plan": task(31_000, runs=2), "all": task(1_000, effort_ms=99_000)}))
    assert advice.title == "plan is a bottleneck"
    assert advice.text.startswith("Its 2 runs took 31.0 s, not counting the tasks inside: 31.0 % of the session.")
    assert (advice.weight, advice.at_stake_ms, advice.section, advice.find) == ("time", 31_000, "tasks", "plan")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"model_ms": 30_000, "tool_ms": 9_000}, "Most of that, 30.0 s, went into model calls."),
        ({"tool_ms": 20_000, "model_ms": 15_000}, "The largest part of that, 20.0 s, went into tool calls."),
        ({"file_ms": 30_000}, "Most of that, 30.0 s, went into reading and writing files."),
        ({"human_ms": 30_000}, "Most of that, 30.0 s, went into waiting for a person."),
        ({"human_ms": 15_000}, "Most of that, 25.0 s, passed while nothing was known to be at work in it. What is it"),
    ],
)
def test_bottleneck_says_what_most_of_its_time_went_into(parts: dict[str, int], said: str) -> None:
    """So much is at stake as that took, not all that happened while the task was open."""
    advice = only(profile(wall=BUSY, tasks={"plan": task(40_000, **parts)}))
    assert said in advice.text
    assert advice.at_stake_ms == max(*parts.values(), 40_000 - sum(parts.values()))


@pytest.mark.parametrize(
    ("part", "further", "said"),
    [
        ("model_ms", {"wall": {"model_ms": 85_000, "tool_ms": 10_000}}, "Most of the time is the model's"),
        ("tool_ms", {"wall": BUSY, "tools": {"pytest": tool(60_000)}}, "pytest takes long"),
        ("human_ms", {"wall": {"human_ms": 85_000, "tool_ms": 10_000}}, "The agent waits for people"),
    ],
)
def test_task_is_no_bottleneck_for_what_other_advice_names(part: str, further: dict[str, Any], said: str) -> None:
    """The task of a whole prompt is open all the time: what took the time comes first, and alone."""
    assert told(profile(tasks={"prompt": task(100_000, **{part: 85_000})}, **further)) == [said]


def test_task_with_many_short_tools_is_a_bottleneck_though_one_of_them_is_named() -> None:
    """The one that is named is less than half of its calls."""
    about = profile(wall=BUSY, tasks={"prompt": task(90_000, tool_ms=80_000)}, tools={"pytest": tool(21_000)})
    assert told(about) == ["prompt is a bottleneck", "pytest takes long"]


def test_runs_at_the_same_time_are_no_share_of_the_session() -> None:
    """Their times are summed, so 361 % would be one; a task whose runs are soon over together is no bottleneck."""
    advice = only(profile(wall=BUSY, tasks={"plan": task(361_000, runs=4, wall_ms=95_000)}))
    assert "Its 4 runs took 6 min 01 s in all, not counting the tasks inside, within 1 min 35 s. " in advice.text
    assert "%" not in advice.text and advice.at_stake_ms == 95_000
    assert told(profile(wall=BUSY, tasks={"plan": task(361_000, runs=40, wall_ms=10_000)})) == []


def test_tool_that_is_at_work_for_long_is_named() -> None:
    """Beyond 20 % of the span, by wall time: parallel calls count once."""
    figures = tool(21_000, calls=4, effort_ms=80_000, p50_ms=9_000, max_ms=30_000)
    advice = only(profile(wall=BUSY, tools={"pytest": figures, "ls": tool(20_000)}))
    assert advice.title == "pytest takes long"
    assert "During 21.0 % of the session (21.0 s) it was at work: 4 calls, half of them within 9.00 s" in advice.text


def test_tool_that_keeps_failing_is_a_problem_with_an_example() -> None:
    """From three failures on, and one in ten."""
    errors = [ErrorFigure("tool", "git", "OSError", "no such branch", 4, 7)]
    failing = {"git": tool(calls=40, errors=4), "ls": tool(calls=2, errors=2), "cat": tool(calls=100, errors=9)}
    advice = only(profile(wall=BUSY, tools=failing, errors=errors))
    assert (advice.weight, advice.title) == ("bad", "git keeps failing")
    assert advice.text == "4 of 40 calls failed (10.0 %). The most frequent error: “no such branch”."


def test_failed_task_is_a_problem() -> None:
    """However often it ran."""
    advice = only(profile(wall=BUSY, tasks={"deploy": task(failed=1, runs=5)}))
    assert (advice.weight, advice.title) == ("bad", "deploy failed")
    assert "1 of 5 runs" in advice.text


def test_failed_calls_that_are_made_again_are_a_problem() -> None:
    """From three on."""
    assert told(profile(wall=BUSY, retries=2)) == []
    assert told(profile(wall=BUSY, retries=3)) == ["Failed calls are made again"]


def test_identical_calls_are_waste_where_they_cost_something() -> None:
    """Beyond 2 % of the span; the costliest is shown with its parameters."""
    repeated = [RepeatedCall("read_page", '{"url":"x"}', 5, 0, 2_100, 3, 9)]
    advice = only(profile(wall=BUSY, repeated=repeated, repeated_ms=2_100))
    assert advice.title == "The same calls are made again"
    assert '“read_page” with “{"url":"x"}”, 5 times' in advice.text
    assert told(profile(wall=BUSY, repeated=repeated, repeated_ms=2_000)) == []


def test_identical_calls_at_the_same_time_are_no_share_of_the_session() -> None:
    """Their times are summed, and may be more than the session took."""
    repeated = [RepeatedCall("get", "{}", 5, 0, 361_500, 3, 9)]
    for concurrency in ({0: 10_000, 4: 90_000}, {1: 100_000}):
        advice = only(profile(wall=BUSY, repeated=repeated, repeated_ms=361_500, concurrency=concurrency))
        assert "took 6 min 02 s in all, those that ran at once counted in full. The costliest" in advice.text
        assert "%" not in advice.text and advice.at_stake_ms == 100_000
    advice = only(profile(wall=BUSY, repeated=repeated, repeated_ms=3_000, concurrency={0: 97_000, 1: 3_000}))
    assert "took 3.00 s (3.0 % of the session)" in advice.text


def test_figure_that_may_be_too_low_is_said_to_be_at_least_so_much() -> None:
    """Of retries, of all repeated calls, and of the costliest."""
    repeated = [RepeatedCall("get", "{}", 5, 0, 3_000, 3, 9, at_least=True)]
    about = profile(wall=BUSY, repeated=repeated, repeated_ms=3_000, retries=3, at_least=["repeated_ms", "retries"])
    again, retried = advise(about)
    assert retried.text.startswith("At least 3 calls began when ")
    assert "took at least 3.00 s (" in again.text and "at least 5 times" in again.text


def test_few_slow_calls_among_many_fast_ones_are_told_apart() -> None:
    """Where one in twenty takes more than ten times the median."""
    slow = tool(calls=20, p50_ms=10, p95_ms=101, max_ms=900)
    assert told(profile(wall=BUSY, tools={"fetch": slow})) == ["A few calls of fetch are far slower than the rest"]
    assert told(profile(wall=BUSY, tools={"fetch": tool(calls=19, p50_ms=10, p95_ms=101)})) == []


def test_model_that_takes_most_of_the_time_is_named_with_its_calls() -> None:
    """Beyond half of the span."""
    advice = only(profile(wall={"model_ms": 51_000, "tool_ms": 40_000}, models={"p/m": model(calls=12)}))
    assert advice.title == "Most of the time is the model's"
    assert "51.0 s, 51.0 % of the session, went into 12 model calls" in advice.text


def test_prompts_that_are_not_cached_are_named() -> None:
    """From 50,000 input tokens on, of which less than a fifth came from the cache."""
    uncached = {"p/m": model(input_tokens=50_000, cache_read_tokens=9_999)}
    cached = {"p/m": model(input_tokens=50_000, cache_read_tokens=10_000)}
    assert told(profile(wall=BUSY, models=uncached)) == ["p/m reads its prompts anew"]
    assert told(profile(wall=BUSY, models=cached)) == []


def test_tools_that_never_run_at_once_are_worth_a_question() -> None:
    """Where tools take a good part of the time, and more than a few calls were made."""
    many = {f"t{number}": tool(6_000) for number in range(10)}
    alone = profile(wall={"tool_ms": 60_000, "file_ms": 30_000}, tools=many, concurrency={0: 40_000, 1: 60_000})
    beside = profile(
        wall={"tool_ms": 60_000, "file_ms": 30_000}, tools=many, concurrency={0: 40_000, 1: 50_000, 2: 10_000}
    )
    assert told(alone) == ["Nothing runs in parallel"]
    assert told(beside) == []


@pytest.mark.parametrize(
    ("share", "title", "weight"),
    [
        ("human_ms", "The agent waits for people", "time"),
        ("idle_ms", "Nothing happens for long", "time"),
        ("unattributed_ms", "Much of the time is unexplained", "note"),
    ],
)
def test_time_in_which_nothing_is_known_to_be_at_work_is_named(share: str, title: str, weight: str) -> None:
    """Beyond a fifth of the span: people, idleness, and what the log does not tell."""
    advice = only(profile(wall={share: 21_000, "tool_ms": 79_000}))
    assert (advice.title, advice.weight, advice.section) == (title, weight, "gaps")
    assert told(profile(wall={share: 20_000, "tool_ms": 80_000})) == []


def test_time_without_any_task_is_not_said_to_be_inside_one() -> None:
    """A log that has no tasks leaves open whether the agent was at work; one that has them, at what."""
    wall = {"unattributed_ms": 21_000, "tool_ms": 79_000}
    without, inside = (only(profile(wall=wall, tasks=tasks)).text for tasks in ({}, {"plan": task(1_000)}))
    assert "inside" not in without and "there is no task that would say whether the agent was" in without
    assert "log.task" in without and "log.task" not in inside
    assert "passed inside tasks while no tool, model or file was known to be at work" in inside


def test_killed_session_says_what_it_was_at() -> None:
    """The task that was begun last."""
    tasks = [OpenTask("outer", 0.0, 9.0, 9_000), OpenTask("inner", 5.0, 9.0, 4_000)]
    advice = only(profile(wall=BUSY, open_tasks=tasks), killed=True)
    assert (advice.weight, advice.title) == ("bad", "The process died")
    assert "It was at work on “inner”, since 4.00 s." in advice.text
    assert told(profile(wall=BUSY, open_tasks=tasks)) == []


def test_damage_and_drops_come_first() -> None:
    """What is lost weighs more than any time; a torn end, which holds no recorded event, nothing."""
    damaged = {"damages": [Damage("a", 2, 10, "unreadable", "not JSON")], "damage_count": 1, "dropped": 3}
    about = profile(wall=BUSY, tasks={"plan": task(90_000)}, **damaged)
    assert told(about) == ["The log is damaged", "Events were dropped", "plan is a bottleneck"]
    assert told(profile(wall=BUSY, damages=[Damage("a", 2, 10, "torn", "a torn end")], damage_count=1)) == []


def test_advice_is_ordered_by_what_is_at_stake() -> None:
    """Problems, then the most time, then notes."""
    about = profile(
        wall={"tool_ms": 40_000, "unattributed_ms": 60_000},
        tasks={"long": task(60_000), "broken": task(failed=1)},
        tools={"slow": tool(40_000)},
    )
    assert told(about) == [
        "broken failed",
        "long is a bottleneck",
        "slow takes long",
        "Much of the time is unexplained",
    ]


def test_foreign_names_in_advice_are_harmless_and_short() -> None:
    """Control characters are visible, and a long name is cut."""
    advice = only(profile(wall=BUSY, tasks={"\x1b[2J" + "x" * 300: task(50_000)}))
    assert advice.title.startswith("\\x1b[2Jxxx")
    assert len(advice.title) < 120


def test_what_is_to_be_typed_is_named_beside_the_text() -> None:
    """Each term stands in it in backticks, and nothing else of ours does."""
    damaged = profile(
        wall={"unattributed_ms": 90_000},
        damages=[Damage("a", 2, 10, "unreadable", "not JSON")],
        damage_count=1,
        dropped=3,
        tasks={"plan": task(1_000)},
    )
    for advice in advise(damaged):
        assert advice.text.count("`") == 2 * len(advice.code)
        assert all(f"`{term}`" in advice.text for term in advice.code)
    assert {term for advice in advise(damaged) for term in advice.code} >= {
        "deia recover",
        "queue_bytes",
        "log_llm_call",
    }
