"""Read at a journal's end: of a long log, whoever wants the last lines need not read the others."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import orjson

from deia import system
from deia.journal.bookmark import Bookmark
from deia.journal.damage import DamageLog
from deia.journal.decode import seconds_if_any
from deia.journal.leap import Place
from deia.journal.records import RecordReader
from deia.journal.segments import Segment, first_journal, segments_of
from deia.journal.unpack import GZIP_MAGIC

_LONGEST_LINE_BYTES = 1 << 20
"""How far back the line before the place is looked for; one that is longer has the log read from its beginning."""

_END_BYTES = 32 << 10
"""How much of a file's end is looked at, at first, for its last event: some hundred lines."""


def bookmark_near_end(path: str | os.PathLike[str], back: int) -> Bookmark | None:
    """Return a place about so many bytes before the end of a session in one file.

    Lines before it are taken for read without a problem, so nothing tells of damage there. Lines count as `seq` does.

    Args:
        path: The session log.
        back: Bytes.

    Returns:
        None where the log has to be read from its beginning: it is not longer, it is compressed or no plain file, it is
        in several files or in the original format, or what stands at the place is damaged.

    Raises:
        OSError: It cannot be read.
    """
    if not stat.S_ISREG(system.stat(path).st_mode):
        return None
    journal = Path(system.real_path(path))
    if first_journal(journal) != journal or segments_of(journal) != [Segment(journal)]:
        return None
    with system.open_for_reading(journal) as file:
        fd = file.fileno()
        status = system.fstat(fd)
        if status.st_size <= back + _LONGEST_LINE_BYTES:
            return None
        if system.pread(fd, len(GZIP_MAGIC), 0) == GZIP_MAGIC:
            return None
        found = _line_at(fd, status.st_size - back)
        if found is None:
            return None
        previous, offset, session_id, seq = found
        reader = RecordReader(path, DamageLog().add)
        return reader.bookmark_at(fd, status, Place(seq, offset, previous, None), session_id, seq)


def _line_at(fd: int, offset: int) -> tuple[int, int, str, int] | None:
    """Find the second line that begins behind an offset.

    Returns:
        Where the line before it begins, where it does, its session and its `seq`; None where it is none of ours.
    """
    content = system.pread(fd, 2 * _LONGEST_LINE_BYTES, offset)
    first = content.find(b"\n") + 1
    second = content.find(b"\n", first) + 1
    third = content.find(b"\n", second) + 1
    if not (first and second and third):
        return None
    try:
        fields = orjson.loads(content[second:third])
    except orjson.JSONDecodeError:
        return None
    if not isinstance(fields, dict):
        return None
    session_id, seq = fields.get("session_id"), fields.get("seq")
    if type(session_id) is not str or type(seq) is not int or seq < 1:
        return None
    return offset + first, offset + second, session_id, seq


def last_time(fd: int) -> float | None:
    """Return when the last event in a file was, Unix seconds, by what its line says.

    Lines that cannot be read, or say no time, do not count: a torn one, a damaged one, the time 0 of an import of
    records that have none.

    Args:
        fd: One file of a session log, open for reading.

    Returns:
        None where no line says it that ends within the last two megabytes, as in a compressed file.

    Raises:
        OSError: It cannot be read.
    """
    size = system.fstat(fd).st_size
    back = _END_BYTES
    while True:
        begin = max(0, size - back)
        lines = system.pread(fd, size - begin, begin).split(b"\n")
        for line in reversed(lines if begin == 0 else lines[1:]):
            if time := _time_in(line):
                return time
        if begin == 0 or back >= 2 * _LONGEST_LINE_BYTES:
            return None
        back = 2 * _LONGEST_LINE_BYTES


def _time_in(line: bytes) -> float | None:
    """Return the time that a line says; None where it says none that can be true."""
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    time = seconds_if_any(fields, "timestamp") if isinstance(fields, dict) else None
    return time if time is not None and time > 0 else None
