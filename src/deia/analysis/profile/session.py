"""From a session log to its profile."""

from __future__ import annotations

import os

from deia.analysis.profile.result import SessionProfile
from deia.journal.progress import OnProgress


def profile_session(
    path: str | os.PathLike[str],
    *,
    end: float | None = None,
    strict: bool = False,
    critical_path: bool = False,
    on_progress: OnProgress | None = None,
) -> SessionProfile:
    """Say where the wall time of a session went: one that is running, was killed, or is closed, in any format of ours.

    The log is read once, line by line. Memory grows with the number of open tasks and of distinct names, up to bounds
    for all that grows with the log; see `SessionProfile.exact`.

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
    raise NotImplementedError
