"""The peers record what they are given, die as they say, and are told of honestly. Nothing here asserts a time."""

from __future__ import annotations

import copy
import functools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest

from benchmarks import __main__ as command_line
from benchmarks import charts, page, peer_figures, peer_runs, peer_tables
from benchmarks.conditions import ROOT
from benchmarks.peers import PEERS, find_peer
from benchmarks.processes import run_to_death, run_verified
from benchmarks.results import write_result
from support.benchmark_runs import QuickRun, quick_run

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = None

CALLS = 40

OWN_PEERS = '''
from benchmarks.peers import LeftOutError, Peer
from benchmarks.peers.bounds import Floor

class Lossy(Floor):
    """Says nothing of every hundredth call; but not in the first ones, in which a probe looks at it."""

    label = "a lossy one"
    durability = "less than it says"

    def __init__(self, directory):
        super().__init__(directory)
        self.log_tool_call = self.forgetful

    def forgetful(self, tool_name, params, duration_ms):
        if duration_ms % 100 != 7 or duration_ms < 302:
            self.logger.log_tool_call(tool_name, params, duration_ms)

class Missing(Peer):
    label = "one that is not installed"
    durability = "nothing"

    def __init__(self, directory):
        import a_module_that_nobody_has

class Elsewhere(Peer):
    label = "one of another system"
    durability = "nothing"

    def __init__(self, directory):
        raise LeftOutError("runs on another system")
'''


Probe = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    """Make a few calls of a peer and return what was found; skip the test where it cannot be had."""
    directory = tmp_path_factory.mktemp("probe")

    @functools.cache
    def answer(peer: str) -> dict[str, Any]:
        job = {"job": "probe", "peer": peer, "calls": CALLS, "warmup": 1}
        return run_verified(job, directory, CALLS + 1)

    def probe_or_skip(peer: str) -> dict[str, Any]:
        if "left_out" in answer(peer):
            pytest.skip(answer(peer)["left_out"])
        assert list(directory.iterdir()) == []
        return answer(peer)

    return probe_or_skip


@pytest.mark.parametrize("peer", PEERS)
def test_peer_records_every_event_it_is_given(peer: str, probe: Probe) -> None:
    """Read back with its store's own reader, each call is there once, in order."""
    answer = probe(peer)
    assert answer["verified"], answer["verification"]
    assert answer["disk_bytes_per_event"] > 50


@pytest.mark.parametrize("peer", PEERS)
def test_peer_that_claims_to_survive_a_kill_survives_it(peer: str, probe: Probe, tmp_path: Path) -> None:
    """What stands in the table about its durability is true of SIGKILL, and of an exit without close."""
    probe(peer)
    deaths = [
        run_to_death({"job": "death", "peer": peer, "calls": CALLS, "rate": None, "kill": kill}, tmp_path)
        for kill in (True, False)
    ]
    durability = find_peer(peer).durability
    if re.match("the death of the process (at once|and loss of power)", durability):
        assert [found.ok for found in deaths] == [True, True], durability
    elif peer in {"original", "otel", "otel-roomy"}:  # these hold everything back for longer than the calls take
        assert deaths[0].lost == CALLS, durability
    for found in deaths:
        assert not found.repeated
        assert not found.out_of_order


@pytest.mark.parametrize("peer", PEERS)
def test_peer_says_what_it_is_and_what_it_survives(peer: str) -> None:
    """A label of its own, and a statement of its durability, also where it is not installed."""
    kind = find_peer(peer)
    assert kind.durability.startswith(("the death of the process", "nothing"))
    assert kind.__doc__
    assert [find_peer(other).label for other in PEERS].count(kind.label) == 1


@pytest.mark.skipif(tomllib is None, reason="the standard library reads TOML from Python 3.11 on")
def test_group_of_dependencies_installs_every_peer() -> None:
    """What the peers stand on is in the group `peers`, or is what Deia stands on itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = [*project["dependency-groups"]["peers"], *project["project"]["dependencies"]]
    names = {re.split(r"[<>=!; \[]", requirement)[0] for requirement in listed}
    assert {name for peer in PEERS for name in find_peer(peer).needs} <= names


@pytest.fixture(scope="module")
def peers_run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """The quick form with peers that need no installation, and three of the test's own."""
    chosen = ("sync", "awaited", "bare", "logging-queue", "own:Lossy", "own:Missing", "own:Elsewhere")
    return quick_run(
        tmp_path_factory.mktemp("peers"),
        ("own", OWN_PEERS),
        *("peers", "--calls", "500"),
        *(argument for peer in chosen for argument in ("--peer", peer)),
    )


@pytest.fixture
def result(peers_run: QuickRun) -> dict[str, Any]:
    """A raw result that a test may change."""
    return copy.deepcopy(peers_run[1])


def test_raw_result_says_under_what_conditions_it_was_measured(result: dict[str, Any]) -> None:
    """Commit, machine, interpreter, versions, settings, labels and durability; and no place on the machine."""
    assert result["benchmark"] == "peers"
    assert result["complete"] is False
    assert {"commit", "dirty", "recorded_at", "settings", "machine", "python"} <= result.keys()
    assert {"orjson", "anyio", "aiofiles", "SQLite"} <= result["versions"].keys()
    measured = {"floor", "sync", "awaited", "bare", "logging-queue", "own:Lossy"}
    assert result["durability"].keys() == measured
    assert result["labels"].keys() == measured | {"own:Missing", "own:Elsewhere"}
    text = orjson.dumps(result).decode()
    for place in (str(ROOT), str(Path.home()), sys.prefix, "deia-benchmark-"):
        assert place not in text


def test_every_peer_is_measured_in_every_mode_of_every_round(result: dict[str, Any]) -> None:
    """Tight and paced, killed tight and paced, and exited; each from processes of their own."""
    rounds = result["settings"]["rounds"]
    assert {(run["round"], run["peer"], run["mode"]) for run in result["repetitions"]} == {
        (number, peer, mode) for number in range(rounds) for peer in result["durability"] for mode in ("tight", "paced")
    }
    assert {(death["peer"], death["end"]) for death in result["deaths"]} == {
        (peer, end) for peer in result["durability"] for end in ("killed, tight", "killed, paced", "exited, tight")
    }
    for run in result["repetitions"]:
        assert 0 < run["median_ns"] <= run["p99_ns"] <= run["p999_ns"] <= run["max_ns"]
        assert sum(count for _, count in run["histogram"]) == run["events"]
        assert run["events_per_s"] > 0
        assert run["disk_bytes_per_event"] > 100
        assert run["verification"]["calls"] == run["events"] + run["warmup"]
        if sys.platform == "linux":
            assert run["rss_kib"] > run["own_kib"] > 0


def test_nothing_of_ours_is_missing_after_a_kill_or_an_exit(result: dict[str, Any]) -> None:
    """Nor of what writes each line before its call returns."""
    for death in result["deaths"]:
        if death["peer"] in {"sync", "awaited", "floor", "bare"}:
            assert death["acknowledged"] > 150
            assert not any(death[wrong] for wrong in ("lost", "unreadable", "repeated", "out_of_order", "seq_gaps"))


def test_peer_that_cannot_be_had_is_left_out_by_name_with_the_reason(
    peers_run: QuickRun,
) -> None:
    """It takes part in no figure, and the tables tell of it."""
    done, result = peers_run
    assert result["left_out"] == {
        "own:Missing": "a_module_that_nobody_has is not installed",
        "own:Elsewhere": "runs on another system",
    }
    assert "- one that is not installed: a_module_that_nobody_has is not installed" in done.stdout


def test_lossy_peer_is_named_and_takes_part_in_no_figure_of_the_mode(
    peers_run: QuickRun,
) -> None:
    """A peer that drops events must not look fast; the command fails only for losses of our own."""
    done, result = peers_run
    lossy = next(row for row in peer_figures.standings(result) if row.peer == "own:Lossy")
    assert lossy.calls.keys() == {"paced"}
    assert lossy.lost == ["tight, round 1: 3 lost of 520 calls"]
    assert "- a lossy one, tight, round 1: 3 lost of 520 calls" in done.stdout
    assert done.returncode == 0, done.stderr
    assert "Deia lost nothing." in done.stdout


def test_loss_of_our_own_fails_the_command_and_is_told(
    result: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """While it ran, or after a death: each is one sentence."""
    for run in result["repetitions"]:
        if (run["peer"], run["mode"]) == ("sync", "tight"):
            run["verified"] = False
            run["verification"]["lost"] = 3
    for death in result["deaths"]:
        if (death["peer"], death["end"]) == ("awaited", "killed, tight"):
            death["lost"] = 2
    deaths = [death for death in result["deaths"] if (death["peer"], death["end"]) == ("awaited", "killed, tight")]
    assert sorted(peer_figures.failures(result)) == [
        f"Deia, awaited, asyncio, killed, tight: 2 missing and 0 damaged of {deaths[0]['acknowledged']} acknowledged",
        "Deia, tight, round 1: 3 lost of 520 calls",
    ]
    assert command_line._show(result, None) == 1
    assert "LOST BY DEIA" in capsys.readouterr().out


def synthetic(*runs: tuple[int, str, int]) -> dict[str, Any]:
    """Return a result with tight repetitions: round, peer, and the nanoseconds of each percentile."""
    peers = {peer: "nothing" for _, peer, _ in runs}
    whole = {
        "mode": "tight",
        "events": 10,
        "verified": True,
        "calls_per_s": 1,
        "events_per_s": 1,
        "max_ns": 9,
        "disk_bytes_per_event": 1.0,
        "rss_kib": 1,
    }
    return {
        "durability": peers,
        "labels": {peer: peer for peer in peers},
        "left_out": {},
        "settings": {"rate": 5000},
        "deaths": [],
        "repetitions": [
            {**whole, "round": number, "peer": peer, "median_ns": ns, "p99_ns": ns, "p999_ns": ns}
            for number, peer, ns in runs
        ],
    }


def test_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    """A machine that was slow during one round does not move it."""
    result = synthetic(
        (0, "floor", 100), (0, "a", 50), (1, "floor", 900), (1, "a", 450), (2, "floor", 100), (2, "a", 90)
    )
    rows = {row.peer: row for row in peer_figures.standings(result)}
    assert rows["a"].calls["tight"].ratio == 0.5
    assert rows["a"].calls["tight"].median_ns == 90


def test_rows_stand_by_cost_wherever_ours_fall() -> None:
    """A row where we lose stays in, below those that beat us; one without a figure comes last."""
    result = synthetic((0, "floor", 200), (0, "sync", 300), (0, "fast", 100), (0, "lossy", 1))
    result["repetitions"][-1].update(verified=False, verification=dict.fromkeys(peer_figures.WRONG, 1) | {"calls": 9})
    found = peer_figures.standings(result)
    assert [row.peer for row in found] == ["fast", "floor", "sync", "lossy"]
    rows = peer_tables.overview(found).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in rows] == ["fast", "floor", "sync", "lossy"]


def test_peer_that_is_slower_than_the_pace_is_said_to_be(result: dict[str, Any]) -> None:
    """Its paced figures are then those of calls one after the other."""
    for run in result["repetitions"]:
        run["calls_per_s"] = 100 if run["peer"] == "bare" else 5000
    assert "one after the other: bare minimum (mapped file)." in peer_tables.peers(result)


def test_charts_show_every_peer_with_its_figure(result: dict[str, Any]) -> None:
    """Well-formed SVG, in which each peer with the figure has a bar; outlined where a kill cost it events."""
    made = charts.charts(result)
    assert made.keys() == {"median", "tail", "throughput"}
    names = "{http://www.w3.org/2000/svg}"
    for name, svg in made.items():
        root = ElementTree.fromstring(svg)
        texts = [element.text for element in root.iter(f"{names}text")]
        expected = [
            row for row in peer_figures.standings(result) if ("tight" if name != "tail" else "paced") in row.calls
        ]
        assert {row.label for row in expected} <= set(texts)
        bars = [element.get("class") for element in root.iter(f"{names}rect")]
        assert len(bars) == len(expected)
        assert bars.count("ours") == 2
        assert bars.count("loses") == sum(not row.survives_kill for row in expected)
    assert made == charts.charts(result)


def test_charts_are_readable_on_light_and_on_dark_ground(result: dict[str, Any]) -> None:
    """Each class that is drawn has a colour for either preference, and no colour stands outside of them."""
    for svg in charts.charts(result).values():
        style = ElementTree.fromstring(svg).findtext("{http://www.w3.org/2000/svg}style") or ""
        light, dark = style.split("@media(prefers-color-scheme:dark)")
        for drawn in ("text", ".small", ".grid", ".keeps", ".ours", ".loses"):
            assert f"{drawn}{{" in light
            assert f"{drawn}{{" in dark
        assert "#" not in svg.replace(style, "")


@pytest.fixture
def published(result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page and its charts, made from one result in a directory of the test's own."""
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "docs" / "benchmarks.md")
    page.RESULTS.mkdir()
    page.PAGE.parent.mkdir()
    write_result(result, page.RESULTS / "peers.json")
    assert command_line.main(["table"]) == 0
    return page.PAGE


def test_page_shows_tables_and_charts_of_a_result(published: Path) -> None:
    """Each chart that it refers to is there."""
    text = published.read_text("utf-8")
    found = re.findall(r"!\[.+\]\((charts/.+\.svg)\)", text)
    assert len(found) == 3
    assert all((published.parent / name).exists() for name in found)
    for expected in ("At a glance", "Caller's side, paced", "Missing of acknowledged", "bytes on disk an event"):
        assert expected in text


@pytest.mark.parametrize("change", ["edited", "missing", "left over"])
def test_chart_that_is_not_what_the_results_make_is_found(
    published: Path, capsys: pytest.CaptureFixture[str], change: str
) -> None:
    """`table --check` names it, and `table` puts it right."""
    chart = next((published.parent / "charts").glob("*-median.svg"))
    if change == "edited":
        chart.write_text(chart.read_text("utf-8").replace("rect", "circle"), encoding="utf-8")
    elif change == "missing":
        chart.unlink()
    else:
        chart = chart.with_name("peers-cpython2.7-median.svg")
        chart.write_text("<svg/>")
    assert command_line.main(["table", "--check"]) == 1
    assert f"docs/reference/charts/{chart.name} is not what benchmarks/results/ makes" in capsys.readouterr().err
    assert command_line.main(["table"]) == 0
    assert command_line.main(["table", "--check"]) == 0


def test_result_can_be_recorded_alone(result: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`record --only peers` measures nothing else, and names its file by the interpreter."""
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(peer_runs, "run", lambda *args, **options: result)
    assert command_line.main(["record", "--only", "peers", "--directory", str(tmp_path)]) == 0
    (kept,) = page.RESULTS.iterdir()
    assert kept.name.startswith("peers-")
    assert page.PAGE.exists()


def test_no_peer_is_imported_before_it_is_asked_for() -> None:
    """The catalogue can be read where none of them is installed, and a measured process holds no other's modules."""
    code = (
        "import sys\nfrom benchmarks.peers import PEERS, find_peer\n"
        "[find_peer(name) for name, where in PEERS.items() if 'ours' not in where]\nprint(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    needed = {name.replace("-", "_") for peer in PEERS for name in find_peer(peer).needs}
    loaded = set(done.stdout.split())
    assert not loaded & (needed | {"deia.services", "opentelemetry", "persistqueue", "trio"})
