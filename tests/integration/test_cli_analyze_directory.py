"""`deia analyze DIR`: all sessions of a directory together."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from deia import analyze_session
from support.command_line import Run, runner
from support.fleets import write_session
from support.journals import Lines, journal_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia` in this process; `terminal=True` makes it believe that it writes to one."""
    return runner(capsys, monkeypatch, width=120)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """Three sessions of an hour each, at different depths."""
    write_session(tmp_path, "one", tools={"pytest": [100, 200], "git": [50]}, errors=1)
    write_session(tmp_path, "two", tools={"pytest": [300]}, tasks=2)
    write_session(tmp_path / "deeper", "three", tools={"git": [70]})
    return tmp_path


def test_figures_of_all_sessions_are_added_up_and_each_is_listed(cli: Run, fleet: Path) -> None:
    """Tasks and tools by the time that they took everywhere."""
    code, out, err = cli("analyze", fleet)
    assert (code, err) == (0, "")
    assert re.search(r"^Sessions +3 \(3 finished\)$", out, re.MULTILINE)
    assert re.search(r"^Tasks +4 completed \(1\.3 / h\), 0 open$", out, re.MULTILINE)
    assert re.search(r"^Tool calls +5 ", out, re.MULTILINE)
    assert re.search(r"^build +4 +240\.000 s +100\.0 % ", out, re.MULTILINE)
    assert re.search(r"^pytest +3 +1 +600 ms +83\.3 % +\d+ ms +\d+ ms +300 ms$", out, re.MULTILINE)
    listed = [line for line in out.splitlines() if line.startswith("finished")]
    assert len(listed) == 3 and all(".jsonl" in line for line in listed)


def test_shares_say_what_they_are_of(cli: Run, fleet: Path) -> None:
    """Of a session its time; of many, which may have run side by side, what all their tasks or tools took together."""
    one, all_ = cli("analyze", fleet / "agent_one.jsonl").out, cli("analyze", fleet).out
    assert re.search(r"^Task +Runs +Time +Of session$", one, re.MULTILINE)
    assert re.search(r"^Task +Runs +Total +Of all tasks ", all_, re.MULTILINE)
    assert re.search(r"^Tool +Calls +Errors +Total +Of all tools ", all_, re.MULTILINE)


def test_name_of_any_length_makes_no_line_of_a_table_as_long(cli: Run, tmp_path: Path) -> None:
    """In a pipe neither; whoever wants all of it asks for JSON."""
    write_session(tmp_path, "long", tools={"x" * 1_000_000: [5]}, tasks=1)
    log = journal_path(tmp_path, "agent", "long")
    for command in (["analyze", tmp_path], ["analyze", log], ["profile", log], ["compare", log, log]):
        code, out, _ = cli(*command)
        assert code == 0 and max(map(len, out.splitlines())) < 1000
    assert "x" * 1_000_000 in cli("analyze", tmp_path, "--json").out


def test_json_has_the_figures_of_each_session_as_its_own_analysis(cli: Run, fleet: Path) -> None:
    """Beside those of all, and of each task and tool."""
    (found,) = json.loads(cli("analyze", "--json", fleet).out)
    assert found["path"] == str(fleet)
    assert found["figures"]["sessions"] == 3 and found["figures"]["tasks"] == 4
    assert list(found["tools"]) == ["pytest", "git"]
    assert found["tools"]["pytest"] | {"p50_ms": 0, "p95_ms": 0} == {
        "count": 3,
        "errors": 1,
        "timed": 3,
        "total_ms": 600,
        "p50_ms": 0,
        "p95_ms": 0,
        "max_ms": 300,
    }
    for session in found["sessions"]:
        analysis = analyze_session(session["path"])
        assert session["events"] == analysis.events
        assert session["session_ms"] == analysis.session_time_ms


def test_session_that_cannot_be_read_is_told_and_hides_no_other(cli: Run, fleet: Path) -> None:
    """It is listed, and the exit code says that there is something; so it does for damaged ones."""
    (fleet / "notes.jsonl").write_text("not a log\n")
    lines = Lines("agent", "damaged")
    (fleet / "agent_damaged.jsonl").write_bytes(lines.tool() + b"#\n" + lines.tool())
    code, out, err = cli("analyze", fleet)
    assert code == 2
    assert re.search(r"^Sessions +5 \(1 damaged, 3 finished, 1 no log\)$", out, re.MULTILINE)
    assert err.count("\n") == 1 and "notes.jsonl" in err


def test_directory_and_files_may_stand_beside_each_other(cli: Run, fleet: Path) -> None:
    """Each is shown in its own way."""
    found = json.loads(cli("analyze", "--json", fleet / "agent_one.jsonl", fleet).out)
    assert found[0]["task_breakdown"] == {"build": 60_000}
    assert len(found[1]["sessions"]) == 3


def test_target_is_judged_by_all_sessions_together(cli: Run, fleet: Path) -> None:
    """As a session is by itself."""
    assert cli("analyze", "--target", "tasks_per_hour=1", fleet).code == 0
    assert cli("analyze", "--target", "tasks_per_hour=2", fleet).code == 1


def test_terminal_is_shown_as_much_as_fits(cli: Run, tmp_path: Path) -> None:
    """A pipe, and JSON, get all."""
    for number in range(25):
        write_session(tmp_path, f"s{number}")
    shown = cli("analyze", tmp_path, terminal=True).out
    assert "… and 5 more sessions; --json has them all" in shown
    assert cli("analyze", tmp_path).out.count(".jsonl") == 25


def test_empty_directory_is_told(cli: Run, tmp_path: Path) -> None:
    """And is no error."""
    code, out, err = cli("analyze", tmp_path)
    assert (code, err) == (0, "")
    assert "No session there." in out
