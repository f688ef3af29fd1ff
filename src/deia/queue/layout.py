"""Where everything lies in a queue file: `docs/reference/file-format.md`, "The queue file", as code."""

from __future__ import annotations

import enum
import os
import re
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
_RING_NAME = re.compile(r"\.deia-[0-9a-f]{32}(\.[1-9][0-9]{0,8})?\.queue")
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
    """The part of a queue file that never changes after it was made.

    Attributes:
        target: For a pointer: where the ring lies.
        base: Session offset of the journal's first byte; more than 0 where earlier segments come before it.
    """

    kind: Kind
    ring_bytes: int
    boot_id: bytes
    device: int
    inode: int
    pid: int
    agent_id: str
    session_id: str
    target: str | None = None
    base: int = 0

    def pack(self, *, committed: int = 0, dropped: int = 0) -> bytes:
        """Return the header page."""
        text_area: list[object] = [self.agent_id, self.session_id]
        if self.base:
            text_area += [self.target, self.base]
        elif self.target is not None:
            text_area.append(self.target)
        text = orjson.dumps(text_area)
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
        agent_id, session_id, target, base = _texts(text)
        if (kind == Kind.POINTER) != (target is not None):
            raise UnreadableQueueError("the queue file's header does not say where its ring is")
        return cls(Kind(kind), ring_bytes, boot_id, device, inode, pid, agent_id, session_id, target, base)


def _texts(text: bytes) -> tuple[str, str, str | None, int]:
    """Return what the text area lists: agent, session, the target of a pointer, the offset of a later segment.

    Raises:
        UnreadableQueueError: It lists something else.
    """
    try:
        listed = orjson.loads(text)
    except orjson.JSONDecodeError:
        listed = None
    if isinstance(listed, list) and 2 <= len(listed) <= 4:
        agent_id, session_id = listed[:2]
        target = listed[2] if len(listed) > 2 else None
        base = listed[3] if len(listed) > 3 else 0
        is_text = type(agent_id) is str and type(session_id) is str and (target is None or type(target) is str)
        if is_text and type(base) is int and base >= 0:
            return agent_id, session_id, target, base
    raise UnreadableQueueError("the queue file's header does not name its session")


def word(page: bytes, at: int) -> int:
    """Read one of the two words that change: `COMMITTED_AT` or `DROPPED_AT`."""
    value: int = _WORD.unpack_from(page, at)[0]
    return value


def ring_name(queue: Path, segment: int = 1) -> str:
    """The name of a ring in a `queue_dir`, which no ring of another queue file, or for another segment, has."""
    import hashlib  # which loads OpenSSL: four milliseconds that only `queue_dir` pays

    path = f"{system.real_path(queue.parent)}/{queue.name}"
    digest = hashlib.blake2b(os.fsencode(path), digest_size=_RING_DIGEST).hexdigest()
    return f"{_RING_PREFIX}{digest}{f'.{segment}' if segment > 1 else ''}{_SUFFIX}"


def is_ring_name(name: str) -> bool:
    """Whether a file name can be one of `ring_name`."""
    return _RING_NAME.fullmatch(name) is not None


def queue_path(journal: Path) -> Path:
    """The queue file beside a journal, which is also its session's lock."""
    return journal.with_name(f".{journal.name.removesuffix('.jsonl')}{_SUFFIX}")


def journal_of(queue: Path) -> Path | None:
    """The journal that a queue file is beside; None where the name is not one of a queue file."""
    name = queue.name
    if not (name.startswith(".") and name.endswith(_SUFFIX)) or is_ring_name(name):
        return None
    return queue.with_name(name.removeprefix(".").removesuffix(_SUFFIX) + ".jsonl")
