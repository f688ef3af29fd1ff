"""Remove sessions that are old, too many, or too large together, with everything that belongs to them.

A session is removed while its lock is held, so that no logger opens it meanwhile. What the lock does not protect goes
first and the log goes last: whoever dies in between leaves a session that is found, and removed, the next time.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deia import system
from deia.conversation import index
from deia.conversation.descriptors import close, hold
from deia.conversation.page import SUFFIX, file_stem
from deia.conversation.view import FRONT_BYTES, front_of
from deia.errors import SessionLockedError
from deia.journal.check import queue_state
from deia.journal.damage import DamageLog
from deia.journal.ending import last_time
from deia.journal.reader import EventReader
from deia.journal.recovery import lock_session, remove_if_empty
from deia.journal.segments import first_journal, segment_path
from deia.queue.layout import queue_path

_LEFTOVER = re.compile(
    r"\.(?P<stem>.+)\.(?:queue\.(?:new|aside-\d+)|segment\.new|importing|saving-[0-9a-f]{8})", re.DOTALL
)
_SAVING = ".saving-"
_LOG_LEFTOVER = re.compile(r"\.(?P<mended>.+\.jsonl)\.mending|(?P<damaged>.+\.jsonl)\.damaged-\d+", re.DOTALL)
_CONVERSATION = re.compile(
    rf"(?P<new>\.)?\d{{8}}-\d{{6}}-(?P<stem>.+){re.escape(SUFFIX)}(?P<kept>\.aside-\d+)?(?(new)\.new)", re.DOTALL
)

Complain = Callable[[OSError, str], object]
"""Told what cannot be looked at, and where."""

Reason = Literal["recording", "unrecovered", "unknown", "link", "foreign", "changed", "busy", "error"]
"""Why a session is kept that should go.

- `recording`: a logger has it open.
- `unrecovered`: its process died, and its queue file may hold events that are nowhere else.
- `unknown`: whether a logger has it open cannot be told.
- `link`: one of its names is a symbolic link.
- `foreign`: nothing in it says that it is the session that its name tells.
- `changed`: it was recorded in while this was going on.
- `busy`: somebody writes its conversation, or saves a session over it.
- `error`: the operating system refuses.
"""

_WHY: dict[Reason, str] = {
    "recording": "open in a logger",
    "unrecovered": "its queue file may hold events: recover it first",
    "unknown": "whether a logger has it open cannot be told",
    "link": "{} is a symbolic link, which is not followed",
    "foreign": "nothing in it says that it is the session of that name",
    "changed": "recorded in meanwhile",
    "busy": "{} is being written",
    "error": "{}",
}


@dataclass(frozen=True)
class Criteria:
    """Which sessions go: those that at least one of these names.

    Attributes:
        older_than_s: Those in which nothing was recorded for so many seconds.
        keep: All but so many, those in which something was recorded last.
        max_bytes: The oldest, until all files of the others together take no more.
    """

    older_than_s: float | None = None
    keep: int | None = None
    max_bytes: int | None = None


@dataclass
class Stored:
    """A session's files.

    Attributes:
        journal: Its first file, which may be missing.
        log: The files of its log, in order, with what tells whether one has changed.
        others: What else belongs to it: its conversation, and what was left or kept of files that are gone.
        size_bytes: Their size.
        recorded_until: When something was recorded last, Unix seconds: by its last event that says a time; where none
            does, by when its files were changed.
    """

    journal: Path
    log: dict[Path, tuple[int, int, int]] = field(default_factory=dict)
    others: list[Path] = field(default_factory=list)
    size_bytes: int = 0
    recorded_until: float = 0.0

    @property
    def files(self) -> int:
        """How many files it has."""
        return len(self.log) + len(self.others)

    def see(self, path: Path, *, is_log: bool) -> None:
        """Take a file for one of the session's, if it is there."""
        try:
            status = system.lstat(path)
        except FileNotFoundError:
            return
        self.size_bytes += status.st_size
        if is_log:
            self.log[path] = _mark(status)
            self.recorded_until = max(self.recorded_until, status.st_mtime)
        else:
            self.others.append(path)


@dataclass(frozen=True)
class Pruned:
    """What became of a session that should go.

    Attributes:
        session: The session.
        reason: Why it is kept; None where it is gone, or would be under `dry_run`.
        why: The same in words.
    """

    session: Stored
    reason: Reason | None = None
    why: str = ""


class _KeptError(Exception):
    """A session stays."""

    def __init__(self, reason: Reason, what: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.why = _WHY[reason].format(what)


def survey(journals: Iterable[Path], complain: Complain) -> list[Stored]:
    """Return the files of sessions, those first in which nothing was recorded for the longest time.

    Args:
        journals: Their first files. One of which nothing is there any more is left out; one that two names lead to, as
            where a directory was given as a link as well, counts once.
        complain: Told of directories that cannot be read; their sessions are left out.
    """
    directories: defaultdict[Path, dict[str, Stored]] = defaultdict(dict)
    spelled: dict[str, Path] = {}  # each directory as it was named first
    for journal in journals:
        parent = journal.parent
        directory = spelled.setdefault(system.real_path(parent), parent)
        directories[directory].setdefault(journal.name, Stored(directory / journal.name))
    for directory, sessions in directories.items():
        try:
            _attach(directory, sessions)
            for session in sessions.values():
                if session.log:
                    session.recorded_until = _last_time(session) or session.recorded_until
                else:  # an opener died, or the log was taken away: the lock tells when
                    with contextlib.suppress(FileNotFoundError):
                        session.recorded_until = system.lstat(queue_path(session.journal)).st_mtime
        except (FileNotFoundError, NotADirectoryError):  # noqa: PERF203  # each directory, whatever happened to others
            sessions.clear()  # somebody else has removed it
        except OSError as error:
            complain(error, str(error.filename or directory))
            sessions.clear()
    found = [session for sessions in directories.values() for session in sessions.values()]
    found = [session for session in found if session.log or session.recorded_until]
    return sorted(found, key=lambda session: (session.recorded_until, session.journal))


def _last_time(session: Stored) -> float | None:
    """Return when the last event of a session was; None where nothing says it."""
    for path in reversed(session.log):
        try:
            fd = system.open_existing(path)
        except OSError:  # a link, or not to be read: its time is told by its status, and what is wrong when it is to go
            continue
        try:
            time = last_time(fd)
        finally:
            system.close(fd)
        if time is not None:
            return time
    return None


def prune(sessions: Sequence[Stored], criteria: Criteria, *, dry_run: bool = False) -> Iterator[Pruned]:
    """Remove sessions, the oldest first, and yield what became of each that should go.

    Args:
        sessions: What `survey` has found.
        criteria: Which of them.
        dry_run: Remove nothing, and tell what would be removed.
    """
    now = system.now()
    total = sum(session.size_bytes for session in sessions)
    for position, session in enumerate(sessions):
        is_old = criteria.older_than_s is not None and session.recorded_until < now - criteria.older_than_s
        is_surplus = criteria.keep is not None and len(sessions) - position > criteria.keep
        is_too_much = criteria.max_bytes is not None and total > criteria.max_bytes
        if is_old or is_surplus or is_too_much:
            try:
                _require_free(session)
                if dry_run:
                    _require_ours(session)
                    with contextlib.ExitStack() as stack:
                        _take_from_writers(session, stack)
                else:
                    _remove(session)
            except _KeptError as kept:
                yield Pruned(session, kept.reason, kept.why)
            except OSError as error:
                yield Pruned(session, "error", f"{error.filename or session.journal}: {error.strerror or error}")
            else:
                total -= session.size_bytes
                yield Pruned(session)


def update_indexes(removed: Iterable[Stored]) -> Iterator[tuple[Path, OSError | None]]:
    """Take the conversations that were removed out of their directories' indexes; yield each, and what went wrong.

    An `INDEX.md` that is not kept by Deia is left alone.
    """
    directories = {path.parent for session in removed for path in session.others if path.name.endswith(SUFFIX)}
    for directory in sorted(directories):
        problem = _update(directory)
        if not isinstance(problem, FileExistsError):
            yield directory / index.NAME, problem


def _update(directory: Path) -> OSError | None:
    try:
        index.update(directory)
    except OSError as error:
        return error
    return None


def _attach(directory: Path, sessions: dict[str, Stored]) -> None:
    """Find out which files of a directory belong to which of its sessions; these are by the name of their log."""
    by_stem = {name.removesuffix(".jsonl"): session for name, session in sessions.items()}
    by_file_stem = {file_stem(stem): session for stem, session in by_stem.items()}
    by_log: dict[str, Stored] = {}
    names = sorted(system.list_directory(directory), key=_in_order)
    for name in names:
        if name.endswith(".jsonl"):
            session = sessions.get(name) or sessions.get(first_journal(directory / name).name)
            if session is not None:
                by_log[name] = session
                session.see(directory / name, is_log=True)
    for name in names:
        if found := _LEFTOVER.fullmatch(name):
            session = by_stem.get(found["stem"])
        elif found := _LOG_LEFTOVER.fullmatch(name):
            session = by_log.get(found["mended"] or found["damaged"])
        elif (found := _CONVERSATION.fullmatch(name)) and (session := by_file_stem.get(found["stem"])):
            if not (found["new"] or found["kept"] or _is_conversation(directory / name)):
                continue
        else:
            continue
        if session is not None:
            session.see(directory / name, is_log=False)


def _in_order(name: str) -> tuple[int, str]:
    """Sort the first file of a session before its segments, and these by their numbers."""
    number = name.removesuffix(".jsonl").rpartition(".")[2]
    return (int(number) if number.isascii() and number.isdigit() else 0), name


def _is_conversation(path: Path) -> bool:
    """Whether a file is a conversation that Deia keeps; a link is taken for one, and refused as such."""
    if system.is_link(path):
        return True
    try:
        fd = system.open_existing(path)
    except OSError:
        return False
    try:
        return front_of(system.pread(fd, FRONT_BYTES, 0)) is not None
    finally:
        system.close(fd)


def _require_free(session: Stored) -> None:
    """Find out what speaks against removing a session, without touching anything but its lock, for an instant.

    Raises:
        _KeptError: Something does.
        OSError: It cannot be looked at.
    """
    queue = queue_path(session.journal)
    for path in (queue, *session.log, *session.others):
        if system.is_link(path):
            raise _KeptError("link", path.name)
    state = queue_state(queue)
    if state == "open":
        raise _KeptError("recording")
    if state == "unknown":
        raise _KeptError("unknown")
    if state == "left":
        with contextlib.suppress(FileNotFoundError):  # recovered just now
            if system.lstat(queue).st_size:
                raise _KeptError("unrecovered")


def _remove(session: Stored) -> None:
    """Remove a session's files, its lock last.

    Raises:
        _KeptError: Something speaks against it, as was not so before the lock was taken.
        OSError: A file cannot be removed; the session is found again.
    """
    queue = queue_path(session.journal)
    try:
        lock, is_held = lock_session(queue)
    except SessionLockedError:
        raise _KeptError("recording") from None
    try:
        if is_held is None:
            raise _KeptError("unknown")
        if system.fstat(lock).st_size:
            raise _KeptError("unrecovered")  # who had opened it since has died
        _require_unchanged(session)
        _require_ours(session)
        with contextlib.ExitStack() as stack:
            _take_from_writers(session, stack)
            for path in (*session.others, *session.log):
                with contextlib.suppress(FileNotFoundError):
                    system.unlink(path)
        system.unlink(queue)
    except BaseException:
        remove_if_empty(lock, queue)
        raise
    finally:
        system.close(lock)


def _require_unchanged(session: Stored) -> None:
    """Make sure that nothing was recorded since the session was chosen.

    Raises:
        _KeptError: Something was, or a file is gone.
    """
    try:
        marks = [_mark(system.lstat(path)) for path in session.log]
    except FileNotFoundError:
        raise _KeptError("changed") from None
    if marks != list(session.log.values()):
        raise _KeptError("changed")
    # A logger that opened it may have gone on in a further file at once, and left those that we know as they were.
    number = 1 + max((_in_order(path.name)[0] for path in session.log if path != session.journal), default=1)
    while system.exists(path := segment_path(session.journal, number)):
        if first_journal(path) == session.journal:
            raise _KeptError("changed")
        number += 1


def _require_ours(session: Stored) -> None:
    """Make sure that a log is what its name says: nothing else in the directory is ours to remove.

    Raises:
        _KeptError: Nothing in it says so.
        OSError: It cannot be read.
    """
    stem = session.journal.name.removesuffix(".jsonl")
    if not any(size for _, size, _ in session.log.values()):
        if "_" not in stem:
            raise _KeptError("foreign")
        return
    first = next(EventReader(session.journal, DamageLog().add, queue=False).entries(), None)
    if first is None or f"{first.event.agent_id}_{first.event.session_id}" != stem:
        raise _KeptError("foreign")


def _take_from_writers(session: Stored, stack: contextlib.ExitStack) -> None:
    """Lock what has a lock of its own until it is removed: conversations, and copies that are being saved.

    Raises:
        _KeptError: Somebody writes one.
        OSError: One cannot be opened.
    """
    for path in session.others:
        if SUFFIX not in path.name and _SAVING not in path.name:
            continue
        try:
            fd = hold(system.open_existing(path))
        except FileNotFoundError:
            continue
        stack.callback(close, fd)
        if system.lock(fd) is False:
            raise _KeptError("busy", path.name)


def _mark(status: os.stat_result) -> tuple[int, int, int]:
    """Return what tells whether a file is another one, or was written to."""
    return status.st_ino, status.st_size, status.st_mtime_ns
