"""What each figure of a profile means, one small log at a time."""

from __future__ import annotations

import dataclasses
import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from deia.analysis import (
    Gap,
    ModelUsage,
    PathStep,
    SessionProfile,
    TimeShares,
    analyze_session,
    profile_session,
    usage,
)
from deia.analysis.profile import errors, files, first_calls, models, over_time, repeated, retries, work
from deia.analysis.profile import timeline as timeline_module
from deia.analysis.profile.shown import PATH_SHOWN
from deia.errors import DamagedLineError, NotASessionLogError
from deia.queue.layout import queue_path
from support.journals import START, Lines, encode, journal_path, write_queue

NOTHING = TimeShares(0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def profiled(journal: Path, content: bytes, **options: Any) -> SessionProfile:
    journal.write_bytes(content)
    return profile_session(journal, strict=True, **options)


def shares(**figures: int) -> TimeShares:
    return dataclasses.replace(NOTHING, **figures)


# Wall time: every moment once


def test_each_moment_is_counted_once_by_what_is_innermost(journal: Path, lines: Lines) -> None:
    """A file operation inside a tool call inside a model call inside a task: each keeps what is left to it."""
    profile = profiled(
        journal,
        lines.begin("plan")
        + lines.file("read", at=4, duration_ms=1000)
        + lines.tool(duration_ms=3000, at=5)
        + lines.llm(duration_ms=6000, at=7)
        + lines.complete(1, "plan", at=10),
    )
    assert profile.wall == shares(file_ms=1000, tool_ms=2000, model_ms=3000, unattributed_ms=4000)
    assert profile.span_ms == 10_000


def test_time_before_a_message_of_the_user_is_waiting_for_a_person(journal: Path, lines: Lines) -> None:
    """Whether a task is open or not; of another role it is not, and a tool that runs meanwhile is no waiting."""
    profile = profiled(
        journal,
        lines.message("user", at=2)
        + lines.begin(at=2)
        + lines.message("assistant", at=3)
        + lines.message("user", at=8)
        + lines.tool(duration_ms=1000, at=9)
        + lines.complete(2, began=2, at=9)
        + lines.message("user", at=10),
    )
    assert profile.wall == shares(human_ms=2000 + 5000 + 1000, unattributed_ms=1000, tool_ms=1000)


def test_time_without_an_open_task_is_idle(journal: Path, lines: Lines) -> None:
    """In a log that has tasks; in one without any, that none was open says nothing."""
    tool = lines.tool(duration_ms=1000, at=4)
    assert profiled(journal, tool).wall == shares(unattributed_ms=3000, tool_ms=1000)
    task = lines.begin(at=5) + lines.complete(2, began=5, at=6)
    assert profiled(journal, tool + task).wall == shares(idle_ms=4000, tool_ms=1000, unattributed_ms=1000)


def test_time_between_runs_is_told_apart_though_a_task_was_open(journal: Path, lines: Lines) -> None:
    """A crash interrupts a task, and nobody was at work until the session was opened again."""
    profile = profiled(
        journal,
        lines.begin("plan")
        + lines.message("assistant", at=2)
        + lines.continued(2, at=100)
        + lines.complete(1, "plan", at=103),
    )
    assert profile.wall == shares(unattributed_ms=5000, between_runs_ms=98_000)
    assert profile.gaps[0] == Gap("between_runs", START + 2, START + 100, "message of assistant", "session continued")
    assert profile.tasks["plan"].wall_ms == 103_000


def test_parallel_work_is_a_union_in_wall_time_and_a_sum_in_effort(journal: Path, lines: Lines) -> None:
    """Two calls of one tool overlap by two seconds, another one runs beside them."""
    profile = profiled(
        journal,
        lines.tool("a", 4000, at=4)
        + lines.tool("a", 4000, at=6)
        + lines.tool("b", 6000, at=6)
        + lines.tool("a", 0, at=8),
    )
    assert (profile.tools["a"].wall_ms, profile.tools["a"].effort_ms) == (6000, 8000)
    assert (profile.wall.tool_ms, profile.effort.tool_ms) == (6000, 14_000)
    assert profile.concurrency == {0: 2000, 2: 4000, 3: 2000}


def test_concurrency_over_time_tells_averages_and_peaks_step_by_step(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of a power of two milliseconds from the first call to the last; the last one may be shorter."""
    monkeypatch.setattr(over_time, "STEPS_OF_CONCURRENCY", 3)
    profile = profiled(
        journal,
        lines.message(at=0)
        + lines.tool("a", 2048, at=2.048)
        + lines.llm(duration_ms=1024, at=2.048)
        + lines.llm(duration_ms=452, at=5)
        + lines.tool("b", 226, at=5),
    )
    found = profile.concurrency_over_time
    assert (found.start, found.end, found.step_ms) == (START, START + 5, 2048)
    assert (found.tool_ms, found.model_ms, found.most) == ([2048, 0, 226], [1024, 0, 452], [2, 0, 2])
    assert found.offsets_ms == [0, 2048, 4096, 5000]
    assert found.tools == [1.0, 0.0, 0.25]
    assert found.models == [0.5, 0.0, 0.5]


def test_concurrency_over_time_is_that_of_the_calls_whatever_a_task_claims(journal: Path, lines: Lines) -> None:
    """One that began decades ago, or messages long before and after, leave the steps as fine as they are."""
    profile = profiled(
        journal,
        lines.begin("old", at=-1e9)
        + lines.message(at=0)
        + lines.tool("a", 100, at=10)
        + lines.tool("b", 100, at=10.2)
        + lines.message(at=10_000),
    )
    found = profile.concurrency_over_time
    assert (found.start, found.end, found.step_ms) == (START + 9.9, START + 10.2, 2)
    assert (sum(found.tool_ms), len(found.most)) == (200, 150)


def test_concurrency_over_time_of_no_call_has_no_steps(journal: Path, lines: Lines) -> None:
    """There is nothing to tell, for however long."""
    found = profiled(journal, lines.message(at=0) + lines.message(at=60)).concurrency_over_time
    assert (found.most, found.tools, found.models, found.offsets_ms) == ([], [], [], [0])


def test_duration_that_exceeds_the_span_is_cut_in_wall_time_alone(journal: Path, lines: Lines) -> None:
    """A caller may say more than the log has seen: believed as effort, and no moment is counted that is not there."""
    profile = profiled(journal, lines.tool("a", 60_000, at=5) + lines.llm(duration_ms=2**64 - 1, at=6))
    assert profile.span_ms == 6000
    assert profile.wall == shares(tool_ms=5000, model_ms=1000)
    assert profile.tools["a"].effort_ms == 60_000
    assert profile.models["p/m"].effort_ms == 2**64 - 1


def test_negative_durations_are_none(journal: Path, lines: Lines) -> None:
    """As the original format recorded them where a clock was set back."""
    profile = profiled(journal, lines.tool("a", -5000, at=5) + lines.file("read", at=6, duration_ms=-1))
    assert profile.wall == shares(unattributed_ms=6000)
    assert profile.tools["a"].effort_ms == profile.effort.file_ms == 0


def test_clock_that_was_set_back_leaves_everything_where_it_said_it_was(journal: Path, lines: Lines) -> None:
    """The wall clock is the only one that a log has; the span reaches from its first to its last moment."""
    profile = profiled(
        journal, lines.tool("a", 1000, at=10) + lines.tool("a", 1000, at=4) + lines.tool("a", 1000, at=7)
    )
    assert profile.span_ms == 10_000
    assert profile.wall == shares(tool_ms=3000, unattributed_ms=7000)


def test_end_goes_on_to_now_or_stops_earlier(journal: Path, lines: Lines) -> None:
    """Of a session that is running, open tasks and the run last until then; what comes later is left out."""
    content = lines.begin("plan") + lines.tool(duration_ms=2000, at=5)
    later = profiled(journal, content, end=START + 8)
    assert later.wall == shares(tool_ms=2000, unattributed_ms=6000)
    assert later.tasks["plan"].max_ms == 8000
    earlier = profiled(journal, content, end=START + 4)
    assert earlier.wall == shares(tool_ms=1000, unattributed_ms=3000)


def test_task_that_reaches_beyond_the_lines_belongs_to_the_runs_beside_it(journal: Path, lines: Lines) -> None:
    """It began before the head of the log that is missing, and its end is later than the line that tells of it."""
    profile = profiled(
        journal,
        lines.tool(duration_ms=1000, at=5, session_start=START + 4)
        + lines.complete(None, "plan", began=1, at=9, timestamp=START + 6),
    )
    assert profile.wall == shares(tool_ms=1000, unattributed_ms=7000)


def test_an_end_that_is_no_time_is_refused(journal: Path, lines: Lines) -> None:
    """As by the analysis."""
    journal.write_bytes(lines.tool())
    with pytest.raises(ValueError, match="end must be Unix seconds, not nan"):
        profile_session(journal, end=float("nan"))


# Tasks


def test_own_time_is_without_that_of_tasks_inside(journal: Path, lines: Lines) -> None:
    """Siblings that overlap are not taken off twice, tools inside are own time, and grandchildren are the child's."""
    profile = profiled(
        journal,
        lines.begin("parent")  # 1
        + lines.begin("child", parent_id=1, at=2)  # 2
        + lines.begin("child", parent_id=1, at=3)  # 3
        + lines.begin("grandchild", parent_id=3, at=3)  # 4
        + lines.complete(4, "grandchild", began=3, at=4, parent_id=3)
        + lines.complete(2, "child", began=2, at=5, parent_id=1)
        + lines.complete(3, "child", began=3, at=6, parent_id=1)
        + lines.tool(duration_ms=1000, at=8, task_id=1)
        + lines.complete(1, "parent", at=10),
    )
    assert [(name, task.effort_ms, task.own_ms, task.wall_ms) for name, task in profile.tasks.items()] == [
        ("parent", 10_000, 6000, 10_000),
        ("child", 6000, 5000, 4000),
        ("grandchild", 1000, 1000, 1000),
    ]
    assert profile.effort.task_ms == 10_000


def test_child_that_outlasts_its_parent_counts_in_it_up_to_its_end(journal: Path, lines: Lines) -> None:
    """What it ran afterwards is its own."""
    profile = profiled(
        journal,
        lines.begin("parent")
        + lines.begin("child", parent_id=1, at=3)
        + lines.complete(1, "parent", at=5)
        + lines.complete(2, "child", began=3, at=9, parent_id=1),
    )
    assert (profile.tasks["parent"].own_ms, profile.tasks["child"].own_ms) == (3000, 6000)


def test_given_duration_is_effort_and_the_clock_is_wall_time(journal: Path, lines: Lines) -> None:
    """Own time is never less than none."""
    profile = profiled(
        journal,
        lines.begin("a")
        + lines.begin("b", parent_id=1, at=1)
        + lines.complete(2, "b", began=1, at=4, parent_id=1)
        + lines.complete(1, "a", at=5, duration_ms=2000),
    )
    assert dataclasses.astuple(profile.tasks["a"])[3:6] == (5000, 2000, 0)


def test_open_tasks_count_up_to_the_last_moment_of_their_session(journal: Path, lines: Lines) -> None:
    """After a crash, that is where the time went."""
    profile = profiled(
        journal, lines.begin("a") + lines.begin("b", parent_id=1, at=1) + lines.tool(at=7) + lines.error(at=9)
    )
    figures = profile.tasks["a"]
    assert (figures.runs, figures.open, figures.effort_ms, figures.own_ms, figures.max_ms) == (1, 1, 9000, 1000, 9000)
    assert profile.tasks["b"].effort_ms == 8000
    assert profile.analysis.task_breakdown == {}


def test_orphan_completions_are_in_no_figure_about_tasks(journal: Path, lines: Lines) -> None:
    """As after a fork, where the task is the parent's: that one was recorded is all that they tell."""
    profile = profiled(
        journal,
        lines.tool(at=1, duration_ms=0) + lines.complete(None, "a", began=-50, at=4, orphan=True, error="broken"),
    )
    assert profile.tasks == {} and profile.effort.task_ms == 0
    assert profile.wall == shares(unattributed_ms=4000)
    assert [(error.source, error.name, error.message) for error in profile.errors] == [("task", "a", "broken")]


def test_failed_and_cancelled_runs_and_calls_are_counted(journal: Path, lines: Lines) -> None:
    """Both say so on their lines."""
    profile = profiled(
        journal,
        lines.begin("a")
        + lines.complete(1, "a", error_type="E", error="broken")
        + lines.begin("a")
        + lines.complete(3, "a", cancelled=True)
        + lines.tool("t", cancelled=True)
        + lines.tool("t", params={"error": "no space"}),
    )
    assert (profile.tasks["a"].failed, profile.tasks["a"].cancelled) == (1, 1)
    assert (profile.tools["t"].errors, profile.tools["t"].cancelled) == (1, 1)


# Models


def test_response_told_of_in_several_lines_is_one_call(journal: Path, lines: Lines) -> None:
    """Each figure by the last line that has it: calls, tokens, costs, durations, and the time on the clock."""
    told = {"response_id": "r", "cache_read_tokens": 5}
    profile = profiled(
        journal,
        lines.llm(duration_ms=2000, at=2, input_tokens=10, output_tokens=1, cost_usd=1.0, **told)
        + lines.llm(duration_ms=3000, at=4, input_tokens=10, output_tokens=7, cost_usd=2.0, **told)
        + lines.llm(duration_ms=None, at=5, input_tokens=None, output_tokens=9, cost_usd=None, **told)
        + lines.llm(duration_ms=1000, at=8, input_tokens=1, output_tokens=1, attempt=2, cost_usd=None),
    )
    figures = profile.models["p/m"]
    assert (figures.calls, figures.retries, figures.input_tokens, figures.output_tokens) == (2, 1, 11, 10)
    assert (figures.cache_read_tokens, figures.cost_usd) == (5, 2.0)
    assert (figures.effort_ms, figures.wall_ms, figures.max_ms) == (4000, 4000, 3000)
    assert profile.concurrency == {0: 4000, 1: 4000}


def test_usage_is_that_of_all_models_together(journal: Path, lines: Lines) -> None:
    """Calls, tokens and costs, whatever the model."""
    tokens = {"output_tokens": 10, "cache_read_tokens": 30, "cache_write_tokens": 5, "reasoning_tokens": 2}
    profile = profiled(
        journal,
        lines.llm("a", input_tokens=100, **tokens)
        + lines.llm("b", input_tokens=40, cost_usd=None, attempt=2, **tokens)
        + lines.llm("b", cost_usd=0.5, error="no", error_type="E"),
    )
    assert profile.usage == ModelUsage(
        calls=3,
        input_tokens=140,
        output_tokens=20,
        cache_read_tokens=60,
        cache_write_tokens=10,
        reasoning_tokens=4,
        cost_usd=0.75,
        left_out=0,
    )
    assert profiled(journal, Lines().llm(cost_usd=None)).usage.cost_usd is None


def test_tokens_and_costs_that_cannot_be_are_left_out_and_counted(journal: Path, lines: Lines) -> None:
    """What is negative is in no sum, as if the line did not say; what another line says of the response counts."""
    profile = profiled(
        journal,
        lines.llm(input_tokens=10, output_tokens=-7, cost_usd=1.0, response_id="r")
        + lines.llm(input_tokens=-10, output_tokens=3, cost_usd=-2.0, response_id="r")
        + lines.llm(input_tokens=100, cache_read_tokens=-100, cost_usd=-0.5),
    )
    usage = profile.usage
    assert (usage.calls, usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (2, 110, 3, 0)
    assert (usage.cost_usd, usage.left_out) == (1.0, 5)
    assert profiled(journal, Lines().llm(cost_usd=-1.0)).usage.cost_usd is None


@pytest.mark.parametrize("tokens", [1e300, True, "12", [1]])
def test_line_whose_tokens_are_no_number_is_damage_and_in_no_figure(journal: Path, lines: Lines, tokens: Any) -> None:
    """Nor is one that no counter could have counted."""
    journal.write_bytes(lines.llm(input_tokens=10) + lines.llm(input_tokens=tokens))
    profile = profile_session(journal)
    assert (profile.usage.calls, profile.usage.input_tokens) == (1, 10)
    assert [damage.kind for damage in profile.analysis.damages] == ["unreadable"]


def test_model_without_costs_or_first_tokens_says_none(journal: Path, lines: Lines) -> None:
    """Zero would be a statement."""
    figures = profiled(journal, lines.llm(cost_usd=None, duration_ms=None)).models["p/m"]
    assert (figures.cost_usd, figures.first_token_p50_ms, figures.p50_ms) == (None, None, 0)
    figures = profiled(journal, Lines().llm(cost_usd=0.0, time_to_first_token_ms=30)).models["p/m"]
    assert (figures.cost_usd, figures.first_token_p50_ms) == (0.0, 30)


def test_task_tells_what_its_time_went_into(journal: Path, lines: Lines) -> None:
    """What was called in it, not in the task inside it; parallel calls once; a wait since the latest line."""
    task = profiled(
        journal,
        lines.begin("prompt")
        + lines.llm(duration_ms=3000, at=4, task_id=1)
        + lines.tool("a", 2000, at=6, task_id=1)
        + lines.tool("b", 1000, at=6, task_id=1)
        + lines.file(duration_ms=500, at=7, task_id=1)
        + lines.begin("inner", at=7, parent_id=1)
        + lines.tool("a", 1000, at=8, task_id=6)
        + lines.complete(6, "inner", began=7, at=8, parent_id=1)
        + lines.message("user", at=18, task_id=1)
        + lines.complete(1, "prompt", at=20),
    ).tasks["prompt"]
    assert (task.model_ms, task.tool_ms, task.file_ms, task.human_ms) == (3000, 2000, 500, 10_000)
    assert (task.effort_ms, task.own_ms) == (20_000, 19_000)


# Waste and errors


def test_call_with_the_same_parameters_is_repeated_and_after_a_failure_a_retry(journal: Path, lines: Lines) -> None:
    """Whatever the order of the keys, and though a failure was written among the parameters."""
    profile = profiled(
        journal,
        lines.begin("plan")
        + lines.tool("get", 10, params={"a": 1, "b": 2, "error": "timed out"}, at=1, task_id=1)
        + lines.tool("get", 20, params={"b": 2, "a": 1}, at=2, task_id=1)
        + lines.tool("get", 30, params={"a": 1, "b": 2}, at=3, task_id=1)
        + lines.tool("get", 40, params={"a": 1}, at=4, task_id=1),
    )
    (call,) = profile.repeated
    assert dataclasses.astuple(call)[:7] == ("get", '{"a":1,"b":2}', 3, 1, 50, 2, 4)
    assert (profile.repeated_ms, profile.retries) == (50, 1)


def test_call_that_fails_again_and_again_is_retried_each_time_whatever_comes_between(
    journal: Path, lines: Lines
) -> None:
    """Three failures with an edit after each, and then a success: three retries; what follows a success is none."""
    content = b""
    for at in range(1, 4):
        content += lines.tool("pytest", 100, params={"p": 1}, at=at, error="1 failed")
        content += lines.tool("Edit", 100, params={"n": at}, at=at + 0.5)
    content += lines.tool("pytest", 100, params={"p": 1}, at=4)
    assert profiled(journal, content).retries == 3
    content += lines.tool("pytest", 100, params={"p": 1}, at=5, error="1 failed")
    assert profiled(journal, content).retries == 3
    content += lines.tool("pytest", 100, params={"p": 1}, at=6)
    assert profiled(journal, content).retries == 4


@pytest.mark.parametrize(("lasted", "retries_made"), [(1500, 0), (502, 0), (501, 1), (500, 1)])
def test_call_that_began_before_the_failure_is_no_retry(
    journal: Path, lines: Lines, lasted: int, retries_made: int
) -> None:
    """Of two that were begun at once; to a millisecond, as that is what the figures are rounded to."""
    content = lines.tool("get", 1000, at=1, error="timed out") + lines.tool("get", lasted, at=1.5)
    assert profiled(journal, content).retries == retries_made


def test_retry_is_made_in_the_task_of_the_failure(journal: Path, lines: Lines) -> None:
    """Another task has its own reasons; so has what is made after its end."""
    content = (
        lines.begin("plan")
        + lines.tool("get", at=1, task_id=1, error="timed out")
        + lines.tool("get", at=2)
        + lines.begin("build", at=3)
        + lines.tool("get", at=4, task_id=4)
    )
    assert profiled(journal, content).retries == 0
    content += lines.tool("get", at=5, task_id=1, error="timed out")
    assert profiled(journal, content).retries == 1
    content += lines.complete(1, "plan", at=6) + lines.tool("get", at=7, task_id=1)
    assert profiled(journal, content).retries == 1


def test_failures_that_were_forgotten_are_those_of_the_first_tasks_and_said(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that succeeds makes room, and so does a task that ends."""
    monkeypatch.setattr(retries, "FAILURES_KEPT", 4)
    content = lines.begin("plan")
    for name in "abc":
        content += lines.tool(name, at=1, task_id=1, error="broken")
    content += lines.tool("d", at=1, error="broken")
    content += lines.tool("c", at=2, task_id=1) + lines.tool("e", at=2, error="broken")
    profile = profiled(journal, content)
    assert profile.retries == 1 and profile.exact
    content += lines.tool("f", at=3, error="broken")
    for name, task in (("a", 1), ("b", 1), ("d", None), ("e", None)):
        content += lines.tool(name, at=4, task_id=task)
    profile = profiled(journal, content)
    assert profile.retries == 3 and not profile.exact
    other = Lines()
    content = other.begin("plan") + b"".join(other.tool(name, at=1, task_id=1, error="broken") for name in "abcd")
    content += other.complete(1, "plan", at=2) + other.tool("e", at=3, error="broken")
    assert profiled(journal, content).exact


def test_repeated_calls_are_told_exactly_however_many_others_come_between(journal: Path, lines: Lines) -> None:
    """More of them than a small table has places."""
    content = b"".join(lines.tool("get", 10, params={"n": number}, error="no") for number in range(300))
    content += b"".join(lines.tool("get", 7, params={"n": number}, at=1) for number in range(300))
    profile = profiled(journal, content)
    assert (profile.repeated_ms, profile.retries, profile.exact, profile.at_least) == (2100, 300, True, [])
    call = profile.repeated[0]
    assert dataclasses.astuple(call) == ("get", '{"n":0}', 2, 1, 7, 1, 301, False)


def test_waste_of_calls_that_were_forgotten_is_said_to_be_missing(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go first; what is not among the forgotten ones is found still, and all of it is "at least"."""
    monkeypatch.setattr(first_calls, "CALLS_KEPT", 4)
    content = lines.tool("again", 10) + lines.tool("again", 10)
    content += b"".join(lines.tool(name, 10) for name in "abc")
    profile = profiled(journal, content)
    assert (profile.repeated_ms, profile.exact, profile.at_least) == (10, True, [])
    content += b"".join(lines.tool(name, 10) for name in "da")
    content += lines.tool("d", 10) + lines.tool("again", 10)
    profile = profiled(journal, content)
    assert (profile.repeated_ms, profile.exact, profile.at_least) == (30, False, ["repeated_ms"])
    assert [(call.tool, call.calls, call.at_least) for call in profile.repeated] == [
        ("again", 3, False),
        ("d", 2, True),
    ]


def test_repeated_call_that_was_forgotten_for_wasting_little_says_at_least_when_it_is_back(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sum of all waste is exact all the same."""
    monkeypatch.setattr(repeated, "REPEATED_TRACKED", 2)
    content = b"".join(
        lines.tool(name, spent) + lines.tool(name, spent) for name, spent in (("a", 9), ("b", 5), ("c", 1))
    )
    profile = profiled(journal, content)
    assert (profile.repeated_ms, profile.exact) == (15, True)
    assert [call.tool for call in profile.repeated] == ["a"]
    content += lines.tool("b", 100)
    profile = profiled(journal, content)
    assert (profile.repeated_ms, profile.exact, profile.at_least) == (115, False, [])
    assert [(call.tool, call.calls, call.wasted_ms, call.at_least) for call in profile.repeated] == [
        ("b", 2, 100, True),
        ("a", 2, 9, False),
    ]


def test_errors_are_grouped_by_what_failed_and_how_with_the_first_message(journal: Path, lines: Lines) -> None:
    """The most frequent first."""
    profile = profiled(
        journal,
        lines.error("boom", where="a.py:1 in f")
        + lines.tool("t", error_type="OSError", error="first")
        + lines.tool("t", error_type="OSError", error="second")
        + lines.tool("t", error_type="ValueError", error="x" * 1000)
        + lines.llm(error_type="RateLimit", error="slow down"),
    )
    assert [(error.source, error.name, error.error_type, error.count, error.first_seq) for error in profile.errors] == [
        ("tool", "t", "OSError", 2, 2),
        ("error", "a.py:1 in f", "ValueError", 1, 1),
        ("tool", "t", "ValueError", 1, 4),
        ("model", "p/m", "RateLimit", 1, 5),
    ]
    assert profile.errors[0].message == "first"
    assert len(profile.errors[2].message) == 300 and profile.errors[2].message.endswith("x…")
    assert profile.error_count == 5


# Files, gaps, the critical path


def test_files_come_by_traffic_with_their_durations(journal: Path, lines: Lines) -> None:
    """Only what lines say is counted."""
    profile = profiled(
        journal,
        lines.file("read", "/small", duration_ms=7)
        + lines.file("read", "/large", size_bytes=100)
        + lines.file("write", "/large", size_bytes=None)
        + lines.file("delete", "/gone", size_bytes=None),
    )
    assert [(path, *dataclasses.astuple(file)) for path, file in profile.files.items()] == [
        ("/large", 1, 1, 100, 0, 0),
        ("/small", 1, 0, 1, 0, 7),
        ("/gone", 0, 0, 0, 0, 0),
    ]
    assert profile.effort.file_ms == 7
    assert not profile.files_capped


def test_long_paths_are_cut_and_stay_apart(journal: Path, lines: Lines) -> None:
    """Beginning and end are kept, and something to tell them apart."""
    paths = [f"/{'x' * 400}{middle}{'y' * 400}/end" for middle in "ab"]
    profile = profiled(journal, lines.file(path=paths[0]) + lines.file(path=paths[1]))
    assert len(profile.files) == 2
    for path in profile.files:
        assert len(path) == PATH_SHOWN and path.startswith("/xxx") and path.endswith("y/end")


def test_gaps_tell_what_was_before_and_what_came(journal: Path, lines: Lines) -> None:
    """The longest first; a message of the user is what ended a wait, though a task began in the same moment."""
    profile = profiled(
        journal,
        lines.begin("plan", at=1)
        + lines.tool("pytest", 1000, at=3)
        + lines.complete(1, "plan", began=1, at=6)
        + lines.begin("next", at=16)
        + lines.message("user", at=16),
    )
    assert profile.gaps == [
        Gap("human", START + 6, START + 16, "end of task plan", "message of user"),
        Gap("unattributed", START + 3, START + 6, "tool pytest", "end of task plan"),
        Gap("idle", START, START + 1, "start of a run", "start of task plan"),
        Gap("unattributed", START + 1, START + 2, "start of task plan", "tool pytest"),
    ]
    assert profile.gap_count == 4


def test_critical_path_is_the_longest_chain_and_the_waits_in_it(journal: Path, lines: Lines) -> None:
    """Two tools ran at once: the longer one is on it; where a task was at work by itself, the task is."""
    profile = profiled(
        journal,
        lines.begin("plan", at=1)
        + lines.tool("short", 2000, at=4, task_id=1)
        + lines.tool("long", 4000, at=6, task_id=1)
        + lines.complete(1, "plan", began=1, at=8)
        + lines.message("assistant", at=9),
        critical_path=True,
    )
    assert profile.critical_path == [
        PathStep("wait", "", START, START + 1, None),
        PathStep("task", "plan", START + 1, START + 2, 1),
        PathStep("tool", "long", START + 2, START + 6, 3),
        PathStep("task", "plan", START + 6, START + 8, 1),
        PathStep("wait", "", START + 8, START + 9, None),
    ]


def test_critical_path_is_only_found_on_request(journal: Path, lines: Lines) -> None:
    """It takes time and memory of its own."""
    assert profiled(journal, lines.tool()).critical_path is None


# Any log


def test_profile_has_the_analysis_of_the_same_log(journal: Path, lines: Lines) -> None:
    """One reading for both."""
    content = lines.begin("a") + lines.tool(at=1) + lines.complete(1, "a", at=2) + lines.dropped(3, at=3)
    assert profiled(journal, content).analysis == analyze_session(journal)


def test_original_format_has_effort_though_its_lines_have_no_place_in_time(journal: Path) -> None:
    """Only its tasks say when they ran."""
    profile = profiled(
        journal,
        encode({"name": "write_tests", "start_time": START, "end_time": START + 10, "metadata": {}})
        + encode({"path": "/a", "operation": "read", "size_bytes": 4096, "lines": None})
        + encode({"name": "pytest", "params": {}, "duration_ms": 2500}),
    )
    assert profile.wall == shares(unattributed_ms=10_000)
    assert (profile.tools["pytest"].effort_ms, profile.tools["pytest"].wall_ms) == (2500, 0)


def test_log_without_any_time_has_a_profile(journal: Path) -> None:
    """Of no span."""
    profile = profiled(journal, encode({"name": "pytest", "params": {}, "duration_ms": 2500}), critical_path=True)
    assert (profile.span_ms, profile.wall, profile.gaps, profile.critical_path) == (0, NOTHING, [], [])
    assert profile.effort.tool_ms == 2500


def test_what_only_the_queue_file_has_is_in_the_profile(journal: Path, lines: Lines) -> None:
    """As after a kill."""
    first, second = lines.tool("a", 1000, at=2), lines.tool("b", 1000, at=5)
    journal.write_bytes(first)
    write_queue(journal, first + second)
    assert queue_path(journal).exists()
    assert profile_session(journal).wall == shares(tool_ms=2000, unattributed_ms=3000)


def test_compressed_log_has_the_same_profile(tmp_path: Path, journal: Path, lines: Lines) -> None:
    """`.jsonl.gz`, as old logs are kept."""
    content = lines.tool("a", 1000, at=2) + lines.begin(at=3)
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(content))
    assert profile_session(packed) == profiled(journal, content)


def test_file_that_is_no_session_log_is_refused_and_damage_raises_if_asked(journal: Path, lines: Lines) -> None:
    """The errors are those of the analysis."""
    with pytest.raises(FileNotFoundError):
        profile_session(journal)
    journal.write_bytes(b"hello\n")
    with pytest.raises(NotASessionLogError):
        profile_session(journal)
    journal.write_bytes(lines.tool() + b"#\n")
    assert profile_session(journal).analysis.unreadable_lines == 1
    with pytest.raises(DamagedLineError):
        profile_session(journal, strict=True)


# Bounds


def test_lists_are_capped_and_the_profile_says_which(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The totals are still those of everything."""
    for module, name in (
        *((files, "FILES_KEPT"), (repeated, "REPEATED_KEPT"), (errors, "ERRORS_KEPT")),
        *((timeline_module, "GAPS_KEPT"), (work, "STEPS_KEPT")),
    ):
        monkeypatch.setattr(module, name, 1)
    content = b"".join(
        lines.file(path=f"/{number}", at=number) + lines.tool(f"t{number}", 100, at=number, error="broken")
        for number in range(1, 4)
    ) + b"".join(lines.tool(f"t{number}", 100, at=3 + number, error="broken") for number in range(1, 4))
    profile = profiled(journal, content, critical_path=True)
    assert profile.capped == ["files", "repeated", "errors", "gaps", "critical_path"]
    assert profile.files_capped
    assert [len(profile.files), len(profile.repeated), len(profile.errors), len(profile.gaps)] == [1, 1, 1, 1]
    assert profile.critical_path is not None and len(profile.critical_path) == 1
    assert (profile.repeated_ms, profile.error_count, profile.gap_count) == (300, 6, 6)
    assert profile.exact


@pytest.mark.parametrize(
    ("module", "name", "content"),
    [
        (files, "PATHS_KEPT", lambda lines: [lines.file(path=f"/{number}") for number in range(5)]),
        (first_calls, "CALLS_KEPT", lambda lines: [lines.tool(f"t{number}") for number in range(5)]),
        (retries, "FAILURES_KEPT", lambda lines: [lines.tool(f"t{number}", error="broken") for number in range(5)]),
        (errors, "KINDS_KEPT", lambda lines: [lines.error(where=f"{number}") for number in range(5)]),
        (models, "RESPONSES_KEPT", lambda lines: [lines.llm(response_id=f"{number}") for number in range(5)]),
        (work, "PIECES_KEPT", lambda lines: [lines.tool(at=number, duration_ms=500) for number in range(1, 6)]),
    ],
)
def test_bound_on_memory_that_was_reached_is_said(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, content: Any
) -> None:
    """What was forgotten may be missing from a figure: the profile is not exact then."""
    made = b"".join(content(lines))
    assert profiled(journal, made, critical_path=True).exact
    monkeypatch.setattr(module, name, 4)
    assert not profiled(journal, made, critical_path=True).exact


def test_call_that_reaches_back_into_what_was_summed_up_is_said(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts from there on, and everything still adds up."""
    content = b"".join(lines.tool(at=number, duration_ms=500) for number in range(1, 9)) + lines.tool(
        "long", 9000, at=9
    )
    monkeypatch.setattr(timeline_module, "ENTRIES_KEPT", 4)
    profile = profiled(journal, content)
    assert not profile.exact
    assert sum(dataclasses.astuple(profile.wall)) == profile.span_ms == 9000


@pytest.mark.once
def test_memory_does_not_grow_with_the_log(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call, path, response and error is another one; past the bounds, four times as many take no more."""
    for module, name in (
        *(
            (timeline_module, "ENTRIES_KEPT"),
            (files, "PATHS_KEPT"),
            (first_calls, "CALLS_KEPT"),
            (errors, "KINDS_KEPT"),
        ),
        *(
            (repeated, "REPEATED_TRACKED"),
            (models, "RESPONSES_KEPT"),
            (usage, "RESPONSES_KEPT"),
            (retries, "FAILURES_KEPT"),
            (work, "PIECES_KEPT"),
            (work, "_NAMES_KEPT"),
            (timeline_module, "NAMES_KEPT"),
        ),
    ):
        monkeypatch.setattr(module, name, 100)

    def peak(count: int) -> int:
        lines = Lines()
        content = lines.begin("all")
        for number in range(count):
            content += lines.begin("child", parent_id=1, at=number)
            content += lines.tool(params={"n": number}, at=number, duration_ms=100, task_id=1)
            content += lines.complete(lines.seq - 1, "child", began=number, at=number + 0.5, parent_id=1)
            content += lines.tool("fails", params={"n": number}, at=number, duration_ms=100, error="broken")
            content += lines.llm(response_id=f"{number}", at=number)
            content += lines.file(path=f"/{number}", at=number)
            content += lines.error(where=f"{number}", error_type=f"E{number}", at=number)
        journal.write_bytes(content)
        del content
        tracemalloc.start()
        try:
            profile = profile_session(journal, critical_path=True)
            assert profile.exact is (count < 50)
            assert profile.tasks["child"].runs == count
            assert sum(dataclasses.astuple(profile.wall)) == profile.span_ms
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is loaded once, and remembered by others
    assert peak(1200) < 1.3 * peak(300)
