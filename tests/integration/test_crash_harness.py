"""`deia.testing.run_and_kill`: an agent is killed at work, and its log is held against what it had been promised."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from deia import SessionEvent, SessionLogger
from deia.testing import CrashedRun, Tally, run_and_kill

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")


COUNTING = """
from deia import SessionLogger
log = SessionLogger("agent", "s")
with log.task("count"):
    log.log_tool_call("one", {}, 1)
print("the end")
"""


def test_agent_that_ends_before_it_is_killed_proves_nothing(tmp_path: Path) -> None:
    """It is said how it ended, after how many events, and what it said."""
    (tmp_path / "agent.py").write_text(COUNTING, encoding="utf-8")
    with pytest.raises(AssertionError, match=r"ended with exit code 0, after 3 events, saying:\nthe end"):
        run_and_kill(tmp_path / "agent.py", cwd=tmp_path, after_events=4)


def test_agent_that_fails_shows_why(tmp_path: Path) -> None:
    """Its traceback is in the message."""
    (tmp_path / "agent.py").write_text("raise KeyError('no such tool')", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"ended with exit code 1, after 0 events(?s:.*)KeyError: 'no such tool'"):
        run_and_kill(tmp_path / "agent.py", cwd=tmp_path, after_s=0)


def test_agent_that_does_not_get_there_in_time_is_ended(tmp_path: Path) -> None:
    """Nothing of it goes on after the test."""
    (tmp_path / "agent.py").write_text("import os, threading; print(os.getpid()); threading.Event().wait()", "utf-8")
    for when in ({"after_events": 1}, {"after_s": 0.0}):
        with pytest.raises(AssertionError, match=r"not get there in 0.5 s, after 0 events") as told:
            run_and_kill(tmp_path / "agent.py", cwd=tmp_path, timeout_s=0.5, **when)
        pid = told.value.args[0].split()[-1]
        if pid.isdigit():  # it had come to say it
            with pytest.raises(ProcessLookupError):
                os.kill(int(pid), 0)


def two_sessions(directory: str) -> None:
    """An agent with two sessions, one of them continued."""
    earlier = SessionLogger("agent", "earlier", output_dir=directory)
    other = SessionLogger("agent", "other", output_dir=directory)
    for _ in range(10):
        earlier.log_tool_call("a", {}, 1)
        other.log_tool_call("b", {}, 1)


def test_each_session_of_an_agent_is_looked_at(tmp_path: Path) -> None:
    """What an earlier run has recorded is not owed by this one, nor the line that says that it was continued."""
    with SessionLogger("agent", "earlier", output_dir=tmp_path) as logger:
        logger.log_tool_call("before", {}, 1)
    run = run_and_kill(two_sessions, str(tmp_path), cwd=tmp_path, after_events=6).assert_complete()
    assert run.acknowledged == 6
    assert sorted(path.name for path in run.paths) == ["agent_earlier.jsonl", "agent_other.jsonl"]
    assert len([event for event in run.events if isinstance(event, SessionEvent)]) == 1
    assert len(run.events) == 1 + 1 + 6


def forgetful(directory: str) -> None:
    """An agent whose log loses a line, by the hand of whoever wrote this."""
    logger = SessionLogger("agent", "s", output_dir=directory, queue_mode="write")
    for number in range(4):
        logger.log_tool_call("step", {"number": number}, 1)
    lines = logger.path.read_bytes().splitlines(keepends=True)
    logger.path.write_bytes(lines[0] + lines[0] + lines[2] + b"{damaged}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def test_loss_is_found_and_told(tmp_path: Path) -> None:
    """The check checks: events that are missing or there twice, and damage, fail it by name."""
    run = run_and_kill(forgetful, str(tmp_path), cwd=tmp_path, after_events=100)
    assert (run.acknowledged, run.found, run.missing) == (4, 2, 2)
    assert run.lost == tuple(f"{run.paths[0]}: seq {seq}" for seq in (2, 4))
    with pytest.raises(AssertionError, match=r"of 4 acknowledged events: .*agent_s\.jsonl: seq 2 is missing; .*seq 4"):
        run.assert_complete()


def test_log_that_is_gone_is_a_loss(tmp_path: Path) -> None:
    """Nothing of it is there."""
    run = run_and_kill(thrown_away, str(tmp_path), cwd=tmp_path, after_events=100)
    assert (run.acknowledged, run.found, run.missing, run.events) == (1, 0, 1, ())


def thrown_away(directory: str) -> None:
    """An agent that removes its log."""
    logger = SessionLogger("agent", "s", output_dir=directory)
    logger.log_tool_call("step", {}, 1)
    logger.path.unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def test_runs_add_up_to_a_tally() -> None:
    """Of many of them, and of other deaths."""
    runs = [CrashedRun(tried=1, acknowledged=2, found=2, output="x"), Tally(1, 5, 4, 1)]
    assert sum(runs, Tally()) == Tally(tried=2, acknowledged=7, found=6, missing=1)


def test_what_to_run_and_when_has_to_be_said(tmp_path: Path) -> None:
    """A function that another process cannot find, no moment or two of them: each is said at once."""
    for wrong in ({}, {"after_events": 1, "after_s": 1.0}, {"after_events": 0}):
        with pytest.raises(ValueError, match="after_events"):
            run_and_kill(two_sessions, cwd=tmp_path, **wrong)

    def inside() -> None: ...

    for function in (inside, lambda: None, json.JSONEncoder.encode, len):
        with pytest.raises(ValueError, match="at the top of a file"):
            run_and_kill(function, cwd=tmp_path, after_events=1)


def test_environment_and_arguments_are_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And recording is on, whatever the environment of the tests says."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    script = 'import os, sys; from deia import SessionLogger; print("said"); log = SessionLogger(sys.argv[1], "s")\n'
    (tmp_path / "agent.py").write_text(script + 'log.log_file_read(os.environ["WHAT"])', encoding="utf-8")
    run = run_and_kill(tmp_path / "agent.py", "me", cwd=tmp_path, env={"WHAT": "this"}, after_events=1)
    assert (run.events[0].path, run.events[0].agent_id, run.output) == ("this", "me", "said\n")
