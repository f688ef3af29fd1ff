"""All sessions of a directory, and what each of them is at.

A session that was closed is read once, and one beyond the number that is wanted not at all; then it costs nothing.
Of one that is open, what is new is read at each refresh.
"""

from __future__ import annotations

import heapq
import math
import os
from dataclasses import dataclass
from pathlib import Path

from deia import system
from deia.journal.segments import is_there
from deia.live.directory import Complain, Directory
from deia.live.follower import Follower, Note
from deia.live.state import Activity, LastEvent, OpenTask, SessionState, Unread, activity
from deia.queue.layout import queue_path

_LOCK_S = 1.0
"""How often it is looked whether a session that logs nothing is still open."""

_AT_ONCE = 2000
"""How many events are read before the time is looked at: a few milliseconds."""


@dataclass(frozen=True)
class Row:
    """One session, as it is now.

    Attributes:
        path: Its log.
        agent_id: Whose it is.
        session_id: Which one; what is before or in the file's name where no line says.
        state: What it is at.
        task: The innermost task that is open.
        task_ms: For how long, milliseconds: up to now, or to its last event where no logger has it open.
        open_tasks: How many tasks are open.
        last: What it has logged last, its tasks excepted.
        last_time: When it has logged anything last, Unix seconds.
        quiet_s: Seconds since then.
        events: Events so far.
        events_per_s: Events a second, over the last ten seconds.
        tool_calls: Calls of tools.
        errors: Tasks, calls of tools and of models that failed, and errors that were logged.
        model_calls: Calls of models, each response once.
        input_tokens: Tokens that went into them.
        output_tokens: Tokens that came out.
        cost_usd: What they cost, US dollars; None where no line says.
        is_behind: Whether there is more to be read; the figures are up to where it was.
        problem: What is wrong with the log, in words; None where nothing is.
    """

    path: str
    agent_id: str
    session_id: str
    state: Activity
    task: OpenTask | None
    task_ms: int | None
    open_tasks: int
    last: LastEvent | None
    last_time: float | None
    quiet_s: float | None
    events: int
    events_per_s: float
    tool_calls: int
    errors: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    is_behind: bool
    problem: str | None


class Board:
    """The sessions of a directory.

    Attributes:
        is_behind: Whether the last refresh ran out of time before everything was read that is shown.
    """

    def __init__(self, directory: str | os.PathLike[str], complain: Complain) -> None:
        """Watch a directory; arguments are as those of `Directory`."""
        self._directory = Directory(directory, complain)
        self._sessions: dict[Path, _Session] = {}
        self.is_behind = False

    @property
    def total(self) -> int:
        """How many sessions there are, shown or not."""
        return len(self._sessions)

    def refresh(self, most: int | None = None, *, within_s: float = math.inf) -> list[Row]:
        """Read what is new; return the sessions with most activity, those that are open first.

        Args:
            most: No more than so many.
            within_s: Read for so long, and go on at the next refresh.
        """
        deadline = system.monotonic() + within_s
        for path in self._directory.changed():
            self._sessions.setdefault(path, _Session(path)).wake()
        for gone in [path for path, session in self._sessions.items() if session.is_gone]:
            self._sessions.pop(gone).close()
        shown = heapq.nsmallest(self.total if most is None else most, self._sessions.values(), key=_Session.rank)
        self.is_behind = False
        for session in shown:
            while session.awake and session.read(_AT_ONCE):
                if system.monotonic() >= deadline:
                    self.is_behind = True
                    break
        return [session.row(system.now()) for session in sorted(shown, key=_Session.order)]

    def close(self) -> None:
        """Let go of all files."""
        for session in self._sessions.values():
            session.close()


class _Session:
    """A session on the board.

    Attributes:
        awake: Whether there may be something new in it.
        is_gone: Whether nothing of it is left.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._name = os.fspath(journal)
        self._follower: Follower | None = None  # most are never read
        self._state = SessionState()
        self._has_queue = False
        self._is_locked: bool | None = None
        self._look_at = -math.inf
        self._written = 0.0
        self._problem: str | None = None
        self._is_damaged = False
        self._unread: Unread | None = None
        self.is_gone = False
        self.awake = True

    def wake(self) -> None:
        """Take it that something has happened to it."""
        self.awake = True
        self._has_queue = system.exists(queue_path(self._journal))
        self._is_locked, self._look_at = None, -math.inf
        self.is_gone = not self._has_queue and not is_there(self._journal)
        try:
            self._written = system.stat(self._journal).st_mtime
        except OSError:  # it goes on in later segments, if at all
            self._written = 0.0

    def rank(self) -> tuple[bool, bool, float, str]:
        """Return what says which sessions are shown: the open ones, then those that were interrupted, the latest first.

        By when the log was written, as that is known of those, too, that were not read.
        """
        latest = (self._state.last_time if self._has_queue else None) or self._written
        return not self._has_queue, self._has_queue and self._is_locked is False, -latest, self._name

    def order(self) -> tuple[bool, bool, float, str]:
        """Return what says in which order they are shown: the same, by what is in the log."""
        latest = self._written if self._state.last_time is None else self._state.last_time
        return not self._has_queue, self._has_queue and self._is_locked is False, -latest, self._name

    def read(self, most: int) -> bool:
        """Take what is new, up to so many events; tell whether there may be more."""
        follower = self._follower = self._follower or Follower(self._journal, self._note)
        for entry in follower.new(most):
            self._state.feed(entry.event)
        signs = follower.signs
        self._has_queue = signs.has_queue
        now = system.monotonic()
        if not self._has_queue:
            self._is_locked = False
            self.awake = follower.is_behind
            self.is_gone = not self.awake and not follower.is_there
        elif now >= self._look_at:
            self._is_locked = signs.is_locked()
            self._look_at = now + _LOCK_S
        return follower.is_behind

    def row(self, now: float) -> Row:
        """Return what is shown of it."""
        state = self._state
        quiet_s = None if state.last_time is None else max(0.0, now - state.last_time)
        at = activity(
            has_queue=self._has_queue,
            is_locked=self._is_locked,
            quiet_s=quiet_s,
            damaged=self._is_damaged,
            has_open_tasks=state.open_tasks > 0,
            unread=None if state.events else self._unread,
        )
        task = state.innermost
        usage = state.usage
        until = now if at in ("recording", "idle") else state.last_time
        agent, _, session = self._journal.name.removesuffix(".jsonl").rpartition("_")
        return Row(
            path=self._name,
            agent_id=agent if state.agent_id is None else state.agent_id,
            session_id=session if state.session_id is None else state.session_id,
            state=at,
            task=task,
            task_ms=None if task is None or until is None else max(0, round((until - task.start_time) * 1000)),
            open_tasks=state.open_tasks,
            last=state.last,
            last_time=state.last_time,
            quiet_s=quiet_s,
            events=state.events,
            events_per_s=state.rate(now),
            tool_calls=state.tool_calls,
            errors=state.errors,
            model_calls=usage.calls,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            is_behind=self._follower is None or self._follower.is_behind,
            problem=self._problem,
        )

    def close(self) -> None:
        """Let go of its files."""
        if self._follower is not None:
            self._follower.close()

    def _note(self, note: Note) -> None:
        self._is_damaged |= note.kind == "damage"
        if note.kind in ("unreadable", "no log"):
            self._unread = note.kind
        if note.kind != "gone":
            self._problem = note.text
