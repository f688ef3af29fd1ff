"""`SessionLogger`, point by point: the public interface of the package as a list of guarantees."""

from __future__ import annotations

import contextvars
import dataclasses
import gc
import inspect
import json
import math
import os
import shutil
import stat
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import deia
from deia import read_events
from deia.errors import FlushTimeoutError, LoggerClosedError
from deia.services import session_logger
from deia.services.session_logger import (
    FileEvent,
    SessionAnalysis,
    SessionLogger,
    SessionSummary,
    TaskEvent,
    ToolEvent,
)
from deia.testing import FakeClock
from support.held_writer import HeldWriter
from support.lines import assert_gapless, lines_of
from support.odd_data import BrokenMapping, Odd, SilentRepr, Text, each_odd_value
from support.processes import run

ORPHAN_WARNING = "Task complete event logged without corresponding start event: {}"
ENDS = {"seq", "timestamp", "agent_id", "session_id", "v"}


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Where the session's files are; not made yet."""
    return tmp_path / "sessions"


@pytest.fixture
def logger(sessions: Path) -> Iterator[SessionLogger]:
    """A new logger with short names; closed after the test."""
    logger = SessionLogger("AGENT-004", "session-1", output_dir=sessions)
    yield logger
    logger.close()


def flushed(logger: SessionLogger) -> list[dict[str, Any]]:
    """Return the journal's lines as another tool sees them once they are flushed."""
    logger.flush()
    return lines_of(logger.path)


def last(logger: SessionLogger) -> dict[str, Any]:
    """Return the newest line."""
    return flushed(logger)[-1]


def log_one_of_each(logger: SessionLogger) -> None:
    """Log five events, one by each call."""
    logger.log_task_start("write_tests", {"priority": "P1"})
    logger.log_file_read("/tests/test_logger.py", 4096)
    logger.log_tool_call("pytest", {"path": "tests/"}, 2500)
    logger.log_file_write("/tests/test_new.py", 1024, 30)
    logger.log_task_complete("write_tests", 1_800_333, {"passed": True})


class TestConstruction:
    """`SessionLogger(agent_id, session_id=None, *, output_dir=None, …)`."""

    def test_names_and_time_are_attributes(self, sessions: Path) -> None:
        """A logger tells its agent, its session, when it was made and where its file will be."""
        before = time.time()
        logger = SessionLogger("AGENT-004", "session-1", output_dir=sessions)
        assert (logger.agent_id, logger.session_id) == ("AGENT-004", "session-1")
        assert before <= logger.start_time <= time.time()
        assert logger.path == sessions / "AGENT-004_session-1.jsonl"
        assert logger.events == []

    @pytest.mark.parametrize("given", [(), (None,), ("",)], ids=["left out", "None", "empty"])
    def test_without_a_session_id_a_uuid_of_version_7_is_made(self, given: tuple[Any, ...]) -> None:
        """A missing session id becomes a UUID in its usual spelling that carries the time in milliseconds."""
        before = int(time.time() * 1000)
        session_id = SessionLogger("agent", *given).session_id
        made = uuid.UUID(session_id)
        assert str(made) == session_id
        assert (made.version, made.variant) == (7, uuid.RFC_4122)
        assert before <= made.int >> 80 <= int(time.time() * 1000)

    def test_default_session_ids_sort_by_time(self) -> None:
        """Sessions made in different milliseconds sort as they were made, and no two are alike."""
        ids = []
        for _ in range(5):
            ids += [SessionLogger("agent").session_id for _ in range(20)]
            tick = int(time.time() * 1000)
            while int(time.time() * 1000) <= tick:
                pass
        assert len(set(ids)) == len(ids)
        assert [identity[:13] for identity in ids] == sorted(identity[:13] for identity in ids)

    def test_output_dir_defaults_to_deia_sessions_here(self, elsewhere: Path) -> None:
        """Without any setting the journal lies in `.deia/sessions` of the current directory."""
        logger = SessionLogger("agent", "s")
        logger.log_file_read("a")
        logger.close()
        assert logger.path == elsewhere / ".deia" / "sessions" / "agent_s.jsonl"
        assert logger.path.is_file()

    def test_environment_names_the_default_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """`DEIA_SESSIONS_DIR` is the default where no `output_dir` is given, and only there."""
        monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "set"))
        assert SessionLogger("agent", "s").path == tmp_path / "set" / "agent_s.jsonl"
        assert SessionLogger("agent", "s", output_dir=tmp_path).path == tmp_path / "agent_s.jsonl"

    def test_directory_is_resolved_at_construction(
        self, elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither `chdir` nor a changed environment moves a session."""
        default, relative = SessionLogger("agent", "a"), SessionLogger("agent", "b", output_dir="here")
        (tmp_path / "away").mkdir()
        monkeypatch.chdir(tmp_path / "away")
        monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "other"))
        for logger in (default, relative):
            logger.log_file_read("x")
            logger.close()
        assert default.path == elsewhere / ".deia" / "sessions" / "agent_a.jsonl"
        assert relative.path == elsewhere / "here" / "agent_b.jsonl"
        assert default.path.is_file() and relative.path.is_file()
        assert list((tmp_path / "away").iterdir()) == []

    @pytest.mark.parametrize("kind", [str, Path])
    def test_output_dir_may_be_text_or_path(self, sessions: Path, kind: Callable[[Path], Any]) -> None:
        """Both spellings of a directory name the same file."""
        assert SessionLogger("agent", "s", output_dir=kind(sessions)).path == sessions / "agent_s.jsonl"

    def test_nothing_happens_before_the_first_event(self, tmp_path: Path) -> None:
        """Making a logger and asking it touches no file, starts no thread and imports no event loop."""
        script = """
import os, sys, threading
before = set(sys.modules)
import deia
from deia import AsyncSessionLogger, SessionLogger
for logger in (SessionLogger("agent"), AsyncSessionLogger("agent")):
    logger.agent_id, logger.session_id, logger.start_time, logger.path, logger.statistics()
logger = SessionLogger("agent")
logger.events, logger.get_session_summary()
logger.flush(); logger.sync(); logger.close()
assert threading.enumerate() == [threading.main_thread()], threading.enumerate()
assert os.listdir(".") == ["script.py"], os.listdir(".")
assert not {"asyncio", "anyio", "aiofiles"} & (set(sys.modules) - before), sorted(set(sys.modules) - before)
"""
        run(script, cwd=tmp_path)

    def test_logger_without_events_has_mode_unopened(self, logger: SessionLogger) -> None:
        """`statistics()` says that nothing was opened, then which mode was."""
        assert logger.statistics().mode == "unopened"
        logger.log_file_read("a")
        assert logger.statistics().mode in ("mmap", "write")

    def test_new_deia_directory_is_kept_out_of_git(self, elsewhere: Path) -> None:
        """A `.deia` that we create is ignored by git, whatever lies in it."""
        if shutil.which("git") is None:
            pytest.skip("git is not installed")
        subprocess.run(["git", "init", "-q", "."], cwd=elsewhere, check=True, timeout=60)
        logger = SessionLogger("agent", "s")
        logger.log_file_read("a")
        logger.flush()
        status = ["git", "status", "--porcelain", "--untracked-files=all"]
        assert (elsewhere / ".deia" / ".gitignore").is_file()
        assert subprocess.run(status, cwd=elsewhere, check=True, capture_output=True, timeout=60).stdout == b""
        logger.close()

    def test_deia_directory_of_the_user_is_left_alone(self, elsewhere: Path) -> None:
        """A `.deia` that was there gets no `.gitignore`: it may be meant for git."""
        (elsewhere / ".deia").mkdir()
        logger = SessionLogger("agent", "s")
        logger.log_file_read("a")
        logger.close()
        assert [path.name for path in (elsewhere / ".deia").iterdir()] == ["sessions"]

    def test_other_directories_get_no_gitignore(self, tmp_path: Path) -> None:
        """Only a directory of our own name is ours to furnish."""
        logger = SessionLogger("agent", "s", output_dir=tmp_path / "logs" / "deep")
        logger.log_file_read("a")
        logger.close()
        assert list(tmp_path.rglob(".gitignore")) == []

    def test_files_and_directories_are_private(self, tmp_path: Path) -> None:
        """Everything we make is readable by its owner alone, even where the umask allows more."""
        before = os.umask(0)
        try:
            logger = SessionLogger("agent", "s", output_dir=tmp_path / "outer" / "inner")
            logger.log_file_read("a")
            copy = logger.save_session(tmp_path / "copies")
            made = [tmp_path / "outer", *(tmp_path / "outer").rglob("*"), tmp_path / "copies", copy]
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in made}
        finally:
            os.umask(before)
        logger.close()
        assert len(made) >= 5, "journal, queue file, copy and their directories"
        assert modes == {path: 0o700 if path.is_dir() else 0o600 for path in made}

    def test_directory_of_the_user_keeps_its_mode(self, sessions: Path) -> None:
        """A directory that was there is used as it is."""
        sessions.mkdir()
        sessions.chmod(0o755)
        with SessionLogger("agent", "s", output_dir=sessions) as logger:
            logger.log_file_read("a")
        assert stat.S_IMODE(sessions.stat().st_mode) == 0o755


class TestDisabled:
    """`DEIA_DISABLED=1` makes every logger a no-op."""

    def test_disabled_logger_records_nothing(
        self, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, warnings_logged: list[str]
    ) -> None:
        """Every call works as if it had, and no file, directory, thread or warning comes of it."""
        monkeypatch.setenv("DEIA_DISABLED", "1")
        threads = set(threading.enumerate())
        with SessionLogger("agent", "s") as logger:
            log_one_of_each(logger)
            logger.log_task_complete("never started")
            logger.open()
            logger.flush()
            logger.sync()
            logger.save_session(elsewhere / "saved")
            assert logger.events == []
            summary = logger.get_session_summary()
            assert logger.statistics().mode == "disabled"
        assert (summary.tasks_completed, summary.files_read, summary.tool_calls_count) == (0, 0, 0)
        assert list(elsewhere.iterdir()) == []
        assert set(threading.enumerate()) <= threads
        assert warnings_logged == []

    @pytest.mark.parametrize("value", ["", "0"])
    def test_empty_or_zero_does_not_disable(
        self, logger: SessionLogger, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only a value that says yes disables."""
        monkeypatch.setenv("DEIA_DISABLED", value)
        enabled = SessionLogger("agent", "s", output_dir=logger.path.parent)
        enabled.log_file_read("a")
        assert len(flushed(enabled)) == 1
        enabled.close()

    def test_switch_is_read_at_construction(self, sessions: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A logger does not change its mind half way through a session."""
        enabled = SessionLogger("agent", "on", output_dir=sessions)
        monkeypatch.setenv("DEIA_DISABLED", "1")
        disabled = SessionLogger("agent", "off", output_dir=sessions)
        monkeypatch.delenv("DEIA_DISABLED")
        for logger in (enabled, disabled):
            logger.log_file_read("a")
            logger.close()
        assert [path.name for path in sessions.iterdir()] == ["agent_on.jsonl"]


class TestTheLine:
    """What stands in the file, byte for byte."""

    def test_lines_are_those_of_the_format(self, logger: SessionLogger) -> None:
        """Each call writes one line whose fields, order and spelling are fixed; only the times differ."""
        log_one_of_each(logger)
        logger.flush()
        fields = lines_of(logger.path)
        t = [line["timestamp"] for line in fields]
        begun, done = fields[0]["start_time"], fields[4]["end_time"]
        whose = '"agent_id":"AGENT-004","session_id":"session-1","v":1'
        expected = [
            f'{{"type":"TaskEvent","name":"write_tests","start_time":{begun!r},"end_time":null,"metadata":{{"priority":"P1"}},'
            f'"task_id":1,"parent_id":null,"seq":1,"timestamp":{t[0]!r},{whose},"session_start":{logger.start_time!r}}}',
            '{"type":"FileEvent","path":"/tests/test_logger.py","operation":"read","size_bytes":4096,"lines":null,'
            f'"task_id":1,"seq":2,"timestamp":{t[1]!r},{whose}}}',
            '{"type":"ToolEvent","name":"pytest","params":{"path":"tests/"},"duration_ms":2500,'
            f'"task_id":1,"seq":3,"timestamp":{t[2]!r},{whose}}}',
            '{"type":"FileEvent","path":"/tests/test_new.py","operation":"write","size_bytes":1024,"lines":30,'
            f'"task_id":1,"seq":4,"timestamp":{t[3]!r},{whose}}}',
            f'{{"type":"TaskEvent","name":"write_tests","start_time":{begun!r},"end_time":{done!r},'
            '"metadata":{"priority":"P1","passed":true},"duration_ms":1800333,'
            f'"task_id":1,"parent_id":null,"seq":5,"timestamp":{t[4]!r},{whose}}}',
        ]
        assert logger.path.read_text(encoding="utf-8").splitlines(keepends=True) == [line + "\n" for line in expected]

    def test_times_are_those_of_the_call(self, logger: SessionLogger) -> None:
        """A line is stamped when it was logged, on the caller's side, whenever it is written."""
        for number in range(3):
            before = time.time()
            logger.log_file_read(f"{number}")
            after = time.time()
            assert before <= last(logger)["timestamp"] <= after

    def test_start_line_was_logged_at_its_start(self, logger: SessionLogger) -> None:
        """A task's `start_time` is the `timestamp` of its start line."""
        logger.log_task_start("a")
        line = last(logger)
        assert line["start_time"] == line["timestamp"]

    def test_orphan_line_says_so(self, logger: SessionLogger) -> None:
        """A completion without a start is told by `orphan` after its duration, and belongs to no task."""
        logger.log_task_complete("lost", 1500, {"a": 1})
        line = last(logger)
        assert list(line) == [
            "type", "name", "start_time", "end_time", "metadata", "duration_ms", "orphan", "task_id", "parent_id",
            "seq", "timestamp", "agent_id", "session_id", "v", "session_start",
        ]  # fmt: skip
        assert (line["type"], line["name"], line["metadata"]) == ("TaskEvent", "lost", {"a": 1})
        assert (line["duration_ms"], line["orphan"], line["task_id"]) == (1500, True, None)
        assert line["start_time"] == pytest.approx(line["end_time"] - 1.5, abs=1e-3)

    def test_optional_arguments_are_null(self, logger: SessionLogger) -> None:
        """What the caller left out is there as null, so that every line of a type has the same fields."""
        logger.log_file_read("a")
        logger.log_file_write("b", 0)
        read, write = flushed(logger)
        assert (read["size_bytes"], read["lines"]) == (None, None)
        assert (write["size_bytes"], write["lines"]) == (0, None)
        assert set(write) - ENDS == {"type", "path", "operation", "size_bytes", "lines", "task_id"}

    def test_only_the_first_line_tells_when_the_session_began(self, logger: SessionLogger) -> None:
        """`session_start` is the time of construction and stands on line 1 alone."""
        log_one_of_each(logger)
        lines = flushed(logger)
        assert ["session_start" in line for line in lines] == [True, False, False, False, False]
        assert lines[0]["session_start"] == logger.start_time

    def test_text_is_utf_8_without_a_raw_line_end(self, logger: SessionLogger) -> None:
        """Any text stays in one line and comes back as it was."""
        name = 'a\nb\r\n\t"\\ \u2028 ä 漢 😀 \0 \x7f'
        logger.log_tool_call(name, {name: name}, 1)
        line = last(logger)
        assert (line["name"], line["params"]) == (name, {name: name})
        assert logger.path.read_bytes().count(b"\n") == 1
        assert "漢".encode() in logger.path.read_bytes()

    def test_seq_counts_from_one_without_a_gap(self, logger: SessionLogger) -> None:
        """Each line is one further than the line before."""
        for _ in range(100):
            log_one_of_each(logger)
        assert [line["seq"] for line in flushed(logger)] == list(range(1, 501))

    def test_threads_share_a_session_without_a_gap(self, logger: SessionLogger) -> None:
        """Calls from many threads are each one whole line, in the order of `seq`, with none lost or twice."""

        def work(thread: int) -> None:
            for number in range(500):
                logger.log_tool_call(f"{thread}/{number}", {"pad": "x" * (number % 50)}, number)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        lines = flushed(logger)
        assert [line["seq"] for line in lines] == list(range(1, 2001))
        for thread in range(4):
            mine = [line["duration_ms"] for line in lines if line["name"].startswith(f"{thread}/")]
            assert mine == list(range(500))


class TestTasks:
    """`log_task_start` and `log_task_complete`."""

    def test_start_is_recorded_open(self, logger: SessionLogger) -> None:
        """A started task has no end yet and no metadata but what was given."""
        logger.log_task_start("a")
        line = last(logger)
        assert (line["name"], line["end_time"], line["metadata"]) == ("a", None, {})

    def test_completion_has_the_start_of_its_task(self, logger: SessionLogger) -> None:
        """The completion's line tells everything about the task by itself."""
        logger.log_task_start("a", {"x": 1})
        logger.log_task_complete("a")
        start, end = flushed(logger)
        assert (end["name"], end["start_time"], end["task_id"]) == ("a", start["start_time"], start["seq"])
        assert end["end_time"] >= end["start_time"]
        assert end["metadata"] == {"x": 1}
        assert type(end["duration_ms"]) is int and end["duration_ms"] >= 0

    def test_metadata_of_the_completion_is_merged_over_the_start(self, logger: SessionLogger) -> None:
        """New keys are added, known ones replaced, the others kept."""
        logger.log_task_start("a", {"kept": 1, "replaced": 1})
        logger.log_task_complete("a", metadata={"replaced": 2, "added": 3})
        assert last(logger)["metadata"] == {"kept": 1, "replaced": 2, "added": 3}

    def test_newest_open_task_of_a_name_is_completed_first(self, logger: SessionLogger) -> None:
        """Tasks of one name are completed from the most recently started to the oldest."""
        for number in range(3):
            logger.log_task_start("a", {"number": number})
        for _ in range(3):
            logger.log_task_complete("a")
        ends = flushed(logger)[3:]
        assert [line["metadata"]["number"] for line in ends] == [2, 1, 0]
        assert [line["task_id"] for line in ends] == [3, 2, 1]

    def test_completed_task_is_not_completed_again(self, logger: SessionLogger, warnings_logged: list[str]) -> None:
        """A second completion finds no open task."""
        logger.log_task_start("a")
        logger.log_task_complete("a")
        logger.log_task_complete("a")
        assert last(logger)["orphan"] is True
        assert warnings_logged == [ORPHAN_WARNING.format("a")]

    def test_tasks_complete_in_any_order(self, logger: SessionLogger, warnings_logged: list[str]) -> None:
        """An outer task may end before an inner one."""
        logger.log_task_start("outer")
        logger.log_task_start("inner")
        logger.log_task_complete("outer")
        logger.log_task_complete("inner")
        assert [line["task_id"] for line in flushed(logger)] == [1, 2, 1, 2]
        assert warnings_logged == []

    def test_duration_of_the_caller_wins(self, logger: SessionLogger) -> None:
        """What the caller says about a task's duration is shown, whatever the clock says."""
        logger.log_task_start("a")
        logger.log_task_complete("a", duration_ms=1_800_000)
        end = last(logger)
        assert end["duration_ms"] == 1_800_000
        assert end["end_time"] == end["timestamp"], "the end is when it was logged"
        assert [event.duration_ms for event in logger.events if isinstance(event, TaskEvent)] == [1_800_000]
        analysis = logger.analyze_session(logger.save_session(logger.path.parent))
        assert analysis.task_breakdown == {"a": 1_800_000}

    def test_measured_duration_and_end_survive_a_stepped_clock(self, logger: SessionLogger) -> None:
        """A stepped wall clock makes no negative task: no end is before its start, every duration is the true one."""
        with FakeClock() as clock:
            logger.log_task_start("a")
            clock.advance(7)
            clock.step(-3600)
            logger.log_task_complete("a")
            logger.log_task_start("b")
            clock.advance(7)
            clock.step(86400)
            logger.log_task_complete("b")
        logger.flush()
        _, back, _, ahead = lines_of(logger.path)
        assert back["end_time"] == back["start_time"]
        assert ahead["end_time"] == ahead["start_time"] + 86407
        assert (back["duration_ms"], ahead["duration_ms"]) == (7000, 7000)

    def test_completion_without_a_start_warns_once(self, logger: SessionLogger, warnings_logged: list[str]) -> None:
        """One warning through the module's `logger`, in the words that its users know."""
        logger.log_task_complete("lost", metadata={"a": 1})
        assert warnings_logged == [ORPHAN_WARNING.format("lost")]

    def test_completion_without_a_start_is_recorded_but_not_counted(self, logger: SessionLogger) -> None:
        """It is in the file, and in nothing that is computed about completed tasks."""
        logger.log_task_start("a")
        logger.log_task_complete("lost", 5000)
        assert last(logger)["orphan"] is True
        assert [event.name for event in logger.events if isinstance(event, TaskEvent)] == ["a"]
        assert logger.get_session_summary().tasks_completed == 0
        assert logger.analyze_session(logger.path).task_breakdown == {}

    def test_completion_without_start_and_duration_took_no_time(self, logger: SessionLogger) -> None:
        """Nobody knows when it began, so it began when it ended."""
        logger.log_task_complete("lost")
        line = last(logger)
        assert line["start_time"] == line["end_time"]
        assert not line["duration_ms"]

    def test_reader_marks_an_orphan(self, logger: SessionLogger) -> None:
        """`read_events` tells an orphan from a completion."""
        logger.log_task_complete("lost", 5)
        (event,) = read_events(logger.path)
        assert isinstance(event, TaskEvent)
        assert event.orphan is True


class TestNesting:
    """Which task an event belongs to: the innermost open one of its contextvars context."""

    def test_events_belong_to_the_innermost_open_task(self, logger: SessionLogger) -> None:
        """Starting enters a task, completing leaves it."""
        logger.log_file_read("before")
        logger.log_task_start("outer")
        logger.log_file_read("in outer")
        logger.log_task_start("inner")
        logger.log_tool_call("in inner", {}, 1)
        logger.log_task_complete("inner")
        logger.log_file_write("in outer again", 1)
        logger.log_task_complete("outer")
        logger.log_file_read("after")
        lines = flushed(logger)
        assert [line["task_id"] for line in lines] == [None, 2, 2, 4, 4, 4, 2, 2, None]
        assert [line["parent_id"] for line in lines if line["type"] == "TaskEvent"] == [None, 2, 2, None]

    def test_completing_an_outer_task_leaves_the_inner_one_open(self, logger: SessionLogger) -> None:
        """Events go on belonging to what is still open."""
        logger.log_task_start("outer")
        logger.log_task_start("inner")
        logger.log_task_complete("outer")
        logger.log_file_read("in inner")
        logger.log_task_complete("inner")
        logger.log_file_read("nowhere")
        assert [line["task_id"] for line in flushed(logger)] == [1, 2, 1, 2, 2, None]

    def test_contexts_do_not_see_each_others_tasks(self, logger: SessionLogger) -> None:
        """A context inherits the tasks it was copied in, and what it starts stays in it."""
        logger.log_task_start("shared")
        contexts = [contextvars.copy_context() for _ in range(2)]
        for number, context in enumerate(contexts):
            context.run(logger.log_task_start, f"own {number}")
        for number, context in enumerate(contexts):
            context.run(logger.log_file_read, f"{number}")
        logger.log_file_read("outside")
        lines = flushed(logger)
        assert [line["parent_id"] for line in lines[:3]] == [None, 1, 1]
        assert [line["task_id"] for line in lines[3:6]] == [2, 3, 1]

    def test_new_thread_is_in_no_task(self, logger: SessionLogger) -> None:
        """A thread with an empty context belongs to no task, even while one is open elsewhere."""
        logger.log_task_start("main")
        thread = threading.Thread(target=contextvars.Context().run, args=(logger.log_file_read, "a"))
        thread.start()
        thread.join()
        assert last(logger)["task_id"] is None

    def test_completion_searches_the_whole_session(self, logger: SessionLogger, warnings_logged: list[str]) -> None:
        """A task may be completed from another context; its own context then is in the next open one outward."""
        logger.log_task_start("outer")
        context = contextvars.copy_context()
        context.run(logger.log_task_start, "inner")
        logger.log_task_complete("inner")
        context.run(logger.log_file_read, "a")
        assert warnings_logged == []
        assert last(logger)["task_id"] == 1

    def test_loggers_do_not_see_each_others_tasks(self, logger: SessionLogger, sessions: Path) -> None:
        """An open task of one session is nothing to another."""
        with SessionLogger("other", "s", output_dir=sessions) as other:
            logger.log_task_start("a")
            other.log_file_read("b")
            assert last(other)["task_id"] is None


class TestFilesAndTools:
    """`log_file_read`, `log_file_write`, `log_tool_call`."""

    @pytest.mark.parametrize(
        ("path", "recorded"),
        [
            ("/a/b.py", "/a/b.py"),
            ("relative", "relative"),
            (b"/a/b.py", "/a/b.py"),
            (Path("/a/b.py"), "/a/b.py"),
            ("with\nline end", "with\nline end"),
        ],
        ids=repr,
    )
    def test_paths_may_be_text_bytes_or_path_objects(self, logger: SessionLogger, path: Any, recorded: str) -> None:
        """Whatever names a file to `open` is recorded as text."""
        logger.log_file_read(path)
        logger.log_file_write(path, 1)
        assert [line["path"] for line in flushed(logger)] == [recorded, recorded]
        assert [event.path for event in logger.events if isinstance(event, FileEvent)] == [recorded, recorded]

    def test_path_like_objects_are_asked_for_their_path(self, logger: SessionLogger) -> None:
        """Any `os.PathLike` will do, one of bytes as well."""

        class OfText(os.PathLike[str]):
            def __fspath__(self) -> str:
                return "text"

        class OfBytes(os.PathLike[bytes]):
            def __fspath__(self) -> bytes:
                return b"bytes"

        logger.log_file_read(OfText())
        logger.log_file_read(OfBytes())  # type: ignore[arg-type]
        assert [line["path"] for line in flushed(logger)] == ["text", "bytes"]

    def test_path_that_is_no_utf_8_is_recorded_readably(self, logger: SessionLogger) -> None:
        """A file name of any bytes, as `os.listdir` gives it, does not break the line."""
        logger.log_file_read(b"/a/\xff\xfe.py")
        logger.log_file_read(os.fsdecode(b"/a/\xff\xfe.py"))
        first, second = flushed(logger)
        assert first["path"] == second["path"]
        assert first["path"].startswith("/a/") and first["path"].endswith(".py")

    def test_read_and_write_are_told_apart(self, logger: SessionLogger) -> None:
        """`operation` says which, with the sizes that were given."""
        logger.log_file_read("a", 10)
        logger.log_file_write("b", 20, 3)
        logger.log_file_write("c", 0, lines=0)
        assert [(line["operation"], line["size_bytes"], line["lines"]) for line in flushed(logger)] == [
            ("read", 10, None),
            ("write", 20, 3),
            ("write", 0, 0),
        ]

    def test_large_sizes_are_whole(self, logger: SessionLogger) -> None:
        """Nine petabytes to the byte: as far as every reader of JSON counts exactly."""
        logger.log_file_read("a", 2**53)
        assert last(logger)["size_bytes"] == 2**53
        assert logger.events == [FileEvent("a", "read", 2**53)]

    def test_ids_made_one_after_the_other_sort_so(self, tmp_path: Path) -> None:
        """Within a millisecond, too: files of sessions sort by the time they were begun."""
        ids = []
        for _ in range(100):
            ids.append(SessionLogger("agent", output_dir=tmp_path).session_id)
            time.sleep(1e-6)  # more than the resolution of the ids
        assert ids == sorted(ids)

    @pytest.mark.parametrize("number", [2**64, 2**70, pytest.param(10**5000, id="beyond-text")])
    def test_size_past_64_bits_is_recorded_beside_null(self, logger: SessionLogger, number: int) -> None:
        """No reader of JSON has a number for it, so it is there as text; nothing raises."""
        logger.log_file_write("a", number, 3)
        logger.log_file_write("b", 3, number)
        first, second = flushed(logger)
        assert (first["size_bytes"], first["lines"], second["size_bytes"], second["lines"]) == (None, 3, 3, None)
        assert isinstance(first["given_size_bytes"], str) and first["given_size_bytes"] == second["given_lines"]
        if number < 2**71:
            assert first["given_size_bytes"] == str(number)
        assert list(first)[:6] == ["type", "path", "operation", "size_bytes", "given_size_bytes", "lines"]
        assert logger.events == [FileEvent("a", "write", None, 3), FileEvent("b", "write", 3, None)]

    def test_params_none_means_no_params(self, logger: SessionLogger) -> None:
        """A tool without parameters has an empty object there, not null."""
        logger.log_tool_call("t", None, 5)  # type: ignore[arg-type]
        assert last(logger)["params"] == {}

    def test_calls_return_nothing(self, logger: SessionLogger) -> None:
        """A log call has no result to wait for or to look at."""
        results = [
            logger.log_task_start("a"),  # type: ignore[func-returns-value]
            logger.log_task_complete("a"),  # type: ignore[func-returns-value]
            logger.log_file_read("a"),  # type: ignore[func-returns-value]
            logger.log_file_write("a", 1),  # type: ignore[func-returns-value]
            logger.log_tool_call("a", {}, 1),  # type: ignore[func-returns-value]
        ]
        assert results == [None] * 5


class TestSummary:
    """`get_session_summary`."""

    def test_velocity_is_zero_under_a_millisecond(self, sessions: Path) -> None:
        """Nothing per hour is said of no time at all, even where a task was completed in it."""
        with FakeClock() as clock, SessionLogger("agent", "s", output_dir=sessions) as logger:
            logger.log_task_start("a")
            logger.log_task_complete("a")
            assert logger.get_session_summary() == SessionSummary(0, 1, 0, 0, 0, 0.0)
            for elapsed_s, velocity in ((0.0009, 0.0), (0.0011, 1_800_000.0)):
                clock.advance(elapsed_s)
                assert logger.get_session_summary().velocity == pytest.approx(velocity)

    def test_start_time_can_be_set(self, logger: SessionLogger) -> None:
        """Times count from there, as they did in the original module."""
        logger.start_time = logger.start_time - 3600
        logger.log_task_start("a")
        logger.log_task_complete("a")
        summary = logger.get_session_summary()
        assert 3_600_000 <= summary.total_duration_ms < 3_700_000
        assert 0.97 < summary.velocity <= 1.0
        assert last(logger)["seq"] == 2
        assert lines_of(logger.path)[0]["session_start"] == logger.start_time

    def test_new_session_has_done_nothing(self, logger: SessionLogger) -> None:
        """Every count is zero before the first event."""
        summary = logger.get_session_summary()
        assert isinstance(summary, SessionSummary)
        assert summary == SessionSummary(summary.total_duration_ms, 0, 0, 0, 0, 0.0)
        assert type(summary.total_duration_ms) is int

    def test_everything_that_was_logged_is_counted(self, logger: SessionLogger) -> None:
        """Counts are there at once, flushed or not."""
        for _ in range(3):
            log_one_of_each(logger)
        logger.log_file_read("again")
        logger.log_task_start("open")
        summary = logger.get_session_summary()
        counts = (summary.tasks_completed, summary.files_read, summary.files_written, summary.tool_calls_count)
        assert counts == (3, 4, 3, 3)

    def test_summary_does_not_need_the_file(self, logger: SessionLogger, held_writer: HeldWriter) -> None:
        """It comes from live counters, so it is there while the disk hangs."""
        logger.log_file_read("a")
        logger.flush()
        held_writer.hold()
        logger.log_file_read("b")
        assert logger.get_session_summary().files_read == 2

    def test_time_and_velocity_are_those_since_construction(self, sessions: Path) -> None:
        """Total time runs from construction, by a clock that no one steps; velocity is completed tasks per hour."""
        with FakeClock() as clock:
            logger = SessionLogger("agent", "s", output_dir=sessions)
            new = logger.get_session_summary()
            assert (new.total_duration_ms, new.velocity) == (0, 0.0)
            for _ in range(3):
                logger.log_task_start("a")
                logger.log_task_complete("a", 60_000)
            clock.advance(7200)
            summary = logger.get_session_summary()
            assert (summary.total_duration_ms, summary.velocity) == (7_200_000, 1.5)
            clock.step(-86400)
            assert logger.get_session_summary() == summary
            logger.close()

    def test_summary_and_analysis_agree(self, logger: SessionLogger) -> None:
        """What the running session counts is what its file says."""
        for _ in range(4):
            log_one_of_each(logger)
        summary, analysis = logger.get_session_summary(), logger.analyze_session(logger.path)
        assert isinstance(analysis, SessionAnalysis)
        assert analysis.task_breakdown == {"write_tests": 4 * 1_800_333}
        assert analysis.file_operation_stats == {"read": summary.files_read, "write": summary.files_written}

    def test_analysis_touches_nothing_of_the_logger(self, logger: SessionLogger, sessions: Path) -> None:
        """Analysing another file leaves counters, events and files as they were."""
        with SessionLogger("other", "s", output_dir=sessions) as other:
            log_one_of_each(other)
        logger.log_file_read("a")
        logger.flush()
        before = (logger.events, dataclasses.replace(logger.get_session_summary(), total_duration_ms=0, velocity=0.0))
        names = sorted(os.listdir(sessions))
        assert logger.analyze_session(other.path).task_breakdown == {"write_tests": 1_800_333}
        after = (logger.events, dataclasses.replace(logger.get_session_summary(), total_duration_ms=0, velocity=0.0))
        assert (after, sorted(os.listdir(sessions))) == (before, names)


class TestSaveSession:
    """`save_session`: a barrier, not a rewrite."""

    def test_file_has_every_event_logged_so_far(self, logger: SessionLogger, sessions: Path) -> None:
        """On return any tool sees all of the session under its documented name."""
        for _ in range(200):
            log_one_of_each(logger)
        path = logger.save_session(sessions)
        assert path == sessions / "AGENT-004_session-1.jsonl"
        assert len(lines_of(path)) == 1000

    @pytest.mark.parametrize("kind", [str, Path])
    def test_directory_is_made(self, logger: SessionLogger, tmp_path: Path, kind: Callable[[Path], Any]) -> None:
        """A missing directory, and its parents, are no error."""
        logger.log_file_read("a")
        path = logger.save_session(kind(tmp_path / "a" / "b"))
        assert isinstance(path, Path)
        assert path == tmp_path / "a" / "b" / "AGENT-004_session-1.jsonl"
        assert lines_of(path) == lines_of(logger.path)

    @pytest.mark.parametrize("own", [True, False], ids=["own directory", "another directory"])
    def test_empty_session_makes_an_empty_file(self, logger: SessionLogger, tmp_path: Path, own: bool) -> None:
        """Saving before the first event leaves a file of no lines, which the analysis reads as zeros."""
        path = logger.save_session(logger.path.parent if own else tmp_path / "other")
        assert path.read_bytes() == b""
        assert logger.analyze_session(path).task_breakdown == {}
        assert list(read_events(path)) == []

    def test_session_goes_on_after_an_empty_save(self, logger: SessionLogger) -> None:
        """The first event after it is the first line."""
        logger.save_session(logger.path.parent)
        logger.log_file_read("a")
        (line,) = flushed(logger)
        assert (line["seq"], line["session_start"]) == (1, logger.start_time)

    def test_own_directory_is_not_rewritten(self, logger: SessionLogger, sessions: Path) -> None:
        """In its own directory the journal itself is the saved file, however the directory is spelled."""
        logger.log_file_read("a")
        before = logger.path.stat().st_ino
        (sessions.parent / "link").symlink_to(sessions)
        for spelling in (sessions, sessions / ".." / "sessions", sessions.parent / "link"):
            assert logger.save_session(spelling).samefile(logger.path)
        assert logger.path.stat().st_ino == before
        assert len(lines_of(logger.path)) == 1

    def test_copy_is_replaced_as_a_whole(self, logger: SessionLogger, tmp_path: Path) -> None:
        """Whoever reads a copy while it is saved again sees the old one to its end, and then the new one."""
        other = tmp_path / "other"
        logger.log_file_read("a")
        with logger.save_session(other).open("rb") as reading:
            logger.log_file_read("b")
            path = logger.save_session(other)
            assert reading.read().count(b"\n") == 1
        assert len(lines_of(path)) == 2
        assert os.listdir(other) == [path.name], "nothing else is left behind"

    def test_recording_goes_on_in_the_sessions_own_file(self, logger: SessionLogger, tmp_path: Path) -> None:
        """A copy is a copy: later events are in the journal, not in it."""
        logger.log_file_read("a")
        copy = logger.save_session(tmp_path / "other")
        logger.log_file_read("b")
        assert (len(flushed(logger)), len(lines_of(copy))) == (2, 1)

    def test_saving_twice_changes_nothing(self, logger: SessionLogger, sessions: Path) -> None:
        """A second save without new events gives the same bytes."""
        log_one_of_each(logger)
        first = logger.save_session(sessions).read_bytes()
        assert logger.save_session(sessions).read_bytes() == first


class TestBarriers:
    """`flush`, `sync`, `close`, `open`, `with`."""

    def test_flush_makes_events_visible_to_any_reader(self, logger: SessionLogger) -> None:
        """After it the journal has everything that was logged before."""
        logger.log_file_read("a")
        logger.flush()
        size = logger.path.stat().st_size
        statistics = logger.statistics()
        assert (statistics.end_offset, statistics.flushed_offset, statistics.pending_bytes) == (size, size, 0)

    def test_sync_covers_everything_logged_so_far(self, logger: SessionLogger) -> None:
        """After it an fsync has returned for all of it."""
        logger.log_file_read("a")
        logger.sync()
        statistics = logger.statistics()
        assert statistics.durable_offset == statistics.end_offset == logger.path.stat().st_size

    def test_reader_sees_events_before_any_flush(self, logger: SessionLogger, held_writer: HeldWriter) -> None:
        """Our own reader sees every call that has returned, even while nothing can be written."""
        held_writer.hold()
        for number in range(100):
            logger.log_file_read(f"{number}")
            assert sum(1 for _ in read_events(logger.path)) == number + 1

    def test_close_leaves_the_journal_alone(self, logger: SessionLogger, sessions: Path) -> None:
        """After it the journal is complete and the only file."""
        log_one_of_each(logger)
        assert (sessions / ".AGENT-004_session-1.queue").is_file()
        logger.close()
        assert os.listdir(sessions) == ["AGENT-004_session-1.jsonl"]
        assert len(lines_of(logger.path)) == 5
        assert logger.statistics().mode == "closed"

    def test_close_may_be_called_twice(self, logger: SessionLogger) -> None:
        """The second call does nothing."""
        logger.log_file_read("a")
        logger.close()
        logger.close()

    def test_closed_session_can_be_asked(self, logger: SessionLogger) -> None:
        """Closing ends the recording, not the questions about it."""
        log_one_of_each(logger)
        events = logger.events
        logger.close()
        assert logger.events == events
        assert logger.get_session_summary().tool_calls_count == 1
        assert logger.analyze_session(logger.path).task_breakdown == {"write_tests": 1_800_333}

    @pytest.mark.parametrize("used", [True, False], ids=["used", "never used"])
    def test_log_call_after_close_raises(self, logger: SessionLogger, used: bool) -> None:
        """Every log call says that the logger is closed, and records nothing."""
        if used:
            log_one_of_each(logger)
        logger.close()
        calls: list[Callable[[], Any]] = [
            lambda: logger.log_task_start("a"),
            lambda: logger.log_task_complete("a"),
            lambda: logger.log_file_read("a"),
            lambda: logger.log_file_write("a", 1),
            lambda: logger.log_tool_call("a", {}, 1),
        ]
        for call in calls:
            with pytest.raises(LoggerClosedError):
                call()
        assert logger.get_session_summary().files_read == int(used)
        assert logger.path.exists() == used
        if used:
            assert len(lines_of(logger.path)) == 5

    def test_with_closes(self, sessions: Path) -> None:
        """Leaving the block flushes and closes; the name in it is the logger."""
        logger = SessionLogger("agent", "s", output_dir=sessions)
        with logger as same:
            assert same is logger
            logger.log_file_read("a")
        assert len(lines_of(logger.path)) == 1
        with pytest.raises(LoggerClosedError):
            logger.log_file_read("b")

    def test_with_closes_after_an_error_and_passes_it_on(self, sessions: Path) -> None:
        """The agent's error is its own; the recording ends in order."""
        logger = SessionLogger("agent", "s", output_dir=sessions)
        with pytest.raises(ZeroDivisionError), logger:
            logger.log_file_read("a")
            raise ZeroDivisionError
        assert len(lines_of(logger.path)) == 1
        assert logger.statistics().mode == "closed"

    def test_open_makes_the_files_before_the_first_event(self, logger: SessionLogger, sessions: Path) -> None:
        """Whoever wants to meet errors early opens early; a session opened once stays so."""
        logger.open()
        logger.open()
        assert sorted(os.listdir(sessions)) == [".AGENT-004_session-1.queue", "AGENT-004_session-1.jsonl"]
        assert logger.path.read_bytes() == b""
        logger.log_file_read("a")
        assert [line["seq"] for line in flushed(logger)] == [1]

    @pytest.mark.parametrize("barrier", ["flush", "sync", "close"])
    def test_barrier_gives_up_in_time_and_loses_nothing(
        self, logger: SessionLogger, held_writer: HeldWriter, barrier: str
    ) -> None:
        """A disk that hangs ends the wait, not the record: the events stay in the queue and are written later."""
        logger.open()
        held_writer.hold()
        logger.log_file_read("a")
        with pytest.raises(FlushTimeoutError) as caught:
            getattr(logger, barrier)(timeout_s=0.05)
        assert caught.value.pending_bytes > 0
        assert sum(1 for _ in read_events(logger.path)) == 1
        held_writer.release()
        logger.close()
        assert len(lines_of(logger.path)) == 1

    @pytest.mark.parametrize("barrier", ["flush", "sync", "close"])
    def test_barrier_takes_a_timeout(self, logger: SessionLogger, barrier: str) -> None:
        """A generous one changes nothing."""
        logger.log_file_read("a")
        getattr(logger, barrier)(timeout_s=30.0)
        assert len(lines_of(logger.path)) == 1

    def test_sync_policy_always_syncs_before_the_call_returns(self, sessions: Path) -> None:
        """Under `sync_policy="always"` what a call recorded has been fsynced when it returns."""
        with SessionLogger("agent", "s", output_dir=sessions, sync_policy="always") as logger:
            for _ in range(3):
                logger.log_file_read("a")
                statistics = logger.statistics()
                assert statistics.durable_offset == statistics.end_offset > 0

    @pytest.mark.parametrize(
        ("option", "error"),
        [
            ({"queue_bytes": 0}, ValueError),
            ({"queue_bytes": "1"}, TypeError),
            ({"queue_mode": "fast"}, ValueError),
            ({"sync_policy": "maybe"}, ValueError),
            ({"when_full": "panic"}, ValueError),
            ({"full_timeout_s": -1.0}, ValueError),
            ({"flush_interval_s": math.nan}, ValueError),
            ({"exit_timeout_s": None}, TypeError),
            ({"no_such_option": 1}, TypeError),
        ],
        ids=str,
    )
    def test_wrong_option_is_refused_at_construction(self, option: dict[str, Any], error: type[Exception]) -> None:
        """An option that cannot be meant is named at once, not at the first event."""
        with pytest.raises(error, match=next(iter(option))):
            SessionLogger("agent", **option)


class TestEvents:
    """`events`."""

    def test_events_are_in_order_with_a_completed_task_as_one(self, logger: SessionLogger) -> None:
        """A task stands where it was started, with its end and all its metadata."""
        log_one_of_each(logger)
        events = logger.events
        assert [type(event) for event in events] == [TaskEvent, FileEvent, ToolEvent, FileEvent]
        task = events[0]
        assert isinstance(task, TaskEvent)
        assert task.end_time is not None and task.end_time >= task.start_time
        assert task.metadata == {"priority": "P1", "passed": True}
        assert events[1:] == [
            FileEvent("/tests/test_logger.py", "read", 4096),
            ToolEvent("pytest", {"path": "tests/"}, 2500),
            FileEvent("/tests/test_new.py", "write", 1024, 30),
        ]

    def test_open_task_has_no_end(self, logger: SessionLogger) -> None:
        """Until its completion a task is there with `end_time` None."""
        logger.log_task_start("a", {"x": 1})
        (task,) = logger.events
        assert isinstance(task, TaskEvent)
        assert task == TaskEvent("a", task.start_time, None, {"x": 1})
        logger.log_task_complete("a")
        (task,) = logger.events
        assert isinstance(task, TaskEvent) and task.end_time is not None

    def test_tasks_of_one_name_are_told_apart(self, logger: SessionLogger) -> None:
        """Only the task that was completed has an end."""
        logger.log_task_start("a", {"number": 0})
        logger.log_task_start("a", {"number": 1})
        logger.log_task_complete("a")
        first, second = logger.events
        assert isinstance(first, TaskEvent) and isinstance(second, TaskEvent)
        assert (first.end_time, first.metadata) == (None, {"number": 0})
        assert second.end_time is not None

    def test_events_carry_their_place_in_the_session(self, logger: SessionLogger) -> None:
        """Beside the original fields each event tells where it stands in the log."""
        logger.log_file_read("a")
        (event,) = logger.events
        assert (event.seq, event.agent_id, event.session_id) == (1, "AGENT-004", "session-1")

    def test_events_are_there_without_a_flush(self, logger: SessionLogger, held_writer: HeldWriter) -> None:
        """A hanging disk does not hide them."""
        held_writer.hold()
        logger.log_file_read("a")
        assert logger.events == [FileEvent("a", "read")]

    def test_dict_changed_after_the_call_does_not_change_the_record(self, logger: SessionLogger) -> None:
        """The line is made at the call, to the depth of what was given."""
        params: dict[str, Any] = {"a": {"b": [1]}}
        logger.log_tool_call("t", params, 1)
        logger.log_task_start("k", params)
        params["a"]["b"].append(2)
        params["new"] = True
        logger.log_task_complete("k")
        tool, start, end = flushed(logger)
        assert tool["params"] == start["metadata"] == end["metadata"] == {"a": {"b": [1]}}


class TestWrongCalls:
    """A wrong call raises at the call, names the argument and the value, and records nothing."""

    CALLS: list[tuple[str, tuple[Any, ...], type[Exception], str, str]] = [
        ("log_task_start", ("",), ValueError, "task_name", "''"),
        ("log_task_start", (None,), TypeError, "task_name", "None"),
        ("log_task_start", (7,), TypeError, "task_name", "7"),
        ("log_task_start", (b"a",), TypeError, "task_name", "b'a'"),
        ("log_task_complete", ("",), ValueError, "task_name", "''"),
        ("log_task_complete", (7,), TypeError, "task_name", "7"),
        ("log_file_read", ("",), ValueError, "path", "''"),
        ("log_file_read", (None,), TypeError, "path", "None"),
        ("log_file_read", (7,), TypeError, "path", "7"),
        ("log_file_read", ("a", -1), ValueError, "size_bytes", "-1"),
        ("log_file_write", ("", 1), ValueError, "path", "''"),
        ("log_file_write", (7, 1), TypeError, "path", "7"),
        ("log_file_write", ("a", -5), ValueError, "size_bytes", "-5"),
        ("log_file_write", ("a", 1, -3), ValueError, "lines", "-3"),
        ("log_tool_call", ("", {}, 1), ValueError, "tool_name", "''"),
        ("log_tool_call", (None, {}, 1), TypeError, "tool_name", "None"),
        ("log_tool_call", (7, {}, 1), TypeError, "tool_name", "7"),
    ]

    @pytest.mark.parametrize(("method", "args", "error", "argument", "value"), CALLS, ids=lambda value: repr(value))
    def test_wrong_call_raises_and_records_nothing(
        self,
        logger: SessionLogger,
        method: str,
        args: tuple[Any, ...],
        error: type[Exception],
        argument: str,
        value: str,
    ) -> None:
        """The error says which argument was wrong and what it was; the session is as before."""
        logger.log_file_read("before")
        with pytest.raises(error) as caught:
            getattr(logger, method)(*args)
        assert argument in str(caught.value) and value in str(caught.value)
        logger.log_file_read("after")
        assert [line["path"] for line in flushed(logger)] == ["before", "after"]
        assert_gapless(logger.path)

    def test_wrong_first_call_makes_no_file(self, logger: SessionLogger, sessions: Path) -> None:
        """A call that records nothing opens nothing."""
        with pytest.raises(ValueError, match="task_name"):
            logger.log_task_start("")
        assert not sessions.exists()

    def test_wrong_value_that_cannot_be_shown_is_a_type_error_still(self, logger: SessionLogger) -> None:
        """The message is made for any value."""
        with pytest.raises(TypeError, match="task_name"):
            logger.log_task_start(SilentRepr())  # type: ignore[arg-type]

    @pytest.mark.parametrize("argument", ["agent_id", "session_id"])
    @pytest.mark.parametrize(
        "value",
        ["a/b", "/a", "..", ".", "a\0b", "x" * 201, "é" * 101],
        ids=["a/b", "/a", "..", ".", "NUL", "201", "202"],
    )
    def test_name_that_is_not_one_plain_file_name_part_is_refused(self, argument: str, value: str) -> None:
        """Names become a file name, so a separator, a dot name, a NUL or more than 200 bytes raise at construction."""
        names = {"agent_id": "agent", "session_id": "s", argument: value}
        with pytest.raises(ValueError, match=argument):
            SessionLogger(**names)

    @pytest.mark.parametrize(
        ("names", "error", "argument"),
        [
            (("",), ValueError, "agent_id"),
            ((None,), TypeError, "agent_id"),
            ((7,), TypeError, "agent_id"),
            (("agent", 7), TypeError, "session_id"),
            (("agent", b"s"), TypeError, "session_id"),
        ],
    )
    def test_name_that_is_no_name_is_refused(
        self, names: tuple[Any, ...], error: type[Exception], argument: str
    ) -> None:
        """An agent needs a name, and names are text."""
        with pytest.raises(error, match=argument):
            SessionLogger(*names)

    @pytest.mark.parametrize("name", ["x" * 200, "é" * 100, "AGENT 004 (β)", "a.b-c_d", "漢字"])
    def test_names_up_to_the_limit_work(self, sessions: Path, name: str) -> None:
        """200 bytes of plain name still make a journal and its queue file."""
        with SessionLogger(name, output_dir=sessions) as logger:
            logger.log_file_read("a")
            assert logger.statistics().mode in ("mmap", "write")
            assert last(logger)["agent_id"] == name

    def test_two_long_names_never_surprise_a_log_call(self, sessions: Path) -> None:
        """Names that fit alone and not together are refused at construction, or recorded; never an `OSError` later."""
        try:
            logger = SessionLogger("a" * 200, "s" * 200, output_dir=sessions)
        except ValueError:
            return
        logger.log_file_read("a")
        assert logger.events == [FileEvent("a", "read")]
        logger.close()


class TestOddData:
    """Odd data never raises: it is recorded in its most readable form, and the line stays JSON."""

    @each_odd_value
    def test_odd_value_is_recorded_readably(self, logger: SessionLogger, odd: Odd) -> None:
        """In params, and in the metadata of a start and of a completion, beside what is not odd."""
        logger.log_tool_call("t", {"value": odd.make(), "plain": 1}, 1)
        logger.log_task_start("k", {"value": odd.make(), "plain": 1})
        logger.log_task_complete("k", metadata={"more": [odd.make()]})
        logger.log_task_complete("lost", metadata={"value": odd.make(), "plain": 1})
        tool, start, end, orphan = flushed(logger)
        for recorded in (tool["params"], start["metadata"], end["metadata"], orphan["metadata"]):
            assert recorded["plain"] == 1
            assert odd.kept(recorded["value"]), recorded["value"]
        assert odd.kept(end["metadata"]["more"][0]), end["metadata"]["more"][0]
        assert_gapless(logger.path)

    @each_odd_value
    def test_odd_value_in_place_of_a_mapping_is_recorded(self, logger: SessionLogger, odd: Odd) -> None:
        """Params that are no mapping are recorded under `value`; a mapping of any make is one."""
        logger.log_tool_call("t", odd.make(), 1)
        logger.log_task_start("k", odd.make())
        logger.log_task_complete("k", metadata=odd.make())
        tool, start, end = flushed(logger)
        for recorded in (tool["params"], start["metadata"], end["metadata"]):
            assert isinstance(recorded, dict)
            assert odd.kept(recorded["value"] if list(recorded) == ["value"] else recorded), recorded

    def test_mapping_that_cannot_be_read_does_not_raise(self, logger: SessionLogger) -> None:
        """The event is recorded whatever its params do."""
        logger.log_tool_call("t", BrokenMapping(), 5)  # type: ignore[arg-type]
        assert (last(logger)["name"], last(logger)["duration_ms"]) == ("t", 5)

    @pytest.mark.parametrize("name", ["a\ud800b", Text("a-b"), "\udcff"], ids=ascii)
    def test_odd_names_are_recorded(self, logger: SessionLogger, name: str, warnings_logged: list[str]) -> None:
        """A name that UTF-8 cannot hold is recorded readably, and a task of that name can be completed."""
        logger.log_task_start(name)
        logger.log_task_complete(name)
        logger.log_tool_call(name, {}, 1)
        lines = flushed(logger)
        assert len({line["name"] for line in lines}) == 1
        assert [line["task_id"] for line in lines[:2]] == [1, 1]
        assert warnings_logged == []

    def test_value_that_logs_while_it_is_recorded_is_recorded_too(self, logger: SessionLogger) -> None:
        """A call inside a call is one more whole line, and the outer one follows without a gap."""

        class Chatty:
            def __repr__(self) -> str:
                logger.log_file_read("inner")
                return "chatty"

        for _ in range(20):
            logger.log_tool_call("outer", {"value": Chatty()}, 1)
        lines = flushed(logger)
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        assert sum(1 for line in lines if line.get("name") == "outer" and line["params"] == {"value": "chatty"}) == 20
        assert sum(1 for line in lines if line.get("path") == "inner") >= 20

    def test_data_that_collects_garbage_does_not_matter(self, logger: SessionLogger) -> None:
        """A collection in the middle of encoding changes nothing."""

        class Collecting:
            def __repr__(self) -> str:
                gc.collect()
                return "collected"

        logger.log_tool_call("t", {"value": Collecting()}, 1)
        assert last(logger)["params"] == {"value": "collected"}

    def test_task_of_an_odd_name_keeps_its_metadata(self, logger: SessionLogger) -> None:
        """What a lone surrogate spoils is the name alone."""
        logger.log_task_start("task\ud800", {"priority": "P1"})
        logger.log_task_complete("task\ud800", metadata={"done": True})
        lines = flushed(logger)
        assert [line["name"] for line in lines] == ["task\\ud800"] * 2
        assert [line["metadata"] for line in lines] == [{"priority": "P1"}, {"priority": "P1", "done": True}]


class TestDurations:
    """Durations that cannot be one, and those that are not whole."""

    ODD = [
        (-5, -5),
        (-2.5, -2.5),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (2**64, "18446744073709551616"),
    ]

    @pytest.mark.parametrize(("given", "kept"), ODD, ids=repr)
    def test_impossible_duration_of_a_tool_is_zero_with_the_given_one_beside_it(
        self, logger: SessionLogger, given: float, kept: Any, warnings_logged: list[str]
    ) -> None:
        """The figure is 0, the caller's value stands after it, and one warning tells."""
        logger.log_tool_call("t", {}, given)
        line = last(logger)
        assert list(line)[2:6] == ["params", "duration_ms", "given_duration_ms", "task_id"]
        assert line["duration_ms"] == 0
        assert _same(line["given_duration_ms"], kept)
        assert len(warnings_logged) == 1

    @pytest.mark.parametrize(("given", "kept"), ODD, ids=repr)
    def test_impossible_duration_of_a_task_is_zero_with_the_given_one_beside_it(
        self, logger: SessionLogger, given: float, kept: Any, warnings_logged: list[str]
    ) -> None:
        """The same for a completion: the clock does not stand in for what the caller said."""
        logger.log_task_start("a")
        logger.log_task_complete("a", given)
        line = last(logger)
        assert list(line)[4:8] == ["metadata", "duration_ms", "given_duration_ms", "task_id"]
        assert line["duration_ms"] == 0
        assert _same(line["given_duration_ms"], kept)
        assert len(warnings_logged) == 1

    def test_impossible_duration_of_an_orphan(self, logger: SessionLogger, warnings_logged: list[str]) -> None:
        """It began when it ended, and both warnings are given."""
        logger.log_task_complete("lost", -1)
        line = last(logger)
        assert (line["duration_ms"], line["given_duration_ms"], line["orphan"]) == (0, -1, True)
        assert line["start_time"] == line["end_time"]
        assert len(warnings_logged) == 2

    @pytest.mark.parametrize(
        ("given", "recorded"), [(2.4, 2), (2.6, 3), (0.0, 0), (1e6, 1_000_000), (0.49, 0), (-0.0, 0)]
    )
    def test_float_durations_are_rounded(
        self, logger: SessionLogger, given: float, recorded: int, warnings_logged: list[str]
    ) -> None:
        """A duration is whole milliseconds in every line and every event."""
        logger.log_task_start("a")
        logger.log_task_complete("a", given)
        logger.log_tool_call("t", {}, given)
        _, task, tool = flushed(logger)
        assert (task["duration_ms"], tool["duration_ms"]) == (recorded, recorded)
        assert type(task["duration_ms"]) is int and type(tool["duration_ms"]) is int
        assert "given_duration_ms" not in tool
        assert warnings_logged == []

    def test_numpy_numbers_are_numbers(self, logger: SessionLogger) -> None:
        """Sizes and durations that come out of an array are recorded as what they are."""
        numpy = pytest.importorskip("numpy")
        logger.log_tool_call("t", {}, numpy.float64(2.6))
        logger.log_tool_call("t", {}, numpy.int64(7))
        logger.log_file_read("a", numpy.int64(5))
        lines = flushed(logger)
        assert (lines[0]["duration_ms"], lines[1]["duration_ms"], lines[2]["size_bytes"]) == (3, 7, 5)

    @pytest.mark.parametrize("given", [2**70, 1e300], ids=repr)
    def test_enormous_duration_does_not_raise(self, logger: SessionLogger, given: float) -> None:
        """What 64 bits cannot hold is still one line that can be read."""
        logger.log_tool_call("t", {}, given)
        assert last(logger)["name"] == "t"
        assert len(logger.events) == 1


def _same(recorded: Any, kept: Any) -> bool:
    if isinstance(kept, str):
        return isinstance(recorded, str) and kept in recorded.lower().replace("infinity", "inf")
    return type(recorded) is type(kept) and recorded == kept


class TestDataclasses:
    """The five dataclasses keep their names and order; what is new comes after, with defaults."""

    @pytest.mark.parametrize(
        ("kind", "names"),
        [
            (TaskEvent, ["name", "start_time", "end_time", "metadata"]),
            (FileEvent, ["path", "operation", "size_bytes", "lines"]),
            (ToolEvent, ["name", "params", "duration_ms"]),
            (
                SessionSummary,
                ["total_duration_ms", "tasks_completed", "files_read", "files_written", "tool_calls_count", "velocity"],
            ),
            (SessionAnalysis, ["task_breakdown", "bottlenecks", "velocity_metrics", "file_operation_stats"]),
        ],
    )
    def test_original_fields_come_first(self, kind: type, names: list[str]) -> None:
        """In positional arguments, in `fields`, in `asdict` and in the repr."""
        fields = dataclasses.fields(kind)
        value = kind(*range(len(names)))
        assert [getattr(value, name) for name in names] == list(range(len(names)))
        assert [field.name for field in fields[: len(names)]] == names
        assert list(dataclasses.asdict(value))[: len(names)] == names
        assert repr(value).startswith(f"{kind.__name__}({names[0]}=0, ")

    def test_defaults_are_the_original_ones(self) -> None:
        """What may be left out, and what it is then."""
        assert TaskEvent("a", 1.0) == TaskEvent("a", 1.0, None, {})
        assert FileEvent("a", "read") == FileEvent("a", "read", None, None)
        first, second = TaskEvent("a", 1.0), TaskEvent("a", 1.0)
        first.metadata["x"] = 1
        assert second.metadata == {}

    def test_what_is_new_takes_no_part_in_comparisons(self) -> None:
        """An event read back equals one made by hand."""
        assert FileEvent("a", "read", seq=5) == FileEvent("a", "read")


class TestCompatibility:
    """What a caller of the original module relies on, who knows nothing of the rest."""

    @pytest.mark.parametrize(
        ("method", "parameters"),
        [
            ("__init__", ["self", "agent_id", "session_id"]),
            ("log_task_start", ["self", "task_name", "metadata"]),
            ("log_task_complete", ["self", "task_name", "duration_ms", "metadata"]),
            ("log_file_read", ["self", "path", "size_bytes"]),
            ("log_file_write", ["self", "path", "size_bytes", "lines"]),
            ("log_tool_call", ["self", "tool_name", "params", "duration_ms"]),
            ("get_session_summary", ["self"]),
            ("save_session", ["self", "output_dir"]),
        ],
    )
    def test_arguments_have_their_names_and_order(self, method: str, parameters: list[str]) -> None:
        """Positional and keyword calls both go on working; anything new comes after and may be left out."""
        signature = inspect.signature(getattr(SessionLogger, method))
        names = list(signature.parameters)
        assert names[: len(parameters)] == parameters
        assert all(signature.parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for name in parameters)
        new = [parameter for name, parameter in signature.parameters.items() if name not in parameters]
        assert all(each.default is not each.empty or each.kind is each.VAR_KEYWORD for each in new)

    def test_documented_names_are_there(self) -> None:
        """The module exports what it always did, and the package the same objects."""
        assert session_logger.logger.name == "deia.services.session_logger"
        assert deia.SessionLogger is SessionLogger
        for name in ("TaskEvent", "FileEvent", "ToolEvent", "SessionSummary", "SessionAnalysis"):
            assert dataclasses.is_dataclass(getattr(session_logger, name))

    def test_quick_start_needs_no_directory_and_no_close(self, elsewhere: Path) -> None:
        """The documented use, from start to the analysis, in an empty directory."""
        logger = SessionLogger("AGENT-004")
        logger.log_task_start("write_tests", {"priority": "P1"})
        logger.log_file_read("/tests/test_logger.py", 4096)
        logger.log_tool_call("pytest", {"path": "tests/"}, 2500)
        logger.log_file_write("/tests/test_logger.py", 8192, 120)
        logger.log_task_complete("write_tests", duration_ms=1_800_000, metadata={"passed": 12})
        summary = logger.get_session_summary()
        assert (summary.tasks_completed, summary.files_read, summary.files_written) == (1, 1, 1)
        path = logger.save_session(Path(".deia/sessions"))
        assert path.name == f"AGENT-004_{logger.session_id}.jsonl"
        assert path.exists()
        analysis = logger.analyze_session(path)
        assert analysis.task_breakdown == {"write_tests": 1_800_000}
        assert analysis.bottlenecks == ["write_tests"]
        assert analysis.file_operation_stats.get("read", 0) == 1
        assert analysis.velocity_metrics["tasks_per_hour"] == pytest.approx(2.0)

    def test_two_events_are_two_lines(self, logger: SessionLogger, tmp_path: Path) -> None:
        """There is no header: a saved file has one JSON object for each logged event."""
        logger.log_file_read("/a.py", 1)
        logger.log_tool_call("ls", {}, 5)
        lines = logger.save_session(tmp_path / "out").read_text().strip().split("\n")
        assert len(lines) == 2
        assert json.loads(lines[0])["path"] == "/a.py"
        assert json.loads(lines[1])["name"] == "ls"

    def test_orphan_warning_can_be_asserted_on_a_mock(
        self, logger: SessionLogger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Tests of callers replace the module's `logger` and look at what `warning` was called with."""
        mock = Mock()
        monkeypatch.setattr("deia.services.session_logger.logger", mock)
        logger.log_task_complete("unknown_task")
        mock.warning.assert_called_once_with(ORPHAN_WARNING.format("unknown_task"))
        assert logger.events == []

    def test_importing_configures_no_logging(self, tmp_path: Path) -> None:
        """A library leaves levels and handlers to the application."""
        script = """
import logging
before = (list(logging.root.handlers), logging.root.level)
import deia, deia.services.session_logger as module
assert (list(logging.root.handlers), logging.root.level) == before
assert isinstance(module.logger, logging.Logger)
assert module.logger.level == logging.NOTSET and module.logger.propagate
"""
        run(script, cwd=tmp_path)

    def test_events_list_is_used_as_such(self, logger: SessionLogger) -> None:
        """`len`, indexing and `isinstance` work on it at any time."""
        assert len(logger.events) == 0
        logger.log_task_start("a")
        assert isinstance(logger.events, list)
        assert len(logger.events) == 1
        task = logger.events[0]
        assert isinstance(task, TaskEvent) and task.end_time is None
        logger.log_task_complete("a")
        logger.log_file_read("b")
        assert len(logger.events) == 2

    def test_missing_file_is_the_usual_error(self, logger: SessionLogger, tmp_path: Path) -> None:
        """Analysing what is not there raises `FileNotFoundError`."""
        with pytest.raises(FileNotFoundError):
            logger.analyze_session(tmp_path / "missing.jsonl")
