"""What this process holds of the operating system for the files in a directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def descriptors_in(directory: Path) -> list[str]:
    """Return the names of the files in a directory that this process has open, one for each descriptor."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("this platform does not tell the path of a descriptor")
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            path = Path(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:  # the listing's own
            continue
        if path.parent == directory:
            names.append(path.name)
    return sorted(names)


def resident_kib(directory: Path) -> int:
    """Return how many KiB of the mapped files in a directory stand in this process's memory."""
    total = 0
    ours = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        first = line.split(maxsplit=1)[0]
        if not first.endswith(":"):  # the line that begins a mapping, with its path at the end
            ours = f"{directory}/" in line
        elif ours and first == "Rss:":
            total += int(line.split()[1])
    return total
