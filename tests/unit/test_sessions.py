"""What is said of each of many sessions, and that processes say the same."""

from __future__ import annotations

import os
import signal
from dataclasses import fields
from pathlib import Path

import pytest

from deia import SessionLogger, analyze_session, profile_session, system
from deia.analysis import fleet
from deia.analysis.figures import Figures
from deia.analysis.fleet import look_at_all
from deia.analysis.plain_lane import read_stretch
from deia.analysis.sessions import look_at
from deia.analysis.usage import ModelUsage
from deia.queue.layout import queue_path
from support.fleets import write_session
from support.journals import START, Lines, journal_path, write_queue


def test_finished_session_has_its_figures(tmp_path: Path) -> None:
    """Those of its analysis, and the size of its files."""
    path = write_session(tmp_path, "s", tools={"pytest": [100, 300], "git": [5]}, errors=1, tasks=3)
    found = look_at(path)
    analysis = analyze_session(path)
    assert (found.agent_id, found.session_id, found.state, found.problem) == ("agent", "s", "finished", None)
    assert (found.began, found.ended) == (START, START + 3600)
    assert found.figures == Figures(
        sessions=1,
        session_ms=analysis.session_time_ms,
        recorded_ms=analysis.recorded_ms,
        events=analysis.events,
        tasks=3,
        task_ms=180_000,
        tool_calls=3,
        tool_errors=1,
        tool_ms=405,
        files_read=1,
        errors=1,
        size_bytes=path.stat().st_size,
    )
    assert {name: of.total_ms for name, of in found.durations["tool"].items()} == {"pytest": 400, "git": 5}
    build = found.durations["task"]["build"]
    assert (build.count, build.smallest_ms, build.largest_ms, build.total_ms) == (3, 60_000, 60_000, 180_000)


@pytest.mark.parametrize("odd", [b"", b'{"type": "Own"}\n'])
def test_errors_are_those_of_the_profile(tmp_path: Path, odd: bytes) -> None:
    """Tools, tasks, models and recorded errors; read ahead, line by line and in another process."""
    lines, path = Lines(), journal_path(tmp_path)
    path.write_bytes(
        lines.tool(error="no")
        + lines.tool(params={"error": "no"})
        + lines.tool(error="")
        + lines.tool(cancelled=True)
        + lines.begin()
        + lines.complete(5, error="no")
        + lines.complete(None, orphan=True, duration_ms=1, error="no")
        + lines.begin(error="no")
        + lines.llm(error="no")
        + lines.llm(error_type="Timeout")
        + lines.llm(error="", response_id="r")
        + lines.llm(response_id="r")
        + lines.error()
        + odd
    )
    found = look_at(path)
    assert found.figures.errors == profile_session(path).error_count == 9
    assert found.figures.tool_errors == 2
    assert [each.figures for each in look_at_all([path, path], workers=2)] == [found.figures] * 2


def test_errors_of_a_stretch_that_was_read_ahead_are_those_of_the_profile(tmp_path: Path) -> None:
    """Where every line is regular."""
    lines, path = Lines(), journal_path(tmp_path)
    content = (
        lines.tool(error="no")
        + lines.begin()
        + lines.complete(2, error="no")
        + lines.complete(None, orphan=True, duration_ms=1, error="no")
        + lines.llm(error="no")
        + lines.error()
    )
    path.write_bytes(content)
    stretch = read_stretch(lambda size, at: content[at : at + size], 0, len(content), len(content))
    assert stretch is not None
    assert stretch.lines == 6
    assert look_at(path).figures.errors == profile_session(path).error_count == 5


def test_tokens_and_cost_are_among_the_figures(tmp_path: Path) -> None:
    """In all, and by model; through another process as well."""
    paths = [write_session(tmp_path, name, models={"a": (1000, 0.5), "b": (20, None)}) for name in ("s", "t")]
    found = look_at(paths[0])
    of = found.figures
    assert (of.model_calls, of.input_tokens, of.output_tokens, of.tokens, of.cost_usd) == (2, 1020, 102, 1122, 0.5)
    assert found.models == {"p/a": ModelUsage(1, 1000, 100, cost_usd=0.5), "p/b": ModelUsage(1, 20, 2)}
    assert [each.models for each in look_at_all(paths, workers=2)] == [found.models] * 2
    of.add(look_at(paths[1]).figures)
    assert (of.tokens, of.cost_usd) == (2244, 1.0)
    of.add(Figures())
    assert of.cost_usd == 1.0


def test_durations_are_the_same_read_ahead_as_line_by_line(tmp_path: Path) -> None:
    """The plain lane and the reader count tasks into the same buckets."""
    path = write_session(tmp_path, "s", tools={"pytest": range(0, 5000, 7)}, tasks=20)
    ahead = look_at(path)
    with path.open("ab") as file:
        file.write(b"#\n")  # one odd line, and the reader reads all of it
    by_line = look_at(path)
    assert by_line.state == "damaged"
    assert by_line.durations == ahead.durations


def test_failed_tasks_are_counted_read_ahead_as_line_by_line(tmp_path: Path) -> None:
    """By the `error` on the line that completes them."""
    lines = Lines()
    path = journal_path(tmp_path)
    content = lines.begin("a") + lines.complete(1, "a", error="boom") + lines.begin("a") + lines.complete(3, "a")
    for end in (b"", b"#\n"):
        path.write_bytes(content + end)
        assert look_at(path).durations["task"]["a"].errors == 1


def test_running_session_is_recording(tmp_path: Path) -> None:
    """By its lock, whatever is open in it; its figures are those up to now."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as log:
        log.log_task_start("build")
        found = look_at(log.path)
    assert (found.state, found.figures.events, found.figures.open_tasks) == ("recording", 1, 1)


def test_session_that_was_killed_is_interrupted(tmp_path: Path) -> None:
    """The queue file of a dead process tells; what it holds is counted."""
    lines = Lines()
    path = journal_path(tmp_path)
    content = lines.tool()
    path.write_bytes(content)
    assert look_at(path).state == "finished"
    write_queue(path, content + lines.tool())
    found = look_at(path)
    assert (found.state, found.figures.tool_calls) == ("interrupted", 2)


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"", "finished"),
        (b"not a log\n", "no log"),
        (Lines().tool() + b"#\n", "damaged"),
        (Lines().begin(), "interrupted"),
    ],
)
def test_state_is_told_by_what_the_file_holds(tmp_path: Path, content: bytes, state: str) -> None:
    """An empty session is a finished one; what is no log is told and is no error."""
    path = journal_path(tmp_path)
    path.write_bytes(content)
    found = look_at(path)
    assert found.state == state
    assert (found.problem is None) is (state != "no log")


def test_session_without_a_log_is_told_by_its_queue_file(tmp_path: Path) -> None:
    """It may be recovered; a name where nothing is cannot be read."""
    path = journal_path(tmp_path)
    assert look_at(path).state == "unreadable"
    queue_path(path).touch()
    found = look_at(path)
    assert (found.state, found.problem) == ("interrupted", "only .agent_session.queue is there")


def test_state_is_unknown_where_locks_cannot_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that has none."""
    path = write_session(tmp_path, "s")
    queue_path(path).touch()
    monkeypatch.setattr(system, "is_locked", lambda _fd: None)
    assert look_at(path).state == "unknown"


def test_session_in_segments_is_one_with_the_size_of_all(tmp_path: Path) -> None:
    """Counted once, however many files it has."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
        log.flush()
        log.path.unlink()
        log.log_file_read("/b", 1)
        log.flush()
    found = look_at(log.path)
    assert found.figures.events == 2
    assert found.figures.size_bytes == sum(path.stat().st_size for path in tmp_path.glob("*.jsonl"))


def test_processes_say_the_same_in_the_same_order(tmp_path: Path) -> None:
    """Logs with odd names and logs that are none among them; progress is told up to the end."""
    journals = [write_session(tmp_path, f"s{number}", tasks=number) for number in range(12)]
    odd = tmp_path / os.fsdecode(b"agent_\xff.jsonl")
    odd.write_bytes(journals[3].read_bytes())
    broken = tmp_path / "agent_none.jsonl"
    broken.write_text("not a log\n")
    journals += [odd, broken, tmp_path / "agent_gone.jsonl"]
    told: list[tuple[int, int]] = []
    here = list(look_at_all(journals, workers=1))
    there = list(look_at_all(journals, workers=2, on_progress=lambda *done: told.append(done)))
    assert [found.path for found in there] == [os.fspath(journal) for journal in journals]
    for one, other in zip(here, there, strict=True):
        for field in fields(one):
            ours, theirs = getattr(one, field.name), getattr(other, field.name)
            if field.name == "durations":
                ours, theirs = ({kind: dict(names) for kind, names in each.items()} for each in (ours, theirs))
                assert ours.keys() == theirs.keys()
                for kind in ours:
                    assert {
                        name: (of.count, of.total_ms, [tuple(each) for each in of.buckets])
                        for name, of in ours[kind].items()
                    } == {
                        name: (of.count, of.total_ms, [tuple(each) for each in of.buckets])
                        for name, of in theirs[kind].items()
                    }
            elif field.name != "problem":
                assert ours == theirs, field.name
    total = sum(journal.stat().st_size for journal in journals[:-1])
    assert told[-1] == (total, total)


def test_what_a_lost_process_owes_is_read_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missing, and nothing hangs."""
    journals = [write_session(tmp_path, f"s{number}") for number in range(6)]
    monkeypatch.setattr(fleet, "_CODE", f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})")
    assert [found.session_id for found in look_at_all(journals, workers=2)] == [f"s{number}" for number in range(6)]


def test_logs_are_read_here_where_no_process_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a frozen program, say."""
    journals = [write_session(tmp_path, f"s{number}") for number in range(3)]

    def refuse(*_arguments: object, **_more: object) -> None:
        raise OSError(8, "not a Python interpreter")

    monkeypatch.setattr(system, "start_python", refuse)
    assert len(list(look_at_all(journals, workers=2))) == 3


def test_processes_are_started_where_they_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """For many logs, and not for few small ones, nor where one is longer than all others: that is read in chunks."""
    monkeypatch.setattr(system, "usable_processors", lambda: 4)
    mb = 1024 * 1024
    assert fleet._fitting([]) == 1
    assert fleet._fitting([1000] * 20) == 1
    assert fleet._fitting([1000] * 10_000) == 4
    assert fleet._fitting([mb] * 40) == 2
    assert fleet._fitting([100 * mb, mb]) == 1


def test_session_that_may_not_be_read_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one state among others, and ends nothing."""
    path = write_session(tmp_path, "s")

    def refuse(where: object) -> None:
        raise PermissionError(13, "Permission denied", str(where))

    monkeypatch.setattr(system, "open_for_reading", refuse)
    found = look_at(path)
    assert (found.state, found.problem, found.is_readable) == ("unreadable", "Permission denied", False)
