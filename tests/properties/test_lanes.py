"""Lanes, whatever ran at the same time, in whatever order it is told."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from deia.export.lanes import TOUCHING_US, Lanes, Place


class Placed(NamedTuple):
    lane: int
    start: int
    end: int
    key: int | None
    parent: int | None


# Microseconds: of either size, around what durations are rounded by, and far beyond it.
CLOCK = st.integers(-6, 3).map(lambda number: number * 400) | st.integers(-6, 3).map(lambda number: number * 100_000)
TOOK = st.integers(0, 8).map(lambda number: number * 1000) | st.integers(0, 8).map(lambda number: number * 100_000)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "add", "finish"]),
        CLOCK,  # how far the clock goes on, or is set back
        TOOK,
        st.integers(0, 5),  # which of the open tasks; one more: none
    ),
    max_size=40,
)


def overlap_without_nesting(one: Placed, other: Placed) -> bool:
    apart = one.end <= other.start or other.end <= one.start
    nested = (one.start <= other.start and other.end <= one.end) or (other.start <= one.start and one.end <= other.end)
    return not (apart or nested)


def ancestors(key: int | None, parents: dict[int, int | None]) -> list[int]:
    found = []
    while key is not None:
        found.append(key)
        key = parents[key]
    return found


@given(STEPS)
def test_no_two_spans_of_a_lane_overlap_unless_one_holds_the_other_and_it_belongs_there(
    steps: list[tuple[str, int, int, int]],
) -> None:
    """Clocks may be set back, and tasks may outlive the one they were started in."""
    lanes = Lanes()
    open_tasks: dict[int, tuple[int, int | None]] = {}
    parents: dict[int, int | None] = {}
    placed: list[Placed] = []
    now = 10_000_000

    def place(found: Place, start: int, end: int, key: int | None, parent: int | None) -> None:
        assert start <= found.start <= start + TOUCHING_US
        assert end <= found.end <= end + TOUCHING_US
        assert found.start <= found.end
        placed.append(Placed(*found, key, parent))

    def finish(key: int) -> None:
        start, parent = open_tasks.pop(key)
        end = max(start, now)
        place(lanes.finish(key, end), start, end, key, parent)

    for number, (step, passed, took, which) in enumerate(steps):
        now += passed
        keys = list(open_tasks)
        chosen = keys[which] if which < len(keys) else None
        if step == "begin":
            lanes.begin(number, now, chosen)
            open_tasks[number] = now, chosen
            parents[number] = chosen
        elif step == "add":
            place(lanes.add(now - took, now, chosen), now - took, now, None, chosen)
        elif chosen is not None:
            finish(chosen)
    for key in list(open_tasks)[::-1]:
        finish(key)

    by_lane: dict[int, list[Placed]] = defaultdict(list)
    for span in placed:
        by_lane[span.lane].append(span)
    assert set(by_lane) == set(range(len(lanes)))
    for spans in by_lane.values():
        for one, other in combinations(spans, 2):
            assert not overlap_without_nesting(one, other), (one, other)
        for task in spans:
            if task.key is None:
                continue
            for inner in spans:
                if inner is not task and task.start < inner.start and inner.end < task.end:
                    assert task.key in ancestors(inner.parent, parents), (task, inner)


@given(STEPS)
def test_frames_that_are_cut_open_and_close_strictly_nested_in_the_order_of_time(
    steps: list[tuple[str, int, int, int]],
) -> None:
    """What a lane is told as events of a stack is one: each frame closes that was opened last, and time goes on."""
    lanes = Lanes()
    open_tasks: dict[int, int] = {}
    stacks: dict[int, list[int]] = defaultdict(list)
    last: dict[int, int] = {}
    now = 10_000_000

    def put(lane: int, at: int, key: int, *, opens: bool) -> None:
        assert at >= last.get(lane, at)
        last[lane] = at
        if opens:
            stacks[lane].append(key)
        else:
            assert stacks[lane].pop() == key

    def finish(key: int) -> None:
        lane, end, above = lanes.cut(key, max(now, open_tasks.pop(key)))
        for other in reversed(above):
            put(lane, end, other, opens=False)
        put(lane, end, key, opens=False)
        for other in above:
            put(lane, end, other, opens=True)

    for number, (step, passed, took, which) in enumerate(steps):
        now += passed
        keys = list(open_tasks)
        chosen = keys[which] if which < len(keys) else None
        if step == "begin":
            open_tasks[number] = now
            lane, start, _ = lanes.begin(number, now, chosen)
            put(lane, start, number, opens=True)
        elif step == "add":
            lane, start, end = lanes.add(now - took, now, chosen)
            put(lane, start, number, opens=True)
            put(lane, end, number, opens=False)
        elif chosen is not None:
            finish(chosen)
    for key in list(open_tasks):
        finish(key)
    assert not any(stacks.values())
