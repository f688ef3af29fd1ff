"""Which sessions a PATH argument means."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from glob import iglob
from pathlib import Path

from deia import system
from deia.journal.segments import first_journal, is_there
from deia.queue.layout import journal_of, queue_path

Complain = Callable[[OSError, str], object]
"""Told what cannot be looked at, and where."""


def sessions(path: str, complain: Complain) -> Iterator[Path]:
    """Yield the journals that a path means.

    A directory means every `*.jsonl` in it, at any depth, and the sessions of which only the queue file is there; a
    queue file, or a later segment, means its session. The journal need not exist: what there is of a session may be in
    its queue file, or in later segments.

    Args:
        path: A file or a directory.
        complain: Told of directories that cannot be listed, and of a path where nothing is.
    """
    if os.path.isdir(path):
        yield from _in_directory(path, complain)
        return
    journal = _journal_of(Path(path))
    if os.path.exists(path) or os.path.exists(queue_path(journal)) or is_there(journal):
        yield journal
    else:
        complain(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path), path)


def _in_directory(path: str, complain: Complain) -> Iterator[Path]:
    def refused(error: OSError) -> None:
        complain(error, str(error.filename or path))

    for directory, names, files in os.walk(path, onerror=refused):
        names.sort()
        there = {first_journal(Path(directory, name)).name for name in files if name.endswith(".jsonl")}
        there.update(found.name for name in files if (found := journal_of(Path(name))) is not None)
        for name in sorted(there):
            journal = Path(directory, name)
            if system.is_special(journal):  # nobody asked for it, and reading it may have no end
                complain(OSError(errno.EINVAL, "not a plain file", str(journal)), str(journal))
            else:
                yield journal


def _journal_of(path: Path) -> Path:
    """Return the session log of a queue file or of a later segment, and any other path as it is."""
    journal = journal_of(path)
    if journal is not None:
        return journal
    return path if os.path.isdir(path) else first_journal(path)


def is_directory(path: str) -> bool:
    """Whether a path is a directory, and so means all sessions in it."""
    return os.path.isdir(path)


def sessions_directory() -> str:
    """Return where sessions are recorded if nobody says otherwise."""
    return os.environ.get("DEIA_SESSIONS_DIR") or ".deia/sessions"


def all_sessions(paths: Iterable[str], complain: Complain) -> list[Path]:
    """Return the journals that several paths mean, or patterns with `*`, `?` and `[`; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        matches = [path] if os.path.exists(path) else sorted(iglob(path, recursive=True))
        for match in matches or [path]:
            found.update(dict.fromkeys(sessions(match, complain)))
    return list(found)
