"""Mend a session log: recover what its queue file holds, and take out the lines that nobody can read.

Whatever is taken out stays beside it: the journal as it was keeps its inode, under a second name.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deia import system
from deia.errors import NotASessionLogError
from deia.journal.aside import set_aside
from deia.journal.damage import DamageLog
from deia.journal.reader import EventReader
from deia.journal.recovery import Recovery, recovered
from deia.journal.segments import Segment, first_journal, first_line, is_there, segments_of
from deia.queue.layout import queue_path

_COPY_BYTES = 1024 * 1024
"""Written at a time: large enough that the cost per write does not show."""


@dataclass(frozen=True)
class MendReport:
    """What mending did to one session log.

    Attributes:
        path: The journal.
        recovery: What was brought in from the queue file, and what was cut as a torn end.
        removed: Unreadable lines that were taken out.
        asides: The files that these were taken out of, as they were before that.
    """

    path: str
    recovery: Recovery
    removed: int = 0
    asides: tuple[Path, ...] = ()

    @property
    def aside(self) -> Path | None:
        """The first of `asides`; None where nothing was taken out."""
        return self.asides[0] if self.asides else None

    @property
    def changed(self) -> bool:
        """Whether there was anything to mend."""
        return bool(self.recovery.recovered_bytes or self.recovery.lost_bytes or self.recovery.aside or self.aside)


def mend(path: str | os.PathLike[str]) -> MendReport:
    """Recover a session that no logger has open, then take its unreadable lines out.

    May be done again, and may die anywhere: at each moment the journal is there, as it was or mended. What is missing
    by `seq` stays missing.

    Raises:
        SessionLockedError: A logger has the session open; nothing was touched.
        NotASessionLogError: The file holds no event; nothing was touched.
        JournalError: The file is compressed; nothing was touched.
        FileNotFoundError: There is neither a journal nor a queue file.
        OSError: A file cannot be written; symbolic links are refused.
    """
    journal = first_journal(Path(path))
    _require_session_log(journal)
    with recovered(journal) as recovery:
        removed, asides = _mend_files(journal)
    return MendReport(os.fspath(path), recovery, removed, asides)


def _require_session_log(journal: Path) -> None:
    """Refuse what is no session log: cutting its end, or emptying it, would be damage."""
    reader = EventReader(journal, DamageLog().add)
    try:
        system.close(system.open_existing(journal))  # a file, and no link to one
    except FileNotFoundError:
        if not is_there(journal):  # nor any later segment: it comes back out of its queue file, and only so
            system.lstat(queue_path(journal))
        return
    if next(reader.entries(), None) is None and reader.is_no_log:
        raise NotASessionLogError(f"{journal} is not a session log: there is no event in it", path=journal)


def _mend_files(journal: Path) -> tuple[int, tuple[Path, ...]]:
    """Mend file after file of a session; one that a later segment repeats as a whole is left alone."""
    segments = segments_of(journal)
    removed = 0
    asides: list[Path] = []
    for index, segment in enumerate(segments):
        if all(later.after_seq != 0 for later in segments[index + 1 :]):
            unreadable, aside = _take_out_unreadable(segment)
            removed += unreadable
            asides += [aside] if aside is not None else []
    return removed, tuple(asides)


def _take_out_unreadable(segment: Segment) -> tuple[int, Path | None]:
    """Replace a file by its readable lines, if there are others; return how many, and where the original is."""
    journal = segment.path
    log = DamageLog()
    try:
        events = sum(1 for _ in EventReader(journal, log.add, alone=True).entries())
    except FileNotFoundError:  # the session died before it had one
        return 0, None
    unreadable = log.by_kind["unreadable"]
    if not unreadable:
        return 0, None
    if not events and segment.number == 1:
        raise NotASessionLogError(f"{journal} is not a session log: there is no event in it", path=journal)
    new = journal.with_name(f".{journal.name}.mending")
    with contextlib.suppress(FileNotFoundError):
        system.unlink(new)  # of a mending that died
    try:
        _write_readable(segment, new)
        aside = set_aside(journal, journal.with_name(f"{journal.name}.damaged"))
        system.rename(new, journal)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            system.unlink(new)
        raise
    system.sync_directory(journal.parent)
    return unreadable, aside


def _write_readable(segment: Segment, new: Path) -> None:
    """Write a file's readable lines, byte for byte, to a new one and sync it."""
    journal = segment.path
    with contextlib.ExitStack() as stack:
        source = system.open_existing(journal)
        stack.callback(system.close, source)
        target = system.open_new(new)
        stack.callback(system.close, target)
        batch = bytearray(_whole(_read(source, segment.header_bytes, 0)) if segment.header_bytes else b"")
        at = 0
        for record, _ in EventReader(journal, DamageLog().add, alone=True).entries():
            if segment.number > 1 and not (batch or at):
                batch += _new_first_line(segment, record.fields)
            batch += _whole(_read(source, record.length, record.offset))
            if len(batch) >= _COPY_BYTES:
                at = system.write_all(target, bytes(batch), at)
                batch.clear()
        system.write_all(target, bytes(batch), at)
        system.sync(target)


def _whole(line: bytes) -> bytes:
    """Return a line with its newline, which it has lost where two of them stood in one."""
    return line if line.endswith(b"\n") else line + b"\n"


def _new_first_line(segment: Segment, fields: dict[str, Any]) -> bytes:
    """Return another first line for a segment whose own cannot be read: without one it would be nobody's.

    Args:
        segment: What is known of it.
        fields: Its first event.
    """
    seq = fields.get("seq")
    after_seq = segment.after_seq
    if after_seq is None:
        after_seq = max(0, seq - 1) if type(seq) is int else 0
    segment = replace(segment, after_seq=after_seq, offset=segment.offset or 0)
    return first_line(str(fields.get("agent_id")), str(fields.get("session_id")), segment)


def _read(fd: int, length: int, offset: int) -> bytes:
    data = system.pread(fd, length, offset)
    if len(data) < length:  # by somebody who ignores the lock; half a line must not pass for a whole one
        raise OSError(f"the file became shorter while it was copied: {length - len(data)} bytes are missing")
    return data
