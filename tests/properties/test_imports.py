"""Whatever stands in a transcript, what is made of it is a sound session log."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from deia import read_events
from deia.errors import NotASessionLogError
from deia.importing.activity_log import import_activity_log
from deia.importing.claude_code.agents import SessionFiles
from deia.importing.claude_code.session import import_session
from deia.importing.report import ImportReport
from deia.journal.check import check
from support.lines import lines_of

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
IDS = st.sampled_from(["a", "b", "c"])
TIMES = st.integers(0, 59).map(lambda second: f"2026-01-01T00:00:{second:02d}.5Z")
TODOS = st.fixed_dictionaries(
    {
        "todos": st.lists(
            st.fixed_dictionaries({"content": IDS, "status": st.sampled_from(["pending", "in_progress", "completed"])})
        )
    }
)


def often(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is usual, and now and then anything at all."""
    return st.one_of(likely, likely, likely, ANYTHING)


BLOCKS = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("tool_use")},
        optional={
            "id": often(IDS),
            "name": often(st.sampled_from(["Task", "TodoWrite", "Edit", "Read", "Bash"])),
            "input": often(
                TODOS
                | st.fixed_dictionaries({"prompt": IDS, "description": IDS})
                | st.fixed_dictionaries({"file_path": IDS, "old_string": IDS, "new_string": IDS})
            ),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("tool_result")},
        optional={"tool_use_id": often(IDS), "is_error": often(st.booleans()), "content": often(IDS)},
    ),
    st.fixed_dictionaries({"type": st.sampled_from(["text", "thinking", "image"])}, optional={"text": often(IDS)}),
    ANYTHING,
)
USAGE = st.fixed_dictionaries(
    {},
    optional={name: often(st.integers(0, 99)) for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")},
)
RECORDS = st.fixed_dictionaries(
    {"type": often(st.sampled_from(["user", "assistant", "system", "summary"]))},
    optional={
        "timestamp": often(TIMES),
        "isSidechain": often(st.booleans()),
        "isMeta": often(st.booleans()),
        "agentId": often(IDS),
        "uuid": often(IDS),
        "parentUuid": often(IDS),
        "sessionId": often(IDS),
        "subtype": often(st.just("api_error")),
        "toolUseResult": often(st.fixed_dictionaries({"agentId": IDS, "originalFile": IDS})),
        "message": often(
            st.fixed_dictionaries(
                {},
                optional={
                    "id": often(IDS),
                    "content": often(IDS | st.lists(BLOCKS, max_size=3)),
                    "usage": often(USAGE),
                },
            )
        ),
    },
)
LINES = st.lists(often(RECORDS).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=12), max_size=14)

SAMPLE = Path(__file__).parents[1] / "compat" / "samples" / "claude-code" / "python-to-rust-port.jsonl"

ACTIVITIES = st.fixed_dictionaries(
    {"agent_id": often(IDS)},
    optional={
        "ts": often(TIMES),
        "event": often(st.sampled_from(["task_accepted", "task_complete", "assign", "decision", "sync_sent"])),
        "message": often(IDS),
        "decision": often(IDS),
        "duration_ms": ANYTHING,
        "meta": often(st.fixed_dictionaries({"task": IDS})),
    },
)


def is_sound(report: ImportReport) -> None:
    found = check(report.path)
    assert found.ok and not found.damages and found.events == report.events
    assert len(lines_of(Path(report.path))) == report.events
    times = [event.timestamp or 0 for event in read_events(report.path, strict=True)]
    assert times == sorted(times)


@given(LINES, st.booleans())
@settings(max_examples=100)
def test_any_transcript_becomes_a_sound_log_or_is_refused(lines: list[bytes], ended: bool) -> None:
    """Garbage in it is told or kept, never raised; done again, nothing changes."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "t.jsonl")
        path.write_bytes(b"\n".join(lines) + (b"\n" if ended else b""))
        try:
            report = import_session(SessionFiles(str(path), ""), Path(directory, "out"))
        except NotASessionLogError:
            return
        is_sound(report)
        again = import_session(SessionFiles(str(path), ""), Path(directory, "out"))
        assert (again.state, again.events) == ("unchanged", report.events)


@given(st.integers(1, SAMPLE.stat().st_size - 2))  # without its newline alone the last record is whole
@settings(max_examples=15)
def test_transcript_that_is_cut_anywhere_becomes_a_sound_log_that_grows_with_it(size: int) -> None:
    """What was imported of a session that was running is replaced by what a first import of the whole makes."""
    content = SAMPLE.read_bytes()
    with tempfile.TemporaryDirectory() as directory:
        path, out = Path(directory, "t.jsonl"), Path(directory, "out")
        files = SessionFiles(str(path), "")
        path.write_bytes(content[:size])
        try:
            before = import_session(files, out, redact=False)
        except NotASessionLogError:
            before = None
        else:
            is_sound(before)
            assert before.damage_count == 0
        path.write_bytes(content)
        after = import_session(files, out, redact=False)
        assert after.state == ("new" if before is None else "updated")
        whole = import_session(files, Path(directory, "whole"), redact=False)
        assert Path(after.path).read_bytes() == Path(whole.path).read_bytes()


@given(st.lists(ACTIVITIES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=12), max_size=14))
@settings(max_examples=60)
def test_any_activity_log_becomes_a_sound_log_or_is_refused(lines: list[bytes]) -> None:
    """Each of its records is one event."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "a.jsonl")
        path.write_bytes(b"\n".join(lines))
        try:
            report = import_activity_log(str(path), Path(directory, "out"))
        except NotASessionLogError:
            return
        is_sound(report)
        assert report.events == report.records + 1
