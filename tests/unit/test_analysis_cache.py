"""An analysis that is given the cache of an earlier one: what it reads of the log, and when it reads all of it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from deia import AnalysisCache, SessionLogger, analyze_session, summarize_session
from deia.analysis import analyze
from deia.analysis import chunks as chunks_module
from deia.analysis.chunks import Chunks
from deia.errors import DamagedLineError
from deia.journal.segments import Segment, first_line, segment_path, segments_of
from deia.journal.source import Source
from support.journals import AGENT, SESSION, Lines, journal_path, write_queue


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Where reading ahead began and up to where, each time that a log was opened."""
    opened: list[tuple[int, int]] = []
    begin = Chunks.open

    def open_and_tell(self: Chunks, path: str, status: object, offset: int) -> None:
        begin(self, path, status, offset)  # type: ignore[arg-type]
        opened.append((offset, Path(path).stat().st_size))

    monkeypatch.setattr(Chunks, "open", open_and_tell)
    return opened


def some(lines: Lines, number: int = 10) -> bytes:
    """Return lines in which a task begins that a later call completes."""
    content = lines.complete(lines.seq, "plan") if lines.seq else b""
    content += b"".join(lines.tool("grep", index, at=lines.seq) for index in range(number))
    return content + lines.begin("plan")


def append(journal: Path, content: bytes) -> int:
    """Append to a file; return its size."""
    with journal.open("ab") as file:
        file.write(content)
        return file.tell()


def test_second_analysis_reads_what_came_since(journal: Path, lines: Lines, read: list[tuple[int, int]]) -> None:
    """And nothing else; the result is that of the whole."""
    cache = AnalysisCache()
    first = append(journal, some(lines))
    assert analyze_session(journal, cache=cache) == analyze_session(journal)
    second = append(journal, some(lines))
    assert analyze_session(journal, cache=cache).events == 23
    assert analyze_session(journal, cache=cache) == analyze_session(journal)
    assert read == [(0, first), (0, first), (first, second), (second, second), (0, second)]


def test_unfinished_line_is_read_again(journal: Path, lines: Lines, read: list[tuple[int, int]]) -> None:
    """A live session's last line may be half written; it counts when it is whole."""
    cache = AnalysisCache()
    whole, rest = some(lines), lines.tool()
    append(journal, whole + rest[:30])
    assert analyze_session(journal, cache=cache).damages[0].kind == "torn"
    append(journal, rest[30:])
    found = analyze_session(journal, cache=cache)
    assert (found.events, found.damages) == (12, [])
    assert read[1][0] == len(whole)


def test_events_that_only_the_queue_file_has_are_counted_once(journal: Path, lines: Lines) -> None:
    """They are not kept: the next analysis finds them in the journal, or in the queue file again."""
    cache = AnalysisCache()
    content = some(lines)
    append(journal, content)
    content += some(lines)
    write_queue(journal, content)
    for _ in range(2):
        assert analyze_session(journal, cache=cache).events == 23
    journal.write_bytes(content)
    found = analyze_session(journal, cache=cache)
    assert (found.events, found.damage_count) == (23, 0)


def test_damage_before_is_told_again_and_not_read_again(
    journal: Path, lines: Lines, read: list[tuple[int, int]]
) -> None:
    """With the same line and offset."""
    cache = AnalysisCache()
    append(journal, some(lines) + b"oops\n" + some(lines))
    first = analyze_session(journal, cache=cache)
    assert first.unreadable_lines == 1
    size = append(journal, some(lines) + b"oops\n")
    second = analyze_session(journal, cache=cache)
    assert second == analyze_session(journal)
    assert second.damages[:1] == first.damages and second.unreadable_lines == 2
    assert read[1][0] < read[1][1] == size


def test_strict_analysis_raises_at_damage_that_an_earlier_one_counted(journal: Path, lines: Lines) -> None:
    """The cache does not hide it."""
    cache = AnalysisCache()
    append(journal, some(lines) + b"oops\n")
    analyze_session(journal, cache=cache)
    with pytest.raises(DamagedLineError):
        analyze_session(journal, cache=cache, strict=True)


def test_compressed_log_is_read_in_full(journal: Path, lines: Lines, read: list[tuple[int, int]]) -> None:
    """There is no place in it to go on from."""
    cache = AnalysisCache()
    packed = journal.with_suffix(".jsonl.gz")
    for _ in range(2):
        packed.write_bytes(gzip.compress(some(lines)))
        assert analyze_session(packed, cache=cache) == analyze_session(packed)
    assert read == []


def test_log_that_was_compressed_since_is_read_in_full(journal: Path, lines: Lines) -> None:
    """Under the same name."""
    cache = AnalysisCache()
    append(journal, some(lines))
    expected = analyze_session(journal, cache=cache)
    journal.write_bytes(gzip.compress(journal.read_bytes()))
    assert analyze_session(journal, cache=cache) == expected


def test_log_that_was_replaced_is_read_in_full(journal: Path, lines: Lines, read: list[tuple[int, int]]) -> None:
    """Even where it ends alike: it is another file."""
    cache = AnalysisCache()
    append(journal, lines.tool("one") + some(lines, 100))
    analyze_session(journal, cache=cache)
    copy = journal.with_name("copy")
    copy.write_bytes(journal.read_bytes().replace(b'"one"', b'"two"'))
    copy.rename(journal)
    assert "two" in analyze_session(journal, cache=cache).tools
    assert read[-1][0] == 0


def test_live_session_in_segments_goes_on_in_the_newest(tmp_path: Path, read: list[tuple[int, int]]) -> None:
    """Earlier segments are not opened again."""
    cache = AnalysisCache()
    logger = SessionLogger("agent", "session", output_dir=tmp_path, max_segment_bytes=64 * 1024)
    for index in range(1500):
        logger.log_tool_call("grep", {"path": "x" * 100}, index)
        if index % 100 == 0:
            logger.flush()
            assert logger.path is not None
            assert analyze_session(logger.path, cache=cache) == analyze_session(logger.path)
    logger.close()
    assert logger.path is not None and len(segments_of(logger.path)) > 2
    del read[:]
    for _ in range(2):
        assert analyze_session(logger.path, cache=cache).events == 1500
    assert read[-1][0] == read[-1][1] and len(read) <= 3


def test_session_that_goes_on_while_it_is_read_is_analysed_as_in_full(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reader finds after its first look is in no cache: it went another way than the next reading will."""
    cache = AnalysisCache()
    append(journal, some(lines))
    after_seq = lines.seq
    write_queue(journal, journal.read_bytes())

    def go_on(self: Source) -> bool:
        if not segment_path(journal, 2).exists():
            segment = Segment(Path("x"), 2, after_seq=after_seq, offset=journal.stat().st_size, reason="size")
            append(journal, b"oops\n")
            segment_path(journal, 2).write_bytes(first_line(AGENT, SESSION, segment) + some(lines))
            return True
        return False

    monkeypatch.setattr(Source, "look_for_another", go_on)
    assert analyze_session(journal, cache=cache).events == 23
    append(segment_path(journal, 2), some(lines))
    assert analyze_session(journal, cache=cache) == analyze_session(journal)


def test_second_look_at_the_last_file_leaves_what_is_kept(
    journal: Path, lines: Lines, read: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session had another queue file by then: the place in the journal is good all the same."""
    cache = AnalysisCache()
    size = append(journal, some(lines))
    write_queue(journal, journal.read_bytes())
    looks = iter([True])
    monkeypatch.setattr(Source, "look_for_another", lambda self: next(looks, False))
    analyze_session(journal, cache=cache)
    assert analyze_session(journal, cache=cache).events == 11
    assert read == [(0, size), (size, size)]


def test_change_to_an_earlier_segment_has_all_read_again(
    journal: Path, lines: Lines, read: list[tuple[int, int]]
) -> None:
    """Nobody writes to it any more: who did may have changed anything."""
    cache = AnalysisCache()
    size = append(journal, some(lines))
    segment = Segment(Path("x"), 2, after_seq=lines.seq, offset=size, reason="size")
    append(segment_path(journal, 2), first_line(AGENT, SESSION, segment) + some(lines))
    assert analyze_session(journal, cache=cache).events == 23
    journal.write_bytes(journal.read_bytes()[: size // 2])
    found = analyze_session(journal, cache=cache)
    assert found.events < 23 and found == analyze_session(journal)
    assert [begin for begin, _ in read[2:4]] == [0, 0]


def test_what_came_since_is_read_by_several_processes_where_it_is_long(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their chunks begin where the earlier analysis ended."""
    cache = AnalysisCache()
    append(journal, some(lines))
    analyze_session(journal, cache=cache)
    append(journal, b"".join(some(lines) for _ in range(50)))
    monkeypatch.setattr(chunks_module, "CHUNK_BYTES", 5000)
    monkeypatch.setattr(chunks_module, "LONGEST_CHUNK_BYTES", 5000)
    assert analyze_session(journal, cache=cache, workers=2) == analyze_session(journal, workers=1)


def test_one_cache_serves_many_logs(tmp_path: Path, read: list[tuple[int, int]]) -> None:
    """Each under its own path."""
    cache = AnalysisCache()
    journals = [journal_path(tmp_path, session_id=name) for name in ("a", "b")]
    for _ in range(2):
        for number, journal in enumerate(journals):
            journal.write_bytes(b"".join(Lines(session_id=journal.stem[-1]).tool() for _ in range(number + 1)))
            assert analyze_session(journal, cache=cache).events == number + 1
    assert [begin > 0 for begin, _ in read] == [False, False, True, True]


def test_summary_and_logger_take_a_cache(tmp_path: Path, read: list[tuple[int, int]]) -> None:
    """As `analyze_session` does."""
    cache = AnalysisCache()
    logger = SessionLogger("agent", "session", output_dir=tmp_path)
    logger.log_tool_call("grep", {}, 5)
    logger.close()
    assert logger.path is not None
    logger.analyze_session(logger.path, cache=cache)
    assert summarize_session(logger.path, cache=cache).tool_calls_count == 1
    assert read[1][0] == read[1][1]


def test_error_of_an_analysis_leaves_the_cache_as_it_was(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one goes on from what is kept."""
    cache = AnalysisCache()
    append(journal, some(lines))
    analyze_session(journal, cache=cache)
    append(journal, some(lines))
    with monkeypatch.context() as patch:
        patch.setattr(analyze, "EventReader", None)
        with pytest.raises(TypeError):
            analyze_session(journal, cache=cache)
    assert analyze_session(journal, cache=cache) == analyze_session(journal)
