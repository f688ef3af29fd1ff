"""Lanes: what overlaps stands in different ones, and what stands in one is nested, or follows.

Viewers draw the spans of one lane (a thread, a profile) as a stack. Two that overlap without one holding the other
cannot be drawn there at all; and a span that lies inside another by chance, of another task, would look like a part of
it. So a task keeps the place that it got when it began, and only what belongs to it is put beneath it.

Spans come in the order of the log, that is as they end, and nothing that ended is kept but how far its lane is taken:
memory grows with what is open at the same time.

The report lays out its timeline in its own way (`deia.report.lanes`): it has all of its few thousand items at hand, and
so can put parallel parts of one task right beneath it, as a stream that cannot look ahead does not.
"""

from __future__ import annotations

from dataclasses import dataclass

Key = int
"""What a task is known by while it is open."""


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
    """The lanes of one session. Times are whole numbers of any unit; an end is never before its start."""

    def __init__(self) -> None:
        self._lanes: list[list[_Frame]] = []
        self._lane_of: dict[Key, int] = {}

    def __len__(self) -> int:
        """How many lanes there are."""
        return len(self._lanes)

    def lane_of(self, key: Key | None) -> int | None:
        """Return the lane of an open task."""
        return None if key is None else self._lane_of.get(key)

    def begin(self, key: Key, start: int, parent: Key | None) -> int:
        """Give a task that begins a lane: beneath its parent, where that has nothing else at the time."""
        lane = self._find(start, parent)
        self._lanes[lane].append(_Frame(key, start, start))
        self._lane_of[key] = lane
        return lane

    def add(self, start: int, end: int, parent: Key | None) -> int:
        """Give something that is over a lane: beneath the task that it belongs to, where that has room for it."""
        lane = self._find(start, parent)
        self._lanes[lane][-1].taken = end
        return lane

    def finish(self, key: Key, end: int) -> int:
        """Take a task out of its lane, and return the lane where it stands.

        That is another one where something beneath it goes on, or ended later: it cannot hold that.
        """
        lane, place = self._take(key)
        frames = self._lanes[lane]
        frame = frames.pop(place)
        below = frames[place - 1]
        assert frame.taken is not None
        was_top = place == len(frames)
        if was_top and frame.taken <= end:
            below.taken = end
            return lane
        below.taken = frame.taken
        return self.add(frame.start, end, None)

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

    def _find(self, start: int, parent: Key | None) -> int:
        lane = self.lane_of(parent)
        if lane is not None:
            top = self._lanes[lane][-1]
            if top.key == parent and _is_free(top, start):
                return lane
        for number, frames in enumerate(self._lanes):
            if len(frames) == 1 and _is_free(frames[0], start):
                return number
        self._lanes.append([_Frame(None, start, None)])
        return len(self._lanes) - 1


def _is_free(frame: _Frame, start: int) -> bool:
    return frame.taken is None or frame.taken <= start
