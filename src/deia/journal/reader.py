"""Read a session log: typed events, or records, from a running, a crashed or a finished session alike."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deia import system
from deia.errors import NotASessionLogError
from deia.events import AnyEvent
from deia.journal.damage import KEPT_DAMAGES, Damage, OnDamage
from deia.journal.decode import NotAnEventError, decode, seconds_if_any, unknown
from deia.journal.progress import OnProgress
from deia.journal.record import Record, is_known_version, is_original
from deia.journal.records import RecordReader
from deia.journal.segments import is_there
from deia.registry import revived

logger = logging.getLogger(__name__)


class Entry(NamedTuple):
    """One line, as it stands and as the event that it is.

    Attributes:
        record: The line.
        event: The event.
    """

    record: Record
    event: AnyEvent

    @property
    def original(self) -> bool:
        """Whether the line was written before this format."""
        return is_original(self.record.fields)

    @property
    def session_start(self) -> float | None:
        """When the run began that this line is the first of, Unix seconds."""
        return seconds_if_any(self.record.fields, "session_start")


class EventReader(RecordReader):
    """Reads one session's events, once, and reports every problem."""

    def entries(self) -> Iterator[Entry]:
        """Yield every event with its line, in order.

        Raises:
            DamagedLineError: At the first problem, if the reading is strict.
            OSError: The journal cannot be read.
        """
        for record in self.records():
            entry = self.entry_of(record)
            if entry is not None:
                yield entry

    def entry_of(self, record: Record) -> Entry | None:
        """Return a record with its event; None, after a report, where it is none.

        Raises:
            DamagedLineError: It is none, and the reading is strict.
        """
        try:
            event = decode(record.fields)
        except NotAnEventError as error:
            kind = record.fields.get("type")
            if is_known_version(record.fields) or type(kind) is not str:
                self.report("unreadable", str(error), record.number, record.offset)
                return None
            event = unknown(kind, record.fields)  # a later version may have given its fields other types
        return Entry(record, event)

    @property
    def is_no_log(self) -> bool:
        """Whether a file in which no event was found is none of a session; once it was read to its end."""
        return bool(self.journal_bytes and not self.source.has_queue and not self.segments[-1].header_bytes)


def read_events(
    path: str | os.PathLike[str], *, strict: bool = False, on_damage: OnDamage | None = None
) -> Iterator[AnyEvent]:
    """Read the events of a session log, in constant memory.

    The log may be of a session that is running, was killed, or is closed; plain or compressed with gzip; in this format
    or in the original one. Every event that was acknowledged is there, those included that only the queue file holds.

    Args:
        path: The journal.
        strict: Raise at the first problem, a torn end excepted, instead of reporting it and going on.
        on_damage: Called with every problem; left out, problems go to the log of this module, as warnings.

    Returns:
        An iterator of typed events; a task's start and its completion are one each. What was published as an event of
        another class is of that class where it is registered (see `register_event`), else an `UnknownEvent`.

    Raises:
        FileNotFoundError: There is no such file (at the call).
        IsADirectoryError: It is a directory (at the call).
        DamagedLineError: Under `strict`, while iterating.
        NotASessionLogError: It has lines, and there was no readable event in it (at the end).
    """
    return (revived(entry.event) for entry in read_entries(path, strict=strict, on_damage=on_damage))


def read_entries(
    path: str | os.PathLike[str],
    *,
    strict: bool = False,
    on_damage: OnDamage | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[Entry]:
    """Read the events of a session log, each with its line.

    Arguments and errors are those of `read_events`, and `on_progress` is told how many bytes were read, and how many
    there are.
    """
    require_file(path)
    return _entries(EventReader(path, on_damage or _Announcer().announce, strict=strict, on_progress=on_progress))


def _entries(reader: EventReader) -> Iterator[Entry]:
    found = False
    for entry in reader.entries():
        found = True
        yield entry
    if not found and reader.is_no_log and reader.problems:
        raise NotASessionLogError(f"{reader.path} is not a session log: there is no event in it", path=reader.path)


def require_file(path: str | os.PathLike[str]) -> None:
    """Fail at the call, not at the first event, where there is nothing to read.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a directory.
    """
    try:
        status = system.stat(path)
    except FileNotFoundError:
        if is_there(Path(system.real_path(path))):
            return  # of a session that goes on in a later segment, the first may be gone
        raise
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "a directory, not a session log", os.fspath(path))


class _Announcer:
    """Says in the log what nobody asked to be told; not without end, for a file may be damaged from end to end."""

    def __init__(self) -> None:
        self._said = 0

    def announce(self, damage: Damage) -> None:
        if damage.kind == "torn":
            logger.info("%s", damage)  # expected after a crash, and nothing was lost with it
        elif damage.kind == "unknown-version":
            return  # the record reader warns of these itself, whoever reads
        elif self._said < KEPT_DAMAGES:
            self._said += 1
            logger.warning("%s", damage)
            if self._said == KEPT_DAMAGES:
                logger.warning("%s: further problems are not shown", damage.path)
