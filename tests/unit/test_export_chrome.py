"""Sessions as traces for Perfetto."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deia.export.chrome import chrome
from support.exports import exported_json
from support.journals import START, Lines, encode, journal_path, write_queue

START_US = round(START * 1_000_000)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


def events_of(*paths: Path, phase: str = "X") -> list[dict[str, Any]]:
    return [event for event in exported_json(chrome, *paths)["traceEvents"] if event["ph"] == phase]


def seconds(event: dict[str, Any]) -> tuple[str, float, float]:
    begin = (event["ts"] - START_US) / 1e6
    return event["name"], begin, begin + event["dur"] / 1e6


def test_tasks_tools_models_and_files_are_complete_events_with_their_parameters(journal: Path) -> None:
    """Calls began as long before they were logged as they took."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("build")
        + lines.tool("compile", 4000, params={"target": "all"}, at=5, task_id=1)
        + lines.llm("opus", 500, at=6, task_id=1)
        + lines.file("read", "/a", at=7, task_id=1)
        + lines.complete(1, "build", at=8)
    )
    events = events_of(journal)
    assert [seconds(event) for event in events] == [
        ("compile", 1.0, 5.0),
        ("p/opus", 5.5, 6.0),
        ("read /a", 7.0, 7.0),
        ("build", 0.0, 8.0),
    ]
    assert [event["cat"] for event in events] == ["tool", "model", "file", "task"]
    assert {event["tid"] for event in events} == {1}
    assert events[0]["args"]["params"] == {"target": "all"}
    assert events[0]["args"]["seq"] == 2


def test_work_at_the_same_time_stands_in_lanes_of_its_own(journal: Path) -> None:
    """And what belongs to a task beneath it, in its lane, and not beneath another that happens to run."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("one")
        + lines.begin("other", at=1)
        + lines.tool("of other", 100, at=2, task_id=2)
        + lines.tool("of one", 100, at=3, task_id=1)
        + lines.tool("of none", 100, at=4)
        + lines.tool("beside it", 3000, at=4.05, task_id=1)
        + lines.complete(2, "other", began=1, at=5)
        + lines.complete(1, "one", at=6)
    )
    lanes = {event["name"]: event["tid"] for event in events_of(journal)}
    assert lanes["one"] == lanes["of one"] == 1
    assert lanes["other"] == lanes["of other"] == 2
    assert lanes["of none"] == 3
    assert lanes["beside it"] not in (1, 2, 3)
    named = [event["args"]["name"] for event in events_of(journal, phase="M") if event["name"] == "thread_name"]
    assert named == ["lane 1", "lane 2", "lane 3", "lane 4"]


def test_task_that_ends_before_one_started_in_it_moves_to_another_lane(journal: Path) -> None:
    """It does not hold that one, and viewers refuse what overlaps."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("outer")
        + lines.begin("inner", parent_id=1, at=1)
        + lines.complete(1, "outer", at=2)
        + lines.complete(2, "inner", began=1, at=3, parent_id=1)
    )
    outer, inner = events_of(journal)
    assert (outer["name"], inner["name"]) == ("outer", "inner")
    assert outer["tid"] != inner["tid"]


def test_call_whose_rounded_duration_reaches_out_of_its_task_is_drawn_in_it(journal: Path) -> None:
    """Durations are whole milliseconds, moments are not: it begins with its task, and behind the call before it."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("one", at=1)
        + lines.tool("first", 3, at=1.0022, task_id=1)
        + lines.tool("second", 2, at=1.0038, task_id=1)
        + lines.tool("parallel", 3, at=1.0040, task_id=1)
        + lines.complete(1, "one", began=1, at=1.0040)
    )
    events = events_of(journal)
    assert {event["name"]: event["tid"] for event in events} == {"first": 1, "second": 1, "parallel": 2, "one": 1}
    drawn = {event["name"]: (event["ts"] - START_US, event["dur"]) for event in events}
    assert drawn["first"] == (1_000_000, 2200)
    assert drawn["second"] == (1_002_200, 1600)
    assert drawn["one"] == (1_000_000, 4000)
    assert [event["args"].get("duration_ms") for event in events if event["name"] == "first"] == [3]


def test_task_that_seems_to_end_within_a_call_of_its_own_holds_it(journal: Path) -> None:
    """By less than a millisecond: it is drawn that much longer."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("outer")
        + lines.begin("inner", parent_id=1, at=1)
        + lines.tool("call", 500, at=2.0004, task_id=2)
        + lines.complete(2, "inner", began=1, at=2, parent_id=1)
        + lines.complete(1, "outer", at=2)
    )
    events = events_of(journal)
    assert {event["tid"] for event in events} == {1}
    assert {event["ts"] + event["dur"] - START_US for event in events} == {2_000_400}


@pytest.mark.parametrize("duration_ms", [10**9, 10**12, 2**63])
def test_absurd_duration_leaves_the_trace_its_own_time(journal: Path, duration_ms: int) -> None:
    """It is cut, by an hour before all that was logged at most, and says so, with what its line claims."""
    lines = Lines()
    journal.write_bytes(lines.tool("usual", 500, at=1) + lines.tool("absurd", duration_ms, at=5))
    usual, absurd = events_of(journal)
    assert seconds(usual) == ("usual", 0.5, 1.0)
    assert seconds(absurd) == ("absurd", -3600.0, 5.0)
    assert (absurd["args"]["cut"], absurd["args"]["duration_ms"]) == (True, duration_ms)
    assert "cut" not in usual["args"]


def test_task_whose_line_claims_another_age_is_cut_likewise(journal: Path) -> None:
    """Of the past or the future; its arguments have the times that it claims."""
    lines = Lines()
    journal.write_bytes(
        lines.tool(at=0)
        + lines.complete(None, "past", began=5 - 1e9, at=5, orphan=True)
        + lines.complete(None, "future", began=6, at=6, orphan=True).replace(b"%d" % (START + 6), b"9000000000", 2)
    )
    past, future = (event for event in events_of(journal) if event["cat"] == "task")
    assert past["ts"] == START_US - 3_600_000_000
    assert past["args"]["start_time"] == START + 5 - 1e9
    assert future["ts"] <= START_US + 7_200_000_000
    assert future["args"]["cut"] is True


def test_absurd_duration_in_the_original_format_is_cut_by_the_times_of_its_tasks(journal: Path) -> None:
    """Nothing else there tells the time."""
    journal.write_bytes(
        encode({"name": "task", "start_time": START, "end_time": START + 10, "metadata": {}})
        + encode({"name": "absurd", "params": {}, "duration_ms": 10**12})
        + encode({"name": "hours later", "start_time": START + 30_000, "end_time": START + 40_000, "metadata": {}})
    )
    spans = {name: (begin, end) for name, begin, end in map(seconds, events_of(journal))}
    assert spans == {"task": (0.0, 10.0), "absurd": (-3600.0, 10.0), "hours later": (30_000.0, 40_000.0)}


def test_long_call_that_was_logged_first_is_not_cut(journal: Path) -> None:
    """It began before the log did, and nobody knows better."""
    lines = Lines()
    journal.write_bytes(lines.tool("first", 3_000_000, at=1) + lines.tool("second", 3_500_000, at=2))
    assert [event["dur"] for event in events_of(journal)] == [3_000_000_000, 3_500_000_000]


def test_open_task_lasts_to_the_last_moment_of_its_session(journal: Path) -> None:
    """Whether it runs still or was interrupted; the mark says that it is open."""
    lines = Lines()
    journal.write_bytes(lines.begin("outer") + lines.begin("inner", parent_id=1, at=1) + lines.file(at=9, task_id=2))
    spans = [seconds(event) for event in events_of(journal) if event["cat"] == "task"]
    assert spans == [("outer", 0.0, 9.0), ("inner", 1.0, 9.0)]
    assert all(event["args"]["open"] for event in events_of(journal) if event["cat"] == "task")


def test_task_comes_before_what_lasts_as_long_as_it_does(journal: Path) -> None:
    """So it holds that: of what begins and ends together Perfetto takes the first for the outermost."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("outer")
        + lines.begin("inner", parent_id=1)
        + lines.tool("call", 5000, at=5, task_id=2)
        + lines.complete(2, "inner", at=5, parent_id=1)
        + lines.complete(1, "outer", at=5)
        + lines.tool("later", 1000, at=7)
    )
    assert [event["name"] for event in events_of(journal)] == ["outer", "inner", "call", "later"]


def test_any_number_of_events_of_one_moment_is_not_held_in_memory(journal: Path) -> None:
    """A thousand of them are put in order; calls of the original format may all have one moment."""
    lines = [encode({"name": str(number), "params": {}, "duration_ms": 0}) for number in range(2500)]
    task = encode({"name": "task", "start_time": START, "end_time": START, "metadata": {}})
    journal.write_bytes(b"".join([task, *lines]))
    names = [event["name"] for event in events_of(journal)]
    assert names == ["task", *map(str, range(2500))]


def test_messages_errors_and_the_rest_are_instants_in_the_lane_of_their_task(journal: Path) -> None:
    """Of no task, they are the session's. Of long messages the beginning is their name, and all is in the arguments."""
    lines = Lines()
    long = "x" * 1000
    journal.write_bytes(
        lines.begin("one")
        + lines.begin("other", at=1)
        + lines.message("user", long, at=2, task_id=2)
        + lines.error("no space", at=3)
        + lines.decision(at=4)
        + lines.line({"type": "MyEvent", "colour": "red"}, at=5)
        + lines.continued(2, at=6)
    )
    events = events_of(journal, phase="i")
    assert [event["cat"] for event in events] == ["message", "error", "decision", "event", "session"]
    assert [(event["tid"], event["s"]) for event in events] == [(2, "t"), *[(1, "p")] * 4]
    assert events[0]["name"].startswith("user: xxx") and len(events[0]["name"]) < 100
    assert events[0]["args"]["content"] == long
    assert events[1]["name"] == "ValueError: no space"
    assert events[3]["args"]["colour"] == "red"


def test_each_session_is_a_process_named_after_it(tmp_path: Path) -> None:
    """Those of several files, and several of one file."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(Lines("agent", "one").tool() + Lines("agent", "two").tool())
    second.write_bytes(Lines("agent", "three").tool())
    names = {
        event["pid"]: event["args"]["name"]
        for event in events_of(first, second, phase="M")
        if event["name"] == "process_name"
    }
    assert names == {1: "agent one", 2: "agent two", 3: "agent three"}
    assert [event["pid"] for event in events_of(first, second)] == [1, 2, 3]


def test_events_that_only_the_queue_file_holds_are_there_and_damaged_lines_are_not(journal: Path) -> None:
    """What is exported is what our reader finds."""
    lines = Lines()
    first, second, third = lines.tool("first"), lines.tool("second"), lines.tool("third")
    journal.write_bytes(first + b"#" + second[1:])
    write_queue(journal, first + b"#" + second[1:] + third)
    assert [event["name"] for event in events_of(journal)] == ["first", "third"]


def test_log_of_the_original_format_is_a_trace_too(journal: Path) -> None:
    """Its calls have no time: they stand where the lines before them ended, or the first one that has one begins."""
    journal.write_bytes(
        encode({"name": "early", "params": {}, "duration_ms": 0})
        + encode({"name": "task", "start_time": START, "end_time": START + 10, "metadata": {}})
        + encode({"name": "late", "params": {}, "duration_ms": 2000})
    )
    assert [seconds(event) for event in events_of(journal)] == [
        ("task", 0.0, 10.0),
        ("early", 10.0, 10.0),
        ("late", 8.0, 10.0),
    ]


def test_parameters_nested_deeper_than_json_is_written_end_in_an_ellipsis(journal: Path) -> None:
    """Instead of ending the export."""
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    journal.write_bytes(Lines().tool(params={"deep": deep}))
    (event,) = events_of(journal)
    value = event["args"]["params"]["deep"]
    while isinstance(value, list):
        (value,) = value
    assert value == "…"
