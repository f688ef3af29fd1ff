"""How far a reading has come, as it is told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from deia import AnalysisCache, SessionLogger, analyze_session
from deia.analysis import chunks as chunks_module
from deia.journal.check import check
from deia.journal.segments import segments_of
from support.journals import Lines, journal_path

Told = list[tuple[int, int]]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A session of 3 MB."""
    lines = Lines()
    path = journal_path(tmp_path)
    path.write_bytes(b"".join(lines.tool(params={"text": "x" * 1000}) for _ in range(2500)))
    return path


def assert_runs_to_the_end(told: Told, size: int) -> None:
    """Fail unless it was told several times, more each time, and all in the end."""
    assert len(told) > 3
    assert told == sorted(told)
    assert {total for _, total in told} == {size}
    assert told[-1][0] == size


@pytest.mark.parametrize("workers", [1, 2])
def test_progress_is_told_for_each_chunk_that_is_read_ahead(
    journal: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By this process or by others."""
    monkeypatch.setattr(chunks_module, "CHUNK_BYTES", 400_000)
    monkeypatch.setattr(chunks_module, "LONGEST_CHUNK_BYTES", 400_000)
    told: Told = []
    analyze_session(journal, workers=workers, on_progress=lambda *progress: told.append(progress))
    assert_runs_to_the_end(told, journal.stat().st_size)


def test_progress_is_told_where_lines_are_read_one_by_one(journal: Path) -> None:
    """As `check` reads all of them."""
    told: Told = []
    check(journal, on_progress=lambda *progress: told.append(progress))
    assert_runs_to_the_end(told, journal.stat().st_size)


def test_progress_in_a_compressed_log_counts_its_bytes_on_the_disk(journal: Path) -> None:
    """How many there are unpacked, nobody knows before."""
    packed = journal.with_suffix(".jsonl.gz")
    packed.write_bytes(gzip.compress(journal.read_bytes(), 0))
    told: Told = []
    analyze_session(packed, on_progress=lambda *progress: told.append(progress))
    assert_runs_to_the_end(told, packed.stat().st_size)


def test_progress_goes_through_all_segments(tmp_path: Path) -> None:
    """Their sizes together are the whole."""
    logger = SessionLogger("agent", "session", output_dir=tmp_path, max_segment_bytes=64 * 1024)
    for index in range(2000):
        logger.log_tool_call("grep", {"path": "x" * 100}, index)
        if index % 300 == 0:
            logger.flush()
    logger.close()
    assert logger.path is not None
    files = [segment.path for segment in segments_of(logger.path)]
    assert len(files) > 2
    told: Told = []
    analyze_session(logger.path, on_progress=lambda *progress: told.append(progress))
    assert_runs_to_the_end(told, sum(file.stat().st_size for file in files))


def test_progress_begins_where_an_earlier_analysis_ended(journal: Path) -> None:
    """What it read counts as done."""
    cache = AnalysisCache()
    analyze_session(journal, cache=cache)
    size = journal.stat().st_size
    lines = Lines()
    lines.seq = 2500
    with journal.open("ab") as file:
        file.write(lines.tool())
    told: Told = []
    analyze_session(journal, cache=cache, on_progress=lambda *progress: told.append(progress))
    assert told[0][0] == size < told[-1][0]


def test_error_of_who_is_told_ends_the_reading(journal: Path) -> None:
    """So a program can give up on a long log."""

    def enough(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        analyze_session(journal, on_progress=enough)
