"""What a killed process leaves on the disk holds no secret: its journal, its queue file, and what recovery makes."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from support import planted
from support.lines import assert_sound, lines_of
from support.processes import kill_after, run, start

SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from deia import SessionLogger
from support import planted

log = SessionLogger("agent", "s", output_dir=sys.argv[1], flush_interval_s=60, queue_mode=sys.argv[3])
at = 0
while True:
    for kind, text in planted.ALL:
        log.log_task_start(f"task {at}", {"given": text})
        log.log_tool_call("tool", {"deep": [{"given": text}], "password": "swordfish"}, at)
        log.log_file_read(f"/x/{text}")
        log.log_task_complete(f"task {at}", 5, {"password": "swordfish"})
        at += 1
    print(at, flush=True)
"""

TESTS = Path(__file__).parents[1]
HIDDEN = {planted.secret_of(kind, text) for kind, text in planted.ALL} | {"swordfish"}


def assert_hidden(data: bytes) -> None:
    for secret in HIDDEN:
        for part in secret.split("\n"):
            assert len(part) < 9 or part.encode() not in data
    assert b"[redacted:" in data


@pytest.mark.parametrize("mode", ["auto", "write"])
def test_raw_bytes_after_a_kill_hold_no_secret(tmp_path: Path, mode: str) -> None:
    """Each byte of the ring and of the journal is looked at, before and after recovery."""
    kill_after(start(SCRIPT, tmp_path / "sessions", TESTS, mode, cwd=tmp_path), 2)
    path = tmp_path / "sessions" / "agent_s.jsonl"
    assert_hidden(queue_path(path).read_bytes() + path.read_bytes())
    recover(path)
    assert_hidden(path.read_bytes())
    assert len(lines_of(path)) >= 8 * len(planted.ALL)
    assert_sound(path)


def hash_in(data: bytes) -> bytes:
    found: Any = re.search(rb"\[redacted:password:([0-9a-f]{8})\]", data)
    return bytes(found[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_child_redacts_by_a_key_of_its_own(tmp_path: Path) -> None:
    """Whoever knows the child's log and one of its secrets cannot look for it in the parent's."""
    run(
        "import os, sys\n"
        "from deia import SessionLogger\n"
        "log = SessionLogger('agent', 's', output_dir=sys.argv[1])\n"
        "log.log_tool_call('x', {'password': 'swordfish'}, 5)\n"
        "if os.fork() == 0:\n"
        "    log.log_tool_call('x', {'password': 'swordfish'}, 5)\n"
        "    log.close()\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "log.close()\n",
        tmp_path / "sessions",
        cwd=tmp_path,
    )
    first, second = (path.read_bytes() for path in (tmp_path / "sessions").glob("*.jsonl"))
    assert hash_in(first) != hash_in(second)


def test_events_kept_in_memory_hold_no_secret(tmp_path: Path) -> None:
    """Where no file can be made for now, what waits for one is redacted already."""
    (tmp_path / "obstacle").touch()
    log = SessionLogger("agent", "s", output_dir=tmp_path / "obstacle" / "sessions")
    log.log_tool_call("x", {"password": "swordfish"}, 5)
    assert log.statistics().mode == "memory"
    path = log.save_session(tmp_path / "elsewhere")
    log.close()
    assert b"swordfish" not in path.read_bytes()
