"""speedscope's own file format: a flame graph of each lane.

The format is https://www.speedscope.app/file-format-schema.json: evented profiles, in each of which frames open and
close strictly nested and in the order of time, and refer to a table of frames that all profiles share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from deia import system
from deia.export.lanes import Lanes
from deia.export.sources import Source
from deia.export.spool import Spool
from deia.export.timeline import Begun, Ended, Item, Session, Span, timeline

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

_HEAD = b'{"$schema":"%s","exporter":"deia","profiles":[' % SCHEMA.encode()


def speedscope(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the pieces of a file: a profile for each lane of each session. What took no time is not in it.

    A task that goes on when the one it was started in ends stands there in two pieces, beneath that one and beside it.
    """
    frames = _Frames()
    yield _HEAD
    separator = b"\n"
    for source in sources:
        with system.open_scratch() as file:
            spool = Spool(file.fileno())
            sessions: dict[Session, _Profiles] = {}
            for item in timeline(source.entries):
                profiles = sessions.get(item.session)
                if profiles is None:
                    profiles = sessions[item.session] = _Profiles(
                        source.name, item.session, frames, spool, len(sessions)
                    )
                profiles.take(item)
                if isinstance(item, Ended):
                    for lane in range(profiles.lanes):
                        yield separator
                        yield from profiles.profile(lane, item)
                        separator = b",\n"
    yield b'\n],"shared":{"frames":%s}}\n' % orjson.dumps(frames.table)


class _Frames:
    """The table of frames.

    Attributes:
        table: It, as it stands in the file.
    """

    def __init__(self) -> None:
        self.table: list[dict[str, str]] = []
        self._numbers: dict[tuple[str, str], int] = {}

    def number(self, kind: str, name: str) -> int:
        """Return a frame's number; speedscope colours frames by their `file`, which is the kind here."""
        number = self._numbers.setdefault((kind, name), len(self.table))
        if number == len(self.table):
            self.table.append({"name": name, "file": kind})
        return number


class _Profiles:
    """The lanes of one session.

    Attributes:
        lanes: How many of them have anything in them.
    """

    def __init__(self, path: str, session: Session, frames: _Frames, spool: Spool, number: int) -> None:
        self.lanes = 0
        self._name = " ".join(filter(None, session)) or path
        self._frames = frames
        self._spool = spool
        self._number = number
        self._places = Lanes()
        self._frame_of: dict[int, int] = {}
        self._last = 0

    def take(self, item: Item) -> None:
        if isinstance(item, Begun):
            frame = self._frames.number("task", item.event.name)
            self._frame_of[item.key] = frame
            place = self._places.begin(item.key, item.start_us, item.parent)
            self._put(place.lane, b"O", place.start, frame)
        elif isinstance(item, Span) and item.begun:
            assert item.key is not None
            self._finish(item.key, item.end_us)
        elif isinstance(item, Span) and item.end_us > item.start_us:
            place = self._places.add(item.start_us, item.end_us, item.parent)
            frame = self._frames.number(item.kind, item.name)
            self._put(place.lane, b"O", place.start, frame)
            self._put(place.lane, b"C", place.end, frame)

    def _finish(self, key: int, end: int) -> None:
        lane, end, above = self._places.cut(key, end)
        for other in reversed(above):
            self._put(lane, b"C", end, self._frame_of[other])
        self._put(lane, b"C", end, self._frame_of.pop(key))
        for other in above:
            self._put(lane, b"O", end, self._frame_of[other])

    def _put(self, lane: int, kind: bytes, at: int, frame: int) -> None:
        is_first = lane == self.lanes
        self.lanes += is_first
        self._last = max(self._last, at)
        event = b'{"type":"%s","at":%d,"frame":%d}' % (kind, at, frame)
        self._spool.append(self._strand(lane), event if is_first else b"," + event)

    def _strand(self, lane: int) -> int:
        return self._number << 32 | lane

    def profile(self, lane: int, ended: Ended) -> Iterator[bytes]:
        """Yield one lane."""
        name = self._name if lane == 0 else f"{self._name}, lane {lane + 1}"
        yield b'{"type":"evented","name":%s,"unit":"microseconds","events":[' % orjson.dumps(name)
        yield from self._spool.read(self._strand(lane))
        yield b'],"startValue":%d,"endValue":%d}' % (ended.first_us, max(ended.last_us, self._last))
