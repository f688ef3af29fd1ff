"""A session that cannot be opened, or not yet: told to its caller, and a trouble to nobody else."""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import threading
from pathlib import Path

import pytest

from deia import SessionLogger, analyze_session, system
from deia.bus.background import background
from deia.errors import DeiaError, ForeignJournalError, SessionLockedError
from support.lines import assert_sound, lines_of
from support.waiting import PATIENCE_S, Worker, eventually


def test_tasks_kept_in_memory_keep_their_numbers_agreeing_after_a_past(tmp_path: Path) -> None:
    """Start, children and completion name the same task, though its number moves when an earlier run shows up."""
    directory, away = tmp_path / "sessions", tmp_path / "away"
    with SessionLogger("agent", "s", output_dir=directory) as earlier:
        earlier.log_task_start("earlier")
        earlier.log_task_complete("earlier", 10)
    directory.rename(away)
    directory.write_text("in the way")
    logger = SessionLogger("agent", "s", output_dir=directory)
    logger.log_task_start("task")
    logger.log_file_read("in memory")
    assert logger.statistics().mode == "memory"
    directory.unlink()
    away.rename(directory)
    logger.flush()
    assert logger.statistics().mode == "mmap"
    logger.log_file_read("in the file")
    logger.log_task_start("child")
    logger.log_task_complete("child", 5)
    logger.log_task_complete("task", 7)
    logger.close()

    lines = lines_of(logger.path)
    start, end = (line for line in lines if line.get("name") == "task")
    child, child_end = (line for line in lines if line.get("name") == "child")
    assert start["task_id"] == start["seq"] == end["task_id"]
    assert [line["task_id"] for line in lines if line["type"] == "FileEvent"] == [start["seq"]] * 2
    assert child["parent_id"] == child_end["parent_id"] == start["seq"]
    assert "orphan" not in end
    analysis = analyze_session(logger.path)
    assert analysis.task_counts == {"earlier": 1, "child": 1, "task": 1}
    assert (analysis.open_tasks, analysis.orphans) == ([], 0)
    assert_sound(logger.path)


def test_compressed_journal_is_refused_and_not_touched(tmp_path: Path) -> None:
    """Lines appended to a gzip file would make both unreadable."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        for number in range(300):
            logger.log_file_read(f"{number}")
    compressed = gzip.compress(logger.path.read_bytes())
    logger.path.write_bytes(compressed)
    again = SessionLogger("agent", "s", output_dir=tmp_path)
    with pytest.raises(ForeignJournalError):
        again.log_file_read("new")
    again.close()
    assert logger.path.read_bytes() == compressed
    assert os.listdir(tmp_path) == ["agent_s.jsonl"]


def test_log_handler_that_records_cannot_deadlock_with_an_opening_that_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread holds the handler and wants the session, the other opens the session and wants the handler."""
    obstacle = tmp_path / "obstacle"
    obstacle.write_text("a file")
    logger = SessionLogger("agent", "s", output_dir=obstacle)
    handling, opening = threading.Event(), threading.Event()
    real = system.make_directory

    def announced(path: Path) -> list[Path]:
        opening.set()
        return real(path)

    class Recording(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == "agent":
                handling.set()
                opening.wait(PATIENCE_S)
            logger.log_tool_call("log", {"message": record.getMessage()}, 0)

    monkeypatch.setattr(system, "make_directory", announced)
    handler = Recording(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        warns = Worker(lambda: logging.getLogger("agent").warning("hello"))
        assert handling.wait(PATIENCE_S)
        opens = Worker(lambda: logger.log_file_read("a"))
        opens.finish()
        warns.finish()
    finally:
        logging.getLogger().removeHandler(handler)
    assert {type(event).__name__ for event in logger.events} == {"FileEvent", "ToolEvent"}


@pytest.mark.parametrize("trouble", ["locked", "foreign"])
def test_session_that_turns_out_not_to_be_ours_leaves_the_others_their_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    """What one session meets when it leaves memory mode does not end the background that writes them all."""
    healthy = SessionLogger("agent", "healthy", output_dir=tmp_path, flush_interval_s=0.05)
    healthy.log_file_read("0")
    eventually(lambda: len(lines_of(healthy.path)) == 1, "the background to write")
    home = background()

    in_the_way, ready = tmp_path / "file", tmp_path / "ready"
    in_the_way.write_text("in the way")
    ready.mkdir()
    directory = tmp_path / "sessions"
    directory.symlink_to(in_the_way)
    troubled = SessionLogger("agent", "s", output_dir=directory, flush_interval_s=0.05)
    troubled.log_file_read("kept")
    assert troubled.statistics().mode == "memory"
    other = SessionLogger("agent", "s", output_dir=ready)
    if trouble == "locked":
        other.log_file_read("another's")
    else:
        (ready / "agent_s.jsonl").write_text('{"agent_id":"another","v":1,"seq":1}\n', encoding="utf-8")
    caller, tried = threading.current_thread(), threading.Event()
    real = system.lock

    def lock(fd: int) -> bool | None:
        if threading.current_thread() is not caller:
            tried.set()
        return real(fd)

    monkeypatch.setattr(system, "lock", lock)
    (tmp_path / "link").symlink_to(ready)
    (tmp_path / "link").rename(directory)
    assert tried.wait(PATIENCE_S)
    for number in range(1, 4):
        healthy.log_file_read(f"{number}")
        eventually(lambda number=number: len(lines_of(healthy.path)) == number + 1, "the background to write")
    assert home.alive and background() is home
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    with contextlib.suppress(DeiaError):
        troubled.close()
    other.close()
    healthy.close()
    assert_sound(healthy.path)


def test_calls_after_a_locked_session_was_met_fail_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first looks patiently; an agent that goes on is not held up at each call."""
    first = SessionLogger("agent", "s", output_dir=tmp_path)
    first.log_file_read("a")
    second = SessionLogger("agent", "s", output_dir=tmp_path)
    caller = threading.current_thread()
    pauses: list[float] = []
    real = system.pause

    def pause(seconds: float) -> None:
        if threading.current_thread() is caller:
            pauses.append(seconds)
        real(seconds)

    monkeypatch.setattr(system, "pause", pause)
    with pytest.raises(SessionLockedError):
        second.log_file_read("b")
    pauses.clear()
    for _ in range(5):
        with pytest.raises(SessionLockedError):
            second.log_file_read("b")
    assert pauses == []
    first.close()
    assert [line["path"] for line in lines_of(first.path)] == ["a"]
