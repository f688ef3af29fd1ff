"""The files of one session: its journal, and the segments in which it goes on (`file-format.md`, "Segments")."""

from __future__ import annotations

import errno
import re
import stat
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from deia import system
from deia.journal.glue import ended_parts, parts_of
from deia.journal.unpack import GZIP_MAGIC
from deia.line import VERSION

SwitchReason = Literal["size", "sync-failed", "removed", "replaced", "truncated", "queue-removed"]
"""Why a session goes on in another segment.

- `size`: `max_segment_bytes` was reached.
- `sync-failed`: an fsync failed; what it should have covered is of unknown durability in the segment before.
- `removed`, `replaced`: the journal is not at its name any more, or another file is.
- `truncated`: it is shorter than what was written to it.
- `queue-removed`: the queue file, and with it the lock, is not at its name any more.
"""

_NUMBERED = re.compile(r"(.+)\.([1-9][0-9]{0,8})\.jsonl", re.DOTALL)
_SUFFIX = ".jsonl"

_FIRST_LINES_BYTES = 64 * 1024
"""How much of a file is looked at for its first lines: a segment's own takes less than 1 KiB."""


@dataclass(frozen=True)
class Segment:
    """One file of a session.

    Attributes:
        path: The file.
        number: 1 for the session's first.
        session_id: Whose it is; empty where nothing in it tells, and for the first.
        after_seq: `seq` of the last event before its own; what earlier segments hold beyond it is repeated here. None
            where nothing in it tells.
        offset: Session offset of its first byte; None where its first line cannot be read.
        header_bytes: Length of its first line, if that can be read; the newline may have been lost.
        reason: Why the session went on in it; None for the first, and where nothing in it tells.
        unsynced_bytes: How much of it is repeated because an fsync of the segment before failed.
        lost_bytes: How much of the segment before could not be read any more.
    """

    path: Path
    number: int = 1
    session_id: str = ""
    after_seq: int | None = 0
    offset: int | None = 0
    header_bytes: int = 0
    reason: str | None = None
    unsynced_bytes: int = 0
    lost_bytes: int = 0


def segment_path(journal: Path, number: int) -> Path:
    """Return the name of a session's nth file; `journal` is its first."""
    return journal if number == 1 else journal.with_name(f"{journal.name.removesuffix(_SUFFIX)}.{number}{_SUFFIX}")


def first_line(agent_id: str, session_id: str, segment: Segment) -> bytes:
    """Return the line that a segment begins with; it has no `seq`, for it says something of the file only."""
    fields = {
        "type": "SessionEvent",
        "event": "segment",
        "segment": segment.number,
        "reason": segment.reason,
        "after_seq": segment.after_seq,
        "offset": segment.offset,
        "unsynced_bytes": segment.unsynced_bytes,
        "lost_bytes": segment.lost_bytes,
        "timestamp": system.now(),
        "agent_id": agent_id,
        "session_id": session_id,
        "v": VERSION,
    }
    return orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)


def is_first_line(fields: dict[str, Any]) -> bool:
    """Whether a line is one that a segment begins with, and not an event."""
    return fields.get("event") == "segment" and fields.get("type") == "SessionEvent"


def first_journal(path: Path) -> Path:
    """Return the first file of the session that a journal belongs to: the file itself, unless it is a later segment."""
    match = _NUMBERED.fullmatch(path.name)
    if match is None:
        return path
    try:
        segment = _read(path, int(match[2]), match[1])
    except OSError:  # whoever reads it meets the same
        return path
    return path if segment is None else path.with_name(match[1] + _SUFFIX)


def segments_of(path: Path) -> list[Segment]:
    """Return the files of a session that are there, in order.

    Args:
        path: The session's first file, which may be missing; a later segment stands for itself alone.

    Raises:
        OSError: The directory, or a first line, cannot be read.
    """
    if not path.name.endswith(_SUFFIX):
        return [Segment(path)]
    stem = path.name.removesuffix(_SUFFIX)
    match = _NUMBERED.fullmatch(path.name)
    if match is not None and (itself := _read(path, int(match[2]), match[1])) is not None:
        return [itself]
    found = [Segment(path)] if system.exists(path) else []
    for number in sorted(_numbers(path.parent, stem)):
        segment = _read(segment_path(path, number), number, stem)
        if segment is not None:
            found.append(segment)
    return found


def next_number(journal: Path) -> int:
    """Return the first number from which on no file of that name is there."""
    return max(_numbers(journal.parent, journal.name.removesuffix(_SUFFIX)), default=1) + 1


def is_there(journal: Path) -> bool:
    """Whether anything of a session is there; `journal` is its first file."""
    return system.exists(journal) or any(found.number > 1 for found in segments_of(journal))


def is_packed(path: Path) -> bool:
    """Whether a file is compressed: nothing can be appended to it, or cut from it.

    Raises:
        OSError: It is no plain file, or cannot be read.
    """
    try:
        fd = system.open_existing(path)
    except FileNotFoundError:
        return False
    try:
        return system.pread(fd, len(GZIP_MAGIC), 0) == GZIP_MAGIC
    finally:
        system.close(fd)


class Listings:
    """Directories that are listed once, as long as they do not change, and not for each of their sessions.

    For whoever reads thousands of sessions that nobody records: to list their directory for each takes longer than to
    read them. A segment that comes within a tick of the file system's clock after the listing is not seen, so it is
    not for sessions that are open.
    """

    def __init__(self) -> None:
        self._known: dict[Path, tuple[int, dict[str, list[int]]]] = {}

    @contextmanager
    def used(self) -> Iterator[None]:
        """Have them used inside this block, by this thread or task."""
        token = _listings.set(self)
        try:
            yield
        finally:
            _listings.reset(token)

    def numbers(self, directory: Path) -> dict[str, list[int]]:
        """Return the numbers of the files that are named as later segments, by the names of their sessions."""
        try:
            changed_ns = system.stat(directory).st_mtime_ns
        except OSError:  # gone: that shows when it is listed
            return _all_numbers(directory)
        known = self._known.get(directory)
        if known is None or known[0] != changed_ns:
            known = self._known[directory] = changed_ns, _all_numbers(directory)
        return known[1]


_listings: ContextVar[Listings | None] = ContextVar("_listings", default=None)


def _numbers(directory: Path, stem: str) -> list[int]:
    """Return the numbers of the files that are named as later segments of a session."""
    listings = _listings.get()
    if listings is not None:
        return listings.numbers(directory).get(stem, [])
    return _all_numbers(directory, stem + ".").get(stem, [])


def _all_numbers(directory: Path, prefix: str = "") -> dict[str, list[int]]:
    """Return the numbers of the files in a directory that are named as later segments, by their sessions' names."""
    try:
        names = system.list_directory(directory)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for name in names:
        if name.startswith(prefix) and (match := _NUMBERED.fullmatch(name)) is not None and match[2] != "1":
            found[match[1]].append(int(match[2]))
    return found


def _read(path: Path, number: int, stem: str) -> Segment | None:
    """Read a file's first lines; None where they are not those of this session's segment.

    One whose very first line is damaged, which may show in its ids alone, is told by the next that can be read. An
    empty file is none yet, and one that begins with an event is a copy that somebody made. What is no file is none
    either, and is not opened: that of a pipe would wait for a writer.
    """
    try:
        if not stat.S_ISREG(system.stat(path).st_mode):
            return None
        content = _beginning(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link that leads to itself
            return None
        raise
    skipped = 0
    is_other = False
    for start, end, fields in _objects(content):
        if fields is None:
            skipped += 1
            continue
        if f"{fields.get('agent_id')}_{fields.get('session_id')}" != stem:
            if skipped:
                return None
            is_other = True
            skipped += 1
            continue
        session_id = str(fields["session_id"])
        if is_first_line(fields):
            counts = [fields.get(name) for name in ("after_seq", "offset", "unsynced_bytes", "lost_bytes")]
            after_seq, offset, unsynced, lost = (count if type(count) is int else 0 for count in counts)
            reason = None if fields.get("reason") is None else str(fields["reason"])
            length = 0 if start else end
            return Segment(path, number, session_id, after_seq, offset, length, reason, unsynced, lost)
        seq = fields.get("seq")
        if not skipped or type(seq) is not int:
            return None
        return Segment(path, number, session_id, max(0, seq - skipped), None)
    return Segment(path, number, "", None, None) if content and not is_other else None


def _objects(content: bytes) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Yield what the lines of a file hold, each with its begin and its end; None for one that cannot be read.

    Lines that lost the newline between them are found as a reader finds them.
    """
    start = 0
    *lines, last = content.split(b"\n")
    for number, line in enumerate((*lines, last)):
        is_whole = number < len(lines)
        try:
            fields = orjson.loads(line) if is_whole else None
        except orjson.JSONDecodeError:
            fields = None
        if fields is not None:
            yield start, start + len(line) + 1, fields if isinstance(fields, dict) else {}
        elif is_whole or line:
            parts = parts_of(line) if is_whole else ended_parts(line)
            if not parts or parts[0].start:
                yield start, start + len(line) + is_whole, None
            for part in parts:
                yield start + part.start, start + part.end + (is_whole and part.end == len(line)), part.fields
        start += len(line) + 1


def _beginning(path: Path) -> bytes:
    with system.open_for_reading(path) as file:
        content = file.read(_FIRST_LINES_BYTES) or b""
    if content.startswith(GZIP_MAGIC):
        try:
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(content, _FIRST_LINES_BYTES)
        except zlib.error:
            return b""
    return content


def cut_of(files: Sequence[Segment], index: int) -> Segment | None:
    """Return the later file that repeats most of a file's end; None where none says."""
    cuts = [later for later in files[index + 1 :] if later.after_seq is not None]
    return min(cuts, key=lambda later: later.after_seq or 0, default=None)
