"""Kill an agent at work, and compare its log with what it had been promised."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deia.journal.damage import Damage
from deia.journal.reader import read_events
from deia.testing.counters import make_counters, read_counters
from deia.testing.processes import end, kill_at_work, start
from deia.testing.tally import Tally, compare

if TYPE_CHECKING:
    from typing_extensions import Self

SESSIONS = 1024
"""How many sessions an agent may open before it is killed."""

_LOOK_S = 0.002
"""How often it is looked whether the agent has recorded its first event."""


@dataclass(frozen=True)
class CrashedRun(Tally):
    """What a killed agent has left behind, beside what its log calls had promised it.

    Attributes:
        paths: The log of each session that it had recorded to.
        events: What is in these logs, in the order of `paths`: typed events.
        lost: The missing ones: log and `seq`.
        damages: What a reader reported of the logs, a torn end excepted.
        output: What the agent had said, on standard output and standard error.
    """

    paths: tuple[Path, ...] = ()
    events: tuple[Any, ...] = ()
    lost: tuple[str, ...] = ()
    damages: tuple[Damage, ...] = ()
    output: str = ""

    def assert_complete(self) -> Self:
        """Assert that everything that had been acknowledged is there, once and undamaged.

        A torn end is none of that: it is of a call that had not returned.

        Raises:
            AssertionError: Saying what is not so.
        """
        __tracebackhide__ = True
        wrong = [f"{each} is missing" for each in self.lost]
        if self.duplicated:
            wrong.append(f"{self.duplicated} events are there more than once")
        wrong += map(str, self.damages)
        if wrong:
            raise AssertionError(f"of {self.acknowledged} acknowledged events: " + "; ".join(wrong))
        return self


def run_and_kill(
    program: str | os.PathLike[str] | Callable[..., object],
    *arguments: str,
    cwd: str | os.PathLike[str],
    after_events: int | None = None,
    after_s: float | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
) -> CrashedRun:
    """Run an agent in a process of its own, kill it with SIGKILL, and read what it has left behind.

    The agent need not know of it. In its process each log call, block and publication that returns is noted in a file
    that a kill cannot take; what was noted is owed. Sessions of processes that the agent starts are not looked at.

    Args:
        program: A script; or a function or coroutine function at the top of its file, which is run there as a module.
        *arguments: Of the script, or of the function: text.
        cwd: The directory that it runs in; sessions are below it unless the agent says where.
        after_events: Kill it as soon as the call returns with which this run has recorded so many: the same place each
            time, where one thread logs.
        after_s: Kill it so many seconds after its first event: somewhere.
        env: Variables of its environment, beside those of this process. `DEIA_DISABLED` is not passed on.
        timeout_s: Seconds in which it has to get there.

    Returns:
        What was acknowledged, and what of it is there.

    Raises:
        AssertionError: It ended by itself, or did not get there in time; the message has what it said.
        ValueError: Not one of `after_events` and `after_s` is given; or the function is not at the top of a file.
    """
    __tracebackhide__ = True
    if (after_events is None) == (after_s is None):
        raise ValueError("say when to kill it: either after_events or after_s")
    if after_events is not None and after_events < 1:
        raise ValueError(f"after_events counts from 1: {after_events!r}")
    with tempfile.TemporaryDirectory(prefix="deia-crash-") as directory:
        notes = Path(directory)
        make_counters(notes / "counters", SESSIONS)
        (notes / "sessions").touch()
        config = {
            **_what_to_run(program),
            "arguments": list(arguments),
            "after_events": after_events,
            "notes": directory,
            "path": sys.path,
        }
        # this package is where it was found here, which may be no place that an interpreter looks at by itself
        bootstrap = f"import sys; sys.path[:] = {sys.path!r}; from deia.testing.child import main; main()"
        with (notes / "output").open("wb") as output:
            child = start(
                [sys.executable, "-c", bootstrap, json.dumps(config)],
                cwd=Path(cwd),
                env={"DEIA_DISABLED": "", **(env or {})},
                output=output,
            )
            try:
                killed = _kill(child, notes, after_s, timeout_s)
            finally:
                end(child)
                child.wait()
        said = (notes / "output").read_text("utf-8", errors="replace")
        if not killed:
            counted = sum(read_counters(notes / "counters"))
            late = child.returncode == -signal.SIGKILL
            how = f"it did not get there in {timeout_s} s" if late else f"it ended with exit code {child.returncode}"
            raise AssertionError(f"not killed: {how}, after {counted} events, saying:\n{said}")
        return _result(notes, said)


def _what_to_run(program: str | os.PathLike[str] | Callable[..., object]) -> dict[str, str]:
    if isinstance(program, (str, os.PathLike)):
        return {"script": os.path.abspath(program)}
    name = getattr(program, "__qualname__", "")
    file = inspect.getsourcefile(program) if inspect.isfunction(program) else None
    if file is None or "." in name or not name.isidentifier():
        raise ValueError(
            f"a function that another process can find is at the top of a file, and has a name: {program!r}"
        )
    return {"script": os.path.abspath(file), "function": name}


def _kill(child: subprocess.Popen[bytes], notes: Path, after_s: float | None, timeout_s: float) -> bool:
    """Have an agent killed, or see it kill itself; return whether that is what it died of."""
    if after_s is not None:
        waited_s = 0.0
        while not any(read_counters(notes / "counters")):
            if waited_s >= timeout_s or _has_ended(child, _LOOK_S):
                return False
            waited_s += _LOOK_S
        return not _has_ended(child, after_s) and kill_at_work(child)
    return _has_ended(child, timeout_s) and child.returncode == -signal.SIGKILL


def _has_ended(child: subprocess.Popen[bytes], timeout_s: float) -> bool:
    try:
        child.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True


def _result(notes: Path, said: str) -> CrashedRun:
    counters = read_counters(notes / "counters")
    sessions = [json.loads(line) for line in (notes / "sessions").read_text("utf-8").splitlines()]
    owed: list[str] = []
    found: list[str] = []
    events: list[Any] = []
    damages: list[Damage] = []
    paths = []
    for counter, session in zip(counters, sessions, strict=False):
        path = Path(session["path"])
        paths.append(path)
        owed += (f"{path}: seq {session['before'] + number}" for number in range(1, counter + 1))
        if path.exists():
            read = list(read_events(path, on_damage=damages.append))
            events += read
            found += (f"{path}: seq {event.seq}" for event in read)
    torn = sum(damage.kind == "torn" for damage in damages)
    tally = compare(owed, found, torn=torn)
    there = set(found)
    return CrashedRun(
        **vars(tally),
        paths=tuple(paths),
        events=tuple(events),
        lost=tuple(each for each in owed if each not in there),
        damages=tuple(damage for damage in damages if damage.kind != "torn"),
        output=said,
    )
