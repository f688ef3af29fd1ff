"""A session log of any size, as a busy agent leaves it; the same bytes for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from deia.line import VERSION

AGENT = "benchmark"
SESSION = "generated"
START = 1_700_000_000.0

_TASKS = ("plan", "search", "edit", "test", "review", "summarise", "fetch", "index")
_TOOLS = ("read_file", "grep", "pytest", "git", "http_get", "sql", "llm", "shell", "lint", "embed", "browse", "format")
_WORDS = "the agent reads a file, finds what it was asked for, changes a line and runs the tests again until they pass"
_TEXT = " ".join([_WORDS] * 400)
_ESCAPED = '{"ok": true}\n\t"größer" → naïve\n'

_WORKERS = 4
"""Contexts that have tasks of their own at the same time."""

_DEEPEST = 4
_CONTINUED_EVERY = 200_000
_PIECE_BYTES = 1024 * 1024


def write_log(path: Path, size: int, *, seed: int = 1, session: str = SESSION) -> int:
    """Write a log of `size` bytes, or up to one line more.

    Returns:
        How many lines it has.
    """
    written = lines = 0
    with path.open("wb") as file:
        piece: list[bytes] = []
        kept = 0
        for line in _lines(random.Random(seed), session):
            piece.append(line)
            kept += len(line)
            lines += 1
            if kept >= _PIECE_BYTES or written + kept >= size:
                file.write(b"".join(piece))
                written += kept
                piece, kept = [], 0
            if written >= size:
                break
    return lines


def _lines(rng: random.Random, session: str) -> Iterator[bytes]:
    """Yield lines without an end: half tool calls, a third file events, the rest starts and completions of tasks."""
    chance, expo = rng.random, rng.expovariate
    open_tasks: list[list[tuple[int, str, float, int | None]]] = [[] for _ in range(_WORKERS)]
    now = START
    seq = 0
    run = 1
    while True:
        seq += 1
        now = round(now + expo(20), 6)
        stack = open_tasks[int(chance() * _WORKERS)]
        inside = stack[-1][0] if stack else None
        kind = chance()
        fields: dict[str, Any]
        if seq % _CONTINUED_EVERY == 0:
            run += 1
            fields = {"type": "SessionEvent", "event": "continued", "run": run, "session_start": now}
            fields |= {"recovered_bytes": 0, "lost_bytes": 0}
        elif kind < 0.5:
            fields = {
                "type": "ToolEvent",
                "name": _TOOLS[int(chance() * chance() * len(_TOOLS))],
                "params": _params(rng),
                "duration_ms": int(rng.lognormvariate(5, 1.5)),
                "task_id": inside,
            }
        elif kind < 0.82:
            writes = chance() < 0.3
            fields = {
                "type": "FileEvent",
                "path": f"/home/agent/project/src/module_{int(chance() * 400)}/file_{int(chance() * 40)}.py",
                "operation": "write" if writes else "read",
                "size_bytes": int(expo(1 / 8000)),
                "lines": int(expo(1 / 200)) if writes else None,
                "task_id": inside,
            }
        elif len(stack) < _DEEPEST and (not stack or chance() < 0.5):
            name = _TASKS[int(chance() * len(_TASKS))]
            fields = {
                "type": "TaskEvent",
                "name": name,
                "start_time": now,
                "end_time": None,
                "metadata": {"priority": "P1", "attempt": int(chance() * 5)},
                "task_id": seq,
                "parent_id": inside,
            }
            stack.append((seq, name, now, inside))
        else:
            task_id, name, began, parent = stack.pop()
            fields = {
                "type": "TaskEvent",
                "name": name,
                "start_time": began,
                "end_time": now,
                "metadata": {"priority": "P1", "attempt": 1, "outcome": "done"},
                "duration_ms": round((now - began) * 1000),
                "task_id": task_id,
                "parent_id": parent,
            }
        fields |= {"seq": seq, "timestamp": now, "agent_id": AGENT, "session_id": session, "v": VERSION}
        if seq == 1:
            fields["session_start"] = START
        yield orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)


def _params(rng: random.Random) -> dict[str, Any]:
    """Return what a tool was called with: mostly a few fields, sometimes a text, seldom a long one."""
    size = rng.random()
    params: dict[str, Any] = {"path": f"src/file_{int(rng.random() * 400)}.py", "limit": int(rng.random() * 1000)}
    if size < 0.6:
        pass
    elif size < 0.9:
        params["query"] = _TEXT[: int(rng.expovariate(1 / 150))]
        params["options"] = {"recursive": True, "depth": 3, "exclude": ["build", "dist"]}
    elif size < 0.99:
        params["text"] = _ESCAPED + _TEXT[: int(rng.expovariate(1 / 1000))]
    else:
        params["content"] = _ESCAPED + _TEXT[: int(rng.expovariate(1 / 8000))]
    if rng.random() < 0.03:
        params["error"] = "exit code 1"
    return params
