"""Transcripts of Claude Code made by hand, one record at a time."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from deia.importing.claude_code.agents import grouped, session_in
from deia.importing.claude_code.session import import_session
from deia.importing.report import ImportReport

START = 1_700_000_000
SESSION = "5f0c1f1e-0000-4000-8000-000000000001"


def moment(at: float) -> str:
    """Return a time in seconds after the start, as transcripts have it."""
    return datetime.fromtimestamp(START + at, tz=timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Writer:
    """Makes the records of one agent."""

    def __init__(self, **common: Any) -> None:
        self.common = {"isSidechain": False, "sessionId": SESSION, "cwd": "/work", "version": "2.1.14", **common}
        self.records: list[dict[str, Any]] = []

    def record(self, kind: str, at: float | None, **fields: Any) -> None:
        time = {} if at is None else {"timestamp": moment(at)}
        uuid = f"{len(self.records)}-{self.common.get('agentId', '')}"
        self.records.append({"type": kind, **self.common, **time, "uuid": uuid, **fields})

    def user(self, content: Any, at: float, **fields: Any) -> None:
        self.record("user", at, message={"role": "user", "content": content}, **fields)

    def answer(self, at: float, *blocks: dict[str, Any], key: str = "m", usage: Any = None, **fields: Any) -> None:
        message = {"id": key, "model": "claude", "role": "assistant", "content": list(blocks), "usage": usage or {}}
        self.record("assistant", at, message=message, **fields)

    def use(self, at: float, name: str, given: Any, *, call: str, key: str = "m") -> None:
        self.answer(at, {"type": "tool_use", "id": call, "name": name, "input": given}, key=key)

    def result(self, at: float, call: str, content: Any = "ok", *, told: Any = None, **block: Any) -> None:
        part = {"type": "tool_result", "tool_use_id": call, "content": content, **block}
        self.user([part], at, toolUseResult=told)

    def lines(self) -> bytes:
        return b"".join(json.dumps(record).encode() + b"\n" for record in self.records)

    def save(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.lines())
        return path


def import_one(*paths: Path, into: Path, **options: Any) -> ImportReport:
    """Import the one session that files are of."""
    (session,) = grouped([(str(path), session_in(str(path))) for path in paths])
    return import_session(session, into, **options)
