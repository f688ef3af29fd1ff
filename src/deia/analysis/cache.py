"""What an analysis keeps for the next one of the same log, which then reads only what came since."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from typing import Any

from deia.analysis.session import SessionAccumulator
from deia.journal.bookmark import Bookmark
from deia.journal.damage import DamageLog


@dataclass(frozen=True)
class _Kept:
    """How far a log was read, and what it amounted to up to there.

    Attributes:
        bookmark: The place.
        figures: What accumulators hold, packed: to copy them so takes a tenth of the time of a deep copy.
    """

    bookmark: Bookmark
    figures: bytes


class AnalysisCache:
    """Keeps what logs amounted to, so that `analyze_session` goes on from there when it is given the same cache again.

    One for each log, or one for many; also for use from several threads. It lies in memory, and takes less than 100 KB
    a log, or what its open tasks, distinct names and model calls take. It never changes a result: where a log is not
    what was read before with something behind it, it is read in full.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, _Kept] = {}


class Page:
    """One log's place in a cache, for one analysis."""

    def __init__(self, cache: AnalysisCache, path: str | os.PathLike[str], accumulator: SessionAccumulator) -> None:
        """Look a log up.

        Args:
            cache: The cache.
            path: The log.
            accumulator: What the analysis adds to.
        """
        self._cache = cache._kept
        self._path = os.fspath(path)
        self._accumulator = accumulator
        self._found = self._cache.get(self._path)

    @property
    def bookmark(self) -> Bookmark | None:
        """Where to go on; None for the beginning."""
        return None if self._found is None else self._found.bookmark

    def load(self) -> DamageLog:
        """Have the accumulator as it was at the bookmark, if there is one; return what was damaged before."""
        if self._found is None:
            return DamageLog()
        figures: tuple[dict[str, Any], DamageLog] = pickle.loads(self._found.figures)  # noqa: S301  # made here
        vars(self._accumulator).update(figures[0])
        return figures[1]

    def keep(self, bookmark: Bookmark, damages: DamageLog) -> None:
        """Keep a bookmark with what is known at it."""
        self._cache[self._path] = _Kept(bookmark, pickle.dumps((vars(self._accumulator), damages)))

    def forget(self) -> None:
        """Begin at the beginning, the next time."""
        self._cache.pop(self._path, None)
