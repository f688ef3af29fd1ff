"""`deia tail`: what it shows, where it stops, and what never reaches a terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from deia import SessionLogger, system
from deia.cli.app import run
from deia.cli.brief import brief, one_line
from deia.cli.output import Output
from support.journals import START, Lines, journal_path
from support.processes import TIMEOUT_S, watched


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was shown, without times."""
        return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", "", line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture
def tail(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia tail` in this process; `steps` are done while it waits, one each time, and then it is interrupted."""

    def run_it(*arguments: object, terminal: bool = False, steps: list[Callable[[], object]] | None = None) -> Result:
        left = list(steps or [])

        def wait(self: Output, timeout_s: float) -> bool:
            if not left:
                raise KeyboardInterrupt
            return left.pop(0)() == "closed"

        with monkeypatch.context() as patch:
            patch.setenv("TERM", "xterm-256color")
            patch.setattr(Output, "is_closed_within", wait)
            if terminal:
                patch.setattr(sys.stdout, "isatty", lambda: True)
            capsys.readouterr()
            code = run(["tail", *map(str, arguments)])
        return Result(code, *capsys.readouterr())

    return run_it


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_each_event_is_one_line_in_words(tmp_path: Path, tail: Run) -> None:
    """Type, tasks indented, name, duration, what went wrong."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(
        lines.begin("build", metadata={"priority": "P1"})
        + lines.tool("make", 2500, params={"jobs": 4}, task_id=1)
        + lines.tool("make", 5, task_id=1, error="no rule", error_type="MakeError")
        + lines.file("write", "/out/a", task_id=1, size_bytes=4096, lines=12)
        + lines.begin("inner", parent_id=1)
        + lines.llm("m", 1200, task_id=5, input_tokens=1200, output_tokens=30, attempt=2)
        + lines.message("user", "hello\n  there", task_id=5)
        + lines.error("boom", task_id=5, where="a.py:3 in f")
        + lines.decision("wait", reason="it rains", task_id=5)
        + lines.action_item("look", assignee="ann", task_id=5)
        + lines.complete(5, "inner", parent_id=1, cancelled=True)
        + lines.complete(1, "build", duration_ms=9000, error="failed", error_type="RuntimeError")
        + lines.complete(None, "alone", orphan=True)
        + lines.dropped(3)
        + lines.line({"type": "Deployed", "where": "eu", "task_id": None})
    )
    assert tail("-n", "all", tmp_path).lines == [
        'task     start build  {priority: "P1"}',
        "tool       make  2.50 s  {jobs: 4}",
        "tool       make  5 ms  failed: MakeError: no rule",
        "file       write /out/a  4.1 kB  12 lines",
        "task       start inner",
        "llm          p/m  1.20 s  1,200 tokens in, 30 out  $0.2500  attempt 2",
        "message      user: hello there",
        "error        ValueError: boom  (a.py:3 in f)",
        "decision     wait  (it rains)",
        "actionitem     [ ] look  ann  Friday",
        "task       cancelled inner  1.00 s",
        "task     failed build  9.00 s  RuntimeError: failed",
        "task     done  alone  1.00 s  (no start was logged)",
        "session  3 events dropped because the queue was full",
        'Deployed {where: "eu"}',
    ]


@pytest.mark.usefixtures("utc")
def test_line_in_a_pipe_begins_with_date_and_time(tmp_path: Path, tail: Run) -> None:
    """Each is complete in itself; in a terminal the date stands above the lines of its day."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(lines.tool("a", at=0.25) + lines.tool("b", at=1) + lines.tool("c", at=86400))
    assert tail(tmp_path).out.splitlines() == [
        "2023-11-14 22:13:20.250  tool     a  5 ms",
        "2023-11-14 22:13:21.000  tool     b  5 ms",
        "2023-11-15 22:13:20.000  tool     c  5 ms",
    ]
    shown = re.sub(r"\x1b\[[0-9;]*m", "", tail(tmp_path, terminal=True).out)
    assert shown.splitlines() == [
        "2023-11-14",
        "22:13:20.250  tool     a  5 ms",
        "22:13:21.000  tool     b  5 ms",
        "2023-11-15",
        "22:13:20.000  tool     c  5 ms",
    ]


def test_session_is_named_where_there_are_several(tmp_path: Path, tail: Run) -> None:
    """By its agent and its id, or the end of a long one."""
    journal_path(tmp_path, "agent", "s").write_bytes(Lines("agent", "s").tool("a"))
    long = "019ab2c4-5d6e-7f80-9123-456789abcdef"
    journal_path(tmp_path, "agent", long).write_bytes(Lines("agent", long, start=START + 1).tool("b"))
    assert tail(tmp_path).lines == ["agent/s  tool     a  5 ms", "agent/…56789abcdef  tool     b  5 ms"]


def test_colours_are_for_terminals_that_want_them(tmp_path: Path, tail: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a pipe nor NO_COLOR gets an escape sequence."""
    journal_path(tmp_path).write_bytes(Lines().tool("a"))
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in tail(tmp_path, terminal=True).out
    assert "\x1b" not in tail(tmp_path).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in tail(tmp_path, terminal=True).out


HOSTILE = "\x1b[2J\x1b]0;owned\x07\n\r\u202e\x7f\x9b31m[red]"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("option", [[], ["--json"]])
def test_hostile_text_reaches_no_terminal(
    tmp_path: Path, tail: Run, terminal: bool, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whatever field it stands: no escape sequence, no line break, no change of direction."""
    monkeypatch.setenv("NO_COLOR", "1")
    lines = Lines("agent", "s")
    text = HOSTILE
    journal_path(tmp_path, "agent", "s").write_bytes(
        lines.tool(text, params={text: text}, error=text, error_type=text, agent_id=text)
        + lines.begin(text, metadata={text: [text, {text: text}]})
        + lines.file(text, text)
        + lines.llm(text, error=text, error_type=text)
        + lines.message(text, text)
        + lines.message(text, [{text: text}])
        + lines.error(text, where=text, error_type=text)
        + lines.decision(text, reason=text)
        + lines.action_item(text, assignee=text, due=text)
        + lines.line({"type": text, text: text})
        + lines.line({"type": "SessionEvent", "event": text})
        + b"no line "
        + text.encode("utf-8", "surrogatepass")
        + b"\n"
    )
    result = tail("-n", "all", tmp_path, *option, terminal=terminal)
    said = result.out + result.err
    assert not set(said) & set("\x1b\x07\r\u202e\x7f\x9b")
    shown = [line for line in result.out.splitlines() if line]
    assert len(shown) == 11 + (terminal and not option)
    if option:
        assert json.loads(shown[0])["name"] == text


def test_value_of_any_size_takes_one_short_line(tmp_path: Path, tail: Run) -> None:
    """A text of a megabyte, and a list of a hundred thousand; `--json` has all of it."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(
        lines.tool("x" * 1_000_000, params={"a": list(range(100_000)), "b": "y" * 1_000_000})
        + lines.message("user", "z " * 500_000)
    )
    result = tail(tmp_path)
    assert [len(line) < 400 for line in result.out.splitlines()] == [True, True]
    assert len(json.loads(tail(tmp_path, "--json").out.splitlines()[0])["name"]) == 1_000_000


def test_line_of_any_depth_and_time_does_not_end_the_showing(tmp_path: Path, tail: Run) -> None:
    """Nested as deep as a parser goes, and logged beyond the calendar: it is shown, or it is said that it is not."""
    lines = Lines()
    deep = b'{"type":"Own","d":' + b"[" * 1000 + b"]" * 1000 + b',"seq":1,"session_id":"session"}\n'
    lines.seq = 1
    late = lines.tool("late", timestamp=9e12)
    journal_path(tmp_path).write_bytes(deep + late + lines.tool("last"))
    assert [line.split()[-3] for line in tail("-n", "all", tmp_path).out.splitlines()[1:]] == ["late", "last"]
    result = tail("-n", "all", tmp_path, "--json")
    assert result.err == "" or "nested too deep to be shown" in result.err
    assert [json.loads(line)["name"] for line in result.out.splitlines()[-2:]] == ["late", "last"]


def test_json_has_every_field_of_every_line(tmp_path: Path, tail: Run) -> None:
    """One object a line, as it stands in the log."""
    lines = Lines()
    content = lines.tool("é", further={"own": [1, 2.5, None]}) + lines.begin("b")
    journal_path(tmp_path).write_bytes(content)
    result = tail(tmp_path, "--json")
    assert [json.loads(line) for line in result.out.splitlines()] == [json.loads(line) for line in content.splitlines()]
    assert result.out.isascii()


def test_types_and_expressions_choose(tmp_path: Path, tail: Run) -> None:
    """Both at once."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(lines.tool("a", 5) + lines.tool("b", 5000) + lines.begin("b"))
    assert tail(tmp_path, "--type", "tool,task", "--where", "name = 'b'").lines == [
        "tool     b  5.00 s",
        "task     start b",
    ]
    assert tail(tmp_path, "--type", "tool", "--where", "duration_ms > 1000").lines == ["tool     b  5.00 s"]


def test_type_that_no_event_is_of_is_an_error_that_names_those_there_are(tmp_path: Path, tail: Run) -> None:
    """Ours, and those that a program has made up; one of these is asked for like ours, and found by its events."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(lines.tool("a") + lines.line({"type": "Deployed", "where": "eu"}))
    ours = "task, file, tool, llm, message, error, decision, actionitem, session"
    for name in ("bogus", "Deploy", "Bog*"):
        said = f"deia: --type {name!r}: no event is of this type; there are {ours}, and here Deployed\n"
        assert tail(tmp_path, "--type", name) == (2, "", said)
    for name in ("Deployed", "Deploy*", "*", "decision", "DecisionEvent", "Deci*"):
        code, _, err = tail(tmp_path, "--type", name)
        assert (code, err) == (0, "")
    code, out, err = tail(tmp_path, "--type", "bogus,tool", "--json")
    assert (code, len(out.splitlines()), err.startswith("deia: --type 'bogus': no event")) == (2, 1, True)


def test_type_that_may_have_events_all_the_same_is_no_error(tmp_path: Path, tail: Run) -> None:
    """Where only the last were looked at, or more may come: it is said at most."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(lines.line({"type": "Deployed"}) + lines.tool("a"))
    assert tail(tmp_path, "-n", "1", "--type", "tool,Deployed").err == ""
    code, out, err = tail(tmp_path, "--since", "2100-01-01", "--type", "Undeployed")
    assert (code, out) == (0, "") and err.startswith("deia: --type 'Undeployed': no event is of this type")
    more = journal.read_bytes() + lines.line({"type": "Undeployed", "why": "x"})
    _, out, err = tail("-f", journal, "--type", "Undeployed", steps=[lambda: journal.write_bytes(more)])
    assert 'Undeployed {why: "x"}' in out and err.count("no event is of this type") == 1


def test_directory_without_a_session_says_so(tmp_path: Path, tail: Run) -> None:
    """As `deia ls` does; JSON Lines of nothing are nothing."""
    assert tail(tmp_path)[:3] == (0, "No session there.\n", "")
    assert tail(tmp_path, "--json", "--type", "Mine") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--where", "name ="], "--where: a value is expected at character 7, where it ends"),
        (["--where", "name = )x"], "before ')x'"),
        (["--since", "yesterday"], "'yesterday' is neither a date such as 2026-11-23"),
        (["--since", "0001-01-01"], "'0001-01-01' is neither a date"),
        (["-n", "many"], "neither a number nor 'all'"),
    ],
)
def test_what_cannot_be_understood_is_said_in_one_line(
    tmp_path: Path, tail: Run, arguments: list[str], says: str
) -> None:
    """With its place, and exit code 2."""
    result = tail(tmp_path, *arguments)
    assert (result.code, result.out) == (2, "")
    assert says in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("since", "found"),
    [("90s", 1), ("2m", 2), ("1.5 h", 3), ("1d", 3), ("2023-11-14T22:13:20+00:00", 3), ("2023-11-14T22:15:20Z", 1)],
)
def test_since_takes_a_time_ago_or_a_date(
    tmp_path: Path, tail: Run, monkeypatch: pytest.MonkeyPatch, since: str, found: int
) -> None:
    """Seconds, minutes, hours, days; ISO with a zone, or in the local one."""
    lines = Lines()
    path = journal_path(tmp_path)
    path.write_bytes(b"".join(lines.tool(at=60 * minute) for minute in range(3)))
    monkeypatch.setattr(system, "now", lambda: START + 180)
    os.utime(path, (START + 120, START + 120))
    result = tail(tmp_path, "--since", since)
    assert (result.code, len(result.lines)) == (0, found)


def test_what_is_not_there_is_an_error(tmp_path: Path, tail: Run) -> None:
    """Unless it is followed; then it is waited for."""
    path = tmp_path / "agent_s.jsonl"
    result = tail(path)
    assert (result.code, result.err) == (2, f"deia: {path}: No such file or directory\n")
    result = tail("-f", path, steps=[lambda: path.write_bytes(Lines().tool("a"))])
    assert (result.code, result.lines) == (130, ["tool     a  5 ms"])
    assert "waiting for it" in result.err


def test_name_that_shows_as_nothing_is_worded(tmp_path: Path, tail: Run) -> None:
    """Of a tool, a task or a model; another program wrote the log."""
    lines = Lines()
    path = journal_path(tmp_path)
    path.write_bytes(lines.tool("") + lines.begin(" ") + lines.llm("", provider="acme"))
    tool, task, model = tail(path).lines
    assert tool.startswith("tool     (no name)  5 ms")
    assert task.startswith("task     start (no name)")
    assert model.startswith("llm      acme/(no name)  5 ms")


def test_damage_is_told_and_the_rest_is_shown(tmp_path: Path, tail: Run) -> None:
    """On standard error, with its place; the exit code is 1."""
    lines = Lines()
    path = journal_path(tmp_path)
    path.write_bytes(lines.tool("a") + b"damage\n" + lines.tool("b"))
    result = tail(path)
    assert (result.code, result.lines) == (1, ["tool     a  5 ms", "tool     b  5 ms"])
    assert result.err.startswith(f"deia: {path}: line 2 (byte ")


def test_followed_session_is_shown_event_by_event(
    tmp_path: Path, tail: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is written at once, before the background has it in the journal; Ctrl-C ends with 130."""
    log = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=3600)
    shown: list[str] = []

    def log_one() -> None:
        shown.append(capsys.readouterr().out)
        log.log_tool_call(f"tool {len(shown)}", {}, 5)

    result = tail("-f", log.path, steps=[log_one, log_one, log_one, lambda: shown.append(capsys.readouterr().out)])
    log.close()
    assert result.code == 130
    assert [text.rpartition("tool     ")[2] for text in shown] == ["", *(f"tool {n}  5 ms\n" for n in (1, 2, 3))]


def test_sessions_that_come_to_a_directory_are_followed(tmp_path: Path, tail: Run) -> None:
    """From their first event, and named once there are several."""
    loggers: list[SessionLogger] = []

    def begin(session: str) -> None:
        loggers.append(SessionLogger("agent", session, output_dir=tmp_path))
        loggers[-1].log_tool_call("begin", {}, 5)

    result = tail("-f", tmp_path, steps=[lambda: begin("a"), lambda: begin("b")])
    for log in loggers:
        log.close()
    assert result.lines == ["tool     begin  5 ms", "agent/b  tool     begin  5 ms"]


def test_following_ends_where_the_reader_of_its_output_has_gone(tmp_path: Path) -> None:
    """Without another event, and without a word: `deia tail -f | head -1`."""
    path = journal_path(tmp_path)
    path.write_bytes(Lines().tool("a"))
    process = watched(
        subprocess.Popen(
            [sys.executable, "-m", "deia", "tail", "-f", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    )
    assert process.stdout is not None and process.stderr is not None
    assert b"tool" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(TIMEOUT_S) == 0
    assert process.stderr.read() == b""
    process.stderr.close()


def test_values_are_shown_in_brief() -> None:
    """As JSON without the quotes of its names, up to a length; texts in one line."""
    assert brief({"a": [1, None, True, "x"], "b": {"c": 0.5}}) == '{a: [1, null, true, "x"], b: {c: 0.5}}'
    assert brief("x" * 500, 10) == '"xxxxxxxx…'
    assert len(brief({"k" * 500: ["v" * 500] * 500}, 50)) == 50
    deep: Any = {}
    for _ in range(50):
        deep = {"d": deep}
    assert brief(deep) == "{d: {d: {d: {d: {d: {d: {d: {…}}}}}}}}"
    assert one_line(" a\n b\t", 10) == "a b"
    assert one_line("abcdef", 4) == "abc…"
    assert one_line(" " * 100 + "x", 4) == "…"


@pytest.mark.parametrize("name", ["none", "none.jsonl"])
def test_path_that_does_not_exist_is_an_error_unless_it_is_waited_for(tail: Run, tmp_path: Path, name: str) -> None:
    """A name that is mistyped must not look like a session in which nothing has happened."""
    path = tmp_path / name
    done = tail(path)
    assert (done.code, done.out, done.err) == (2, "", f"deia: {path}: No such file or directory\n")
    waited = tail(path, "-f")
    assert waited.err == f"deia: {path}: not there yet, waiting for it\n"
