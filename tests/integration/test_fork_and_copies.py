"""A session belongs to the process that made its logger, and to one logger of it at a time."""

from __future__ import annotations

import copy
import gc
import json
import os
import pickle
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import AsyncSessionLogger, SessionLogger, read_events
from deia.errors import ForeignJournalError, SessionLockedError
from deia.events import FileEvent, SessionEvent, TaskEvent
from support.lines import assert_gapless, assert_sound, lines_of
from support.processes import kill_after, run, start
from support.waiting import eventually

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")

PARENT = """
import json, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: what this test is about
from deia import SessionLogger
logger = SessionLogger("agent", "parent", output_dir=sys.argv[1])
logger.log_task_start("outer")
logger.log_file_read("parent's")

def fork(child):
    pid = os.fork()
    if pid == 0:
        child()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0

def child_logs():
    summary = logger.get_session_summary()
    report = {
        "session_id": logger.session_id, "path": str(logger.path), "events": len(logger.events),
        "counts": [summary.tasks_completed, summary.files_read, summary.files_written, summary.tool_calls_count],
    }
    logger.log_file_write("child's", 1)
    logger.log_task_complete("outer")
    print(json.dumps(report), flush=True)

def child_logs_and_ends():  # `sys.exit` in a thread ends the thread alone
    child_logs()
    logger.close()
    os._exit(0)
"""


def only_other_journal(directory: Path) -> Path:
    """Return the one journal that is not the parent's."""
    (path,) = (path for path in directory.glob("*.jsonl") if path.name != "agent_parent.jsonl")
    return path


@needs_fork
@pytest.mark.parametrize(
    "fork",
    [
        "fork(child_logs)",
        "thread = threading.Thread(target=fork, args=(child_logs_and_ends,)); thread.start(); thread.join()",
        "logger.flush(); fork(child_logs)",
        "fork(lambda: fork(child_logs))",
    ],
    ids=["from the main thread", "from another thread", "after a flush", "grandchild"],
)
def test_forked_logger_is_a_session_of_its_own(tmp_path: Path, fork: str) -> None:
    """The child's logger has a new session id, zero counters and no open tasks, and its first line names its parent."""
    out = run(PARENT + fork + "\nlogger.log_task_complete('outer')", tmp_path, cwd=tmp_path)
    report = json.loads(out)
    assert report["session_id"] != "parent"
    assert (report["events"], report["counts"]) == (0, [0, 0, 0, 0])
    path = only_other_journal(tmp_path)
    assert path == Path(report["path"])
    first, second = lines_of(path)
    assert (first["path"], first["seq"], first["task_id"]) == ("child's", 1, None)
    assert first["session_id"] == report["session_id"]
    assert list(first)[-5:] == ["v", "session_start", "parent_session_id", "trace_id", "parent_span_id"]
    assert (first["parent_session_id"] == "parent") == ("lambda" not in fork), "a grandchild names the child"
    assert (second["orphan"], second["task_id"]) == (True, None)
    lines = lines_of(tmp_path / "agent_parent.jsonl")
    assert [(line["seq"], line["session_id"]) for line in lines] == [(1, "parent"), (2, "parent"), (3, "parent")]
    assert lines[-1]["end_time"] is not None and "orphan" not in lines[-1]
    assert_sound(path)
    assert_sound(tmp_path / "agent_parent.jsonl")


@needs_fork
@pytest.mark.parametrize(
    "end", ["sys.exit(0)", "logger.close(); sys.exit(0)", "del logger; gc.collect(); sys.exit(0)", "os._exit(0)"]
)
def test_child_that_logs_nothing_leaves_its_parents_session_alone(tmp_path: Path, end: str) -> None:
    """Inherited exit handlers and finalizers do nothing in a child: it writes, locks, closes and removes no file."""
    script = (
        PARENT
        + f"""
import gc
def listing():
    return sorted((name, os.stat(os.path.join(sys.argv[1], name)).st_ino) for name in os.listdir(sys.argv[1]))
logger.open()
before = listing()
pid = os.fork()
if pid == 0:
    {end}
assert os.waitpid(pid, 0)[1] == 0
assert listing() == before, listing()
logger.log_file_read("later")
assert logger.statistics().mode in ("mmap", "write")
"""
    )
    run(script, tmp_path, cwd=tmp_path)
    assert [line["seq"] for line in lines_of(tmp_path / "agent_parent.jsonl")] == [1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["agent_parent.jsonl", "script.py"]
    assert_sound(tmp_path / "agent_parent.jsonl")


@needs_fork
def test_parent_and_children_record_at_the_same_time(tmp_path: Path) -> None:
    """Each process writes its own file, however much is under way when it is made."""
    script = """
import os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from deia import SessionLogger
logger = SessionLogger("agent", "parent", output_dir=sys.argv[1], queue_bytes=65536)
stop, busy = threading.Event(), threading.Event()
def work():
    while not stop.is_set():
        logger.log_tool_call("thread", {"pad": "x" * 500}, 1)
        busy.set()
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
busy.wait()
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        for number in range(200):
            logger.log_tool_call("child", {"pad": "x" * 500}, number)
        logger.close()
        os._exit(0)
    children.append(pid)
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0, 0]
stop.set()
for thread in threads:
    thread.join()
logger.close()
"""
    run(script, tmp_path, cwd=tmp_path)
    journals = list(tmp_path.glob("*.jsonl"))
    assert len(journals) == 5
    for path in journals:
        lines = lines_of(path)
        assert len({line["session_id"] for line in lines}) == 1
        if path.name != "agent_parent.jsonl":
            assert [line["duration_ms"] for line in lines] == list(range(200))
            assert lines[0]["parent_session_id"] == "parent"
        assert_sound(path)


@needs_fork
def test_child_forked_while_the_background_starts_can_drain(tmp_path: Path) -> None:
    """A child made while the parent's background thread imports what it needs is not left with that import's locks."""
    script = """
import importlib.abc, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from deia import SessionLogger

importing, forked = threading.Event(), threading.Event()
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("anyio", "aiofiles") and not importing.is_set():
            importing.set()
            forked.wait(0.5)  # not for ever: the fork may well wait for the import
sys.meta_path.insert(0, Slow())

logger = SessionLogger("agent", "parent", output_dir=sys.argv[1], queue_bytes=65536)
logger.log_file_read("a")
assert importing.wait(20)
pid = os.fork()
if pid == 0:
    for number in range(1000):
        logger.log_tool_call("child", {"pad": "x" * 500}, number)
    assert logger.statistics().dropped == 0
    logger.flush()
    logger.close()
    os._exit(0)
forked.set()
assert os.waitpid(pid, 0)[1] == 0
logger.close()
"""
    run(script, tmp_path, cwd=tmp_path)
    assert len(lines_of(only_other_journal(tmp_path))) == 1000
    assert_sound(tmp_path / "agent_parent.jsonl")


@pytest.mark.parametrize(
    "method", [pytest.param("fork", marks=needs_fork), "spawn", pytest.param("forkserver", marks=needs_fork)]
)
def test_logger_may_be_handed_to_multiprocessing(tmp_path: Path, method: str) -> None:
    """Under every start method the worker records a session of its own that names its parent."""
    script = """
import multiprocessing, sys, warnings
from deia import SessionLogger

def work(logger, number):
    logger.log_tool_call("worker", {}, number)

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    logger = SessionLogger("agent", "parent", output_dir=sys.argv[1])
    logger.log_file_read("before")
    context = multiprocessing.get_context(sys.argv[2])
    workers = [context.Process(target=work, args=(logger, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0, worker.exitcode
    logger.log_file_read("after")
"""
    run(script, tmp_path, method, cwd=tmp_path)
    journals = sorted(tmp_path.glob("*.jsonl"))
    assert len(journals) == 3
    workers = []
    for path in journals:
        events = list(read_events(path))
        if path.name == "agent_parent.jsonl":
            assert [event.path for event in events if isinstance(event, FileEvent)] == ["before", "after"]
        else:
            (line,) = _lines_after_recovery(path)
            assert line["parent_session_id"] == "parent"
            workers.append(line["duration_ms"])
        assert_gapless(path)
    assert sorted(workers) == [0, 1]


def _lines_after_recovery(path: Path) -> list[dict[str, Any]]:
    """Multiprocessing ends its workers by `os._exit`: their last lines may still be in the queue file."""
    from deia.journal.recovery import recover

    recover(path)
    return lines_of(path)


COPIES: list[Any] = [
    pytest.param(lambda logger: pickle.loads(pickle.dumps(logger)), id="pickle"),
    pytest.param(lambda logger: pickle.loads(pickle.dumps(logger, 2)), id="pickle, old protocol"),
    pytest.param(copy.deepcopy, id="deepcopy"),
]


@pytest.mark.parametrize("duplicate", COPIES)
@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
def test_copy_of_a_logger_is_a_session_of_its_own(
    tmp_path: Path, duplicate: Callable[[SessionLogger], SessionLogger], used: bool, warnings_logged: list[str]
) -> None:
    """A copy has the agent, the directory and the options, a new session id, zero counters and no open tasks."""
    with SessionLogger("agent", "parent", output_dir=tmp_path, flush_interval_s=0.01, queue_mode="write") as logger:
        if used:
            logger.log_task_start("outer")
            logger.log_file_read("a")
        with duplicate(logger) as other:
            assert (other.agent_id, other.path.parent) == ("agent", tmp_path)
            assert other.session_id not in ("parent", "")
            assert other.events == []
            assert other.get_session_summary().files_read == 0
            other.log_file_write("b", 1)
            assert other.statistics().mode == "write"
            other.log_task_complete("outer")
        assert len(warnings_logged) == 1
        first, second = lines_of(other.path)
        assert (first["seq"], first["task_id"], first["parent_session_id"]) == (1, None, "parent")
        assert "parent_session_id" not in second
        logger.log_file_read("c")
    assert [line["seq"] for line in lines_of(logger.path)] == list(range(1, 4 if used else 2))
    assert all("parent_session_id" not in line for line in lines_of(logger.path))
    assert_sound(other.path)


@pytest.mark.parametrize("duplicate", COPIES)
def test_copies_of_one_logger_are_sessions_of_their_own(
    tmp_path: Path, duplicate: Callable[[SessionLogger], SessionLogger]
) -> None:
    """Two copies do not meet in one file, and a copy names the one it was made of."""
    logger = SessionLogger("agent", "parent", output_dir=tmp_path)
    first, second = duplicate(logger), duplicate(logger)
    third = duplicate(first)
    assert len({each.session_id for each in (logger, first, second, third)}) == 4
    third.log_file_read("a")
    third.close()
    assert lines_of(third.path)[0]["parent_session_id"] == first.session_id


@pytest.mark.anyio
@pytest.mark.parametrize("duplicate", COPIES)
async def test_copy_of_an_async_logger_is_a_session_of_its_own(tmp_path: Path, duplicate: Callable[[Any], Any]) -> None:
    """The same holds for the async logger."""
    async with AsyncSessionLogger("agent", "parent", output_dir=tmp_path) as logger:
        await logger.log_file_read("a")
        async with duplicate(logger) as other:
            assert isinstance(other, AsyncSessionLogger)
            await other.log_file_read("b")
        (line,) = lines_of(other.path)
        assert (line["path"], line["parent_session_id"]) == ("b", "parent")
    assert len(lines_of(logger.path)) == 1


@pytest.mark.parametrize("times", [1, 1000])
def test_logger_that_becomes_garbage_is_drained_and_closed(tmp_path: Path, times: int) -> None:
    """Dropping the last reference writes what is queued, removes the queue file and gives the session free."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=3600)
    for _ in range(times):
        logger.log_file_read("a")
    gone = weakref.ref(logger)
    del logger
    gc.collect()
    assert gone() is None
    eventually(lambda: os.listdir(tmp_path) == ["agent_s.jsonl"], "the queue file to go")
    assert len(lines_of(tmp_path / "agent_s.jsonl")) == times
    assert_sound(tmp_path / "agent_s.jsonl")


@pytest.mark.anyio
async def test_async_logger_that_becomes_garbage_is_drained_and_closed(tmp_path: Path) -> None:
    """Forgetting to close loses nothing."""
    logger = AsyncSessionLogger("agent", "s", output_dir=tmp_path)
    await logger.log_file_read("a")
    del logger
    gc.collect()
    eventually(lambda: os.listdir(tmp_path) == ["agent_s.jsonl"], "the queue file to go")
    assert len(lines_of(tmp_path / "agent_s.jsonl")) == 1


def test_logger_in_a_cycle_becomes_garbage_too(tmp_path: Path) -> None:
    """An agent that holds its logger and is held by it is collected with it."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    agent: dict[str, Any] = {"logger": logger}
    agent["self"] = agent
    logger.log_file_read("a")
    del logger, agent
    gc.collect()
    eventually(lambda: os.listdir(tmp_path) == ["agent_s.jsonl"], "the queue file to go")


def test_second_logger_of_one_process_is_locked_out(tmp_path: Path) -> None:
    """An open session has one logger; the other's first event raises, and changes no byte and no file."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as owner:
        owner.log_file_read("a")
        owner.flush()
        before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()}
        other = SessionLogger("agent", "s", output_dir=tmp_path)
        for attempt in (lambda: other.log_file_read("b"), other.open, lambda: other.log_task_start("b")):
            with pytest.raises(SessionLockedError) as caught:
                attempt()
            assert Path(caught.value.path).parent == tmp_path
            assert caught.value.pid == os.getpid()
        assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in tmp_path.iterdir()} == before
        owner.log_file_read("c")
        assert owner.statistics().locked is True
    assert [line["path"] for line in lines_of(owner.path)] == ["a", "c"]


def test_logger_that_was_locked_out_may_go_on_when_the_owner_has_closed(tmp_path: Path) -> None:
    """Nothing of the refused event was kept; the next one opens the session again."""
    owner, other = (SessionLogger("agent", "s", output_dir=tmp_path) for _ in range(2))
    owner.log_file_read("a")
    with pytest.raises(SessionLockedError):
        other.log_file_read("refused")
    owner.close()
    other.log_file_read("b")
    other.close()
    assert [line["path"] for line in lines_of(owner.path) if line["type"] == "FileEvent"] == ["a", "b"]
    assert_sound(owner.path)


def test_second_process_is_locked_out_until_the_first_dies(tmp_path: Path) -> None:
    """The lock is the process's: it keeps others out, tells who holds it, and dies with its holder."""
    script = """
import os, sys, threading
from deia import SessionLogger
logger = SessionLogger("agent", "s", output_dir=sys.argv[1])
logger.log_file_read("a")
os.write(1, b"%d\\n" % os.getpid())
threading.Event().wait()
"""
    child = start(script, tmp_path, cwd=tmp_path)
    assert child.stdout is not None
    pid = int(child.stdout.readline())
    path = tmp_path / "agent_s.jsonl"
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    with pytest.raises(SessionLockedError) as caught:
        logger.log_file_read("b")
    assert caught.value.pid == pid == child.pid
    assert [event.path for event in read_events(path) if isinstance(event, FileEvent)] == ["a"]
    kill_after(child, 0)
    logger.log_file_read("b")
    logger.close()
    assert [line["path"] for line in lines_of(path) if line["type"] == "FileEvent"] == ["a", "b"]
    assert_sound(path)


class TestReopening:
    """The same session opened again later is continued."""

    def test_seq_counters_and_open_tasks_go_on(self, tmp_path: Path, warnings_logged: list[str]) -> None:
        """The second run begins with a SessionEvent and knows everything that the first one did."""
        with SessionLogger("agent", "s", output_dir=tmp_path) as first:
            first.log_task_start("open", {"run": 1})
            first.log_file_read("a")
            first.log_tool_call("t", {}, 1)
            first.log_task_start("done")
            first.log_task_complete("done")
        with SessionLogger("agent", "s", output_dir=tmp_path) as second:
            second.log_task_complete("open", metadata={"end": 2})
            second.log_file_read("b")
            summary = second.get_session_summary()
            events = second.events
        counts = (summary.tasks_completed, summary.files_read, summary.files_written, summary.tool_calls_count)
        assert counts == (2, 2, 0, 1)
        assert warnings_logged == []
        lines = lines_of(first.path)
        assert [line["seq"] for line in lines] == list(range(1, 9))
        assert list(lines[5]) == [
            "type", "event", "run", "session_start", "recovered_bytes", "lost_bytes", "seq", "timestamp", "agent_id",
            "session_id", "v",
        ]  # fmt: skip
        told = (lines[5]["type"], lines[5]["event"], lines[5]["run"], lines[5]["session_start"])
        assert told == ("SessionEvent", "continued", 2, second.start_time)
        assert (lines[5]["recovered_bytes"], lines[5]["lost_bytes"]) == (0, 0)
        assert (lines[6]["name"], lines[6]["task_id"], lines[6]["start_time"]) == ("open", 1, lines[0]["start_time"])
        assert lines[6]["metadata"] == {"run": 1, "end": 2}
        assert [type(event).__name__ for event in events] == [
            "TaskEvent",
            "FileEvent",
            "ToolEvent",
            "TaskEvent",
            "FileEvent",
        ]
        assert isinstance(events[0], TaskEvent) and events[0].metadata == {"run": 1, "end": 2}
        assert_sound(first.path)

    def test_time_of_earlier_runs_is_counted(self, tmp_path: Path) -> None:
        """Total time is the time recorded: that of the earlier runs and that of this one, without the time between."""
        with SessionLogger("agent", "s", output_dir=tmp_path) as first:
            first.log_file_read("a")
        lines = lines_of(first.path)
        lines[0]["session_start"] -= 1000
        first.path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
        with SessionLogger("agent", "s", output_dir=tmp_path) as second:
            second.log_file_read("b")
            assert 1_000_000 <= second.get_session_summary().total_duration_ms < 1_100_000

    def test_events_do_not_belong_to_tasks_of_an_earlier_run(self, tmp_path: Path) -> None:
        """An open task goes on, but no context of this process is inside it."""
        with SessionLogger("agent", "s", output_dir=tmp_path) as first:
            first.log_task_start("open")
        with SessionLogger("agent", "s", output_dir=tmp_path) as second:
            second.log_file_read("b")
        assert lines_of(first.path)[-1]["task_id"] is None

    def test_bytes_of_a_killed_run_are_recovered_and_told(self, tmp_path: Path) -> None:
        """What was only in the queue file is in the journal after the next run began, which says how much it was."""
        script = """
import os, sys
from deia import SessionLogger
logger = SessionLogger("agent", "s", output_dir=sys.argv[1], flush_interval_s=3600)
for number in range(10):
    logger.log_file_read(f"{number}")
os._exit(0)
"""
        run(script, tmp_path, cwd=tmp_path)
        path = tmp_path / "agent_s.jsonl"
        before = path.stat().st_size
        with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
            logger.log_file_read("next")
        data = path.read_bytes()
        recovered = len(b"".join(data.splitlines(keepends=True)[:10])) - before
        (event,) = (event for event in read_events(path) if isinstance(event, SessionEvent))
        assert (event.run, event.recovered_bytes, event.lost_bytes) == (2, recovered, 0)
        assert_sound(path)

    def test_torn_end_is_cut_and_told(self, tmp_path: Path) -> None:
        """Bytes after the last newline were never a line; the next run says how many they were."""
        with SessionLogger("agent", "s", output_dir=tmp_path) as first:
            first.log_file_read("a")
        torn = b'{"type":"FileEvent","path":"b","oper'
        with first.path.open("ab") as file:
            file.write(torn)
        with SessionLogger("agent", "s", output_dir=tmp_path) as second:
            second.log_file_read("c")
        lines = lines_of(first.path)
        assert [line.get("path") for line in lines] == ["a", None, "c"]
        assert (lines[1]["recovered_bytes"], lines[1]["lost_bytes"]) == (0, len(torn))
        assert_sound(first.path)

    def test_each_run_is_numbered(self, tmp_path: Path) -> None:
        """The third run is run 3."""
        for _ in range(4):
            with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
                logger.log_file_read("a")
                run_number = logger.statistics().run
        assert run_number == 4
        events = list(read_events(logger.path))
        assert [event.run for event in events if isinstance(event, SessionEvent)] == [2, 3, 4]
        assert_sound(logger.path)

    def test_opening_without_logging_begins_no_run(self, tmp_path: Path) -> None:
        """A logger that is made for a finished session, and asked nothing but its names, leaves the file as it is."""
        with SessionLogger("agent", "s", output_dir=tmp_path) as first:
            first.log_file_read("a")
        before = first.path.read_bytes()
        with SessionLogger("agent", "s", output_dir=tmp_path) as second:
            assert second.path == first.path
        assert first.path.read_bytes() == before


class TestForeignFiles:
    """A file that is not this session's is refused and left as it is."""

    def test_journal_of_another_agent_is_refused(self, tmp_path: Path) -> None:
        """Names that meet in one file name are told apart by the first line."""
        with SessionLogger("a_b", "c", output_dir=tmp_path) as first:
            first.log_file_read("a")
        before = first.path.read_bytes()
        other = SessionLogger("a", "b_c", output_dir=tmp_path)
        assert other.path == first.path
        with pytest.raises(ForeignJournalError) as caught:
            other.open()
        assert Path(caught.value.path) == first.path
        assert first.path.read_bytes() == before
        assert os.listdir(tmp_path) == [first.path.name], "no queue file is left behind"

    def test_refused_logger_still_does_not_write_to_it(self, tmp_path: Path) -> None:
        """Whatever is logged after the refusal, the other session's file does not change."""
        with SessionLogger("a_b", "c", output_dir=tmp_path) as first:
            first.log_file_read("a")
        before = first.path.read_bytes()
        other = SessionLogger("a", "b_c", output_dir=tmp_path)
        for _ in range(2):
            with pytest.raises(ForeignJournalError):
                other.log_file_read("b")
        other.close()
        assert first.path.read_bytes() == before

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
    @pytest.mark.parametrize("name", ["agent_s.jsonl", ".agent_s.queue"])
    @pytest.mark.parametrize("dangling", [False, True], ids=["to a file", "dangling"])
    def test_symbolic_link_at_our_name_is_refused(self, tmp_path: Path, name: str, dangling: bool) -> None:
        """A link that lies at a file name of ours is not followed, and what it leads to is neither made nor changed."""
        target = tmp_path / "target"
        if not dangling:
            target.write_bytes(b"precious\n")
        sessions = tmp_path / "sessions"
        sessions.mkdir()
        (sessions / name).symlink_to(target)
        logger = SessionLogger("agent", "s", output_dir=sessions)
        for attempt in (logger.open, lambda: logger.log_file_read("a")):
            with pytest.raises(ForeignJournalError, match="link"):
                attempt()
        assert (sessions / name).is_symlink()
        assert not target.exists() if dangling else target.read_bytes() == b"precious\n"

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
    def test_directory_may_be_a_link(self, tmp_path: Path) -> None:
        """Only our own file names must not be links; where a user keeps the directory is theirs to say."""
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real")
        with SessionLogger("agent", "s", output_dir=tmp_path / "link") as logger:
            logger.log_file_read("a")
        assert len(lines_of(tmp_path / "real" / "agent_s.jsonl")) == 1
