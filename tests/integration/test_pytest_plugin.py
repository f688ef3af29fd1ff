"""The fixtures for pytest, as a project of a user's has them: found by their entry point, in a run of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import deia
from deia import SessionLogger, ToolEvent
from deia.pytest_plugin import deia_clock, deia_events, deia_sessions_dir  # noqa: F401  # fixtures

SOURCE = Path(deia.__file__).parents[1]

OTHERS = [
    f"-pno:{name}" for name in ("anyio", "asyncio", "cacheprovider", "cov", "hypothesispytest", "timeout", "xdist")
]
"""Plugins that our tests need and a user's project may not have; some of them import anyio, too."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory of a user's, and beside it what an installation of this package puts where Python looks."""
    metadata = tmp_path / "site" / "deia-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: deia\nVersion: 0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[pytest11]\ndeia = deia.pytest_plugin\n", encoding="utf-8")
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def run_pytest(project: Path, tests: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run tests as a user does."""
    (project / "test_agent.py").write_text(tests, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *OTHERS, "-W", "error", *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(project.parent / "site"), str(SOURCE)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


TESTS = """
from deia import SessionLogger, ToolEvent

log = SessionLogger("agent", "at-import", output_dir="elsewhere")  # as a module of an agent has it

def agent():
    log.log_tool_call("earlier", {}, 1)
    SessionLogger("agent").log_tool_call("new", {}, 2)

def test_events(deia_events, deia_sessions_dir):
    agent()
    assert sorted(event.name for event in deia_events.of(ToolEvent)) == ["earlier", "new"]
    assert [path.name.startswith("agent_") for path in deia_sessions_dir.glob("*.jsonl")] == [True]

def test_clock(deia_events, deia_clock):
    with log.task("slow"):
        deia_clock.advance(90)
    assert deia_events[-1].duration_ms == 90_000

def test_nothing_of_the_test_before_is_seen(deia_events):
    assert deia_events == []
"""


def test_fixtures_are_there_where_the_package_is_installed(project: Path) -> None:
    """Nothing has to be imported or configured; and the run has no warning of ours."""
    done = run_pytest(project, TESTS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert {path.name for path in project.iterdir()} - {"__pycache__"} == {"elsewhere", "test_agent.py"}


def test_failed_assertion_shows_what_was_recorded(project: Path) -> None:
    """And the line of the test, not those of the harness."""
    tests = TESTS + "\ndef test_wrong(deia_events):\n    agent()\n    deia_events.one(ToolEvent, name='other')\n"
    done = run_pytest(project, tests)
    assert done.returncode == 1
    assert "expected one ToolEvent with name='other', found 0; recorded were 2:" in done.stdout
    assert "capture.py" not in done.stdout


def test_fixtures_can_be_switched_off(project: Path) -> None:
    """`-p no:deia` is enough."""
    done = run_pytest(project, TESTS, "-p", "no:deia")
    assert "fixture 'deia_events' not found" in done.stdout


def test_fixtures_are_listed_with_what_they_are(project: Path) -> None:
    """`pytest --fixtures` is where they are looked for."""
    done = run_pytest(project, "", "--fixtures")
    for name in ("deia_sessions_dir", "deia_events", "deia_clock"):
        assert name in done.stdout
    assert "standing still" in done.stdout


def test_test_run_that_uses_none_of_them_imports_next_to_nothing_of_ours(project: Path) -> None:
    """Every test run of the environment pays for what is imported here."""
    tests = """
import sys

def test_modules():
    ours = {name for name in sys.modules if name.split(".")[0] in ("deia", "orjson", "anyio", "aiofiles")}
    assert ours <= {"deia", "deia.pytest_plugin"}, ours
"""
    done = run_pytest(project, tests)
    assert done.returncode == 0, done.stdout


def test_recording_is_on_whatever_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """For loggers that the test makes."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    events = request.getfixturevalue("deia_events")
    SessionLogger("agent").log_tool_call("a", {}, 1)
    assert events == [ToolEvent("a", {}, 1)]


def test_fixtures_go_together(request: pytest.FixtureRequest) -> None:
    """A logger of the test's is where the directory says, at the time that the clock says."""
    events, clock, directory = map(request.getfixturevalue, ("deia_events", "deia_clock", "deia_sessions_dir"))
    logger = SessionLogger("agent", "s")
    logger.log_tool_call("a", {}, 1)
    assert events.one(ToolEvent).timestamp == clock.time
    assert logger.path == directory / "agent_s.jsonl"
