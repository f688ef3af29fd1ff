"""From a session log to its analysis."""

from __future__ import annotations

import math
import os
from contextlib import closing

from deia.analysis.cache import AnalysisCache, Page
from deia.analysis.chunks import Chunks
from deia.analysis.session import BOTTLENECK_SHARE, SessionAccumulator, SessionAnalysis
from deia.errors import NotASessionLogError
from deia.journal.bookmark import StaleBookmarkError
from deia.journal.damage import DamageLog
from deia.journal.leap import ReadAhead
from deia.journal.progress import OnProgress
from deia.journal.reader import EventReader, require_file


def analyze_session(
    path: str | os.PathLike[str],
    *,
    bottleneck_share: float = BOTTLENECK_SHARE,
    strict: bool = False,
    end: float | None = None,
    workers: int | None = None,
    cache: AnalysisCache | None = None,
    on_progress: OnProgress | None = None,
) -> SessionAnalysis:
    """Analyse the log of a session that is running, was killed, or is closed, in this format or the original one.

    Memory grows with the number of open tasks and of distinct names, not with the file.

    Args:
        path: The journal, plain or compressed with gzip.
        bottleneck_share: Part of the session time beyond which a task is a bottleneck, 0 to 1.
        strict: Raise at the first problem with the file, a torn end excepted, instead of counting it.
        end: Taken for the last moment of the log, Unix seconds: now, say, for a session that is running.
        workers: How many processes read a plain log; None for as many as this one may use processors, and as are worth
            it: a short log is read here. The result is the same.
        cache: Where an earlier analysis of the log was given the same one, only what came since is read.
        on_progress: Called every now and then with how many bytes of the session's files were read, and how many there
            are. What it raises ends the analysis.

    Raises:
        FileNotFoundError: There is no such file.
        NotASessionLogError: It is not empty, and there is no readable event in it.
        DamagedLineError: Under `strict`.
        ValueError: A share, an end or a number of processes that cannot be one.
    """
    if not 0 <= bottleneck_share <= 1:
        raise ValueError(f"bottleneck_share must be between 0 and 1, not {bottleneck_share!r}")
    require_end(end)
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers!r}")
    require_file(path)
    while True:
        accumulator = SessionAccumulator()
        page = None if cache is None else Page(cache, path, accumulator)
        try:
            with closing(Chunks(accumulator, workers=workers)) as chunks:
                damages = read_log(path, accumulator, chunks, strict=strict, page=page, on_progress=on_progress)
        except StaleBookmarkError:
            assert page is not None
            page.forget()
            continue
        return accumulator.finish(bottleneck_share=bottleneck_share, end=end, damages=damages)


def require_end(end: float | None) -> None:
    """Refuse what is given for the last moment of a log and cannot be one.

    Raises:
        ValueError: It is no number of seconds.
    """
    if end is not None and not math.isfinite(end):
        raise ValueError(f"end must be Unix seconds, not {end!r}")


def read_log(
    path: str | os.PathLike[str],
    accumulator: SessionAccumulator,
    ahead: ReadAhead | None,
    *,
    strict: bool = False,
    page: Page | None = None,
    on_progress: OnProgress | None = None,
) -> DamageLog:
    """Feed an accumulator with all of a log but the stretches that are read ahead, and return what is wrong with it.

    Args:
        path: The log.
        accumulator: The accumulator, which is new.
        ahead: Reads stretches ahead.
        strict: Whether the first problem is raised.
        page: What an earlier analysis kept, and where to keep it for a later one.
        on_progress: Told how far the reading has come.

    Raises:
        StaleBookmarkError: What was kept is of no use; the accumulator must be thrown away.
    """
    if page is None:
        damages = DamageLog()
        reader = EventReader(path, damages.add, strict=strict, ahead=ahead, on_progress=on_progress)
    else:
        damages = page.load()
        reader = EventReader(
            path,
            damages.add,
            strict=strict,
            ahead=ahead,
            bookmark=page.bookmark,
            on_bookmark=lambda bookmark: page.keep(bookmark, damages),
            on_progress=on_progress,
        )
    for entry in reader.entries():
        accumulator.feed(entry)
    if not accumulator.types:
        _require_empty(reader, damages)
    return damages


def _require_empty(reader: EventReader, damages: DamageLog) -> None:
    """Tell a session without events from a file that is something else."""
    source = reader.source
    if source.has_queue and damages.by_kind.keys() <= {"torn"}:
        return  # killed in its first call, which had not returned
    if reader.journal_bytes or damages.count:
        first = f" ({damages.kept[0].reason}, in line {damages.kept[0].line})" if damages.kept else ""
        message = f"{reader.path} is not a session log: there is no event in it{first}"
        raise NotASessionLogError(message, path=reader.path)
