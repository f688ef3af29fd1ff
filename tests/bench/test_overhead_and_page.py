"""The benchmarks run, verify what they measured, and report what was lost. Nothing here asserts a time."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks import __main__ as command_line
from benchmarks import appends, calls, compare, figures, page, steps, tables
from benchmarks.conditions import ROOT
from benchmarks.results import read_result, result_name, write_result
from benchmarks.timing import histogram, percentile
from benchmarks.verification import verify
from support.benchmark_runs import QuickRun, quick_run

LOSSY = '''
from benchmarks.peers.bounds import Floor

class Lossy(Floor):
    """Says nothing of every hundredth call."""

    durability = "less than it says"

    def __init__(self, directory):
        super().__init__(directory)
        self.log_tool_call = self.forgetful

    def forgetful(self, tool_name, params, duration_ms):
        if duration_ms % 100 != 7:
            self.logger.log_tool_call(tool_name, params, duration_ms)
'''


@pytest.fixture(scope="module")
def overhead_run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """The quick form with a lossy peer in it."""
    return quick_run(tmp_path_factory.mktemp("benchmark"), ("lossy", LOSSY), "overhead", "--peer", "lossy:Lossy")


@pytest.fixture
def result(overhead_run: QuickRun) -> dict[str, Any]:
    """A raw result that a test may change."""
    return copy.deepcopy(overhead_run[1])


def test_a_raw_result_says_under_what_conditions_it_was_measured(result: dict[str, Any]) -> None:
    """Commit, machine, interpreter, versions, options and durability stand in every raw result."""
    assert result["benchmark"] == "overhead"
    assert result["schema"] == 1
    assert result["complete"] is False
    assert {"commit", "dirty", "recorded_at", "settings", "options", "durability"} <= result.keys()
    assert {"processor", "cores", "kernel", "file_system"} <= result["machine"].keys()
    assert {"version", "distribution", "optimised", "flags", "compiler"} <= result["python"].keys()
    assert result["versions"].keys() == {"orjson", "anyio", "aiofiles"}
    assert result["options"]["sync_policy"] == "interval"
    assert result["durability"].keys() == {*("floor", "sync", "unredacted", "awaited", "original", "lossy:Lossy")}
    assert "loses the whole session" in result["durability"]["original"]


def test_a_raw_result_names_no_place_on_the_machine(result: dict[str, Any]) -> None:
    """Neither paths nor the host's name are published."""
    text = orjson.dumps(result).decode()
    for place in (str(ROOT), str(Path.home()), sys.prefix, "deia-benchmark-"):
        assert place not in text


def test_every_repetition_keeps_its_figures_and_its_verification(result: dict[str, Any]) -> None:
    """Each process has percentiles, a histogram of all its samples, its dropped events, and what its file held."""
    ran = {(run["mode"], run["base"], run["subject"], run["peer"]) for run in result["repetitions"]}
    for mode, base, subject in [
        *(("tight", "floor", peer) for peer in ("sync", "unredacted", "awaited", "original", "lossy:Lossy")),
        *(("tight", "sync", "awaited"), ("tight", "unredacted", "sync")),
        *(("paced", "floor", peer) for peer in ("sync", "unredacted", "awaited", "original", "lossy:Lossy")),
    ]:
        assert {(mode, base, subject, base), (mode, base, subject, subject)} <= ran
    for run in result["repetitions"]:
        assert 0 < run["median_ns"] <= run["p99_ns"] <= run["p999_ns"] <= run["max_ns"]
        assert sum(count for _, count in run["histogram"]) == run["events"]
        assert run["timer_ns"] > 0
        assert run["events_per_s"] > 0
        assert run["dropped"] == 0
        assert run["verification"]["calls"] == run["events"] + result["settings"]["warmup"]


def test_the_file_of_every_repetition_holds_every_event_exactly_once(result: dict[str, Any]) -> None:
    """What the loggers, the floor and the original design recorded is complete, in order and without a gap."""
    honest = [run for run in result["repetitions"] if run["peer"] != "lossy:Lossy"]
    for run in [*honest, *result["first_calls"], result["long_session"]]:
        assert run["verified"], run
        assert not any(
            run["verification"][key] for key in ("lost", "repeated", "out_of_order", "seq_gaps", "unreadable")
        )


def test_the_tool_event_fits_into_200_bytes(result: dict[str, Any]) -> None:
    """The event of the design, with short ids and all fields of section 4, is no longer than promised."""
    assert result["event"]["bytes"] == len(result["event"]["line"].encode()) <= 200
    fields = orjson.loads(result["event"]["line"])
    assert list(fields) == [
        *("type", "name", "params", "duration_ms", "task_id"),
        *("seq", "timestamp", "agent_id", "session_id", "v"),
    ]


def test_a_lossy_peer_is_reported_and_left_out_of_the_figures(
    overhead_run: QuickRun,
) -> None:
    """Lost events are told with their number and fail the command; they never make a peer look fast."""
    done, result = overhead_run
    assert done.returncode == 1
    assert figures.losses(result) == [
        "lossy:Lossy, tight, pair 1: 22 lost of 2,200 calls",
        "lossy:Lossy, paced, pair 1: 4 lost of 400 calls",
    ]
    assert "22 lost of 2,200 calls" in done.stdout
    assert "lossy:Lossy" not in {row.peer for row in figures.peer_figures(result)}
    assert "lossy:Lossy" not in {row.subject for row in figures.comparisons(result)}


def test_a_target_without_a_single_whole_pair_is_missed(result: dict[str, Any]) -> None:
    """Where every pair lost events there is no ratio, and that is no success."""
    for run in result["repetitions"]:
        run["verified"] = run["verified"] and run["peer"] != "sync"
    target = next(target for target in figures.targets(result) if target.name == "sync / floor, median, tight")
    assert target.value is None
    assert not target.met
    assert "MISSED" in tables.targets(result)


def test_the_price_of_redaction_is_measured_where_there_is_redaction(result: dict[str, Any]) -> None:
    """With it a call may cost what write-through does, without it less; older results are judged as they were."""

    def limits() -> dict[str, float]:
        return {target.name: target.limit for target in figures.targets(result) if "median" in target.name}

    assert limits()["sync / floor, median, tight"] == 1.0
    assert limits()["sync, redact=False / floor, median, tight"] == 0.65
    assert limits()["sync / sync, redact=False, median, tight"] == 1.25
    del result["options"]["redact"]
    assert limits()["sync / floor, median, tight"] == 0.8
    assert not any("redact" in target.name for target in figures.targets(result))


def test_a_growing_session_is_looked_at_after_few_and_after_many_events(result: dict[str, Any]) -> None:
    """Summary, both saves, a plain copy and the memory are there for each size, with a session of ten beside it."""
    steps = result["long_session"]["steps"]
    assert [step["events"] for step in steps] == result["settings"]["sizes"]
    for step in steps:
        for session in ("short", "long"):
            assert {"summary_ns", "save_own_ns", "save_elsewhere_ns", "plain_copy_ns"} <= step[session].keys()
        if sys.platform == "linux":
            assert step["rss_kib"] >= step["own_kib"] > 0


def test_starting_is_reported_on_its_own(result: dict[str, Any]) -> None:
    """The first call of a process and the imports come from processes of their own, for both loggers."""
    assert {run["peer"] for run in result["first_calls"]} == {"sync", "awaited"}
    assert all(run["first_ns"] > 0 for run in result["first_calls"])
    assert all(turn.keys() == {"base", "deia", "loggers"} for turn in result["imports"])


def test_ratios_are_medians_over_pairs() -> None:
    """Each pair gives one ratio; a machine that was slow during one pair does not move the result."""

    def run(pair: int, peer: str, median_ns: int) -> dict[str, Any]:
        where = {"mode": "tight", "base": "floor", "subject": "sync", "pair": pair, "peer": peer, "verified": True}
        return {**where, "median_ns": median_ns, "p99_ns": median_ns, "p999_ns": median_ns}

    pairs = [(2000, 1000), (9000, 1800), (2000, 1800)]
    runs = [run(at, *half) for at, (base, over) in enumerate(pairs) for half in (("sync", over), ("floor", base))]
    row = figures.comparisons({"repetitions": runs})[0]
    assert row.ratios == [0.5, 0.2, 0.9]
    assert row.ratio == 0.5
    assert row.difference == -1000


def event_line(number: int, seq: int) -> bytes:
    return orjson.dumps({"type": "ToolEvent", "name": "pytest", "duration_ms": number, "seq": seq}) + b"\n"


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        pytest.param([(0, 1), (1, 2), (2, 3)], {}, id="whole"),
        pytest.param([(0, 1), (2, 2)], {"lost": 1}, id="lost"),
        pytest.param([(0, 1), (1, 3), (2, 4)], {"seq_gaps": 1}, id="gap"),
        pytest.param([(0, 1), (1, 2), (1, 3), (2, 4)], {"repeated": 1}, id="repeated"),
        pytest.param([(0, 1), (2, 2), (1, 3)], {"out_of_order": 1}, id="out of order"),
    ],
)
def test_the_verification_counts_what_is_wrong(
    tmp_path: Path, lines: list[tuple[int, int]], wrong: dict[str, int]
) -> None:
    """Lost, repeated and misplaced events and gaps in `seq` are each counted as what they are."""
    path = tmp_path / "session.jsonl"
    path.write_bytes(b"".join(event_line(*line) for line in lines))
    found = verify(path, 3)
    assert found.ok == (not wrong)
    counts = {
        key: getattr(found, key) for key in ("lost", "repeated", "out_of_order", "seq_gaps", "unreadable", "dropped")
    }
    assert {key: count for key, count in counts.items() if count} == wrong


def test_the_verification_counts_torn_lines_dropped_events_and_a_missing_file(tmp_path: Path) -> None:
    """A torn end is damage, a drop that the log admits is a drop, and no file is the loss of all."""
    path = tmp_path / "session.jsonl"
    dropped = orjson.dumps({"type": "SessionEvent", "event": "dropped", "dropped": 5, "seq": 2}) + b"\n"
    path.write_bytes(event_line(0, 1) + dropped + event_line(1, 3)[:20])
    found = verify(path, 2)
    assert (found.unreadable, found.dropped, found.lost, found.ok) == (1, 5, 1, False)
    assert verify(tmp_path / "none.jsonl", 2).lost == 2


def test_percentiles_are_samples_and_the_histogram_counts_each_once() -> None:
    """Nearest rank: the 99.9th percentile of a thousand samples is the second largest; bounds enclose their samples."""
    samples = list(range(1, 1001))
    assert [percentile(samples, share) for share in (0.5, 0.99, 0.999, 1)] == [500, 990, 999, 1000]
    assert percentile([7], 0.5) == 7
    assert histogram([1, 1, 2, 100, 104, 105]) == [[1, 2], [2, 1], [104, 2], [112, 1]]


@pytest.mark.parametrize(
    ("processor", "slug"),
    [
        ("AMD EPYC", "amd-epyc"),
        ("Intel(R) Xeon(R) Processor", "intel-xeon"),
        ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", "intel-core-i7-8650u"),
    ],
)
def test_results_of_several_processors_stand_beside_each_other(
    result: dict[str, Any], processor: str, slug: str
) -> None:
    """None of them overwrites another's, and each section of the page says whose it is."""
    elsewhere = {**result, "machine": {**result["machine"], "processor": processor}}
    assert result_name(elsewhere).endswith(f"-{slug}.json")
    text = page.make_pages([result, elsewhere])[page.PAGE]
    assert text.count("\n## CPython") == 2
    assert f", on {processor}\n" in text


def test_a_result_survives_being_written_and_read(result: dict[str, Any], tmp_path: Path) -> None:
    """The file holds the same JSON, one process a line."""
    path = tmp_path / result_name(result)
    write_result(result, path)
    assert read_result(path) == orjson.loads(orjson.dumps(result))
    assert len(path.read_text().splitlines()) > len(result["repetitions"])


def test_the_page_is_made_from_results_and_keeps_the_rows_where_we_lose(result: dict[str, Any], tmp_path: Path) -> None:
    """Every peer, target and loss of a result stands on the page, as does the comparison of appends."""
    write_result(result, tmp_path / "overhead.json")
    write_result(appends.run(tmp_path, **appends.QUICK), tmp_path / "appends.json")
    text = page.make_pages(page.load_results(tmp_path))[page.PAGE]
    for expected in ("tight, original", "paced, awaited", "sync / floor, p99.9, paced", "22 lost", "anyio portal"):
        assert expected in text
    assert tables.heading(result) in text


def test_recording_keeps_both_results_and_makes_the_page(
    result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`record` names its files by what was measured and on what, and fails where events were lost."""
    small = appends.run(tmp_path, **appends.QUICK)
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(command_line.overhead, "run", lambda *args, **options: result)
    monkeypatch.setattr(command_line.appends, "run", lambda directory: small)
    assert command_line.main(["record", "--directory", str(tmp_path)]) == 1
    assert sorted(page.RESULTS.iterdir()) == [page.RESULTS / result_name(small), page.RESULTS / result_name(result)]
    assert page.PAGE.read_text() == page.make_pages(page.load_results(page.RESULTS))[page.PAGE]
    assert command_line.main(["table", "--check"]) == 0


def test_the_published_page_is_up_to_date_with_the_results() -> None:
    """`docs/reference/benchmarks.md` is exactly what the raw results make; nothing on it was typed."""
    assert command_line.main(["table", "--check"]) == 0


def test_the_published_results_are_complete() -> None:
    """Both kinds of interpreter were measured in full, and nothing was lost."""
    results = page.load_results()
    overheads = [result for result in results if result["benchmark"] == "overhead"]
    assert {result["python"]["optimised"] for result in overheads} == {True, False}
    for result in overheads:
        assert result["complete"]
        assert figures.losses(result) == []
        assert min(len(row.ratios) for row in figures.comparisons(result)) >= 11


def test_two_results_can_be_compared(result: dict[str, Any]) -> None:
    """Each ratio of two results stands side by side."""
    text = compare.compare(result, result)
    assert "tight, sync / floor, median" in text
    assert "1.000" in text


def test_each_kind_of_call_is_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As shipped and without redaction; none of its events is missing."""
    assert command_line.main(["calls", "--quick", "--directory", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(call in shown for call in calls.CALLS)
    assert "none is missing" in shown
    assert list(tmp_path.iterdir()) == []


def test_calls_whose_events_are_missing_are_a_failure(tmp_path: Path) -> None:
    """Then the figures are those of something else."""
    result = {**calls.run(tmp_path, **calls.QUICK), "missing": 3}
    assert calls.failures(result) == ["3 events are missing"]
    assert "3 events are missing" in calls.tables(result)


def test_steps_of_a_call_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each by itself, the whole call, and one write beside them; all in one table."""
    assert command_line.main(["steps", "--quick", "--directory", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert all(step in shown for step in steps.STEPS if step != "the empty loop")
    assert list(tmp_path.iterdir()) == []
