"""What the page of one session shows, gathered from its log."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deia import system
from deia.analysis.profile import Advice, SessionProfile, advise, profile_session
from deia.journal.check import queue_state
from deia.journal.damage import Damage
from deia.journal.progress import OnProgress
from deia.journal.reader import EventReader
from deia.journal.state import State, state_of
from deia.queue.layout import queue_path
from deia.report.selection import Selected, Selection


@dataclass(frozen=True)
class Report:
    """The page of one session.

    Attributes:
        path: Its log, as it was given.
        made_at: When it was looked at, Unix seconds.
        state: What had become of it then.
        profile: The figures.
        advice: What to fix first.
        selected: What the timeline and the table of events show.
    """

    path: str
    made_at: float
    state: State
    profile: SessionProfile
    advice: list[Advice]
    selected: Selected


def make_report(path: str | os.PathLike[str], *, on_progress: OnProgress | None = None) -> Report:
    """Read a session's log, twice, and gather what its page shows.

    The log may be of a session that is running, was killed, or is closed.

    Args:
        path: The log, plain or compressed with gzip.
        on_progress: Told how far the reading has come.

    Raises:
        FileNotFoundError: There is no such file.
        NotASessionLogError: It is not empty, and there is no readable event in it.
        OSError: It cannot be read.
    """
    made_at = system.now()
    queue = queue_state(queue_path(Path(os.fspath(path))))  # before the log is read: what is closed meanwhile was open
    profile = profile_session(path, critical_path=True, on_progress=_half(on_progress, 0))
    analysis = profile.analysis
    selection = Selection(analysis.first_time, analysis.last_time)
    for entry in EventReader(path, _counted_before, on_progress=_half(on_progress, 1)).entries():
        selection.feed(entry.event)
    state = state_of(
        queue,
        damaged=any(damage.kind != "torn" for damage in analysis.damages),
        has_open_tasks=bool(analysis.open_tasks),
    )
    advice = advise(profile, killed=queue == "left")
    return Report(os.fspath(path), made_at, state, profile, advice, selection.finish())


def _counted_before(damage: Damage) -> None:
    """The profile has it already."""


def _half(on_progress: OnProgress | None, half: int) -> OnProgress | None:
    """Return who is told of the first or the second reading as of one half of the whole."""
    if on_progress is None:
        return None
    told = on_progress
    return lambda done, total: told(done + half * total, 2 * total)
