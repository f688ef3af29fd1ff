"""A session that does nothing gives back what it can do without, and takes it again when it goes on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from deia import FileEvent, SessionLogger, read_events
from deia.bus import consumer
from deia.errors import SessionLockedError
from deia.journal.check import check
from deia.journal.files import SessionFiles
from deia.testing.tally import Tally
from support.descriptors import descriptors_in, resident_kib
from support.effort import FULL
from support.lines import assert_sound, lines_of
from support.losses import Losses
from support.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")

MODES = [
    pytest.param({}, id="ring"),
    pytest.param({"queue_mode": "write"}, id="write"),
    pytest.param(
        {"queue_dir": "rings"},
        id="ring elsewhere",
        marks=pytest.mark.skipif(sys.version_info < (3, 13), reason="each mapping keeps a descriptor before 3.13"),
    ),
]


@pytest.fixture
def rests_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits ten seconds here, but for the full run of the fault tests."""
    if not FULL:
        monkeypatch.setattr(consumer, "REST_AFTER_S", 0.05)


def resting_logger(directory: Path, **options: Any) -> SessionLogger:
    """Return a logger whose session has begun to rest."""
    if "queue_dir" in options:
        options["queue_dir"] = directory / options["queue_dir"]
    logger = SessionLogger("agent", "s", output_dir=directory / "sessions", **options)
    logger.log_file_read("0")
    logger.sync()
    eventually(lambda: "agent_s.jsonl" not in descriptors_in(directory / "sessions"), "the session to rest")
    return logger


def assert_continues(logger: SessionLogger) -> None:
    """Assert that what is logged next is recorded as if nothing had been."""
    logger.log_file_read("1")
    logger.flush()
    logger.log_file_read("2")
    logger.close()
    assert [line["path"] for line in lines_of(logger.path)] == ["0", "1", "2"]
    assert_sound(logger.path)


@pytest.mark.parametrize("options", MODES)
def test_idle_synced_session_gives_back_its_pages_and_all_but_one_descriptor(
    tmp_path: Path, rests_soon: None, losses: Losses, options: dict[str, Any]
) -> None:
    """What it keeps is the lock; the next event finds everything as it was."""
    assert consumer.REST_AFTER_S in (10.0, 0.05)
    logger = resting_logger(tmp_path, **options)
    eventually(lambda: resident_kib(tmp_path / "sessions") + resident_kib(tmp_path / "rings") == 0, "its pages to go")
    held = descriptors_in(tmp_path / "sessions") + descriptors_in(tmp_path / "rings")
    assert held == [".agent_s.queue"]
    with pytest.raises(SessionLockedError):
        SessionLogger("agent", "s", output_dir=tmp_path / "sessions").open()
    assert_continues(logger)
    losses.add("idle-session", Tally(tried=1, acknowledged=3, found=3))


def test_active_session_holds_two_descriptors(tmp_path: Path) -> None:
    """The journal's and the queue file's: a process with 1,024 has room for 400 of them."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        logger.log_file_read("0")
        assert descriptors_in(tmp_path) == [".agent_s.queue", "agent_s.jsonl"]
    assert descriptors_in(tmp_path) == []


def resting_candidate(directory: Path) -> SessionLogger:
    """Return a logger that has nothing to sync."""
    logger = SessionLogger("agent", "other", output_dir=directory, sync_policy="never")
    logger.log_file_read("0")
    logger.flush()
    return logger


@pytest.mark.parametrize("options", MODES)
def test_journal_replaced_while_its_session_rests_is_not_written_to(
    tmp_path: Path, rests_soon: None, options: dict[str, Any]
) -> None:
    """Another file under the journal's name is nobody's to continue: the session goes on in a file of its own.

    The ring has what is missed; where there is none, what only the moved file holds is read again once it is back.
    """
    logger = resting_logger(tmp_path, **options)
    aside = logger.path.with_suffix(".moved")
    logger.path.rename(aside)
    logger.path.write_bytes(b"somebody else's\n")
    logger.log_file_read("1")
    logger.flush(timeout_s=PATIENCE_S)
    assert logger.statistics().error is None
    assert logger.path.read_bytes() == b"somebody else's\n"
    assert check(logger.path).ok == (options.get("queue_mode") != "write")
    aside.rename(logger.path)
    logger.log_file_read("2")
    logger.close()
    assert [line["path"] for line in lines_of(logger.path)] == ["0"]
    assert [event.path for event in read_events(logger.path) if isinstance(event, FileEvent)] == ["0", "1", "2"]
    assert_sound(logger.path)


def test_journal_that_was_removed_is_not_let_go_of(tmp_path: Path, rests_soon: None) -> None:
    """Its bytes live as long as somebody holds it; a session whose journal is gone keeps it until another has them."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    logger.log_file_read("0")
    logger.sync()
    logger.path.unlink()
    other = resting_candidate(tmp_path)
    eventually(lambda: "agent_other.jsonl" not in descriptors_in(tmp_path), "another session to rest")
    logger.flush()
    assert [event.path for event in read_events(logger.path) if isinstance(event, FileEvent)] == ["0"]
    logger.close()
    other.close()
    assert_sound(logger.path)


def test_calls_that_meet_a_session_going_to_rest_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that rests after no time at all is woken again and again, at every moment of its going to rest."""
    monkeypatch.setattr(consumer, "REST_AFTER_S", 0.0)
    rest = SessionFiles.rest
    rests: list[SessionFiles] = []
    monkeypatch.setattr(SessionFiles, "rest", lambda files: (rests.append(files), rest(files)))
    for mode in ("mmap", "write"):
        options: dict[str, Any] = {"queue_mode": mode, "flush_interval_s": 0, "sync_policy": "never"}
        logger = SessionLogger("agent", mode, output_dir=tmp_path, **options)
        for number in range(500):
            logger.log_file_read(f"{number}")
            if number % 3:
                logger.flush()
        eventually(lambda path=logger.path: sum(files.path == path for files in rests) > 0, "the session to rest")
        logger.close()
        assert [line["path"] for line in lines_of(logger.path)] == [f"{number}" for number in range(500)]
        assert_sound(logger.path)
