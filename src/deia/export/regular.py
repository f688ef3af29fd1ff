"""Which session logs need none of a reader's care: other programs read in them what our reader would."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from deia import system
from deia.analysis.plain_lane import read_stretch
from deia.analysis.stretch import Stretch
from deia.journal.segments import Listings, segments_of
from deia.queue.layout import queue_path

_CHUNK_BYTES = 16 * 1024 * 1024

_PLAIN_PATH = re.compile(r"[^*?\[\]{}\\\x00-\x1f\ud800-\udfff]+")
"""Of a path that a program takes for itself, and not for a pattern."""


def is_regular(path: str, listings: Listings) -> bool:
    """Whether a log is one plain file of one run, closed, and every byte of it belongs to a line as we write it.

    What makes a line regular is what the analysis reads ahead (`deia.analysis.plain_lane`). `seq` is the number of the
    line then.

    Args:
        path: The log.
        listings: Of the directories of all logs that are asked about.

    Raises:
        OSError: It cannot be read.
    """
    if not _PLAIN_PATH.fullmatch(path):
        return False
    journal = Path(system.real_path(path))
    if system.exists(queue_path(journal)):
        return False
    with listings.used():
        if [segment.number for segment in segments_of(journal)] != [1]:
            return False
    with system.open_for_reading(journal) as file:
        fd = file.fileno()
        status = system.fstat(fd)
        return stat.S_ISREG(status.st_mode) and _is_regular(fd, status.st_size)


def _is_regular(fd: int, size: int) -> bool:
    before: Stretch | None = None
    for begin in range(0, size, _CHUNK_BYTES):
        end = min(begin + _CHUNK_BYTES, size)
        stretch = read_stretch(lambda count, at: system.pread(fd, count, at), begin, end, size)
        if stretch is None or not _follows(stretch, before):
            return False
        before = stretch
    return before is not None and before.end == size


def _follows(stretch: Stretch, before: Stretch | None) -> bool:
    """Whether a stretch goes on where another ends, in the same run; or begins a log."""
    if len(stretch.runs) != 1 or "SessionEvent" in stretch.types:  # which may begin a run
        return False
    if before is None:
        return stretch.begin == 0 and stretch.first_seq == 1
    return (
        stretch.begin == before.end
        and stretch.first_seq == before.last_seq + 1
        and (stretch.agent_id, stretch.session_id) == (before.agent_id, before.session_id)
        and stretch.runs[0][0] is None
    )
