"""A small file system of the test's own, where the machine lets us mount one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(at: Path, *, size_bytes: int) -> Iterator[Path]:
    """Mount a tmpfs of a given size; skip the test where that cannot be done."""
    if sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a tmpfs takes root on Linux")
    at.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "deia-test", str(at)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield at
    finally:
        # lazily: a test that failed may have left descriptors open
        subprocess.run(["umount", "--lazy", str(at)], check=True, capture_output=True)


class Filler:
    """A file that takes all the room there is, and gives it back."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "filler"

    def fill(self) -> None:
        """Take all the room that is left."""
        with self._path.open("ab", buffering=0) as file:
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Give the room back."""
        self._path.unlink()
