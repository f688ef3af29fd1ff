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


def injecting(faults: list[str], path: Path, trace: Path) -> tuple[str, ...]:
    """Return the command before a command whose system calls are to fail; skip the test where that cannot be.

    Args:
        faults: What `strace -e inject=` takes: `pwrite64:error=EIO:when=2..4`. Each thread counts for itself.
        path: Calls on this file only.
        trace: Where `injections` finds afterwards what was done.
    """
    obstacle = _obstacle()
    if obstacle is not None:
        pytest.skip(obstacle)
    calls = ",".join(fault.partition(":")[0] for fault in faults)
    injected = [part for fault in faults for part in ("-e", f"inject={fault}")]
    return ("strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={calls}", *injected, "-P", str(path))


def injections(trace: Path) -> int:
    """Return how many system calls were made to fail."""
    return trace.read_text(encoding="utf-8", errors="replace").count("(INJECTED)")
