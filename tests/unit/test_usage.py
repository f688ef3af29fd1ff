"""Tokens and cost of a session's model calls, by model."""

from __future__ import annotations

from pathlib import Path

import pytest

from deia import AnalysisCache, analyze_session
from deia.analysis import ModelUsage, usage
from deia.analysis.sessions import Durations, look_at
from support.fleets import durations
from support.journals import Lines, journal_path


def models(path: Path, content: bytes, **options: AnalysisCache) -> dict[str, ModelUsage]:
    path.write_bytes(content)
    return analyze_session(path, **options).models


def test_analysis_has_tokens_and_cost_by_model(tmp_path: Path) -> None:
    """The one with the most tokens first; what no line says is nothing, and a cost that none says is none."""
    lines = Lines()
    content = lines.llm("small", input_tokens=10, output_tokens=1, cost_usd=None)
    content += lines.llm("large", input_tokens=900, output_tokens=50, cache_read_tokens=800, cost_usd=0.5)
    content += lines.llm("large", input_tokens=None, output_tokens=7, cache_write_tokens=3, cost_usd=None)
    found = models(journal_path(tmp_path), content)
    assert list(found) == ["p/large", "p/small"]
    assert found["p/large"] == ModelUsage(2, 900, 57, 800, 3, 0, 0.5)
    assert found["p/small"] == ModelUsage(1, 10, 1)
    assert usage.together(found.values()) == ModelUsage(3, 910, 58, 800, 3, 0, 0.5)


@pytest.mark.parametrize("odd", [b"", b"#\n"])
def test_response_that_several_lines_tell_of_is_paid_once(tmp_path: Path, odd: bytes) -> None:
    """By the last word of each figure; read ahead and line by line."""
    lines = Lines()
    content = lines.llm(input_tokens=5, output_tokens=1, cost_usd=1.0, response_id="r")
    content += lines.tool() + lines.llm(input_tokens=5, output_tokens=9, cost_usd=None, response_id="r")
    assert models(journal_path(tmp_path), content + odd) == {"p/m": ModelUsage(1, 5, 9, cost_usd=1.0)}


def test_response_whose_lines_lie_in_two_chunks_or_two_analyses_is_paid_once(tmp_path: Path) -> None:
    """What an earlier analysis kept, and the stretches of a long log, know of their responses."""
    lines, cache, path = Lines(), AnalysisCache(), journal_path(tmp_path)
    content = lines.llm(input_tokens=5, output_tokens=1, response_id="r")
    assert models(path, content, cache=cache)["p/m"].calls == 1
    with path.open("ab") as file:
        file.write(lines.llm(input_tokens=5, output_tokens=2, response_id="r"))
    assert analyze_session(path, cache=cache).models == {"p/m": ModelUsage(1, 5, 2, cost_usd=0.25)}


def test_responses_that_are_remembered_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest; a line that tells of a forgotten one makes a call of its own."""
    monkeypatch.setattr(usage, "RESPONSES_KEPT", 2)
    lines = Lines()
    content = b"".join(lines.llm(output_tokens=1, cost_usd=None, response_id=name) for name in "abcca")
    assert models(journal_path(tmp_path), content) == {"p/m": ModelUsage(4, 0, 4)}


@pytest.mark.parametrize("odd", [b"", b"#\n"])
def test_calls_of_a_model_have_durations_and_failures(tmp_path: Path, odd: bytes) -> None:
    """Each try by itself; one that does not say how long it took has none; read ahead and line by line."""
    lines, path = Lines(), journal_path(tmp_path)
    path.write_bytes(
        lines.llm("a", 900, attempt=1, error="overloaded")
        + lines.llm("a", 300, attempt=2)
        + lines.llm("a", None, error_type="Timeout")
        + lines.llm("a", -5)
        + lines.llm("b", None)
        + odd
    )
    found = look_at(path).durations["model"]
    timed = durations([900, 300, 0])
    assert found["p/a"] == Durations(4, 2, 1200, 0, 900, timed.buckets)
    assert found["p/b"] == Durations(1, 0, 0, 0, 0, [])


@pytest.mark.parametrize("odd", [b"", b"#\n"])
def test_response_that_several_lines_tell_of_took_its_time_once(tmp_path: Path, odd: bytes) -> None:
    """As the last line says that says how long; whether it failed the very last one says."""
    lines, path = Lines(), journal_path(tmp_path)
    content = lines.llm(duration_ms=100, response_id="r", error="cut off") + lines.llm(duration_ms=250, response_id="r")
    content += lines.llm(duration_ms=None, response_id="r")
    path.write_bytes(content + odd)
    assert look_at(path).durations["model"] == {"p/m": durations([250])}


def test_durations_of_a_model_are_those_of_all_analyses_of_a_growing_log(tmp_path: Path) -> None:
    """What is kept between two of them is not counted twice, nor does asking count it."""
    lines, times = Lines(), usage.UsageAccumulator(2)
    for duration_ms, response_id in ((10, "r"), (20, "s"), (30, None), (40, "t"), (50, "t")):
        times.feed(("p/m", response_id, (None,) * 6, 0, duration_ms, False))
        times.times()
    assert Durations(*times.times()["p/m"]) == durations([10, 20, 30, 50])
    path, cache = journal_path(tmp_path), AnalysisCache()
    for _ in range(2):
        with path.open("ab") as file:
            file.write(lines.llm(duration_ms=5))
        assert analyze_session(path, cache=cache).models["p/m"].calls == lines.seq
