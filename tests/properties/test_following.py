"""Following a session whose files are tampered with, in any order of things: every event once, and in order."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from deia import FileEvent, SessionLogger, read_events
from deia.journal.segments import segment_path
from deia.live.follower import Follower
from support.causes import CAUSES

STEPS = st.lists(
    st.sampled_from(
        [
            *("log", "log", "log", "look", "look", "flush", "open again"),
            *("deleted", "moved", "made-again", "truncated", "queue-deleted"),
        ]
    ),
    max_size=25,
)


@settings(max_examples=25)
@given(STEPS)
def test_every_event_of_a_session_is_seen_once_and_in_order(steps: list[str]) -> None:
    """Whatever a running logger survives, its follower does."""
    with tempfile.TemporaryDirectory() as directory:
        log = SessionLogger("agent", "s", output_dir=directory)
        log.open()
        path = Path(directory, "agent_s.jsonl")
        follower = Follower(path, lambda _: None)
        seen: list[int] = []
        logged = 0

        def look() -> None:
            seen.extend(int(entry.event.path) for entry in follower.new() if isinstance(entry.event, FileEvent))

        for step in steps:
            if step == "log":
                logged += 1
                log.log_file_read(str(logged))
            elif step == "look":
                look()
            elif step == "flush":
                log.flush()
            elif step == "open again":
                log.close()
                log = SessionLogger("agent", "s", output_dir=directory)
                log.open()
            else:
                _tamper(step, log)
        log.close()
        look()
        follower.close()
        assert seen == sorted(set(seen))
        assert {int(event.path) for event in read_events(path) if isinstance(event, FileEvent)} <= set(seen)
        if "truncated" not in steps:  # which loses what the ring has no more
            assert seen == list(range(1, logged + 1))


def _tamper(cause: str, log: SessionLogger) -> None:
    """Do something to the file that a running logger writes, which notices at its next flush."""
    log.flush()
    current = segment_path(log.path, log.statistics().segment)
    if not current.exists() or current.stat().st_size < 400:
        return
    if cause == "moved" and current.with_name(current.name + ".1").exists():
        os.unlink(current.with_name(current.name + ".1"))
    CAUSES[cause](log.path if cause == "queue-deleted" else current)
    log.flush()
