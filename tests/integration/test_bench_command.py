"""`deia bench`: what it measures, verifies and prints, and how it exits. Nothing here asserts a time."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from benchmarks import event as published_event
from benchmarks.peers.floor import WriteThroughLogger
from deia import SessionLogger
from deia.cli.app import run
from deia.cli.bench import command, event, figures, process, readback, views
from deia.cli.bench import run as bench_run
from deia.cli.bench.process import Answer, Job
from deia.cli.bench.readback import Survivors
from deia.cli.bench.recorders.catalogue import RECORDERS, find_recorder, missing
from deia.cli.bench.run import Amount, Bench, run_bench
from deia.cli.page import TerminalPage
from deia.testing import processes
from support.processes import TIMEOUT_S, watched
from support.waiting import eventually

SMALL = Amount(rounds=1, warmup=10, paced=20, tight=100)
CALLS, KILLED_CALLS = 130, 110

ALWAYS_THERE = ["deia", "deia-unredacted", "write-through", "logging", "logging-queue"]
OTHERS = ["loguru", "picologging", "structlog"]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command make few calls, and find nothing that another environment would not have."""
    monkeypatch.setattr(command, "run_bench", lambda directory, **options: run_bench(directory, SMALL, **options))
    monkeypatch.setattr(bench_run, "missing", lambda name: find_recorder(name).needs)


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let there be nothing else in the catalogue."""
    monkeypatch.setattr(bench_run, "RECORDERS", {name: RECORDERS[name] for name in names})
    monkeypatch.setattr(bench_run, "missing", lambda name: [])


def test_every_recorder_is_measured_and_each_file_is_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Percentiles, throughput and ratios of each, and what a kill left of it; no file stays."""
    assert run(["bench", "--json", "--directory", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["recorders"]) == ALWAYS_THERE
    assert found["verified_events"] == len(ALWAYS_THERE) * CALLS
    assert (found["problems"], found["failed"]) == ([], {})
    assert found["versions"].keys() == {"deia", "orjson"}
    for name, recorder in found["recorders"].items():
        assert 150 < recorder["bytes_per_event"] < 200
        assert recorder["acknowledged_before_kill"] == KILLED_CALLS
        assert recorder["found_after_kill"] == KILLED_CALLS or name == "logging-queue"
        assert recorder["until_in_file"]["events_per_s"] > 0
        for mode in ("tight", "paced"):
            calls = recorder[mode]
            assert 0 < calls["median_ns"] <= calls["p99_ns"] <= calls["p999_ns"] <= calls["max_ns"]
            assert calls["ratios"] == [calls["ratio"]]
    base = found["recorders"]["write-through"]
    assert [base[of]["ratio"] for of in ("tight", "paced", "until_in_file")] == [1, 1, 1]
    assert list(tmp_path.iterdir()) == []


def test_people_are_shown_tables_with_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each recorder in each of them, Deia first, and that none of its events is missing."""
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    labels = [find_recorder(name).label for name in ALWAYS_THERE]
    rows = [line for line in out.splitlines() if line.startswith(tuple(labels))]
    assert [row.partition("  ")[0] for row in rows] == labels * 3
    for expected in ("Tight", "Paced: 5,000 calls a second", "Until everything is in the file", "650 events read back"):
        assert expected in out
    assert "No event of Deia is missing." in out


def test_recorder_that_is_not_installed_is_left_out_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, so that one knows what to install."""
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    assert f"Not installed, so not measured: {', '.join(OTHERS)}." in capsys.readouterr().out.splitlines()


def test_whether_a_recorder_is_installed_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what would be imported."""
    (tmp_path / "structlog.py").write_text("raise ImportError('broken here')")
    monkeypatch.syspath_prepend(tmp_path)
    assert missing("structlog") == []
    monkeypatch.setattr(sys, "path", [])
    assert missing("structlog") == ["structlog"]
    assert missing("logging") == []


def test_no_library_is_imported_before_its_recorder_is_made() -> None:
    """All can be named where few are installed, and a measured process holds no other's modules."""
    code = (
        "import sys\nfrom deia.cli.bench.recorders.catalogue import RECORDERS, find_recorder\n"
        "[find_recorder(name) for name in RECORDERS]\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*OTHERS, "deia.services", "deia.queue", "rich", "click"}


@pytest.mark.parametrize("name", RECORDERS)
def test_installed_recorder_records_every_event_it_is_given(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back, each call is there once and in order; and so is what a kill leaves, whatever that is."""
    for distribution in missing(name):
        pytest.skip(f"{distribution} is not installed")
    only(monkeypatch, "deia", "write-through", name)
    done = run_bench(str(tmp_path), SMALL)
    assert (done.failed, done.problems) == ({}, [])
    row = next(row for row in done.rows if row.name == name)
    assert 150 < row.bytes_per_event < 220
    assert row.killed.in_order


def test_measured_method_is_the_loggers_own(tmp_path: Path) -> None:
    """No wrapper stands between the clock and what is measured."""
    recorder = find_recorder("deia")(tmp_path)
    assert recorder.log_tool_call.__func__ is SessionLogger.log_tool_call


def test_environment_of_the_caller_does_not_change_what_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recording may be disabled, or its directory another one, where the command is called: it measures as shipped."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("LOGURU_LEVEL", "ERROR")
    monkeypatch.setenv("PYTHONDEVMODE", "1")
    monkeypatch.setenv("PYTHONTRACEMALLOC", "25")
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    assert not (tmp_path / "elsewhere").exists()
    changed = {name for name in bench_run._environment() if name.startswith(("DEIA_", "LOGURU_", "PYTHON"))}
    assert changed - {"PYTHONHOME"} == {"PYTHONPATH"}


def without_line(number: int, recorder: str) -> Any:
    lines_of = readback._lines

    def lines(job: Job) -> Iterator[bytes]:
        yield from (line for at, line in enumerate(lines_of(job)) if at != number or job.recorder != recorder)

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
    monkeypatch.setattr(readback, "_lines", without_line(number, "deia"))
    assert run(["bench", "--directory", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert f"Deia: {said}" in out
    assert "please report it" in out
    assert "No event of Deia is missing." not in out


def test_recorder_of_others_whose_file_lacks_an_event_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not record must not look fast; the rest is shown."""
    monkeypatch.setattr(readback, "_lines", without_line(50, "logging"))
    assert run(["bench", "--json", "--directory", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == {"logging": "line 51 carries seq 52"}
    assert list(found["recorders"]) == [name for name in ALWAYS_THERE if name != "logging"]


def lose_one(monkeypatch: pytest.MonkeyPatch, recorder: str) -> None:
    survivors = bench_run.survivors

    def fewer(job: Job) -> Survivors:
        found = survivors(job)
        return dataclasses.replace(found, found=found.found - 1) if job.recorder == recorder else found

    monkeypatch.setattr(bench_run, "survivors", fewer)


def test_event_missing_after_the_kill_is_told_and_exits_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The killed process acknowledged more than its log holds."""
    lose_one(monkeypatch, "deia-unredacted")
    assert run(["bench", "--json", "--directory", str(tmp_path)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["recorders"]["deia-unredacted"]["found_after_kill"] == KILLED_CALLS - 1
    assert found["problems"] == ["Deia, redact=False, killed: 109 of 110 events, or not in order"]


def test_event_of_others_missing_after_the_kill_is_a_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every recorder promises to survive it."""
    lose_one(monkeypatch, "logging")
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "missing of 110 acknowledged after SIGKILL" in out
    last = [line for line in out.splitlines() if line.startswith("logging, FileHandler")][-1]
    assert last.split()[-1] == "1"


def test_torn_last_line_of_a_killed_process_is_no_event(tmp_path: Path) -> None:
    """The event that it was to be is missing."""
    lines = b"".join(b'{"type":"ToolEvent","duration_ms":%d}\n' % number for number in range(5))
    (tmp_path / "events.jsonl").write_bytes(lines[:-3])
    assert readback.survivors(Job("logging", str(tmp_path), 0, 0, 5, 1.0)) == Survivors(5, 4, in_order=True)


def test_directory_that_cannot_be_used_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that names it, for one that is not there and for one that cannot be written."""
    assert run(["bench", "--directory", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err

    def fail(directory: str, **options: Any) -> None:
        raise PermissionError(13, "Permission denied", directory)

    monkeypatch.setattr(command, "run_bench", fail)
    assert run(["bench", "--directory", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"deia: {tmp_path}: Permission denied\n"


def test_measured_process_of_ours_that_fails_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said last is passed on, and nothing is shown as if it had been measured."""
    (tmp_path / "orjson.py").write_text("raise ImportError('broken here')")
    environment = bench_run._environment()
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    monkeypatch.setattr(bench_run, "_environment", lambda: environment)
    only(monkeypatch, "deia", "write-through")
    assert run(["bench", "--directory", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("deia: a measured process failed, of ")
    assert captured.err.endswith(": ImportError: broken here\n")


def test_recorder_of_others_that_fails_is_named_with_its_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no row, and the rest is shown."""
    (tmp_path / "loguru.py").write_text("raise ImportError('broken here')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "loguru", raising=False)
    only(monkeypatch, "deia", "write-through", "loguru")
    assert run(["bench", "--directory", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "Not measured, because it failed: loguru: ImportError: broken here" in out
    assert [line.split()[0] for line in out.splitlines() if line.startswith(("Deia", "write", "loguru"))] == [
        *("Deia", "write-through") * 3
    ]


FAKE_LOGURU = """
print("a warning of what is installed here")

class Logger:
    def add(self, path, format, **options):
        self.path, self.format = path, format
        {opens}
    def info(self, message, fields):
        self.file.write({line})
    def complete(self):
        self.file.flush()
    def remove(self):
        pass

logger = Logger()
"""
_ITS_LINE = "self.format({'extra': {'fields': fields}}).format(extra={'line': __import__('json').dumps(fields)})"


@pytest.mark.parametrize(
    ("opens", "line", "said"),
    [
        ("self.file = open(path, 'w')", _ITS_LINE, None),
        ("self.file = open(path, 'w')", "'no JSON\\n'", "line 1 cannot be read: JSONDecodeError"),
        ("self.file = open(path, 'w')", "'{}\\n'", "line 1 cannot be read: KeyError"),
        ("self.file = open('elsewhere', 'w')", _ITS_LINE, "its file cannot be read: FileNotFoundError"),
    ],
    ids=["prints and works", "no JSON", "another line", "another file"],
)
def test_recorder_of_others_may_leave_anything_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opens: str, line: str, said: str | None
) -> None:
    """What it prints does not matter; a file that cannot be read is its failure, and the rest is shown."""
    (tmp_path / "loguru.py").write_text(FAKE_LOGURU.format(opens=opens, line=line))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "loguru", raising=False)
    only(monkeypatch, "deia", "write-through", "loguru")
    done = run_bench(str(tmp_path), SMALL)
    assert [row.name for row in done.rows] == ["deia", "write-through", *([] if said else ["loguru"])]
    assert done.failed.get("loguru", "").startswith(said or "")
    assert bool(done.failed) is (said is not None)


def test_directory_may_be_given_relative_to_the_current_one(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured processes, which run elsewhere, find it all the same."""
    (elsewhere / "here").mkdir()
    only(monkeypatch, "deia", "write-through")
    assert run(["bench", "--directory", "here"]) == 0
    assert "No event of Deia is missing" in capsys.readouterr().out


def test_process_that_hangs_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends, and is told of as one that failed by itself."""
    monkeypatch.setattr(bench_run, "_CHILD_TIMEOUT_S", 0.01)
    only(monkeypatch, "deia", "write-through")
    with pytest.raises(bench_run.BenchFailedError, match=r"takes longer than 0\.01 s"):
        run_bench(str(tmp_path), SMALL)


def test_process_that_is_not_killed_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it closed in peace says nothing of a kill."""
    monkeypatch.setattr(bench_run, "signal", SimpleNamespace(SIGKILL=signal.SIGTERM, SIGTERM=signal.SIGTERM))
    only(monkeypatch, "deia", "write-through")
    with pytest.raises(bench_run.BenchFailedError, match="was to be killed ended before: exit code -9"):
        run_bench(str(tmp_path), SMALL)


@pytest.mark.skipif(sys.platform == "win32", reason="this platform has no groups of processes")
def test_ctrl_c_ends_what_is_measured_and_leaves_no_file(tmp_path: Path) -> None:
    """It goes to the whole group, as from a terminal, and nobody says anything."""
    with processes.start([sys.executable, "-m", "deia", "bench", "--directory", str(tmp_path)], cwd=tmp_path) as bench:
        watched(bench)
        eventually(lambda: list(tmp_path.glob("*/*")) != [], "something to be measured")
        os.killpg(bench.pid, signal.SIGINT)
        assert bench.communicate(timeout=TIMEOUT_S) == (b"", b"")
    assert bench.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_each_process_is_told_of_before_it_is_started(tmp_path: Path) -> None:
    """How many have been, of how many, and what is measured now: as many in each round, and one to be killed."""
    told: list[tuple[int, int, str]] = []
    run_bench(str(tmp_path), dataclasses.replace(SMALL, rounds=2), lambda *now: told.append(now))
    labels = sorted(find_recorder(name).label for name in ALWAYS_THERE)
    assert [(done, total) for done, total, _ in told] == [(done, 15) for done in range(15)]
    for first in (0, 5, 10):
        assert sorted(label for _, _, label in told[first : first + 5]) == labels


def unstyled(text: str) -> str:
    return re.sub(r"\x1b\[\d+m", "", text)


def test_who_watches_sees_what_is_measured(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On standard error, drawn between the processes; a pipe gets nothing."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for all that rich knows
    with command._progress(SimpleNamespace(interactive=True)) as on_process:  # type: ignore[arg-type]  # all it asks
        on_process(3, 36, "structlog")
    with command._progress(SimpleNamespace(interactive=False)) as on_process:  # type: ignore[arg-type]  # likewise
        on_process(4, 36, "loguru")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search("Measuring .* 3/36 structlog", unstyled(captured.err))
    assert "loguru" not in captured.err


def answer(tight: list[int], events_per_s: float = 1.0) -> Answer:
    return Answer([1], tight, events_per_s)


def test_calls_of_all_rounds_are_pooled_and_ratios_taken_within_a_round() -> None:
    """A round in which the machine was slow moves neither the ratio nor, alone, the median."""
    base = [answer([10] * 999, 100), answer([90] * 999, 10), answer([10] * 999, 100)]
    mine = [answer([20] * 999, 50), answer([180] * 999, 5), answer([30] * 998 + [500], 50)]
    row = figures.row("name", "label", mine, base, 184.0, Survivors(1, 1, in_order=True))
    assert row.tight.ratio.rounds == [2, 2, 3]
    assert (row.tight.ratio.median, row.speed_ratio.median, row.events_per_s) == (2, 0.5, 50)
    assert (row.tight.median_ns, row.tight.p99_ns, row.tight.max_ns) == (30, 180, 500)
    assert row.tight.p999_ratio == 2


def test_percentile_leaves_fifteen_of_all_paced_calls_beyond_it() -> None:
    """Nearest rank: enough calls that the figure is not one call's luck."""
    calls = Amount().rounds * Amount().paced
    assert calls - 1 - figures.percentile(range(calls), 0.999) == 15
    assert [figures.percentile([1, 2, 3], share) for share in (0.001, 0.5, 0.999)] == [1, 2, 3]


def shown(paced_median_ns: int) -> str:
    """Return what a terminal shows of a run with the longest figures that are to be expected."""
    ratio = figures.Ratio([0.9, 17.2, 123.4])
    tight = figures.Calls(45_770, 98_765_400, 13_573_500, 83_671_000, ratio, 619.0)
    paced = dataclasses.replace(tight, median_ns=paced_median_ns)
    survived = Survivors(21_000, 9_989, in_order=True)
    rows = [
        figures.Row(name, find_recorder(name).label, tight, paced, 1_555_416.0, ratio, 204.9, survived)
        for name in RECORDERS
    ]
    page = TerminalPage()
    views.show(page, Bench(Amount(), rows, not_installed=OTHERS))
    return unstyled(page.text())


@pytest.mark.parametrize(("columns", "left_out"), [(80, ["p99 µs"]), (120, [])])
def test_tables_fit_the_terminal_with_every_recorder(
    columns: int, left_out: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ratios keep how far they went from round to round."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = shown(paced_median_ns=50_720)
    assert max(map(len, text.splitlines())) <= columns
    assert re.findall("No room for: (.*);", text) == left_out * 2
    for expected in ("0.90", "17.2", "123", "619", "83.67", "11,011", "of 21,000 acknowledged"):
        assert expected in text


@pytest.mark.parametrize(("median_ns", "is_late"), [(199_999, False), (200_001, True)])
def test_recorder_that_is_slower_than_the_pace_is_said_to_be(median_ns: int, is_late: bool) -> None:
    """Its paced figures are then those of calls one after the other."""
    assert ("Slower than the pace" in shown(median_ns)) is is_late


def test_version_is_unknown_of_what_was_not_installed() -> None:
    """A module may lie on the path without a record of its distribution."""
    assert command._version("a-distribution-that-nobody-has") is None


def test_same_event_is_recorded_as_in_the_published_benchmarks() -> None:
    """Word for word."""
    for name in ("AGENT_ID", "SESSION_ID", "TASK", "TOOL"):
        assert getattr(event, name) == getattr(published_event, name)


def test_write_through_of_the_command_writes_the_lines_of_the_published_floor(tmp_path: Path) -> None:
    """Both measure against the same thing: field by field, only the clock differs."""
    mine = find_recorder("write-through")(tmp_path)
    floor = WriteThroughLogger(tmp_path / "floor", event.AGENT_ID, event.SESSION_ID)
    mine.start()
    floor.log_task_start(event.TASK, {})
    for logger in (mine, floor):
        logger.log_tool_call(event.TOOL, {"path": "tests/"}, 7)
        logger.close()

    def lines(path: Path) -> list[dict[str, Any]]:
        found = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        return [{key: None if "time" in key else value for key, value in fields.items()} for fields in found]

    assert lines(mine.path) == lines(tmp_path / "floor")
    assert [list(fields) for fields in lines(mine.path)] == [list(fields) for fields in lines(tmp_path / "floor")]


def test_measured_process_returns_each_sample(tmp_path: Path) -> None:
    """So that the calls of all processes can be put together."""
    found = process.measure(Job("write-through", str(tmp_path), 5, 10, 20, 5_000))
    assert (len(found.paced), len(found.tight)) == (10, 20)
