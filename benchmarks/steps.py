"""`python -m benchmarks steps`: where the time of one log call goes, step by step.

Each step is the statement as it stands in `SessionLogger.log_tool_call`, on local names, in a loop of its own; the
empty loop is taken off. Rounds are shuffled, in one process, and turns so short that nothing else comes between. The
parts come to less than the whole: a step that has just been done finds all it needs in the processor's caches.
"""

from __future__ import annotations

import mmap
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.conditions import conditions
from benchmarks.event import AGENT_ID, SESSION_ID, TASK, TOOL, params
from benchmarks.tables import circumstances, table
from benchmarks.timing import timed
from deia import SessionLogger
from deia.queue.layout import HEADER_BYTES
from deia.queue.tasks import entered_last
from deia.redaction.suspicion import AFTER_PARAMS, are_known
from deia.system import now

Result = dict[str, Any]

STEPS = {
    "the empty loop": "pass",
    "a call of a method, with three arguments": "empty(tool_name, params, duration_ms)",
    "looking at the types of three arguments": (
        "type(tool_name) is not str or not tool_name or type(params) is not dict"
        " or type(duration_ms) is not int or duration_ms < 0"
    ),
    "the innermost task of the context": "task = entered_last(); task is not None and task.owner is not producer.owner",
    "the clock": "now()",
    "a dict of the fields": (
        '{"type": "ToolEvent", "name": tool_name, "params": params, "duration_ms": duration_ms,'
        ' "task_id": None if task is None else task.task_id, "seq": seq + 1, "timestamp": timestamp, "agent_id": whose}'
    ),
    "its encoding (orjson)": "dumps(fields, None, newline)",
    "redact=False: is there a null that may be a NaN": (
        'rest = line if task is not None else line.rpartition(b"null")[0]; rest.partition(b"null")[1]'
    ),
    "redact=True: is there a sign of a secret": (
        "head = line.rpartition(after_params)[0]; signs = head.translate(screen.signs);"
        " not (signs.isascii() and are_known(params))"
    ),
    "where in the ring it goes": "end = start + len(line); at = (start & producer.mask) + header; slice(at, end)",
    "three comparisons, the copy, three stores": (
        "if still.seq == seq and still.end == start and end <= still.limit:"
        " still.ring[where] = line; still.committed[0] = end; still.new_end = end; still.new_seq = seq + 1"
    ),
    "the whole call": "log(tool_name, params, duration_ms)",
    "the whole call, redact=False": "plain_log(tool_name, params, duration_ms)",
    "for comparison: one write of the line": "write(line)",
}
"""Name of a step → what is timed."""

QUICK = {"rounds": 1, "loops": 10}
"""Enough to see that it works."""


class _Still:
    """Stands for a producer that nobody else moves on, so that the comparisons come out as they do in a call."""

    __slots__ = ("committed", "end", "limit", "new_end", "new_seq", "ring", "seq")

    def __init__(self, seq: int, end: int, ring: mmap.mmap) -> None:
        self.seq, self.end, self.limit, self.ring = seq, end, 1 << 60, ring
        self.committed = memoryview(bytearray(8)).cast("Q")


def run(directory: Path, *, rounds: int = 2_001, loops: int = 100) -> Result:
    """Time every step and return the raw result.

    Args:
        directory: Where files are made, in a directory that goes away again.
        rounds: How often each step has its turn.
        loops: Times in a turn.
    """
    with tempfile.TemporaryDirectory(prefix="deia-benchmark-", dir=directory) as place:
        logger = SessionLogger(AGENT_ID, SESSION_ID, output_dir=place)
        plain = SessionLogger(AGENT_ID, "s2", output_dir=place, redact=False)
        with logger, plain, (Path(place) / "written").open("ab", buffering=0) as file:
            for each in (plain, logger):
                each.log_task_start(TASK, {})
            logger.log_tool_call(TOOL, params(), 0)
            names = _names(logger, plain, file.write)
            timers = {step: timed(statement, names) for step, statement in STEPS.items()}
            turns: dict[str, list[float]] = {step: [] for step in STEPS}
            shuffle = random.Random(1).shuffle
            for _ in range(rounds):
                shuffle(order := list(STEPS))
                for step in order:
                    turns[step].append(timers[step](loops) / loops)
    empty = median(turns["the empty loop"])
    return {
        "benchmark": "steps",
        "schema": 1,
        **conditions(directory),
        "settings": {"rounds": rounds, "loops": loops},
        "rows": [
            {"step": step, "statement": STEPS[step], "median_ns": round(median(found) - empty, 1)}
            for step, found in turns.items()
            if step != "the empty loop"
        ],
    }


def _names(logger: SessionLogger, plain: SessionLogger, write: Callable[[bytes], object]) -> dict[str, Any]:
    """Return what the statements speak of, as it is in the middle of a call."""
    producer = logger._session.producer
    whose, task, timestamp = logger._whose, entered_last(), now()
    assert task is not None
    fields = {
        "type": "ToolEvent",
        "name": TOOL,
        "params": params(),
        "duration_ms": 2_500,
        "task_id": task.task_id,
        "seq": producer.seq + 1,
        "timestamp": timestamp,
        "agent_id": whose,
    }
    line = orjson.dumps(fields, None, orjson.OPT_APPEND_NEWLINE)
    at = (producer.end & producer.mask) + HEADER_BYTES
    return {
        "tool_name": TOOL,
        "params": params(),
        "duration_ms": 2_500,
        "task": task,
        "timestamp": timestamp,
        "whose": whose,
        "fields": fields,
        "line": line,
        "producer": producer,
        "start": producer.end,
        "seq": producer.seq,
        "end": producer.end + len(line),
        "where": slice(at, at + len(line)),
        "still": _Still(producer.seq, producer.end, mmap.mmap(-1, at + len(line))),
        "screen": logger._screen,
        "are_known": are_known,
        "after_params": AFTER_PARAMS,
        "header": HEADER_BYTES,
        "newline": orjson.OPT_APPEND_NEWLINE,
        "dumps": orjson.dumps,
        "now": now,
        "entered_last": entered_last,
        "log": logger.log_tool_call,
        "plain_log": plain.log_tool_call,
        "write": write,
        "empty": _Empty().call,
    }


class _Empty:
    def call(self, tool_name: str, params: Any, duration_ms: float) -> None:
        """Take what a log call takes."""


def tables(result: Result) -> str:
    """Return a result as a table."""
    rows = ([row["step"], f"{row['median_ns']:,.0f}"] for row in result["rows"])
    return f"{circumstances(result)}\n\n{table(['Step of a log call', 'ns'], rows)}"
