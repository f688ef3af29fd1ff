"""The profile against one that holds everything in memory and takes the plainest ways."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deia.analysis import ModelUsage, SessionProfile, analyze_session, profile_session
from deia.analysis.profile import cover as cover_module
from deia.analysis.profile import over_time as over_time_module
from deia.analysis.profile import timeline as timeline_module
from deia.analysis.profile.cover import Cover
from deia.analysis.profile.result import GAPS_KEPT
from deia.analysis.profile.work import longest_chain
from deia.errors import DeiaError
from support.any_session import logs
from support.journals import START, Lines, encode, journal_path
from support.profile_oracle import Oracle, longest_chain_ms, ms, percentile

USAGE = [field.name for field in dataclasses.fields(ModelUsage) if field.name != "left_out"]
NAMES = st.sampled_from(["plan", "build", "test"])
DURATIONS = st.integers(0, 12).map(lambda quarters: quarters * 250) | st.integers(0, 4000)
FORWARD = st.one_of(
    st.tuples(st.just("wait"), st.integers(0, 12), st.none()),
    st.tuples(st.just("begin"), NAMES, st.booleans()),
    st.tuples(st.just("complete"), st.integers(0, 3), st.none() | DURATIONS),
    st.tuples(st.just("fail"), st.integers(0, 3), st.none()),
    st.tuples(st.just("tool"), st.tuples(NAMES, st.integers(0, 1), st.booleans(), st.integers(0, 3)), DURATIONS),
    st.tuples(st.just("llm"), st.tuples(NAMES, st.none() | st.sampled_from("xy")), st.none() | DURATIONS),
    st.tuples(st.just("file"), st.sampled_from(["read", "write", "delete"]), st.none() | DURATIONS),
    st.tuples(st.just("message"), st.sampled_from(["user", "assistant"]), st.none()),
    st.tuples(st.sampled_from(["error", "decision"]), NAMES, st.none()),
    st.tuples(st.just("orphan"), NAMES, DURATIONS),
    st.tuples(st.just("continue"), st.integers(0, 3), st.none()),
)
ANY = st.one_of(
    FORWARD,
    st.tuples(st.just("set back"), st.integers(1, 6), st.none()),
    st.tuples(st.just("original"), NAMES, st.integers(0, 12)),
)


def lines_of(steps: list[tuple[str, Any, Any]]) -> list[bytes]:
    """Return the lines that such a session leaves; times are quarters of a second, which floats hold exactly."""
    lines = Lines()
    content: list[bytes] = []
    running: list[tuple[int, str, float, int | None]] = []
    at, runs = 0.0, 1
    for step, what, more in steps:
        inside = running[-1][0] if running else None
        if step == "wait":
            at += what / 4
        elif step == "set back":
            at -= what / 4
        elif step == "begin":
            parent = inside if more else None
            content.append(lines.begin(what, parent_id=parent, at=at))
            running.append((lines.seq, what, at, parent))
        elif step in ("complete", "fail") and running:
            task_id, name, began, parent = running.pop(what % len(running))
            end = max(at, began)
            further = {"error_type": "E", "error": "broken"} if step == "fail" else {}
            content.append(
                lines.complete(task_id, name, began=began, at=end, duration_ms=more, parent_id=parent, **further)
            )
        elif step == "orphan":
            content.append(lines.complete(None, what, began=at - more / 1000, at=at, duration_ms=more, orphan=True))
        elif step == "tool":
            name, params, failed, which = what
            task_id = running[which % len(running)][0] if running and which else None
            further = {"error_type": "E", "error": f"broken {name}"} if failed else {}
            content.append(lines.tool(name, more, params={"a": params}, at=at, task_id=task_id, **further))
        elif step == "llm":
            model, response = what
            tokens = {"input_tokens": len(content), "output_tokens": more, "response_id": response}
            content.append(lines.llm(model, more, at=at, task_id=inside, **tokens))
        elif step == "file":
            further = {} if more is None else {"duration_ms": more}
            content.append(lines.file(what, f"/{len(content) % 3}", at=at, task_id=inside, **further))
        elif step in ("message", "error", "decision"):
            content.append(getattr(lines, step)(what, at=at, task_id=inside))
        elif step == "continue":
            runs += 1
            at += what / 4
            content.append(lines.continued(runs, at=at))
        elif step == "original":
            content.append(
                encode({"name": what, "start_time": START + at, "end_time": START + at + more / 4, "metadata": {}})
            )
    return content


def profiled(content: bytes, **options: Any) -> tuple[SessionProfile, list[dict[str, Any]]]:
    """Return the profile of a log, and its lines, parsed."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content)
        profile = profile_session(journal, strict=True, **options)
        assert profile.analysis == analyze_session(journal, end=options.get("end"))
    return profile, [json.loads(line) for line in content.splitlines()]


def nonzero(figures: object) -> dict[str, int]:
    """Return the fields of a data class that are not 0."""
    assert dataclasses.is_dataclass(figures) and not isinstance(figures, type)
    return {name: value for name, value in dataclasses.asdict(figures).items() if value}


@settings(max_examples=150)
@given(st.lists(ANY, max_size=30))
def test_wall_time_equals_that_of_each_elementary_stretch(steps: list[tuple[str, Any, Any]]) -> None:
    """Shares, concurrency, gaps, unions, whatever overlaps, outlasts, is orphaned, or reaches before the beginning."""
    profile, lines = profiled(b"".join(lines_of(steps)))
    oracle = Oracle(lines)
    assert profile.span_ms == oracle.last - oracle.first == sum(dataclasses.astuple(profile.wall))
    assert nonzero(profile.wall) == oracle.wall()
    assert profile.concurrency == oracle.concurrency()
    assert sum(profile.concurrency.values()) == profile.span_ms
    gaps = oracle.gaps()
    assert profile.gap_count == len(gaps)
    assert [(round((gap.start - START) * 1000), round((gap.end - START) * 1000)) for gap in profile.gaps] == sorted(
        gaps, key=lambda gap: (gap[0] - gap[1], gap[0])
    )[:GAPS_KEPT]
    for kind in ("human", "idle", "unattributed", "between_runs"):
        if len(gaps) <= GAPS_KEPT:
            spent = sum(round((gap.end - gap.start) * 1000) for gap in profile.gaps if gap.kind == kind)
            assert spent == getattr(profile.wall, f"{kind}_ms")
    for name, tool in profile.tools.items():
        assert tool.wall_ms == oracle.union([interval for tool_name, interval in oracle.tools if tool_name == name])
        assert tool.wall_ms <= tool.effort_ms
    for name, model in profile.models.items():
        assert model.wall_ms == oracle.union([interval for model_name, interval in oracle.models if model_name == name])
    for name, task in profile.tasks.items():
        assert task.wall_ms == oracle.union([(run.start, run.end) for run in oracle.tasks if run.name == name])
    assert profile.exact is profile.analysis.session_time_exact is True


@settings(max_examples=100)
@given(st.lists(ANY, max_size=30), st.sampled_from([2, 7, 256]), st.integers(4, 1000))
@example([*[("tool", ("plan", 0, False, 0), 250)] * 4, ("set back", 1, None), ("begin", "plan", False)], 2, 4)
def test_concurrency_over_time_equals_that_of_each_step_by_itself(
    steps: list[tuple[str, Any, Any]], most_steps: int, kept: int
) -> None:
    """However long a step has to be, and however often the timeline was summed up on the way."""
    content = b"".join(lines_of(steps))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(over_time_module, "STEPS_OF_CONCURRENCY", most_steps)
        patch.setattr(timeline_module, "ENTRIES_KEPT", kept)
        profile, lines = profiled(content)
    found = profile.concurrency_over_time
    assert len(found.most) == len(found.tool_ms) == len(found.model_ms) <= most_steps
    at_work_ms = sum(calls * spent for calls, spent in profile.concurrency.items())
    assert sum(found.tool_ms) + sum(found.model_ms) == at_work_ms
    if profile.exact:
        oracle = Oracle(lines)
        assert (found.step_ms, found.tool_ms, found.model_ms, found.most) == oracle.over_time(most_steps)
        assert round((found.end - found.start) * 1000) == found.offsets_ms[-1] <= profile.span_ms


@settings(max_examples=100)
@given(st.lists(ANY, max_size=30))
def test_effort_by_name_equals_the_sums_of_the_lines(steps: list[tuple[str, Any, Any]]) -> None:
    """Runs, failures, effort, own time, percentiles to 1 %; open tasks as far as they came."""
    profile, lines = profiled(b"".join(lines_of(steps)))
    oracle = Oracle(lines)
    assert profile.tasks.keys() == {run.name for run in oracle.tasks}
    for name, task in profile.tasks.items():
        runs = [run for run in oracle.tasks if run.name == name]
        assert (task.runs, task.open, task.failed) == (
            *(len(runs), sum(run.is_open for run in runs)),
            sum(run.failed for run in runs),
        )
        durations = [run.duration_ms for run in runs]
        assert task.effort_ms == sum(durations)
        assert task.own_ms == sum(map(oracle.own_ms, runs))
        for what in ("model", "tool", "file", "human"):
            assert getattr(task, f"{what}_ms") == sum(oracle.spent_ms(run, what) for run in runs)
        for value, percent in ((task.p50_ms, 50), (task.p95_ms, 95), (task.max_ms, 100)):
            exact = percentile(durations, percent)
            assert abs(value - exact) <= exact / 100
    assert profile.effort.task_ms == sum(run.duration_ms for run in oracle.tasks if run.top_level)
    tools = [line for line in lines if line.get("type") == "ToolEvent"]
    assert profile.tools.keys() == {line["name"] for line in tools}
    for name, tool in profile.tools.items():
        calls = [line for line in tools if line["name"] == name]
        durations = [line["duration_ms"] for line in calls]
        assert (tool.calls, tool.errors) == (len(calls), sum("error" in line for line in calls))
        assert (tool.effort_ms, tool.max_ms) == (sum(durations), max(durations))
        for value, percent in ((tool.p50_ms, 50), (tool.p95_ms, 95), (tool.p99_ms, 99)):
            exact = percentile(durations, percent)
            assert abs(value - exact) <= exact / 100
    files = [line for line in lines if line.get("type") == "FileEvent"]
    assert profile.effort.file_ms == sum(line.get("duration_ms", 0) for line in files)
    assert {path: (file.reads, file.writes) for path, file in profile.files.items()} == {
        path: tuple(
            sum(line["path"] == path and line["operation"] == operation for line in files)
            for operation in ("read", "write")
        )
        for path in {line["path"] for line in files}
    }
    for figures in (profile.tasks, profile.tools, profile.models):
        efforts = [each.effort_ms for each in figures.values()]  # type: ignore[attr-defined]  # all have it
        assert efforts == sorted(efforts, reverse=True)


@settings(max_examples=100)
@given(st.lists(FORWARD, max_size=30))
def test_tokens_and_costs_count_once_for_each_response(steps: list[tuple[str, Any, Any]]) -> None:
    """Of lines with the same `response_id` the last one that says counts, for each figure."""
    profile, lines = profiled(b"".join(lines_of(steps)))
    oracle = Oracle(lines)
    expected: dict[str, Counter[str]] = {}
    for told in oracle.responses:
        model = expected.setdefault(f"p/{told[-1]['model']}", Counter())
        model["calls"] += 1
        for name in ("input_tokens", "output_tokens", "duration_ms", "cost_usd"):
            model[name] += next((line[name] for line in reversed(told) if line[name] is not None), 0)
    assert {
        name: (model.calls, model.input_tokens, model.output_tokens, model.effort_ms, model.cost_usd)
        for name, model in profile.models.items()
    } == {
        name: tuple(figures[key] for key in ("calls", "input_tokens", "output_tokens", "duration_ms", "cost_usd"))
        for name, figures in expected.items()
    }
    assert profile.effort.model_ms == sum(figures["duration_ms"] for figures in expected.values())
    assert {
        name: tuple(getattr(model, field) for field in USAGE) for name, model in profile.analysis.models.items()
    } == {name: tuple(getattr(model, field) for field in USAGE) for name, model in profile.models.items()}
    for name in ("calls", "input_tokens", "output_tokens"):
        assert getattr(profile.usage, name) == sum(figures[name] for figures in expected.values())
    assert profile.usage.cost_usd == (sum(figures["cost_usd"] for figures in expected.values()) if expected else None)


@settings(max_examples=100)
@given(st.lists(ANY, max_size=40))
def test_repeated_calls_retries_and_errors_are_those_of_a_plain_count(steps: list[tuple[str, Any, Any]]) -> None:
    """By tool and parameters; each call is held against all before it in its task."""
    profile, lines = profiled(b"".join(lines_of(steps)))
    calls: dict[tuple[str, str], list[dict[str, Any]]] = {}
    of_task: dict[int | None, list[dict[str, Any]]] = {}
    open_tasks: set[int] = set()
    retries = 0
    errors: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.get("type") == "TaskEvent" and line["task_id"] is not None:
            if line["end_time"] is None:
                open_tasks.add(line["task_id"])
            else:
                open_tasks.discard(line["task_id"])
        if line.get("type") == "ErrorEvent":
            errors["error", ""] += 1
        elif "error" in line and line["type"] in ("ToolEvent", "TaskEvent") and line["error"]:
            errors["tool" if line["type"] == "ToolEvent" else "task", line["name"]] += 1
        if line.get("type") != "ToolEvent":
            continue
        key = (line["name"], json.dumps(line["params"]))
        task = line["task_id"] if line["task_id"] in open_tasks else None
        same = [call for call in of_task.setdefault(task, []) if (call["name"], json.dumps(call["params"])) == key]
        began = ms(line["timestamp"]) - line["duration_ms"]
        retries += any(
            "error" in call and began >= ms(call["timestamp"]) - 1 and all("error" in later for later in same[at:])
            for at, call in enumerate(same)
        )
        of_task[task].append(line)
        calls.setdefault(key, []).append(line)
    again = {key: same for key, same in calls.items() if len(same) > 1}
    assert profile.retries == retries
    assert profile.repeated_ms == sum(line["duration_ms"] for same in again.values() for line in same[1:])
    assert {
        (call.tool, call.params): (call.calls, call.errors, call.wasted_ms, call.first_seq, call.last_seq)
        for call in profile.repeated
    } == {
        (tool, params.replace(" ", "")): (
            *(len(same), sum("error" in line for line in same)),
            sum(line["duration_ms"] for line in same[1:]),
            *(same[0]["seq"], same[-1]["seq"]),
        )
        for (tool, params), same in again.items()
    }
    assert {(error.source, error.name): error.count for error in profile.errors} == errors
    assert profile.error_count == errors.total()


@settings(max_examples=100)
@given(st.lists(FORWARD, max_size=25))
def test_critical_path_is_a_chain_of_work_than_which_none_is_longer(steps: list[tuple[str, Any, Any]]) -> None:
    """Its steps follow each other from the first moment to the last, and its work is that of the longest chain."""
    profile, lines = profiled(b"".join(lines_of(steps)), critical_path=True)
    oracle = Oracle(lines)
    path = profile.critical_path
    assert path is not None
    moments = [round((at - START) * 1000) for step in path for at in (step.start, step.end)]
    if path:
        assert (moments[0], moments[-1]) == (oracle.first, oracle.last)
        assert moments[1:-1:2] == moments[2::2]
    worked = sum(round((step.end - step.start) * 1000) for step in path if step.kind != "wait")
    assert worked == longest_chain_ms(oracle.work())


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=9))
def test_longest_chain_is_the_longest_of_all_choices(pieces: list[tuple[int, int]]) -> None:
    """Every choice of pieces is tried."""
    starts = [min(piece) for piece in pieces]
    ends = [max(piece) for piece in pieces]

    def length(chosen: list[int]) -> int:
        ordered = sorted((at for at in chosen if starts[at] < ends[at]), key=lambda at: ends[at])
        fits = all(ends[a] <= starts[b] for a, b in pairwise(ordered))
        return sum(ends[at] - starts[at] for at in ordered) if fits else -1

    best = max(length([at for at in range(len(pieces)) if choice >> at & 1]) for choice in range(1 << len(pieces)))
    chain = longest_chain(starts, ends)
    assert length(chain) == best
    assert chain == sorted(chain, key=lambda at: ends[at])


@settings(max_examples=100)
@given(st.lists(FORWARD, max_size=40), st.integers(2, 30))
def test_summing_up_on_the_way_changes_nothing(steps: list[tuple[str, Any, Any]], kept: int) -> None:
    """As long as nothing reaches back into what was summed up: and where it does, the profile says so and adds up."""
    content = b"".join(lines_of(steps))
    whole, _ = profiled(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timeline_module, "ENTRIES_KEPT", kept)
        patch.setattr(cover_module, "_CROWDED", 3)
        patch.setattr(cover_module, "_RECENT", 1)
        summed_up, _ = profiled(content)
    assert sum(dataclasses.astuple(summed_up.wall)) == summed_up.span_ms == whole.span_ms
    assert sum(summed_up.concurrency.values()) == whole.span_ms
    if summed_up.exact:
        assert summed_up == whole


@given(st.lists(ANY, max_size=25), st.integers(-2000, 20_000))
def test_end_cuts_or_extends_and_still_adds_up(steps: list[tuple[str, Any, Any]], end_ms: int) -> None:
    """With another last moment than the log's, every moment up to there is counted once."""
    profile, _ = profiled(b"".join(lines_of(steps)), end=START + end_ms / 1000)
    assert sum(dataclasses.astuple(profile.wall)) == profile.span_ms == sum(profile.concurrency.values())
    if profile.analysis.first_time is not None:
        assert profile.span_ms == max(0, end_ms - round((profile.analysis.first_time - START) * 1000))


@settings(max_examples=100)
@given(logs(), st.booleans())
def test_profile_of_any_log_has_the_analysis_and_adds_up(content: bytes, critical_path: bool) -> None:
    """Of several sessions in one file, damaged, odd, in both formats: what `analyze_session` says, and every moment."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content)
        try:
            analysis = analyze_session(journal)
        except DeiaError as error:
            with pytest.raises(type(error)):
                profile_session(journal, critical_path=critical_path)
            return
        profile = profile_session(journal, critical_path=critical_path)
    assert profile.analysis == analysis
    assert sum(dataclasses.astuple(profile.wall)) == profile.span_ms == sum(profile.concurrency.values())
    assert {name: (tool.calls, tool.effort_ms, tool.p95_ms) for name, tool in profile.tools.items()} == {
        name: (tool.count, tool.total_ms, tool.p95_ms) for name, tool in analysis.tools.items()
    }
    assert all(step.start <= step.end for step in profile.critical_path or [])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=20), st.integers(0, 30), st.integers(0, 30))
def test_cover_is_the_set_of_what_was_covered(pieces: list[tuple[int, int]], start: int, end: int) -> None:
    """In any order, whatever overlaps or touches."""
    start, end = min(start, end), max(start, end)
    cover = Cover()
    covered: set[int] = set()
    for piece in pieces:
        cover.add(*piece)
        covered |= set(range(*piece))
    assert cover.covered_ms(start, end) == len(covered & set(range(start, end)))
    free = {at for piece in cover.uncovered(start, end) for at in range(*piece)}
    assert free == set(range(start, end)) - covered
