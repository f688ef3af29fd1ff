"""Processes that measure, and the reading of what they left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks.conditions import ROOT
from benchmarks.peers import find_peer
from benchmarks.verification import Verification, verify

Result = dict[str, Any]

_CHILD_TIMEOUT_S = 600


@contextmanager
def workplace(directory: Path) -> Iterator[Path]:
    """Yield a directory that goes away again."""
    with tempfile.TemporaryDirectory(prefix="deia-benchmark-", dir=directory) as place:
        yield Path(place)


def plain_environment() -> dict[str, str]:
    """Return what every measured process gets: this one's environment without options of ours: shipped defaults."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DEIA_")}


def run_child(
    job: dict[str, Any],
    *,
    code: int = 0,
    timeout_s: float = _CHILD_TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Do one job of `benchmarks.child` in a fresh process, and return its answer.

    Args:
        job: What.
        code: How it is to end.
        timeout_s: How long it may take.
        environment: What it gets beside `plain_environment()`.

    Raises:
        CalledProcessError: It ended with another exit code.
    """
    command = [sys.executable, "-m", "benchmarks.child", orjson.dumps(job).decode()]
    given = {**plain_environment(), **(environment or {})}
    done = subprocess.run(command, cwd=ROOT, env=given, stdout=subprocess.PIPE, timeout=timeout_s, check=False)
    if done.returncode != code:
        raise subprocess.CalledProcessError(done.returncode, command)
    answer: Result = orjson.loads(done.stdout)
    return answer


def run_python(code: str) -> str:
    """Run a few statements in a fresh process, and return what they print."""
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=_CHILD_TIMEOUT_S, check=True, text=True
    )
    return done.stdout


def run_verified(
    job: dict[str, Any],
    directory: Path,
    calls: int,
    *,
    timeout_s: float = _CHILD_TIMEOUT_S,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Do a job in a directory that goes away with it, and read what its peer left there."""
    with workplace(directory) as place:
        answer = run_child({**job, "directory": str(place)}, timeout_s=timeout_s, environment=environment)
        if "path" not in answer:
            return answer
        disk_bytes = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        found = _read(job["peer"], answer.pop("path"), calls)
    events = calls - found.lost
    answer["bytes_per_event"] = round(found.event_bytes / events, 1) if events else None
    answer["disk_bytes_per_event"] = round(disk_bytes / events, 1) if events else None
    answer["verified"] = found.ok
    answer["verification"] = asdict(found)
    return answer


def run_to_death(job: dict[str, Any], directory: Path) -> Verification:
    """Let a peer's process end without closing it, and count what is missing of its acknowledged calls."""
    with workplace(directory) as place:
        code = -signal.SIGKILL if job["kill"] else 0
        answer = run_child({**job, "directory": str(place)}, code=code)
        return _read(job["peer"], answer["path"], job["calls"])


def _read(peer: str, path: str, calls: int) -> Verification:
    kind = find_peer(peer)
    return verify(Path(path), calls, has_seq=kind.has_seq, lines=kind.lines, fields_of=kind.fields)
