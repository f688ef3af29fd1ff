"""`python -m benchmarks calls`: what each kind of log call costs, and not the tool call alone.

Each statement is timed as its caller writes it, on local names, in a loop of its own; the empty loop is taken off.
Rounds are shuffled, in one process, by a logger as shipped and by one with `redact=False`. (Write-through has no place
here: it would write while the disk syncs the others' files, which they do not wait for.) Errors come last, by
themselves: each has the disk sync. What was recorded is counted in the files afterwards.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.conditions import conditions
from benchmarks.event import AGENT_ID, SESSION_ID, TASK, TOOL, params
from benchmarks.tables import circumstances, table
from benchmarks.timing import timed
from deia import SessionLogger

Result = dict[str, Any]

_USUAL = "log.log_tool_call(tool, params, 2_500)"

CALLS = {
    _USUAL: 1,
    "log.log_tool_call(tool, params, 2_500.4)": 1,
    "log.log_tool_call(tool, None, 2_500)": 1,
    "with log.tool(tool, params): pass": 1,
    "log.log_file_read('src/app/main.py', 4_096)": 1,
    "log.log_file_read('src/app/main.py', 4_096, duration_ms=1.4)": 1,
    "log.log_file_write('src/app/main.py', 4_096, 120)": 1,
    "log.log_task_start(task); log.log_task_complete(task)": 2,
    "log.log_task_start(task, metadata); log.log_task_complete(task, 2_500.4, result)": 2,
    "with log.task(task): pass": 2,
    "log.log_llm_call('anthropic', 'claude-sonnet-4-5', 1_200, 310, duration_ms=2_500.4, cost_usd=0.0123)": 1,
    "log.log_message('user', 'the tests of the parser fail since yesterday')": 1,
    "log.log_decision('rewrite the parser', reason='it is slow')": 1,
    "log.log_action_item('tell the users')": 1,
    "log.publish(measured)": 1,
}
"""Statement → how many lines it records."""

SYNCING = {"log.log_error('the tests failed')": 1}
"""Those that have the disk sync."""

QUICK = {"rounds": 1, "loops": 10}
"""Enough to see that it works."""


@dataclass
class Measured:
    """An event class of a user's own."""

    what: str
    amount: float


def run(directory: Path, *, rounds: int = 1_001, loops: int = 20) -> Result:
    """Time every call and return the raw result.

    Args:
        directory: Where files are made, in a directory that goes away again.
        rounds: How often each call has its turn, by each logger.
        loops: Times in a turn.
    """
    with tempfile.TemporaryDirectory(prefix="deia-benchmark-", dir=directory) as place:
        shipped = SessionLogger(AGENT_ID, SESSION_ID, output_dir=place)
        plain = SessionLogger(AGENT_ID, "s2", output_dir=place, redact=False)
        loggers = {"shipped": shipped, "unredacted": plain}
        with shipped, plain:
            contexts = {way: copy_context() for way in loggers}
            for way, each in loggers.items():
                contexts[way].run(each.log_task_start, TASK, {})
            turns = {}
            for calls in (("pass", *CALLS), SYNCING):
                turns.update(_turns(calls, loggers, contexts, rounds, loops))
        lines = sum((CALLS | SYNCING).values()) * rounds * loops + 1  # with the start of the task around them all
        missing = sum(abs(lines - _count(each.path)) for each in loggers.values())
    return {
        "benchmark": "calls",
        "schema": 1,
        **conditions(directory),
        "settings": {"rounds": rounds, "loops": loops},
        "missing": missing,
        "rows": [
            {
                "call": call,
                "lines": lines,
                **{f"{way}_ns": round(median(turns[call, way]) - median(turns["pass", way]), 1) for way in loggers},
            }
            for call, lines in (CALLS | SYNCING).items()
        ],
    }


def _turns(
    calls: Iterable[str], loggers: dict[str, SessionLogger], contexts: dict[str, Context], rounds: int, loops: int
) -> dict[tuple[str, str], list[float]]:
    """Return what each turn took, in nanoseconds a time, by statement and logger."""
    names = {
        "tool": TOOL,
        "task": "run_tests",
        "params": params(),
        "metadata": {"priority": "P1"},
        "result": {"failures": 0},
        "measured": Measured("tokens", 12.5),
    }
    asked = {(call, way): logger for call in calls for way, logger in loggers.items()}
    timers = {each: timed(each[0], {**names, "log": logger}) for each, logger in asked.items()}
    turns: dict[tuple[str, str], list[float]] = {each: [] for each in timers}
    shuffle = random.Random(1).shuffle
    for _ in range(rounds):
        shuffle(order := list(timers))
        for each in order:
            turns[each].append(contexts[each[1]].run(timers[each], loops) / loops)
    return turns


def _count(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def failures(result: Result) -> list[str]:
    """Return what a run is to fail for."""
    return [f"{result['missing']} events are missing"] if result["missing"] else []


def tables(result: Result) -> str:
    """Return a result as a table."""
    usual = next(row["shipped_ns"] for row in result["rows"] if row["call"] == _USUAL)
    rows = (
        [
            f"`{row['call']}`",
            f"{row['shipped_ns']:,.0f}",
            f"{row['unredacted_ns']:,.0f}",
            f"{row['lines']}",
            f"{row['shipped_ns'] / usual:.1f}",
        ]
        for row in result["rows"]
    )
    shown = table(["Call", "ns", "ns, redact=False", "lines", "usual tool calls"], rows)
    counted = "Counted in the files afterwards: " + ("; ".join(failures(result)) or "none is missing.")
    return f"{circumstances(result)}\n\n{shown}\n\n{counted}"
