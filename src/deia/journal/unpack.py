"""Unpack a log that was compressed with gzip, up to the last byte before any damage."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BufferedReader, FileIO

GZIP_MAGIC = b"\x1f\x8b\x08"
"""How a compressed log begins. A JSON text cannot, so the content decides and not the name; the third byte is the one
method there is, and two damaged bytes do not make a log a compressed one."""

_PACKED_BYTES = 64 * 1024
_UNPACKED_BYTES = 256 * 1024
"""Per step, whatever the data claims to become."""

_GZIP = 16 + zlib.MAX_WBITS
"""zlib's way of asking for gzip's header and checksum."""


def unpack(file: BufferedReader[FileIO]) -> Iterator[bytes]:
    """Yield what a compressed file holds; parts that were packed one by one may follow each other.

    Raises:
        EOFError: It is cut; all before was yielded.
        zlib.error: It is damaged, or something else follows; all before was yielded.
    """
    part = zlib.decompressobj(_GZIP)
    packed = b""
    begun = False
    while True:
        if part.eof:
            packed = part.unused_data.lstrip(b"\0")  # padding
            part = zlib.decompressobj(_GZIP)
            begun = False
        packed = packed or file.read(_PACKED_BYTES)
        if not packed:
            if begun:
                raise EOFError("it ends too early")
            return
        if not begun:
            packed = packed.lstrip(b"\0")
        begun = begun or bool(packed)
        before = part.copy()
        try:
            data = part.decompress(packed, _UNPACKED_BYTES)
        except zlib.error:
            yield from _bytewise(before, packed)
            raise
        packed = part.unconsumed_tail
        if data:
            yield data


def _bytewise(part: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """Yield what stands before the damage: zlib gives nothing of a step that fails."""
    for at in range(len(packed)):
        try:
            data = part.decompress(packed[at : at + 1])
        except zlib.error:
            return
        if data:
            yield data
