"""The bounds that the others are seen between: write-through, the bare minimum, and the original design."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from pathlib import Path
from time import time as _now

from orjson import OPT_APPEND_NEWLINE as _NEWLINE
from orjson import dumps as _dumps

from benchmarks.event import AGENT_ID, SESSION_ID, TASK, Params
from benchmarks.peers.face import WRITES_EACH, Peer
from benchmarks.peers.floor import WriteThroughLogger
from benchmarks.peers.line import Numbered, encode
from benchmarks.peers.original import InMemoryLogger

_NAME = f"{AGENT_ID}_{SESSION_ID}.jsonl"

_CHUNK_BYTES = 32 * 1024 * 1024
"""What the bare minimum maps at a time: more than a run of the default length fills, so that it maps once."""


class Floor(Peer):
    """The frozen write-through function."""

    label = "write-through (the floor)"
    durability = WRITES_EACH

    def __init__(self, directory: Path) -> None:
        self.path = directory / _NAME
        self.logger = WriteThroughLogger(self.path, AGENT_ID, SESSION_ID)
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Write the task's start."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Nothing to wait for: each line was written by its call."""

    def close(self) -> int:
        """Close the file; nothing is dropped."""
        self.logger.close()
        return 0


class Bare(Peer):
    """`orjson.dumps` and a slice assignment into a mapped file: no lock, no checks, no limit, no recovery.

    Its pages were written and touched beforehand, so that no call pays for one. It is a bound, not a logger: a kill in
    the middle of a call leaves half a line, and until it is closed its file ends in zeros.
    """

    label = "bare minimum (mapped file)"
    durability = Floor.durability

    def __init__(self, directory: Path) -> None:
        self.path = directory / _NAME
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        self.seq = self.end = self.mapped = 0
        self._map_more()

    def _map_more(self) -> None:
        os.pwrite(self.fd, bytes(_CHUNK_BYTES), self.mapped)
        self.mapped += _CHUNK_BYTES
        self.mapping = mmap.mmap(self.fd, self.mapped)
        for at in range(0, self.mapped, mmap.PAGESIZE):
            self.mapping[at] = self.mapping[at]

    def log_tool_call(self, tool_name: str, params: Params, duration_ms: int) -> None:
        """Encode and copy; spelled as fast as the floor is."""
        self.seq = seq = self.seq + 1
        line = _dumps(
            {
                "type": "ToolEvent",
                "name": tool_name,
                "params": params,
                "duration_ms": duration_ms,
                "task_id": 1,
                "seq": seq,
                "timestamp": _now(),
                "agent_id": AGENT_ID,
                "session_id": SESSION_ID,
                "v": 1,
            },
            None,
            _NEWLINE,
        )
        at = self.end
        self.end = after = at + len(line)
        if after > self.mapped:
            self._map_more()
        self.mapping[at:after] = line

    def start(self) -> None:
        """Copy the task's start."""
        numbered = Numbered()
        line = encode(numbered.task())
        self.mapping[: len(line)] = line
        self.end = len(line)
        self.seq = numbered.seq

    def flush(self) -> None:
        """Nothing to wait for: a mapped page is the file's."""

    def close(self) -> int:
        """Cut the zeros off; nothing is dropped."""
        self.mapping.close()
        os.ftruncate(self.fd, self.end)
        os.close(self.fd)
        return 0

    @classmethod
    def lines(cls, path: Path) -> Iterable[bytes]:
        """Yield the lines before the zeros."""
        return path.read_bytes().rstrip(b"\0").splitlines(keepends=True)


class Original(Peer):
    """The original design: an in-memory list, written when it is saved."""

    label = "the original design"
    durability = "nothing: a kill before save_session loses the whole session"
    has_seq = False

    def __init__(self, directory: Path) -> None:
        self.logger = InMemoryLogger(AGENT_ID, SESSION_ID)
        self.directory = directory
        self.path = directory / _NAME
        self.log_tool_call = self.logger.log_tool_call

    def start(self) -> None:
        """Write the task's start."""
        self.logger.log_task_start(TASK, {})

    def flush(self) -> None:
        """Save the session: before that, nothing of it is in a file."""
        self.logger.save_session(self.directory)

    def close(self) -> int:
        """Nothing to close; a list drops nothing."""
        return 0
