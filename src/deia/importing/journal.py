"""Put an imported session in its place: whole or not at all, and never over what a logger has recorded."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

import orjson

from deia import system
from deia.errors import ForeignJournalError, JournalError
from deia.journal.opener import make_directory
from deia.journal.recovery import lock_session, remove_if_empty
from deia.journal.scan import LONGEST_LINE_BYTES
from deia.journal.segments import segments_of
from deia.queue.layout import queue_path

State = Literal["new", "updated", "unchanged"]
"""What an import did to the journal."""

_IMPORTED = b'{"type":"SessionEvent","event":"imported",'
"""How the first line of an imported session begins."""

_CONTINUED = b'{"type":"SessionEvent","event":"continued",'
"""How the first line of a logger's run begins; no text that was logged can stand at the beginning of a line."""

_CHUNK_BYTES = 1024 * 1024

_MARK = re.compile(rb"\[redacted:([a-z0-9-]+):[0-9a-f]{8}\]")
"""What stands in the place of a secret. Its hash is keyed anew by each import, so that it tells nothing of a change."""


def write(journal: Path, lines: Iterable[bytes], may_replace: Callable[[dict[str, Any]], bool]) -> State:
    """Have a journal hold these lines; where it does already, it is left untouched.

    It is written under a temporary name, synced and renamed: a reader sees what was there before, or all of the new.
    The session is locked meanwhile, as it is by a logger.

    Args:
        journal: The session's file; its directory is made if missing.
        lines: Whole lines, in pieces of any length.
        may_replace: Whether an import that is there already is of the same records, by the fields of its first line:
            its name alone does not tell it from others.

    Returns:
        What was done.

    Raises:
        SessionLockedError: A logger has the session open; nothing was touched.
        JournalError: The file is not one that an import has written, or a logger went on in it, or it is a symbolic
            link, or of other records by `may_replace`; nothing was touched.
        OSError: A file cannot be written.
    """
    make_directory(journal.parent)
    with _locked(journal):
        first = first_fields(journal)
        if first is not None and not may_replace(first):
            raise JournalError(
                f"{journal} is the import of another log, or of records that are not there any more; left alone: "
                "choose another directory, or another agent",
                path=journal,
            )
        new = journal.with_name(f".{journal.name.removesuffix('.jsonl')}.importing")
        with contextlib.suppress(FileNotFoundError):
            system.unlink(new)  # of an import that died
        try:
            _write_new(new, lines)
            is_there = system.exists(journal)
            if is_there and _is_same(journal, new):
                system.unlink(new)
                return "unchanged"
            system.rename(new, journal)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                system.unlink(new)
            raise
        system.sync_directory(journal.parent)
        return "updated" if is_there else "new"


@contextlib.contextmanager
def _locked(journal: Path) -> Iterator[None]:
    queue = queue_path(journal)
    if system.is_link(journal) or system.is_link(queue):
        raise ForeignJournalError(f"{journal} is a symbolic link, which is not followed", path=journal)
    lock, _ = lock_session(queue)
    try:
        if system.fstat(lock).st_size or not _is_ours(journal):
            raise JournalError(f"{journal} is a session that a logger has recorded; left alone", path=journal)
        yield
    finally:
        remove_if_empty(lock, queue)
        system.close(lock)


def _is_ours(journal: Path) -> bool:
    """Whether a journal is missing, empty, or one that an import has written and no logger has gone on in."""
    if any(segment.number > 1 for segment in segments_of(journal)):
        return False
    if not system.exists(journal):
        return True
    with system.open_for_reading(journal) as file:
        before = b"\n"
        at_start = True
        while chunk := file.read(_CHUNK_BYTES):
            if at_start and not chunk.startswith(_IMPORTED):
                return False
            at_start = False
            seen = before + chunk
            if b"\n" + _CONTINUED in seen:
                return False
            before = seen[-len(_CONTINUED) :]
    return True


def first_fields(journal: Path) -> dict[str, Any] | None:
    """Return the fields of an imported session's first line; None where there is no import, or none that can be told.

    Raises:
        OSError: It cannot be read.
    """
    try:
        system.stat_file(journal)
        with _buffered(journal) as lines:
            first = lines.readline(LONGEST_LINE_BYTES)
    except FileNotFoundError:
        return None
    if not first.startswith(_IMPORTED):
        return None
    try:
        fields: dict[str, Any] = orjson.loads(first)
    except orjson.JSONDecodeError:
        return None
    return fields


def _write_new(path: Path, lines: Iterable[bytes]) -> None:
    fd = system.open_new(path)
    try:
        at = 0
        for piece in lines:
            at = system.write_all(fd, piece, at)
        system.sync(fd)
    finally:
        system.close(fd)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two journals say the same; the hashes that stand for secrets are no matter."""
    if system.stat(one).st_size != system.stat(other).st_size:
        return False
    with _buffered(one) as lines, _buffered(other) as its_lines:
        pairs = zip_longest(lines, its_lines, fillvalue=b"")
        return all(line == its or _MARK.sub(rb"\1", line) == _MARK.sub(rb"\1", its) for line, its in pairs)


def _buffered(path: Path) -> io.BufferedReader:
    return io.BufferedReader(system.open_for_reading(path), _CHUNK_BYTES)
