"""Where an item is drawn: parallel work in lanes of its own, what is nested below what it is nested in.

It takes all items at once, by their start, and a parent is as high as what is in it. Exports lay out a stream that ends
nowhere near memory (`deia.export.lanes`), for viewers in which a lane is one stack: what is right there scatters the
parts of a task here, and what is right here needs every span of a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deia.journal.limits import DURATION_STEP_S
from deia.report.items import Item, Kind, TaskKey

MOST_ROWS = 200
"""More parallel work than that shares the last row: nobody scrolls further, and laying it out takes its time."""

_WORK = "Tasks and calls"
_MOMENTS: tuple[tuple[str, frozenset[Kind]], ...] = (
    ("Files", frozenset(("file",))),
    ("Messages", frozenset(("message",))),
    ("Errors, decisions and other notes", frozenset(("error", "decision", "action", "session", "other"))),
)


@dataclass(frozen=True)
class Lanes:
    """The rows of a timeline, from the top.

    Attributes:
        rows: The row of each item, from 0; -1 for one that has no place on the timeline.
        groups: Label → rows that belong together, from the top.
    """

    rows: list[int]
    groups: list[tuple[str, int]]


def lay_out(items: Sequence[Item]) -> Lanes:
    """Give each item a row: what lasted, by its nesting; moments, one row for each sort."""
    rows = [-1] * len(items)
    lasting = [i for i, item in enumerate(items) if item.start is not None and _lasts(item)]
    height = _nest(items, lasting, rows)
    groups = [(_WORK, height)] if height else []
    for label, kinds in _MOMENTS:
        there = [
            i for i, item in enumerate(items) if item.start is not None and item.kind in kinds and not _lasts(item)
        ]
        if there:
            for i in there:
                rows[i] = height
            height += 1
            groups.append((label, 1))
    return Lanes(rows, groups)


def _lasts(item: Item) -> bool:
    return item.kind in ("task", "tool", "model") or item.length_ms > 0


def _nest(items: Sequence[Item], lasting: Sequence[int], rows: list[int]) -> int:
    """Set the rows of what lasts; return how many there are."""
    children, order = _tree(items, lasting)
    heights = dict.fromkeys(order, 1)
    ends: dict[int, tuple[float, float]] = {}
    offsets: dict[int, int] = {}
    for i in reversed(order):  # children before their parents: a parent is as high as they are together
        extents = [_extent(items[i]), *(ends[child] for child in children[i])]
        ends[i] = min(start for start, _ in extents), max(end for _, end in extents)
        heights[i] = min(1 + _pack(children[i], ends, heights, offsets), MOST_ROWS)
    nested = {child for kids in children.values() for child in kids}
    roots = [i for i in order if i not in nested]
    height = _pack(roots, ends, heights, offsets)
    for i in roots:
        rows[i] = offsets[i]
    for i in order:
        for child in children[i]:
            rows[child] = min(rows[i] + 1 + offsets[child], MOST_ROWS - 1)
    return height


def _tree(items: Sequence[Item], lasting: Sequence[int]) -> tuple[dict[int, list[int]], list[int]]:
    """Return each item's children, and all items with parents before their children."""
    by_key: dict[TaskKey, int] = {key: i for i in lasting if (key := items[i].task) is not None}
    children: dict[int, list[int]] = {i: [] for i in lasting}
    roots: list[int] = []
    for i in lasting:
        key = items[i].parent
        parent = None if key is None else by_key.get(key)
        if parent is None or parent == i:
            roots.append(i)
        else:
            children[parent].append(i)
    order: list[int] = []
    seen: set[int] = set()
    for root in (*roots, *lasting):  # again all: what only a circle leads to, which a damaged log may hold
        stack = [] if root in seen else [root]
        while stack:
            i = stack.pop()
            seen.add(i)
            order.append(i)
            children[i] = [child for child in children[i] if child not in seen]
            stack.extend(reversed(children[i]))
    return children, order


def _extent(item: Item) -> tuple[float, float]:
    return item.start or 0.0, item.end or 0.0


def _pack(
    nodes: Sequence[int], ends: dict[int, tuple[float, float]], heights: dict[int, int], offsets: dict[int, int]
) -> int:
    """Set each node's row among its siblings, the highest that is free all along; return how many rows they take."""
    free: list[float] = []  # row → until when it is taken
    for i in sorted(nodes, key=lambda node: ends[node]):
        start, end = ends[i]
        height = heights[i]
        row = 0
        for taken_row, until in enumerate(free):
            if taken_row >= row + height:
                break
            if until > start + DURATION_STEP_S:
                row = taken_row + 1
        row = min(row, MOST_ROWS - height)
        free.extend([float("-inf")] * (row + height - len(free)))
        free[row : row + height] = [max(end, until) for until in free[row : row + height]]
        offsets[i] = row
    return len(free)
