"""A journal is read ahead in chunks: where they begin and end, which are left to the reader, and who reads them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, analyze_session, system
from deia.analysis import chunks as chunks_module
from deia.analysis import groups, plain_lane, workers
from deia.analysis.analyze import read_log
from deia.analysis.chunks import Chunks
from deia.analysis.plain_lane import read_stretch
from deia.analysis.session import SessionAccumulator, SessionAnalysis
from deia.analysis.stretch import Stretch, pack, unpack
from deia.errors import DamagedLineError
from deia.journal.segments import segments_of
from support.journals import Lines, encode, journal_path, write_queue


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def lines() -> Lines:
    return Lines()


def stretch(content: bytes, begin: int = 0, end: int | None = None) -> Stretch | None:
    """Return what the plain lane makes of a range of some bytes."""
    until = len(content) if end is None else end
    return read_stretch(lambda size, at: content[at : at + size], begin, until, len(content))


def analysis(path: Path, *, workers: int = 1, chunk_bytes: int) -> tuple[SessionAnalysis, int]:
    """Return an analysis, and how many lines the reader read itself."""
    accumulator = SessionAccumulator()
    fed = 0

    def feed(entry: Any) -> None:
        nonlocal fed
        fed += 1
        SessionAccumulator.feed(accumulator, entry)

    accumulator.feed = feed  # type: ignore[method-assign]
    with closing(Chunks(accumulator, workers=workers, chunk_bytes=chunk_bytes)) as chunks:
        damages = read_log(path, accumulator, chunks)
    return accumulator.finish(bottleneck_share=0.3, end=None, damages=damages), fed


def alone(path: Path) -> SessionAnalysis:
    """Return what the reader alone makes of a log."""
    accumulator = SessionAccumulator()
    damages = read_log(path, accumulator, None)
    return accumulator.finish(bottleneck_share=0.3, end=None, damages=damages)


def session(lines: Lines, *, number: int = 40) -> bytes:
    """Return a regular session, in which tasks overlap and one is left open."""
    content = lines.begin("outer")
    for index in range(number):
        content += lines.begin("inner", parent_id=1, at=index)
        task_id = lines.seq
        content += lines.tool("grep", index * 7, params={"error": index % 5 == 0}, at=index)
        content += lines.file("write" if index % 3 else "read", at=index)
        content += lines.complete(task_id, "inner", began=index, at=index + 0.5, parent_id=1)
    return content + lines.complete(1, "outer", at=float(number)) + lines.begin("open", at=float(number))


# Borders


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 1000, 10_000, 1_000_000])
def test_every_line_is_in_the_chunk_in_which_it_begins(journal: Path, lines: Lines, chunk_bytes: int) -> None:
    """However small chunks are: a task that goes from one to another counts once, and the reader reads nothing."""
    journal.write_bytes(session(lines))
    found, fed = analysis(journal, chunk_bytes=chunk_bytes)
    assert repr(found) == repr(alone(journal))
    assert fed == 0


def test_border_between_two_lines_divides_them(lines: Lines) -> None:
    """A line that begins right at a border is the next chunk's; one byte later it is still this one's."""
    first, second = lines.tool(), lines.tool()
    border = len(first)
    for end, found in ((border, 1), (border + 1, 2)):
        left = stretch(first + second, 0, end)
        assert left is not None and left.lines == found
    right = stretch(first + second, border)
    assert right is not None and (right.begin, right.end, right.first_seq) == (border, len(first + second), 2)
    assert stretch(first + second, border + 1) is None


def test_line_longer_than_a_block_is_put_together(lines: Lines) -> None:
    """Of a line that goes on over several blocks, and beyond the chunk, all is read."""
    content = lines.tool(params={"text": "x" * 3 * plain_lane._BLOCK_BYTES}) + lines.tool()
    found = stretch(content, 0, 10)
    assert found is not None and (found.lines, found.end) == (1, content.index(b"\n") + 1)


def test_line_longer_than_a_chunk_should_be_is_left_to_the_reader(journal: Path, lines: Lines) -> None:
    """The reader puts such a line together at less cost; what stands around it is read ahead."""
    long = lines.tool() + lines.tool(params={"text": "x" * (plain_lane._LONGEST_LINE_BYTES + 200_000)})
    journal.write_bytes(long + lines.tool())
    found, fed = analysis(journal, chunk_bytes=len(long))
    assert repr(found) == repr(alone(journal))
    assert (found.events, fed) == (3, 2)


def test_windows_line_ends_are_regular(journal: Path, lines: Lines) -> None:
    """White space behind an object is JSON, before the newline as well."""
    journal.write_bytes(session(lines).replace(b"\n", b"\r\n"))
    found, fed = analysis(journal, chunk_bytes=500)
    assert repr(found) == repr(alone(journal))
    assert fed == 0


def test_bytes_behind_the_last_newline_are_the_readers(journal: Path, lines: Lines) -> None:
    """A torn end is judged by the reader alone, at its own line number and offset."""
    content = session(lines)
    journal.write_bytes(content + lines.tool()[:-1])
    found, _ = analysis(journal, chunk_bytes=1000)
    assert [(damage.kind, damage.line, damage.offset) for damage in found.damages] == [
        ("torn", content.count(b"\n") + 1, len(content))
    ]
    assert repr(found) == repr(alone(journal))


@pytest.mark.parametrize("content", [b"", b"\n", b"\n\n"])
def test_file_without_a_line_is_read_as_before(journal: Path, content: bytes) -> None:
    """There is nothing to read ahead in it."""
    journal.write_bytes(content)
    if not content:
        assert analyze_session(journal).events == 0
    assert stretch(content) is None


def test_chunk_in_which_no_line_begins_is_none(lines: Lines) -> None:
    """It is all of it the middle of a line."""
    assert stretch(lines.tool() + lines.tool(), 3, 9) is None


# What is left to the reader


def test_damage_is_read_by_the_reader_and_the_rest_is_not(journal: Path, lines: Lines) -> None:
    """One bad line costs its own chunk; the reader finds its number and its offset as if it had read all before."""
    before = session(lines)
    bad = b'{"type": oops}\n'
    lines.seq += 1  # the line that became unreadable
    after = session(lines)
    journal.write_bytes(before + bad + after)
    found, fed = analysis(journal, chunk_bytes=1000)
    assert [(damage.kind, damage.line, damage.offset) for damage in found.damages] == [
        ("unreadable", before.count(b"\n") + 1, len(before))
    ]
    assert repr(found) == repr(alone(journal))
    assert 0 < fed < 20 < found.events


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"seq": 7}, id="gap"),
        pytest.param({"seq": 2.0}, id="seq that is no integer"),
        pytest.param({"session_id": "other", "seq": 1}, id="another session"),
        pytest.param({"agent_id": "other"}, id="another agent"),
        pytest.param({"v": 2}, id="another version"),
        pytest.param({"v": None}, id="original format"),
        pytest.param({"type": "NewEvent"}, id="unknown type"),
        pytest.param({"timestamp": "5"}, id="time that is no number"),
        pytest.param({"duration_ms": 1.5}, id="fraction of a millisecond"),
        pytest.param({"params": "x"}, id="params that are no object"),
        pytest.param({"name": 3}, id="name that is no text"),
        pytest.param({"v": 1.5}, id="part of a version"),
        pytest.param({"agent_id": "agent\\"}, id="nearly the same agent"),
    ],
)
def test_anything_irregular_is_left_to_the_reader(lines: Lines, odd: dict[str, Any]) -> None:
    """Nothing is said of a stretch with such a line, whatever the reader will make of it."""
    assert stretch(lines.tool() + lines.tool(**odd)) is None


def test_session_that_counts_from_zero_is_left_to_the_reader(lines: Lines) -> None:
    """The first line is none of ours; the second, whatever stands behind its `v`, is not the first."""
    assert stretch(lines.tool(seq=0) + lines.tool(seq=1, more=1) + lines.tool(seq=2)) is None


def test_fields_in_another_order_are_regular(journal: Path, lines: Lines) -> None:
    """Nearly all lines end with whose they are; one that does not says it elsewhere."""
    first, second, third = lines.tool(), lines.tool(more=[1]), lines.tool(params={"v": 2, "agent_id": "other"})
    journal.write_bytes(first + second + third)
    found, fed = analysis(journal, chunk_bytes=10_000)
    assert repr(found) == repr(alone(journal))
    assert fed == 0


def test_continued_session_and_dropped_events_are_regular(journal: Path, lines: Lines) -> None:
    """Runs, and what was dropped, are found ahead as well, wherever a run begins in a chunk."""
    journal.write_bytes(
        session(lines) + lines.continued(2, at=100) + lines.tool(at=101) + lines.dropped(3, at=102) + lines.tool(at=110)
    )
    for chunk_bytes in (1, 300, 100_000):
        found, fed = analysis(journal, chunk_bytes=chunk_bytes)
        assert repr(found) == repr(alone(journal))
        assert (found.runs, found.dropped, fed) == (2, 3, 0)


def test_session_that_is_there_twice_is_the_readers_where_its_tasks_meet(journal: Path, lines: Lines) -> None:
    """A task that the first copy left open is completed by the second, whose lines have the same numbers."""
    head = lines.tool() + lines.begin("left open")
    rest = lines.complete(2, "left open") + lines.tool()
    first, second = head.splitlines(keepends=True)
    journal.write_bytes(head + first + second + rest)
    for chunk_bytes in (len(head), len(head) + len(first), 1):
        found, _ = analysis(journal, chunk_bytes=chunk_bytes)
        assert repr(found) == repr(alone(journal))
        assert found.open_tasks == []


def test_repeated_lines_count_for_what_is_missing_behind_them(journal: Path, lines: Lines) -> None:
    """What was read before they began is not missing, whoever read them."""
    content = [lines.tool() for _ in range(10)]
    journal.write_bytes(b"".join([*content, *content[:5], content[7]]))
    for chunk_bytes in (1, len(content[0]), 500):
        found, _ = analysis(journal, chunk_bytes=chunk_bytes)
        assert repr(found) == repr(alone(journal))
        assert [damage.kind for damage in found.damages] == ["duplicate", "duplicate"]


@pytest.mark.parametrize("chunk_bytes", [1, 500, 700, 1000, 1500, 2000, 3000, 5000, 100_000])
def test_groups_of_tasks_are_joined_as_the_reader_joins_them(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int
) -> None:
    """Tasks that are still open keep groups apart, whether they complete in the same chunk, in a later one or never."""
    monkeypatch.setattr(groups, "_COMPACT_AT", 4)
    monkeypatch.setattr(groups, "_RECENT", 1)
    content = b""
    running: list[tuple[int, float]] = []
    for index in range(60):
        content += lines.begin("short", at=2 * index)
        content += lines.complete(lines.seq, "short", began=2 * index, at=2 * index + 1)
        if index % 7 == 3:
            content += lines.begin("long", at=2 * index + 1.5)
            running.append((lines.seq, 2 * index + 1.5))
        if index % 10 == 9 and running:
            task_id, began = running.pop()
            content += lines.complete(task_id, "long", began=began, at=2 * index + 1.25)
    journal.write_bytes(content)
    found, fed = analysis(journal, chunk_bytes=chunk_bytes)
    assert repr(found) == repr(alone(journal))
    assert found.session_time_exact
    assert fed == 0


def test_session_in_the_original_format_is_the_readers(journal: Path) -> None:
    """Its lines do not say what they are lines of."""
    journal.write_bytes(encode({"name": "a", "start_time": 1.0, "end_time": 3.5}) * 20)
    found, fed = analysis(journal, chunk_bytes=200)
    assert (found.tasks_completed, fed) == (20, 20)


def test_strict_reading_raises_at_the_same_line(journal: Path, lines: Lines) -> None:
    """What is read ahead of the damage is none the reader would have raised at."""
    before = session(lines)
    journal.write_bytes(before + b"oops\n" + before)
    with pytest.raises(DamagedLineError) as caught:
        analyze_session(journal, strict=True)
    assert caught.value.line == before.count(b"\n") + 1


# Live sessions, segments


def test_live_session_is_read_ahead_and_its_queue_by_the_reader(journal: Path, lines: Lines) -> None:
    """The journal's lines, and those that only the queue file has, are each counted once."""
    content = session(lines)
    journal.write_bytes(content[: -len(content) // 3])
    write_queue(journal, content)
    found, fed = analysis(journal, chunk_bytes=700)
    assert found.events == content.count(b"\n")
    assert found.damage_count == 0
    assert repr(found) == repr(alone(journal))
    assert 0 < fed < found.events


def test_segments_are_read_ahead_one_after_the_other(tmp_path: Path) -> None:
    """Of each later one the reader reads the beginning, up to the end of a chunk."""
    logger = SessionLogger("agent", "session", output_dir=tmp_path, max_segment_bytes=64 * 1024)
    for index in range(1500):
        logger.log_tool_call("grep", {"path": "x" * 100}, index)
        if index % 300 == 0:
            logger.flush()
    logger.close()
    assert logger.path is not None
    assert len(segments_of(logger.path)) > 1
    found, fed = analysis(logger.path, chunk_bytes=8192)
    assert repr(found) == repr(alone(logger.path))
    assert (found.events, found.damage_count) == (1500, 0)
    assert fed < 750


def test_file_that_was_replaced_since_it_was_opened_is_not_read_ahead(journal: Path, lines: Lines) -> None:
    """The reader holds the right one."""
    journal.write_bytes(session(lines))
    status = journal.stat()
    journal.unlink()
    journal.write_bytes(b"another\n")
    with closing(Chunks(SessionAccumulator())) as chunks:
        other = os.stat_result([*status[:1], status.st_ino + 1, *status[2:]])
        chunks.open(str(journal), other, 0)
        assert chunks.next() is None


def test_file_that_is_gone_is_not_read_ahead(journal: Path, lines: Lines) -> None:
    """The reader has it open, and needs no name."""
    journal.write_bytes(session(lines))
    with closing(Chunks(SessionAccumulator())) as chunks:
        chunks.open(str(journal) + ".gone", journal.stat(), 0)
        assert chunks.next() is None


def test_file_that_cannot_be_read_is_the_readers_to_report(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing read ends the reading ahead, and nothing else."""
    journal.write_bytes(session(lines))

    def failing(fd: int, size: int, offset: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(system, "pread", failing)
    found, fed = analysis(journal, chunk_bytes=500)
    assert fed == found.events


# Processes


def assert_no_children() -> None:
    """Fail if this process has children, ended ones included."""
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_several_processes_give_the_same_result(journal: Path, lines: Lines) -> None:
    """Each reads the chunks it gets, and nobody is left behind."""
    journal.write_bytes(session(lines, number=400))
    found, fed = analysis(journal, workers=3, chunk_bytes=2000)
    assert repr(found) == repr(alone(journal))
    assert fed == 0
    assert_no_children()


def test_processes_are_started_for_long_logs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may be used, and as have enough to do."""
    monkeypatch.setattr(system, "usable_processors", lambda: 4)
    per_worker = chunks_module.BYTES_PER_WORKER
    sizes = [0, 1, per_worker, 2 * per_worker - 1, 2 * per_worker, 3 * per_worker, 100 * per_worker]
    assert [chunks_module.fitting_workers(size) for size in sizes] == [1, 1, 1, 1, 2, 3, 4]


@pytest.mark.parametrize("number", [0, -1])
def test_number_of_processes_that_cannot_be_one_is_refused(journal: Path, number: int) -> None:
    """There is at least this one."""
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        analyze_session(journal, workers=number)


DYING = {
    "at once": "import sys; sys.exit(3)",
    "by a signal": "import os; os.kill(os.getpid(), 9)",
    "without a word": "pass",
    "after talking nonsense": "print('hello')",
    "after half an answer": "import os; os.write(1, b'[0,nul'); os._exit(1)",
    "after an answer of another shape": "print('[0,{\"begin\":0}]')",
    "after its first answer": (
        "import sys; sys.path[:0] = sys.argv[4:]\n"
        "import deia.analysis.worker as worker\n"
        "found = worker.read_stretch\n"
        "def once(*arguments):\n"
        "    worker.read_stretch = None\n"
        "    return found(*arguments)\n"
        "worker.read_stretch = once\n"
        "worker.main(sys.argv[1:4])"
    ),
}


@pytest.mark.parametrize("code", DYING.values(), ids=DYING.keys())
def test_worker_that_dies_changes_nothing(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """What it did not answer for is read in this process; nothing hangs, and nothing is counted twice."""
    monkeypatch.setattr(workers, "_CODE", code)
    journal.write_bytes(session(lines, number=400))
    found, fed = analysis(journal, workers=2, chunk_bytes=2000)
    assert repr(found) == repr(alone(journal))
    assert fed == 0
    assert_no_children()


def test_without_processes_the_log_is_read_in_this_one(
    journal: Path, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where none can be started, or where this program is no Python interpreter that could be."""
    journal.write_bytes(session(lines))
    expected = repr(alone(journal))
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert repr(analysis(journal, workers=2, chunk_bytes=500)[0]) == expected
    monkeypatch.setattr(sys, "executable", "/usr/sbin/nginx")
    with pytest.raises(OSError, match="not a Python interpreter"):
        system.start_python("pass", [], stdin=0)
    assert repr(analysis(journal, workers=2, chunk_bytes=500)[0]) == expected


def test_processes_end_with_an_analysis_that_fails(journal: Path, lines: Lines) -> None:
    """An error of the reader leaves none of them."""
    journal.write_bytes(b"oops\n" + session(lines, number=4000))
    with closing(Chunks(SessionAccumulator(), workers=2, chunk_bytes=3000)) as chunks:
        with pytest.raises(DamagedLineError):
            read_log(journal, SessionAccumulator(), chunks, strict=True)
    assert_no_children()


def test_analysis_in_processes_works_on_a_daemon_thread(journal: Path, lines: Lines) -> None:
    """As on any other."""
    journal.write_bytes(session(lines, number=400))
    found: list[SessionAnalysis] = []
    thread = threading.Thread(
        target=lambda: found.append(analysis(journal, workers=2, chunk_bytes=5000)[0]), daemon=True
    )
    thread.start()
    thread.join(60)
    assert repr(found) == repr([alone(journal)])


def test_script_without_a_guard_is_not_run_again(tmp_path: Path, journal: Path, lines: Lines) -> None:
    """The processes never import the main module, nor anything that lies in the working directory."""
    journal.write_bytes(session(lines, number=400))
    (tmp_path / "orjson.py").write_text("raise SystemExit('imported from the working directory')")
    (tmp_path / "script.py").write_text(
        "import sys\n"
        f"sys.path[:] = {sys.path!r}\n"
        "import deia.analysis.chunks as chunks\n"
        "chunks.Chunks.__init__.__kwdefaults__['chunk_bytes'] = 5000\n"
        "from deia import analyze_session\n"
        f"print('events', analyze_session({str(journal)!r}, workers=2).events)\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"events {session(Lines(), number=400).count(chr(10).encode())}\n"
    assert not done.stderr


def test_stretch_goes_from_process_to_process_as_one_line(lines: Lines) -> None:
    """What comes out is what went in; a chunk that is not regular is told as such."""
    found = stretch(session(lines))
    assert found is not None
    number, copy = unpack(pack(7, found))
    assert number == 7 and copy is not None
    assert pack(7, copy) == pack(7, found) and asdict(copy).keys() == asdict(found).keys()
    assert unpack(pack(8, None)) == (8, None)


def test_processors_are_those_that_may_be_used() -> None:
    """Not those that there are."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    assert system.usable_processors() == len(allowed)
