"""Where everything lies in a queue file: `docs/reference/file-format.md`, "The queue file", as code."""

from __future__ import annotations

import enum
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import orjson

from deia import system
from deia.options import MAX_QUEUE_BYTES

MAGIC = b"DEIAQ\r\n\0"  # the line ends tell a copy in text mode, as PNG's do
VERSION = 1
_SWAPPED_VERSION = int.from_bytes(VERSION.to_bytes(4, "little"), "big")
HEADER_BYTES = 4096
"""One page, so that the ring is page-aligned."""

COMMITTED_AT = 128
DROPPED_AT = 192
"""A cache line each: the producer's commit does not fight with anything else for it."""

TEXT_AT = 256
_RING_PREFIX = ".deia-"
_RING_DIGEST = 16
_SUFFIX = ".queue"
_STATIC = struct.Struct("<8sIIQ16sQQQ")
_TRAILER = struct.Struct("<II")
_WORD = struct.Struct("<Q")


class Kind(enum.IntEnum):
    """What a queue file is for."""

    RING = 1
    LOCK = 2
    POINTER = 3


class UnreadableQueueError(ValueError):
    """A queue file whose header is not one, is cut, or is of another version."""


@dataclass(frozen=True)
class Header:
    """The part of a queue file that never changes after it was made."""

    kind: Kind
    ring_bytes: int
    boot_id: bytes
    device: int
    inode: int
    pid: int
    agent_id: str
    session_id: str
    target: str | None = None

    def pack(self, *, committed: int = 0, dropped: int = 0) -> bytes:
        """Return the header page."""
        names = [self.agent_id, self.session_id] + ([self.target] if self.target is not None else [])
        text = orjson.dumps(names)
        static = _STATIC.pack(
            MAGIC, VERSION, self.kind, self.ring_bytes, self.boot_id, self.device, self.inode, self.pid
        )
        page = bytearray(HEADER_BYTES)
        page[: len(static)] = static
        page[TEXT_AT : TEXT_AT + len(text)] = text
        _TRAILER.pack_into(page, _STATIC.size, zlib.crc32(text, zlib.crc32(static)), len(text))
        _WORD.pack_into(page, COMMITTED_AT, committed)
        _WORD.pack_into(page, DROPPED_AT, dropped)
        return bytes(page)

    @classmethod
    def unpack(cls, page: bytes) -> Header:
        """Read a header page.

        Raises:
            UnreadableQueueError: Naming what is wrong with it.
        """
        if len(page) < HEADER_BYTES:
            raise UnreadableQueueError(f"the queue file is cut: {len(page)} bytes of its {HEADER_BYTES}-byte header")
        magic, version, kind, ring_bytes, boot_id, device, inode, pid = _STATIC.unpack_from(page)
        if magic != MAGIC:
            raise UnreadableQueueError("not a queue file of Deia")
        if version == _SWAPPED_VERSION:
            raise UnreadableQueueError("the queue file is of a machine with another byte order")
        if version != VERSION:
            raise UnreadableQueueError(f"queue file version {version}; this release knows version {VERSION}")
        checksum, text_bytes = _TRAILER.unpack_from(page, _STATIC.size)
        text = page[TEXT_AT : TEXT_AT + text_bytes]
        if checksum != zlib.crc32(text, zlib.crc32(page[: _STATIC.size])):
            raise UnreadableQueueError("the queue file's header is damaged: its checksum does not match")
        if kind not in tuple(Kind):
            raise UnreadableQueueError(f"a queue file of kind {kind}, which this release does not know")
        if ring_bytes & (ring_bytes - 1) or ring_bytes > MAX_QUEUE_BYTES or (kind == Kind.RING) != bool(ring_bytes):
            raise UnreadableQueueError(f"the queue file's ring cannot be {ring_bytes} bytes long")
        names = _names(text)
        if len(names) < (3 if kind == Kind.POINTER else 2):
            raise UnreadableQueueError("the queue file's header does not name its session")
        agent_id, session_id, *rest = names
        return cls(Kind(kind), ring_bytes, boot_id, device, inode, pid, agent_id, session_id, rest[0] if rest else None)


def _names(text: bytes) -> list[str]:
    """Return what the text area lists; nothing where it is no list of texts."""
    try:
        names = orjson.loads(text)
    except orjson.JSONDecodeError:
        return []
    return names if isinstance(names, list) and all(type(name) is str for name in names) else []


def word(page: bytes, at: int) -> int:
    """Read one of the two words that change: `COMMITTED_AT` or `DROPPED_AT`."""
    value: int = _WORD.unpack_from(page, at)[0]
    return value


def ring_name(queue: Path) -> str:
    """The name of a ring in a `queue_dir`, which no ring of another queue file has."""
    import hashlib  # which loads OpenSSL: four milliseconds that only `queue_dir` pays

    path = f"{system.real_path(queue.parent)}/{queue.name}"
    return f"{_RING_PREFIX}{hashlib.blake2b(os.fsencode(path), digest_size=_RING_DIGEST).hexdigest()}{_SUFFIX}"


def is_ring_name(name: str) -> bool:
    """Whether a file name can be one of `ring_name`."""
    digest = name.removeprefix(_RING_PREFIX).removesuffix(_SUFFIX)
    return (
        name == f"{_RING_PREFIX}{digest}{_SUFFIX}"
        and len(digest) == 2 * _RING_DIGEST
        and set(digest) <= set("0123456789abcdef")
    )


def queue_path(journal: Path) -> Path:
    """The queue file beside a journal, which is also its session's lock."""
    return journal.with_name(f".{journal.name.removesuffix('.jsonl')}{_SUFFIX}")
