"""Numbers that a process stores where its death cannot take them: how many calls had returned when it was killed."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

_BYTES = 8


def make_counters(path: Path, number: int) -> None:
    """Make a file of so many counters, all of them 0."""
    path.write_bytes(bytes(_BYTES * number))


def map_counters(path: str | os.PathLike[str]) -> memoryview:
    """Map a file of counters; what is stored in the mapping is the kernel's, and is there whatever becomes of us."""
    with open(path, "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


def read_counters(path: Path) -> tuple[int, ...]:
    """Return the numbers in a file of counters, whoever stores there meanwhile."""
    content = path.read_bytes()
    return struct.unpack(f"{len(content) // _BYTES}Q", content)
