"""`deia top`: its table, and its screen."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, system
from deia.cli.top.screen import Screen
from deia.live.board import Board
from support.command_line import Run, runner
from support.journals import START, Lines, journal_path, write_queue
from support.processes import TIMEOUT_S, watched


@pytest.fixture
def top(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia top` in this process, in a pipe."""
    return runner(capsys, monkeypatch, "top")


def interrupted(directory: Path) -> None:
    """Lay out a session that was killed 100 s after its last event."""
    lines = Lines()
    content = lines.begin("deploy") + lines.begin("build", parent_id=1) + lines.tool("make", 500, at=3, error="no rule")
    path = journal_path(directory)
    path.write_bytes(b"")
    write_queue(path, content)


def test_table_says_what_each_session_is_at(tmp_path: Path, top: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and without a screen, where it goes to a pipe."""
    interrupted(tmp_path)
    monkeypatch.setattr(system, "now", lambda: START + 103)
    result = top(tmp_path)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "1 session, 0 open",
        "Session        State        Task           For  Last                     Ago  Events  /s  Tools  Errors",
        "agent/session  interrupted  build (+1)  3.00 s  tool make failed  1 min 40 s       3   -      1       1",
    ]


def test_models_have_columns_where_there_are_any(tmp_path: Path, top: Run) -> None:
    """Tokens and cost."""
    path = journal_path(tmp_path)
    path.write_bytes(Lines().tool())
    assert "Tokens" not in top(tmp_path, "--once").out
    path.write_bytes(Lines().llm(input_tokens=1000, output_tokens=234))
    head, row = top(tmp_path, "--once").out.splitlines()[1:]
    assert head.split()[-2:] == ["Tokens", "Cost"]
    assert row.split()[-2:] == ["1,234", "$0.2500"]
    path.write_bytes(Lines().llm(input_tokens=1000, output_tokens=234, cost_usd=None))
    assert top(tmp_path, "--once").out.splitlines()[1].split()[-1] == "Tokens"


def test_last_event_is_called_as_in_tail(tmp_path: Path, top: Run) -> None:
    """Ours by their short names, others as their programs do; that an error failed goes without saying."""
    for session, line in (
        ("a", {"type": "Deployed"}),
        ("b", {"type": "ErrorEvent", "message": "no", "error_type": "E"}),
    ):
        journal_path(tmp_path, "agent", session).write_bytes(Lines("agent", session).line(line))
    cells = [re.split("  +", line) for line in top(tmp_path).out.splitlines()[2:]]
    assert {row[0]: row[4] for row in cells} == {"agent/a": "Deployed", "agent/b": "error E"}


def test_sessions_are_told_apart_in_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else has to go: who it is stands at the beginning of a name, and which session at its end."""
    for agent in ("AGENT-001", "AGENT-003"):
        lines = Lines(agent, "0199c0de-7000-7000-8000-0123456789ab")
        content = lines.begin("a task with a long name") + lines.llm("a-model-with-a-long-name", 5)
        journal_path(tmp_path, agent, lines.session_id).write_bytes(content)
    shown = runner(capsys, monkeypatch, "top", width=80)(tmp_path, "--once", terminal=True).out
    assert {line.split()[0] for line in shown.splitlines() if "AGENT" in line} == {
        "AGENT-001/…123456789ab",
        "AGENT-003/…123456789ab",
    }


def test_rate_errors_and_cost_stay_in_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With who does what, and for how long; what else there is has to go."""
    lines = Lines("AGENT-001", "0199c0de-7000-7000-8000-0123456789ab")
    content = lines.begin("build the release of today") + lines.tool("pytest") + lines.llm(cost_usd=0.31)
    journal_path(tmp_path, "AGENT-001", lines.session_id).write_bytes(content)
    shown = runner(capsys, monkeypatch, "top", width=80)(tmp_path, "--once", terminal=True).out
    (head,) = [line for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines() if "Session " in line]
    assert head.split() == ["Session", "State", "Task", "For", "/s", "Errors", "Cost"]


def test_json_has_an_object_for_each_session(tmp_path: Path, top: Run) -> None:
    """All of them, unless so many are asked for."""
    for session in ("a", "b", "c"):
        journal_path(tmp_path, "agent", session).write_bytes(Lines("agent", session).tool("make"))
    rows: list[dict[str, Any]] = json.loads(top(tmp_path, "--json").out)
    assert {row["session_id"] for row in rows} == {"a", "b", "c"}
    assert {row["state"] for row in rows} == {"finished"}
    assert rows[0]["last"] == {"type": "ToolEvent", "name": "make", "failed": False}
    assert len(json.loads(top(tmp_path, "--json", "-n", "2").out)) == 2


def test_directory_that_is_none_is_an_error(tmp_path: Path, top: Run) -> None:
    """With exit code 2; an empty one is fine."""
    assert top(tmp_path / "missing") == (2, "", f"deia: {tmp_path / 'missing'}: No such file or directory\n")
    (tmp_path / "file").touch()
    assert top(tmp_path / "file") == (2, "", f"deia: {tmp_path / 'file'}: Not a directory\n")
    (tmp_path / "empty").mkdir()
    assert top(tmp_path / "empty") == (0, "0 sessions, 0 open\n", "")


def test_hostile_names_reach_no_terminal(tmp_path: Path, top: Run) -> None:
    """Nor does what is wrong with a file."""
    lines = Lines()
    hostile = "\x1b[2J\n\u202e"
    journal_path(tmp_path).write_bytes(
        lines.begin(hostile, agent_id=hostile) + lines.tool(hostile) + lines.line({"type": hostile}) + b"\x1b\n"
    )
    out = top(tmp_path).out
    assert "\x1b" not in out and "\u202e" not in out
    assert len(out.splitlines()) == 4


class Terminal:
    """`deia top` in a terminal of its own."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self._controller, terminal = pty.openpty()
        self.process = watched(
            subprocess.Popen(
                [sys.executable, "-m", "deia", "top", *map(str, arguments)],
                env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "20", **environment},
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        )
        os.close(terminal)
        self._shown = b""

    def press(self, key: bytes) -> None:
        os.write(self._controller, key)

    def read_until(self, text: bytes) -> str:
        """Return all that was shown, once a text is among it."""
        while text not in self._plain():
            ready, _, _ = select.select([self._controller], [], [], TIMEOUT_S)
            assert ready, self._shown
            self._shown += os.read(self._controller, 65536)
        return self._shown.decode()

    def end(self) -> str:
        """Wait for its end; return the rest."""
        shown = b""
        try:
            while data := os.read(self._controller, 65536):
                shown += data
        except OSError:  # the other end is closed: that is how Linux says so
            pass
        os.close(self._controller)
        return shown.decode()

    def _plain(self) -> bytes:
        return re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", self._shown)


def test_screen_shows_what_happens_and_is_given_back(tmp_path: Path) -> None:
    """An event is there while only the ring has it; q ends, and the terminal is as it was."""
    with SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=3600) as log:
        log.log_task_start("plan")
        terminal = Terminal(tmp_path)
        assert "\x1b[?1049h" in terminal.read_until(b"recording")
        log.log_tool_call("seen at once", {}, 5)
        terminal.read_until(b"tool seen at once")
        terminal.press(b"q")
        assert "\x1b[?1049l" in terminal.end()
        assert terminal.process.wait(TIMEOUT_S) == 0


def test_ctrl_c_ends_the_screen(tmp_path: Path) -> None:
    """With exit code 130, as everywhere."""
    terminal = Terminal(tmp_path, NO_COLOR="1")
    terminal.read_until(b"0 sessions")
    os.kill(terminal.process.pid, 2)
    assert "\x1b[?1049l" in terminal.end()
    assert terminal.process.wait(TIMEOUT_S) == 130


def test_screen_is_drawn_where_something_has_happened_and_else_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To draw it takes many times as long as to look at all sessions, and times go on in each row at another moment."""
    interrupted(tmp_path)
    screen = Screen(ascii_only=True)
    drawn: list[object] = []
    monkeypatch.setattr(screen._live, "update", lambda made, **_: drawn.append(made))
    board = Board(tmp_path, lambda error, path: pytest.fail(f"{path}: {error}"))

    def times_drawn(at: float) -> int:
        monkeypatch.setattr(system, "now", lambda: START + at)
        monkeypatch.setattr(system, "monotonic", lambda: 1000 + at)
        drawn.clear()
        screen.show(board.refresh(), board.total)
        return len(drawn)

    assert [times_drawn(at) for at in (103.0, 103.25, 103.75, 104.0, 104.25)] == [1, 0, 0, 1, 0]
    screen._console.size = (70, 20)
    assert times_drawn(104.5) == 1
    journal_path(tmp_path, session_id="other").write_bytes(Lines(session_id="other").tool())
    assert times_drawn(104.75) == 1
    board.close()
