"""`deia import`: what it prints, what it leaves, and how it exits."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from deia import SessionLogger
from deia.journal.check import check
from support.command_line import Run, runner
from support.transcripts import SESSION, Writer

USAGE = {"input_tokens": 100, "output_tokens": 10}


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `deia import` in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEIA_SESSIONS_DIR", raising=False)
    return runner(capsys, monkeypatch, "import")


def transcript(path: Path, session_id: str = SESSION, name: str = "Go") -> Path:
    writer = Writer(sessionId=session_id)
    writer.user(name, 0)
    writer.answer(2, {"type": "text", "text": "Done."})
    return writer.save(path)


def test_session_goes_where_those_of_loggers_go(cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.deia/sessions`, `$DEIA_SESSIONS_DIR`, or as told."""
    path = transcript(tmp_path / "t.jsonl")
    name = f"claude-code_{SESSION}.jsonl"
    code, out, err = cli("claude-code", path)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split() == ["new", "6", f".deia/sessions/{name}", "from", "2", "records"]
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "a"))
    assert cli("claude-code", path).code == 0
    assert cli("claude-code", path, "--output-dir", tmp_path / "b", "--agent", "me").code == 0
    assert check(tmp_path / ".deia" / "sessions" / name).ok
    assert os.listdir(tmp_path / "a") == [name]
    assert os.listdir(tmp_path / "b") == [f"me_{SESSION}.jsonl"]


def test_importing_again_says_unchanged(cli: Run, tmp_path: Path) -> None:
    """And exits as fine."""
    path = transcript(tmp_path / "t.jsonl")
    assert cli("claude-code", path, "--json").json[0]["state"] == "new"
    code, out, _ = cli("claude-code", path, path, "--json")
    assert (code, [report["state"] for report in json.loads(out)]) == (0, ["unchanged"])


def test_each_file_is_dealt_with_whatever_happened_to_the_others(cli: Run, tmp_path: Path) -> None:
    """What is no transcript, or not there, is wrong usage; the rest is imported."""
    (tmp_path / "no.jsonl").write_text("{}\n")
    good = transcript(tmp_path / "good.jsonl")
    code, out, err = cli("claude-code", "no.jsonl", "missing.jsonl", tmp_path, good)
    assert code == 2
    assert "deia: no.jsonl is no transcript of Claude Code\n" in err
    assert "deia: missing.jsonl: No such file or directory\n" in err
    assert len(err.splitlines()) == 3
    assert "new" in out


def test_error_names_the_file_that_it_is_about(cli: Run, tmp_path: Path) -> None:
    """Which may be the directory, and not the transcript."""
    path = transcript(tmp_path / "t.jsonl")
    (tmp_path / "file").touch()
    code, out, err = cli("claude-code", path, "--output-dir", "file/out")
    assert (code, out) == (2, "")
    assert err.startswith("deia: file/out/") and err.endswith(": Not a directory\n")


def test_damaged_lines_are_shown_and_exit_1(cli: Run, tmp_path: Path) -> None:
    """With their place."""
    path = transcript(tmp_path / "t.jsonl")
    path.write_bytes(path.read_bytes() + b"[1]\n")
    code, out, err = cli("claude-code", path)
    assert (code, err) == (1, "")
    assert "1 line could not be read" in out
    assert "not an object but an array" in out
    report = cli("claude-code", path, "--json").json[0]
    assert (report["damage_count"], report["damages"][0]["line"]) == (1, 3)


def test_costs_are_made_with_a_list_of_prices(cli: Run, tmp_path: Path) -> None:
    """A model that is not in it is named once, and the rest of the remarks stays; then `deia ls` shows what it cost."""
    writer = Writer()
    writer.user("Go", 0)
    for number in range(3):
        writer.answer(number + 1, {"type": "text", "text": "Yes"}, key=f"{number}", usage=USAGE)
    path = writer.save(tmp_path / "t.jsonl")
    prices = tmp_path / "prices.json"
    prices.write_text('{"gpt-*": {"input": 1, "output": 2}}')
    code, out, err = cli("claude-code", path, "--prices", prices)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].endswith("from 4 records, no price for claude")
    prices.write_text('{"claude": {"input": 1000, "output": 0}}')
    code, out, _ = cli("claude-code", path, "--prices", prices)
    assert (code, out.splitlines()[1].split()[0]) == (0, "updated")
    prices.write_text('{"claude": {"input": 2000, "output": 0}}')
    assert cli("claude-code", path, "--prices", prices).out.splitlines()[1].endswith(", other prices than before")
    report = cli("claude-code", path, "--prices", prices, "--json").json[0]
    assert (report["state"], report["repriced"], report["unpriced"]) == ("unchanged", False, [])


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file or directory"), ("{", "line 1, column 2: "), ("{}\n{}", "line 2, ")]
)
def test_list_of_prices_that_is_none_is_one_line_and_exits_2(
    cli: Run, tmp_path: Path, content: str | None, said: str
) -> None:
    """It names the file, and nothing is imported."""
    path = transcript(tmp_path / "t.jsonl")
    if content is not None:
        (tmp_path / "prices.json").write_text(content)
    code, out, err = cli("claude-code", path, "--prices", "prices.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"prices.json: {said}" in err
    assert not (tmp_path / ".deia").exists()


def test_session_of_a_logger_is_left_alone_and_exits_1(cli: Run, tmp_path: Path) -> None:
    """In one line, which says why."""
    path = transcript(tmp_path / "t.jsonl")
    with SessionLogger("claude-code", SESSION, output_dir=tmp_path / "out") as logger:
        logger.log_tool_call("x", {}, 1)
        code, out, err = cli("claude-code", path, "--output-dir", tmp_path / "out")
        assert (code, out) == (1, "") and "the session is open in another logger" in err
    code, _, err = cli("claude-code", path, "--output-dir", tmp_path / "out")
    assert code == 1 and "a session that a logger has recorded" in err


def test_two_files_of_one_session_become_two_logs(cli: Run, tmp_path: Path) -> None:
    """And are unchanged together the next time; a copy of one is told as unchanged at once."""
    one, two = transcript(tmp_path / "1.jsonl"), transcript(tmp_path / "2.jsonl", name="Other")
    copy = transcript(tmp_path / "3.jsonl")
    code, out, err = cli("claude-code", one, two, copy, "--json")
    assert (code, err) == (0, "")
    assert [report["state"] for report in json.loads(out)] == ["new", "new", "unchanged"]
    paths = [report["path"] for report in json.loads(out)]
    assert paths[0] == paths[2] != paths[1]
    assert {report["state"] for report in cli("claude-code", two, one, "--json").json} == {"unchanged"}


def test_activity_log_is_imported(cli: Run, tmp_path: Path) -> None:
    """Of the agent that it names, or that is given."""
    path = tmp_path / "x-activity.jsonl"
    path.write_text('{"ts":"2025-10-18T10:00:00Z","agent_id":"X","event":"sync_sent"}\n')
    assert cli("deia", path, "--json").json[0]["path"] == ".deia/sessions/X_x-activity.jsonl"
    assert cli("deia", path, "--agent", "Y", "--json").json[0]["agent_id"] == "Y"
    assert cli("deia", transcript(tmp_path / "t.jsonl")).code == 2


@pytest.mark.parametrize("kind", ["claude-code", "deia"])
def test_long_import_shows_how_far_it_is_to_whoever_watches(
    cli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    """On standard error of a terminal; a pipe and JSON get none."""
    if kind == "deia":
        path = tmp_path / "long.jsonl"
        line = '{"ts":"2025-10-18T10:00:00Z","agent_id":"X","event":"sync_sent","message":"%s"}\n'
        path.write_text((line % ("x" * 1000)) * 500)
    else:
        writer = Writer()
        for number in range(500):
            writer.user("x" * 1000, number)
        path = writer.save(tmp_path / "long.jsonl")
    monkeypatch.setattr("deia.cli.reading.SHOWN_AFTER_S", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert "Reading long.jsonl" in cli(kind, path, terminal=True).err
    assert cli(kind, path, "--json", terminal=True).err == ""
    assert cli(kind, path).err == ""


@pytest.mark.parametrize("arguments", [[], ["claude-code"], ["nonsense", "x"], ["claude-code", "x", "--agent", "a/b"]])
def test_wrong_usage_exits_2(cli: Run, arguments: list[str]) -> None:
    """No format, no file, an agent that is no file name."""
    assert cli(*arguments).code == 2


def test_hostile_text_reaches_no_terminal(cli: Run, tmp_path: Path) -> None:
    """Neither from a file's name nor from what is in it."""
    path = transcript(tmp_path / "\x1b[2J.jsonl", session_id="\x1b[31m")
    path.write_bytes(path.read_bytes() + b"[1]\n")
    result = cli("claude-code", path)
    assert result.code == 1 and "\x1b" not in result.out + result.err
