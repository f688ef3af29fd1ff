"""Under what conditions a result was measured.

What a reader needs to judge it, and nothing that tells whose machine it was: no paths, no host name.
"""

from __future__ import annotations

import filecmp
import os
import platform
import subprocess
import sys
import sysconfig
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import deia

ROOT = Path(__file__).resolve().parent.parent
"""The checkout that this package is part of."""


def conditions(directory: Path) -> dict[str, Any]:
    """Return commit, machine, interpreter and versions.

    Args:
        directory: Where the measured files will lie; its file system is recorded.
    """
    return {
        "recorded_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **commit(),
        "machine": machine(directory),
        "python": interpreter(),
        "versions": {name: version(name) for name in ("orjson", "anyio", "aiofiles")},
    }


def commit() -> dict[str, Any]:
    """Return the commit, and whether the code that is measured differs from it (None where git cannot tell).

    Results and the pages made of them do not count: the second interpreter's run follows the first one's results.
    """
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", "src", "benchmarks", "pyproject.toml", ":!benchmarks/results")
    return {"commit": head, "dirty": None if changed is None else bool(changed) or not _is_installed_from_here()}


def _is_installed_from_here() -> bool:
    """Whether the installed package is the checkout's, or a copy that does not differ."""
    here, installed = ROOT / "src" / "deia", Path(deia.__file__).parent
    names = [path.relative_to(here) for path in here.rglob("*.py")]
    return not any(filecmp.cmpfiles(here, installed, names, shallow=False)[1:])


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def machine(directory: Path) -> dict[str, Any]:
    """Return processor, cores, kernel, and the file system under `directory`."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "kernel": platform.release(),
        "file_system": _file_system(directory),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _file_system(directory: Path) -> str | None:
    """Return the type of the file system that a directory lies on; None where there is no /proc."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    except FileNotFoundError:
        return None
    resolved = directory.resolve()
    best, kind = -1, None
    for mount in mounts:
        left, _, right = mount.partition(" - ")
        point = Path(left.split(" ")[4].replace("\\040", " "))
        # of two mounts at one point the later one is seen
        if (point == resolved or point in resolved.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    return kind


def interpreter() -> dict[str, Any]:
    """Return which Python runs, and whether its build was optimised by profile.

    Distributions optimise theirs, and may take the flags out of what `sysconfig` reports (Debian does), so a
    distribution's interpreter is known by its place.
    """
    distribution = sys.base_prefix == "/usr"
    arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    flags = [
        flag
        for flag in ("--enable-optimizations", "--with-lto", "--disable-gil", "--with-pydebug")
        if flag in arguments
    ]
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "compiler": platform.python_compiler(),
        "distribution": distribution,
        "optimised": distribution or "--enable-optimizations" in flags,
        "flags": flags,
    }
