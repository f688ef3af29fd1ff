"""Exports of any session whatever."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deia.errors import NotASessionLogError
from deia.export.chrome import chrome
from deia.export.speedscope import speedscope
from support.any_session import STEPS, lines_of, logs
from support.exports import assert_valid_speedscope, exported_json, table_in, table_of
from support.journals import journal_path


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=40))
def test_no_two_events_of_a_lane_overlap_unless_nested_whatever_a_session_did(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """Which is what Perfetto insists on; and nothing is left out."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(b"".join(lines_of(steps)))
    events = [event for event in exported_json(chrome, journal)["traceEvents"] if event["ph"] == "X"]
    for one, other in combinations(events, 2):
        if (one["pid"], one["tid"]) != (other["pid"], other["tid"]):
            continue
        (begin, end), (from_, to) = ((each["ts"], each["ts"] + each["dur"]) for each in (one, other))
        assert end <= from_ or to <= begin or (begin <= from_ and to <= end) or (from_ <= begin and end <= to)
    begun = sum(step == "begin" for step, _, _ in steps)
    others = sum(step in ("orphan", "tool", "file", "llm", "original") for step, _, _ in steps)
    assert len(events) == begun + others


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=40))
def test_flame_graph_is_valid_whatever_a_session_did(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """Clocks that are set back, orphans, several runs, lines of the original format."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(b"".join(lines_of(steps)))
    assert_valid_speedscope(exported_json(speedscope, journal))


@pytest.mark.skipif(importlib.util.find_spec("duckdb") is None, reason="DuckDB is not installed")
@settings(max_examples=25)
@given(logs())
def test_table_is_what_our_reader_finds_whatever_a_log_holds(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Whole or damaged, of one session or of several."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(content)
    try:
        expected = table_of(journal)
    except NotASessionLogError:
        return
    order = repr
    assert sorted(table_in(journal), key=order) == sorted(expected, key=order)
