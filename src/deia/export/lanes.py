"""Lanes: what overlaps stands in different ones, and what stands in one is nested, or follows.

Viewers draw the spans of one lane (a thread, a profile) as a stack. Two that overlap without one holding the other
cannot be drawn there at all; and a span that lies inside another by chance, of another task, would look like a part of
it. So a task keeps the place that it got when it began, and only what belongs to it is put beneath it.

Spans come in the order of the log, that is as they end, and nothing that ended is kept but how far its lane is taken:
memory grows with what is open at the same time.

What overlaps by no more than durations are rounded (`DURATION_STEP_S`) touches: it begins where what is before it ends,
and a task ends where what is in it does.

The report lays out its timeline in its own way (`deia.report.lanes`): it has all of its few thousand items at hand, and
so can put parallel parts of one task right beneath it, as a stream that cannot look ahead does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from deia.journal.limits import DURATION_STEP_S

Key = int
"""What a task is known by while it is open."""

TOUCHING_US = round(DURATION_STEP_S * 1_000_000)
"""By how much two that follow each other may seem to overlap."""


class Place(NamedTuple):
    """Where something stands.

    Attributes:
        lane: Number of the lane, from 0.
        start: When it begins there.
        end: When it ends there; not before the start.
    """

    lane: int
    start: int
    end: int


@dataclass(slots=True)
class _Frame:
    """A task that is open in a lane, or, lowest of all, the lane itself.

    Attributes:
        key: The task's; None for the lane.
        start: When it began, or where its last piece does.
        taken: Up to where something stands in it.
    """

    key: Key | None
    start: int
    taken: int | None


class Lanes:
    """The lanes of one session. Times are whole microseconds; an end is never before its start."""

    def __init__(self) -> None:
        self._lanes: list[list[_Frame]] = []
        self._lane_of: dict[Key, int] = {}

    def __len__(self) -> int:
        """How many lanes there are."""
        return len(self._lanes)

    def lane_of(self, key: Key | None) -> int | None:
        """Return the lane of an open task."""
        return None if key is None else self._lane_of.get(key)

    def begin(self, key: Key, start: int, parent: Key | None) -> Place:
        """Give a task that begins a place: beneath its parent, where that has nothing else at the time."""
        place = self._find(start, None, parent)
        self._lanes[place.lane].append(_Frame(key, place.start, place.start))
        self._lane_of[key] = place.lane
        return place

    def add(self, start: int, end: int, parent: Key | None) -> Place:
        """Give something that is over a place: beneath the task that it belongs to, where that has room for it."""
        place = self._find(start, end, parent)
        self._lanes[place.lane][-1].taken = end
        return place

    def finish(self, key: Key, end: int) -> Place:
        """Take a task out of its lane, and return where it stands.

        That is another lane where something beneath it goes on, or ended later: it cannot hold that.
        """
        lane, place = self._take(key)
        frames = self._lanes[lane]
        frame = frames.pop(place)
        below = frames[place - 1]
        assert frame.taken is not None
        was_top = place == len(frames)
        if was_top and frame.taken <= end + TOUCHING_US:
            below.taken = end = max(end, frame.taken)
            return Place(lane, frame.start, end)
        below.taken = frame.taken
        return self.add(frame.start, max(end, frame.start), None)

    def cut(self, key: Key, end: int) -> tuple[int, int, list[Key]]:
        """End a task in its own lane, and what is open beneath it with it, which goes on from there.

        Returns:
            The lane; the end, which is later where something in it ended later; the tasks that were open beneath it,
            outermost first: each of them stands there in two pieces.
        """
        lane, place = self._take(key)
        frames = self._lanes[lane]
        end = max(end, *(frame.taken for frame in frames[place:] if frame.taken is not None))
        del frames[place]
        frames[place - 1].taken = end
        for frame in frames[place:]:
            frame.start = frame.taken = end
        return lane, end, [frame.key for frame in frames[place:] if frame.key is not None]

    def _take(self, key: Key) -> tuple[int, int]:
        lane = self._lane_of.pop(key)
        frames = self._lanes[lane]
        place = len(frames) - 1
        while frames[place].key != key:
            place -= 1
        return lane, place

    def _find(self, start: int, end: int | None, parent: Key | None) -> Place:
        """Return where there is room from a start on; what has ended already must do so after all that is there."""
        latest = start + TOUCHING_US if end is None else max(start, min(start + TOUCHING_US, end))
        lane = self.lane_of(parent)
        if lane is not None:
            top = self._lanes[lane][-1]
            if top.key == parent and _is_free(top, latest):
                return _place(lane, top, start, end)
        for number, frames in enumerate(self._lanes):
            if len(frames) == 1 and _is_free(frames[0], latest):
                return _place(number, frames[0], start, end)
        self._lanes.append([_Frame(None, start, None)])
        return Place(len(self._lanes) - 1, start, start if end is None else end)


def _is_free(frame: _Frame, at: int) -> bool:
    return frame.taken is None or frame.taken <= at


def _place(lane: int, frame: _Frame, start: int, end: int | None) -> Place:
    start = start if frame.taken is None else max(start, frame.taken)
    return Place(lane, start, start if end is None else end)
