"""Which sessions a PATH argument of `deia check` and `deia recover` means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import SessionLogger
from deia.cli.paths import sessions


def found(path: Path) -> tuple[list[str], list[str]]:
    complaints: list[str] = []
    journals = list(sessions(str(path), lambda error, where: complaints.append(f"{error.strerror}: {where}")))
    return [os.path.relpath(journal, path if path.is_dir() else path.parent) for journal in journals], complaints


def test_directory_means_every_journal_in_it_at_any_depth_in_order(tmp_path: Path) -> None:
    """Other files are left alone; an empty directory is fine."""
    for name in ("b_2.jsonl", "a_1.jsonl", "notes.txt", "deep/er/c_3.jsonl", ".a_1.queue.aside-1"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert found(tmp_path) == (["a_1.jsonl", "b_2.jsonl", "deep/er/c_3.jsonl"], [])
    assert found(tmp_path / "deep" / "er") == (["c_3.jsonl"], [])


def test_session_of_which_only_the_queue_file_is_left_is_found(tmp_path: Path) -> None:
    """Named by the directory, by its queue file, or by the journal that is not there; beside a journal it is one."""
    for name in (".a_1.queue", ".b_2.queue", "b_2.jsonl"):
        (tmp_path / name).touch()
    assert found(tmp_path) == (["a_1.jsonl", "b_2.jsonl"], [])
    assert found(tmp_path / ".a_1.queue") == (["a_1.jsonl"], [])
    assert found(tmp_path / "a_1.jsonl") == (["a_1.jsonl"], [])


def test_ring_that_lies_below_the_directory_is_no_session(tmp_path: Path) -> None:
    """As `queue_dir=` puts it there: it belongs to the session whose queue file points to it."""
    with SessionLogger("a", "1", output_dir=tmp_path, queue_dir=tmp_path / "rings") as log:
        log.log_file_read("/x")
        assert os.listdir(tmp_path / "rings")
        assert found(tmp_path) == (["a_1.jsonl"], [])


def test_any_file_may_be_named(tmp_path: Path) -> None:
    """A log may have any name, a compressed one for instance."""
    (tmp_path / "log.gz").touch()
    assert found(tmp_path / "log.gz") == (["log.gz"], [])


def test_path_where_nothing_is_is_complained_about(tmp_path: Path) -> None:
    """It yields no session."""
    assert found(tmp_path / "no.jsonl") == ([], [f"No such file or directory: {tmp_path / 'no.jsonl'}"])


def test_directory_that_cannot_be_listed_is_complained_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be looked at is looked at all the same."""
    (tmp_path / "a_1.jsonl").touch()
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def guarded(path: str) -> object:
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    assert found(tmp_path) == (["a_1.jsonl"], [f"Permission denied: {tmp_path / 'secret'}"])
