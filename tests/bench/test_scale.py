"""The benchmark of scale: it runs, verifies what it measured, and draws what it found. Nothing here asserts a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import curves, page, scale, scale_tables
from benchmarks.curves import Curve, Plot
from benchmarks.results import result_name
from support.benchmark_runs import QuickRun, quick_run

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> QuickRun:
    """The quick form."""
    return quick_run(tmp_path_factory.mktemp("scale"), ("unused", ""), "scale")


@pytest.fixture
def result(run: QuickRun) -> dict[str, Any]:
    """A raw result that a test may change."""
    return copy.deepcopy(run[1])


def test_every_process_left_every_event_exactly_once(run: QuickRun, result: dict[str, Any]) -> None:
    """The long session, each of many sessions, what threads logged together, and every payload."""
    assert run[0].returncode == 0, run[0].stderr
    assert scale_tables.failures(result) == []
    settings = result["settings"]
    assert result["events"]["verification"]["calls"] == settings["events"]
    assert [run["count"] for run in sorted(result["sessions"], key=lambda run: run["count"])] == settings["sessions"]
    measured = {(run["peer"], run["count"]) for run in result["threads"]}
    assert measured == {(peer, count) for peer in scale.THREAD_PEERS for count in settings["threads"]}
    assert all(run["verified"] for run in result["payloads"])
    for run_ in result["payloads"]:
        assert run_["bytes_per_event"] > run_["bytes"]


def test_lost_events_are_told_and_fail_the_command(result: dict[str, Any]) -> None:
    """Whichever kind of process lost them."""
    result["events"]["verification"]["lost"] = 2
    result["sessions"][0]["wrong"]["repeated"] = 1
    result["threads"][0]["wrong"]["seq_gaps"] = 3
    told = scale_tables.failures(result)
    assert [sentence.split(": ")[1] for sentence in told] == ["2 lost", "1 repeated", "3 seq gaps"]
    assert "LOST:" in scale_tables.scale(result)


def test_only_the_long_form_in_full_is_called_complete(result: dict[str, Any]) -> None:
    """What is published has twenty million events."""
    assert result["complete"] is False
    assert "Not a complete run" in scale_tables.scale(result)


def test_page_and_charts_are_made_of_the_result(result: dict[str, Any]) -> None:
    """One chart for each thing that grows, each a well-formed picture of its own."""
    made = page.make_pages([result])
    stem = Path(result_name(result)).stem
    names = {path.name for path in made if path.suffix == ".svg"}
    assert names == {f"{stem}-{name}.svg" for name in ("events", "sessions", "threads", "payload")}
    text = made[page.PAGE]
    assert "## As the work grows" in text
    assert all(f"charts/{name}" in text for name in names)
    for path, svg in made.items():
        if path.suffix == ".svg":
            assert len(ElementTree.fromstring(svg).findall(f"{SVG}polyline")) >= 1


def test_curve_rises_where_the_cost_does() -> None:
    """Heights follow the values, on an even scale and on a logarithmic one; labels do not cover each other."""
    for log in (False, True):
        points = [(1.0, 1.0), (10.0, 2.0), (100.0, 30.0)]
        plot = Plot("Cost <&>", "work", [Curve("a", points), Curve("b", points)], log=log)
        drawn = ElementTree.fromstring(curves.draw(plot))
        first, second = (line.attrib["points"].split() for line in drawn.findall(f"{SVG}polyline"))
        assert first == second
        xs, ys = zip(*(map(float, point.split(",")) for point in first), strict=True)
        assert list(xs) == sorted(xs) and list(ys) == sorted(ys, reverse=True)
        labels = {text.text: float(text.attrib["y"]) for text in drawn.findall(f"{SVG}text")}
        assert abs(labels["a"] - labels["b"]) == pytest.approx(16)
        assert "Cost <&>" in labels


def test_a_thousand_sessions_are_part_of_the_full_form() -> None:
    """And eight threads, and a megabyte, which few calls are enough for."""
    settings = scale.Settings()
    assert settings.sessions[-1] == 1_000
    assert settings.threads[-1] == 8
    assert settings.payloads[-1] == 1_000_000
    assert settings.calls_of(1_000_000) == 60
    assert settings.calls_of(20) == 20_000
