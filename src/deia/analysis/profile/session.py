"""From a session log to its profile."""

from __future__ import annotations

import os

from deia.analysis.analyze import read_log, require_end
from deia.analysis.profile.accumulator import ProfileAccumulator
from deia.analysis.profile.result import SessionProfile
from deia.analysis.session import BOTTLENECK_SHARE
from deia.journal.progress import OnProgress
from deia.journal.reader import require_file


def profile_session(
    path: str | os.PathLike[str],
    *,
    end: float | None = None,
    strict: bool = False,
    critical_path: bool = False,
    on_progress: OnProgress | None = None,
) -> SessionProfile:
    """Say where the wall time of a session went, one that is running, was killed, or is closed; in any format of ours.

    The log is read once, line by line. Memory grows with the number of open tasks and of distinct names; whatever else
    grows with the log is bounded, see `SessionProfile.exact`.

    Args:
        path: The journal, plain or compressed with gzip.
        end: Taken for the last moment of the log, Unix seconds: now, say, for a session that is running.
        strict: Raise at the first problem with the file, a torn end excepted, instead of counting it.
        critical_path: Whether to find the critical path, which takes some more time and memory.
        on_progress: Called every now and then with how many bytes of the session's files were read, and how many there
            are. What it raises ends the analysis.

    Raises:
        FileNotFoundError: There is no such file.
        NotASessionLogError: It is not empty, and there is no readable event in it.
        DamagedLineError: Under `strict`.
        ValueError: An end that cannot be one.
    """
    require_end(end)
    require_file(path)
    accumulator = ProfileAccumulator(end=end, critical_path=critical_path)
    damages = read_log(path, accumulator, None, strict=strict, on_progress=on_progress)
    return accumulator.profile(accumulator.finish(bottleneck_share=BOTTLENECK_SHARE, end=end, damages=damages))
