"""`deia bench`: what it measures, verifies and prints, and how it exits. Nothing here asserts a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.peers.floor import WriteThroughLogger
from deia.cli.app import run
from deia.cli.bench import command, recorder
from deia.cli.bench import run as bench_run
from deia.cli.bench.run import Amount, run_bench

SMALL = Amount(pairs=1, warmup=10, paced=20, tight=100)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command make few calls."""
    monkeypatch.setattr(command, "run_bench", lambda directory: run_bench(directory, SMALL))


def test_both_recorders_are_measured_and_every_file_is_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Percentiles, throughput, ratios and the verified events of one pair and of the killed process; no file stays."""
    assert run(["bench", "--json", "--directory", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verified_events"] == 2 * 130
    assert found["acknowledged_before_kill"] == found["found_after_kill"] == 110
    assert found["problems"] == []
    assert 150 < found["bytes_per_event"] < 200
    assert found["figures"].keys() == {
        *("tight_median_ns", "tight_p99_ns", "tight_p999_ns", "paced_median_ns", "paced_p99_ns", "events_per_s"),
    }
    for figure in found["figures"].values():
        assert figure["deia"] > 0
        assert figure["ratios"] == [figure["ratio"]] == [figure["deia"] / figure["write_through"]]
    assert list(tmp_path.iterdir()) == []


def test_people_are_shown_a_table_with_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both recorders side by side, the events until all are in the file, and that none is missing."""
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for expected in ("tight, median", "paced, p99", "write-through µs", "Events per second", "260 events"):
        assert expected in out
    assert "No event is missing." in out


def test_environment_of_the_caller_does_not_change_what_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording may be disabled, or its directory another one, where the command is called: it measures as shipped."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "elsewhere"))
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    assert not (tmp_path / "elsewhere").exists()


def without_line(number: int) -> Any:
    lines_of = bench_run._lines

    def lines(path: Path) -> Iterator[bytes]:
        yield from (line for at, line in enumerate(lines_of(path)) if at != number)

    return lines


@pytest.mark.parametrize(
    ("number", "said"),
    [(50, "line 51 carries seq 52"), (130, "129 of 130 events")],
    ids=["in the middle", "at the end"],
)
def test_missing_event_is_told_and_exits_with_1(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    said: str,
) -> None:
    """A file without one of its lines is no file to be proud of, wherever the line was."""
    monkeypatch.setattr(bench_run, "_lines", without_line(number))
    assert run(["bench", "--directory", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"deia: {said}" in out
    assert "please report it" in out
    assert "No event is missing." not in out


def test_event_missing_after_the_kill_is_told_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed process acknowledged more than its log holds."""
    read_events = bench_run.read_events
    monkeypatch.setattr(bench_run, "read_events", lambda path: list(read_events(path))[:-1])
    assert run(["bench", "--json", "--directory", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["acknowledged_before_kill"], found["found_after_kill"]) == (110, 109)
    assert len(found["problems"]) == 1


def test_directory_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names it, for one that is not there and for one that cannot be written."""
    assert run(["bench", "--directory", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err

    def fail(directory: str) -> None:
        raise PermissionError(13, "Permission denied", directory)

    monkeypatch.setattr(command, "run_bench", fail)
    assert run(["bench", "--directory", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"deia: {tmp_path}: Permission denied\n"


def test_measured_process_that_fails_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last is passed on, and nothing is shown as if it had been measured."""
    (tmp_path / "orjson.py").write_text("raise ImportError('broken here')")
    environment = bench_run.environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    monkeypatch.setattr(bench_run, "environment", lambda: environment)
    assert run(["bench", "--directory", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "deia: a measured process failed: ImportError: broken here\n"


def test_write_through_of_the_command_writes_the_lines_of_the_published_floor(tmp_path: Path) -> None:
    """Both measure against the same thing: field by field, only the clock differs."""
    mine = recorder.WriteThrough(tmp_path / "mine")
    floor = WriteThroughLogger(tmp_path / "floor", recorder.AGENT_ID, recorder.SESSION_ID)
    mine.log_task_start(recorder.TASK)
    floor.log_task_start(recorder.TASK, {})
    for logger in (mine, floor):
        logger.log_tool_call(recorder.TOOL, {"path": "tests/"}, 7)
        logger.close()

    def lines(name: str) -> list[dict[str, Any]]:
        found = [orjson.loads(line) for line in (tmp_path / name).read_bytes().splitlines()]
        return [{key: None if "time" in key else value for key, value in fields.items()} for fields in found]

    assert lines("mine") == lines("floor")
    assert [list(fields) for fields in lines("mine")] == [list(fields) for fields in lines("floor")]
