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
from deia.export.otlp import otlp
from deia.export.speedscope import speedscope
from support.any_session import STEPS, lines_of, logs
from support.exports import assert_valid_speedscope, exported, exported_json, parsed_otlp, table_in, table_of
from support.journals import journal_path

HAS_OTLP = importlib.util.find_spec("opentelemetry") is not None and (
    importlib.util.find_spec("opentelemetry.proto") is not None
)


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
def test_what_perfetto_draws_beneath_something_belongs_to_it_whatever_a_session_did(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """It nests the events of a lane by their beginning, longer ones first, else as they come in the file."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(b"".join(lines_of(steps)))
    lanes: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in exported_json(chrome, journal)["traceEvents"]:
        if event["ph"] == "X" and event["dur"]:
            lanes.setdefault((event["pid"], event["tid"]), []).append(event)
    for events in lanes.values():
        above: list[dict[str, Any]] = []
        for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
            while above and above[-1]["ts"] + above[-1]["dur"] <= event["ts"]:
                above.pop()
            if above:
                belongs_to = event["args"].get("parent_id" if event["cat"] == "task" else "task_id")
                assert above[-1]["cat"] == "task" and above[-1]["args"]["task_id"] == belongs_to
            above.append(event)


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=40))
def test_flame_graph_is_valid_whatever_a_session_did(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    """Clocks that are set back, orphans, several runs, lines of the original format."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(b"".join(lines_of(steps)))
    assert_valid_speedscope(exported_json(speedscope, journal))


@pytest.mark.skipif(not HAS_OTLP, reason="opentelemetry-proto is not installed")
@settings(max_examples=60)
@given(logs())
def test_traces_are_what_opentelemetry_says_whatever_a_log_holds(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Each line is a request by its own messages; ids have their length, and nothing ends before it begins."""
    journal = journal_path(tmp_path_factory.mktemp("any"))
    journal.write_bytes(content)
    try:
        table_of(journal)
    except NotASessionLogError:
        return
    for request in parsed_otlp(exported(otlp, journal)):
        ((scope,),) = ([*resource.scope_spans] for resource in request.resource_spans)
        for span in scope.spans:
            assert (len(span.trace_id), len(span.span_id), len(span.parent_span_id) in (0, 8)) == (16, 8, True)
            assert span.start_time_unix_nano <= span.end_time_unix_nano


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
