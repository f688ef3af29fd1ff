"""System calls that fail: `strace` puts the errors in, between a real process and the kernel."""

from __future__ import annotations

import functools
import shutil
import subprocess
from pathlib import Path

import pytest


@functools.cache
def _obstacle() -> str | None:
    """Return what keeps us from injecting faults, if anything."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    command = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=getpid", "-e", "inject=getpid:error=EIO", "true"]
    tried = subprocess.run(command, check=False, capture_output=True, text=True)
    return None if tried.returncode == 0 else f"strace cannot inject faults here: {tried.stderr.strip()}"


def injecting(fault: str, *paths: Path) -> tuple[str, ...]:
    """Return the command before a command whose system calls are to fail; skip the test where that cannot be.

    Args:
        fault: What `strace -e inject=` takes: `pwrite64:error=EIO:when=2..4`.
        paths: Calls on these files only.
    """
    obstacle = _obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    call = fault.partition(":")[0]
    named = [part for path in paths for part in ("-P", str(path))]
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={fault}", *named)
