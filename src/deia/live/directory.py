"""Watch a directory for sessions, at any depth: those that are there, those that come, those that are opened again.

A directory that nothing came to or went from costs one look at its status, however many sessions lie in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from deia import system
from deia.journal.segments import first_journal
from deia.live.signs import File, file_of
from deia.queue.layout import journal_of

_SETTLED_NS = 2_000_000_000
"""A directory that was changed less long ago is listed again: file systems stamp changes by a clock that ticks every
few milliseconds, some every second or two, so that two changes may look like one."""

_LOOK_S = 2.0
"""How often each log's own status is looked at. An open session is seen by its queue file, which comes and goes; to any
other log nothing happens but what an editor does, or a program in the original format."""

Complain = Callable[[OSError, str], object]
"""Told what cannot be looked at, and where."""


@dataclass
class _Listed:
    """A directory as it was listed.

    Attributes:
        changed_ns: When it was changed before that; None before the first time.
        settled: Whether that was long enough ago.
        names: What was in it.
    """

    changed_ns: int | None = None
    settled: bool = False
    names: frozenset[str] = field(default_factory=frozenset)


class Directory:
    """The sessions below a directory, which need not be there yet."""

    def __init__(self, path: str | os.PathLike[str], complain: Complain) -> None:
        """Watch a directory.

        Args:
            path: The directory.
            complain: Told once of each directory that cannot be listed, and of each pipe or device called like a log.
        """
        self._path = os.fspath(path)
        self._complain = complain
        self._listed: dict[str, _Listed] = {self._path: _Listed()}
        self._journals: dict[Path, File | None] = {}
        self._complained: set[str] = set()
        self._looked_at = float("-inf")

    @property
    def path(self) -> str:
        """The directory, as it was asked for."""
        return self._path

    def changed(self) -> list[Path]:
        """Return the sessions that something has happened to since the last call, by name; at first, all there are.

        Each by its first file. Whoever wants to know all that happens to a session that is open follows it.
        """
        found: set[Path] = set()
        waiting = [self._path, *(path for path in self._listed if path != self._path)]
        for path in waiting:  # which grows
            below, journals = self._look(path)
            waiting += below
            found |= journals
        if system.monotonic() - self._looked_at >= _LOOK_S:
            found.update(path for path, file in self._journals.items() if file_of(path) != file)
            self._looked_at = system.monotonic()
        self._journals.update((path, file_of(path)) for path in found)
        return sorted(found)

    def _look(self, path: str) -> tuple[list[str], set[Path]]:
        """Return the directories that are new in a directory, and the sessions that a new name is of."""
        listed = self._listed[path]
        try:
            changed_ns = system.stat(path).st_mtime_ns
            if changed_ns == listed.changed_ns and listed.settled:
                return [], set()
            listed.settled = system.now() * 1e9 - changed_ns > _SETTLED_NS
            directories, others = system.list_apart(path)
        except OSError as error:
            self._lose(path, error)
            return [], set()
        before, listed.names, listed.changed_ns = listed.names, frozenset((*directories, *others)), changed_ns
        below = [os.path.join(path, name) for name in directories if name not in before]
        below = [directory for directory in below if directory not in self._listed]
        self._listed.update((directory, _Listed()) for directory in below)
        journals = (self._journal(path, name) for name in others if name not in before)
        return below, {journal for journal in journals if journal is not None}

    def _lose(self, path: str, error: OSError) -> None:
        """Forget a directory that is gone, and tell of one that cannot be read; the one that was asked for may come."""
        if path == self._path:
            self._listed[path] = _Listed()
        elif isinstance(error, (FileNotFoundError, NotADirectoryError)):
            del self._listed[path]
        if not isinstance(error, FileNotFoundError):
            self._tell(error, path)

    def _journal(self, directory: str, name: str) -> Path | None:
        """Return the first file of the session that a name is of."""
        path = Path(directory, name)
        if not name.endswith(".jsonl"):
            return journal_of(path)
        try:
            system.stat_file(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell(error, os.fspath(path))
            return None
        return first_journal(path)

    def _tell(self, error: OSError, path: str) -> None:
        if path not in self._complained:
            self._complained.add(path)
            self._complain(error, path)
