from __future__ import annotations

import dataclasses
import gzip
import random
import tracemalloc
from pathlib import Path

import pytest

from deia.analysis import OpenTask, SessionAnalysis, ToolStatistics, analyze_session
from deia.analysis import groups as groups_module
from deia.analysis.groups import TaskGroups
from deia.analysis.percentiles import Percentiles
from deia.errors import DamagedLineError, NotASessionLogError
from deia.journal.damage import KEPT_DAMAGES
from deia.queue.layout import Kind, queue_path
from support.journals import START, Lines, encode, journal_path, write_queue

ORIGINAL = (
    b'{"name":"write_tests","start_time":1697654400.123,"end_time":1697656200.456,"metadata":{"priority":"P1"}}\n'
    b'{"path":"/tests/test_logger.py","operation":"read","size_bytes":4096,"lines":null}\n'
    b'{"name":"pytest","params":{"path":"tests/"},"duration_ms":2500}\n'
)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def task(lines: Lines, name: str, began: float, ended: float, duration_ms: int | None = None) -> bytes:
    """A top-level task, start and completion at once."""
    start = lines.begin(name, at=began)
    return start + lines.complete(lines.seq, name, began=began, at=ended, duration_ms=duration_ms)


def session_time(journal: Path, content: bytes) -> int:
    journal.write_bytes(content)
    return analyze_session(journal, strict=True).session_time_ms


# The four fields of the original


def test_task_breakdown_sums_completed_runs_by_name(journal: Path, lines: Lines) -> None:
    """Several runs of one task count together; open ones do not count."""
    journal.write_bytes(
        task(lines, "build", 0, 2) + task(lines, "test", 2, 3) + task(lines, "build", 3, 7) + lines.begin("build", at=8)
    )
    analysis = analyze_session(journal)
    assert analysis.task_breakdown == {"build": 6000, "test": 1000}
    assert analysis.task_counts == {"build": 2, "test": 1}
    assert analysis.tasks_completed == 3


def test_given_duration_wins_over_the_clock(journal: Path, lines: Lines) -> None:
    """`duration_ms` is the caller's word."""
    journal.write_bytes(task(lines, "build", 0, 2, duration_ms=9))
    assert analyze_session(journal).task_breakdown == {"build": 9}


def test_duration_without_a_given_one_is_end_less_start(journal: Path) -> None:
    """As in the original format, whose clock may have been set back: nothing takes less than no time."""
    journal.write_bytes(
        encode({"name": "a", "start_time": 1.0, "end_time": 3.5})
        + encode({"name": "b", "start_time": 5.0, "end_time": 2.0})
    )
    assert analyze_session(journal).task_breakdown == {"a": 2500, "b": 0}


def test_bottlenecks_have_more_than_their_share_and_come_slowest_first(journal: Path, lines: Lines) -> None:
    """More than 30 per cent of the session time, not 30 per cent."""
    journal.write_bytes(task(lines, "a", 0, 3) + task(lines, "b", 3, 6.2) + task(lines, "c", 6.2, 10))
    assert analyze_session(journal).bottlenecks == ["c", "b"]


def test_bottleneck_share_is_a_parameter(journal: Path, lines: Lines) -> None:
    """From none to all of the session time; anything else is a mistake."""
    journal.write_bytes(task(lines, "a", 0, 6) + task(lines, "b", 6, 10))
    assert analyze_session(journal, bottleneck_share=0.5).bottlenecks == ["a"]
    assert analyze_session(journal, bottleneck_share=0).bottlenecks == ["a", "b"]
    assert analyze_session(journal, bottleneck_share=1).bottlenecks == []
    for share in (-0.1, 30, float("nan")):
        with pytest.raises(ValueError, match="bottleneck_share"):
            analyze_session(journal, bottleneck_share=share)


def test_velocity_metrics_are_rates_over_the_session_time(journal: Path, lines: Lines) -> None:
    """Completed runs, reads, writes and calls per hour."""
    journal.write_bytes(
        task(lines, "a", 0, 1800) + lines.file() * 2 + lines.file("write") + lines.tool() * 3 + lines.tool(at=7200)
    )
    assert analyze_session(journal).velocity_metrics == {
        "tasks_per_hour": 0.5,
        "files_read_per_hour": 1.0,
        "files_written_per_hour": 0.5,
        "tool_calls_per_hour": 2.0,
    }


def test_velocity_metrics_are_zero_over_no_time(journal: Path, lines: Lines) -> None:
    """A session of one instant has no rates."""
    journal.write_bytes(lines.tool())
    analysis = analyze_session(journal)
    assert analysis.session_time_ms == 0
    assert set(analysis.velocity_metrics.values()) == {0.0}


def test_file_operation_stats_name_only_what_occurred(journal: Path, lines: Lines) -> None:
    """Operation → count, whatever the operation."""
    journal.write_bytes(lines.file() + lines.file("delete") + lines.file())
    assert analyze_session(journal).file_operation_stats == {"read": 2, "delete": 1}


def test_original_log_is_analysed(journal: Path) -> None:
    """Lines without `type` and without our additions say as much."""
    journal.write_bytes(ORIGINAL)
    assert analyze_session(journal) == SessionAnalysis(
        task_breakdown={"write_tests": 1_800_333},
        bottlenecks=["write_tests"],
        velocity_metrics={
            "tasks_per_hour": pytest.approx(2, rel=1e-3),
            "files_read_per_hour": pytest.approx(2, rel=1e-3),
            "files_written_per_hour": 0.0,
            "tool_calls_per_hour": pytest.approx(2, rel=1e-3),
        },
        file_operation_stats={"read": 1},
        session_time_ms=1_800_333,
        recorded_ms=1_800_333,
        first_time=1697654400.123,
        last_time=1697656200.456,
        tasks_completed=1,
        task_counts={"write_tests": 1},
        tools={"pytest": ToolStatistics(1, 0, 2500, 2500, 2500, 2500)},
        events=3,
        events_by_type={"TaskEvent": 1, "FileEvent": 1, "ToolEvent": 1},
        runs=1,
    )


def test_our_fields_come_after_the_original_ones_and_have_defaults() -> None:
    """A caller of the original module finds the same names in the same order, and may make one by hand."""
    fields = dataclasses.fields(SessionAnalysis)
    assert [field.name for field in fields[:4]] == [
        "task_breakdown",
        "bottlenecks",
        "velocity_metrics",
        "file_operation_stats",
    ]
    assert SessionAnalysis({}, [], {}, {}).session_time_ms == 0


# Session time


def test_session_time_is_the_span_of_the_log(journal: Path, lines: Lines) -> None:
    """From the construction of the logger to the last that was seen."""
    assert session_time(journal, lines.tool(at=5) + task(lines, "a", 6, 8) + lines.tool(at=20)) == 20_000


def test_span_begins_with_the_earliest_that_is_known(journal: Path) -> None:
    """Without `session_start` (its line was lost) the first timestamp, or an earlier start of a task."""
    lines = Lines()
    lines.seq = 1
    journal.write_bytes(lines.tool(at=9) + lines.complete(1, began=4, at=10))
    analysis = analyze_session(journal)
    assert (analysis.first_time, analysis.last_time, analysis.session_time_ms) == (START + 4, START + 10, 6000)


def test_given_durations_may_exceed_the_span(journal: Path, lines: Lines) -> None:
    """The callers' words count where they are longer: one after the other they add up."""
    assert session_time(journal, task(lines, "a", 0, 1, 60_000) + task(lines, "b", 2, 3, 30_000)) == 90_000


def test_parallel_tasks_are_not_counted_twice(journal: Path, lines: Lines) -> None:
    """Overlapping top-level tasks form a group, which counts the longer of its union and its longest duration."""
    first, second = lines.begin("a", at=0), lines.begin("b", at=1)
    content = first + second + lines.complete(1, "a", began=0, at=2, duration_ms=50_000)
    content += lines.complete(2, "b", began=1, at=3, duration_ms=60_000)
    assert session_time(journal, content) == 60_000


def test_tasks_that_only_touch_follow_each_other(journal: Path, lines: Lines) -> None:
    """A clock that does not tell two moments apart does not make two tasks parallel."""
    content = task(lines, "a", 0, 1, 5000) + task(lines, "b", 1, 1, 5000) + task(lines, "c", 1, 1, 5000)
    assert session_time(journal, content + task(lines, "d", 1, 2, 5000)) == 20_000


def test_only_top_level_tasks_make_session_time(journal: Path, lines: Lines) -> None:
    """A child's time is its parent's."""
    content = lines.begin("parent", at=0) + lines.begin("child", parent_id=1, at=0)
    content += lines.complete(2, "child", parent_id=1, at=1, duration_ms=90_000)
    content += lines.complete(1, "parent", at=2, duration_ms=40_000)
    assert session_time(journal, content) == 40_000


def test_original_tasks_are_summed(journal: Path) -> None:
    """Their intervals say nothing about what ran in parallel."""
    line = {"type": "TaskEvent", "name": "a", "start_time": 0.0, "end_time": 3.0, "metadata": {}}
    assert session_time(journal, encode(line) * 3) == 9000


def test_orphans_make_no_session_time(journal: Path, lines: Lines) -> None:
    """Their start is computed from what the caller claims; they are counted by themselves."""
    journal.write_bytes(lines.tool() + lines.complete(None, began=-900, at=1, duration_ms=901_000, orphan=True))
    analysis = analyze_session(journal, strict=True)
    assert analysis.session_time_ms == 1000
    assert (analysis.orphans, analysis.tasks_completed, analysis.task_breakdown) == (1, 0, {})


def test_end_may_be_given(journal: Path, lines: Lines) -> None:
    """For a session that runs: now. It cannot lie before the beginning, and must be a time."""
    journal.write_bytes(lines.begin(at=0))
    analysis = analyze_session(journal, end=START + 60)
    assert (analysis.session_time_ms, analysis.recorded_ms, analysis.last_time) == (60_000, 60_000, START + 60)
    assert analysis.open_tasks == [OpenTask("task", START, START + 60, 60_000)]
    assert analyze_session(journal, end=START - 60).session_time_ms == 0
    with pytest.raises(ValueError, match="end"):
        analyze_session(journal, end=float("inf"))


def test_times_of_unknown_original_lines_count_for_nothing(journal: Path) -> None:
    """Nobody knows their unit."""
    journal.write_bytes(ORIGINAL + encode({"type": "x", "timestamp": 1697654400123}))
    assert analyze_session(journal).session_time_ms == 1_800_333


def test_unknown_events_of_ours_count_for_the_span(journal: Path, lines: Lines) -> None:
    """A later release's events have our `timestamp`."""
    assert session_time(journal, lines.tool() + lines.line({"type": "Later"}, at=7)) == 7000


# Further fields


def test_open_tasks_reach_to_the_last_that_was_seen(journal: Path, lines: Lines) -> None:
    """After a crash: what was interrupted, and how far it had got; the oldest first."""
    journal.write_bytes(
        lines.begin("late", at=5) + lines.begin("early", at=2) + lines.begin("done", at=6) + lines.complete(3, at=9)
    )
    analysis = analyze_session(journal)
    assert analysis.open_tasks == [
        OpenTask("early", START + 2, START + 9, 7000),
        OpenTask("late", START + 5, START + 9, 4000),
    ]


def test_open_tasks_of_concatenated_sessions_end_with_their_own(journal: Path) -> None:
    """The same `task_id` in two sessions is two tasks."""
    first, second = Lines(session_id="a"), Lines(session_id="b", start=START + 100)
    journal.write_bytes(first.begin("x", at=1) + first.tool(at=4) + second.begin("y") + second.complete(1, "y", at=9))
    analysis = analyze_session(journal, strict=True)
    assert analysis.open_tasks == [OpenTask("x", START + 1, START + 4, 3000)]
    assert (analysis.runs, analysis.recorded_ms, analysis.session_time_ms) == (2, 13_000, 109_000)
    assert (analysis.agent_id, analysis.session_id) == ("agent", "a")


def test_open_original_tasks_are_all_kept(journal: Path) -> None:
    """They have no number, and nothing completes them."""
    line = {"name": "a", "start_time": 3.0, "end_time": None}
    journal.write_bytes(encode(line) * 2 + encode({"name": "b", "start_time": 1.0, "end_time": 5.0}))
    assert analyze_session(journal).open_tasks == [OpenTask("a", 3.0, 5.0, 2000)] * 2


def test_start_without_a_task_id_is_known_by_its_seq(journal: Path, lines: Lines) -> None:
    """`task_id` is the `seq` of the task's start line."""
    journal.write_bytes(lines.begin(task_id=None) + lines.complete(1))
    assert analyze_session(journal).open_tasks == []


def test_task_completed_in_a_later_run_is_completed(journal: Path, lines: Lines) -> None:
    """Counts, open tasks and times go over all runs; the time between them is not recorded time."""
    journal.write_bytes(
        lines.begin("job", at=0)
        + lines.tool(at=10)
        + lines.continued(2, at=1000)
        + lines.complete(1, "job", at=1005, duration_ms=15_000)
    )
    analysis = analyze_session(journal, strict=True)
    assert (analysis.tasks_completed, analysis.open_tasks, analysis.runs) == (1, [], 2)
    assert (analysis.session_time_ms, analysis.recorded_ms) == (1_005_000, 15_000)


def test_completion_whose_start_was_lost_is_completed(journal: Path, lines: Lines) -> None:
    """A completion says all that its start said."""
    lines.begin()
    journal.write_bytes(b"broken\n" + lines.complete(1) + lines.complete(None))
    analysis = analyze_session(journal)
    assert (analysis.tasks_completed, analysis.orphans, analysis.unreadable_lines) == (2, 0, 1)


def test_tools_are_told_by_name_with_errors_and_percentiles(journal: Path, lines: Lines) -> None:
    """The one that took the most time comes first."""
    journal.write_bytes(
        b"".join(lines.tool("ls", number) for number in range(1, 101))
        + lines.tool("make", 60_000, params={"error": "boom"})
        + lines.tool("make", 20, params={"error": ""})
        + lines.tool("make", 30, error={"kind": "timeout"})
    )
    assert list(analyze_session(journal).tools.items()) == [
        ("make", ToolStatistics(3, 2, 60_050, 30, 60_000, 60_000)),
        ("ls", ToolStatistics(100, 0, 5050, 50, 95, 100)),
    ]


def test_negative_duration_of_a_tool_counts_as_none(journal: Path) -> None:
    """The original format recorded what a clock said that had been set back."""
    journal.write_bytes(encode({"name": "t", "params": {}, "duration_ms": -5}))
    assert analyze_session(journal).tools == {"t": ToolStatistics(1, 0, 0, 0, 0, 0)}


def test_events_are_counted_by_type_and_unknown_ones_by_name(journal: Path, lines: Lines) -> None:
    """Nothing that was read is left out of the count."""
    journal.write_bytes(lines.tool() + lines.line({"type": "A"}) * 2 + lines.line({"type": "B"}) + lines.dropped(4))
    analysis = analyze_session(journal)
    assert analysis.events == 5
    assert analysis.events_by_type == {"ToolEvent": 1, "UnknownEvent": 3, "SessionEvent": 1}
    assert analysis.unknown_types == {"A": 2, "B": 1}
    assert analysis.dropped == 4


def test_damages_are_listed_up_to_a_bound_and_all_counted(journal: Path, lines: Lines) -> None:
    """And the result says that there are more."""
    journal.write_bytes(lines.tool() + b"broken\n" * 300 + lines.tool() + b'{"torn')
    analysis = analyze_session(journal)
    assert (analysis.damage_count, analysis.unreadable_lines) == (301, 300)
    assert (len(analysis.damages), analysis.damages_capped) == (KEPT_DAMAGES + 1, True)
    assert [damage.kind for damage in analysis.damages] == ["unreadable"] * KEPT_DAMAGES + ["torn"]
    first = analysis.damages[0]
    assert (first.line, first.offset, first.reason.startswith("not JSON")) == (
        2,
        journal.read_bytes().index(b"b"),
        True,
    )


def test_strict_analysis_raises_at_the_first_damage(journal: Path, lines: Lines) -> None:
    """With its line number."""
    journal.write_bytes(lines.tool() + b"broken\n")
    with pytest.raises(DamagedLineError) as caught:
        analyze_session(journal, strict=True)
    assert caught.value.line == 2


# Files


def test_killed_session_is_analysed_with_what_its_queue_file_holds(journal: Path, lines: Lines) -> None:
    """No repair step is needed."""
    content = task(lines, "a", 0, 4)
    journal.write_bytes(content[:30])
    write_queue(journal, content)
    assert analyze_session(str(journal), strict=True).task_breakdown == {"a": 4000}


def test_compressed_log_gives_the_same_analysis(tmp_path: Path, journal: Path, lines: Lines) -> None:
    """Plain or `.gz`."""
    journal.write_bytes(task(lines, "a", 0, 4) + lines.tool())
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(gzip.compress(journal.read_bytes()))
    assert analyze_session(packed) == analyze_session(journal)


def test_missing_file_raises(journal: Path) -> None:
    """As opening it would."""
    with pytest.raises(FileNotFoundError):
        analyze_session(journal)


def test_empty_file_gives_zeros(journal: Path) -> None:
    """A session that logged nothing."""
    journal.touch()
    analysis = analyze_session(journal)
    assert analysis == SessionAnalysis({}, [], dict.fromkeys(analysis.velocity_metrics, 0.0), {})
    assert set(analysis.velocity_metrics.values()) == {0.0}


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"hello", b"\n\n", b'{"a":1}\n', bytes(99), gzip.compress(b"x", mtime=0)[:-9]],
    ids=["a line", "half a line", "empty lines", "an object", "NULs", "cut gzip"],
)
def test_file_without_a_readable_event_is_no_session_log(journal: Path, content: bytes) -> None:
    """It says why, as far as the first line tells."""
    journal.write_bytes(content)
    with pytest.raises(NotASessionLogError, match=r"agent_session\.jsonl is not a session log") as caught:
        analyze_session(journal)
    assert caught.value.path == str(journal)


def test_session_killed_in_its_first_call_gives_zeros(journal: Path, lines: Lines) -> None:
    """Its queue file tells that it is a session."""
    journal.write_bytes(lines.tool()[:20])
    write_queue(journal, b"", kind=Kind.LOCK)
    assert analyze_session(journal).events == 0
    queue_path(journal).unlink()
    with pytest.raises(NotASessionLogError, match="a torn end"):
        analyze_session(journal)


def test_memory_does_not_grow_with_the_file(journal: Path, lines: Lines) -> None:
    """Nor where one top-level task stays open while others come and go, which might bridge them all."""
    content = [lines.begin("main")]
    for number in range(8000):
        start = lines.begin("step", at=number)
        content += [start, lines.complete(lines.seq, "step", began=number, at=number + 0.5, duration_ms=700)]
    journal.write_bytes(b"".join(content))
    size = journal.stat().st_size
    analyze_session(journal)  # what is imported for it has the same size for any file
    tracemalloc.start()
    try:
        analysis = analyze_session(journal)
        assert tracemalloc.get_traced_memory()[1] < 3 * 1024 * 1024 < size
    finally:
        tracemalloc.stop()
    assert (analysis.session_time_ms, analysis.session_time_exact) == (7_999_500, True)


# Groups


def exact_time(intervals: list[tuple[float, float, float]]) -> float:
    """Group intervals in the plainest way: sort them, merge what overlaps."""
    total = 0.0
    group: tuple[float, float, float] | None = None
    for start, end, duration in sorted(intervals):
        if group is not None and (start < group[1] and group[0] < end):
            group = (group[0], max(group[1], end), max(group[2], duration))
        else:
            total += max((group[1] - group[0]) * 1000, group[2]) if group is not None else 0
            group = (start, end, duration)
    return total + (max((group[1] - group[0]) * 1000, group[2]) if group is not None else 0)


def test_joined_groups_are_exact_while_clocks_go_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are joined early and often; what is still open bridges them when it ends, as if none had been joined."""
    monkeypatch.setattr(groups_module, "_COMPACT_AT", 4)
    monkeypatch.setattr(groups_module, "_RECENT", 1)
    chance = random.Random(7)
    for _ in range(200):
        groups = TaskGroups()
        groups._compact_at = 4
        now = 0.0
        running: list[float] = []
        done: list[tuple[float, float, float]] = []
        for _ in range(60):
            now += chance.choice([0.5, 1, 2])
            if running and chance.random() < 0.55:
                start = running.pop(chance.randrange(len(running)))
                done.append((start, now, chance.choice([0, 500, 9000])))
                groups.add(*done[-1])
                if groups.crowded:
                    groups.compact(running)
            else:
                running.append(now)
        assert groups.finish() == pytest.approx(exact_time(done))
        assert groups.exact


def test_interval_that_begins_inside_joined_groups_is_said_to_be_inexact() -> None:
    """The wall clock was set back far: the interval counts from the end of what was joined."""
    groups = TaskGroups()
    for number in range(5000):
        groups.add(number, number + 0.5, 0)
        if groups.crowded:
            groups.compact([])
    assert groups.exact
    groups.add(10.75, 20.6, 0)
    assert not groups.exact
    assert groups.finish() == pytest.approx(5000 * 500)


# Percentiles


def test_percentiles_of_nothing_are_zero() -> None:
    """And do not fail."""
    assert Percentiles().at(50) == 0


@pytest.mark.parametrize("values", [range(1, 101), range(0, 100_000, 37), [1, 10**15, 2**53], [5] * 9 + [10**9]])
def test_percentiles_are_correct_to_one_per_cent(values: list[int]) -> None:
    """By nearest rank, over the whole range of durations."""
    percentiles = Percentiles()
    for value in values:
        percentiles.add(value)
    ordered = sorted(values)
    for percent in (1, 25, 50, 75, 95, 99, 100):
        rank = -(-percent * len(ordered) // 100)
        assert percentiles.at(percent) == pytest.approx(ordered[rank - 1], rel=0.01)


def test_memory_of_percentiles_is_bounded_by_their_range() -> None:
    """A million different durations need no more than a few thousand counters."""
    percentiles = Percentiles()
    for exponent in range(540):
        for step in range(20):
            percentiles.add(int(2 ** (exponent / 10) * (1 + step / 20)) if exponent < 530 else 2**53)
    assert len(percentiles._buckets) < 3400
