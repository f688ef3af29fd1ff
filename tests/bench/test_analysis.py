"""The benchmark of the analysis: one log, everyone's figures, compared with ours. Nothing here asserts a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks import analysis, page
from benchmarks.analysts import ANALYSTS, USES_PROCESSORS
from benchmarks.session_log import write_log
from deia import analyze_session
from deia.journal.check import check
from support.benchmark_runs import QuickRun, quick_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """The quick form, with whatever of the others is installed."""
    return quick_run(tmp_path_factory.mktemp("analysis"), ("unused", ""), "analysis", "--bytes", "300000")


@pytest.fixture
def result(run: QuickRun) -> dict[str, Any]:
    """A raw result that a test may change."""
    return copy.deepcopy(run[1])


def test_everyone_finds_the_same_figures(run: QuickRun, result: dict[str, Any]) -> None:
    """Whoever is there is measured and compared; who is not is left out, with the reason."""
    assert run[0].returncode == 0, run[0].stderr
    assert analysis.failures(result) == []
    measured = {one["analyst"] for one in result["runs"]}
    assert {"deia", "deia, line by line", "original"} <= measured
    assert measured | result["left_out"].keys() == ANALYSTS.keys()
    assert all("is not installed" in why for why in result["left_out"].values())
    assert all(one["seconds"] > 0 and one["memory_mib"] > 0 for one in result["runs"])


def test_who_can_use_several_processors_is_measured_on_each_number_of_them(result: dict[str, Any]) -> None:
    """The others on one."""
    for name in {one["analyst"] for one in result["runs"]}:
        measured = sorted(one["processors"] for one in result["runs"] if one["analyst"] == name)
        assert measured == (analysis.processors() if name in USES_PROCESSORS else [1])


def test_result_says_under_what_conditions_it_was_measured(result: dict[str, Any]) -> None:
    """Also that it was none in full."""
    assert result["complete"] is False
    assert result["settings"]["bytes"] == 300_000
    assert {"commit", "machine", "python", "versions", "lines", "figures"} <= result.keys()


def test_other_figures_are_told_and_fail_the_command(result: dict[str, Any]) -> None:
    """A wrong answer is no fast one."""
    result["runs"][0]["differences"] = ["types: 3"]
    assert len(analysis.failures(result)) == 1
    assert "Not the same" in analysis.tables(result)


def test_result_is_recorded_and_published(
    result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`record --only analysis` measures nothing else, names its file by the interpreter, and makes the page anew."""
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(analysis, "run", lambda *args, **options: result)
    assert command_line.main(["record", "--only", "analysis", "--directory", str(tmp_path)]) == 0
    (kept,) = page.RESULTS.iterdir()
    assert kept.name.startswith("analysis-")
    text = page.PAGE.read_text("utf-8")
    assert "## Where the time of a long session went\n" in text
    assert analysis.tables(result) in text
    assert command_line.main(["table", "--check"]) == 0


def test_recording_other_figures_fails(result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says whose they are."""
    result["runs"][0]["differences"] = ["types: 3"]
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(analysis, "run", lambda *args, **options: result)
    assert command_line.main(["record", "--only", "analysis", "--directory", str(tmp_path)]) == 1
    assert "Not the same" in page.PAGE.read_text("utf-8")


def test_percentiles_may_differ_by_one_per_cent_and_counts_by_nothing() -> None:
    """Which is what is promised."""
    mine = {
        "types": {},
        "tasks": {},
        "operations": {},
        "first": 0.0,
        "last": 1.0,
        "tools": {"a": [9, 90, 20, 1005, 10]},
    }
    near, far, other = copy.deepcopy(mine), copy.deepcopy(mine), copy.deepcopy(mine)
    near["tools"]["a"][3] = 1000
    far["tools"]["a"][3] = 900
    other["tools"]["a"][0] = 8
    other["types"] = {"ToolEvent": 8}
    assert analysis.differences(mine, near) == []
    assert len(analysis.differences(mine, far)) == 1
    assert len(analysis.differences(mine, other)) == 2


def test_log_is_whole_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    """It is a session as it is recorded: nothing is wrong with it, and it holds all that a session holds."""
    log = tmp_path / "benchmark_generated.jsonl"
    lines = write_log(log, 500_000, seed=3)
    content = log.read_bytes()
    write_log(log, 500_000, seed=3)
    assert log.read_bytes() == content
    assert content.count(b"\n") == lines
    assert check(log).ok
    found = analyze_session(log)
    assert found.events == lines
    assert found.open_tasks and found.tasks_completed and len(found.tools) > 5
    assert found.file_operation_stats.keys() == {"read", "write"}
