from __future__ import annotations

import gzip
import logging
import os
import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia.errors import DamagedLineError, NotASessionLogError
from deia.events import FileEvent, SessionEvent, TaskEvent, ToolEvent, UnknownEvent
from deia.journal import source as source_module
from deia.journal.damage import KEPT_DAMAGES, Damage, DamageLog
from deia.journal.reader import read_entries, read_events
from deia.journal.source import Source
from deia.queue.layout import HEADER_BYTES, Kind, queue_path, ring_name
from deia.queue.window import Window, read_window
from support.journals import RING_BYTES, SESSION, START, Lines, encode, journal_path, write_queue
from support.records import read_records

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
        assert (event.seq, event.timestamp, event.agent_id, event.session_id) == (
            number,
            START + number,
            "agent",
            "session",
        )


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
    journal.write_bytes(
        encode({"name": "t", "params": {}, "duration_ms": 1, "timestamp": "2025-10-11", "agent_id": "A"})
    )
    (event,) = read_events(journal, strict=True)
    assert (event.timestamp, event.agent_id) == (None, "A")


def test_unknown_keys_are_kept_in_the_record(journal: Path, lines: Lines) -> None:
    """A field that a later release adds is no damage, and whoever reads records sees it."""
    journal.write_bytes(lines.tool(colour="red"))
    (record,) = read_records(journal, strict=True)
    assert record.fields["colour"] == "red"


@pytest.mark.parametrize(
    ("given", "kept"), [(None, {}), ([1], {"value": [1]}), ("x", {"value": "x"}), ({"a": 1}, {"a": 1})]
)
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
    """Records are a level below events: any JSON object will do."""
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


@pytest.mark.parametrize("tail", [b"{", b'{"type":"Tool\xff', b"\xef\xbb\xbf{", bytes(3) + b"{", b'{"a' + bytes(3)])
def test_beginning_of_an_object_at_the_end_is_torn(journal: Path, tail: bytes) -> None:
    """What is no whole object was cut."""
    journal.write_bytes(TOOL + tail)
    assert kinds(journal) == ["torn"]


@pytest.mark.parametrize("tail", [b"5", b'"x"', b"[1]", b"no json"])
def test_last_bytes_that_begin_no_object_are_damage(journal: Path, tail: bytes) -> None:
    """No crash of ours leaves them: each of our lines begins with its brace."""
    journal.write_bytes(TOOL + tail)
    assert kinds(journal) == ["unreadable"]


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
    (
        "duration text",
        b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":"5"}',
        "'duration_ms' must be a number, not '5'",
    ),
    ("duration missing", b'{"type":"ToolEvent","name":"t","params":{}}', "field 'duration_ms' is missing"),
    ("duration true", b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":true}', "must be a number, not True"),
    (
        "duration huge",
        b'{"type":"ToolEvent","name":"t","params":{},"duration_ms":1e300}',
        "'duration_ms' is out of range",
    ),
    (
        "start text",
        b'{"name":"t","start_time":"2025-10-11T16:22:00","end_time":1}',
        "field 'start_time' must be a number",
    ),
    ("start huge", b'{"name":"t","start_time":1e15,"end_time":1}', "field 'start_time' is out of range"),
    ("end no number", b'{"name":"t","start_time":1,"end_time":{}}', "field 'end_time' must be a number"),
    ("path missing", b'{"operation":"read"}', "field 'path' is missing"),
    ("operation no text", b'{"path":"/","operation":null}', "field 'operation' must be text, not None"),
    ("size text", b'{"path":"/","operation":"read","size_bytes":"4"}', "field 'size_bytes' must be a number"),
    ("session event of nothing", b'{"type":"SessionEvent","v":1}', "field 'event' is missing"),
    ("seq text", b'{"type":"SessionEvent","event":"x","seq":"1","v":1}', "field 'seq' must be a number"),
    ("time text", b'{"type":"SessionEvent","event":"x","timestamp":"1","v":1}', "field 'timestamp' must be a number"),
    (
        "agent no text",
        b'{"type":"SessionEvent","event":"x","agent_id":7,"v":1}',
        "field 'agent_id' must be text, not 7",
    ),
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
    assert re.search(reason, damage.reason)
    with pytest.raises(DamagedLineError) as caught:
        list(read_events(journal, strict=True))
    error = caught.value
    assert (error.path, error.line, error.offset, error.reason) == (str(journal), 2, len(FILE), damage.reason)
    assert "line 2" in str(error)


def test_blank_lines_at_the_end_mean_nothing(journal: Path) -> None:
    """An editor leaves them; nothing can have been lost there."""
    journal.write_bytes(FILE + b"\n\n  \n \t")
    assert len(list(read_events(journal, strict=True))) == 1


def test_blank_lines_in_a_row_are_one_finding(journal: Path) -> None:
    """Each run of empty lines is told once, where it begins."""
    journal.write_bytes(FILE + b"\n\n\n" + TOOL + b"\n" + b"broken\n\n" + b'{"torn')
    assert [(damage.line, damage.reason.split(":")[0]) for damage in damages(journal)] == [
        (2, "3 empty lines"),
        (6, "an empty line"),
        (7, "not JSON"),
        (8, "an empty line"),
        (9, "a torn end"),
    ]


@pytest.mark.parametrize(
    "before", [bytes(5), b'{"type":"Fil' + bytes(5), b'{"a\0":' + bytes(4), bytes(5) + b"\xef\xbb\xbf"]
)
def test_whole_line_behind_nuls_is_read(journal: Path, before: bytes) -> None:
    """A session that went on after a loss of power, without recovery, appended it; the NULs are reported."""
    journal.write_bytes(FILE + before + TOOL + FILE)
    found: list[Damage] = []
    records = list(read_records(journal, on_damage=found.append))
    assert len(records) == 3
    assert (records[1].offset, records[1].length) == (len(FILE + before), len(TOOL))
    (damage,) = found
    assert (damage.kind, damage.line, damage.offset) == ("unreadable", 2, len(FILE))
    assert damage.reason.startswith("5 NUL bytes")


def test_nuls_at_the_end_are_a_torn_end(journal: Path) -> None:
    """After a loss of power a file may have grown without its data having been stored."""
    journal.write_bytes(FILE + bytes(8192))
    (damage,) = damages(journal)
    assert (damage.kind, damage.line, damage.reason) == (
        "torn",
        2,
        "a torn end: 8192 NUL bytes, as a loss of power leaves them",
    )


@pytest.mark.once
def test_endless_nuls_take_no_memory(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole of any size is counted, not kept."""
    monkeypatch.setattr(source_module, "CHUNK_BYTES", 64 * 1024)
    with journal.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + TOOL)
    tracemalloc.start()
    try:
        assert len(list(read_events(journal, on_damage=DamageLog().add))) == 1
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_byte_order_mark_is_passed_over(journal: Path) -> None:
    """At the start of a file, and where files that have one were put together."""
    journal.write_bytes(b"\xef\xbb\xbf" + TOOL + b"\xef\xbb\xbf" + FILE)
    assert len(list(read_events(journal, strict=True))) == 2


def test_lines_may_end_in_carriage_return_and_newline(journal: Path) -> None:
    """A file that went through a text editor on Windows is still a log."""
    journal.write_bytes(ORIGINAL.replace(b"\n", b"\r\n"))
    assert len(list(read_events(journal, strict=True))) == 3


def test_very_long_line_is_put_together_once(journal: Path, lines: Lines) -> None:
    """A line of many megabytes costs its own size twice, not a copy per chunk."""
    text = "x" * (16 * 1024 * 1024)
    journal.write_bytes(lines.tool() + lines.tool(params={"text": text}) + lines.tool())
    tracemalloc.start()
    try:
        lengths = [line.length for line in Source(journal).lines()]
        assert tracemalloc.get_traced_memory()[1] < 3 * len(text)
    finally:
        tracemalloc.stop()
    assert sum(lengths) == journal.stat().st_size
    sizes = [len(event.params.get("text", "")) for event in read_events(journal) if isinstance(event, ToolEvent)]
    assert sizes == [0, len(text), 0]


@pytest.mark.once
def test_memory_does_not_grow_with_the_file(journal: Path, lines: Lines) -> None:
    """Reading is streaming: ten thousand lines take no more memory than one chunk does."""
    journal.write_bytes(b"".join(lines.tool() for _ in range(20_000)))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_events(journal)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 3 * 1024 * 1024
    finally:
        tracemalloc.stop()


# seq


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ([1, 2, 3], []),
        ([1, 3], [("gap", "seq 2 is missing before this line")]),
        ([1, 6], [("gap", "seq 2 to 5 are missing before this line")]),
        ([4, 5], [("gap", "seq 1 to 3 are missing before this line")]),
        ([1, 2, 2, 3], [("duplicate", "seq 2 comes after seq 2: the line is repeated, or out of its place")]),
        ([1, 2, 3, 1, 2, 3, 4], [("duplicate", "seq 1 comes after seq 3: the line is repeated, or out of its place")]),
        ([1, 2, 3, 2, 4], [("duplicate", "seq 2 comes after seq 3: the line is repeated, or out of its place")]),
    ],
)
def test_seq_tells_gaps_and_repetitions(journal: Path, kept: list[int], found: list[tuple[str, str]]) -> None:
    """A gap is how a reader sees a loss; every line is read all the same."""
    lines = Lines()
    numbered = {seq: lines.tool() for seq in range(1, 8)}
    journal.write_bytes(b"".join(numbered[seq] for seq in kept))
    assert [(damage.kind, damage.reason) for damage in damages(journal)] == found
    assert seqs(journal) == kept


def test_unreadable_lines_account_for_what_is_missing(journal: Path, lines: Lines) -> None:
    """One loss is one finding: a gap is reported only where more is missing than could not be read."""
    content = [lines.tool() for _ in range(8)]
    content[1] = b"broken\n"
    content[3:6] = [b"broken\n"]
    journal.write_bytes(b"".join(content))
    assert kinds(journal) == ["unreadable", "unreadable", "gap"]


def test_sessions_may_follow_each_other_in_a_file(journal: Path) -> None:
    """Lines are complete in themselves, so that files can be concatenated: each session counts for itself."""
    first, second = Lines(session_id="a"), Lines(session_id="b")
    journal.write_bytes(first.tool() + first.tool() + second.tool() + second.tool() + first.tool())
    assert seqs(journal, strict=True) == [1, 2, 1, 2, 3]


# v


def test_unknown_version_is_said_loudly_and_read_as_far_as_it_can(
    journal: Path, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning and one finding per version; the lines that still make sense are events."""
    journal.write_bytes(lines.tool() + lines.tool(v=2) + lines.tool(v=2, duration_ms={"s": 5}) + lines.tool(v="3"))
    found: list[Damage] = []
    events = list(read_events(journal, on_damage=found.append))
    assert [type(event) for event in events] == [ToolEvent, ToolEvent, UnknownEvent, ToolEvent]
    assert [(damage.kind, damage.line) for damage in found] == [("unknown-version", 2), ("unknown-version", 4)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "format version 2; this release knows version 1" in caplog.text
    with pytest.raises(DamagedLineError, match="format version 2"):
        list(read_events(journal, strict=True))


def test_line_of_unknown_version_that_is_no_event_is_unreadable(journal: Path, lines: Lines) -> None:
    """Nothing tells what it is."""
    journal.write_bytes(lines.line({"a": 1}, v=2) + lines.tool())
    assert kinds(journal) == ["unknown-version", "unreadable"]


def test_lines_without_an_event_among_them_are_no_session_log(journal: Path) -> None:
    """Whoever reads another kind of file is told; a session killed in its first call is none."""
    for content in (b"not a log\n", b"{}\n[]\n", b"\0\0\n"):
        journal.write_bytes(content)
        with pytest.raises(NotASessionLogError, match="is not a session log"):
            list(read_events(journal))
    for content in (b"", b'{"type":"To'):
        journal.write_bytes(content)
        assert list(read_events(journal)) == []


# Reports that nobody asked for


def test_problems_go_to_the_log_where_nobody_takes_them(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Never silent: a warning each, and information about a torn end."""
    caplog.set_level(logging.INFO)
    journal.write_bytes(FILE + b"broken\n" + TOOL + b'{"torn')
    assert len(list(read_events(journal))) == 2
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "deia.journal.reader"),
        ("INFO", "deia.journal.reader"),
    ]
    assert f"{journal}: line 2 (byte {len(FILE)}): not JSON" in caplog.text


def test_log_of_problems_has_an_end(journal: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file damaged from end to end does not fill the program's log."""
    journal.write_bytes(b"broken\n" * (3 * KEPT_DAMAGES) + TOOL)
    assert len(list(read_events(journal))) == 1
    assert len(caplog.records) == KEPT_DAMAGES + 1
    assert caplog.messages[-1].endswith("further problems are not shown")


def test_unknown_version_is_not_announced_twice(journal: Path, lines: Lines, caplog: pytest.LogCaptureFixture) -> None:
    """One warning is enough where nobody takes the report."""
    journal.write_bytes(lines.tool(v=2) * 2)
    list(read_records(journal, on_damage=None))
    assert [("format version" in message) for message in caplog.messages] == [True, False]


def test_collected_damages_are_bounded_and_all_counted() -> None:
    """A report of a million problems lists the first hundred and says that there are more."""
    log = DamageLog()
    for number in range(KEPT_DAMAGES):
        log.add(Damage("p", number, 0, "gap", ""))
    assert not log.capped
    log.add(Damage("p", 7, 0, "unreadable", ""))
    assert log.capped
    assert (log.count, len(log.kept), dict(log.by_kind)) == (101, 100, {"gap": 100, "unreadable": 1})


# Compressed


def test_compressed_log_reads_like_the_plain_one(tmp_path: Path, journal: Path, lines: Lines) -> None:
    """By its content, whatever its name; several compressed parts may follow each other."""
    parts = [lines.tool() + lines.file(), lines.tool()]
    journal.write_bytes(b"".join(parts))
    packed = tmp_path / "log.jsonl.gz"
    packed.write_bytes(b"".join(map(gzip.compress, parts)))
    assert list(read_events(packed, strict=True)) == list(read_events(journal, strict=True))
    misnamed = packed.rename(tmp_path / "log.jsonl")
    assert seqs(misnamed, strict=True) == [1, 2, 3]


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-30], lambda data: data[:-8] + bytes(8), lambda data: data + b"xx"]
)
def test_damaged_compressed_log_is_read_as_far_as_it_goes(
    tmp_path: Path, lines: Lines, spoil: Callable[[bytes], bytes]
) -> None:
    """A cut, a wrong checksum and rubbish behind the end are reported, what came before is read."""
    path = tmp_path / "log.gz"
    content = b"".join(lines.tool(params={"n": os.urandom(20).hex()}) for _ in range(2000))
    path.write_bytes(spoil(gzip.compress(content)))
    found: list[Damage] = []
    read = sum(1 for _ in read_events(path, on_damage=found.append))
    assert read > 1500
    assert found[0].kind == "unreadable"
    assert "the compressed data is cut or damaged" in found[0].reason
    assert {damage.kind for damage in found[1:]} <= {"torn"}
    with pytest.raises(DamagedLineError, match="compressed"):
        list(read_events(path, strict=True))


# The queue file


@pytest.mark.parametrize(
    "boot_id", [None, bytes(16), b"another boot id!"], ids=["trusted", "unknown boot", "other boot"]
)
@pytest.mark.parametrize("cut", [0, 1, 100, 200, 400])
def test_events_that_only_the_queue_file_holds_are_read(
    journal: Path, lines: Lines, boot_id: bytes | None, cut: int
) -> None:
    """Reading needs no repair: what a killed process had not written is taken from its window, torn end or not."""
    content = b"".join(lines.tool() for _ in range(5))
    journal.write_bytes(content[: len(content) - cut])
    write_queue(journal, content, boot_id=boot_id)
    found: list[Damage] = []
    records = list(read_records(journal, on_damage=found.append))
    assert [record.fields["seq"] for record in records] == [1, 2, 3, 4, 5]
    assert found == []
    assert [(record.number, content[record.offset : record.offset + record.length]) for record in records] == list(
        enumerate(content.splitlines(keepends=True), 1)
    )


def test_window_that_has_wrapped_around_is_read_in_order(journal: Path, lines: Lines) -> None:
    """The ring holds the newest bytes wherever they lie in it."""
    content = b"".join(lines.tool() for _ in range(1000))
    assert len(content) > 2 * RING_BYTES
    journal.write_bytes(content[: len(content) - RING_BYTES + 10])
    write_queue(journal, content)
    assert seqs(journal, strict=True) == list(range(1, 1001))


def test_lock_only_and_empty_queue_files_hold_nothing(journal: Path, lines: Lines) -> None:
    """Mode `write` has a queue file for its lock; a session that died while it was opened has an empty one."""
    journal.write_bytes(lines.tool())
    write_queue(journal, b"", kind=Kind.LOCK, committed=500)
    assert seqs(journal, strict=True) == [1]
    queue_path(journal).write_bytes(b"")
    assert seqs(journal, strict=True) == [1]


def test_window_elsewhere_is_found_by_its_pointer(journal: Path, lines: Lines, tmp_path: Path) -> None:
    """With `queue_dir=` the ring lies in another directory."""
    content = lines.tool() + lines.tool()
    journal.write_bytes(content[:20])
    ring = tmp_path / "tmpfs" / ring_name(queue_path(journal))
    ring.parent.mkdir()
    write_queue(journal, content, at=ring)
    write_queue(journal, b"", kind=Kind.POINTER, target=ring)
    assert seqs(journal, strict=True) == [1, 2]
    ring.unlink()
    assert kinds(journal) == ["torn"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:100],
        lambda data: b"no queue" + data[8:],
        lambda data: data[:8] + b"\7" + data[9:],
        lambda data: data[:20] + b"\1" + data[21:],
    ],
    ids=["cut", "something else", "another version", "damaged"],
)
def test_unreadable_queue_file_is_a_finding_and_the_journal_is_read(
    journal: Path, lines: Lines, spoil: Callable[[bytes], bytes]
) -> None:
    """The journal is the truth; that something may be missing is said."""
    content = lines.tool() + lines.tool()
    journal.write_bytes(content)
    queue = write_queue(journal, content)
    queue.write_bytes(spoil(queue.read_bytes()))
    (damage,) = damages(journal)
    assert (damage.kind, damage.line, damage.offset) == ("queue", 3, len(content))
    assert "the queue file cannot be read" in damage.reason
    assert seqs(journal) == [1, 2]
    with pytest.raises(DamagedLineError, match="queue file"):
        list(read_events(journal, strict=True))


def test_link_in_the_place_of_the_queue_file_is_a_finding(journal: Path, lines: Lines, tmp_path: Path) -> None:
    """It is refused, as our writer refuses it."""
    journal.write_bytes(lines.tool())
    queue_path(journal).symlink_to(tmp_path / "anything")
    assert kinds(journal) == ["queue"]


def test_queue_file_of_another_session_is_not_read(journal: Path, lines: Lines) -> None:
    """A copied or renamed queue file must not put foreign events into a log."""
    other = Lines(session_id="other")
    journal.write_bytes(lines.tool())
    write_queue(journal, other.tool(), session_id="other", boot_id=bytes(16))
    (damage,) = damages(journal)
    assert (damage.kind, "session 'other'" in damage.reason) == ("queue", True)
    assert seqs(journal) == [1]


def test_empty_journal_takes_the_window_that_bears_its_name(journal: Path, lines: Lines) -> None:
    """Nothing of the session reached the journal before the machine lost power."""
    journal.touch()
    write_queue(journal, lines.tool() + lines.tool(), boot_id=bytes(16))
    assert seqs(journal, strict=True) == [1, 2]


def test_queue_file_of_nuls_holds_nothing(journal: Path, lines: Lines) -> None:
    """A loss of power leaves that of a file none of whose pages had been stored."""
    journal.write_bytes(lines.tool())
    write_queue(journal, b"").write_bytes(bytes(HEADER_BYTES + 64 * 1024))
    assert damages(journal) == []
    queue_path(journal).write_bytes(bytes(HEADER_BYTES) + b"x")
    assert [damage.kind for damage in damages(journal)] == ["queue"]


def test_window_that_does_not_go_on_where_the_journal_ends_is_a_finding(journal: Path, lines: Lines) -> None:
    """Lines beyond a gap have no place; that they are there is said, with their number."""
    content = [lines.tool() for _ in range(5)]
    journal.write_bytes(content[0])
    write_queue(journal, b"".join(content[2:]) + b"[]\nrubbish\n", boot_id=bytes(16))
    (damage,) = damages(journal)
    assert (damage.kind, damage.reason) == (
        "queue",
        "3 lines of the queue file do not go on where the journal ends; not read",
    )
    assert seqs(journal) == [1]


def test_torn_end_that_the_untrusted_window_does_not_continue_is_reported(journal: Path, lines: Lines) -> None:
    """The journal's torn end gives way to what the window has in its place, as recovery would have it."""
    content = [lines.tool() for _ in range(3)]
    journal.write_bytes(content[0] + b'{"type":"Other')
    write_queue(journal, b"".join(content), boot_id=bytes(16))
    found: list[Damage] = []
    records = list(read_records(journal, on_damage=found.append))
    assert [record.offset for record in records] == [0, len(content[0]), len(content[0] + content[1])]
    assert [damage.kind for damage in found] == ["torn"]


def test_journal_ahead_of_the_window_is_complete(journal: Path, lines: Lines) -> None:
    """A line longer than the ring is in the journal before it is committed."""
    first, second = lines.tool(), lines.tool()
    journal.write_bytes(first + second)
    write_queue(journal, first)
    assert seqs(journal, strict=True) == [1, 2]


def test_cut_direct_write_is_torn(journal: Path, lines: Lines) -> None:
    """A process killed in the middle of writing a line that is longer than the ring."""
    first, second = lines.tool(), lines.tool()
    journal.write_bytes(first + second[:50])
    write_queue(journal, first)
    assert seqs(journal) == [1]
    assert kinds(journal) == ["torn"]


# A writer at work


class Writer:
    """Does its next step whenever a reader has come to an end in the middle of a line and looks at the window again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *steps: Callable[[], object]) -> None:
        self._steps = [lambda: None, *steps]
        monkeypatch.setattr(source_module, "read_window", self._read_window)

    def _read_window(self, journal: Path) -> Window | None:
        if self._steps:
            self._steps.pop(0)()
        return read_window(journal)


def test_line_that_is_being_written_is_not_torn(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that meets a live writer in the middle of a line looks again: no torn line that a reader sees."""
    content = b"".join(lines.tool() for _ in range(4))
    half = len(content) // 2 + 40
    journal.write_bytes(content[:half])
    write_queue(journal, content[: len(content) // 2])
    Writer(monkeypatch, lambda: write_queue(journal, content))
    assert seqs(journal, strict=True) == [1, 2, 3, 4]
    assert kinds(journal) == []


def test_line_that_is_written_without_a_ring_is_not_torn(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor in mode `write`: the reader goes on in the journal for as long as something comes."""
    content = b"".join(lines.tool() for _ in range(3))
    journal.write_bytes(content[:-90])
    write_queue(journal, b"", kind=Kind.LOCK)
    Writer(monkeypatch, lambda: journal.write_bytes(content[:-40]), lambda: journal.write_bytes(content))
    assert seqs(journal, strict=True) == [1, 2, 3]


def test_reading_ends_however_fast_the_writer_is(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there at the call is read; a log that grows with every line that is read has an end all the same."""
    monkeypatch.setattr(source_module, "CHUNK_BYTES", 100)
    journal.write_bytes(b"".join(lines.tool() for _ in range(10)))
    write_queue(journal, journal.read_bytes())
    read = 0
    for event in read_events(journal, strict=True):
        read += 1
        assert event.seq == read
        with journal.open("ab") as file:
            file.write(lines.tool())
    assert read == 10


def test_writer_that_laps_the_reader_is_followed_into_the_journal(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the ring has lost in the meantime was written to the journal before."""
    content = b"".join(lines.tool() for _ in range(1000))
    journal.write_bytes(content[:250])
    write_queue(journal, content[:200])

    def lap() -> None:
        with journal.open("r+b") as file:
            file.write(content[:-100])
        write_queue(journal, content)

    Writer(monkeypatch, lap)
    assert seqs(journal, strict=True) == list(range(1, 1001))


def test_session_that_closes_meanwhile_is_complete(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue file that vanishes between the steps means that the journal holds everything."""
    content = b"".join(lines.tool() for _ in range(4))
    journal.write_bytes(content[:-50])
    queue = write_queue(journal, content[:-150])

    def close() -> None:
        journal.write_bytes(content)
        queue.unlink()

    Writer(monkeypatch, close)
    assert [event.seq for event in read_events(journal)] == [1, 2, 3, 4]
