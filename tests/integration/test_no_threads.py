"""A system that gives the process no further thread: recording goes on without the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deia import SessionLogger, system
from deia.bus import background
from support.lines import assert_sound, lines_of


@pytest.fixture
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without a background loop, and without the means to start one."""

    def refuse(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(background._process, "background", None)
    monkeypatch.setattr(system, "start_thread", refuse)


@pytest.mark.usefixtures("no_threads")
def test_recording_goes_on_where_no_thread_can_be_started(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """More than the ring holds is logged, flushed and closed by the caller's own thread, with one warning."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=65536)
    for number in range(1000):
        logger.log_tool_call("t", {"pad": "x" * 200}, number)
    logger.flush()
    assert len(lines_of(logger.path)) == 1000
    logger.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert_sound(logger.path)


@pytest.mark.usefixtures("no_threads")
def test_background_takes_over_when_a_thread_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next event starts it, and what was logged before is written too."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    logger.log_file_read("before")
    monkeypatch.undo()
    logger.log_file_read("after")
    logger.flush()
    assert [line["path"] for line in lines_of(logger.path)] == ["before", "after"]
    logger.close()
    assert_sound(logger.path)
