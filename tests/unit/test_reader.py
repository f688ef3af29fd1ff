from __future__ import annotations

import gzip
import logging
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import system
from deia.errors import DamagedLineError
from deia.events import FileEvent, SessionEvent, TaskEvent, ToolEvent, UnknownEvent
from deia.journal import source as source_module
from deia.journal.damage import KEPT_DAMAGES, Damage, DamageLog
from deia.journal.reader import read_entries, read_events, read_records
from deia.queue.layout import Kind, queue_path
from support.journals import RING_BYTES, SESSION, START, Lines, encode, journal_path, write_queue

TASK = b'{"name":"write_tests","start_time":1697654400.123,"end_time":1697656200.456,"metadata":{"priority":"P1"}}\n'
FILE = b'{"path":"/tests/test_logger.py","operation":"read","size_bytes":4096,"lines":null}\n'
TOOL = b'{"name":"pytest","params":{"path":"tests/"},"duration_ms":2500}\n'
ORIGINAL = TASK + FILE + TOOL


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def seqs(path: Path, **options: Any) -> list[int | None]:
    return [event.seq for event in read_events(path, **options)]


def damages(path: Path) -> list[Damage]:
    found: list[Damage] = []
    for _ in read_events(path, on_damage=found.append):
        pass
    return found


def kinds(path: Path) -> list[str]:
    return [damage.kind for damage in damages(path)]


# What comes out of a sound log


def test_each_type_of_line_becomes_its_event_with_seq_time_agent_and_session(journal: Path, lines: Lines) -> None:
    """A task's start and completion are one event each, and every event says whose it is."""
    journal.write_bytes(
        lines.begin("build", at=1)
        + lines.file("write", "/out", at=2, size_bytes=10, lines=3, task_id=1)
        + lines.tool("make", 7, params={"j": 2}, at=3, task_id=1)
        + lines.complete(1, "build", began=1, at=4, duration_ms=3000)
        + lines.continued(2, at=5)
    )
    start, file, tool, end, session = read_events(journal)
    assert start == TaskEvent("build", START + 1)
    assert file == FileEvent("/out", "write", 10, 3)
    assert tool == ToolEvent("make", {"j": 2}, 7)
    assert end == TaskEvent("build", START + 1, START + 4)
    assert session == SessionEvent("continued", run=2, recovered_bytes=0, lost_bytes=0)
    assert isinstance(end, TaskEvent)
    assert isinstance(file, FileEvent)
    assert isinstance(tool, ToolEvent)
    assert (end.task_id, end.parent_id, end.duration_ms, end.orphan) == (1, None, 3000, False)
    assert (file.task_id, tool.task_id) == (1, 1)
    for number, event in enumerate((start, file, tool, end, session), 1):
        assert (event.seq, event.timestamp, event.agent_id, event.session_id) == (number, START + number, "agent", "session")


def test_original_lines_are_told_apart_by_their_keys(journal: Path) -> None:
    """Lines without `type` and without our additions are events all the same."""
    journal.write_bytes(ORIGINAL)
    events = list(read_events(journal, strict=True))
    assert events == [
        TaskEvent("write_tests", 1697654400.123, 1697656200.456, {"priority": "P1"}),
        FileEvent("/tests/test_logger.py", "read", 4096, None),
        ToolEvent("pytest", {"path": "tests/"}, 2500),
    ]
    assert [(event.seq, event.timestamp, event.agent_id, event.session_id) for event in events] == [(None,) * 4] * 3


def test_original_lines_with_a_type_are_read(journal: Path) -> None:
    """The original format had lines with `type` as well."""
    journal.write_bytes(encode({"type": "TaskEvent", "name": "a", "start_time": 0.0, "end_time": 3.0, "metadata": {}}))
    assert list(read_events(journal, strict=True)) == [TaskEvent("a", 0.0, 3.0)]


def test_unknown_types_are_kept_as_they_stand(journal: Path, lines: Lines) -> None:
    """A type that this release does not know is no damage; its whole line is kept."""
    journal.write_bytes(lines.line({"type": "ModelEvent", "tokens": 12}))
    (event,) = read_events(journal, strict=True)
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.fields["tokens"], event.seq, event.session_id) == ("ModelEvent", 12, 1, SESSION)


@pytest.mark.parametrize("odd", ["2025-10-11T16:22:00", None, [], True, 10**30])
def test_unknown_original_events_may_hold_anything_under_our_names(journal: Path, odd: object) -> None:
    """A time as text, or a number where we have text, breaks nothing in a line that is not ours."""
    journal.write_bytes(encode({"type": "x", "timestamp": odd, "seq": str(odd), "agent_id": 3, "session_id": [odd]}))
    (event,) = read_events(journal, strict=True)
    assert (event.seq, event.timestamp, event.agent_id, event.session_id) == (None,) * 4


def test_known_original_events_may_hold_a_time_as_text(journal: Path) -> None:
    """Fields that the original format did not have are taken where they make sense, and else left out."""
    journal.write_bytes(encode({"name": "t", "params": {}, "duration_ms": 1, "timestamp": "2025-10-11", "agent_id": "A"}))
    (event,) = read_events(journal, strict=True)
    assert (event.timestamp, event.agent_id) == (None, "A")


def test_unknown_keys_are_kept_in_the_record(journal: Path, lines: Lines) -> None:
    """A field that a later release adds is no damage, and whoever reads records sees it."""
    journal.write_bytes(lines.tool(colour="red"))
    (record,) = read_records(journal, strict=True)
    assert record.fields["colour"] == "red"


@pytest.mark.parametrize(("given", "kept"), [(None, {}), ([1], {"value": [1]}), ("x", {"value": "x"}), ({"a": 1}, {"a": 1})])
def test_parameters_that_are_no_mapping_are_kept_in_one(journal: Path, given: object, kept: dict[str, Any]) -> None:
    """The same as the logger does when it records them."""
    journal.write_bytes(encode({"name": "t", "params": given, "duration_ms": 1}))
    assert list(read_events(journal, strict=True)) == [ToolEvent("t", kept, 1)]


def test_fractions_of_a_millisecond_are_rounded(journal: Path) -> None:
    """The original format did not insist on whole numbers."""
    journal.write_bytes(encode({"name": "t", "params": {}, "duration_ms": 2.6}))
    assert list(read_events(journal)) == [ToolEvent("t", {}, 3)]


def test_orphan_is_marked(journal: Path, lines: Lines) -> None:
    """A completion without a start says so."""
    journal.write_bytes(lines.complete(None, orphan=True))
    (event,) = read_events(journal, strict=True)
    assert isinstance(event, TaskEvent)
    assert event.orphan


def test_records_tell_number_offset_and_length_of_each_line(journal: Path, lines: Lines) -> None:
    """Offsets and lengths cover the file without a hole, so that a line can be found again."""
    content = [lines.tool(), lines.tool("ü"), lines.file()]
    journal.write_bytes(b"".join(content))
    at = 0
    for number, (record, line) in enumerate(zip(read_records(journal), content, strict=True), 1):
        assert (record.number, record.offset, record.length) == (number, at, len(line))
        at += len(line)


def test_records_need_not_be_events(journal: Path) -> None:
    """`read_records` is a level below events: any JSON object will do."""
    journal.write_bytes(b'{"a":1}\n')
    assert [record.fields for record in read_records(journal, strict=True)] == [{"a": 1}]


def test_entries_pair_each_event_with_its_line(journal: Path, lines: Lines) -> None:
    """Whoever needs more than the event has its line beside it."""
    journal.write_bytes(lines.tool() + TOOL)
    ours, original = read_entries(journal)
    assert (ours.original, ours.session_start, ours.record.offset) == (False, START, 0)
    assert (original.original, original.session_start) == (True, None)


def test_empty_file_has_no_events_and_no_damage(journal: Path) -> None:
    """A session that logged nothing is a sound log."""
    journal.touch()
    assert list(read_events(journal, strict=True)) == []


def test_path_may_be_text_or_path_or_link(journal: Path, lines: Lines, tmp_path: Path) -> None:
    """A link is followed, and the queue file is looked for beside what it means."""
    first, second = lines.tool(), lines.tool()
    journal.write_bytes(first)
    write_queue(journal, first + second)
    link = tmp_path / "elsewhere" / "latest.jsonl"
    link.parent.mkdir()
    link.symlink_to(journal)
    for path in (journal, str(journal), link):
        assert [event.seq for event in read_events(path)] == [1, 2]


def test_missing_file_raises_at_the_call(journal: Path) -> None:
    """The error comes where the wrong path was written, not at the first event."""
    for read in (read_events, read_records, read_entries):
        with pytest.raises(FileNotFoundError, match=r"agent_session\.jsonl"):
            read(journal)


def test_directory_raises_at_the_call(tmp_path: Path) -> None:
    """A directory is called one."""
    with pytest.raises(IsADirectoryError, match="a directory, not a session log"):
        read_events(tmp_path)


def test_pipe_can_be_read(tmp_path: Path, lines: Lines) -> None:
    """A log may come through a pipe (`/dev/stdin`), which can neither be measured nor rewound."""
    reading, writing = os.pipe()
    os.write(writing, lines.tool() + lines.tool() + b'{"type":"Too')
    os.close(writing)
    try:
        assert [record.fields["seq"] for record in read_records(f"/dev/fd/{reading}")] == [1, 2]
    finally:
        os.close(reading)


# Damage


def test_torn_last_line_is_reported_and_is_no_error(journal: Path, lines: Lines) -> None:
    """What a crash left of a call that had not returned: counted, even a strict reading goes past it."""
    whole, torn = lines.tool(), lines.tool()[:-9]
    journal.write_bytes(whole + torn)
    (damage,) = damages(journal)
    assert (damage.kind, damage.line, damage.offset) == ("torn", 2, len(whole))
    assert f"{len(torn)} bytes" in damage.reason
    assert seqs(journal, strict=True) == [1]


def test_line_of_ours_without_its_newline_is_torn(journal: Path, lines: Lines) -> None:
    """Bytes after the last newline are never a line of this format, though they parse."""
    journal.write_bytes(lines.tool() + lines.tool()[:-1])
    assert seqs(journal) == [1]
    assert kinds(journal) == ["torn"]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_original_file_may_lack_the_final_newline(journal: Path, bom: bytes) -> None:
    """A whole object in the original format is a line where no queue file is."""
    journal.write_bytes(bom + TOOL[:-1])
    assert list(read_events(journal, strict=True)) == [ToolEvent("pytest", {"path": "tests/"}, 2500)]


def test_original_line_without_newline_is_torn_beside_a_queue_file(journal: Path) -> None:
    """There our writer is at work, who ends every line."""
    journal.write_bytes(TOOL + TOOL[:-1])
    queue_path(journal).touch()
    assert len(list(read_events(journal))) == 1
    assert kinds(journal) == ["torn"]


@pytest.mark.parametrize("tail", [b"5", b'"x"', b"[1]", b"{", b"no json"])
def test_other_last_bytes_are_torn(journal: Path, tail: bytes) -> None:
    """What is no whole object was cut."""
    journal.write_bytes(TOOL + tail)
    assert kinds(journal) == ["torn"]


BROKEN: list[tuple[str, bytes, str]] = [
    ("not JSON", b'{\\n"a":1}', r"not JSON: .*\(character 2\)"),
    ("cut in the middle", b'{"type":"ToolEvent","na', "not JSON"),
    ("invalid UTF-8", b'{"name":"\xff","params":{},"duration_ms":1}', "UTF-8"),
    ("an array", b"[1,2]", "an array, not a JSON object"),
    ("a number", b"12", "a number, not a JSON object"),
    ("a text", b'"x"', "text, not a JSON object"),
    ("null", b"null", "null, not a JSON object"),
    ("a boolean", b"true", "true or false, not a JSON object"),
    ("an empty line", b"", "an empty line"),
    ("white space", b" \t\r", "an empty line"),
    ("NULs", bytes(300), "300 NUL bytes"),
    ("NULs and a piece", bytes(4) + b'params":{}}', "4 NUL bytes"),
    ("a piece and NULs", b'{"type":' + bytes(9), "9 NUL bytes"),
    ("no event", b'{"a":1}', "not an event: neither a type nor the keys of the original format"),
    ("type no text", b'{"type":5}', "field 'type' must be text, not 5"),
    ("task without name", b'{"type":"TaskEvent","start_time":1}', "field 'name' is missing"),
    ("name no text", b'{"type":"ToolEvent","name":5,"params":{},"duration_ms":1}', "field 'name' must be text, not 5"),
    ("duration text", b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":"5"}', "'duration_ms' must be a number, not '5'"),
    ("duration missing", b'{"type":"ToolEvent","name":"t","params":{}}', "field 'duration_ms' is missing"),
    ("duration true", b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":true}', "must be a number, not True"),
    ("duration huge", b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":1e300}', "'duration_ms' is out of range"),
    ("start text", b'{"name":"t","start_time":"2025-10-11T16:22:00","end_time":1}', "field 'start_time' must be a number"),
    ("start huge", b'{"name":"t","start_time":1e15,"end_time":1}', "field 'start_time' is out of range"),
    ("end no number", b'{"name":"t","start_time":1,"end_time":{}}', "field 'end_time' must be a number"),
    ("path missing", b'{"operation":"read"}', "field 'path' is missing"),
    ("operation no text", b'{"path":"/","operation":null}', "field 'operation' must be text, not None"),
    ("size text", b'{"path":"/","operation":"read","size_bytes":"4"}', "field 'size_bytes' must be a number"),
    ("session event of nothing", b'{"type":"SessionEvent","v":1}', "field 'event' is missing"),
    ("seq text", b'{"type":"SessionEvent","event":"x","seq":"1","v":1}', "field 'seq' must be a number"),
    ("time text", b'{"type":"SessionEvent","event":"x","timestamp":"1","v":1}', "field 'timestamp' must be a number"),
    ("agent no text", b'{"type":"SessionEvent","event":"x","agent_id":7,"v":1}', "field 'agent_id' must be text, not 7"),
    ("long value", b'{"type":' + b"[%s]" % b",".join([b"1"] * 99) + b"}", "field 'type' must be text, not .{40}…"),
    ("deep nesting", b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "not JSON"),
    ("infinity", b'{"name":"t","params":{},"duration_ms":1e999}', "not JSON"),
]


@pytest.mark.parametrize(("line", "reason"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_unreadable_line_is_reported_with_number_offset_and_reason(journal: Path, line: bytes, reason: str) -> None:
    """It neither passes in silence nor stops the rest from being read; a strict reading raises at it."""
    journal.write_bytes(FILE + line + b"\n" + TOOL)
    found: list[Damage] = []
    assert len(list(read_events(journal, on_damage=found.append))) == 2
    (damage,) = found
    assert (damage.kind, damage.path, damage.line, damage.offset) == ("unreadable", str(journal), 2, len(FILE))
    with pytest.raises(AssertionError) if not _matches(reason, damage.reason) else _passing():
        pass
    with pytest.raises(DamagedLineError) as caught:
        list(read_events(journal, strict=True))
    error = caught.value
    assert (error.path, error.line, error.offset, error.reason) == (str(journal), 2, len(FILE), damage.reason)
    assert "line 2" in str(error)
