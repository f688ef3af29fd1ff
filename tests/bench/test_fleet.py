"""The benchmark of many sessions: one fleet, one question, everyone's answer. Nothing here asserts a time."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command_line
from benchmarks import fleet, page
from benchmarks.fleet_jobs import WAYS
from deia.journal.check import check
from support.benchmark_runs import QuickRun, quick_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """The quick form."""
    return quick_run(tmp_path_factory.mktemp("fleet"), ("unused", ""), "fleet")


@pytest.fixture
def result(run: QuickRun) -> dict[str, Any]:
    """A raw result that a test may change."""
    return copy.deepcopy(run[1])


def test_every_way_is_measured_and_gives_the_same_answer(run: QuickRun, result: dict[str, Any]) -> None:
    """Without DuckDB, those that need none; who is left out is named."""
    assert run[0].returncode == 0, run[0].stderr
    assert fleet.failures(result) == []
    measured = {one["way"] for one in result["runs"]}
    assert measured | result["left_out"].keys() == WAYS.keys()
    if importlib.util.find_spec("duckdb") is not None:
        assert result["left_out"] == {}
        assert len(result["answers"]["query"]) > 5
    assert all(one["seconds"] > 0 and one["memory_mib"] > 0 for one in result["runs"])
    assert all(one["out_bytes"] > 0 for one in result["runs"] if one["way"].startswith("export"))


def test_another_answer_is_told_and_fails(result: dict[str, Any]) -> None:
    """A wrong answer is no fast one."""
    result["answers"] = {"query": [["a", 1, 2]], "DuckDB alone": [["a", 1, 3]]}
    assert fleet.failures(result) == ["DuckDB alone: another answer"]
    assert "Not the same" in fleet.tables(result)


def test_result_is_published(result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`record --only fleet` measures nothing else, names its file by the interpreter, and makes the page anew."""
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(fleet, "run", lambda *args, **options: result)
    assert command_line.main(["record", "--only", "fleet", "--directory", str(tmp_path)]) == 0
    (kept,) = page.RESULTS.iterdir()
    assert kept.name.startswith("fleet-")
    text = page.PAGE.read_text("utf-8")
    assert "## Thousands of sessions\n" in text and fleet.tables(result) in text
    assert "Not a complete run" in text


def test_fleet_is_as_many_sessions_of_all_lengths_some_of_them_cut(tmp_path: Path) -> None:
    """The same bytes for the same seed; all of them are in order, for a torn end is."""
    settings = fleet.Settings(sessions=10, bytes=1_000_000, odd_every=5)
    lines = fleet.write_fleet(tmp_path / "one", settings)
    fleet.write_fleet(tmp_path / "two", settings)
    paths = sorted((tmp_path / "one").iterdir())
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in sorted((tmp_path / "two").iterdir())]
    assert sum(path.read_bytes().count(b"\n") for path in paths) == lines
    sizes = [path.stat().st_size for path in paths]
    assert 950_000 < sum(sizes) < 1_200_000 and max(sizes) > 3 * min(sizes)
    reports = [check(path) for path in paths]
    assert all(report.ok for report in reports)
    assert [bool(report.torn_bytes) for report in reports] == [False] * 4 + [True] + [False] * 4 + [True]
