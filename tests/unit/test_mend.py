from __future__ import annotations

import errno
import gzip
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import system
from deia.errors import JournalError, NotASessionLogError, SessionLockedError
from deia.journal.check import check
from deia.journal.mend import mend
from deia.journal.reader import read_events
from deia.queue.layout import queue_path
from support.journals import Lines, journal_path, write_queue

ORIGINAL = b'{"path":"/a","operation":"read"}\n'


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def names(journal: Path) -> set[str]:
    return {path.name for path in journal.parent.iterdir()}


def test_sound_log_is_left_alone(journal: Path, lines: Lines) -> None:
    """Nothing is written, nothing is made, nothing stays behind."""
    journal.write_bytes(lines.tool())
    before = journal.stat()
    report = mend(journal)
    assert not report.changed
    assert (report.removed, report.aside, report.recovery.recovered_bytes) == (0, None, 0)
    assert (journal.stat().st_ino, journal.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert names(journal) == {journal.name}


def test_queue_file_is_brought_in_and_removed(journal: Path, lines: Lines) -> None:
    """What a killed process left is in the journal afterwards, and any tool sees it."""
    content = lines.tool() + lines.tool()
    journal.write_bytes(content[:50])
    write_queue(journal, content)
    report = mend(str(journal))
    assert report.changed
    assert (report.path, report.recovery.recovered_bytes, report.removed) == (str(journal), len(content) - 50, 0)
    assert journal.read_bytes() == content
    assert names(journal) == {journal.name}
    assert check(journal).ok
    assert not mend(journal).changed


def test_torn_end_is_cut(journal: Path, lines: Lines) -> None:
    """So that the next tool need not know about torn ends."""
    whole = lines.tool()
    journal.write_bytes(whole + b'{"type"')
    assert mend(journal).recovery.lost_bytes == 7
    assert journal.read_bytes() == whole


def test_unreadable_lines_are_taken_out_and_the_original_is_kept(journal: Path, lines: Lines) -> None:
    """The readable lines stay as they stand, byte for byte; the file as it was has another name that no glob finds."""
    good = [lines.tool(colour="red"), ORIGINAL, lines.line({"type": "Later"}), lines.tool(), lines.tool()]
    content = good[0] + b"broken\n\n" + good[1] + b'{"a":1}\n' + good[2] + bytes(7) + good[3] + b"\xff\n" + good[4]
    journal.write_bytes(content)
    journal.chmod(0o644)
    report = mend(journal)
    assert journal.read_bytes() == b"".join(good)
    assert report.aside == journal.with_name("agent_session.jsonl.damaged-1")
    assert report.aside.read_bytes() == content
    assert (report.removed, report.changed) == (5, True)
    assert names(journal) == {journal.name, report.aside.name}
    assert list(journal.parent.glob("*.jsonl")) == [journal]
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    assert check(journal).ok


def test_mending_twice_changes_nothing_more(journal: Path, lines: Lines) -> None:
    """It is idempotent."""
    journal.write_bytes(lines.tool() + b"broken\n")
    mend(journal)
    before = {path: path.read_bytes() for path in journal.parent.iterdir()}
    assert not mend(journal).changed
    assert {path: path.read_bytes() for path in journal.parent.iterdir()} == before


def test_each_mending_keeps_its_own_original(journal: Path, lines: Lines) -> None:
    """A name that is taken is not taken again."""
    for number in (1, 2):
        with journal.open("ab") as file:
            file.write(lines.tool() + b"broken %d\n" % number)
        assert mend(journal).aside == journal.with_name(f"{journal.name}.damaged-{number}")
    assert b"broken 1" in journal.with_name(f"{journal.name}.damaged-1").read_bytes()
    assert check(journal).events == 2


def test_session_goes_on_after_mending(journal: Path, lines: Lines) -> None:
    """What was missing stays missing, and is said."""
    content = [lines.tool() for _ in range(3)]
    journal.write_bytes(content[0] + b"broken\n" + content[2])
    mend(journal)
    report = check(journal)
    assert report.damage_counts == {"gap": 1}
    assert not mend(journal).changed


def test_files_larger_than_one_batch_are_copied_whole(journal: Path, lines: Lines) -> None:
    """Lines of any number and length."""
    good = [lines.tool(params={"text": "x" * 300_000}) for _ in range(12)]
    journal.write_bytes(good[0] + b"broken\n" + b"".join(good[1:]))
    mend(journal)
    assert journal.read_bytes() == b"".join(good)


def test_recovery_and_mending_go_together(journal: Path, lines: Lines) -> None:
    """A queue file is brought in first, so that the damage does not cost what it holds."""
    first, second = lines.tool(), lines.tool()
    content = first + b"broken\n" + second
    journal.write_bytes(content[: len(first) + 10])
    write_queue(journal, content)
    report = mend(journal)
    assert (report.removed, report.recovery.recovered_bytes) == (1, len(content) - len(first) - 10)
    assert journal.read_bytes() == first + second
    assert names(journal) == {journal.name, f"{journal.name}.damaged-1"}


def test_locked_session_is_not_touched(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live logger's files are its own."""
    monkeypatch.setattr(system, "pause", lambda seconds: None)
    content = lines.tool() + b"broken\n" + lines.tool()
    journal.write_bytes(content[:-5])
    queue = write_queue(journal, content)
    before = {path: path.read_bytes() for path in journal.parent.iterdir()}
    fd = system.open_or_create(queue)
    try:
        assert system.lock(fd)
        with pytest.raises(SessionLockedError):
            mend(journal)
    finally:
        system.close(fd)
    assert {path: path.read_bytes() for path in journal.parent.iterdir()} == before


@pytest.mark.parametrize("content", [b"hello world", b"hello\nworld\n", b'{"a":1}\n{"b":2}'])
def test_file_that_is_no_session_log_is_not_touched(journal: Path, content: bytes) -> None:
    """Cutting its end, or emptying it, would be damage."""
    journal.write_bytes(content)
    with pytest.raises(NotASessionLogError, match="is not a session log"):
        mend(journal)
    assert journal.read_bytes() == content
    assert names(journal) == {journal.name}


def test_file_that_is_no_session_log_is_not_emptied_beside_a_queue_file(journal: Path) -> None:
    """Something else was put in the journal's place."""
    journal.write_bytes(b"hello\nworld\n")
    queue_path(journal).touch()
    with pytest.raises(NotASessionLogError):
        mend(journal)
    assert journal.read_bytes() == b"hello\nworld\n"
    assert names(journal) == {journal.name}


def test_empty_log_is_fine(journal: Path) -> None:
    """So is one that a session left that died while it was being opened."""
    journal.touch()
    queue_path(journal).touch()
    assert not mend(journal).changed
    assert names(journal) == {journal.name}


def test_original_log_keeps_its_last_line(journal: Path) -> None:
    """It may lack the final newline; mending gives it one."""
    journal.write_bytes(ORIGINAL + b"broken\n" + ORIGINAL[:-1])
    assert mend(journal).removed == 1
    assert journal.read_bytes() == ORIGINAL * 2


def test_compressed_log_is_refused(tmp_path: Path, lines: Lines) -> None:
    """Nothing appends to it, and its lines cannot be taken out in place."""
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(lines.tool() + b"broken\n"))
    before = path.read_bytes()
    with pytest.raises(JournalError, match="unpack it first"):
        mend(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_missing_session_raises(journal: Path) -> None:
    """And nothing is made."""
    with pytest.raises(FileNotFoundError):
        mend(journal)
    assert names(journal) == set()


def test_removed_journal_comes_back_out_of_its_queue_file(journal: Path, lines: Lines) -> None:
    """As far as the window holds it."""
    content = lines.tool() + lines.tool()
    journal.touch()
    write_queue(journal, content)
    journal.unlink()
    mend(journal)
    assert journal.read_bytes() == content


def test_directory_raises(tmp_path: Path) -> None:
    """A directory is called one."""
    with pytest.raises(IsADirectoryError):
        mend(tmp_path)


def test_link_is_refused(journal: Path, lines: Lines, tmp_path: Path) -> None:
    """It is read through, but never written through."""
    journal.write_bytes(lines.tool() + b"broken\n")
    link = tmp_path / "link.jsonl"
    link.symlink_to(journal)
    with pytest.raises(OSError, match="link"):
        mend(link)
    assert journal.read_bytes().endswith(b"broken\n")


def test_file_system_without_second_names_gets_a_copy(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original is kept all the same, under the first free name, for its owner's eyes only."""

    def refuse(source: object, target: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(system, "link", refuse)
    content = lines.tool() + b"broken\n"
    journal.write_bytes(content)
    journal.with_name(f"{journal.name}.damaged-1").touch()
    aside = mend(journal).aside
    assert aside is not None
    assert (aside.name, aside.read_bytes()) == (f"{journal.name}.damaged-2", content)
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600


class Killed(BaseException):
    """Stands for the death of the process."""


def dying_at(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool) -> None:
    """Make a function of `deia.system` the last thing that happens, once."""
    real: Callable[..., Any] = getattr(system, name)

    def die(*arguments: Any) -> None:
        monkeypatch.setattr(system, name, real)
        if after:
            real(*arguments)
        raise Killed

    monkeypatch.setattr(system, name, die)


@pytest.mark.parametrize("name", ["link", "rename", "sync_directory", "sync", "open_new"])
@pytest.mark.parametrize("after", [False, True])
def test_mending_that_dies_anywhere_loses_nothing_and_can_be_done_again(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool
) -> None:
    """At each moment the journal is there, as it was or mended, and only one original is kept in the end."""
    good = lines.tool() + lines.tool()
    journal.write_bytes(good + b"broken\n")
    dying_at(monkeypatch, name, after=after)
    with pytest.raises(Killed):
        mend(journal)
    assert [event.seq for event in read_events(journal)] == [1, 2]
    mend(journal)
    assert journal.read_bytes() == good
    assert check(journal).ok
    assert names(journal) == {journal.name, f"{journal.name}.damaged-1"}
    assert journal.with_name(f"{journal.name}.damaged-1").read_bytes() == good + b"broken\n"


def test_rest_of_a_mending_that_died_is_taken_away(journal: Path, lines: Lines) -> None:
    """A killed process cleans up nothing; the next mending does."""
    journal.write_bytes(lines.tool() + b"broken\n")
    journal.with_name(f".{journal.name}.mending").write_bytes(b"half a li")
    mend(journal)
    assert names(journal) == {journal.name, f"{journal.name}.damaged-1"}


def test_full_disk_leaves_everything_as_it_was(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes to the caller, and no half file stays."""
    content = lines.tool() + b"broken\n"
    journal.write_bytes(content)

    def full(fd: int, data: object, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(system, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        mend(journal)
    assert journal.read_bytes() == content
    assert names(journal) == {journal.name}


def test_short_reads_are_gone_on_with(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network file system may give less than was asked for."""
    good = lines.tool() + lines.tool()
    journal.write_bytes(good + b"broken\n")
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: real(fd, min(size, 10), offset))
    mend(journal)
    assert journal.read_bytes() == good


def test_file_that_shrinks_meanwhile_is_an_error(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who ignores the lock cuts it: half a line is never written."""
    content = lines.tool() + b"broken\n" + lines.tool()
    journal.write_bytes(content)
    real_open = system.open_new

    def cut_then_open(path: Path) -> int:
        monkeypatch.setattr(system, "pread", lambda fd, size, offset: b"")
        return real_open(path)

    monkeypatch.setattr(system, "open_new", cut_then_open)
    with pytest.raises(OSError, match="became shorter"):
        mend(journal)
    assert journal.read_bytes() == content
