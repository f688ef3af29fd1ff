"""Start a process that records until it dies, and count what its log has of what it owes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deia import SessionLogger, read_events
from deia.events import AnyEvent, FileEvent, ToolEvent
from deia.journal.check import check
from deia.journal.damage import DamageLog
from deia.testing.counters import make_counters, read_counters
from deia.testing.processes import end, kill_at_work, start
from deia.testing.tally import Tally, compare
from support.lines import assert_sound
from support.losses import Losses
from support.processes import watched

SCRIPT = Path(__file__).with_name("recording.py")

TIMEOUT_S = 60
"""Only a hanging recorder meets it."""

FACES = ("sync", "asyncio", "trio")

Owed = dict[str, int]
"""Series → how many of its events had been recorded, by the word of the calls that returned: numbers 0 to that."""


class Recorder:
    """A process that records events named `{run}/{writer}/{number}` in a session of a directory.

    Args:
        directory: Of the session; what the recorder needs beside it goes to its parent.
        session_id: Of the agent `agent`.
        run: First part of the events' names.
        face: `"sync"`, `"asyncio"` or `"trio"`; each writer but the first is a thread, with a loop of its own.
        writers: How many write.
        events: How many events the first one writes before the process dies; None for ever.
        others: The same for each of the others, which are waited for; None: they write until the end.
        death: How it dies; see `recording.die`.
        settled: Whether it waits before it dies until a `flush` succeeds, however many fail.
        pad: Lengths of the events' padding stay below this.
        pause_s: How long each writer waits after each event, where a test takes its time.
        options: Of the logger.
        prefix: A command that runs the interpreter, `strace` say.
    """

    def __init__(
        self,
        directory: Path,
        *,
        session_id: str = "s",
        run: int = 0,
        face: str = "sync",
        writers: int = 1,
        events: int | None = None,
        others: int | None = None,
        death: str = "end",
        settled: bool = False,
        pad: int = 900,
        pause_s: float = 0.0,
        options: Mapping[str, Any] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> None:
        self.path = directory / f"agent_{session_id}.jsonl"
        self.run = run
        self.writers = writers
        self._counters = directory.parent / f"{directory.name}.counters-{session_id}-{run}"
        make_counters(self._counters, writers)
        config = {
            "directory": str(directory),
            "session_id": session_id,
            "run": run,
            "face": face,
            "writers": writers,
            "events": events,
            "others": others,
            "death": death,
            "settled": settled,
            "pad": pad,
            "pause_s": pause_s,
            "options": dict(options or {}),
            "counters": str(self._counters),
        }
        self.process = watched(
            start(
                [*prefix, sys.executable, str(SCRIPT), json.dumps(config)],
                cwd=directory.parent,
                env={"PYTHONFAULTHANDLER": ""},
            )
        )

    def wait_for(self, word: str) -> None:
        """Wait until it says something: `begun`, or `dying`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.decode().strip() == word:
                return
        raise AssertionError(f"it ended without `{word}`:\n{self.process.communicate()[1].decode()}")

    def wait(self, returncode: int | None = 0) -> str:
        """Wait for its end, and return what it said on standard error.

        Args:
            returncode: How it has to end; None where any end will do.
        """
        with self.process:
            try:
                _, said = self.process.communicate(timeout=TIMEOUT_S)
            finally:
                end(self.process)
        errors = said.decode(errors="replace")
        assert returncode is None or self.process.returncode == returncode, (
            f"ended with {self.process.returncode}:\n{errors}"
        )
        return errors

    def kill(self) -> None:
        """Kill it; that it lived until then is part of the test."""
        alive = kill_at_work(self.process)
        errors = self.wait(None)
        assert alive, f"ended with {self.process.returncode}:\n{errors}"

    def count(self, writer: int = 0) -> int:
        """Return how many calls of a writer have returned so far."""
        return self.owed().get(f"{self.run}/{writer}", 0)

    def owed(self) -> Owed:
        """Return what it owes: the calls that had returned."""
        numbers = read_counters(self._counters)
        return {f"{self.run}/{writer}": number for writer, number in enumerate(numbers) if number}


def name_of(event: AnyEvent) -> str:
    """Return the name of a recorder's event; that of any other is empty."""
    name = event.name if isinstance(event, ToolEvent) else event.path if isinstance(event, FileEvent) else ""
    return name if "/" in name else ""


def tally(path: Path, owed: Owed, *, tried: int = 1, under_way: int = 1) -> Tally:
    """Read a log as it stands, and count what it has of what is owed to it.

    Each series has to be in order, and to hold no more than what had returned and the calls that were under way.

    Args:
        path: The journal.
        owed: What has to be there.
        tried: Deaths or faults that it went through.
        under_way: How many calls of each series may have been recorded without having returned.
    """
    damages = DamageLog()
    events = read_events(path, on_damage=damages.add) if path.exists() else ()
    names = [name for event in events if (name := name_of(event))]
    assert damages.by_kind.keys() <= {"torn"}, damages.kept
    newest: Owed = {}
    for name in names:
        series, _, number = name.rpartition("/")
        assert newest.get(series, 0) <= int(number) + 1, f"{name} is out of order"
        newest[series] = int(number) + 1
    for series, count in newest.items():
        assert count <= owed.get(series, 0) + under_way, f"{series}: more than the calls that were under way"
    wanted = (f"{series}/{number}" for series, count in owed.items() for number in range(count))
    return compare(wanted, names, tried=tried, torn=damages.count)


def prove(
    path: Path,
    owed: Owed,
    losses: Losses,
    row: str | None,
    *,
    tried: int = 1,
    under_way: int = 1,
    may_tear: bool = False,
    options: Mapping[str, Any] | None = None,
) -> Tally:
    """Count what a log has, before anything mends it; open it again, go on in it, close it, and check it.

    Args:
        path: The journal.
        owed: What has to be there.
        losses: Where it is counted …
        row: … and in which row of the table; None: it is counted elsewhere.
        tried: Deaths or faults that it went through since the last time.
        under_way: See `tally`.
        may_tear: Whether a call that had not returned may have left a torn end.
        options: Of the logger that goes on.

    Returns:
        What was found. It is added to the row before anything is asserted of it.
    """
    result = tally(path, owed, tried=tried, under_way=under_way)
    if row is not None:
        losses.add(row, result)
    assert (result.missing, result.duplicated) == (0, 0), result
    assert may_tear or result.torn == 0, result
    assert not path.exists() or check(path).ok
    agent_id, _, session_id = path.stem.partition("_")
    with SessionLogger(agent_id, session_id, output_dir=path.parent, **(options or {})) as logger:
        logger.log_tool_call("after/it/0", {}, 0)
        again = tally(path, owed | {"after/it": 1}, under_way=under_way)
        assert (again.missing, again.duplicated, again.torn) == (0, 0, 0), again
    assert tally(path, owed | {"after/it": 1}, under_way=under_way).missing == 0
    assert_sound(path)
    return result
