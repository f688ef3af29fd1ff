"""The process that records the demo's session; the one that gets killed, and the one that goes on after it.

Run as `python -m deia.cli.demo.recorder JOB`, with the job as JSON. It acknowledges each event on standard output, as
one line of JSON, after the call that logged it has returned: what its parent has read is what must not be missing.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from deia import SessionLogger
from deia.cli.demo.agent import Agent, Past
from deia.cli.demo.plan import make_plan
from deia.errors import DeiaError

FAILED = "failed"
"""Kind of the line that is no acknowledgement: it says why there will be no more of them."""


@dataclass(frozen=True)
class Job:
    """What a recording process needs to know.

    Attributes:
        agent_id: Of the session.
        session_id: Of the session; the second process continues the first one's.
        output_dir: Directory of the session's log.
        root: Directory of the sources to review.
        workspace: Directory for compiled files.
        report: Path of the report.
        pace: As for `Agent`.
    """

    agent_id: str
    session_id: str
    output_dir: str
    root: str
    workspace: str
    report: str
    pace: float = 1.0

    def to_json(self) -> str:
        """Return the job as a command-line argument."""
        return json.dumps(asdict(self))


def record(job: Job, acknowledgements: int) -> None:
    """Do the job, or what is left of it.

    Args:
        job: The job.
        acknowledgements: File descriptor to acknowledge events on.

    Raises:
        DeiaError: No file can be made in the output directory.
    """
    logger = SessionLogger(job.agent_id, job.session_id, output_dir=job.output_dir)
    logger.open()  # the first log call would do it; but a directory that cannot be written is to be seen at once
    state = logger.statistics()
    if state.mode == "memory":
        raise DeiaError(f"cannot record: {state.error}")
    agent = Agent(
        logger,
        make_plan(Path(job.root)),
        Past.read(logger.path),
        workspace=Path(job.workspace),
        report=Path(job.report),
        acknowledge=partial(_tell, acknowledgements),
        pace=job.pace,
    )
    asyncio.run(agent.work())
    logger.close()


def record_or_tell(job: Job, acknowledgements: int) -> None:
    """Do the job; what keeps it from being done goes where its events are acknowledged, for its parent to say.

    Standard error will not do for that: everything in this process may write there, at its exit too.
    """
    try:
        record(job, acknowledgements)
    except Exception as error:
        reason = str(error) if isinstance(error, DeiaError) else f"{type(error).__name__}: {error}"
        _tell(acknowledgements, FAILED, reason)
        raise


def _tell(descriptor: int, kind: str, name: str) -> None:
    # One write of a short line: a pipe takes it whole or, when this process dies here, not at all.
    os.write(descriptor, json.dumps([kind, name]).encode() + b"\n")


if __name__ == "__main__":
    record_or_tell(Job(**json.loads(sys.argv[1])), sys.stdout.fileno())
