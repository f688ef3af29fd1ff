"""Two commits measured beside each other, and the count of a call's instructions. Nothing here asserts a time."""

from __future__ import annotations

import copy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks import commits, instructions, page
from benchmarks.conditions import ROOT
from benchmarks.results import result_name, write_result


def is_checkout() -> bool:
    """Whether git knows this tree."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False)
    return asked.returncode == 0


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """One commit compared with itself."""
    if not is_checkout():
        pytest.skip("no git checkout")
    directory = tmp_path_factory.mktemp("commits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(instructions, "count", lambda peer, settings, place, environment: 1_000)
        found = commits.run("HEAD", "HEAD", commits.QUICK, directory, say=lambda text: None)
    assert list(directory.iterdir()) == []
    return found


def test_commits_are_measured_in_pairs(compared: dict[str, Any]) -> None:
    """Each logger in each mode, from the package of that commit, verified; the result names both commits."""
    measured = {(run["mode"], run["peer"], run["side"]) for run in compared["repetitions"]}
    assert measured == {
        (mode, peer, side)
        for mode in ("tight", "paced")
        for peer in commits.PEERS
        for side in ("before", "after")
    }  # fmt: skip
    assert commits.failures(compared) == []
    assert compared["before"]["commit"] == compared["after"]["commit"]
    text = commits.tables(compared)
    assert "tight, sync" in text and "| sync " in text


def test_lost_events_of_a_commit_are_told(compared: dict[str, Any]) -> None:
    """And take part in no ratio."""
    result = copy.deepcopy(compared)
    for run in result["repetitions"]:
        run["verified"] = run["peer"] != "sync"
    assert len(commits.failures(result)) == 4
    assert "tight, sync" not in commits.tables(result).split("LOST")[0]


def test_package_of_a_commit_is_what_is_measured(tmp_path: Path) -> None:
    """It is taken out of git, whatever is installed or has been changed in the checkout."""
    if not is_checkout():
        pytest.skip("no git checkout")
    package = commits._export("HEAD", tmp_path)
    shown = subprocess.run(["git", "show", "HEAD:src/deia/__init__.py"], cwd=ROOT, capture_output=True, check=True)
    assert (package / "deia" / "__init__.py").read_bytes() == shown.stdout


def test_unknown_commit_is_wrong_usage(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Told in one line."""
    assert command_line.main(["compare", "no-such-ref", "HEAD", "--quick", "--directory", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith("git knows no commit no-such-ref\n")


def counted(**counts: int) -> dict[str, Any]:
    """Return the part of a result that the guard looks at."""
    return {"commit": "0123456789abcdef", "instructions": {"bare": 1_000, **counts}}


def test_guard_speaks_up_beyond_the_drift() -> None:
    """Relative to the bare minimum, so that another orjson is no drift."""
    recorded = counted(sync=1_800, unredacted=1_500)
    assert instructions.drifted(counted(sync=1_880, unredacted=1_400), recorded) == []
    (told,) = instructions.drifted(counted(sync=1_900, unredacted=1_500), recorded)
    assert told.startswith("sync: 1.900 times the instructions of bare, 1.800 were recorded (at commit 0123456789ab)")
    faster = {"commit": None, "instructions": {"bare": 500, "sync": 900, "unredacted": 750}}
    assert instructions.drifted(faster, recorded) == []


def test_count_is_compared_with_the_recorded_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 where it drifted; where nothing is recorded for the interpreter, that is said."""
    counts = {"bare": 1_000, "sync": 1_700, "unredacted": 1_400}
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(instructions, "count", lambda peer, settings, directory: counts[peer])
    check = ["instructions", "--quick", "--check", "--directory", str(tmp_path), "--json", str(tmp_path / "kept.json")]
    assert command_line.main(check) == 0
    assert "NOT CHECKED: nothing is recorded for this interpreter" in capsys.readouterr().err
    result = command_line.read_result(tmp_path / "kept.json")
    write_result(result, tmp_path / result_name(result))
    assert command_line.main(check) == 0
    assert capsys.readouterr().err.count("NOT CHECKED") == 0
    counts["unredacted"] = 1_500
    assert command_line.main(check) == 1
    assert "DRIFTED: unredacted: 1.500 times" in capsys.readouterr().err
    once = iter([1_000, 1_700, 1_500])  # it is counted again, and that counts
    counts["unredacted"] = 1_400
    monkeypatch.setattr(instructions, "count", lambda peer, settings, directory: next(once, counts[peer]))
    assert command_line.main(check) == 0
    assert "DRIFTED" not in capsys.readouterr().err


def test_without_valgrind_nothing_is_checked_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To count without being able to is wrong usage; the check of a machine without it is none."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert command_line.main(["instructions", "--check", "--directory", str(tmp_path)]) == 0
    assert "NOT CHECKED: valgrind is not installed" in capsys.readouterr().err
    assert command_line.main(["instructions", "--directory", str(tmp_path)]) == 2
