"""Watching a directory: which sessions there are, which come, and what a look costs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import SessionLogger, system
from deia.live.directory import Directory
from support.journals import Lines, journal_path
from support.waiting import eventually


def watched(path: Path) -> tuple[Directory, list[str]]:
    complaints: list[str] = []
    return Directory(path, lambda error, where: complaints.append(where)), complaints


def make(directory: Path, session: str) -> Path:
    directory.mkdir(exist_ok=True, parents=True)
    journal = journal_path(directory, "agent", session)
    journal.write_bytes(Lines("agent", session).file())
    return journal


def settle(directory: Path) -> None:
    """Have a directory as if it had been changed an hour ago."""
    hour_ago = system.now() - 3600
    os.utime(directory, (hour_ago, hour_ago))


def test_sessions_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    """Those that are there, and then those that come, in directories that come, too."""
    first, deep = make(tmp_path, "a"), make(tmp_path / "x" / "y", "b")
    (tmp_path / "notes.md").write_text("")
    directory, complaints = watched(tmp_path)
    assert directory.changed() == sorted([first, deep])
    assert directory.changed() == []
    later = make(tmp_path / "x" / "z", "c")
    assert directory.changed() == [later]
    assert complaints == []


def test_directory_need_not_be_there_yet(tmp_path: Path) -> None:
    """And may go, and come again."""
    directory, complaints = watched(tmp_path / "sessions")
    assert directory.changed() == []
    made = make(tmp_path / "sessions", "a")
    assert directory.changed() == [made]
    made.unlink()
    (tmp_path / "sessions").rmdir()
    directory.changed()
    assert make(tmp_path / "sessions", "a") == made
    assert directory.changed() == [made]
    assert complaints == []


def test_session_that_is_opened_again_is_told(tmp_path: Path) -> None:
    """Its queue file comes with its next run."""
    made = make(tmp_path, "a")
    directory, _ = watched(tmp_path)
    assert directory.changed() == [made]
    with SessionLogger("agent", "a", output_dir=tmp_path) as log:
        log.log_file_read("/again")
        assert directory.changed() == [made]


def test_segments_and_rings_are_no_sessions_of_their_own(tmp_path: Path) -> None:
    """They belong to the first file of theirs."""
    directory, _ = watched(tmp_path)
    with SessionLogger("agent", "a", output_dir=tmp_path, queue_dir=tmp_path / "rings", max_segment_bytes=65536) as log:
        for _ in range(200):
            log.log_file_read("x" * 600)
        eventually(lambda: log.statistics().segment > 1, "the session to go on in another file")
        assert directory.changed() == [log.path]


def test_directory_in_which_nothing_happens_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sessions are in it: one look at its status, and none at theirs."""
    for number in range(5):
        make(tmp_path, str(number))
    settle(tmp_path)
    directory, _ = watched(tmp_path)
    assert len(directory.changed()) == 5
    looked: list[Path] = []

    def stat(path: Path) -> os.stat_result:
        looked.append(Path(path))
        return os.stat(path)

    with monkeypatch.context() as patch:
        patch.setattr(system, "list_apart", None)
        patch.setattr(system, "stat", stat)
        patch.setattr(system, "monotonic", lambda: 0.0)
        assert directory.changed() == []
    assert looked == [tmp_path]


def test_log_that_another_program_writes_is_told_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no queue file that would come: now and then each log is looked at."""
    made = make(tmp_path, "a")
    directory, _ = watched(tmp_path)
    assert directory.changed() == [made]
    with made.open("ab") as file:
        file.write(b"\n")
    clock = system.monotonic() + 60
    monkeypatch.setattr(system, "monotonic", lambda: clock)
    assert directory.changed() == [made]
    assert directory.changed() == []


def test_session_that_comes_within_a_tick_of_the_clock_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two changes of a directory may have one time: one that was changed a moment ago is listed again."""
    make(tmp_path, "a")
    directory, _ = watched(tmp_path)
    changed_ns = tmp_path.stat().st_mtime_ns
    monkeypatch.setattr(system, "now", lambda: changed_ns / 1e9 + 1)
    directory.changed()
    later = make(tmp_path, "b")
    os.utime(tmp_path, ns=(changed_ns, changed_ns))
    assert directory.changed() == [later]


def test_directory_that_cannot_be_listed_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is looked at; what else there is is found."""
    made, secret = make(tmp_path, "a"), tmp_path / "secret"
    secret.mkdir()
    list_apart = system.list_apart

    def refuse(path: str) -> tuple[list[str], list[str]]:
        if path == str(secret):
            raise PermissionError(13, "Permission denied", path)
        return list_apart(path)

    monkeypatch.setattr(system, "list_apart", refuse)
    directory, complaints = watched(tmp_path)
    assert directory.changed() == [made]
    directory.changed()
    directory.changed()
    assert complaints == [str(secret)]


def test_what_cannot_be_listed_is_told_once(tmp_path: Path) -> None:
    """A pipe that is called like a log, and a link that leads to itself; neither is opened."""
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    directory, complaints = watched(tmp_path)
    assert directory.changed() == []
    make(tmp_path, "a")
    directory.changed()
    assert sorted(complaints) == [str(tmp_path / "loop.jsonl"), str(tmp_path / "pipe.jsonl")]
