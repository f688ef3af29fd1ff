"""What the length of a session changes: the summary, the save, the memory. It should be nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns as clock
from typing import Any

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, TOOL, params
from benchmarks.memory import resident
from deia import SessionLogger

_TIMEOUT_S = 60.0
"""A slow disk is a slow result, not a failed run."""

SHORT_EVENTS = 10
"""Events of the short session that a long one is compared with."""


def grow(directory: Path, sizes: list[int], looks: int, copies: int) -> dict[str, Any]:
    """Log up to each size in turn and measure there, the session idle, in turn with a short session.

    In turn, because what a machine does from one minute to the next is more than any of these differences.

    Args:
        directory: An empty directory.
        sizes: Events, ascending; the task's start is not counted.
        looks: How often the summary and the save beside the journal are timed.
        copies: How often the save to another directory and the plain copy are timed.
    """
    short = SessionLogger(AGENT_ID, "short", output_dir=directory / "own")
    long = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory / "own")
    for logger in (short, long):
        logger.log_task_start(TASK, {})
    for number in range(SHORT_EVENTS):
        short.log_tool_call(TOOL, params(), number)
    short.sync(timeout_s=_TIMEOUT_S)
    logged = 0
    steps = []
    for size in sizes:
        for number in range(logged, size):
            long.log_tool_call(TOOL, params(), number)
        logged = size
        long.sync(timeout_s=_TIMEOUT_S)
        memory = resident()
        looked = _look({"short": short, "long": long}, directory / "elsewhere", looks, copies)
        steps.append({"events": size, "file_bytes": long.path.stat().st_size, **memory, **looked})
    path = long.path
    for logger in (short, long):
        logger.close(timeout_s=_TIMEOUT_S)
    return {"path": str(path), "dropped": long.statistics().dropped, "steps": steps}


def _look(loggers: dict[str, SessionLogger], elsewhere: Path, looks: int, copies: int) -> dict[str, dict[str, float]]:
    """Time every face of each session; return medians in nanoseconds by session and face."""
    faces: dict[str, dict[str, list[int]]] = {name: {} for name in loggers}

    def note(name: str, face: str, call: Callable[[], object]) -> None:
        faces[name].setdefault(face, []).append(_time(call))

    for _ in range(looks):
        for name, logger in loggers.items():
            note(name, "summary_ns", logger.get_session_summary)
            note(name, "save_own_ns", partial(logger.save_session, logger.path.parent))
    for _ in range(copies):
        for name, logger in loggers.items():
            saved = elsewhere / logger.path.name
            saved.unlink(missing_ok=True)  # untimed: giving back an earlier copy's blocks is no part of making one
            note(name, "save_elsewhere_ns", partial(logger.save_session, elsewhere, timeout_s=_TIMEOUT_S))
            saved.unlink()
            note(name, "plain_copy_ns", partial(shutil.copyfile, logger.path, saved))
            note(name, "sync_of_copy_ns", partial(_sync, saved))
    return {name: {face: median(times) for face, times in found.items()} for name, found in faces.items()}


def _time(call: Callable[[], object]) -> int:
    before = clock()
    call()
    return clock() - before


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
