"""The exit of a program: it ends, and one session's trouble is no other's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import read_events
from support.lines import assert_sound, lines_of
from support.processes import run

FIRST_CALL_AT_THE_END = """
import sys
from deia import SessionLogger
logger = SessionLogger("agent", "s", output_dir=sys.argv[1])

class LogsAtTheEnd:
    def __init__(self, logger):
        self.logger = logger
        self.cycle = self  # so that only the interpreter's own last collection takes it

    def __del__(self):
        self.logger.log_file_read("the end")
        print("recorded", flush=True)

last = LogsAtTheEnd(logger)
"""


def test_first_log_call_in_a_destructor_at_finalisation_does_not_hang_the_exit(tmp_path: Path) -> None:
    """No thread that is started then ever runs; and what the call says it recorded is recorded."""
    directory = tmp_path / "sessions"
    out = run(FIRST_CALL_AT_THE_END, directory, cwd=tmp_path)
    recorded = [line["path"] for line in lines_of(directory / "agent_s.jsonl")] if out else []
    assert recorded == ["the end"] * bool(out)


ONE_IS_NOT_OURS = """
import sys
from pathlib import Path
from deia import SessionLogger
base, trouble = Path(sys.argv[1]), sys.argv[2]
directory = base / "troubled"
directory.write_text("in the way")
troubled = SessionLogger("agent", "s", output_dir=directory)
troubled.log_file_read("kept in memory")
healthy = SessionLogger("agent", "healthy", output_dir=base / "healthy")
for number in range(5):
    healthy.log_file_read(str(number))
directory.unlink()
directory.mkdir()
if trouble == "locked":
    other = SessionLogger("agent", "s", output_dir=directory)
    other.log_file_read("another's")
else:
    (directory / "agent_s.jsonl").write_text('{"agent_id":"another","v":1,"seq":1}\\n')
"""


@pytest.mark.parametrize("trouble", ["locked", "foreign"])
def test_session_that_turns_out_not_to_be_ours_leaves_the_others_their_last_drain(tmp_path: Path, trouble: str) -> None:
    """A file found locked, or foreign, when the interpreter exits concerns its own session alone."""
    run(ONE_IS_NOT_OURS, tmp_path, trouble, cwd=tmp_path)
    assert os.listdir(tmp_path / "healthy") == ["agent_healthy.jsonl"]
    journal = tmp_path / "healthy" / "agent_healthy.jsonl"
    assert [line["path"] for line in lines_of(journal)] == ["0", "1", "2", "3", "4"]
    assert_sound(journal)
    other = (tmp_path / "troubled" / "agent_s.jsonl").read_text(encoding="utf-8")
    assert ("another" in other) and "kept in memory" not in other


CANNOT_BE_WRITTEN = """
import logging, os, sys
from deia import SessionLogger, system
logging.basicConfig(stream=sys.stdout)
pwrite = system.pwrite
def failing_pwrite(fd, data, offset):
    if bytes(data).startswith(b'{"type"'):
        raise OSError(5, "the disk is broken")
    return pwrite(fd, data, offset)
logger = SessionLogger("agent", "s", output_dir=sys.argv[1], queue_mode=sys.argv[2], exit_timeout_s=0.5)
logger.log_file_read("written")
logger.flush()
system.pwrite = failing_pwrite
logger.log_file_read("not written")
"""


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_what_is_lost_at_exit_for_want_of_a_ring_is_told(tmp_path: Path, mode: str) -> None:
    """A ring keeps what a broken disk did not take, for recovery; without one it was in memory only."""
    out = run(CANNOT_BE_WRITTEN, tmp_path / "sessions", mode, cwd=tmp_path)
    assert ("bytes of events are lost" in out) == (mode == "write")
    paths = [event.path for event in read_events(tmp_path / "sessions" / "agent_s.jsonl")]
    assert paths == (["written"] if mode == "write" else ["written", "not written"])


THREADS_THAT_BEGIN_LATE = """
import atexit, sys, time
from deia import SessionLogger, system

begun, started = [], []
start = system._thread.start_new_thread

class Late:
    allocate_lock = staticmethod(system._thread.allocate_lock)

    @staticmethod
    def start_new_thread(function, arguments):
        def begin():
            time.sleep(0.3)
            begun.append(function)
            function(*arguments)
        start(begin, ())  # 3.12 and later refuse it here at the end
        started.append(function)

system._thread = Late
atexit.register(lambda: print(len(started), len(begun)))  # what is registered first is done last
logger = SessionLogger("agent", "s", output_dir=sys.argv[1])
logger.log_file_read("x")
if sys.argv[2] == "closed":
    logger.close()
"""


@pytest.mark.parametrize("end", ["open", "closed"])
def test_exit_waits_for_threads_that_have_not_begun(tmp_path: Path, end: str) -> None:
    """On a busy machine one may begin when the interpreter is gone, and CPython 3.10 and 3.11 crash with it then."""
    started, begun = map(int, run(THREADS_THAT_BEGIN_LATE, tmp_path / "sessions", end, cwd=tmp_path).split())
    assert started == begun > 0


ENDS_IN_AN_IMPORT = """
import sys
from deia import SessionLogger

# with globals of its own: a thread that is stopped in it would keep alive what is to be destroyed at the end
finder = {}
exec('''
import sys, threading, time
importing = threading.Event()
class Finder:
    def find_spec(name, path=None, target=None):
        if name == sys.argv[2]:
            importing.set()
            time.sleep(0.2)  # the machine is busy
sys.meta_path.insert(0, Finder)
''', finder)

class Last:
    def __del__(self):
        print("the end", flush=True)
        try:
            __import__(self.module)
        except ImportError:
            pass  # the interpreter imports nothing any more

logger = SessionLogger("agent", "s", output_dir=sys.argv[1])
if sys.argv[3] == "logs":
    logger.log_file_read("a")
else:
    events = logger.bus.subscribe()
    events.begin()
keep = Last()
keep.module = sys.argv[2]
keep.itself = keep
finder["importing"].wait()
"""


@pytest.mark.parametrize("what_for", ["logs", "subscribes"])
@pytest.mark.parametrize("module", ["anyio", "anyio._backends._asyncio"])
def test_program_that_ends_while_the_background_imports_ends_all_the_same(
    tmp_path: Path, module: str, what_for: str
) -> None:
    """A destructor that imports gets the lock of that: the background is not stopped with it in its hands."""
    assert run(ENDS_IN_AN_IMPORT, tmp_path, module, what_for, cwd=tmp_path) == "the end\n"
    assert len(list(tmp_path.glob("*.jsonl"))) == (what_for == "logs")


HOOKS_THAT_FAIL = """
import logging, sys
from deia import SessionLogger
from deia.bus.background import at_exit
logging.basicConfig(stream=sys.stdout)

def fail():
    raise RuntimeError("a hook is broken")

at_exit(fail, fail)
at_exit(lambda: print("before"), lambda: print("after"))
logger = SessionLogger("agent", "s", output_dir=sys.argv[1], queue_mode="write")
logger.log_file_read("kept")
"""


def test_what_is_called_at_exit_and_fails_keeps_no_session_from_being_drained(tmp_path: Path) -> None:
    """Nor what else is called then; and it is told."""
    out = run(HOOKS_THAT_FAIL, tmp_path / "sessions", cwd=tmp_path)
    assert out.count("RuntimeError: a hook is broken") == 2
    assert "before" in out.split() and "after" in out.split()
    assert os.listdir(tmp_path / "sessions") == ["agent_s.jsonl"]  # closed: no queue file is left
    assert_sound(tmp_path / "sessions" / "agent_s.jsonl")
