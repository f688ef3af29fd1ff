"""`save_session` to another directory while the session goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, ToolEvent, read_events, system
from deia.errors import SessionLockedError
from support.lines import assert_sound, lines_of
from support.waiting import Worker


def test_copy_ends_in_a_whole_line_though_the_journal_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch ends where it ends: what the writer has of a line at that moment is left out of the copy."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions", flush_interval_s=60)
    for number in range(3):
        logger.log_file_read(f"{number}")
    torn: list[int] = []

    def write_one_and_a_half_lines_more() -> None:
        logger.log_file_read("3")
        logger.log_file_read("4")
        start, data = logger._session.producer.copy_unflushed(1 << 20)
        fd = system.open_existing(logger.path, writable=True)
        try:
            part = data[: len(data) * 3 // 4]
            torn.append(start + os.pwrite(fd, part, start))
        finally:
            os.close(fd)

    def hooked(name: str) -> None:
        real = getattr(system, name)

        def opened(path: Any, *arguments: Any, **options: Any) -> Any:
            if not torn and (Path(path) == logger.path or "saving" in Path(path).name):
                torn.append(0)  # once: this opens the journal, too
                write_one_and_a_half_lines_more()
            return real(path, *arguments, **options)

        monkeypatch.setattr(system, name, opened)

    logger.flush()
    for name in ("open_for_reading", "open_or_create", "open_new"):
        hooked(name)
    copy = logger.save_session(tmp_path / "copy")
    monkeypatch.undo()
    assert logger.path.stat().st_size == torn[-1] > 0
    assert [line["path"] for line in lines_of(copy)][:3] == ["0", "1", "2"]
    logger.close()
    assert logger.path.read_bytes().startswith(copy.read_bytes())
    assert len(lines_of(logger.path)) == 5
    assert_sound(logger.path)


def test_every_copy_made_under_load_is_a_beginning_of_the_journal(tmp_path: Path) -> None:
    """In whole lines, each at least as long as the one before."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions", flush_interval_s=0.0, queue_bytes=64 * 1024)
    logger.log_file_read("first")
    copies: list[bytes] = []

    def log() -> None:
        for number in range(1000):
            logger.log_tool_call("t", {"pad": "x" * 3000}, number)

    worker = Worker(log)
    while worker.is_alive() and len(copies) < 20:
        copies.append(logger.save_session(tmp_path / "copy").read_bytes())
    worker.finish()
    logger.close()
    whole = logger.path.read_bytes()
    assert copies
    assert all(copy.endswith(b"\n") and whole.startswith(copy) for copy in copies)
    assert [len(copy) for copy in copies] == sorted(len(copy) for copy in copies)
    assert_sound(logger.path)


def test_saving_over_a_session_that_another_logger_has_open_is_refused(tmp_path: Path) -> None:
    """Two sessions of the same ids in two directories: neither takes the other's file away."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "one")
    other = SessionLogger("agent", "s", output_dir=tmp_path / "two")
    logger.log_tool_call("mine", {}, 1)
    other.log_tool_call("before", {}, 1)
    with pytest.raises(SessionLockedError):
        logger.save_session(tmp_path / "two")
    other.log_tool_call("after", {}, 1)
    other.close()
    assert [event.name for event in read_events(other.path) if isinstance(event, ToolEvent)] == ["before", "after"]
    assert logger.save_session(tmp_path / "two") == other.path
    assert [event.name for event in read_events(other.path) if isinstance(event, ToolEvent)] == ["mine"]
    logger.close()
