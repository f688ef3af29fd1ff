from __future__ import annotations

from pathlib import Path

import pytest

from deia.analysis import summarize_session
from deia.errors import NotASessionLogError
from deia.events import SessionSummary
from support.journals import START, Lines, encode, journal_path, write_queue


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def test_summary_counts_what_the_logger_counts(journal: Path, lines: Lines) -> None:
    """Completed tasks, reads, writes and calls; neither orphans nor other operations."""
    journal.write_bytes(
        lines.begin()
        + lines.complete(1, at=10)
        + lines.complete(None, at=11, orphan=True)
        + lines.file()
        + lines.file("write")
        + lines.file("write")
        + lines.file("delete")
        + lines.tool()
        + lines.tool("make")
        + lines.begin(at=30)
    )
    assert summarize_session(journal) == SessionSummary(30_000, 1, 1, 2, 2, 120.0)


def test_time_is_that_of_the_runs_without_the_time_between_them(journal: Path, lines: Lines) -> None:
    """Each run from its beginning to its last line; the newest to the given end."""
    journal.write_bytes(
        lines.tool(at=5)
        + lines.continued(2, at=100)
        + lines.tool(at=103)
        + lines.continued(3, at=200)
        + lines.tool(at=201)
    )
    assert summarize_session(str(journal)).total_duration_ms == 9000
    assert summarize_session(journal, end=START + 210).total_duration_ms == 18_000
    assert summarize_session(journal, end=START).total_duration_ms == 8000


def test_clock_that_was_set_back_makes_no_negative_time(journal: Path, lines: Lines) -> None:
    """A run takes no time at least."""
    journal.write_bytes(lines.tool(at=-50) + lines.continued(2, at=100) + lines.tool(at=103))
    assert summarize_session(journal).total_duration_ms == 3000


def test_run_without_its_head_counts_from_its_first_line(journal: Path, lines: Lines) -> None:
    """The line with `session_start` was lost."""
    lines.seq = 1
    journal.write_bytes(lines.tool(at=50) + lines.tool(at=53))
    assert summarize_session(journal).total_duration_ms == 3000


def test_original_log_takes_the_session_time(journal: Path) -> None:
    """Its lines do not say when it began."""
    journal.write_bytes(encode({"name": "a", "start_time": 0.0, "end_time": 3.0}) * 2)
    assert summarize_session(journal) == SessionSummary(6000, 2, 0, 0, 0, 1200.0)


def test_killed_session_is_summarised_with_what_its_queue_file_holds(journal: Path, lines: Lines) -> None:
    """No repair step is needed."""
    journal.touch()
    write_queue(journal, lines.tool() + lines.tool(at=4))
    assert summarize_session(journal) == SessionSummary(4000, 0, 0, 0, 2, 0.0)


def test_empty_log_gives_zeros(journal: Path) -> None:
    """A session that logged nothing."""
    journal.touch()
    assert summarize_session(journal) == SessionSummary(0, 0, 0, 0, 0, 0.0)


def test_other_files_raise(tmp_path: Path) -> None:
    """As in the analysis."""
    with pytest.raises(FileNotFoundError):
        summarize_session(tmp_path / "missing.jsonl")
    other = tmp_path / "other"
    other.write_bytes(b"hello\n")
    with pytest.raises(NotASessionLogError):
        summarize_session(other)
