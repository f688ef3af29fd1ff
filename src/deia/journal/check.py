"""Check a session log: what is in it, what is wrong with it, and whether anyone is writing it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deia import system
from deia.events import SessionEvent
from deia.journal.damage import Damage, DamageKind, DamageLog, problem_count
from deia.journal.progress import OnProgress
from deia.journal.reader import EventReader, require_file
from deia.journal.segments import Segment
from deia.queue.layout import queue_path
from deia.text import plural


@dataclass
class CheckReport:
    """The state of one session log.

    Attributes:
        path: The journal.
        segments: The later files that it goes on in, in order; none for a session of one file.
        journal_bytes: Size of all its files, unpacked.
        events: Readable events, those included that only the queue file holds yet.
        events_by_type: The same by type.
        sessions: Sessions in the file; 0 where its lines do not say.
        runs: How many times they were opened.
        dropped: Events dropped on purpose because the queue was full.
        waiting_bytes: Bytes of whole lines that only the queue file holds: not written yet by a session that is
            running, to be recovered from one that was killed. Readers see them.
        torn_bytes: Bytes after the last newline that a crash left of a call that had not returned.
        queue_file: The queue file, if there is one.
        locked: Whether a logger has the session open; None where that cannot be told.
        damages: The first problems, in order, and the torn end, if there is one.
        damage_counts: How many of each kind, all counted.
    """

    path: str
    segments: list[Segment] = field(default_factory=list)
    journal_bytes: int = 0
    events: int = 0
    events_by_type: dict[str, int] = field(default_factory=dict)
    sessions: int = 0
    runs: int = 0
    dropped: int = 0
    waiting_bytes: int = 0
    torn_bytes: int = 0
    queue_file: str | None = None
    locked: bool | None = False
    damages: list[Damage] = field(default_factory=list)
    damage_counts: dict[DamageKind, int] = field(default_factory=dict)

    @property
    def damage_count(self) -> int:
        """How many problems there are, listed or not."""
        return sum(self.damage_counts.values())

    @property
    def damages_capped(self) -> bool:
        """Whether there are more problems than are listed."""
        return self.damage_count > len(self.damages)

    @property
    def ok(self) -> bool:
        """Whether every event that was recorded can be read.

        A torn end holds no recorded event, and bytes that wait in the queue file are read from there; both are fine. So
        are events dropped on purpose: they were never recorded.
        """
        return self.damage_counts.keys() <= {"torn"}


def check(path: str | os.PathLike[str], *, on_progress: OnProgress | None = None) -> CheckReport:
    """Read a whole session log and report on it; nothing is changed.

    Whether a logger has the session open is found out by touching its lock, for an instant.

    Args:
        path: The journal.
        on_progress: Told how far the reading has come.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a directory.
        OSError: It cannot be read.
    """
    require_file(path)
    log = DamageLog()
    reader = EventReader(path, log.add, on_progress=on_progress)
    queue = queue_path(reader.journal)
    report = CheckReport(reader.path)
    state = queue_state(queue)
    report.locked = None if state == "unknown" else state == "open"
    types: Counter[str] = Counter()
    dropped = 0
    for entry in reader.entries():
        event = entry.event
        types[type(event).__name__] += 1
        report.runs += entry.session_start is not None
        if isinstance(event, SessionEvent):
            dropped += event.dropped or 0
    source = reader.source
    report.segments = [segment for segment in reader.segments if segment.number > 1]
    report.journal_bytes = reader.journal_bytes
    report.events = types.total()
    report.events_by_type = dict(types)
    report.sessions = reader.continuity.sessions
    if report.events:
        report.runs = max(report.runs, report.sessions, 1)
    elif reader.is_no_log:
        log.add(Damage(reader.path, 1, 0, "foreign", "there is no event in it: not a session log"))
    # The queue file counts at once what the next line that finds room will tell.
    report.dropped = max(dropped, source.window.dropped if source.window is not None else 0)
    report.waiting_bytes = source.window_bytes + reader.salvaged_bytes
    report.torn_bytes = reader.torn_bytes
    report.queue_file = os.fspath(queue) if source.has_queue else None
    report.damages = log.kept
    report.damage_counts = dict(log.by_kind)
    return report


QueueState = Literal["none", "left", "open", "unknown"]
"""What a session's queue file tells.

- `none`: there is none; the session is closed.
- `left`: nobody has it locked: the process died, and what is in it may have to be recovered.
- `open`: a logger has it locked.
- `unknown`: whether it is locked cannot be told; it may be no file of ours at all.
"""


def queue_state(queue: Path) -> QueueState:
    """Tell whether a session is open in a logger, by its queue file."""
    try:
        fd = system.open_existing(queue)
    except FileNotFoundError:
        return "none"
    except OSError:  # a link in its place, or not ours to open: the reader reports it as a problem of the queue file
        return "unknown"
    try:
        locked = system.is_locked(fd)
    finally:
        system.close(fd)
    return "unknown" if locked is None else "open" if locked else "left"


def in_words(damages: Iterable[Damage], damage_count: int) -> str:
    """Return how many problems and torn ends a log has; the arguments are those of `problem_count`."""
    problems = problem_count(damages, damage_count)
    torn = damage_count - problems
    said = [plural(problems, "problem with the file", "problems with the file")] if problems else []
    return ", and ".join([*said, *([plural(torn, "torn end")] if torn else [])])
