"""Run the demo: a process that records and is killed, a second one that goes on, and the proof that nothing is lost."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deia import SessionLogger, read_events
from deia.cli.demo.plan import Plan, make_plan
from deia.cli.demo.proof import Acknowledgement, Proof, Recording
from deia.cli.demo.recorder import FAILED, Job
from deia.cli.processes import environment
from deia.errors import DeiaError

AGENT_ID = "deia-demo"


class DemoFailedError(DeiaError):
    """The demo could not show what it is there to show."""


@dataclass(frozen=True)
class Demo:
    """What happened.

    Attributes:
        plan: The work that was done.
        log: The session's log.
        report: What the agent wrote.
        at_kill: Acknowledged and found events right after the kill, before anything was recovered.
        at_end: The same for the whole session.
        recovered_bytes: What the second process found in the queue file and not in the log.
        lost_bytes: What it cut as the torn end of a call that had not returned.
        has_gap: Whether the numbering of the events in the log has one.
    """

    plan: Plan
    log: Path
    report: Path
    at_kill: Proof
    at_end: Proof
    recovered_bytes: int
    lost_bytes: int
    has_gap: bool

    @property
    def missing(self) -> int:
        """Acknowledged events that were not found, right after the kill or at the end."""
        return max(self.at_kill.missing, self.at_end.missing)


class Watcher:
    """Is told how the demo goes on; this one keeps it to itself."""

    def begin(self, plan: Plan) -> None:
        """The work is planned."""

    def advance(self, events: int) -> None:
        """So many events are recorded."""

    def killed(self, events: int) -> None:
        """The first process was killed, so many events are recorded, and the second one begins."""


def run_demo(
    output_dir: str | None = None,
    *,
    root: Path | None = None,
    watcher: Watcher | None = None,
    kill_at: Callable[[int], int] | None = None,
    pace: float = 1.0,
) -> Demo:
    """Record a session over the standard library, kill its process half way, continue it, and compare.

    Args:
        output_dir: Directory of the log and the report; the logger's default where None.
        root: Directory of the sources; the running interpreter's standard library where None.
        watcher: Told how far it is.
        kill_at: Planned events → how many acknowledgements to wait for before the kill; around the half where None.
        pace: How long models and the person take, as a part of what they take for whoever watches.

    Raises:
        DemoFailedError: There are no sources, or a recording process failed.
        OSError: The directory cannot be made or written.
    """
    watcher = watcher or Watcher()
    plan = make_plan(root)
    if not plan.files:
        raise DemoFailedError(f"there are no Python sources in {plan.root}: the demo needs the standard library's")
    watcher.begin(plan)
    logger = SessionLogger(AGENT_ID, output_dir=output_dir)  # names the session; it never logs, so it touches no disk
    log = Path(os.path.abspath(logger.path))
    with tempfile.TemporaryDirectory(prefix="deia-demo-") as workspace:
        job = Job(
            agent_id=AGENT_ID,
            session_id=logger.session_id,
            output_dir=str(log.parent),
            root=str(plan.root),
            workspace=workspace,
            report=str(log.with_suffix(".report.md")),
            pace=pace,
        )
        limit = (kill_at or _around_half)(plan.events)
        first = _record(job, watcher, 0, kill_at=limit)
        # Before anything is recovered: reading needs no repair step.
        at_kill = Recording.of(read_events(log)).prove([first])
        watcher.killed(at_kill.found)
        second = _record(job, watcher, at_kill.found)
    after = Recording.of(read_events(log))
    return Demo(
        plan=plan,
        log=log,
        report=Path(job.report),
        at_kill=at_kill,
        at_end=after.prove([first, second]),
        recovered_bytes=after.recovered_bytes,
        lost_bytes=after.lost_bytes,
        has_gap=after.has_gap,
    )


def _around_half(events: int) -> int:
    """Choose the moment of the kill, so that no two demos die at the same place."""
    return int(events * random.uniform(0.4, 0.6))


def _record(job: Job, watcher: Watcher, before: int, *, kill_at: int | None = None) -> list[Acknowledgement]:
    """Run a recording process and return what it acknowledged.

    Args:
        job: Its job.
        watcher: Told of each acknowledgement.
        before: How many events an earlier process recorded: what it did is not done again, though its last call may
            have come too late to be acknowledged.
        kill_at: Kill it once so many acknowledgements were read; None lets it come to its end.
    """
    acknowledged: list[Acknowledgement] = []
    killed = False
    failure = ""
    process = subprocess.Popen(
        [sys.executable, "-m", "deia.cli.demo.recorder", job.to_json()],
        cwd=job.workspace,  # `-m` looks for modules there first; nothing of the user's is in this one
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                kind, name = json.loads(line)
                if kind == FAILED:
                    failure = name
                    continue
                acknowledged.append((kind, name))
                watcher.advance(before + len(acknowledged))
                if len(acknowledged) == kill_at:
                    # SIGKILL: no handler, no exit function, no last flush. What the process wrote to the pipe
                    # before it died is read by the turns of this loop that follow.
                    process.kill()
                    killed = True
        except BaseException:
            process.kill()
            raise
    if process.returncode == 0 and kill_at is not None:
        raise DemoFailedError("the recording process had done all its work before it could be killed")
    if process.returncode != 0 and not killed:
        raise DemoFailedError(f"the recording process failed: {failure or f'exit code {process.returncode}'}")
    return acknowledged
