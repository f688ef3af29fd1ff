"""A real log, what a killed process leaves of one, and what must be read of them once they are damaged.

What must be read is found without our code: bytes cut at newlines, each line parsed by the standard library.
"""

from __future__ import annotations

import functools
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from deia import SessionLogger, system
from deia.journal.damage import Damage
from deia.queue.layout import HEADER_BYTES, Header, queue_path
from support.processes import run
from support.records import read_records

AGENT, SESSION = "agent-ä", "damaged"

KILLED = """
import os, signal, sys
from deia import SessionLogger

directory, queue_dir, count = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
log = SessionLogger("agent-ä", "damaged", output_dir=directory, queue_dir=queue_dir, queue_bytes=65536,
                    flush_interval_s=60)
log.log_task_start("deploy", {"by": "Zoë"})
for number in range(count):
    log.log_tool_call("build", {"number": number, "text": "ü" * (number % 40)}, duration_ms=number)
os.kill(os.getpid(), signal.SIGKILL)
"""


def record(directory: Path) -> Path:
    """Record a session with all there is in one: tasks, tools, files, unicode, an orphan, two runs, dropped events."""
    with SessionLogger(AGENT, SESSION, output_dir=directory) as log:
        log.log_task_start("plan ☂", {"priority": "P1", "nested": {"type": "ToolEvent", "seq": 3}})
        log.log_task_start("code")
        log.log_file_read("/tests/test_ü.py", 4096)
        log.log_tool_call("pytest", {"path": "tests/", "quoted": '"}\n{"', "deep": [[{"a": None}]]}, 2500)
        log.log_file_write("/src/日本.py", 2**40, lines=7)
        log.log_task_complete("code", metadata={"ok": True})
        log.log_task_complete("never started", 10)
        log.log_tool_call("odd", {"bytes": b"\xff\0", "number": float("inf"), "surrogate": "\ud800"}, -1.5)
    with SessionLogger(AGENT, SESSION, output_dir=directory) as log:
        log.log_task_complete("plan ☂", 1000)
        log._session.drops.total += 2  # as if the queue had been full
        log._session.set_limit()
        log.log_tool_call("last", None, 0)
    return log.path


def kill_one(directory: Path, count: int, queue_dir: Path | None = None) -> Path:
    """Have a process record a session, and be killed before the writer got to it; return the journal."""
    run(KILLED, directory, queue_dir or "", count, cwd=directory.parent, returncode=-9)
    return directory / f"{AGENT}_{SESSION}.jsonl"


@dataclass(frozen=True)
class Remains:
    """What a killed process left: the journal's bytes, the queue file's, and all that was acknowledged."""

    journal: bytes
    queue: bytes
    whole: bytes

    @classmethod
    def of(cls, journal: Path) -> Remains:
        queue = queue_path(journal).read_bytes()
        header = Header.unpack(queue[:HEADER_BYTES])
        (committed,) = struct.unpack_from("<Q", queue, 128)
        content = journal.read_bytes()
        ring = queue[HEADER_BYTES:]
        whole = content + bytes(ring[at % header.ring_bytes] for at in range(len(content), committed))
        assert whole.endswith(b"\n") and len(whole) == committed
        return cls(content, queue, whole)

    def lay(self, directory: Path, *, trusted: bool = True, size: int | None = None, cut: bool = False) -> Path:
        """Put them into a directory, as they were or, untrusted, as they are in a copied directory.

        Args:
            directory: Where; made if missing.
            trusted: Whether the header names the new journal's inode.
            size: How much of the journal the writer had got to; as it was, if not given.
            cut: Whether the directory is to be emptied first.
        """
        directory.mkdir(exist_ok=True)
        if cut:
            for path in directory.iterdir():
                path.unlink()
        journal = directory / f"{AGENT}_{SESSION}.jsonl"
        put(journal, self.journal if size is None else self.whole[:size])
        put(queue_path(journal), for_journal(self.queue, journal, trusted=trusted))
        return journal


def for_journal(queue: bytes, journal: Path, **fields: Any) -> bytes:
    """Return a queue file with its header made for a journal; `trusted` false makes it of another file's inode.

    One that no file made later will have either.
    """
    page, ring = queue[:HEADER_BYTES], queue[HEADER_BYTES:]
    status = journal.stat()
    inode = status.st_ino + (0 if fields.pop("trusted", True) else 1 << 48)
    header = replace(Header.unpack(page), boot_id=system.boot_id(), device=status.st_dev, inode=inode, **fields)
    committed, dropped = struct.unpack_from("<Q", page, 128)[0], struct.unpack_from("<Q", page, 192)[0]
    return header.pack(committed=committed, dropped=dropped) + ring


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Line:
    """A line as any tool sees it: its offset, its bytes without the newline, and what it says, if it is an object."""

    offset: int
    data: bytes
    fields: dict[str, Any] | None


@functools.cache  # the same lines are looked at thousands of times
def _parsed(data: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(data.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def lines_in(content: bytes) -> list[Line]:
    """Cut bytes into lines, the ended ones only, with nothing of ours."""
    lines = []
    offset = 0
    for data in content.split(b"\n")[:-1]:
        lines.append(Line(offset, data, _parsed(data)))
        offset += len(data) + 1
    return lines


@dataclass(frozen=True)
class Reading:
    """What our reader makes of a log: the objects by their offset, in order, and the problems."""

    records: list[tuple[int, dict[str, Any]]]
    damages: list[Damage]

    @property
    def seqs(self) -> list[Any]:
        return [fields.get("seq") for _, fields in self.records]

    @property
    def kinds(self) -> set[str]:
        return {damage.kind for damage in self.damages}


def read(journal: Path) -> Reading:
    """Read a log with our reader."""
    damages: list[Damage] = []
    records = [(record.offset, record.fields) for record in read_records(journal, on_damage=damages.append)]
    return Reading(records, damages)


def is_subsequence(wanted: list[Any], found: list[Any]) -> bool:
    """Whether all that is wanted is there, in this order, whatever else is."""
    rest = iter(found)
    return all(any(item == other for other in rest) for item in wanted)


def flips(content: bytes, positions: Iterator[int] | range, values: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Yield (position, content with that byte changed): each value is one that the byte is combined with, by XOR."""
    for at in positions:
        for value in values:
            spoilt = bytearray(content)
            spoilt[at] ^= value
            yield at, bytes(spoilt)


def put(path: Path, content: bytes | bytearray) -> None:
    """Write a file anew: one that is written over would be flushed to the disk at once by some file systems."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def files_in(directory: Path) -> dict[str, bytes]:
    """Return every file's content by its name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
