"""`TRACEPARENT`: sessions of several processes make one tree."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from deia import AsyncSessionLogger, SessionLogger, read_events
from deia.trace import Parent, parse, span_id_of, trace_id_of
from support.lines import assert_sound, lines_of

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    "text",
    [
        VALID,
        VALID[:-1] + "0",
        VALID[:-2] + "ff",
        f"01-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-00",
        VALID.replace("00-", "01-"),
    ],
)
def test_valid_traceparent_is_read(text: str) -> None:
    """Of version 00, and of later ones what they have in common with it."""
    assert parse(text) == Parent(TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "x",
        VALID.upper(),
        VALID + "-more",
        VALID + "\n",
        " " + VALID,
        VALID[:-1],
        VALID[3:],
        f"ff-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01x",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        VALID.replace("-", "_"),
        VALID.replace("a", "g"),
        VALID.replace("0", "٠"),
    ],
)
def test_invalid_traceparent_is_as_good_as_none(text: str | None) -> None:
    """The rules of the W3C: small digits, no zeros, version ff forbidden."""
    assert parse(text) is None


def test_ids_follow_from_the_sessions_as_the_format_page_says() -> None:
    """Computed here in another way."""
    session = str(uuid.uuid4())
    assert trace_id_of("agent", session) == uuid.UUID(session).hex
    for name in ("s", session.upper(), str(uuid.UUID(int=0)), "Größe"):
        assert trace_id_of("agent", name) == sha256(f"agent_{name}".encode()).digest()[:16].hex()
    tag = crc32(b"agent_s").to_bytes(4, "big")
    assert span_id_of("agent", "s") == (tag + bytes(4)).hex()
    assert span_id_of("agent", "s", 258) == (tag + bytes([0, 0, 1, 2])).hex()
    assert span_id_of("agent", "s", 2**32 + 5) == (tag + bytes([0, 0, 0, 5])).hex()


def test_span_ids_are_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which would be none."""
    monkeypatch.setattr("deia.trace.crc32", lambda data: 0)
    assert span_id_of("a", "b") == "0000000100000000"


@pytest.mark.parametrize("face", [SessionLogger, AsyncSessionLogger])
def test_traceparent_names_the_innermost_open_task_or_the_session(tmp_path: Path, face: Any) -> None:
    """Of its context, in a form that is valid."""
    log = face("agent", "s", output_dir=tmp_path)
    recorder = log if face is SessionLogger else log._recorder
    assert parse(log.traceparent) == Parent(trace_id_of("agent", "s"), span_id_of("agent", "s"))
    with recorder.task("a"), recorder.task("b") as inner:
        assert parse(log.traceparent) == Parent(trace_id_of("agent", "s"), span_id_of("agent", "s", inner.task_id))
    assert log.child_environment()["TRACEPARENT"] == log.traceparent
    recorder.close()


def test_session_begun_in_another_says_so_on_its_first_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And passes the trace on; the environment counts as it is at construction."""
    monkeypatch.setenv("TRACEPARENT", VALID)
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    monkeypatch.delenv("TRACEPARENT")
    log.log_file_read("a")
    log.log_file_read("b")
    assert parse(log.traceparent) == Parent(TRACE, span_id_of("agent", "s"))
    log.close()
    first, second = lines_of(log.path)
    assert list(first)[-4:] == ["v", "session_start", "trace_id", "parent_span_id"]
    assert (first["trace_id"], first["parent_span_id"]) == (TRACE, SPAN)
    assert not {"trace_id", "parent_span_id"} & second.keys()
    assert_sound(log.path)


def test_session_begun_in_none_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that found something invalid."""
    monkeypatch.setenv("TRACEPARENT", VALID + "-")
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("a")
    assert list(lines_of(log.path)[0])[-2:] == ["v", "session_start"]


def test_continued_session_says_whose_part_it_is_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run for itself."""
    for number in range(3):
        if number:
            monkeypatch.setenv("TRACEPARENT", VALID.replace("31-", f"3{number}-"))
        with SessionLogger("agent", "s", output_dir=tmp_path) as log:
            log.log_file_read("a")
    spans = [line.get("parent_span_id") for line in lines_of(log.path) if "session_start" in line]
    assert spans == [None, "b7ad6b7169203331", "b7ad6b7169203332"]
    assert_sound(log.path)


def test_lines_kept_in_memory_say_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of a session is the first of nothing any more, where its file turns out to have a past."""
    with SessionLogger("agent", "s", output_dir=tmp_path / "sessions") as earlier:
        earlier.log_file_read("a")
    (tmp_path / "sessions").rename(tmp_path / "away")
    (tmp_path / "sessions").touch()
    monkeypatch.setenv("TRACEPARENT", VALID)
    log = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
    log.log_file_read("b")
    (tmp_path / "sessions").unlink()
    (tmp_path / "away").rename(tmp_path / "sessions")
    log._session.open()
    log.close()
    assert [line.get("trace_id") for line in lines_of(log.path)] == [None, TRACE, None]
    assert_sound(log.path)


def test_child_environment_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this process's, or of what is given; `TRACESTATE` goes along with a trace that goes on, and with no other."""
    monkeypatch.setenv("TRACESTATE", "vendor=1")
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    environment = log.child_environment()
    assert environment == {
        **{name: value for name, value in os.environ.items() if name != "TRACESTATE"},
        "TRACEPARENT": log.traceparent,
    }
    assert "TRACEPARENT" not in os.environ
    monkeypatch.setenv("TRACEPARENT", VALID)
    assert SessionLogger("agent", "t", output_dir=tmp_path).child_environment()["TRACESTATE"] == "vendor=1"
    assert log.child_environment({"A": "1"}) == {"A": "1", "TRACEPARENT": log.traceparent}


def test_disabled_logger_passes_on_what_it_got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its children belong to whoever records."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    assert log.traceparent is None
    assert "TRACEPARENT" not in log.child_environment()
    monkeypatch.setenv("TRACEPARENT", VALID)
    assert log.traceparent == log.child_environment()["TRACEPARENT"] == VALID


COPIES: list[Callable[[SessionLogger], SessionLogger]] = [
    copy.copy,
    copy.deepcopy,
    lambda log: pickle.loads(pickle.dumps(log)),
]


@pytest.mark.parametrize("duplicate", COPIES)
def test_copy_belongs_to_the_task_that_it_was_made_in(
    tmp_path: Path, duplicate: Callable[[SessionLogger], SessionLogger], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says, as a worker process gets it with the logger."""
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    with log.task("a"):
        place = log.traceparent
        twin = duplicate(log)
    monkeypatch.setenv("TRACEPARENT", VALID)
    twin.log_file_read("x")
    twin.close()
    log.close()
    first = lines_of(twin.path)[0]
    assert Parent(first["trace_id"], first["parent_span_id"]) == parse(place)
    assert first["parent_session_id"] == "s"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_belongs_to_the_task_that_forked(tmp_path: Path) -> None:
    """And what ends in it of the parent's blocks is the parent's."""
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    with log.task("a") as task, log.tool("t"):
        child = os.fork()
        if not child:
            log.log_file_read("x")
    if not child:
        log.log_file_read("y")
        log.close()
        os._exit(0)
    os.waitpid(child, 0)
    log.close()
    (path,) = [path for path in tmp_path.glob("*.jsonl") if path != log.path]
    first, second = lines_of(path)
    assert (first["path"], second["path"], first["task_id"], second["task_id"]) == ("x", "y", None, None)
    assert first["trace_id"] == trace_id_of("agent", "s")
    assert first["parent_span_id"] == span_id_of("agent", "s", task.task_id)
    assert [line["type"] for line in lines_of(log.path)] == ["TaskEvent", "ToolEvent", "TaskEvent"]


AGENT = """
import subprocess, sys
from deia import SessionLogger
depth = int(sys.argv[1])
with SessionLogger(f"agent-{depth}", output_dir=sys.argv[2]) as log:
    with log.task(f"task {depth}"):
        for _ in range(2 if depth else 0):
            command = [sys.executable, "-c", sys.argv[3], str(depth - 1), *sys.argv[2:]]
            subprocess.run(command, env=log.child_environment(), check=True)
"""


def test_tree_of_processes_is_found_in_their_files_alone(tmp_path: Path) -> None:
    """An agent, two sub-agents, two of theirs each: who started whom, and in which task."""
    subprocess.run([sys.executable, "-c", AGENT, "2", str(tmp_path), AGENT], check=True)
    sessions: dict[str, dict[str, Any]] = {}
    for path in tmp_path.glob("*.jsonl"):
        first = json.loads(path.read_text().splitlines()[0])
        names = {getattr(event, "task_id", None): getattr(event, "name", None) for event in read_events(path)}
        ids = first["agent_id"], first["session_id"]
        sessions[span_id_of(*ids)[:8]] = {"names": names, "trace": first.get("trace_id") or trace_id_of(*ids), **first}
    assert len({session["trace"] for session in sessions.values()}) == 1
    parents = []
    for session in sessions.values():
        span = session.get("parent_span_id")
        if span is not None:
            parent = sessions[span[:8]]
            parents.append((session["agent_id"], parent["agent_id"], parent["names"][int(span[8:], 16)]))
    assert sorted(parents) == [("agent-0", "agent-1", "task 1")] * 4 + [("agent-1", "agent-2", "task 2")] * 2
