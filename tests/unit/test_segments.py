"""The files of one session, made by hand: which belong to it, what of each is read, and what is said of the rest."""

from __future__ import annotations

import gzip
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import JournalError, SessionLogger, read_events, system
from deia.journal.check import check
from deia.journal.damage import Damage
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.journal.segments import (
    Listings,
    Segment,
    first_journal,
    first_line,
    is_there,
    next_number,
    segment_path,
    segments_of,
)
from deia.queue.layout import Header, Kind
from support.journals import AGENT, SESSION, Lines, encode, journal_path
from support.lines import lines_of, seqs_of


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The first file of a session."""
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    """The session's lines, in order."""
    return Lines()


def header(number: int, after_seq: int, **further: Any) -> bytes:
    """Return the first line of a segment."""
    segment = Segment(Path("x"), number, after_seq=after_seq, offset=1000, reason="size", **further)
    return first_line(AGENT, SESSION, segment)


def problems(path: Path) -> list[str]:
    """Return the kinds of damage that a reader finds."""
    found: list[Damage] = []
    list(read_events(path, on_damage=found.append))
    return [damage.kind for damage in found]


def test_segments_are_read_in_the_order_of_their_numbers(journal: Path, lines: Lines) -> None:
    """Ten comes after two; and a number that is left out says nothing by itself."""
    journal.write_bytes(lines.tool() + lines.tool())
    segment_path(journal, 2).write_bytes(header(2, 2) + lines.tool())
    segment_path(journal, 4).write_bytes(header(4, 3) + lines.tool())
    segment_path(journal, 10).write_bytes(header(10, 4) + lines.tool())
    assert seqs_of(journal) == [1, 2, 3, 4, 5]
    assert problems(journal) == []
    report = check(journal)
    assert report.ok and report.events == 5
    assert [segment.number for segment in report.segments] == [2, 4, 10]
    assert report.journal_bytes == sum(path.stat().st_size for path in journal.parent.iterdir())


def test_what_a_later_segment_repeats_is_read_there_and_only_there(journal: Path, lines: Lines) -> None:
    """Damage in the part that is repeated is nobody's any more."""
    content = [lines.tool() for _ in range(4)]
    journal.write_bytes(content[0] + content[1] + b"\0\0\0\0 garbage\n" + content[3] + b'{"torn')
    segment_path(journal, 2).write_bytes(header(2, 2) + content[2] + content[3] + lines.tool())
    assert seqs_of(journal) == [1, 2, 3, 4, 5]
    assert problems(journal) == []


def test_segment_that_repeats_all_makes_the_first_file_needless(journal: Path, lines: Lines) -> None:
    """It may be gone, empty, or hold anything."""
    segment_path(journal, 2).write_bytes(header(2, 0) + lines.tool() + lines.tool())
    for content in (None, b"", b"anything\n", lines.tool(), b"\x1f\x8b not gzip"):
        if content is not None:
            journal.write_bytes(content)
        assert seqs_of(journal) == [1, 2]
        assert check(journal).ok


def test_missing_segment_is_reported_by_the_events_that_it_held(journal: Path, lines: Lines) -> None:
    """As a gap, and also where nothing was logged after it."""
    journal.write_bytes(lines.tool())
    lines.tool()
    lines.tool()
    segment_path(journal, 3).write_bytes(header(3, 3))
    assert seqs_of(journal) == [1]
    report = check(journal)
    assert not report.ok and report.damage_counts == {"gap": 1}
    assert report.damages[0].reason == "seq 2 to 3 are missing before this line"
    segment_path(journal, 3).write_bytes(header(3, 3) + lines.tool())
    assert seqs_of(journal) == [1, 4]
    assert check(journal).damage_counts == {"gap": 1}


def test_later_segment_by_its_own_path_is_that_file_and_no_gap(journal: Path, lines: Lines) -> None:
    """What its first line says is known to be elsewhere is not missing."""
    journal.write_bytes(lines.tool())
    later = segment_path(journal, 2)
    later.write_bytes(header(2, 1) + lines.tool() + lines.tool())
    assert seqs_of(later) == [2, 3]
    assert problems(later) == []
    assert first_journal(later) == journal


def test_file_of_a_session_that_is_named_like_a_segment_is_none(journal: Path, lines: Lines) -> None:
    """The name proves nothing: the first line has to say so, for this session."""
    journal.write_bytes(lines.tool())
    other = Lines(session_id=f"{SESSION}.2")
    segment_path(journal, 2).write_bytes(other.tool())
    segment_path(journal, 3).write_bytes(journal.read_bytes())  # a copy that somebody made
    segment_path(journal, 4).write_bytes(b"")
    segment_path(journal, 5).mkdir()
    segment_path(journal, 5).rmdir()
    assert segments_of(journal) == [Segment(journal)]
    assert first_journal(segment_path(journal, 2)) == segment_path(journal, 2)
    assert seqs_of(journal) == [1]
    assert next_number(journal) == 5


def test_segment_whose_first_line_is_damaged_is_read_all_the_same(journal: Path, lines: Lines) -> None:
    """It is told by its next line; the damage is reported, and no event is lost or read twice."""
    first, second = lines.tool(), lines.tool()
    journal.write_bytes(first + second)
    segment_path(journal, 2).write_bytes(b"\0" + header(2, 1)[1:] + second + lines.tool())
    assert seqs_of(journal) == [1, 2, 3]
    assert problems(journal) == ["unreadable"]
    segment_path(journal, 2).write_bytes(b'{"no line of it is whole')
    assert seqs_of(journal) == [1, 2]
    assert problems(journal) == ["torn"]


def test_torn_end_in_the_middle_of_a_session_is_counted_and_takes_nothing_with_it(journal: Path, lines: Lines) -> None:
    """A truncated file ends in half a line, and the next segment has the whole of it."""
    first, second, third = lines.tool(), lines.tool(), lines.tool()
    journal.write_bytes(first + second[:30])
    segment_path(journal, 2).write_bytes(header(2, 2) + third)
    assert seqs_of(journal) == [1, 3]
    assert problems(journal) == ["torn", "gap"]
    segment_path(journal, 2).write_bytes(header(2, 1) + second + third)
    assert seqs_of(journal) == [1, 2, 3]
    assert problems(journal) == []


def test_packed_segment_is_read_like_any_other(journal: Path, lines: Lines) -> None:
    """Content decides, as for the first file."""
    journal.write_bytes(lines.tool())
    segment_path(journal, 2).write_bytes(gzip.compress(header(2, 1) + lines.tool()))
    assert seqs_of(journal) == [1, 2]
    assert problems(journal) == []


def test_mending_takes_lines_out_of_the_segment_that_has_them(journal: Path, lines: Lines) -> None:
    """Each file is set aside by itself; the segment's first line stays, and mending again changes nothing."""
    journal.write_bytes(lines.tool() + b"x\n" + lines.tool())
    later = segment_path(journal, 2)
    later.write_bytes(header(2, 2) + b"y\n" + lines.tool() + b'{"torn')
    report = mend(later)
    assert report.removed == 2 and [aside.name for aside in report.asides] == [
        journal.name + ".damaged-1",
        later.name + ".damaged-1",
    ]
    assert report.recovery.lost_bytes == 6
    assert seqs_of(journal) == [1, 2, 3]
    assert [line.get("event") for line in lines_of(later)] == ["segment", None]
    assert check(journal).damages == []
    assert not mend(journal).changed


def test_mending_leaves_a_file_alone_that_is_repeated_as_a_whole(journal: Path, lines: Lines) -> None:
    """Whatever was put in the session's place is not ours to mend."""
    journal.write_bytes(b"anything\n")
    segment_path(journal, 2).write_bytes(header(2, 0) + lines.tool())
    assert not mend(journal).changed
    assert journal.read_bytes() == b"anything\n"


def test_session_of_which_only_later_segments_are_there_is_there(journal: Path, lines: Lines) -> None:
    """And what has no file at all is not."""
    assert not is_there(journal)
    with pytest.raises(FileNotFoundError):
        read_events(journal)
    segment_path(journal, 2).write_bytes(header(2, 0))
    assert is_there(journal)
    assert seqs_of(journal) == []
    assert check(journal).ok


def test_relative_path_and_link_lead_to_all_segments(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damage is reported under the path that the log was asked for by."""
    journal.write_bytes(lines.tool())
    segment_path(journal, 2).write_bytes(header(2, 1) + b"x\n" + lines.tool())
    monkeypatch.chdir(journal.parent)
    found: list[Damage] = []
    assert len(list(read_events(journal.name, on_damage=found.append))) == 2
    assert [damage.path for damage in found] == [segment_path(journal, 2).name]
    link = journal.parent / "link"
    link.mkdir()
    os.symlink(journal, link / "log.jsonl")
    assert seqs_of(link / "log.jsonl") == [1, 2]


def test_segment_line_is_json_and_says_all_that_the_format_page_names() -> None:
    """It has no `seq`, and names its session and its version like every line."""
    fields = json.loads(header(3, 7, unsynced_bytes=5, lost_bytes=6))
    timestamp = fields.pop("timestamp")
    assert timestamp > 1_700_000_000
    assert fields == {
        "type": "SessionEvent",
        "event": "segment",
        "segment": 3,
        "reason": "size",
        "after_seq": 7,
        "offset": 1000,
        "unsynced_bytes": 5,
        "lost_bytes": 6,
        "agent_id": AGENT,
        "session_id": SESSION,
        "v": 1,
    }
    assert encode(fields).startswith(b'{"type":"SessionEvent"')


@pytest.mark.parametrize("target", [None, "/rings/one"])
@pytest.mark.parametrize("base", [0, 12345])
def test_queue_file_header_keeps_its_segments_offset(base: int, target: str | None) -> None:
    """Beside a pointer's target and without one; a file without either reads as before."""
    kind = Kind.POINTER if target else Kind.RING
    header = Header(kind, 0 if target else 65536, bytes(16), 1, 2, 3, AGENT, SESSION, target, base)
    assert Header.unpack(header.pack()) == header


DAMAGED: dict[str, Callable[[bytes, bytes], bytes]] = {
    "first line damaged": lambda second, third: b"\0" + header(2, 1)[1:] + second + third,
    "first line replaced": lambda second, third: b"anything\n" + second + third,
    "first newline lost": lambda second, third: header(2, 1)[:-1] + second + third,
    "all newlines lost": lambda second, third: header(2, 1)[:-1] + second[:-1] + third[:-1],
    "first line lost, all newlines too": lambda second, third: b"anything" + second[:-1] + third[:-1],
}
"""What may have happened to a segment of which every event can still be read."""


def by_opening(journal: Path) -> None:
    """Open the session again, and log two lines more: one that says so, and an event."""
    logger = SessionLogger(AGENT, SESSION, output_dir=journal.parent, sync_policy="never")
    logger.log_file_read("a")
    logger.close()


@pytest.mark.parametrize("way", [mend, recover, by_opening])
@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_segment_keeps_every_event_that_can_be_read(
    damage: str, way: Callable[[Path], object], journal: Path, lines: Lines
) -> None:
    """Recovering it takes none away, mending gives it a first line again, and none is read twice."""
    journal.write_bytes(lines.tool())
    segment_path(journal, 2).write_bytes(DAMAGED[damage](lines.tool(), lines.tool()))
    assert seqs_of(journal) == [1, 2, 3]
    way(journal)
    assert seqs_of(journal) == ([1, 2, 3, 4, 5] if way is by_opening else [1, 2, 3])
    damages = {} if way is mend else {"unreadable": 1}
    assert check(journal).damage_counts == damages
    if way is mend:
        fields = lines_of(segment_path(journal, 2))[0]
        assert (fields["event"], fields["after_seq"], fields["session_id"]) == ("segment", 1, SESSION)
        assert not mend(journal).changed
    by_opening(journal)
    assert seqs_of(journal)[:3] == [1, 2, 3]
    assert check(journal).damage_counts == damages


@pytest.mark.parametrize("way", [recover, by_opening])
def test_segment_without_a_whole_line_is_kept_where_it_holds_damage(
    way: Callable[[Path], object], journal: Path, lines: Lines
) -> None:
    """It is ended by a newline, as damage at the end of any file; mending sets it aside."""
    journal.write_bytes(lines.tool())
    later = segment_path(journal, 2)
    later.write_bytes(b"anything")
    way(journal)
    assert later.read_bytes().startswith(b"anything\n")
    found = seqs_of(journal)
    assert found == ([1, 2, 3] if way is by_opening else [1])
    assert check(journal).damage_counts == {"unreadable": 1}
    mend(journal)
    assert seqs_of(journal) == found
    assert check(journal).damages == []
    assert later.with_name(f"{later.name}.damaged-1").read_bytes().startswith(b"anything\n")


@pytest.mark.parametrize(
    "torn", [b"\0" * 100, header(2, 1)[:50], header(2, 1)[:-1], header(2, 1)[:50] + b"\0" * 50, b""]
)
def test_segment_of_which_a_loss_of_power_left_no_whole_line_is_removed(
    torn: bytes, journal: Path, lines: Lines
) -> None:
    """Nothing was in it yet that the file before does not have, or that was owed."""
    journal.write_bytes(lines.tool())
    segment_path(journal, 2).write_bytes(torn)
    by_opening(journal)
    assert seqs_of(journal) == [1, 2, 3]
    assert check(journal).damages == []
    assert segments_of(journal) == [Segment(journal)]


def _make_pipe(path: Path) -> None:
    os.mkfifo(path)


def _make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))  # an absolute path may be too long for one


def _make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))  # /dev/zero's, which has no end
    except PermissionError:
        pytest.skip("only root may make a device")


def _link_to_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def _link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def _link_to_log(path: Path) -> None:
    other = Lines(session_id="another")
    path.with_name("other").write_bytes(other.tool())
    path.symlink_to("other")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such things in a directory there")
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "use",
    [
        _make_pipe,
        _make_socket,
        _make_device,
        Path.mkdir,
        _link_to_device,
        _link_to_pipe,
        _link_to_nothing,
        _link_to_itself,
        _link_to_log,
    ],
)
def test_what_is_no_file_but_named_like_a_segment_holds_up_nobody(
    use: Callable[[Path], None], journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readers, `check`, recovery and openers pass it by, and a session that goes on takes the next number."""
    monkeypatch.chdir(journal.parent)
    journal.write_bytes(lines.tool())
    other = segment_path(journal, 2)
    use(other)
    before = os.lstat(other)
    assert segments_of(journal) == [Segment(journal)]
    assert first_journal(other) == other
    assert seqs_of(journal) == [1]
    assert check(journal).damages == []
    logger = SessionLogger(AGENT, SESSION, output_dir=journal.parent, sync_policy="never")
    logger.log_file_read("a")
    journal.unlink()
    logger.flush()
    assert logger.statistics().segment == 3
    logger.close()
    assert not mend(journal).changed
    assert seqs_of(journal) == [1, 2, 3]
    assert check(journal).damages == []
    assert os.lstat(other).st_ino == before.st_ino


def test_segment_whose_first_line_names_others_is_told_by_its_next(journal: Path, lines: Lines) -> None:
    """A byte of an id may be damaged like any other; two lines that agree are another session's."""
    journal.write_bytes(lines.tool())
    foreign = header(2, 1).replace(AGENT.encode(), b"?" + AGENT.encode()[1:])
    later = segment_path(journal, 2)
    later.write_bytes(foreign + lines.tool())
    assert seqs_of(journal) == [1, 2]
    later.write_bytes(foreign + foreign + lines.tool())
    assert seqs_of(journal) == [1]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("repair", [mend, recover])
def test_session_with_a_packed_file_is_refused_untouched(
    journal: Path, lines: Lines, repair: Callable[[Path], object], number: int
) -> None:
    """What was appended to compressed data, or cut from it, would be damage; a live reader is still served."""
    plain = [lines.tool() + b"x\n", header(2, 1) + lines.tool() + b"y\n"]
    plain[number - 1] = gzip.compress(plain[number - 1])
    for each, content in enumerate(plain, 1):
        segment_path(journal, each).write_bytes(content)
    with pytest.raises(JournalError, match="unpack it first") as caught:
        repair(journal)
    assert caught.value.path == str(segment_path(journal, number))
    assert {path.name: path.read_bytes() for path in journal.parent.iterdir()} == {
        segment_path(journal, each).name: content for each, content in enumerate(plain, 1)
    }


def test_directory_is_listed_once_for_many_sessions_and_again_when_it_changes(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the block alone; what is found is the same as without."""
    journal.write_bytes(lines.tool())
    segment_path(journal, 2).write_bytes(header(2, 1) + lines.tool())
    other = journal_path(journal.parent, session_id="other")
    other.write_bytes(Lines(session_id="other").tool())
    listed: list[object] = []

    def list_directory(path: Path) -> list[str]:
        listed.append(path)
        return os.listdir(path)

    monkeypatch.setattr(system, "list_directory", list_directory)
    listings = Listings()
    with listings.used():
        assert [segment.number for segment in segments_of(journal)] == [1, 2]
        assert [segment.number for segment in segments_of(other)] == [1]
        assert seqs_of(journal) == [1, 2]
        assert len(listed) == 1
        segment_path(journal, 3).write_bytes(header(3, 2) + lines.tool())
        os.utime(journal.parent, ns=(0, 0))  # as the file system's clock does it, at the latest with its next tick
        assert seqs_of(journal) == [1, 2, 3]
        assert len(listed) == 2
    segments_of(journal)
    assert len(listed) == 3
    with listings.used():
        assert segments_of(journal.parent / "gone" / "no" / journal.name) == []
