"""A journal cut at any byte, or with any byte changed: what is whole is read, what is not is told."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deia import (
    DamagedLineError,
    ForeignJournalError,
    NotASessionLogError,
    SessionLogger,
    analyze_session,
    read_events,
    summarize_session,
)
from deia.journal.check import check
from deia.journal.damage import DamageLog
from deia.journal.mend import mend
from deia.journal.reader import read_entries
from deia.testing.tally import Tally
from support.damage import AGENT, SESSION, Line, Reading, files_in, flips, is_subsequence, lines_in, put, read, record
from support.effort import FULL
from support.losses import Losses

SAMPLE = Path(__file__).parents[1] / "compat/samples/v1/AGENT-004_0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10.jsonl"

VALUES = tuple(1 << bit for bit in range(8)) if FULL else (0x01, 0x20, 0x80)
"""What a byte is combined with, a bit each: a digit or letter becomes its neighbour, case changes, UTF-8 breaks."""


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


def owed(spoilt: bytes, content: bytes) -> list[tuple[int, object]]:
    """Return what must be read of a spoilt log: every line of it that stands in the sound one, where it stands now."""
    sound = {line.data for line in lines_in(content)}
    return [(line.offset, line.fields) for line in lines_in(spoilt) if line.data in sound]


def tally(reading: Reading, wanted: list[tuple[int, object]]) -> Tally:
    """Count what came of one damage."""
    times = [reading.records.count(record) for record in wanted]
    found = sum(map(bool, times))
    return Tally(
        tried=1,
        acknowledged=len(wanted),
        found=found,
        missing=len(wanted) - found,
        torn=sum(damage.kind in ("torn", "unreadable") for damage in reading.damages),
        duplicated=sum(count > 1 for count in times),
    )


@pytest.mark.parametrize("which", ["recorded", "sample"])
def test_log_cut_at_any_byte_yields_its_whole_lines_and_one_torn_end(
    journal: Path, content: bytes, which: str, losses: Losses
) -> None:
    """Nothing else is reported, a strict reading goes through, and `check` finds it in order."""
    content = content if which == "recorded" else SAMPLE.read_bytes()
    put(journal, content)
    for size in range(len(content), -1, -1):
        os.truncate(journal, size)
        left = content[:size]
        reading = read(journal)
        wanted = owed(left, content)
        losses.add("damage-truncation", tally(reading, wanted))
        assert reading.records == wanted, size
        torn = len(left) - left.rfind(b"\n") - 1
        assert [(damage.kind, damage.offset) for damage in reading.damages] == ([("torn", size - torn)] if torn else [])
        if FULL or size % 5 == 0:
            assert [event.seq for event in read_events(journal, strict=True)] == reading.seqs
            report = check(journal)
            assert (report.ok, report.events, report.torn_bytes) == (bool(wanted) or not size, len(wanted), torn)


def test_log_cut_at_any_byte_can_be_analysed(journal: Path, content: bytes) -> None:
    """The analysis counts what the reader reads; only a file without any event is called no session log."""
    put(journal, content)
    for size in range(len(content), -1, -1 if FULL else -7):
        os.truncate(journal, size)
        lines = lines_in(content[:size])
        if size and not lines:
            for look in (analyze_session, summarize_session):
                with pytest.raises(NotASessionLogError):
                    look(journal)
            continue
        tools = sum(line.fields["type"] == "ToolEvent" for line in lines if line.fields)
        assert summarize_session(journal).tool_calls_count == tools
        assert sum(tool.count for tool in analyze_session(journal).tools.values()) == tools


def cuts(content: bytes) -> Iterator[int]:
    """Yield sizes to cut at: all of them, or each line's ends and the bytes beside them, and some in between."""
    ends = list(itertools.accumulate(len(line) for line in content.splitlines(keepends=True)))
    chosen = {end + beside for end in (0, *ends) for beside in (-2, -1, 0, 1)} | set(range(0, len(content), 97))
    return iter(range(len(content) + 1) if FULL else sorted(size for size in chosen if 0 <= size <= len(content)))


def test_session_goes_on_in_a_log_cut_at_any_byte(journal: Path, content: bytes) -> None:
    """The torn end is cut, every whole line stays as it stands, and `seq` counts on from the last."""
    for size in cuts(content):
        put(journal, content[:size])
        whole = content[: content[:size].rfind(b"\n") + 1]
        with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
            log.log_file_read("later")
        assert journal.read_bytes().startswith(whole), size
        lines = lines_in(journal.read_bytes())
        assert [line.fields and line.fields["seq"] for line in lines] == list(range(1, len(lines) + 1)), size
        assert len(lines) == len(lines_in(whole)) + (2 if whole else 1)
        assert check(journal).ok
        journal.unlink()


@pytest.mark.parametrize("which", ["recorded", "sample"])
def test_byte_changed_anywhere_costs_no_line_but_its_own(
    journal: Path, content: bytes, which: str, losses: Losses
) -> None:
    """And what is not read is told, with the number and the offset of the damaged line."""
    content = content if which == "recorded" else SAMPLE.read_bytes()
    sound = lines_in(content)
    step = 1 if FULL or which == "recorded" else 3
    for at, spoilt in flips(content, range(0, len(content), step), VALUES):
        put(journal, spoilt)
        reading = read(journal)
        wanted = owed(spoilt, content)
        losses.add("damage-flip", tally(reading, wanted))
        assert is_subsequence(wanted, reading.records), (at, spoilt[at])
        hit = [line for line in sound if line.offset <= at <= line.offset + len(line.data)]
        if len(reading.records) < len(sound):
            assert any(damage.offset == hit[0].offset for damage in reading.damages), (at, reading.damages)


def test_newline_changed_to_anything_costs_no_line(journal: Path, content: bytes) -> None:
    """Two records glued together are read as two; that it was so is told."""
    sound = [(line.offset, line.fields) for line in lines_in(content)]
    newlines = [at for at, byte in enumerate(content) if byte == ord("\n")]
    for at, spoilt in flips(content, iter(newlines[:-1]), tuple(range(1, 256)) if FULL else (0x01, 0x02, 0x2A, 0x80)):
        put(journal, spoilt)
        reading = read(journal)
        assert reading.records == sound, at
        if spoilt[at : at + 1] not in b" \t\r":
            (damage,) = reading.damages
            assert (damage.kind, damage.line) == ("unreadable", newlines.index(at) + 1)
            assert "2 whole lines in it can be read" in damage.reason


def sampled(content: bytes) -> range:
    """Positions for what takes long: some of each line."""
    return range(0, len(content), 1 if FULL else 41)


def assert_kept(journal: Path, wanted: list[Line]) -> None:
    """Assert that every line is still there, byte for byte."""
    there = [line.data for line in lines_in(journal.read_bytes())]
    assert is_subsequence([line.data for line in wanted], there)


def test_session_goes_on_in_a_log_with_a_byte_changed_anywhere(journal: Path, content: bytes) -> None:
    """No undamaged line is touched, `seq` counts on from where the lines are, and what follows is sound.

    A `seq` of which a digit was changed may be believed, for no number is given twice.
    """
    last = len(lines_in(content))
    for at, spoilt in flips(content, sampled(content), VALUES[:2]):
        put(journal, spoilt)
        sound = {line.data for line in lines_in(content)}
        wanted = [line for line in lines_in(spoilt) if line.data in sound]
        with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
            log.log_file_read("later")
        assert_kept(journal, wanted)
        continued, later = lines_in(journal.read_bytes())[-2:]
        assert continued.fields is not None and later.fields is not None
        assert later.fields["seq"] == continued.fields["seq"] + 1
        in_last_line = at > content.rfind(b"\n", 0, -1)
        hit = [line.fields or {} for line in lines_in(spoilt) if line.offset <= at <= line.offset + len(line.data)]
        may_follow = (last, *(line.get("seq") for line in hit))
        assert continued.fields["seq"] - 1 in may_follow or in_last_line, at
        for name in files_in(journal.parent):
            (journal.parent / name).unlink()


@pytest.mark.parametrize("whole", ["agent_id", "session_id"])
def test_session_goes_on_where_the_ids_of_its_first_line_are_damaged(journal: Path, content: bytes, whole: str) -> None:
    """One line is no proof that a log is another session's, where the next one says otherwise."""
    first, _, rest = content.partition(b"\n")
    key, _, value = first.partition(b'"%b":"' % whole.encode())
    spoilt = key + b'"%b":"X' % whole.encode() + value[1:] + b"\n" + rest
    put(journal, spoilt)
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    assert journal.read_bytes().startswith(spoilt)
    put(journal, key + b'"%b":"X' % whole.encode() + value[1:] + b"\n")
    with pytest.raises(ForeignJournalError), SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.open()


def test_damaged_log_is_mended_once_with_the_original_beside_it(journal: Path, content: bytes) -> None:
    """What was readable before is readable after, the original is kept, and a second mending finds nothing to do."""
    for at, spoilt in flips(content, sampled(content), VALUES[-2:]):
        put(journal, spoilt)
        damages = DamageLog()
        before = [entry.record.fields for entry in read_entries(journal, on_damage=damages.add)]
        report = mend(journal)
        after = DamageLog()
        assert [entry.record.fields for entry in read_entries(journal, on_damage=after.add)] == before, at
        assert not after.by_kind.keys() & {"unreadable", "torn"}
        assert all(line.fields is not None for line in lines_in(journal.read_bytes()))
        if damages.by_kind["unreadable"]:
            assert report.aside is not None
            assert report.aside.read_bytes().removesuffix(b"\n") == spoilt.removesuffix(b"\n")
        there = files_in(journal.parent)
        assert not mend(journal).changed
        assert files_in(journal.parent) == there
        for name in there:
            (journal.parent / name).unlink()


def test_strict_reading_stops_at_the_damage_and_not_before(journal: Path, content: bytes) -> None:
    """What stands before it was yielded."""
    lines = lines_in(content)
    for number, line in enumerate(lines):
        put(journal, content[: line.offset] + b"\xff" + content[line.offset + 1 :])
        events = read_events(journal, strict=True)
        assert [next(events).seq for _ in range(number)] == list(range(1, number + 1))
        with pytest.raises(DamagedLineError) as caught:
            next(events)
        assert (caught.value.line, caught.value.offset) == (number + 1, line.offset)
