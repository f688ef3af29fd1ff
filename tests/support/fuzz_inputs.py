"""What a fuzzer's bytes mean: the content of a session's two files.

The first byte of an input says whether a logger is to go on, which takes long, and what the queue file is: none, these
bytes themselves, or a sound header with these bytes as its ring. The header's fields are in the next bytes, then comes
the journal, then eight times 0xFF, then the rest.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

from deia.queue.layout import Kind
from support.invariants import AGENT, SESSION, QueueFile, assert_all

SAMPLES = Path(__file__).parents[1] / "compat/samples"

FIELDS = struct.Struct("<BBBQQ")
BETWEEN = b"\xff" * 8
MOST_BITS = 12
"""Rings of 4 KiB and less: a fuzzer gets around one sooner."""

LOGGED_TO = 0xE0
"""From this first byte on a logger goes on with the files."""


def decoded(data: bytes) -> tuple[bytes, QueueFile | bytes | None]:
    """Return the journal and the queue file that an input stands for."""
    fields = data[: FIELDS.size].ljust(FIELDS.size, b"\0")
    how, bits, flags, committed, dropped = FIELDS.unpack(fields)
    journal, _, rest = data[FIELDS.size :].partition(BETWEEN)
    if how % 8 == 0:
        return journal, None
    if how % 8 == 1:
        return journal, rest
    bits %= MOST_BITS + 1
    ring = rest.ljust(1 << bits, b"\0") if flags & 2 else rest
    kind = {2: Kind.LOCK, 3: Kind.POINTER}.get(how % 8, Kind.RING)
    names = (AGENT, SESSION if flags & 4 else "t")
    return journal, QueueFile(kind, bits, bool(flags & 1), committed, dropped, ring, names)


def assert_input(directory: Path, data: bytes) -> None:
    """Assert in an empty directory what must hold of an input."""
    assert_all(directory, *decoded(data), logged_to=data[:1] >= bytes([LOGGED_TO]))


def seeds() -> list[bytes]:
    """Return inputs to begin with: samples of every format, alone, packed, and cut with a ring that goes on."""
    found = []
    for sample in sorted(SAMPLES.glob("*/*.jsonl")):
        content = sample.read_bytes()[:3000]
        content = content[: content.rfind(b"\n") + 1]
        ours = content.replace(b'"AGENT-004"', b'"a"').replace(b'"0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10"', b'"s"')
        for how in (0, LOGGED_TO):
            found.append(FIELDS.pack(how, 0, 0, 0, 0) + ours)
            found.append(FIELDS.pack(how, 0, 0, 0, 0) + gzip.compress(ours, mtime=0))
            for flags in (6, 7):
                cut = FIELDS.pack(how + 4, MOST_BITS, flags, len(ours), 1) + ours[: len(ours) // 2]
                found.append(cut + BETWEEN + ours.ljust(1 << MOST_BITS, b"\0"))
    return found
