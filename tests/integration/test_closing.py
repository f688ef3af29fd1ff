"""What `close` does where it is not alone, and where the system does not let it."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deia import SessionLogger, read_events, system
from deia.errors import DeiaError, LoggerClosedError
from deia.events import FileEvent
from support.held_writer import HeldWriter
from support.lines import assert_sound, lines_of
from support.processes import run
from support.waiting import PATIENCE_S, Worker, eventually


def paths_read(journal: Path) -> list[str]:
    """Return the paths of the session's file events, as our reader finds them."""
    return [event.path for event in read_events(journal) if isinstance(event, FileEvent)]


def test_queue_file_that_cannot_be_removed_does_not_keep_the_logger_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed is closed, with no bare error of the system; nothing is lost, and the session can be continued."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    logger.log_file_read("a")

    def refuse(path: str | os.PathLike[str]) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))

    with monkeypatch.context() as patch:
        patch.setattr(system, "unlink", refuse)
        with contextlib.suppress(DeiaError):
            logger.close()
        assert logger.statistics().mode == "closed"
        for _ in range(2):
            with pytest.raises(LoggerClosedError):
                logger.log_file_read("too late")
    assert paths_read(logger.path) == ["a"]
    with SessionLogger("agent", "s", output_dir=tmp_path) as again:
        again.log_file_read("b")
    assert paths_read(logger.path) == ["a", "b"]
    assert os.listdir(tmp_path) == ["agent_s.jsonl"]
    assert_sound(logger.path)


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_directory_that_was_replaced_keeps_the_queue_file_of_its_new_owner(tmp_path: Path) -> None:
    """A logger whose directory was removed under it removes nothing of the one that has made it anew."""
    directory = tmp_path / "sessions"
    first = SessionLogger("agent", "s", output_dir=directory)
    first.log_file_read("a")
    first.flush()
    shutil.rmtree(directory)
    second = SessionLogger("agent", "s", output_dir=directory, flush_interval_s=60)
    second.log_file_read("b")
    with contextlib.suppress(DeiaError):
        first.close()
    assert (directory / ".agent_s.queue").exists()
    assert paths_read(second.path) == ["b"]
    second.close()
    assert paths_read(second.path) == ["b"]
    assert_sound(second.path)


def test_close_from_many_threads_at_once_closes_once(tmp_path: Path) -> None:
    """Whoever comes second returns as if it had come first."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(25):
            logger = SessionLogger("agent", f"{number}", output_dir=tmp_path, queue_mode="write", sync_policy="never")
            logger.log_file_read("a")
            together = threading.Barrier(4)

            def close(logger: SessionLogger = logger, together: threading.Barrier = together) -> None:
                together.wait(PATIENCE_S)
                logger.close()

            for worker in [Worker(close) for _ in range(4)]:
                worker.finish()
            assert logger.statistics().mode == "closed"
            assert_sound(logger.path)
    finally:
        sys.setswitchinterval(before)


def test_close_while_another_close_is_under_way_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither raises, however long the disk takes to sync for the first."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_interval_s=60)
    logger.log_file_read("a")
    reached, go_on = threading.Event(), threading.Event()
    real = system.sync

    def slow(fd: int) -> None:
        reached.set()
        go_on.wait(PATIENCE_S)
        real(fd)

    monkeypatch.setattr(system, "sync", slow)
    workers = [Worker(logger.close) for _ in range(3)]
    assert reached.wait(PATIENCE_S)
    go_on.set()
    for worker in workers:
        worker.finish()
    assert os.listdir(tmp_path) == ["agent_s.jsonl"]
    assert_sound(logger.path)


def test_close_that_finds_the_queue_file_gone_by_another_close_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The second one looks where the files are while the first one removes them: that is no displaced session."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=60, sync_policy="never")
    logger.log_file_read("a")
    logger.flush()
    syncing, looking, removed, looked = (threading.Event() for _ in range(4))
    sync, lstat, unlink = system.sync, system.lstat, system.unlink

    def slow_sync(fd: int) -> None:
        sync(fd)
        if not syncing.is_set():
            syncing.set()
            looking.wait(PATIENCE_S)

    def slow_look(path: str | os.PathLike[str]) -> os.stat_result:
        if syncing.is_set() and not looking.is_set():
            looking.set()
            removed.wait(PATIENCE_S)
            try:
                return lstat(path)
            finally:
                threading.Timer(0.1, looked.set).start()
        return lstat(path)

    def slow_unlink(path: str | os.PathLike[str]) -> None:
        unlink(path)
        removed.set()
        looked.wait(PATIENCE_S)

    monkeypatch.setattr(system, "sync", slow_sync)
    monkeypatch.setattr(system, "lstat", slow_look)
    monkeypatch.setattr(system, "unlink", slow_unlink)
    first = Worker(logger.close)
    assert syncing.wait(PATIENCE_S)
    logger.close()
    first.finish()
    assert logger.statistics().mode == "closed"
    assert not caplog.records
    assert paths_read(logger.path) == ["a"]
    assert os.listdir(tmp_path) == ["agent_s.jsonl"]


def test_switch_that_begins_while_the_session_is_closed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The file was long enough, and the logger was closed before the next one was there: nobody has to hear of it."""
    logger = SessionLogger(
        "agent", "s", output_dir=tmp_path, flush_interval_s=60, sync_policy="never", max_segment_bytes=64 * 1024
    )
    logger.log_tool_call("long", {"text": "x" * 70_000}, 1)
    closing, switching, closed = (threading.Event() for _ in range(3))
    sync = system.sync

    def slow_sync(fd: int) -> None:
        sync(fd)
        if not closing.is_set():
            closing.set()
            switching.wait(PATIENCE_S)
        elif not switching.is_set():
            switching.set()
            closed.wait(PATIENCE_S)

    monkeypatch.setattr(system, "sync", slow_sync)
    logger._session.options = replace(logger._session.options, max_segment_bytes=None)  # no switch before that one
    closer = Worker(logger.close)
    assert closing.wait(PATIENCE_S)
    logger._session.options = replace(logger._session.options, max_segment_bytes=64 * 1024)
    worker = Worker(logger._session.segments.go_on)
    closer.finish()
    closed.set()
    worker.finish()
    assert switching.is_set()
    assert logger.statistics().error is None and not caplog.records
    assert os.listdir(tmp_path) == ["agent_s.jsonl"]


def test_forgotten_logger_is_closed_once_the_disk_recovers(tmp_path: Path, held_writer: HeldWriter) -> None:
    """A drain that failed when the logger became garbage is not the last: events and lock are not held for good."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=1.0)
    path = logger.path
    logger.log_file_read("a")
    logger.flush()
    held_writer.fail(lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    logger.log_file_read("b")
    del logger
    gc.collect()
    assert held_writer.reached.wait(PATIENCE_S)
    assert paths_read(path) == ["a", "b"]
    held_writer.release()
    eventually(lambda: os.listdir(tmp_path) == ["agent_s.jsonl"], "the session to be closed")
    assert [line["path"] for line in lines_of(path)] == ["a", "b"]
    with SessionLogger("agent", "s", output_dir=tmp_path) as again:
        again.log_file_read("c")
    assert paths_read(path) == ["a", "b", "c"]


FORK_AT_CLOSE = """
import gc, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads: what this test is about
from deia import SessionLogger, system
directory, ending = sys.argv[1:]
logger = SessionLogger("agent", "s", output_dir=directory, flush_interval_s=60)
logger.log_file_read("a")
logger.flush()
reached, go_on = threading.Event(), threading.Event()
real = system.sync

def slow(fd):
    reached.set()
    go_on.wait()
    real(fd)

system.sync = slow
thread = None
if ending == "closed":
    thread = threading.Thread(target=logger.close)
    thread.start()
del logger
gc.collect()
reached.wait()
pid = os.fork()
if pid == 0:
    held = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + number)
        except OSError:  # the one that lists them
            continue
        if target.startswith(directory + "/"):
            held.append(target)
    print(held, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
go_on.set()
if thread is not None:
    thread.join()
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this platform does not tell a process's descriptors")
@pytest.mark.parametrize("ending", ["closed", "forgotten"])
def test_forked_child_holds_nothing_of_a_session_that_was_closing(tmp_path: Path, ending: str) -> None:
    """Nor its lock: a child that lives on does not keep the session from being opened again."""
    directory = tmp_path / "sessions"
    assert run(FORK_AT_CLOSE, directory, ending, cwd=tmp_path) == "[]\n"
    assert os.listdir(directory) == ["agent_s.jsonl"]
    assert_sound(directory / "agent_s.jsonl")
