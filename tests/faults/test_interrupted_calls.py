"""Log calls that are interrupted, at each point where CPython can: by an exception, or by code that logs itself.

What real signals hit by chance (`tests/integration/test_deaths.py`) is walked through here point by point.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.processes import run

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each point is tried in a fork")

TRY_EVERY_POINT = """
import dis, json, os, signal, sys, tempfile, traceback
import anyio._backends._asyncio, aiofiles.os  # loaded once, and not by every child
import deia.bus.consumer, deia.journal.resume, deia.redaction.redactor
import orjson
from deia import SessionLogger, read_events
from deia.journal.check import check
from deia.redaction import suspicion

directory, kind, mode, first, stride = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
PAD = 100_000 if "long" in kind else 10
PARAMS = {"pad": "x" * PAD}
if "odd" in kind:
    PARAMS |= {"a set": {1, 2}, "not a number": float("nan"), "an object": object(), "nothing": [None, 1.5]}
OPTIONS = {"queue_mode": "write"} if "write" in kind else {"queue_bytes": 65536}
CALLS = {"CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_FUNCTION_KW", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD"}

# what swallows exceptions itself: the latter show a traceback
NOT_OURS = {"threading.py", "traceback.py", "ast.py", "linecache.py", "tokenize.py", "_formatting.py"}

class Interrupted(Exception):
    pass

class Point:
    \"\"\"Interrupts a call once, at one of its points: at a function's start, after a call or after a jump back.\"\"\"

    def __init__(self, number, interrupt):
        self.number, self.interrupt, self.passed, self.where = number, interrupt, 0, None
        self.before = {}

    def previous(self, code, offset):
        if code not in self.before:
            names = [(each.offset, each.opname) for each in dis.get_instructions(code) if each.opname != "CACHE"]
            self.before[code] = {here: name for (_, name), (here, _) in zip(names, names[1:])}
        return self.before[code].get(offset)

    def trace(self, frame, event, argument):
        name = frame.f_code.co_filename
        # their windows are not ours to close
        if name.startswith("<frozen") or os.path.basename(name) in NOT_OURS:
            return None
        frame.f_trace_opcodes = True
        if event == "call" or (event == "opcode" and self.previous(frame.f_code, frame.f_lasti) in CALLS):
            self.passed += 1
            if self.passed == self.number:
                self.where = f"{os.path.basename(name)}:{frame.f_lineno}"
                sys.settrace(None)
                self.interrupt()
                return None
        return self.trace

def handle(number, frame):
    raise Interrupted

signal.signal(signal.SIGUSR1, handle)

def call(logger):
    if "message" in kind:
        logger.log_message("interrupted", "x" * PAD, metadata=PARAMS)
    elif "model" in kind:
        logger.log_llm_call("interrupted", "m", 5, 5, duration_ms=5, error=RaisedBefore, metadata=PARAMS)
    elif "error" in kind:
        logger.log_error(RaisedBefore, metadata=PARAMS)
    elif "block" in kind:
        with logger.tool("interrupted", PARAMS) as block:
            block.params["more"] = 5
    else:
        logger.log_tool_call("interrupted", PARAMS, 1)

try:
    raise RuntimeError("interrupted")
except RuntimeError as error:
    RaisedBefore = error

def name(event):
    kinds = {"MessageEvent": "role", "LLMEvent": "provider", "ErrorEvent": "message"}
    return getattr(event, kinds.get(type(event).__name__, "name"), None)

def tools(path):
    return [name(event) for event in read_events(path) if name(event)] if path.exists() else []

def attempt(number):
    \"\"\"Return what is wrong after an interruption at this point; None where the call has fewer points.\"\"\"
    logger = SessionLogger("agent", "s", output_dir=tempfile.mkdtemp(dir=directory), full_timeout_s=5, **OPTIONS)
    expected = []
    if "first" not in kind:
        logger.log_tool_call("before", {}, 1)
        expected.append("before")
    if "flushed" in kind:
        logger.flush()

    def interrupt():
        if mode == "exception":
            raise Interrupted
        if mode == "signal":
            signal.raise_signal(signal.SIGUSR1)  # whose handler raises
        for inner in range(2):
            logger.log_tool_call("inner", {"pad": "n" * 40 * inner}, 1)

    point = Point(number, interrupt)
    returned = True
    sys.settrace(point.trace)
    try:
        call(logger)
    except Interrupted:
        returned = False
    finally:
        sys.settrace(None)
    if point.where is None:
        return None
    for _ in range(3):
        logger.log_tool_call("after", {}, 1)
    logger.close()
    found = tools(logger.path)
    report = check(logger.path)
    problems = []
    if found[-3:] != ["after"] * 3 or found[: len(expected)] != expected:
        problems.append(f"events {found}")
    if returned and found.count("interrupted") != 1 or found.count("interrupted") > 1:
        problems.append(f"the call returned: {returned}, its lines: {found.count('interrupted')}")
    if mode == "signal" and returned:
        problems.append("what the handler raised did not come out of the call")
    if mode == "nested" and found.count("inner") != 2:
        problems.append(f"inner calls recorded: {found.count('inner')}")
    if not report.ok or report.damages or report.queue_file or report.torn_bytes:
        problems.append(f"check: {report}")
    if [event.seq for event in read_events(logger.path)] != list(range(1, len(found) + 1)):
        problems.append("a gap")
    return [f"{point.where}: {problem}" for problem in problems]

def attempt_in_child(number):
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(8)  # a hang ends by SIGALRM
        try:
            result = attempt(number)
        except BaseException as error:
            result = [repr(error)]
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        answer = file.read()
    status = os.waitpid(pid, 0)[1]
    return json.loads(answer) if answer else [f"the child died of signal {status}: it hung"]

# rules, and signs of what they find, compile once in a process, before what is tried here: that is many points of the
# regular expressions' own, as are those of a traceback
SessionLogger("agent", "warm", output_dir=directory)._screen.event({"type": "ToolEvent", "name": "t", "params": PARAMS})
signs = "_ - = ' : @ A Bearer eyJ SG. ya29. [x] {x}"
nested = {"b": [signs, 5, {"c": orjson.dumps({signs: signs}).decode()}]}
suspicion.in_event(orjson.dumps({"a": nested, "task_id": None}))
traceback.format_exception(RaisedBefore)
tried, problems, number = 0, {}, first
while (result := attempt_in_child(number)) is not None and len(problems) < 3:
    tried += 1
    if result:
        problems[number] = result
    number += stride
print(json.dumps([tried, problems]))
"""


@pytest.mark.parametrize("mode", ["exception", "signal", "nested"])
@pytest.mark.parametrize(
    ("kind", "stride"),
    [
        ("first", 11),
        ("second", 1),
        ("flushed", 1),
        ("flushed odd", 97),
        ("second write", 5),
        ("flushed long", 5),
        ("second long", 11),
        ("second long write", 5),
        ("flushed message", 1),
        ("flushed model", 1),
        ("flushed block", 1),
        ("second error", 5),
    ],
)
def test_call_interrupted_anywhere_leaves_a_whole_line_or_nothing(
    tmp_path: Path, kind: str, stride: int, mode: str
) -> None:
    """Wherever a call is interrupted, its line is whole or absent, nothing else is harmed, and the session goes on.

    What a signal handler raises (a deadline, say) comes out of the call: it is the program's, and not odd data.
    """
    if (kind, mode) == ("flushed odd", "exception"):
        pytest.skip("inside odd data, it may be the data's own: the event is recorded without what raised")
    out = run(TRY_EVERY_POINT, tmp_path, kind, mode, 1, stride, cwd=tmp_path)
    tried, problems = json.loads(out)
    assert tried > 0  # a call that takes the fast path has few points left
    assert problems == {}
