"""The command line, `deia`: what it prints where, and how it exits."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import pty
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import deia
from deia import SessionLogger
from deia.cli import analyze as analyze_module
from deia.cli import main
from deia.cli import reading as reading_module
from deia.cli.app import PROGRAM, commands
from deia.cli.output import Output, jsonable
from deia.cli.text import moment
from deia.journal.recovery import lock_session
from deia.queue.layout import queue_path
from support.command_line import Result, Run, runner
from support.journals import Lines, encode, journal_path, write_queue
from support.processes import TIMEOUT_S

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia` in this process; `terminal=True` makes it believe that it writes to one."""
    return runner(capsys, monkeypatch)


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """Start `python -m deia` as a shell does, its output in pipes."""
    return subprocess.Popen(
        [sys.executable, "-m", "deia", *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Result:
    with process:
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
    return Result(process.returncode, out, err)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


@pytest.fixture
def log(journal: Path) -> Path:
    """A session of ten seconds: one task takes six of them, another one three and was not completed."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("build")
        + lines.file("read", "/src/a.py", at=1)
        + lines.tool("compile", 4000, at=5)
        + lines.tool("compile", 500, params={"error": "no space"}, at=5)
        + lines.complete(1, "build", at=6)
        + lines.begin("test", at=7)
        + lines.file("write", "/out/a.txt", at=10)
    )
    return journal


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A log of three lines, the second of which cannot be read."""
    path = tmp_path / "damaged.jsonl"
    lines = Lines()
    first, second, third = lines.tool(), lines.tool(), lines.tool()
    path.write_bytes(first + b"#" + second[1:] + third)
    return path


# analyze


def test_analyze_shows_where_the_time_went(cli: Run, log: Path) -> None:
    """Tasks with their shares, bottlenecks, tools with their errors, counts, open tasks."""
    code, out, err = cli("analyze", log)
    assert (code, err) == (0, "")
    assert re.search(r"^Session time +10\.0 s$", out, re.MULTILINE)
    assert re.search(r"^Tasks +1 completed \(360\.0 / h\), 1 open$", out, re.MULTILINE)
    assert re.search(r"^build +1 +6\.000 s +60\.0 %$", out, re.MULTILINE)
    assert "Bottlenecks (more than 30 % of the session time)\n 60.0 %  build\n" in out
    assert re.search(r"^compile +2 +1 +4\.500 s", out, re.MULTILINE)
    assert re.search(r"^test +\d{4}-\d\d-\d\d \S+ +3\.000 s$", out, re.MULTILINE)
    assert re.search(r"^Files read +1 ", out, re.MULTILINE)


def test_analyze_shows_what_models_took_and_what_went_wrong(cli: Run, journal: Path) -> None:
    """In short, and by model, though there is one only; the same in JSON."""
    lines = Lines()
    journal.write_bytes(
        lines.llm("large", 900, at=1, input_tokens=1000, cache_read_tokens=250, output_tokens=20, cost_usd=0.0125)
        + lines.llm("large", at=2, input_tokens=3000, output_tokens=30, cost_usd=0.03, error="overloaded")
        + lines.tool("pytest", at=3, error="2 failed")
    )
    out = cli("analyze", journal).out
    assert re.search(r"^Models +2 calls: 4,000 tokens in, 50 out, \$0\.0425$", out, re.MULTILINE)
    assert re.search(r"^Errors +2$", out, re.MULTILINE)
    assert out.endswith(
        "\nModels\n"
        "Model    Calls  Input  Output     Cost  Input from cache\n"
        "p/large      2  4,000      50  $0.0425             6.2 %\n"
    )
    (found,) = json.loads(cli("analyze", journal, "--json").out)
    assert (found["models"]["p/large"]["input_tokens"], found["errors"]) == (4000, 2)


def test_analyze_reads_the_original_format(cli: Run, tmp_path: Path) -> None:
    """As in the sample of the original module."""
    path = tmp_path / "old.jsonl"
    path.write_bytes(
        encode({"name": "write_tests", "start_time": 1697654400.123, "end_time": 1697656200.456, "metadata": {}})
        + encode({"path": "/tests/test_logger.py", "operation": "read", "size_bytes": 4096, "lines": None})
        + encode({"name": "pytest", "params": {"path": "tests/"}, "duration_ms": 2500})
    )
    code, out, _ = cli("analyze", path)
    assert code == 0
    assert re.search(r"^write_tests +1 +0:30:00\.3 +100\.0 %$", out, re.MULTILINE)


def test_analyze_of_several_files_shows_each_and_the_bad_one_hides_none(
    cli: Run, log: Path, damaged: Path, tmp_path: Path
) -> None:
    """The highest exit code counts; what cannot be read is one line on standard error."""
    (tmp_path / "notes.txt").write_text("not a log\n")
    code, out, err = cli("analyze", tmp_path / "missing.jsonl", log, tmp_path / "notes.txt", damaged)
    assert code == 2
    assert [line for line in out.splitlines() if line in (str(log), str(damaged))] == [str(log), str(damaged)]
    first, second = err.splitlines()
    assert first == f"deia: {tmp_path / 'missing.jsonl'}: No such file or directory"
    assert second.startswith(f"deia: {tmp_path / 'notes.txt'} is not a session log")


def test_analyze_exits_1_on_damage_and_says_where_it_is(cli: Run, damaged: Path) -> None:
    """Line number, byte offset and reason."""
    code, out, err = cli("analyze", damaged)
    assert (code, err) == (1, "")
    assert re.search(r"^1 problem with the file$", out, re.MULTILINE)
    offset = damaged.read_bytes().index(b"#")
    assert re.search(rf"^ *2 +{offset}  not JSON: ", out, re.MULTILINE)


def test_torn_end_is_shown_and_is_fine(cli: Run, log: Path) -> None:
    """A crash leaves it, and no recorded event was in it."""
    with log.open("ab") as file:
        file.write(b'{"type":"TaskEv')
    code, out, _ = cli("analyze", log)
    assert code == 0
    assert "a torn end: 15 bytes" in out
    assert re.search(r"^1 torn end$", out, re.MULTILINE) and "problem" not in out


@pytest.mark.parametrize("lines", [1, 150])
def test_problems_are_the_same_number_whoever_counts_them(cli: Run, journal: Path, lines: int) -> None:
    """A torn end is told of beside them, and is none of them; so it is where more than are listed come before it."""
    journal.write_bytes(Lines().tool() + b"#\n" * lines + b'{"type":"To')
    problems = "1 problem" if lines == 1 else "150 problems"
    for command in ("analyze", "check", "summary", "profile"):
        shown = cli(command, journal).out
        assert f"\n{problems} with the file, and 1 torn end\n" in shown
        assert re.search(r"a torn end: 11 bytes", shown)
    assert f"{problems} with the file: what could not be read is in no figure" in cli("profile", journal).out
    said = f"{problems} with the file, the first in line 2" if lines > 1 else "a problem with the file in line 2"
    assert said in cli("export", "--to", "csv", journal).err


def test_list_of_problems_is_bounded_and_says_so(cli: Run, journal: Path) -> None:
    """A file damaged from end to end stays readable."""
    journal.write_bytes(Lines().tool() + b"#\n" * 150)
    code, out, _ = cli("analyze", journal)
    assert code == 1
    assert "150 problems with the file\n" in out
    assert out.endswith("… and 50 more\n")


def test_analyze_json_is_one_array_with_an_object_per_file(cli: Run, log: Path, damaged: Path, tmp_path: Path) -> None:
    """In the order given; what could not be read has its error."""
    code, out, err = cli("analyze", "--json", log, tmp_path / "missing.jsonl", damaged)
    first, second, third = json.loads(out)
    assert code == 2
    assert first["path"] == str(log)
    assert first["task_breakdown"] == {"build": 6000}
    assert first["bottlenecks"] == ["build"]
    assert first["tools"]["compile"]["errors"] == 1
    assert second == {"path": str(tmp_path / "missing.jsonl"), "error": err.removeprefix("deia: ").rstrip("\n")}
    assert third["damages"][0]["line"] == 2


def test_analyze_of_one_file_is_an_array_too(cli: Run, log: Path) -> None:
    """A script that passes a pattern need not care how many files it matched."""
    assert len(cli("analyze", log, "--json").json) == 1


def test_analyze_of_an_empty_session_shows_zeros(cli: Run, journal: Path) -> None:
    """It is fine."""
    journal.touch()
    code, out, err = cli("analyze", journal)
    assert (code, err) == (0, "")
    assert re.search(r"^Events +0$", out, re.MULTILINE)
    assert "No task was completed." in out


def test_compressed_log_is_read(cli: Run, log: Path, tmp_path: Path) -> None:
    """By its content, whatever it is called."""
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert cli("summary", packed, "--json").json["tasks_completed"] == 1


def test_running_session_is_analysed(cli: Run, tmp_path: Path) -> None:
    """Everything logged so far, flushed or not."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as logger:
        for _ in range(100):
            logger.log_file_read("/a", 1)
        assert cli("analyze", logger.path, "--json").json[0]["events"] == 100


def test_what_is_out_of_the_ordinary_is_said(cli: Run, journal: Path) -> None:
    """Dropped events, unknown types and operations, orphans, time that was not recorded."""
    lines = Lines()
    journal.write_bytes(
        lines.tool()
        + lines.dropped(7)
        + lines.line({"type": "ThoughtEvent", "text": "hm"})
        + lines.file("delete")
        + lines.complete(None, "orphan", orphan=True)
        + lines.continued(2, at=3600)
        + lines.tool(at=3601)
    )
    code, out, _ = cli("analyze", journal)
    assert code == 0
    assert "7, and 7 dropped because the queue was full (1 of unknown types)" in out
    assert "0 completed (0.0 / h), 0 open, 1 completion without a start" in out
    assert re.search(r"^Operation delete +1$", out, re.MULTILINE)
    assert re.search(r"^Session time +1 h 00 min, of which .* recorded$", out, re.MULTILINE)


def test_time_that_may_be_counted_twice_is_called_approximate(
    cli: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks that were set back far have that effect."""
    found = deia.analyze_session(log)
    found.session_time_exact = False
    monkeypatch.setattr(analyze_module, "analyze_session", lambda *_args, **_more: found)
    assert "10.0 s (approximate: clocks were set back)" in cli("analyze", log).out


@pytest.mark.parametrize(("seconds", "shown"), [(1e300, "1e+300 s"), (float("inf"), "-")])
def test_moment_beyond_the_calendar_is_shown_as_a_number(seconds: float, shown: str) -> None:
    """A damaged timestamp does not end the program."""
    assert moment(seconds) == shown


def test_long_tables_are_cut_in_a_terminal_and_whole_in_a_pipe(cli: Run, journal: Path) -> None:
    """grep wants them all, people the first twenty."""
    lines = Lines()
    for number in range(30):
        lines_of_task = lines.begin(f"task-{number}"), lines.complete(lines.seq, f"task-{number}", at=number + 1)
        with journal.open("ab") as file:
            file.write(b"".join(lines_of_task))
    assert cli("analyze", journal).out.count("task-") >= 30
    shown = cli("analyze", journal, terminal=True).out
    assert "… and 10 more tasks; --json has them all" in shown
    assert "task-0" not in shown


# summary


def test_summary_shows_the_figures_of_the_logger(cli: Run, tmp_path: Path) -> None:
    """Those of `get_session_summary`, counts exactly."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        logger.log_task_start("t")
        logger.log_file_write("/a", 3)
        logger.log_task_complete("t")
        live = logger.get_session_summary()
    code, out, err = cli("summary", logger.path, "--json")
    figures = json.loads(out)
    assert (code, err) == (0, "")
    assert figures.pop("path") == str(logger.path)
    assert figures.keys() == jsonable(live).keys()
    assert (figures["tasks_completed"], figures["files_written"], figures["files_read"]) == (1, 1, 0)
    assert re.search(r"^Tasks completed +1$", cli("summary", logger.path).out, re.MULTILINE)


def test_summary_of_a_damaged_log_exits_1(cli: Run, damaged: Path) -> None:
    """And shows the damage under the figures."""
    code, out, _ = cli("summary", damaged)
    assert code == 1
    assert re.search(r"^Tool calls +2$", out, re.MULTILINE)
    assert "1 problem with the file" in out


def test_summary_of_what_is_no_log_exits_2_with_one_line(cli: Run, tmp_path: Path) -> None:
    """A directory, for instance."""
    assert cli("summary", tmp_path) == (2, "", f"deia: {tmp_path}: a directory, not a session log\n")


# check


def test_check_of_sound_logs_is_fine(cli: Run, log: Path, tmp_path: Path) -> None:
    """One row each, a directory at any depth."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "other_1.jsonl").write_bytes(Lines("other", "1").tool())
    code, out, err = cli("check", tmp_path)
    assert (code, err) == (0, "")
    assert re.search(rf"^fine +7  {re.escape(str(log))}$", out, re.MULTILINE)
    assert re.search(r"^fine +1  .*other_1\.jsonl$", out, re.MULTILINE)
    assert out.endswith("2 session logs in order.\n")


def test_check_finds_damage_and_says_where(cli: Run, log: Path, damaged: Path) -> None:
    """The sound log beside it is fine all the same."""
    code, out, err = cli("check", log, damaged)
    assert (code, err) == (1, "")
    assert re.search(rf"^fine +7  {re.escape(str(log))}$", out, re.MULTILINE)
    assert re.search(rf"^damaged +2  {re.escape(str(damaged))}$", out, re.MULTILINE)
    assert re.search(r"^ *2 +\d+  not JSON: ", out, re.MULTILINE)
    assert out.endswith("1 of 2 session logs not in order.\n")


def test_check_finds_missing_events(cli: Run, journal: Path) -> None:
    """By the numbering of the lines."""
    lines = Lines()
    first, _, third = lines.tool(), lines.tool(), lines.tool()
    journal.write_bytes(first + third)
    code, out, _ = cli("check", journal)
    assert code == 1
    assert "seq 2 is missing before this line" in out


def test_check_of_what_is_no_log_is_a_finding(cli: Run, tmp_path: Path) -> None:
    """It may be all that is left of one."""
    (tmp_path / "zeros.jsonl").write_bytes(bytes(100))
    code, out, _ = cli("check", tmp_path)
    assert code == 1
    assert re.search(r"^no log +0  .*zeros\.jsonl$", out, re.MULTILINE)


def test_what_a_crash_leaves_is_fine_and_mentioned(cli: Run, journal: Path) -> None:
    """Events that wait in the queue file, a torn end, several runs, dropped events."""
    lines = Lines()
    content = lines.tool() + lines.continued(2) + lines.dropped(3)
    waiting = lines.tool()
    journal.write_bytes(content)
    write_queue(journal, content + waiting)
    other = journal.with_name("agent_torn.jsonl")
    other.write_bytes(Lines("agent", "torn").tool() + b'{"v')
    code, out, _ = cli("check", journal, other)
    assert code == 0
    assert f"{len(waiting)} B wait in the queue file; 2 runs; 3 events dropped because the queue was full" in out
    assert "a torn end of 3 bytes" in out


def test_check_of_a_running_session_is_fine(cli: Run, tmp_path: Path) -> None:
    """And says that it is running."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as logger:
        logger.log_file_read("/a", 1)
        code, out, _ = cli("check", tmp_path)
    assert code == 0
    assert re.search(r"agent_live\.jsonl  open in a logger$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("content", "remark"),
    [
        ("full", "only .agent_session.queue is there: the log was removed"),
        ("cut", "and cannot be read: the queue file is cut"),
    ],
)
def test_queue_file_whose_log_is_gone_is_a_finding(cli: Run, journal: Path, content: str, remark: str) -> None:
    """Named or in a directory."""
    line = Lines().tool()
    journal.touch()
    queue = write_queue(journal, line)
    journal.unlink()
    if content == "cut":
        queue.write_bytes(queue.read_bytes()[:1000])
    for path in (queue, journal, journal.parent):
        code, out, _ = cli("check", path)
        assert code == 1
        assert re.search(rf"^no log +-  {re.escape(str(journal))}  ", out, re.MULTILINE)
        assert remark in out


def test_lock_of_a_session_that_recorded_nothing_is_fine(cli: Run, journal: Path) -> None:
    """Its process died while it opened the session."""
    queue_path(journal).touch()
    code, out, _ = cli("check", journal.parent)
    assert code == 0
    assert "nothing was recorded" in out


def test_session_that_vanishes_during_the_check_is_a_finding(
    cli: Run, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed and taken away between two looks."""
    from deia.cli import check as check_module

    queue_path(journal).touch()
    monkeypatch.setattr(check_module, "read_window", lambda _journal: None)
    code, out, _ = cli("check", journal.parent)
    assert code == 1
    assert "it vanished just now" in out


def test_check_of_an_empty_directory_is_fine(cli: Run, tmp_path: Path) -> None:
    """There is nothing to find."""
    assert cli("check", tmp_path) == (0, "No session there.\n", "")


@pytest.mark.parametrize("command", ["check", "recover"])
def test_log_that_may_not_be_read_exits_2(
    cli: Run, log: Path, damaged: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """With one line on standard error; the others are dealt with."""
    from deia import system

    def guarded(operation: Callable[..., Any]) -> Callable[..., Any]:
        def guard(path: Any, **options: Any) -> Any:
            if Path(path) == damaged:
                raise PermissionError(13, "Permission denied", str(path))
            return operation(path, **options)

        return guard

    for name in ("stat", "open_existing"):
        monkeypatch.setattr(system, name, guarded(getattr(system, name)))
    code, out, err = cli(command, damaged, log)
    assert code == 2
    assert err == f"deia: {damaged}: Permission denied\n"
    assert str(log) in out


# recover


def test_recover_brings_in_what_waits_in_the_queue_file(cli: Run, journal: Path) -> None:
    """After it, other tools see everything, and the queue file is gone."""
    lines = Lines()
    content, waiting = lines.tool(), lines.tool()
    journal.write_bytes(content)
    write_queue(journal, content + waiting)
    code, out, err = cli("recover", journal.parent)
    assert (code, err) == (0, "")
    assert f"mended  {journal}  {len(waiting)} B recovered from the queue file\n" in out
    assert journal.read_bytes() == content + waiting
    assert not queue_path(journal).exists()
    assert re.search(r"^fine +\S+  nothing to do$", cli("recover", journal).out, re.MULTILINE)


def test_recover_cuts_a_torn_end(cli: Run, log: Path) -> None:
    """That is no loss."""
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"v')
    code, out, _ = cli("recover", log)
    assert code == 0
    assert "a torn end of 3 bytes cut" in out
    assert log.read_bytes() == whole


def test_recover_takes_out_what_cannot_be_read_and_keeps_the_original(cli: Run, damaged: Path) -> None:
    """That is a loss: exit code 1."""
    before = damaged.read_bytes()
    code, out, _ = cli("recover", damaged)
    assert code == 1
    assert "1 unreadable line taken out, the log as it was is damaged.jsonl.damaged-1" in out
    assert damaged.with_name("damaged.jsonl.damaged-1").read_bytes() == before


def test_recover_keeps_a_queue_file_that_it_could_not_use_in_full(cli: Run, log: Path) -> None:
    """That may be a loss: exit code 1."""
    queue_path(log).write_bytes(b"not a queue file")
    code, out, _ = cli("recover", log)
    assert code == 1
    assert "the queue file could not be used in full, and is kept as .agent_session.queue.aside-1" in out


def test_recover_leaves_a_running_session_alone(cli: Run, tmp_path: Path, log: Path) -> None:
    """The others are recovered."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as logger:
        logger.log_file_read("/a", 1)
        before = logger.path.read_bytes()
        code, out, err = cli("recover", tmp_path)
        assert logger.path.read_bytes().startswith(before)
    assert (code, err) == (1, "")
    assert f"open in a logger (process {os.getpid()}), left alone" in out
    assert re.search(rf"^fine +{re.escape(str(log))}  nothing to do$", out, re.MULTILINE)


def test_check_json_says_of_each_log_what_was_found_and_where(cli: Run, log: Path, damaged: Path) -> None:
    result = cli("check", log, damaged, log.with_name("none.jsonl"), "--json")
    fine, bad = result.json
    assert (result.code, fine["state"], fine["ok"], fine["damages"]) == (2, "fine", True, [])
    assert (bad["path"], bad["state"], bad["ok"]) == (str(damaged), "damaged", False)
    assert bad["damage_count"] == len(bad["damages"]) >= 1
    assert set(bad["damages"][0]) == {"path", "line", "offset", "kind", "reason"}
    assert cli("check", damaged, "--json").code == 1


def test_recover_json_says_of_each_log_what_was_done(cli: Run, log: Path, damaged: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text("no log\n")
    result = cli("recover", log, damaged, foreign, "--json")
    fine, mended, refused = result.json
    assert (result.code, fine["state"], fine["removed"]) == (2, "fine", 0)
    assert (mended["state"], mended["removed"], mended["queue_aside"]) == ("mended", 1, None)
    assert Path(mended["asides"][0]).exists()
    assert refused == {"path": str(foreign), "error": f"{foreign} is not a session log: there is no event in it"}


def test_every_command_but_completion_has_json() -> None:
    for name, command in EVERY_COMMAND.items():
        if not isinstance(command, click.Group):
            has_json = any("--json" in option.opts for option in command.params)
            assert has_json is (name != f"{PROGRAM} completion"), name


def test_recover_names_no_process_where_it_cannot_be_told(cli: Run, log: Path) -> None:
    """A session that is being opened just now."""
    fd, _ = lock_session(queue_path(log))
    try:
        code, out, _ = cli("recover", log)
    finally:
        os.close(fd)
    assert code == 1
    assert "open in a logger, left alone" in out


def test_recover_refuses_what_is_no_log(cli: Run, tmp_path: Path) -> None:
    """Nothing is touched."""
    path = tmp_path / "notes.jsonl"
    path.write_text("not a log\n")
    code, _, err = cli("recover", path)
    assert code == 2
    assert err == f"deia: {path} is not a session log: there is no event in it\n"
    assert path.read_text() == "not a log\n"


def test_recover_of_an_empty_directory_says_so(cli: Run, tmp_path: Path) -> None:
    """It is fine."""
    assert cli("recover", tmp_path) == (0, "No session there.\n", "")


# Wrong usage, interruption, pipes, missing extra


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["analyze"], "deia: Missing argument 'PATH...'. (see: deia analyze --help)\n"),
        (["analyse", "x"], "deia: No such command 'analyse'.* (see: deia --help)\n"),
        (["summary", "--jsno", "x"], "deia: No such option:? '?--jsno'?.* (see: deia summary --help)\n"),
        (["summary", "a", "b"], "deia: Got unexpected extra argument (b) (see: deia summary --help)\n"),
        (["--nonsense"], "deia: No such option:? '?--nonsense'?.* (see: deia --help)\n"),
        (["check", "no/such/path"], "deia: no/such/path: No such file or directory\n"),
    ],
)
def test_wrong_usage_exits_2_with_one_line(cli: Run, elsewhere: Path, arguments: list[str], message: str) -> None:
    """It says what is wrong, and where to look."""
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    pattern = message.replace("(", r"\(").replace(")", r"\)").replace("...", r"\.\.\.")
    assert re.fullmatch(pattern, err), err


def test_command_alone_shows_the_help_and_exits_2(cli: Run) -> None:
    """A missing command is wrong usage, and the list of commands is the best answer to it."""
    code, out, err = cli()
    assert (code, err) == (2, "")
    assert "Usage: deia" in out
    assert all(name in out for name in commands.list_commands(click.Context(commands)))


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_exits_0(cli: Run, option: str) -> None:
    """For the program and for each command."""
    assert cli(option).code == 0
    for name in commands.list_commands(click.Context(commands)):
        code, out, err = cli(name, option)
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: deia {name} ")


def test_version_is_the_packages(cli: Run) -> None:
    """One line."""
    assert cli("--version") == (0, f"deia {deia.__version__}\n", "")


@pytest.mark.parametrize("where", [(analyze_module, "analyze_session"), (Output, "write")])
def test_interrupted_command_exits_130_and_says_nothing(
    cli: Run, log: Path, monkeypatch: pytest.MonkeyPatch, where: tuple[Any, str]
) -> None:
    """Ctrl-C is no error, while it works as while it writes, and a shell knows the code."""

    def interrupt(*_arguments: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(*where, interrupt)
    assert cli("analyze", log) == (130, "", "")


def test_bug_is_not_hidden(cli: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only errors that someone can act on become one line; anything else keeps its traceback."""

    def fail(*_arguments: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(analyze_module, "analyze_session", fail)
    with pytest.raises(ZeroDivisionError):
        cli("analyze", log)


def test_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    """`deia analyze … | head`: exit code 0, nothing on standard error."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(b"".join(lines.tool(f"tool-{number}") for number in range(5000)))  # more than a pipe holds
    process = start("analyze", path)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert finish(process)[::2] == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this platform has no full device")
@pytest.mark.parametrize("arguments", [["analyze"], ["--help"]])
def test_output_that_cannot_be_written_is_one_line(log: Path, arguments: list[str]) -> None:
    """A full disk, say."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "deia", *arguments, log],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "deia: standard output: No space left on device\n")


def test_python_m_deia_is_deia(damaged: Path) -> None:
    """The same program, with the exit code of the command."""
    assert finish(start("--version")).out == f"deia {deia.__version__}\n"
    code, out, err = finish(start("check", damaged))
    assert (code, err) == (1, "")
    assert out.endswith("1 of 1 session log not in order.\n")


def test_output_in_a_pipe_has_no_escapes_whatever_the_environment_says(log: Path) -> None:
    """Settings that force colours are meant for terminals."""
    result = finish(start("analyze", log, FORCE_COLOR="1", CLICOLOR_FORCE="1", TTY_COMPATIBLE="1", TERM="xterm"))
    assert result.code == 0
    assert ESCAPE not in result.out
    assert "─" not in result.out


def test_name_that_the_encoding_cannot_write_is_shown_escaped(journal: Path) -> None:
    """And the rest of the output is there."""
    journal.write_bytes(Lines().tool("werkzeug-ü-工具"))
    code, out, err = finish(start("analyze", journal, PYTHONIOENCODING="ascii", PYTHONUTF8="0"))
    assert (code, err) == (0, "")
    assert r"werkzeug-\xfc-\u5de5\u5177" in out


def test_damage_is_not_reported_twice(tmp_path: Path) -> None:
    """The reader's own warnings stay in the log of whoever configures one."""
    path = tmp_path / "future.jsonl"
    path.write_bytes(Lines().tool(v=99))
    code, out, err = finish(start("analyze", path))
    assert (code, err) == (1, "")
    assert "format version 99" in out


@pytest.mark.parametrize("extra", ["click", "rich"])
@pytest.mark.parametrize(
    "entry", ["from deia.cli import main; main()", "import runpy; runpy.run_module('deia', run_name='__main__')"]
)
def test_missing_extra_is_one_line_that_says_what_to_install(tmp_path: Path, extra: str, entry: str) -> None:
    """Exit code 2, no traceback."""
    code = f"import sys; sys.modules[{extra!r}] = None; {entry}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "deia: the command line needs click and rich: python -m pip install 'deia[cli]'\n"


def test_other_missing_module_is_a_bug_and_not_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps its traceback."""
    monkeypatch.delitem(sys.modules, "deia.cli.app")
    monkeypatch.setitem(sys.modules, "deia.cli.output", None)
    with pytest.raises(ModuleNotFoundError):
        main()


@pytest.fixture
def quiet_logging() -> Iterator[None]:
    """Takes away what `main` does to logging."""
    logger = logging.getLogger("deia")
    before = list(logger.handlers)
    yield
    logger.handlers[:] = before


def test_console_script_exits_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], quiet_logging: None
) -> None:
    """`deia` is `deia.cli:main`."""
    monkeypatch.setattr(sys, "argv", ["deia", "summary", "/no/such/file"])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    assert capsys.readouterr().err == "deia: /no/such/file: No such file or directory\n"


# Terminals and hostile logs


def test_tables_are_drawn_in_a_terminal(cli: Run, log: Path) -> None:
    """With lines and colours."""
    out = cli("analyze", log, terminal=True).out
    assert "─" in out
    assert ESCAPE in out


HOSTILE = "\x1b]0;owned\x07\x1b[2J[red]x[/red] [/nope] \r\n \u202egnp\x9b"


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_hostile_log_has_no_effect(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    """Whatever stands in it, it does not colour, move the cursor, break a line or crash: in names, paths and damage."""
    path = tmp_path / "hostile \x1b[31m.jsonl"
    lines = Lines(HOSTILE, HOSTILE)
    path.write_bytes(
        lines.begin(HOSTILE)
        + lines.complete(1, HOSTILE)
        + lines.begin(HOSTILE)
        + lines.tool(HOSTILE, duration_ms=2**63)
        + lines.file(HOSTILE, HOSTILE)
        + lines.line({"type": HOSTILE})
        + lines.line({"type": "TaskEvent", "name": HOSTILE, "start_time": 1e300, "end_time": 1e308})
        + lines.tool(v=HOSTILE)
        + b"\x1b[31m not JSON\n"
    )
    for command in ("analyze", "summary", "check"):
        code, out, err = cli(command, path, terminal=terminal)
        assert code == 1
        text = re.sub(r"\x1b\[[0-9;]*m", "", out) if terminal else out  # our own colours
        assert not {ESCAPE, "\x07", "\r", "\u202e", "\x9b"} & set(text + err)
    document = cli("analyze", "--json", path)
    assert document.out.isascii()
    assert HOSTILE in document.json[0]["task_breakdown"]


def test_hostile_path_in_an_error_is_escaped(cli: Run) -> None:
    """Errors are one line, whatever they name."""
    code, _, err = cli("analyze", "no\n\x1b[31m")
    assert code == 2
    assert err == "deia: no \\x1b[31m: No such file or directory\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output_leaves_the_exit_code(tmp_path: Path, closed: str) -> None:
    """Scripts that want nothing but the code close what they do not read."""
    log = journal_path(tmp_path)
    log.write_bytes(Lines().tool())
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_bytes(Lines().tool() + b"{\n")
    for path, code in ((log, 0), (damaged, 1), (tmp_path / "none.jsonl", 2)):
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" -m deia check "$1" {closed}', sys.executable, str(path)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr + done.stdout) == (code, False)


def test_json_has_no_number_that_is_none() -> None:
    """Infinite and not-a-number are null; what JSON has no form for is a bug and raises."""
    assert jsonable({"a": [1.5, float("inf"), float("nan")], 1: Path("x"), "t": (True, None)}) == {
        "a": [1.5, None, None],
        "1": "x",
        "t": [True, None],
    }
    with pytest.raises(TypeError, match="set has no form in JSON"):
        jsonable({1})


# Documentation


def commands_in(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command and those below it, in the order of their names."""
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in sorted(command.list_commands(context)):
            found = command.get_command(context, below)
            assert found is not None
            yield from commands_in(f"{name} {below}", found)


EVERY_COMMAND = dict(commands_in(PROGRAM, commands))


@pytest.mark.parametrize(("name", "command"), EVERY_COMMAND.items(), ids=EVERY_COMMAND)
def test_every_command_and_option_has_a_help_text(name: str, command: click.Command) -> None:
    """And every argument is explained in its command's text."""
    assert command.help
    assert name == PROGRAM or command.short_help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
        else:
            assert parameter.metavar
            assert parameter.metavar.strip(".[]") in (command.help or ""), f"{name}: {parameter.metavar}"


def test_reference_page_is_what_the_help_says() -> None:
    """Run `python docs/make_cli_reference.py` after a change of the commands."""
    made = runpy.run_path(str(ROOT / "docs" / "make_cli_reference.py"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"]()


def test_every_command_is_in_the_reference() -> None:
    """Under a heading of its own."""
    page = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == list(EVERY_COMMAND)


def test_signal_of_the_demo_is_the_one_it_names() -> None:
    """Help and output speak of SIGKILL."""
    assert "SIGKILL" in (EVERY_COMMAND[f"{PROGRAM} demo"].help or "")
    assert signal.SIGKILL


# The progress bar

EAGER = "import deia.cli.reading as reading; reading.SHOWN_AFTER_S = 0; from deia.cli import main; main()"


def watched(*arguments: object, stdout_in_terminal: bool = True) -> tuple[str, str]:
    """Run `deia` with its standard error in a terminal; return what that was shown, and what went into a pipe."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", EAGER, *map(str, arguments)],
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
        stdin=subprocess.DEVNULL,
        stdout=terminal if stdout_in_terminal else subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    piped = b""
    with process, open(controller, "rb", buffering=0) as screen:
        if process.stdout is not None:
            piped = process.stdout.read()
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed: that is how Linux says so
            while data := screen.read(65536):
                shown += data
        assert process.wait(TIMEOUT_S) == 0, shown
    return shown.decode(), piped.decode()


@pytest.mark.parametrize("command", ["analyze", "summary", "check"])
def test_long_log_is_read_under_a_progress_bar_that_is_gone_in_the_end(log: Path, command: str) -> None:
    """Before anything else is written: its line is erased, the cursor shown again."""
    shown, _ = watched(command, log)
    bar, _, rest = shown.rpartition(f"{ESCAPE}[2K")
    assert f"Reading {log.name}" in bar and "100%" in bar
    assert f"{ESCAPE}[?25h" in bar
    assert "Reading" not in rest and rest.strip()


@pytest.mark.parametrize("arguments", [("analyze",), ("analyze", "--json"), ("check",)])
def test_no_progress_bar_beside_a_pipe(log: Path, arguments: tuple[str, ...]) -> None:
    """What reads the pipe may write to the same terminal."""
    shown, piped = watched(*arguments, log, stdout_in_terminal=False)
    assert shown == ""
    assert log.name in piped


def test_no_progress_bar_for_what_takes_no_time(log: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would only flicker."""
    monkeypatch.setattr(reading_module, "SHOWN_AFTER_S", 3600)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli("analyze", log, terminal=True).err == ""


def test_progress_bar_is_gone_where_reading_fails(log: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message stands by itself."""
    monkeypatch.setattr(reading_module, "SHOWN_AFTER_S", 0)

    def failing(path: str, *, on_progress: Callable[[int, int], None], **options: object) -> None:
        on_progress(1, 2)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(analyze_module, "analyze_session", failing)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    err = cli("analyze", log, terminal=True).err
    bar, _, rest = err.rpartition(f"{ESCAPE}[2K")
    assert "Reading" in bar and rest.startswith("deia: ") and "Input/output error" in rest
