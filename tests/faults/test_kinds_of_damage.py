"""Damage of each known kind in a real log: told with line, offset and reason; every other line is read."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from deia import DamagedLineError, SessionLogger, read_events
from deia.journal import scan
from deia.journal.check import check
from deia.journal.mend import mend
from deia.queue.layout import queue_path
from support.damage import AGENT, SESSION, files_in, is_subsequence, lines_in, put, read, record
from support.effort import FULL

SAMPLES = Path(__file__).parents[1] / "compat/samples"
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a session with all there is in one."""
    return record(tmp_path_factory.mktemp("recorded")).read_bytes()


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    return memory_path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / f"{AGENT}_{SESSION}.jsonl"


def renumbered(line: bytes, **fields: object) -> bytes:
    """Return a line that says something else."""
    return json.dumps(json.loads(line) | fields, ensure_ascii=False).encode() + b"\n"


BETWEEN: dict[str, tuple[bytes, str]] = {
    "one NUL": (b"\0\n", "1 NUL bytes"),
    "NULs to the next line": (bytes(4096), "4096 NUL bytes, as a loss of power leaves them, before a whole line"),
    "NULs over a chunk's border": (
        bytes(300_000),
        "300000 NUL bytes, as a loss of power leaves them, before a whole line",
    ),
    "a torn line, then NULs over several": (b'{"type":"ToolEv' + bytes(700_000), "700000 NUL bytes"),
    "a torn line with the next glued to it": (
        b'{"type":"ToolEvent","name":"x","par',
        "; 1 whole line in it can be read",
    ),
    "invalid UTF-8": (b'{"name":"\xff\xfe","params":{},"duration_ms":1}\n', "UTF-8"),
    "half a character": (b'{"name":"\xe2\x98","params":{},"duration_ms":1}\n', "UTF-8"),
    "a lone surrogate": (b'{"name":"\\ud800","params":{},"duration_ms":1}\n', "not JSON"),
    "-Infinity": (b'{"name":"t","params":{},"duration_ms":-Infinity}\n', "not JSON"),
    "NaN": (b'{"name":"t","params":{"a":NaN},"duration_ms":1}\n', "not JSON"),
    "an overflow": (b'{"name":"t","params":{},"duration_ms":1e999}\n', "not JSON"),
    "deep nesting": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n", "not JSON"),
    "deep arrays, never closed": (b'{"a":' + b"[" * 100_000 + b"\n", "not JSON"),
    "empty lines": (b"\n\n\n", "3 empty lines"),
    "white space": (b" \t\r\n", "an empty line"),
    "only a carriage return": (b"\r\n", "an empty line"),
    "text": (b"Traceback (most recent call last):\n", "not JSON"),
    "an array": (b"[1,2]\n", "an array, not a JSON object"),
    "a control character in text": (b'{"name":"\x0b","params":{},"duration_ms":1}\n', "not JSON"),
    "a longer line than is kept, that is no object": (b"x" * 1_100_000 + b"\n", "1100001 bytes up to its end"),
    "the same with NULs at last": (b"x" * 1_100_000 + b"\0", "1 NUL bytes"),
}
"""What stands between two lines → what is said of it."""


@pytest.mark.parametrize("name", BETWEEN)
def test_damage_between_lines_is_told_and_costs_none_of_them(journal: Path, content: bytes, name: str) -> None:
    """At the start, in the middle and before the last line; a strict reading stops there, mending takes it out."""
    rubbish, reason = BETWEEN[name]
    lines = content.splitlines(keepends=True)
    for place in (0, 5, len(lines) - 1):
        before, after = b"".join(lines[:place]), b"".join(lines[place:])
        spoilt = before + rubbish + after
        put(journal, spoilt)
        reading = read(journal)
        assert [fields for _, fields in reading.records] == [line.fields for line in lines_in(content)], place
        assert [offset for offset, _ in reading.records[place:]] == [
            line.offset + len(rubbish) for line in lines_in(content)[place:]
        ]
        (damage,) = reading.damages
        assert (damage.kind, damage.line, damage.offset) == ("unreadable", place + 1, len(before)), damage
        assert reason in damage.reason, damage
        with pytest.raises(DamagedLineError):
            list(read_events(journal, strict=True))
        report = mend(journal)
        assert report.aside is not None and report.aside.read_bytes() == spoilt
        assert journal.read_bytes() == content
        assert check(journal).ok and not mend(journal).changed


def glued(lines: list[bytes]) -> bytes:
    return lines[0] + lines[1][:-1] + lines[2] + b"".join(lines[3:])


def three_glued(lines: list[bytes]) -> bytes:
    return lines[0][:-1] + lines[1][:-1] + b"\x0b\x1b[0m" + lines[2] + b"".join(lines[3:])


def glued_at_the_end(lines: list[bytes]) -> bytes:
    return b"".join(lines[:-2]) + lines[-2][:-1] + lines[-1]


def last_newline_spoilt(lines: list[bytes]) -> bytes:
    return b"".join(lines)[:-1] + b"\x8a"


def byte_order_mark(lines: list[bytes]) -> bytes:
    return BOM + b"".join(lines)


def byte_order_marks_of_files_put_together(lines: list[bytes]) -> bytes:
    return BOM + b"".join(lines[:4]) + BOM + b"".join(lines[4:])


def carriage_returns(lines: list[bytes]) -> bytes:
    return b"".join(lines).replace(b"\n", b"\r\n")


def blank_lines_at_the_end(lines: list[bytes]) -> bytes:
    return b"".join(lines) + b"\n \n"


def a_key_twice(lines: list[bytes]) -> bytes:
    return b"".join(lines[:2]) + lines[2].replace(b'{"type"', b'{"v":1,"type"') + b"".join(lines[3:])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (glued, [("unreadable", 2)]),
        (three_glued, [("unreadable", 1)]),
        (glued_at_the_end, [("unreadable", 11)]),
        (last_newline_spoilt, [("unreadable", 12)]),
        (byte_order_mark, []),
        (byte_order_marks_of_files_put_together, []),
        (carriage_returns, []),
        (blank_lines_at_the_end, []),
        (a_key_twice, []),
    ],
)
def test_damage_beside_lines_costs_none(
    journal: Path, content: bytes, spoil: Callable[[list[bytes]], bytes], told: list[tuple[str, int]]
) -> None:
    """What stands around them leaves them whole; a session goes on after it, and mending keeps them all."""
    spoilt = spoil(content.splitlines(keepends=True))
    sound = [line.fields for line in lines_in(content)]
    put(journal, spoilt)
    reading = read(journal)
    assert [fields for _, fields in reading.records] == sound
    assert [(damage.kind, damage.line) for damage in reading.damages] == told
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    assert read(journal).seqs == list(range(1, len(sound) + 3))
    mend(journal)
    assert read(journal).seqs == list(range(1, len(sound) + 3)) and check(journal).ok


def test_object_in_a_damaged_events_parameters_is_no_event(journal: Path, content: bytes) -> None:
    """However much it looks like one: only a line's beginning, or its end, makes a whole line in a damaged one."""
    lines = content.splitlines(keepends=True)
    inner = lines[3][:-1]
    outer = b'{"type":"ToolEvent","name":"replay","params":{"was":' + inner + b'},"duration_ms":5,"v":1}'
    for spoilt in (outer[:20] + b"\x01" + outer[21:], outer[:-2], b"x" + outer):
        put(journal, lines[0] + spoilt + b"\n" + lines[1])
        reading = read(journal)
        assert reading.seqs == [1, 2]
        assert [(damage.kind, damage.line) for damage in reading.damages] == [("unreadable", 2)]


def test_lines_out_of_order_repeated_or_foreign_are_read_and_told(journal: Path, content: bytes) -> None:
    """None is left out; where it stands in the wrong place, it says so; and `seq` goes on from the highest."""
    lines = content.splitlines(keepends=True)
    foreign = renumbered(lines[3], session_id="another", seq=1)
    put(journal, b"".join([*lines[:3], lines[5], lines[3], lines[4], *lines[6:], lines[2], foreign]))
    reading = read(journal)
    assert reading.seqs == [1, 2, 3, 6, 4, 5, *range(7, 13), 3, 1]
    assert [(damage.kind, damage.line) for damage in reading.damages] == [
        ("gap", 4),
        ("duplicate", 5),
        ("duplicate", 13),
    ]
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    assert read(journal).seqs[-2:] == [13, 14]


@pytest.mark.parametrize("seq", [9005, 2**53, 2**63 - 1, 2**64 - 1, 2**70])
@pytest.mark.parametrize("place", [0, 4, -1])
def test_seq_that_was_damaged_is_not_counted_on_from(journal: Path, content: bytes, seq: int, place: int) -> None:
    """The lines around it bear out the others; as the last line of all a leap is a loss, if it can be one at all."""
    lines = content.splitlines(keepends=True)
    lines[place] = renumbered(lines[place], seq=seq)
    put(journal, b"".join(lines))
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    expected = (seq if seq <= 2**53 else 11) if place == -1 else 12
    assert read(journal).seqs[-2:] == [expected + 1, expected + 2]


@pytest.mark.parametrize("place", [0, 4, -2])
def test_seqs_no_session_counts_to_are_told_and_not_counted_on_from(journal: Path, content: bytes, place: int) -> None:
    """Though each goes on from the one before: a line could not hold the next."""
    lines = content.splitlines(keepends=True)
    ends = len(lines) if place == -2 else place + 2
    for seq, at in zip((2**64 - 2, 2**64 - 1), range(ends - 2, ends), strict=True):
        lines[at] = renumbered(lines[at], seq=seq)
    put(journal, b"".join(lines))
    assert [damage.line for damage in read(journal).damages if "more than any session" in damage.reason] == [
        ends - 1,
        ends,
    ]
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    expected = 10 if place == -2 else 12
    assert read(journal).seqs[-2:] == [expected + 1, expected + 2]


@pytest.mark.parametrize("beginning", [b"\x1f\x8b", b"\x1f\x8b\x09", b"\x1f"])
def test_log_is_taken_for_compressed_only_where_it_begins_as_gzip_begins(
    journal: Path, content: bytes, beginning: bytes
) -> None:
    """Two damaged bytes that look like it cost no more than their own line."""
    put(journal, beginning + content[len(beginning) :])
    reading = read(journal)
    assert reading.seqs == list(range(2, 13))
    assert [(damage.kind, damage.line) for damage in reading.damages] == [("unreadable", 1)]


def test_first_line_that_is_damaged_leaves_it_to_the_next_to_tell_the_owner(journal: Path, content: bytes) -> None:
    """A byte order mark, NULs or a changed byte do not make another session's log ours."""
    lines = content.splitlines(keepends=True)
    for spoilt in (BOM + lines[0], bytes(9) + lines[0], b"#" + lines[0][1:]):
        path = journal.with_name("a_b.jsonl")
        path.write_bytes(spoilt + b"".join(lines[1:]))
        with SessionLogger("a", "b", output_dir=journal.parent) as log, pytest.raises(ValueError, match="not of this"):
            log.log_file_read("later")
        assert path.read_bytes() == spoilt + b"".join(lines[1:])


def test_last_bytes_that_no_crash_leaves_are_kept_as_damage(journal: Path, content: bytes) -> None:
    """A file without our newlines is no torn end: nothing is cut from it."""
    for tail in (b"hello world", content.replace(b"\n", b"\r"), b'"' + content.splitlines()[0][1:], b"\x80" * 70_000):
        put(journal, tail)
        with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
            log.log_file_read("later")
        assert journal.read_bytes().startswith(tail + b"\n")
        assert read(journal).records[-1][1]["path"] == "later"


# Lines of 100 MB

MEASURED = """
import resource, sys, tracemalloc
from deia.journal.records import RecordReader
found = []
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
lengths = [record.length for record in RecordReader(sys.argv[1], found.append).records()]
print(len(lengths), max(lengths), [(damage.kind, damage.line) for damage in found],
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base)
"""
"""Reads a log in a process of its own and says how much memory that took, KiB (bytes on macOS)."""

HUNDRED_MB = 100_000_000


def measured(journal: Path, source: Path) -> tuple[int, int, str, int]:
    """Return how many records were read, the longest, what was reported, and the memory it took in MB."""
    done = subprocess.run([sys.executable, "-c", MEASURED, str(journal)], check=True, capture_output=True, text=True)
    count, longest, rest = done.stdout.split(" ", 2)
    told, kib = rest.rsplit(" ", 1)
    return int(count), int(longest), told, int(kib) * (1 if sys.platform == "darwin" else 1024) // 1_000_000


def write_long(journal: Path, lines: list[bytes], begin: bytes, unit: bytes, end: bytes) -> None:
    """Write a line of 100 MB between others, or behind them."""
    with journal.open("wb") as file:
        file.write(lines[0] + begin)
        for _ in range(100):
            file.write(unit * (HUNDRED_MB // 100 // len(unit)))
        file.write(end)


def test_line_of_100_mb_is_read(journal: Path, content: bytes, tmp_path: Path) -> None:
    """In four times its own size; the lines beside it are read, too."""
    lines = content.splitlines(keepends=True)
    line = renumbered(lines[3], params={"text": "@"}, seq=2)
    begin, end = line.split(b"@")
    write_long(journal, lines, begin, b"x", end + renumbered(lines[3], seq=3))
    count, longest, told, mb = measured(journal, tmp_path)
    assert (count, longest, told) == (3, HUNDRED_MB + len(line) - 1, "[]")
    assert mb < 400


@pytest.mark.parametrize("ending", [b"", b"\n"])
@pytest.mark.parametrize(
    ("begin", "mb_at_most"), [(b"\x80", 16), (b"\0", 16), (b'{"type":"ToolEvent"\0', 16), (b"{", 300)]
)
def test_rubbish_of_100_mb_takes_bounded_memory(
    journal: Path, content: bytes, tmp_path: Path, begin: bytes, mb_at_most: int, ending: bytes
) -> None:
    """What cannot be an object is not kept; what may be one is, once and while it is put together, up to the bound."""
    lines = content.splitlines(keepends=True)
    write_long(journal, lines, begin, b"\0" if b"\0" in begin else b"\x80", ending + (lines[1] if ending else b""))
    count, _, told, mb = measured(journal, tmp_path)
    assert count == (2 if ending else 1)
    kind = "torn" if not ending and begin != b"\x80" else "unreadable"
    assert told == f"[('{kind}', 2)]"
    assert mb < mb_at_most


def test_line_longer_than_is_kept_is_told_and_not_read(
    journal: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound is a quarter of a gigabyte; here it is a megabyte, so that the test is quick."""
    monkeypatch.setattr(scan, "LONGEST_LINE_BYTES", 1_000_000)
    lines = content.splitlines(keepends=True)
    long = renumbered(lines[1], metadata={"text": "x" * 1_100_000})
    put(journal, lines[0] + long + lines[2])
    reading = read(journal)
    assert reading.seqs == [1, 3]
    (damage,) = reading.damages
    assert (damage.kind, damage.line, damage.offset) == ("unreadable", 2, len(lines[0]))
    assert damage.reason == f"not a line: {len(long)} bytes up to its end"


# Compressed


def test_compressed_log_cut_anywhere_is_read_up_to_the_cut(tmp_path: Path, content: bytes) -> None:
    """Every line that was unpacked whole, by the standard library's own decompressor."""
    path = tmp_path / "log.jsonl.gz"
    packed = gzip.compress(content * 3)
    for size in range(20, len(packed), 1 if FULL else 7):
        path.write_bytes(packed[:size])
        whole = zlib.decompressobj(31).decompress(packed[:size])
        reading = read(path)
        assert reading.records == [(line.offset, line.fields) for line in lines_in(whole)]
        assert ("unreadable", "the compressed data is cut or damaged") in [
            (damage.kind, damage.reason.split(":")[0]) for damage in reading.damages
        ]


def test_compressed_log_damaged_anywhere_is_read_up_to_the_damage(tmp_path: Path) -> None:
    """And no damage passes in silence: what is unpacked wrongly, the checksum tells."""
    path = tmp_path / "log.jsonl.gz"
    content = (SAMPLES / "v1/AGENT-004_0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10.jsonl").read_bytes()
    packed = gzip.compress(content)
    for at in range(10, len(packed), 1 if FULL else 3):
        spoilt = packed[:at] + bytes([packed[at] ^ 0x10]) + packed[at + 1 :]
        path.write_bytes(spoilt)
        wanted = [line.fields for line in lines_in(_unpacked(packed[:at]))]
        reading = read(path)
        assert is_subsequence(wanted, [fields for _, fields in reading.records]), at
        assert reading.damages


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data)


def test_real_logs_of_others_are_read_whatever_stands_in_them(tmp_path: Path) -> None:
    """Samples of the original format, cut at every byte: no cut makes a whole line unread."""
    for sample in sorted(SAMPLES.glob("*/*.jsonl")):
        content = sample.read_bytes()
        path = tmp_path / sample.name
        for size in range(0, len(content), 1 if FULL else max(1, len(content) // 150)):
            path.write_bytes(content[:size])
            wanted = [line.fields for line in lines_in(content[:size]) if line.fields is not None]
            found = [fields for _, fields in read(path).records]
            assert found[: len(wanted)] == wanted
            assert len(found) <= len(wanted) + 1


def test_nothing_but_the_log_and_its_original_is_left_by_mending(journal: Path, content: bytes) -> None:
    """No queue file, no temporary file, whatever an earlier one left."""
    put(journal, content + b"rubbish\n")
    for name in (f".{journal.name}.mending", f"{queue_path(journal).name}.new"):
        journal.with_name(name).write_bytes(b"left behind")
    queue_path(journal).touch()
    mend(journal)
    assert set(files_in(journal.parent)) == {journal.name, f"{journal.name}.damaged-1"}
