from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import system
from deia.journal.check import CheckReport, check
from deia.journal.damage import KEPT_DAMAGES
from deia.queue.layout import Kind, queue_path
from support.journals import Lines, journal_path, write_queue


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_sound_log_is_counted(journal: Path, lines: Lines) -> None:
    """Bytes, events by type, sessions and runs; nothing waits, nobody has it open."""
    content = lines.begin() + lines.tool() + lines.complete(1) + lines.continued(2, at=5) + lines.file(at=6)
    journal.write_bytes(content)
    assert check(journal) == CheckReport(
        path=str(journal),
        journal_bytes=len(content),
        events=5,
        events_by_type={"TaskEvent": 2, "ToolEvent": 1, "SessionEvent": 1, "FileEvent": 1},
        sessions=1,
        runs=2,
    )
    assert check(str(journal)).ok


def test_nothing_is_changed_by_a_check(journal: Path, lines: Lines) -> None:
    """Not the journal, not the queue file, and no file is made."""
    content = lines.tool() + lines.tool()
    journal.write_bytes(content[:-30])
    queue = write_queue(journal, content)
    before = {path: path.read_bytes() for path in journal.parent.iterdir()}
    check(journal)
    assert {path: path.read_bytes() for path in journal.parent.iterdir()} == before
    assert set(before) == {journal, queue}


def test_empty_log_is_fine(journal: Path) -> None:
    """A session that logged nothing."""
    journal.touch()
    assert check(journal) == CheckReport(path=str(journal))
    assert check(journal).ok


def test_original_log_counts_as_one_run(journal: Path) -> None:
    """Its lines name no session."""
    journal.write_bytes(b'{"name":"a","start_time":1,"end_time":2}\n{"path":"/","operation":"read"}')
    report = check(journal)
    assert (report.events, report.sessions, report.runs, report.ok) == (2, 0, 1, True)


def test_concatenated_sessions_are_counted(journal: Path) -> None:
    """Each with its runs."""
    first, second = Lines(session_id="a"), Lines(session_id="b")
    journal.write_bytes(first.tool() + first.continued(2) + second.tool())
    report = check(journal)
    assert (report.sessions, report.runs, report.ok) == (2, 3, True)


def test_torn_end_is_counted_and_is_fine(journal: Path, lines: Lines) -> None:
    """Its call had not returned: no recorded event is missing."""
    journal.write_bytes(lines.tool() + b'{"type":"To')
    report = check(journal)
    assert (report.torn_bytes, report.damage_counts, report.ok) == (11, {"torn": 1}, True)


@pytest.mark.parametrize("boot_id", [None, bytes(16)], ids=["trusted", "untrusted"])
def test_bytes_that_wait_in_the_queue_file_are_counted_and_are_fine(
    journal: Path, lines: Lines, boot_id: bytes | None
) -> None:
    """Readers see them, and recovery brings them in."""
    first, second = lines.tool(), lines.tool()
    journal.write_bytes(first)
    queue = write_queue(journal, first + second, boot_id=boot_id)
    report = check(journal)
    assert (report.events, report.waiting_bytes, report.journal_bytes) == (2, len(second), len(first))
    assert (report.queue_file, report.locked, report.ok) == (os.fspath(queue), False, True)


def test_events_dropped_are_counted_from_lines_and_queue_file(journal: Path, lines: Lines) -> None:
    """The queue file counts at once what the next line that finds room will tell."""
    content = lines.tool() + lines.dropped(3) + lines.dropped(2)
    journal.write_bytes(content)
    assert check(journal).dropped == 5
    write_queue(journal, content, dropped=9)
    report = check(journal)
    assert (report.dropped, report.ok) == (9, True)


def test_every_damage_is_listed_and_makes_the_log_not_ok(journal: Path, lines: Lines) -> None:
    """Damage is told by kind; the first are listed in order."""
    journal.write_bytes(lines.tool() + b"broken\n" + b'{"a":1}\n' + lines.tool() + lines.tool(v=9))
    report = check(journal)
    assert report.damage_counts == {"unreadable": 2, "unknown-version": 1}
    assert [damage.line for damage in report.damages] == [2, 3, 5]
    assert (report.damage_count, report.damages_capped, report.ok) == (3, False, False)


def test_list_of_damages_is_bounded(journal: Path, lines: Lines) -> None:
    """All are counted, a hundred are listed."""
    journal.write_bytes(lines.tool() + b"broken\n" * 250)
    report = check(journal)
    assert (report.damage_count, len(report.damages), report.damages_capped) == (250, KEPT_DAMAGES, True)
    journal.write_bytes(journal.read_bytes() + b'{"type":"To')
    report = check(journal)
    assert (report.damage_count, len(report.damages), report.damages[-1].kind) == (251, KEPT_DAMAGES + 1, "torn")


@pytest.mark.parametrize("content", [b"hello", b"hello\nworld\n", b"\n\n", b'{"a":1}\n'])
def test_file_without_an_event_is_no_session_log(journal: Path, content: bytes) -> None:
    """Whatever it is, it is not fine."""
    journal.write_bytes(content)
    report = check(journal)
    assert report.damages[-1].kind == "foreign"
    assert not report.ok


def test_session_killed_in_its_first_call_is_fine(journal: Path, lines: Lines) -> None:
    """The queue file tells that it is a session; the call had not returned."""
    journal.write_bytes(lines.tool()[:20])
    write_queue(journal, b"", kind=Kind.LOCK)
    report = check(journal)
    assert (report.events, report.torn_bytes, report.ok) == (0, 20, True)


def test_live_session_is_told_by_its_lock(journal: Path, lines: Lines) -> None:
    """The lock is left as it was found, for its owner and for the next one."""
    journal.write_bytes(lines.tool())
    queue = write_queue(journal, journal.read_bytes())
    assert check(journal).locked is False
    fd = system.open_or_create(queue)
    try:
        assert system.lock(fd)
        assert check(journal).locked is True
    finally:
        system.close(fd)
    assert check(journal).locked is False


def test_lock_that_cannot_be_looked_at_is_unknown(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link in its place, or a file system without locks."""
    journal.write_bytes(lines.tool())
    queue_path(journal).symlink_to("anywhere")
    assert check(journal).locked is None
    queue_path(journal).unlink()
    queue_path(journal).touch()
    monkeypatch.setattr(system, "fcntl", None)
    assert check(journal).locked is None


def test_file_system_without_locks_is_unknown(journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems refuse `flock`."""
    journal.write_bytes(lines.tool())
    queue_path(journal).touch()

    def refuse(fd: int, operation: int) -> None:
        raise OSError(95, "not supported")

    assert system.fcntl is not None
    monkeypatch.setattr(system.fcntl, "flock", refuse)
    assert check(journal).locked is None


def test_missing_file_and_directory_raise(tmp_path: Path) -> None:
    """They are no state of a log."""
    with pytest.raises(FileNotFoundError):
        check(tmp_path / "missing.jsonl")
    with pytest.raises(IsADirectoryError):
        check(tmp_path)
