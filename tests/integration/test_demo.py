"""`deia demo`: a recording process is killed, a second one goes on, and nothing is missing."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import (
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    SessionLogger,
    TaskEvent,
    ToolEvent,
    analyze_session,
    profile_session,
    read_events,
)
from deia.cli.app import run
from deia.cli.demo import command as command_module
from deia.cli.demo import run as run_module
from deia.cli.demo.agent import Agent, Past
from deia.cli.demo.plan import Plan, make_plan
from deia.cli.demo.proof import Acknowledgement, acknowledgement_of
from deia.cli.demo.recorder import FAILED, Job, record, record_or_tell
from deia.cli.demo.run import DemoFailedError, Watcher, run_demo
from deia.errors import DeiaError
from deia.events import AnyEvent
from deia.journal.check import check
from support.lines import assert_gapless

pytestmark = pytest.mark.once

PACKAGES = {"http": 9, "json": 3, "logging": 2, "": 2}
"""Modules of a small library. Its packages are of those that get processes of their own, which take their time: so the
recorder is at work for long enough to be killed."""

EARLY = 10
"""Acknowledgements to wait for before the kill: most of the work is still to be done."""

PACE = 0.1
"""Nobody watches."""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A standard library in small."""
    root = tmp_path / "library"
    for package, modules in PACKAGES.items():
        (root / package).mkdir(parents=True, exist_ok=True)
        for number in range(modules):
            (root / package / f"m{number}.py").write_text(f"def f{number}():\n    return {number}\n")
    return root


@pytest.fixture
def small_demo(library: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Makes `deia demo` work on the small library; returns where the library is."""

    def run_small(output_dir: str | None, *, watcher: Watcher | None) -> run_module.Demo:
        return run_demo(output_dir, root=library, watcher=watcher, kill_at=lambda _events: EARLY, pace=PACE)

    monkeypatch.setattr(command_module, "run_demo", run_small)
    return library


def assert_done_once(plan: Plan, log: Path) -> None:
    """Every step of the plan is in the log, none twice, no task is open, and the log is whole."""
    steps: Counter[tuple[str, ...]] = Counter()
    for event in read_events(log):
        if isinstance(event, TaskEvent):
            steps["start" if event.end_time is None else "complete", event.name] += 1
        elif isinstance(event, FileEvent):
            steps[event.operation, event.path] += 1
        elif isinstance(event, ToolEvent) and not event.cancelled:  # as a kill that is only played does it
            steps["tool", event.name, event.params["target"]] += 1
        elif isinstance(event, LLMEvent):
            steps["model", str(event.response_id)] += 1
        elif isinstance(event, MessageEvent):
            steps["message", str(event.message_id)] += 1
    first, last = plan.checked[0], plan.checked[-1]
    twice = {("tool", "import", first.module), ("tool", "tabnanny", last.name)}
    assert {step for step, times in steps.items() if times == 2} == twice
    assert set(steps.values()) == {1, 2}
    assert steps.total() == plan.events
    assert {path for step, path, *_ in steps if step == "read"} == {str(file) for file in plan.files}
    assert analyze_session(log).open_tasks == []
    assert check(log).ok
    assert_gapless(log)


def test_demo_on_the_standard_library(tmp_path: Path) -> None:
    """The real thing, as a newcomer runs it: at least 2,000 events, a kill, and nothing missing."""
    done = subprocess.run(
        [sys.executable, "-m", "deia", "demo", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    log = Path(result["log"])
    assert log.parent == tmp_path / ".deia" / "sessions"
    assert result["missing"] == 0
    assert not result["has_gap"]
    assert result["found_after_kill"] >= result["acknowledged_before_kill"] > 800
    assert result["acknowledged"] >= 2000
    assert result["analysis"]["runs"] == 2
    assert result["summary"]["files_read"] == result["source_files"]
    assert_done_once(make_plan(), log)
    assert Path(result["report"]).read_text(encoding="utf-8").startswith("# The standard library of Python ")
    assert sorted(path.name for path in log.parent.iterdir()) == sorted((log.name, Path(result["report"]).name))
    assert_worth_a_look(log)
    assert profile_session(log).wall.human_ms > 500  # the person, who takes a second


def assert_worth_a_look(log: Path) -> None:
    """There is something of everything that reports are made of."""
    profile = profile_session(log)
    assert set(profile.models) == {"demo/demo-large", "demo/demo-small"}
    usages = profile.analysis.models.values()
    assert all(usage.cost_usd and usage.input_tokens and usage.output_tokens for usage in usages)
    assert profile.retries == 1
    assert "tabnanny" in {call.tool for call in profile.repeated}
    assert profile.error_count == 1
    assert max(profile.concurrency) > 1
    assert any(isinstance(event, TaskEvent) and event.parent_id is not None for event in read_events(log))


def test_demo_shows_what_was_acknowledged_found_and_recovered(
    small_demo: Path, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then the summary, where the time went, the tools, and what to run next; it is quiet in a pipe until then."""
    assert run(["demo", "--output-dir", "out"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    (log,) = (elsewhere / "out").glob("*.jsonl")
    facts = dict(line.split("  ", 1) for line in out.splitlines() if "  " in line)
    acknowledged = int(facts["Acknowledged before SIGKILL"].split()[0])
    assert acknowledged >= EARLY
    assert int(facts["Found after it"].split()[0]) >= acknowledged
    assert facts["Missing"].strip() == "0"
    assert "No acknowledged event is missing.\n" in out
    for heading in ("Summary", "Where the time went", "Tools", "Where it is"):
        assert f"\n\n{heading}\n" in out
    assert facts["Velocity"].endswith(" (tasks, of the time recorded)")  # analyze has them over the session time
    commands = "".join(f"deia {command} out/{log.name}\n" for command in ("analyze", "report", "profile"))
    assert out.endswith(f"What to run next\n{commands}")
    assert_done_once(make_plan(small_demo), log)


def test_demo_shows_a_progress_bar_to_whoever_watches(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On standard error, and only where both streams are terminals."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for stream in (sys.stdout, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    assert run(["demo", "--output-dir", str(tmp_path / "out"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["missing"] == 0
    assert "Killed with SIGKILL; continuing" in err
    planned = make_plan(small_demo).events
    assert f" {planned}/{planned} events " in re.sub(r"\x1b\[[0-9;]*m", "", err)


def test_demo_counts_a_call_that_was_recorded_but_not_acknowledged(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill may come between the two; the second process does not record it again, and the count still gets full."""
    counted = []

    class Counting(Watcher):
        def advance(self, events: int) -> None:
            counted.append(events)

    def record_and_forget(*arguments: Any, **kill: int) -> list[Acknowledgement]:
        acknowledged = record_really(*arguments, **kill)
        return acknowledged[:-1] if kill else acknowledged

    record_really = run_module._record
    monkeypatch.setattr(run_module, "_record", record_and_forget)
    done = run_demo(str(tmp_path / "out"), root=library, watcher=Counting(), kill_at=lambda _events: EARLY, pace=PACE)
    assert done.missing == 0
    assert counted[-1] == make_plan(library).events


def test_demo_records_even_where_loggers_are_switched_off(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs it wants to see it."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    assert run(["demo", "--output-dir", str(tmp_path / "out")]) == 0


def test_missing_event_is_said_and_exits_1(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The demo would not hide what it is there to disprove."""

    def forgetful(path: Path) -> Iterator[AnyEvent]:
        return (event for event in read_events(path) if event.seq != 5)

    monkeypatch.setattr(run_module, "read_events", forgetful)
    assert run(["demo", "--output-dir", str(tmp_path / "out")]) == 1
    out = capsys.readouterr().out
    assert "acknowledged events missing. That must not be: please report it." in out
    assert "The numbering of the events has a gap." in out


# What goes wrong


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a demo that cannot be; return its code and its one line."""
    code = run(["demo", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return code, err


def test_library_without_sources_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interpreter may come with compiled files only."""
    monkeypatch.setattr(run_module, "make_plan", lambda _root: make_plan(tmp_path))
    code, err = fails(capsys)
    assert code == 1
    assert err == f"deia: there are no Python sources in {tmp_path}: the demo needs the standard library's\n"


def test_directory_that_cannot_be_made_is_one_line(
    small_demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording process says why; it does not go on in memory."""
    (tmp_path / "file").touch()
    code, err = fails(capsys, "--output-dir", tmp_path / "file" / "out")
    assert code == 1
    assert err.startswith("deia: the recording process failed: cannot record: ")


def test_error_of_the_system_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the file."""

    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(28, "No space left on device", "/tmp/deia-demo-x")

    monkeypatch.setattr(command_module, "run_demo", full)
    assert fails(capsys) == (2, "deia: /tmp/deia-demo-x: No space left on device\n")


def test_process_that_is_done_before_the_kill_is_an_error(library: Path, tmp_path: Path) -> None:
    """There would be nothing to show."""
    with pytest.raises(DemoFailedError, match="had done all its work before it could be killed"):
        run_demo(str(tmp_path / "out"), root=library, kill_at=lambda _events: 10**9, pace=PACE)


def test_second_process_that_fails_is_an_error(library: Path, tmp_path: Path) -> None:
    """With the last line of what it said."""

    class Vandal(Watcher):
        def killed(self, events: int) -> None:
            (log,) = (tmp_path / "out").glob("*.jsonl")
            log.with_suffix(".report.md").mkdir()

    with pytest.raises(DemoFailedError, match=r"the recording process failed: IsADirectoryError: "):
        run_demo(str(tmp_path / "out"), root=library, kill_at=lambda _events: EARLY, watcher=Vandal(), pace=PACE)


def test_interrupted_demo_takes_its_process_with_it(
    small_demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C: exit code 130, nothing said, nobody left at work."""
    processes: list[subprocess.Popen[bytes]] = []

    class Started(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            processes.append(self)

    def interrupt(_self: Watcher, _events: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Started)
    monkeypatch.setattr(Watcher, "advance", interrupt)
    assert run(["demo", "--output-dir", str(tmp_path / "out")]) == 130
    assert capsys.readouterr() == ("", "")
    (process,) = processes
    assert process.returncode is not None


# The agent, in this process


class Crash(Exception):
    """Stands for the end of a process."""


def work(logger: SessionLogger, library: Path, *, crash_after: int | None = None) -> list[tuple[str, str]]:
    """Do what is left of the work, or die in it; return what was acknowledged."""
    acknowledged: list[tuple[str, str]] = []

    def acknowledge(kind: str, name: str) -> None:
        acknowledged.append((kind, name))
        if len(acknowledged) == crash_after:
            raise Crash

    workspace = library.with_name("workspace")
    workspace.mkdir(exist_ok=True)
    agent = Agent(
        logger,
        make_plan(library),
        Past.read(logger.path),
        workspace=workspace,
        report=library.with_name("report.md"),
        acknowledge=acknowledge,
        pace=0.0,
    )
    asyncio.run(agent.work())
    return acknowledged


def test_agent_acknowledges_each_event_as_it_is_in_the_log(library: Path, tmp_path: Path) -> None:
    """As many as planned, in the same order."""
    with SessionLogger("agent", "whole", output_dir=tmp_path) as logger:
        acknowledged = work(logger, library)
    assert acknowledged == [acknowledgement_of(event) for event in read_events(logger.path)]
    assert_done_once(make_plan(library), logger.path)
    assert_worth_a_look(logger.path)


@pytest.mark.parametrize("crash_after", [1, 2, 4, 5, 6, 7, 8, 60, 134, 142])
def test_agent_goes_on_where_it_was_stopped(library: Path, tmp_path: Path, crash_after: int) -> None:
    """Nothing is done twice, nothing is left out, and the tasks that were open are completed."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger, pytest.raises(Crash):
        work(logger, library, crash_after=crash_after)
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        work(logger, library)
    assert sum(isinstance(event, SessionEvent) for event in read_events(logger.path)) == 1
    assert_done_once(make_plan(library), logger.path)


def test_recorder_acknowledges_on_its_descriptor(library: Path, tmp_path: Path) -> None:
    """One line of JSON per event."""
    (tmp_path / "workspace").mkdir()
    job = Job(
        agent_id="agent",
        session_id="s",
        output_dir=str(tmp_path / "out"),
        root=str(library),
        workspace=str(tmp_path / "workspace"),
        report=str(tmp_path / "report.md"),
        pace=0.0,
    )
    assert Job(**json.loads(job.to_json())) == job
    with (tmp_path / "acknowledgements").open("wb") as file:
        record(job, file.fileno())
    lines = (tmp_path / "acknowledgements").read_text(encoding="utf-8").splitlines()
    assert len(lines) == make_plan(library).events
    assert [json.loads(line) for line in lines[:2]] == [["message", "user"], ["start", "plan the review"]]


def test_recorder_does_not_go_on_in_memory(library: Path, tmp_path: Path) -> None:
    """What it acknowledged would be gone with it."""
    (tmp_path / "file").touch()
    job = Job("agent", "s", str(tmp_path / "file" / "out"), str(library), str(tmp_path), str(tmp_path / "report.md"))
    with (tmp_path / "acknowledgements").open("wb") as file, pytest.raises(DeiaError, match="cannot record: "):
        record_or_tell(job, file.fileno())
    ((kind, reason),) = map(json.loads, (tmp_path / "acknowledgements").read_text(encoding="utf-8").splitlines())
    assert kind == FAILED
    assert reason.startswith("cannot record: ")
