"""Log calls made where Python runs code by itself: in signal handlers, destructors, collections and exit hooks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from deia import read_events
from deia.events import FileEvent
from deia.testing.tally import compare
from support.effort import amount
from support.lines import assert_gapless, assert_sound, lines_of
from support.losses import Losses
from support.processes import run
from support.recorder import prove

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as these tests use them are POSIX")

PRELUDE = """
import asyncio, atexit, gc, itertools, os, signal, sys, threading
directory, face, writers, options = sys.argv[1], sys.argv[2], int(sys.argv[3]), eval(sys.argv[4])

def do(call):
    # no loop runs in a handler or a destructor; but an awaited call that need not wait does not suspend
    if face == "async":
        try:
            call.send(None)
        except StopIteration:
            return
        raise AssertionError("it waits")

def finish(call):
    return asyncio.run(call) if face == "async" else call

logged = []
def log(name, pad=0):
    do(logger.log_tool_call(name, {"pad": "x" * pad, "nested": [{"a": [{}]}]}, 0))
    logged.append(name)

stopped = threading.Event()
def write(writer):
    for number in itertools.count():
        log(f"{writer}/{number}", number % 200)
        if stopped.wait(0.0005):
            break

def begin_others():
    others = [threading.Thread(target=write, args=(writer,), daemon=True) for writer in range(1, writers)]
    for thread in others:
        thread.start()
    return others

def stop_others(others):
    stopped.set()
    for thread in others:
        thread.join()

def tell():
    assert finish(logger.statistics()).dropped == 0
    os.write(1, "\\n".join(logged).encode())
"""

LOGGER = """
from deia import AsyncSessionLogger, SessionLogger
logger = (SessionLogger if face == "sync" else AsyncSessionLogger)("agent", "s", output_dir=directory, **options)
"""

WRITERS = [
    pytest.param("sync", 1, id="sync"),
    pytest.param("sync", 8, id="sync, eight threads"),
    pytest.param("async", 1, id="async"),
    pytest.param("async", 8, id="async, eight threads"),
]


def logged_by(script: str, directory: Path, face: str, writers: int = 1, options: dict[str, Any] | None = None) -> str:
    """Run a script that begins as all of these do; return what it told."""
    return run(PRELUDE + script, directory, face, writers, repr(options or {}), cwd=directory.parent)


LOG_UNDER_SIGNALS = (
    LOGGER
    + """
inside = itertools.count()
calls = int(os.environ["CALLS"])
def handler(*_):
    log(f"handler/{next(inside)}", 100)
    if going_on:
        signal.setitimer(signal.ITIMER_REAL, 0.0003)  # only now: a slow machine would pile up handlers without end
signal.signal(signal.SIGALRM, handler)
log("first")
others = begin_others()
going_on = True
signal.setitimer(signal.ITIMER_REAL, 0.0003)
number = 0
while number < calls or next(inside) < 100:
    number += 1
    do(logger.log_task_start("task", {"number": number}))
    do(logger.log_task_complete("task"))
    long = 70_000 if number % 20 == 0 and options.get("queue_bytes") == 65536 else 0
    log(f"main/{number}", number % 200 + long)
    if number % 100 == 0:
        finish(logger.flush())
going_on = False
signal.setitimer(signal.ITIMER_REAL, 0)
stop_others(others)
finish(logger.close())
tell()
"""
)


@pytest.mark.parametrize(("face", "writers"), WRITERS)
@pytest.mark.parametrize(
    "options",
    [{}, {"queue_mode": "write"}, {"queue_bytes": 65536}],
    ids=["mmap", "write", "lines longer than the ring"],
)
def test_signal_handlers_may_log_inside_log_calls(
    tmp_path: Path,
    losses: Losses,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    face: str,
    writers: int,
) -> None:
    """A handler that runs at any instant of another call records its event: no deadlock, no corruption, no gap."""
    if face == "async" and "queue_bytes" in options:
        pytest.skip("a line longer than the ring waits for those before it, and a handler cannot await")
    monkeypatch.setenv("CALLS", str(amount(reduced=300, full=5000)))
    logged = logged_by(LOG_UNDER_SIGNALS, tmp_path / "sessions", face, writers, options).split("\n")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    names = [line["name"] for line in lines_of(path) if line["type"] == "ToolEvent"]
    inside = sum(name.startswith("handler/") for name in names)
    losses.add("signal-handler", compare(logged, names, tried=inside))
    assert inside > 0
    assert sorted(names) == sorted(logged)
    orphans = [line for line in lines_of(path) if line.get("orphan")]
    assert orphans == []
    assert_sound(path)


@pytest.mark.parametrize(("face", "writers"), WRITERS)
def test_exception_inside_a_call_leaves_a_whole_line_or_nothing(
    tmp_path: Path, losses: Losses, monkeypatch: pytest.MonkeyPatch, face: str, writers: int
) -> None:
    """A handler that raises may interrupt any call: what returned is there once, the rest at most once, with no gap."""
    script = (
        LOGGER
        + """
class Interrupted(Exception):
    pass
interruptions, armed = 0, False
def handler(*_):
    global interruptions, armed
    if armed:
        armed = False
        interruptions += 1
        raise Interrupted
log("first")
others = begin_others()
signal.signal(signal.SIGALRM, handler)
numbers = itertools.count()
signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
while interruptions < int(os.environ["INTERRUPTIONS"]):
    try:
        armed = True
        number = next(numbers)
        do(logger.log_task_start("task"))
        log(f"0/{number}", number % 200)
        do(logger.log_task_complete("task"))
        armed = False
    except Interrupted:
        pass
going_on = False
signal.setitimer(signal.ITIMER_REAL, 0)
stop_others(others)
finish(logger.close())
tell()
"""
    )
    interruptions = amount(reduced=200, full=5000)
    monkeypatch.setenv("INTERRUPTIONS", str(interruptions))
    never_full = {"queue_bytes": 1 << 25}
    returned = logged_by(script, tmp_path / "sessions", face, writers, never_full).split("\n")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    names = [line["name"] for line in lines_of(path) if line["type"] == "ToolEvent"]
    losses.add("exception-inside", compare(returned, names, tried=interruptions))
    assert len(set(names)) == len(names)
    assert set(returned) <= set(names)
    for writer in range(writers):
        numbers = [int(name.partition("/")[2]) for name in names if name.startswith(f"{writer}/")]
        assert numbers == sorted(numbers)
    assert_sound(path)


@pytest.mark.parametrize(("face", "writers"), WRITERS)
def test_garbage_collection_and_destructors_may_log_inside_log_calls(
    tmp_path: Path, losses: Losses, monkeypatch: pytest.MonkeyPatch, face: str, writers: int
) -> None:
    """A collection that starts in the middle of a call runs code that logs; all of it is recorded."""
    script = (
        LOGGER
        + """
inside = itertools.count()
class Thing:
    def __init__(self):
        self.me = self
    def __del__(self):
        log(f"destructor/{next(inside)}")
log("first")
others = begin_others()
gc.callbacks.append(lambda phase, info: log(f"{phase}/{next(inside)}"))
gc.set_threshold(7)
for number in range(int(os.environ["CALLS"])):
    Thing()
    log(f"main/{number}")
    if number % 200 == 0:
        finish(logger.flush())
gc.callbacks.clear()
gc.disable()
stop_others(others)
finish(logger.close())
tell()
"""
    )
    monkeypatch.setenv("CALLS", str(amount(reduced=500, full=5000)))
    logged = logged_by(script, tmp_path / "sessions", face, writers, {"queue_bytes": 1 << 24}).split("\n")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    names = [line["name"] for line in lines_of(path)]
    for row, kinds in (("destructor", ("destructor",)), ("gc-callback", ("start", "stop"))):
        ours = [name for name in logged if name.partition("/")[0] in kinds]
        losses.add(row, compare(ours, [name for name in names if name.partition("/")[0] in kinds], tried=len(ours)))
        assert ours
    assert sorted(names) == sorted(logged)
    assert_sound(path)


@pytest.mark.parametrize("face", ["sync", "async"])
def test_exit_handlers_may_log_whenever_they_were_registered(tmp_path: Path, losses: Losses, face: str) -> None:
    """A handler registered before deia was imported runs after ours; what it logs is there as well."""
    script = (
        """
@atexit.register
def registered_before():
    log("before")
"""
        + LOGGER
        + """
@atexit.register
def registered_after_import():
    log("after import")
log("body")
@atexit.register
def registered_after_the_first_event():
    log("after first event")
"""
    )
    logged_by(script, tmp_path / "sessions", face)
    path = tmp_path / "sessions" / "agent_s.jsonl"
    expected = ["body", "after first event", "after import", "before"]
    names = [event.name for event in read_events(path) if not isinstance(event, FileEvent)]
    losses.add("exit-hook", compare(expected, names, tried=3))
    assert names == expected
    assert_sound(path)


@pytest.mark.parametrize("face", ["sync", "async"])
def test_first_event_may_come_in_an_exit_handler(tmp_path: Path, losses: Losses, face: str) -> None:
    """A session may begin when everything else has ended, when no thread can be started any more."""
    script = """
@atexit.register
def registered_before():
    log("only")
"""
    logged_by(script + LOGGER, tmp_path / "sessions", face)
    path = tmp_path / "sessions" / "agent_s.jsonl"
    names = [event.name for event in read_events(path)]
    losses.add("exit-hook", compare(["only"], names))
    assert names == ["only"]
    assert_gapless(path)


@pytest.mark.parametrize("face", ["sync", "async"])
@pytest.mark.parametrize("kept_in", ["a global", "a cycle", "sys", "a function's default"])
def test_destructors_may_log_at_exit(tmp_path: Path, losses: Losses, kept_in: str, face: str) -> None:
    """An object that dies while the interpreter is taken apart can still log."""
    keep = {
        "a global": "thing = Thing()",
        "a cycle": "thing = Thing(); thing.me = thing",
        "sys": "sys.thing = Thing()",
        "a function's default": "def function(thing=Thing()): pass",
    }[kept_in]
    script = f"""
log("body")
class Thing:
    def __init__(self):
        self.logger = logger
    def __del__(self, write=os.write, do=do):
        do(self.logger.log_tool_call("destructor", {{}}, 0))
        write(1, b"logged")
{keep}
"""
    acknowledged = logged_by(LOGGER + script, tmp_path / "sessions", face)
    expected = ["body"] + ["destructor"] * (acknowledged == "logged")
    path = tmp_path / "sessions" / "agent_s.jsonl"
    assert acknowledged == "logged" or kept_in == "sys", "only what outlives the modules themselves may be refused"
    names = [event.name for event in read_events(path)]
    losses.add("destructor", compare(expected, names))
    assert names == expected
    assert_sound(path)


@pytest.mark.parametrize(("face", "writers"), WRITERS)
@pytest.mark.parametrize("options", [{"queue_bytes": 2**23}, {"queue_mode": "write"}], ids=["mmap", "write"])
def test_handler_that_logs_inside_a_call_and_ends_the_process_loses_neither(
    tmp_path: Path, losses: Losses, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], face: str, writers: int
) -> None:
    """A handler's event is recorded though the call it interrupted never goes on: `os._exit` ends the process there."""
    script = (
        LOGGER
        + """
import mmap
counters = memoryview(mmap.mmap(-1, 4096)).cast("Q")
counters[:] = memoryview(bytes(4096)).cast("Q")
run = os.environ["RUN"]
def count(writer, number_of_calls=None):
    for number in itertools.count():
        do(logger.log_tool_call(f"{run}/{writer}/{number}", {"pad": "x" * (number % 200)}, 0))
        counters[writer] = number + 1
        if writer and stopped.wait(0.0005):
            break
def handler(*_):
    do(logger.log_tool_call(f"{run}/handler/0", {}, 0))
    for writer in range(writers):
        os.write(1, b"%d\\n" % counters[writer])
    os._exit(5)
signal.signal(signal.SIGALRM, handler)
do(logger.log_tool_call("first", {}, 0))
for writer in range(1, writers):
    threading.Thread(target=count, args=(writer,), daemon=True).start()
signal.setitimer(signal.ITIMER_REAL, float(os.environ["AFTER_S"]))
count(0)
"""
    )
    directory = tmp_path / "sessions"
    owed = {}
    attempts = amount(reduced=2, full=50)
    for attempt in range(attempts):
        monkeypatch.setenv("RUN", str(attempt))
        monkeypatch.setenv("AFTER_S", str(0.001 + attempt * 0.0007))
        arguments = (directory, face, writers, repr(options))
        numbers = run(PRELUDE + script, *arguments, cwd=tmp_path, returncode=5).split()
        owed |= {f"{attempt}/{writer}": int(number) for writer, number in enumerate(numbers) if number != "0"}
        owed[f"{attempt}/handler"] = 1
    may_tear = "queue_mode" in options
    prove(directory / "agent_s.jsonl", owed, losses, "handler-os-exit", tried=attempts, under_way=20, may_tear=may_tear)
