"""What the sessions of a directory are at: the model behind `deia top`."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, system
from deia.analysis import ModelUsage
from deia.analysis.sessions import look_at
from deia.events import AnyEvent, LLMEvent
from deia.journal.decode import decode
from deia.live.board import Board, Row
from deia.live.state import IDLE_AFTER_S, LastEvent, SessionState, activity
from deia.report.model import make_report
from support.journals import START, Lines, journal_path, write_queue


def events(content: bytes) -> list[AnyEvent]:
    import orjson

    return [decode(orjson.loads(line)) for line in content.splitlines()]


def state_of(content: bytes) -> SessionState:
    state = SessionState()
    for event in events(content):
        state.feed(event)
    return state


def board_of(directory: Path) -> Board:
    def fail(error: OSError, path: str) -> None:
        raise error

    return Board(directory, fail)


def by_session(rows: list[Row]) -> dict[str, Row]:
    return {row.session_id: row for row in rows}


# One session


def test_innermost_task_is_the_one_that_was_started_last_of_those_open() -> None:
    """Until it is completed; then it is the one that it was started in."""
    lines = Lines()
    state = state_of(lines.begin("outer") + lines.begin("inner", parent_id=1, at=2))
    assert state.innermost is not None
    assert (state.innermost.name, state.innermost.start_time, state.open_tasks) == ("inner", START + 2, 2)
    for event in events(lines.complete(2, "inner", parent_id=1)):
        state.feed(event)
    assert state.innermost is not None
    assert state.innermost.name == "outer"
    for event in events(lines.complete(1, "outer")):
        state.feed(event)
    assert (state.innermost, state.open_tasks) == (None, 0)


def test_last_event_is_the_last_thing_done() -> None:
    """A tool, a model, a file; tasks, which have a place of their own, are not among them."""
    lines = Lines()
    assert state_of(lines.tool("ls") + lines.begin("t")).last == LastEvent("ToolEvent", "ls", failed=False)
    assert state_of(lines.file("write", "/a")).last == LastEvent("FileEvent", "write /a", failed=False)
    assert state_of(lines.llm("m", error="no")).last == LastEvent("LLMEvent", "p/m", failed=True)
    assert state_of(lines.line({"type": "Own", "x": 1})).last == LastEvent("Own", "", failed=False)


def test_errors_are_all_that_failed() -> None:
    """Tools, tasks, models, errors that were logged; what was cancelled has not failed."""
    lines = Lines()
    state = state_of(
        lines.tool(error="no")
        + lines.tool(params={"error": "no"})
        + lines.tool(cancelled=True)
        + lines.begin()
        + lines.complete(4, error="no")
        + lines.llm(error="no")
        + lines.llm(error_type="Timeout")
        + lines.error()
    )
    assert (state.errors, state.tool_calls, state.usage.calls, state.events) == (6, 3, 2, 8)


def test_response_is_counted_once_by_the_last_line_that_tells_of_it() -> None:
    """However many lines tell of it; calls without a name for their response count each."""
    lines = Lines()
    state = state_of(
        lines.llm(response_id="a", input_tokens=10, output_tokens=1, cost_usd=1.0)
        + lines.llm(response_id="a", input_tokens=10, output_tokens=5, cost_usd=2.0)
        + lines.llm(input_tokens=100, output_tokens=50, cost_usd=4.0)
        + lines.llm(input_tokens=100, output_tokens=50, cost_usd=4.0)
    )
    assert state.usage == ModelUsage(3, 210, 105, cost_usd=10.0)
    for number in range(3000):
        state.feed(LLMEvent("p", "m", input_tokens=1, response_id=str(number)))
    assert state.usage.input_tokens == 3210


def test_figure_that_only_an_earlier_line_of_a_response_has_counts() -> None:
    """A later line without a cost, or with one that cannot be, does not take it away."""
    lines = Lines()
    state = state_of(
        lines.llm(response_id="a", input_tokens=10, cost_usd=1.0)
        + lines.llm(response_id="a", output_tokens=5, cost_usd=None)
        + lines.llm(response_id="a", cost_usd=-1.0)
    )
    assert state.usage == ModelUsage(1, 10, 5, cost_usd=1.0, left_out=1)


def test_tokens_and_costs_that_cannot_be_are_left_out() -> None:
    """What is negative takes nothing away, as in the profile."""
    lines = Lines()
    state = state_of(
        lines.llm(input_tokens=10, output_tokens=1, cost_usd=1.0)
        + lines.llm(input_tokens=-10, output_tokens=-1, cost_usd=-1.0)
        + lines.llm(input_tokens=-10, output_tokens=-1, cost_usd=-1.0, response_id="r")
    )
    assert state.usage == ModelUsage(3, 10, 1, cost_usd=1.0, left_out=6)


def test_cost_is_unknown_where_no_line_says() -> None:
    """It is not nothing."""
    assert state_of(Lines().llm(cost_usd=None)).usage.cost_usd is None


def test_rate_is_that_of_the_last_seconds() -> None:
    """Events a second; nothing once it is quiet."""
    lines = Lines()
    state = state_of(b"".join(lines.file(at=second / 10) for second in range(500)))
    assert state.rate(START + 50) == pytest.approx(10, abs=1)
    assert state.rate(START + 100) == 0


@pytest.mark.parametrize(
    ("has_queue", "is_locked", "quiet_s", "state"),
    [
        (True, True, 0.0, "recording"),
        (True, True, IDLE_AFTER_S + 1, "idle"),
        (True, True, None, "idle"),
        (True, None, 0.0, "recording"),
        (True, False, 0.0, "interrupted"),
        (False, False, 0.0, "finished"),
    ],
)
def test_state_is_told_by_queue_file_lock_and_time(
    has_queue: bool, is_locked: bool | None, quiet_s: float | None, state: str
) -> None:
    """Where there are no locks, by the time alone."""
    assert activity(has_queue=has_queue, is_locked=is_locked, quiet_s=quiet_s) == state


# All of them


def test_board_shows_what_each_session_is_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that records, one that is finished, one whose process was killed; those that are open first."""
    with SessionLogger("agent", "finished", output_dir=tmp_path) as log:
        log.log_tool_call("ls", {}, 5)
    lines = Lines("agent", "killed")
    content = lines.begin("deploy") + lines.tool("build", at=3)
    killed = journal_path(tmp_path, "agent", "killed")
    killed.write_bytes(b"")
    write_queue(killed, content, session_id="killed")
    log = SessionLogger("agent", "open", output_dir=tmp_path)
    log.log_task_start("plan")
    log.log_tool_call("grep", {}, 5)
    board = board_of(tmp_path)
    rows = board.refresh()
    assert [(row.session_id, row.state) for row in rows] == [
        ("open", "recording"),
        ("killed", "interrupted"),
        ("finished", "finished"),
    ]
    opened, interrupted, finished = rows
    assert opened.task is not None and opened.task.name == "plan"
    assert opened.last == LastEvent("ToolEvent", "grep", failed=False)
    assert (interrupted.task_ms, interrupted.events) == (3000, 2)
    assert (finished.task, finished.tool_calls, finished.agent_id) == (None, 1, "agent")

    later = system.now() + 60
    monkeypatch.setattr(system, "now", lambda: later)
    row = by_session(board.refresh())["open"]
    assert row.state == "idle"
    assert row.task_ms is not None and row.task_ms > 59_000
    log.close()
    assert by_session(board.refresh())["open"].state == "interrupted"  # it was closed in the middle of its task
    board.close()


def test_states_of_sessions_that_nobody_has_open_are_those_of_ls_and_of_the_report(tmp_path: Path) -> None:
    """One meaning: closed in a task, damaged, killed, killed and damaged, all done; a torn end is no damage."""
    contents = {
        "finished": Lines("agent", "finished").tool(),
        "in-task": Lines("agent", "in-task").begin(),
        "damaged": Lines("agent", "damaged").tool() + b"#\n",
        "torn": Lines("agent", "torn").tool() + b"{",
        "killed": Lines("agent", "killed").tool(),
        "both": Lines("agent", "both").tool() + b"#\n",
    }
    for name, content in contents.items():
        path = journal_path(tmp_path, "agent", name)
        path.write_bytes(content)
        if name in ("killed", "both"):
            write_queue(path, content, session_id=name)
    board = board_of(tmp_path)
    of_top = {row.session_id: row.state for row in board.refresh()}
    board.close()
    paths = {name: journal_path(tmp_path, "agent", name) for name in contents}
    assert of_top == {name: look_at(path).state for name, path in paths.items()}
    assert of_top == {name: make_report(path).state for name, path in paths.items()}
    assert of_top == {
        "finished": "finished",
        "in-task": "interrupted",
        "damaged": "damaged",
        "torn": "finished",
        "killed": "interrupted",
        "both": "damaged",
    }


def test_state_of_what_cannot_be_read_is_that_of_ls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is no log nor one that the system does not let us read is finished; the latter may be read later."""
    journal_path(tmp_path, "agent", "other").write_bytes(b"#\n")
    secret = journal_path(tmp_path, "agent", "secret")
    lines = Lines("agent", "secret")
    secret.write_bytes(lines.tool())
    with monkeypatch.context() as patch:
        refuse(patch, secret)
        board = board_of(tmp_path)
        of_top = {row.session_id: row.state for row in board.refresh()}
        assert of_top == {"other": "no log", "secret": "unreadable"}
        assert of_top == {name: look_at(journal_path(tmp_path, "agent", name)).state for name in of_top}
    with secret.open("ab") as file:
        file.write(lines.tool())
    monkeypatch.setattr("deia.live.directory._LOOK_S", 0.0)
    assert by_session(board.refresh())["secret"].state == "finished"
    board.close()


def refuse(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Have the system not let a file be read."""
    open_for_reading = system.open_for_reading

    def refused(opened: str | Path) -> FileIO:
        if str(opened) == str(path):
            raise PermissionError(13, "Permission denied", str(opened))
        return open_for_reading(opened)

    monkeypatch.setattr(system, "open_for_reading", refused)


def test_board_sees_an_event_that_only_the_ring_holds(tmp_path: Path) -> None:
    """At the next refresh, and counts it once when it is written."""
    log = SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=3600)
    board = board_of(tmp_path)
    assert board.refresh() == []
    log.log_tool_call("ls", {}, 5)
    (row,) = board.refresh()
    assert row.events == 1
    log.log_tool_call("grep", {}, 5)
    (row,) = board.refresh()
    assert (row.events, row.last) == (2, LastEvent("ToolEvent", "grep", failed=False))
    log.close()
    (row,) = board.refresh()
    assert (row.events, row.state) == (2, "finished")
    with SessionLogger("agent", "s", output_dir=tmp_path) as again:
        again.log_tool_call("ls", {}, 5)
        (row,) = board.refresh()
        assert (row.events, row.state) == (4, "recording")


def test_finished_sessions_cost_nothing_at_a_refresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once they were read: neither they nor their directory is looked into."""
    for number in range(20):
        journal_path(tmp_path, "agent", str(number)).write_bytes(Lines("agent", str(number)).file())
    hour_ago = system.now() - 3600
    os.utime(tmp_path, (hour_ago, hour_ago))
    board = board_of(tmp_path)
    rows = board.refresh()
    assert len(rows) == 20
    with monkeypatch.context() as patch:
        for name in ("open_for_reading", "open_existing", "list_directory", "list_apart", "lstat", "fstat"):
            patch.setattr(system, name, None)
        patch.setattr(system, "monotonic", lambda: 0.0)
        assert [row.events for row in board.refresh()] == [1] * 20


def test_sessions_that_are_not_shown_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest are, by when their file was written; the others are counted."""
    for number in range(5):
        path = journal_path(tmp_path, "agent", str(number))
        path.write_bytes(Lines("agent", str(number), start=START + 100 * number).file())
        os.utime(path, (system.now() + number, system.now() + number))  # they were copied here, say
    opened: list[Any] = []
    real = system.open_for_reading

    def open_for_reading(path: Any) -> Any:
        opened.append(Path(path).stem)
        return real(path)

    monkeypatch.setattr(system, "open_for_reading", open_for_reading)
    board = board_of(tmp_path)
    for _ in range(3):
        assert [row.session_id for row in board.refresh(2)] == ["4", "3"]
    assert board.total == 5
    assert set(opened) == {"agent_4", "agent_3"}


def test_long_log_is_read_over_several_refreshes(tmp_path: Path) -> None:
    """What is known by then is shown, and that there is more."""
    lines = Lines()
    journal_path(tmp_path).write_bytes(b"".join(lines.file() for _ in range(5000)))
    board = board_of(tmp_path)
    (row,) = board.refresh(within_s=0)
    assert board.is_behind and row.is_behind
    assert 0 < row.events < 5000
    while board.is_behind:
        (row,) = board.refresh(within_s=0)
    assert (row.events, row.is_behind) == (5000, False)


def test_session_that_is_removed_goes_from_the_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And comes back if it does."""
    path = journal_path(tmp_path)
    path.write_bytes(Lines().file())
    board = board_of(tmp_path)
    assert len(board.refresh()) == 1
    path.unlink()
    later = system.monotonic() + 60
    monkeypatch.setattr(system, "monotonic", lambda: later)
    assert board.refresh() == []
    path.write_bytes(Lines().file() + b"damage\n")
    (row,) = board.refresh()
    assert row.events == 1
    assert row.problem is not None and "line 2" in row.problem
