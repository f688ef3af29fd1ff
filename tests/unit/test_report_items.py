"""What the timeline and the table show of a log: items, which of them, and in which lanes."""

from __future__ import annotations

from typing import Any

import pytest

from deia.events import ErrorEvent, FileEvent, LLMEvent, MessageEvent, SessionEvent, TaskEvent, ToolEvent, UnknownEvent
from deia.report.items import Item, item_of
from deia.report.lanes import MOST_ROWS, lay_out
from deia.report.selection import BINS, NAMES_KEPT, Selection


def call(start: float, end: float, parent: int | None = None, **further: Any) -> Item:
    return Item("tool", "t", start, end, parent=None if parent is None else ("s", parent), **further)


def task_item(start: float, end: float, task_id: int, parent: int | None = None) -> Item:
    return Item("task", f"task {task_id}", start, end, task=("s", task_id), parent=parent and ("s", parent))


# Items


def test_tool_call_lies_before_the_line_that_tells_of_it() -> None:
    """It ended when it was logged, and began its duration earlier."""
    item = item_of(ToolEvent("ls", {"path": "/"}, 2500, timestamp=100.0, seq=7, task_id=3, session_id="s"))
    assert (item.kind, item.name, item.start, item.end, item.length_ms) == ("tool", "ls", 97.5, 100.0, 2500)
    assert (item.seq, item.parent, item.detail) == (7, ("s", 3), '{"path":"/"}')


def test_task_lies_where_the_clock_saw_it_and_keeps_what_its_caller_claims() -> None:
    """A duration from the caller does not move it on the timeline."""
    item = item_of(TaskEvent("t", 10.0, 11.0, duration_ms=9000, task_id=1, parent_id=None, session_id="s"))
    assert (item.start, item.end, item.duration_ms, item.status) == (10.0, 11.0, 9000, "")


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (TaskEvent("t", 1.0, 2.0, error="x"), "failed"),
        (TaskEvent("t", 1.0, 2.0, cancelled=True), "cancelled"),
        (TaskEvent("t", 1.0, None), "open"),
        (TaskEvent("t", 1.0, 2.0, orphan=True), "orphan"),
        (ToolEvent("t", {"error": "x"}, 1), "failed"),
        (ToolEvent("t", {}, 1, error="x"), "failed"),
        (LLMEvent("p", "m", error="x"), "failed"),
        (ErrorEvent("E", "x"), "failed"),
        (MessageEvent("user", "x"), ""),
    ],
)
def test_state_of_an_item_is_what_became_of_it(event: Any, status: str) -> None:
    """Failed by its own word, cancelled, without an end or a start."""
    assert item_of(event).status == status


def test_details_are_what_it_was_about_in_one_harmless_line() -> None:
    """Errors before parameters, text of messages, sizes of files; line breaks and control characters gone."""
    assert item_of(ToolEvent("t", {"a": 1}, 1, error_type="E", error="no\nway\x1b")).detail == 'E: no way\\x1b {"a":1}'
    assert item_of(MessageEvent("user", [{"type": "text", "text": "do\nit"}])).detail == "do it"
    assert item_of(MessageEvent("user", {"a": 1})).detail == '{"a":1}'
    assert item_of(FileEvent("/a", "read", 4096)).detail == "read, 4.1 kB"
    assert item_of(LLMEvent("p", "m", 1200, 30, 1000, cost_usd=0.5)).detail == (
        "1,200 tokens in, 1,000 of them cached, 30 out, $0.5000"
    )
    assert item_of(SessionEvent("dropped", dropped=3)).detail == "3 events dropped because the queue was full"
    assert item_of(UnknownEvent("Mine", {"type": "Mine", "v": 1, "x": 2})).detail == '{"x":2}'


def test_long_texts_are_cut_whatever_they_hold() -> None:
    """A megabyte of parameters does not reach the page."""
    item = item_of(ToolEvent("n" * 10**6, {"x": "\u202e" * 10**6}, 1))
    assert len(item.name) == len(item.detail) == 200
    assert "\u202e" not in item.detail


def test_times_that_are_none_have_no_place() -> None:
    """Infinite, not a number, or missing."""
    for event in (
        TaskEvent("t", float("inf"), 1.0),
        ToolEvent("t", {}, 5),
        FileEvent("/a", "read", timestamp=float("nan")),
    ):
        assert item_of(event).start is None


# Selection


def test_started_task_becomes_one_item_when_it_is_completed() -> None:
    """Its start line is none of its own."""
    selection = Selection(0.0, 9.0)
    selection.feed(TaskEvent("a", 1.0, None, task_id=1, seq=1, session_id="s"))
    selection.feed(TaskEvent("a", 1.0, 3.0, task_id=1, seq=2, session_id="s"))
    selected = selection.finish()
    assert selected.total == 1
    assert [(item.name, item.start, item.end) for item in selected.items] == [("a", 1.0, 3.0)]


def test_open_task_lasts_until_the_end_of_the_log() -> None:
    """As far as anybody saw it."""
    selection = Selection(0.0, 9.0)
    selection.feed(TaskEvent("a", 1.0, None, task_id=1, seq=1, session_id="s"))
    (item,) = selection.finish().items
    assert (item.start, item.end, item.status) == (1.0, 9.0, "open")


def test_what_failed_and_what_took_longest_is_kept_and_the_rest_counted() -> None:
    """Where there is room for three: a failure, and the two longest; the others by the part of the log they lie in."""
    selection = Selection(0.0, 100.0, kept=3)
    for number in range(1, 101):
        selection.feed(ToolEvent("t", {}, number, timestamp=float(number), seq=number))
    selection.feed(ToolEvent("bad", {}, 0, error="x", timestamp=50.0, seq=101))
    selected = selection.finish()
    assert [item.seq for item in selected.items] == [101, 99, 100]
    assert selected.total == 101
    assert selected.rest_total == {"tool": 98}
    assert sum(selected.rest["tool"]) == 98
    assert len(selected.rest["tool"]) == BINS
    assert selected.rest["tool"][-1] == 0  # where the longest two lie


def test_names_of_the_rest_are_counted_and_bounded() -> None:
    """Each with how many; where there are too many names, those that came first."""
    selection = Selection(0.0, 9000.0, kept=1)
    selection.feed(ToolEvent("longest", {}, 10**6, timestamp=9000.0, seq=1))
    for number in range(NAMES_KEPT + 10):
        for _ in range(2):
            selection.feed(ToolEvent(f"t{number}", {}, 5, timestamp=float(number), seq=number + 2))
    found = selection.finish().rest_names
    assert len(found) == NAMES_KEPT
    assert found["tool", "t0"] == found["tool", f"t{NAMES_KEPT - 1}"] == 2


def test_items_without_a_time_are_counted_too() -> None:
    """They have no place on the timeline, but they happened."""
    selection = Selection(None, None, kept=1)
    for _ in range(3):
        selection.feed(ToolEvent("t", {}, 5))
    selected = selection.finish()
    assert (selected.total, selected.rest_total, selected.rest) == (3, {"tool": 2}, {})


# Lanes


def test_work_one_after_the_other_shares_a_lane_and_parallel_work_does_not() -> None:
    """Calls that touch do not overlap, even where their rounded durations say so."""
    assert lay_out([call(0, 1), call(0.9995, 2), call(2, 3)]).rows == [0, 0, 0]
    assert lay_out([call(0, 2), call(1, 3), call(2.5, 4)]).rows == [0, 1, 0]


def test_what_is_nested_lies_below_what_it_is_nested_in() -> None:
    """Two parallel tasks with their calls: the second one begins below all of the first."""
    items = [task_item(0, 10, 1), task_item(1, 9, 2, parent=1), call(2, 3, 2), task_item(5, 12, 4), call(6, 7, 4)]
    assert lay_out(items).rows == [0, 1, 2, 3, 4]
    assert lay_out(items).groups == [("Tasks and calls", 5)]


def test_child_that_outlives_its_parent_keeps_others_out_of_its_lane() -> None:
    """The extent of a task is that of all in it."""
    assert lay_out([task_item(0, 2, 1), call(1, 9, 1), task_item(3, 5, 3), call(3, 4, 3)]).rows == [0, 1, 2, 3]


def test_moments_have_lanes_by_sort() -> None:
    """Files, messages, and what else is worth a note, below the work."""
    items = [
        call(0, 5),
        Item("file", "/a", 1, 1),
        Item("message", "user", 2, 2),
        Item("error", "E", 3, 3),
        Item("decision", "d", 3, 3),
    ]
    lanes = lay_out(items)
    assert lanes.rows == [0, 1, 2, 3, 3]
    assert [label for label, _ in lanes.groups] == [
        "Tasks and calls",
        "Files",
        "Messages",
        "Errors, decisions and other notes",
    ]


def test_item_without_a_time_has_no_row() -> None:
    """It stands in the table alone."""
    assert lay_out([Item("tool", "t", None, None)]).rows == [-1]


def test_tasks_that_name_each_other_as_parent_are_laid_out_all_the_same() -> None:
    """A damaged log may hold a circle, or a task that is its own parent."""
    rows = lay_out([task_item(0, 2, 1, parent=2), task_item(0, 2, 2, parent=1), task_item(0, 1, 3, parent=3)]).rows
    assert sorted(rows) == [0, 1, 2]


def test_number_of_lanes_is_bounded() -> None:
    """A thousand at once, or a thousand deep: the last lanes are shared."""
    assert max(lay_out([call(0, 9) for _ in range(1000)]).rows) == MOST_ROWS - 1
    deep = [task_item(0, 9, number, parent=number - 1 or None) for number in range(1, 1001)]
    assert max(lay_out(deep).rows) == MOST_ROWS - 1
