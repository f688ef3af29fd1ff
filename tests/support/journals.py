"""Journals and queue files made by hand, byte by byte as the format page lays them down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from deia import system
from deia.queue.layout import HEADER_BYTES, Header, Kind, queue_path

AGENT = "agent"
SESSION = "session"
START = 1_700_000_000.0
RING_BYTES = 64 * 1024


def encode(fields: dict[str, Any]) -> bytes:
    """Return a line, encoded by a library that is not ours."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


class Lines:
    """Makes the lines of one session in order, counting `seq`; `at` is a time in seconds after the session's start."""

    def __init__(self, agent_id: str = AGENT, session_id: str = SESSION, *, start: float = START) -> None:
        self.agent_id = agent_id
        self.session_id = session_id
        self.start = start
        self.seq = 0

    def line(self, fields: dict[str, Any], *, at: float = 0.0, **further: Any) -> bytes:
        """Return a line of any kind."""
        self.seq += 1
        common = {
            "seq": self.seq,
            "timestamp": self.start + at,
            "agent_id": self.agent_id,
            "session_id": self.session_id,
            "v": 1,
        }
        first = {"session_start": self.start} if self.seq == 1 else {}
        return encode({**fields, **common, **first, **further})

    def tool(
        self, name: str = "pytest", duration_ms: Any = 5, *, params: Any = None, at: float = 0.0, **further: Any
    ) -> bytes:
        fields = {
            "type": "ToolEvent",
            "name": name,
            "params": params or {},
            "duration_ms": duration_ms,
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def file(self, operation: str = "read", path: str = "/a", *, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "FileEvent",
            "path": path,
            "operation": operation,
            "size_bytes": 1,
            "lines": None,
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def llm(self, model: str = "m", duration_ms: Any = 5, *, at: float = 0.0, **further: Any) -> bytes:
        numbers = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
        fields = {
            "type": "LLMEvent",
            "provider": "p",
            "model": model,
            **dict.fromkeys(numbers),
            "duration_ms": duration_ms,
            "time_to_first_token_ms": None,
            "cost_usd": 0.25,
            **dict.fromkeys(("response_id", "attempt", "error_type", "error")),
            "metadata": {},
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def message(self, role: str = "user", content: Any = "hello", *, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "MessageEvent",
            "role": role,
            "content": content,
            "message_id": None,
            "metadata": {},
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def error(self, message: str = "boom", *, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "ErrorEvent",
            "error_type": "ValueError",
            "message": message,
            "where": None,
            "traceback": None,
            "metadata": {},
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def decision(self, decision: str = "wait", *, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "DecisionEvent",
            "decision": decision,
            "reason": None,
            "alternatives": ["go"],
            "metadata": {},
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def action_item(self, item: str = "look", *, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "ActionItemEvent",
            "item": item,
            "assignee": None,
            "due": "Friday",
            "done": False,
            "metadata": {},
            "task_id": None,
        }
        return self.line(fields, at=at, **further)

    def begin(self, name: str = "task", *, parent_id: int | None = None, at: float = 0.0, **further: Any) -> bytes:
        fields = {
            "type": "TaskEvent",
            "name": name,
            "start_time": self.start + at,
            "end_time": None,
            "metadata": {},
            "task_id": self.seq + 1,
            "parent_id": parent_id,
        }
        return self.line(fields, at=at, **further)

    def complete(
        self,
        task_id: int | None,
        name: str = "task",
        *,
        began: float = 0.0,
        at: float = 1.0,
        duration_ms: int | None = None,
        parent_id: int | None = None,
        **further: Any,
    ) -> bytes:
        fields = {
            "type": "TaskEvent",
            "name": name,
            "start_time": self.start + began,
            "end_time": self.start + at,
            "metadata": {},
            "duration_ms": round((at - began) * 1000) if duration_ms is None else duration_ms,
            "task_id": task_id,
            "parent_id": parent_id,
        }
        return self.line(fields, at=at, **further)

    def continued(self, run: int, *, at: float = 0.0) -> bytes:
        fields = {
            "type": "SessionEvent",
            "event": "continued",
            "run": run,
            "session_start": self.start + at,
            "recovered_bytes": 0,
            "lost_bytes": 0,
        }
        return self.line(fields, at=at)

    def dropped(self, number: int, *, at: float = 0.0) -> bytes:
        return self.line({"type": "SessionEvent", "event": "dropped", "dropped": number}, at=at)


def journal_path(directory: Path, agent_id: str = AGENT, session_id: str = SESSION) -> Path:
    """Return the name that a session's journal has."""
    return directory / f"{agent_id}_{session_id}.jsonl"


def write_queue(
    journal: Path,
    content: bytes,
    *,
    kind: Kind = Kind.RING,
    ring_bytes: int = RING_BYTES,
    boot_id: bytes | None = None,
    agent_id: str = AGENT,
    session_id: str = SESSION,
    dropped: int = 0,
    committed: int | None = None,
    target: Path | None = None,
    at: Path | None = None,
) -> Path:
    """Write the queue file of a session whose committed bytes are `content`, as a killed process leaves it.

    Args:
        journal: The journal, which exists.
        content: Everything committed since offset 0; the ring holds as much of its end as fits.
        kind: Kind of queue file.
        ring_bytes: Size of the ring.
        boot_id: This boot's, unless given; another one makes a queue file whose offsets are not trusted.
        agent_id: Whose it is.
        session_id: Likewise.
        dropped: Events dropped on purpose.
        committed: The offset up to which lines are complete, where that is not the end of `content`.
        target: Where a pointer points to.
        at: Path of the queue file, where it is not beside the journal.
    """
    status = journal.stat()
    header = Header(
        kind=kind,
        ring_bytes=ring_bytes if kind is Kind.RING else 0,
        boot_id=system.boot_id() if boot_id is None else boot_id,
        device=status.st_dev,
        inode=status.st_ino,
        pid=1,
        agent_id=agent_id,
        session_id=session_id,
        target=str(target) if target is not None else None,
    )
    ring = bytearray(ring_bytes if kind is Kind.RING else 0)
    if ring:
        for offset in range(max(0, len(content) - ring_bytes), len(content)):
            ring[offset % ring_bytes] = content[offset]
    path = at if at is not None else queue_path(journal)
    page = header.pack(committed=len(content) if committed is None else committed, dropped=dropped)
    assert len(page) == HEADER_BYTES
    path.write_bytes(page + ring)
    return path
