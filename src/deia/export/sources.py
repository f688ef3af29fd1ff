"""The sessions that are exported, read one after the other and each only once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from deia import system
from deia.errors import DeiaError
from deia.journal.damage import DamageLog
from deia.journal.progress import OnProgress
from deia.journal.reader import Entry, read_entries

OnError = Callable[[DeiaError | OSError, str], object]
"""Told of a session that cannot be read, or not to its end, and of its path; the others are read all the same."""

OnDamages = Callable[[str, DamageLog], object]
"""Told, once a session was read, of its path and of what is wrong with it."""


class Source(NamedTuple):
    """One session log that is being read.

    Attributes:
        path: The log.
        name: The same as text that any format can hold.
        entries: Its events, which can be taken once, in order; the log is opened when the first is.
    """

    path: str
    name: str
    entries: Iterator[Entry]


class Sources:
    """Session logs, each opened when the one before was read: nothing of them is held."""

    def __init__(
        self,
        paths: Sequence[str],
        *,
        on_error: OnError,
        on_damages: OnDamages,
        on_progress: OnProgress | None = None,
    ) -> None:
        """Read these logs.

        Args:
            paths: The logs.
            on_error: Told of those that cannot be read.
            on_damages: Told what is wrong with each.
            on_progress: Told how many bytes of all of them were read, and how many there are.
        """
        self._paths = paths
        self._on_error = on_error
        self._on_damages = on_damages
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[Source]:
        """Yield each log; its entries end early where it cannot be read on."""
        sizes = [0 if self._on_progress is None else _size(path) for path in self._paths]
        total = sum(sizes)
        done = 0
        for path, size in zip(self._paths, sizes, strict=True):
            yield self.source(path, self._part(done, total))
            done += size
            if self._on_progress is not None:
                self._on_progress(done, total)

    def source(self, path: str, on_progress: OnProgress | None = None) -> Source:
        """Return one log, to be read once more, say."""
        return Source(path, os.fsencode(path).decode(errors="backslashreplace"), self._entries(path, on_progress))

    def _part(self, before: int, total: int) -> OnProgress | None:
        on_progress = self._on_progress
        if on_progress is None:
            return None
        return lambda done, _of_this: on_progress(before + done, max(total, before + done))  # a live journal grows

    def _entries(self, path: str, on_progress: OnProgress | None) -> Iterator[Entry]:
        damages = DamageLog()
        try:
            yield from read_entries(path, on_damage=damages.add, on_progress=on_progress)
        except (DeiaError, OSError) as error:
            self._on_error(error, path)
        if damages.count:
            self._on_damages(path, damages)


def _size(path: str) -> int:
    try:
        return system.stat(path).st_size
    except OSError:  # whoever reads it is told what is the matter
        return 0
