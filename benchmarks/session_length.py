"""What the length of a session changes: the summary, the save, the memory. It should be nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter_ns as clock
from typing import Any

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, TOOL, params
from deia import SessionLogger


def grow(directory: Path, sizes: list[int], looks: int, copies: int) -> dict[str, Any]:
    """Log up to each size in turn and measure there, the session idle.

    Args:
        directory: An empty directory.
        sizes: Events, ascending; the task's start is not counted.
        looks: How often the summary and the save beside the journal are timed.
        copies: How often the save to another directory and the plain copy are timed, in turn.
    """
    logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=directory / "own")
    logger.log_task_start(TASK, {})
    logged = 0
    steps = []
    for size in sizes:
        for number in range(logged, size):
            logger.log_tool_call(TOOL, params(), number)
        logged = size
        logger.sync(timeout_s=60)
        steps.append({"events": size, **_memory(), **_look(logger, directory, looks, copies)})
    path = logger.path
    logger.close()
    return {"path": str(path), "has_seq": True, "dropped": logger.statistics().dropped, "steps": steps}


def _look(logger: SessionLogger, directory: Path, looks: int, copies: int) -> dict[str, Any]:
    elsewhere = directory / "elsewhere"
    copied: list[int] = []
    synced: list[int] = []
    saved: list[int] = []
    for _ in range(copies):
        saved.append(_time(lambda: logger.save_session(elsewhere)))
        copied.append(_time(lambda: shutil.copyfile(logger.path, elsewhere / "plain-copy")))
        synced.append(_time(lambda: _sync(elsewhere / "plain-copy")))
    return {
        "file_bytes": logger.path.stat().st_size,
        "summary_ns": median(_time(logger.get_session_summary) for _ in range(looks)),
        "save_own_ns": median(_time(lambda: logger.save_session(logger.path.parent)) for _ in range(looks)),
        "save_elsewhere_ns": median(saved),
        "plain_copy_ns": median(copied),
        "sync_of_copy_ns": median(synced),
    }


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


def _memory() -> dict[str, int]:
    """Resident memory in KiB: all of it, and the part that is this process's own (heap and stacks).

    The mapped ring is in the first only. Empty where there is no /proc.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        return {}
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {"rss_kib": int(fields["VmRSS"].split()[0]), "own_kib": int(fields["RssAnon"].split()[0])}
