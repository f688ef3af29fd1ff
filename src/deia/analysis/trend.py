"""Figures over time: by day, by week or by session, and whether they changed."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from deia.analysis.compare import SMALLEST_CHANGE, Comparison, Group, compare
from deia.analysis.conditions import Measure
from deia.analysis.figures import Figures
from deia.analysis.sessions import SessionFigures

Period = Literal["day", "week", "session"]


@dataclass(frozen=True)
class Point:
    """One period.

    Attributes:
        label: The day, the week of the year after ISO 8601, or the session; in the local time zone.
        began: When the first of its sessions began, Unix seconds.
        figures: The key figures of its sessions.
        values: What the measures were, in their order; None where there is nothing to compute one from.
    """

    label: str
    began: float
    figures: Figures
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Trend:
    """Figures over time.

    Attributes:
        points: The periods with a session in them, in order.
        before: The sessions of the first half of them; of an odd number, the one in the middle is left out. None where
            there is one period alone.
        after: Those of the last half, or of that one.
        last: The sessions of the last period.
        comparison: What differs between the halves.
        undated: Sessions that are left out because no line of theirs says when it was.
    """

    points: list[Point]
    before: Group
    after: Group
    last: Group
    comparison: Comparison
    undated: int


class Timeline:
    """Sessions in the order in which they began, kept small until they are needed."""

    def __init__(self, sessions: Iterable[SessionFigures], by: Period) -> None:
        """Take sessions.

        Args:
            sessions: In any order; those that cannot be read are left out.
            by: What they are put together by.
        """
        self.undated = 0
        self._kept: list[tuple[float, str, bytes]] = []
        for session in sessions:
            label = label_of(session, by)
            if label is not None and session.began is not None:
                self._kept.append((session.began, label, pickle.dumps(session)))  # a tenth of the memory
            elif session.is_readable:
                self.undated += 1
        self._kept.sort()

    @property
    def labels(self) -> list[str]:
        """The periods with a session in them, in order."""
        return list(dict.fromkeys(label for _, label, _ in self._kept))

    def group(self, labels: Sequence[str]) -> Group:
        """Return the sessions of some periods together."""
        wanted = frozenset(labels)
        return Group(session for label, session in self if label in wanted)

    def __iter__(self) -> Iterator[tuple[str, SessionFigures]]:
        """Yield each session with its period."""
        for _, label, packed in self._kept:
            yield label, pickle.loads(packed)  # noqa: S301  # made above


def label_of(session: SessionFigures, by: Period) -> str | None:
    """Return the period that a session began in; None where no line of it says when that was."""
    if session.began is None:
        return None
    if by == "session":
        return session.path
    try:
        day = datetime.fromtimestamp(session.began, tz=timezone.utc).astimezone()
    except (OverflowError, OSError, ValueError):  # a clock beyond the calendar
        return None
    if by == "day":
        return day.date().isoformat()
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def trend(
    sessions: Iterable[SessionFigures],
    measures: Sequence[Measure],
    *,
    by: Period,
    smallest_change: float = SMALLEST_CHANGE,
) -> Trend:
    """Say how figures went over time.

    Args:
        sessions: In any order.
        measures: What is watched.
        by: What sessions are put together by.
        smallest_change: As for `compare`.
    """
    timeline = Timeline(sessions, by)
    labels = timeline.labels
    half = len(labels) // 2
    halves = frozenset(labels[:half]), frozenset(labels[len(labels) - max(1, half) :])
    before, after = Group(), Group()
    points: list[Point] = []
    current: tuple[str, float, Group] | None = None
    for label, session in timeline:
        if current is None or current[0] != label:
            if current is not None:
                points.append(_point(*current, measures))
            current = label, session.began or 0.0, Group()
        for group, wanted in zip((before, after), halves, strict=True):
            if label in wanted:
                group.add(session)
        current[2].add(session)
    if current is not None:
        points.append(_point(*current, measures))
    comparison = compare(before, after, smallest_change=smallest_change)
    last = current[2] if current is not None else Group()
    return Trend(points, before, after, last, comparison, timeline.undated)


def _point(label: str, began: float, group: Group, measures: Sequence[Measure]) -> Point:
    return Point(label, began, group.figures, tuple(measure.of(group) for measure in measures))
