"""Going on in another file is interrupted at each of its calls to the system: by death, by an error, by a log call."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.causes import CAUSES
from support.effort import FULL
from support.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process for each step is forked")


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A directory whose fsync takes no time, where there is one: only processes die here, hundreds of them."""
    if not os.path.isdir("/dev/shm"):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="deia-tests-") as directory:
        yield Path(directory)


STEPS = f"""
import errno, os, shutil, sys, traceback, warnings
sys.path[:0] = [{str(Path(__file__).parents[1])!r}]
from pathlib import Path
import deia.bus.consumer, deia.analysis  # before any fork
from deia import FileEvent, SessionLogger, read_events, system
from deia.journal.check import check
from support.causes import CAUSES, OPTIONS
from support.lines import assert_sound
warnings.simplefilter("ignore")
root, cause, mode, how = Path(sys.argv[1]), *sys.argv[2:]
CALLS = ("open_new", "open_or_create", "open_existing", "pread", "pwrite", "ftruncate", "unlink", "rename", "link",
         "sync", "sync_directory", "lock", "map_shared", "make_directory", "lstat", "fstat", "close", "list_directory")
KEPT = ("size", "sync-failed", "truncated")  # causes that take nothing by themselves

class Steps:
    def __init__(self, at, act):
        self.at, self.act, self.count = at, act, 0
        for name in CALLS:
            setattr(system, name, self.wrap(getattr(system, name)))

    def wrap(self, real):
        def step(*arguments, **named):
            if self.armed:
                self.count += 1
                if self.count == self.at:
                    self.act()
            return real(*arguments, **named)
        return step

    armed = False

def numbers(path):
    return [int(event.path.split()[0]) for event in read_events(path) if isinstance(event, FileEvent)]

def in_child(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = work() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

def options(directory):
    ours = dict(queue_mode=mode, output_dir=directory, flush_interval_s=60, sync_interval_s=60)
    return {{**OPTIONS.get(cause, {{}}), **ours}}

def interrupted(directory, at):
    logger = SessionLogger("agent", "s", **options(directory))
    nested = []
    def act():
        if how.startswith("nested"):
            steps.armed = False
            logger.log_file_read("120 nested")
            nested.append(1)
            steps.armed = True
        if how == "error":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if how.endswith("death"):
            os._exit(9 if not nested else 10)
    steps = Steps(at, act)
    for number in range(60):
        logger.log_file_read(f"{{number}} {{'x' * 600}}")
    logger.flush()
    CAUSES[cause](logger.path)
    session = logger._session
    for number in range(60, 120):
        if number == 100 and cause == "size":
            session.writer.drain()
        logger.log_file_read(f"{{number}} {{'x' * 600}}")
    steps.armed = True  # and go on, on this thread, so that each run takes the same steps
    if cause == "sync-failed":
        session.writer.sync()
    session.segments.go_on(urgent=True)
    steps.armed = False
    if steps.count < at:
        return 2
    if not nested:
        logger.log_file_read("120 later")
    logger.log_file_read("121")
    logger.flush()
    assert numbers(logger.path) == list(range(122)), numbers(logger.path)
    logger.close()
    assert numbers(logger.path) == list(range(122))
    return 0

def verify(directory, death):
    path = directory / "agent_s.jsonl"
    owed = list(range({{0: 122, 9: 120, 10: 121}}[death]))
    switched = path.with_name("agent_s.2.jsonl").exists() or death == 0
    def look():
        found = numbers(path) if path.exists() or switched else []
        assert found == owed[: len(found)], found
        if cause in KEPT or switched:
            assert found == owed, found
            assert check(path).ok, check(path)
        return len(found)
    look()
    with SessionLogger("agent", "s", **options(directory)) as again:
        again.open()
        found = look()
        again.log_file_read(f"{{found}}")
    owed.insert(found, found)
    del owed[found + 1 :]
    assert numbers(path) == owed
    assert_sound(path)
    for name in os.listdir(directory):
        assert not name.endswith(".new") and not name.endswith(".queue"), os.listdir(directory)
    return 0

import deia
at = 0
while True:
    at += 1
    directory = root / str(at) / "sessions"
    directory.mkdir(parents=True)
    death = in_child(lambda: interrupted(directory, at))
    if death == 2:
        break
    assert death in (0, 9, 10), f"step {{at}}"
    assert in_child(lambda: verify(directory, death)) == 0, f"step {{at}}, {{death}}: {{os.listdir(directory.parent)}}"
    shutil.rmtree(directory.parent)
print(at - 1)
"""


IN_SHORT = {"size", "sync-failed", "deleted", "directory-removed"}
"""The causes that are tried by default, in mode `mmap`: their steps are those of all others."""


@pytest.mark.parametrize("how", ["death", "error", "nested", "nested-death"])
@pytest.mark.parametrize("mode", ["mmap", "write"] if FULL else ["mmap"])
@pytest.mark.parametrize("cause", [cause for cause in CAUSES if FULL or cause in IN_SHORT])
def test_switch_that_is_interrupted_at_any_step_loses_nothing_and_shows_nothing_twice(
    tmp_path: Path, memory_path: Path, cause: str, mode: str, how: str
) -> None:
    """The session is read, checked, opened again, written to and checked again after each."""
    if cause == "truncated" and mode == "write":
        pytest.skip("without a ring what a file is cut of is gone")
    steps = int(run(STEPS, memory_path / "steps", cause, mode, how, cwd=tmp_path))
    assert steps > 15, "the steps were found"
