"""Shells complete what `deia` takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from deia.cli.app import commands, run


def completed(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What a bash is offered for the last of the words."""
    monkeypatch.setenv("_DEIA_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
    assert run([]) == 0
    return capsys.readouterr().out.split()


def test_commands_are_completed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them, and those that begin so."""
    names = commands.list_commands(click.Context(commands))
    assert completed("deia ", monkeypatch, capsys) == [f"plain,{name}" for name in names]
    assert completed("deia ana", monkeypatch, capsys) == ["plain,analyze"]


def test_options_and_commands_of_a_command_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where an option may stand, and where a further command."""
    assert "plain,--json" in completed("deia analyze --", monkeypatch, capsys)
    assert completed("deia import cla", monkeypatch, capsys) == ["plain,claude-code"]


def test_files_are_left_to_the_shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It knows them, and how names are quoted there."""
    assert completed("deia analyze some", monkeypatch, capsys) == ["file,some"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_asks_deia(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the variable that is answered."""
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_DEIA_COMPLETE={shell}_complete" in script and "deia" in script


def test_unknown_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """The error names those that there are."""
    assert run(["completion", "csh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_question_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell of another kind, say."""
    monkeypatch.setenv("_DEIA_COMPLETE", "csh_complete")
    assert run([]) == 1


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_takes_the_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no syntax error, and registers a function for `deia`."""
    run(["completion", "bash"])
    script = tmp_path / "deia.bash"
    script.write_text(capsys.readouterr().out)
    done = subprocess.run(
        ["bash", "-c", f"source {script} && complete -p deia"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "deia" in done.stdout
