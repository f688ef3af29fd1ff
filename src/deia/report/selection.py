"""Which items a page has room for: what went wrong, then what took longest; the rest is counted."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from dataclasses import dataclass, field

from deia.events import AnyEvent, TaskEvent, UnknownEvent
from deia.report.items import Item, Kind, TaskKey, item_of

ITEMS_KEPT = 10_000
"""As many as a browser draws in a few milliseconds, and as fit a page of 2 MB with their texts."""

BINS = 400
"""Parts of the timeline in which the rest is counted: two pixels each on a usual screen."""

NAMES_KEPT = 2_000
"""Of the rest: as many names as anybody gives to tools, tasks and models; of files there may be more."""

_NOTABLE: frozenset[Kind] = frozenset(("error", "session"))
"""Kept before anything else, as is whatever failed, was cancelled, or did not end."""


@dataclass
class Selected:
    """The items of a page.

    Attributes:
        items: Those that it shows one by one, by their start; what has no time comes last.
        total: How many there are in the log.
        rest: Kind → how many of the others lie in each of `BINS` equal parts of the log's span.
        rest_total: Kind → how many others there are, those without a time included.
        rest_names: Kind and name → how many of the others have it; the first `NAMES_KEPT` that came.
        logged: When the first line was logged, and the last, Unix seconds; None where no line says. The log's span may
            be longer: a task may claim to have begun in another age.
    """

    items: list[Item]
    total: int = 0
    rest: dict[Kind, list[int]] = field(default_factory=dict)
    rest_total: dict[Kind, int] = field(default_factory=dict)
    rest_names: dict[tuple[Kind, str], int] = field(default_factory=dict)
    logged: tuple[float, float] | None = None


class Selection:
    """Takes the events of a log in its order, keeps the items that matter most; memory does not grow with the log.

    Open tasks are kept until they are completed, however many there are.

    Args:
        first: First moment of the log, Unix seconds; None where no line says.
        last: Its last.
        kept: How many items are kept.
    """

    def __init__(self, first: float | None, last: float | None, *, kept: int = ITEMS_KEPT) -> None:
        self._first = first
        self._last = last
        self._room = kept
        self._heap: list[tuple[bool, float, int, Item]] = []
        self._open: dict[TaskKey, Item] = {}
        self._order = 0
        self._rest: dict[Kind, list[int]] = {}
        self._rest_total: Counter[Kind] = Counter()
        self._rest_names: Counter[tuple[Kind, str]] = Counter()
        self._logged: tuple[float, float] | None = None

    def feed(self, event: AnyEvent) -> None:
        """Take one event."""
        item = item_of(event)
        at = event.timestamp
        # Of a line that is not in our format a `timestamp` may mean anything.
        if at is not None and (type(event) is not UnknownEvent or "v" in event.fields):
            first, last = self._logged or (at, at)
            self._logged = min(first, at), max(last, at)
        if isinstance(event, TaskEvent) and item.task is not None:
            if event.end_time is None:
                self._open[item.task] = item
                return
            if not event.orphan:
                self._open.pop(item.task, None)
        self._keep(item)

    def finish(self) -> Selected:
        """Return the items; what is open still lasts until the log's end."""
        for item in self._open.values():
            if item.start is not None and self._last is not None:
                item.end = max(item.start, self._last)
            self._keep(item)
        self._open = {}
        items = [entry[-1] for entry in self._heap]
        items.sort(key=lambda item: (item.start is None, item.start or 0.0, -item.length_ms, item.seq or 0))
        return Selected(
            *(items, self._order, self._rest, dict(self._rest_total), dict(self._rest_names), self._logged),
        )

    def _keep(self, item: Item) -> None:
        self._order += 1
        entry = (bool(item.status) or item.kind in _NOTABLE, item.length_ms, -self._order, item)
        if len(self._heap) < self._room:
            heapq.heappush(self._heap, entry)
        else:
            self._count(heapq.heappushpop(self._heap, entry)[-1])

    def _count(self, item: Item) -> None:
        self._rest_total[item.kind] += 1
        named = item.kind, item.name
        if named in self._rest_names or len(self._rest_names) < NAMES_KEPT:
            self._rest_names[named] += 1
        if item.start is None or item.end is None or self._first is None or self._last is None:
            return
        bins = self._rest.setdefault(item.kind, [0] * BINS)
        span = self._last - self._first
        middle = (item.start + item.end) / 2 - self._first
        place = middle / span * BINS if span > 0 else 0.0
        if math.isfinite(place):
            bins[min(max(int(place), 0), BINS - 1)] += 1
