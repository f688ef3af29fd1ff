"""Sessions as OpenTelemetry's traces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from deia import trace
from deia.export.otlp import BATCH_SPANS, EVENTS_KEPT, LONGEST_TEXT, otlp
from support.exports import exported, parsed_otlp
from support.hostile import HOSTILE, hostile_lines
from support.journals import AGENT, SESSION, START, Lines, encode, journal_path

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


def spans_of(*paths: Path) -> list[dict[str, Any]]:
    """Return the spans of all lines, with their attributes as a dict."""
    spans = []
    for line in exported(otlp, *paths).splitlines():
        request = orjson.loads(line)
        assert list(request) == ["resourceSpans"]
        for resource in request["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                assert scope["spans"]
                spans += scope["spans"]
    for span in spans:
        span["attributes"] = plain(span["attributes"])
        for event in span.get("events", ()):
            event["attributes"] = plain(event["attributes"])
    return spans


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    found = {}
    for each in attributes:
        ((kind, value),) = each["value"].items()
        found[each["key"]] = int(value) if kind == "intValue" else value
    return found


def at(seconds: float) -> str:
    return str(round((START + seconds) * 1_000_000) * 1000)


def test_span_is_part_of_its_task_and_the_task_of_its_session(journal: Path) -> None:
    """By ids that follow from the session's: the same each time, and those that sub-agents are told."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("outer")
        + lines.begin("inner", parent_id=1, at=1)
        + lines.tool("pytest", 500, at=2, task_id=2)
        + lines.complete(2, "inner", began=1, at=3, parent_id=1)
        + lines.complete(1, "outer", at=4)
    )
    tool, inner, outer, session = spans_of(journal)
    assert [span["name"] for span in (tool, inner, outer, session)] == [
        "execute_tool pytest",
        "inner",
        "outer",
        f"invoke_agent {AGENT}",
    ]
    assert tool["parentSpanId"] == inner["spanId"] == trace.span_id_of(AGENT, SESSION, 2)
    assert inner["parentSpanId"] == outer["spanId"] == trace.span_id_of(AGENT, SESSION, 1)
    assert outer["parentSpanId"] == session["spanId"] == trace.span_id_of(AGENT, SESSION)
    assert "parentSpanId" not in session
    assert {span["traceId"] for span in (tool, inner, outer, session)} == {trace.trace_id_of(AGENT, SESSION)}
    assert len({span["spanId"] for span in (tool, inner, outer, session)}) == 4
    assert (tool["startTimeUnixNano"], tool["endTimeUnixNano"]) == (at(1.5), at(2))
    assert (session["startTimeUnixNano"], session["endTimeUnixNano"]) == (at(0), at(4))
    assert exported(otlp, journal) == exported(otlp, journal)


def test_call_does_not_begin_before_its_task_because_its_duration_is_rounded(journal: Path) -> None:
    """Tracing systems take that for a clock that is wrong."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("task", at=1) + lines.tool("pytest", 3, at=1.0025, task_id=1) + lines.complete(1, "task", at=2)
    )
    tool, *_ = spans_of(journal)
    assert (tool["startTimeUnixNano"], tool["endTimeUnixNano"]) == (at(1), at(1.0025))


def test_absurd_duration_is_cut_and_what_was_claimed_is_an_attribute(journal: Path) -> None:
    """The session's span does not begin in another age."""
    lines = Lines()
    journal.write_bytes(lines.tool(at=0) + lines.tool("absurd", 10**12, at=5))
    _, absurd, session = spans_of(journal)
    assert session["startTimeUnixNano"] == absurd["startTimeUnixNano"] == at(-3600)
    assert absurd["attributes"]["deia.cut"] is True
    assert absurd["attributes"]["deia.duration_ms"] == 10**12


def test_session_that_is_part_of_a_trace_stays_one(journal: Path) -> None:
    """As its first line says."""
    journal.write_bytes(Lines().tool(trace_id=TRACE, parent_span_id=SPAN))
    tool, session = spans_of(journal)
    assert tool["traceId"] == session["traceId"] == TRACE
    assert session["parentSpanId"] == SPAN


def test_trace_context_that_is_none_is_left_out(journal: Path) -> None:
    """A damaged id would have a collector refuse the whole line."""
    journal.write_bytes(Lines().tool(trace_id="x", parent_span_id=SPAN))
    tool, session = spans_of(journal)
    assert tool["traceId"] == trace.trace_id_of(AGENT, SESSION)
    assert "parentSpanId" not in session


def test_model_call_has_the_names_of_the_conventions_for_generative_ai(journal: Path) -> None:
    """It is a client's span, named after its operation and model."""
    tokens = {"input_tokens": 10, "output_tokens": 20, "cache_read_tokens": 3, "cache_write_tokens": 4}
    line = Lines().llm(
        "opus", 1500, **tokens, reasoning_tokens=5, time_to_first_token_ms=250, response_id="r", attempt=2
    )
    journal.write_bytes(line)
    model, _ = spans_of(journal)
    assert (model["name"], model["kind"]) == ("chat opus", 3)
    assert {name: value for name, value in model["attributes"].items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "p",
        "gen_ai.request.model": "opus",
        "gen_ai.response.model": "opus",
        "gen_ai.response.id": "r",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 3,
        "gen_ai.usage.cache_creation.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.response.time_to_first_chunk": 0.25,
    }
    assert model["attributes"]["deia.llm.cost_usd"] == 0.25
    assert model["attributes"]["deia.llm.attempt"] == 2


def test_failure_is_the_status_and_its_type_an_attribute(journal: Path) -> None:
    """Of tools, models and tasks alike."""
    journal.write_bytes(Lines().tool("pytest", error_type="OSError", error="no space"))
    tool, session = spans_of(journal)
    assert tool["status"] == {"code": 2, "message": "no space"}
    assert tool["attributes"]["error.type"] == "OSError"
    assert session["status"] == {}


def test_what_a_tool_was_called_with_is_json_text(journal: Path) -> None:
    """Cut where it is long."""
    lines = Lines()
    journal.write_bytes(lines.tool(params={"path": "a", "n": [1]}) + lines.tool(params={"text": "x" * 10_000}))
    short, long, _ = spans_of(journal)
    assert orjson.loads(short["attributes"]["gen_ai.tool.call.arguments"]) == {"path": "a", "n": [1]}
    text = long["attributes"]["gen_ai.tool.call.arguments"]
    assert len(text) == LONGEST_TEXT and text.endswith("…")


def test_errors_and_messages_are_events_of_their_task_and_too_many_are_counted(journal: Path) -> None:
    """As many are kept as OpenTelemetry's SDKs keep."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("task")
        + lines.error("boom", at=1, task_id=1)
        + lines.complete(1, "task", at=2)
        + b"".join(lines.message("user", f"{number}", at=3) for number in range(EVENTS_KEPT + 2))
    )
    task, session = spans_of(journal)
    (error,) = task["events"]
    assert (error["name"], error["timeUnixNano"]) == ("exception", at(1))
    assert error["attributes"] == {"exception.type": "ValueError", "exception.message": "boom"}
    assert len(session["events"]) == EVENTS_KEPT
    assert session["droppedEventsCount"] == 2
    assert session["events"][1]["attributes"] == {"deia.role": "user", "deia.content": "1"}


def test_open_task_ends_with_its_session_and_says_that_it_is_open(journal: Path) -> None:
    """It is no failure yet."""
    lines = Lines()
    journal.write_bytes(lines.begin("task") + lines.tool(at=5))
    _, task, _ = spans_of(journal)
    assert task["attributes"]["deia.task.open"] is True
    assert task["endTimeUnixNano"] == at(5)


def test_lines_hold_a_batch_each_and_a_session_of_any_length_is_never_held(journal: Path) -> None:
    """A collector reads line by line, too."""
    lines = Lines()
    journal.write_bytes(b"".join(lines.tool() for _ in range(2 * BATCH_SPANS + 5)))
    counts = [
        len(orjson.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"])
        for line in exported(otlp, journal).splitlines()
    ]
    assert counts == [BATCH_SPANS, BATCH_SPANS, 6]


def test_log_of_the_original_format_has_ids_of_its_own(journal: Path) -> None:
    """By the number of the line, where no line has a `seq`."""
    journal.write_bytes(
        encode({"name": "task", "start_time": START, "end_time": START + 10, "metadata": {}})
        + encode({"name": "pytest", "params": {}, "duration_ms": 2000})
    )
    task, tool, session = spans_of(journal)
    assert len({span["spanId"] for span in (task, tool, session)}) == 3
    assert task["parentSpanId"] == tool["parentSpanId"] == session["spanId"]


def test_number_that_no_64_bit_integer_holds_is_text(journal: Path) -> None:
    """A collector would refuse the line."""
    journal.write_bytes(Lines().file(size_bytes=2**64 - 1))
    file, _ = spans_of(journal)
    assert file["attributes"]["file.size"] == str(2**64 - 1)


def test_line_is_a_request_by_opentelemetrys_own_messages(journal: Path) -> None:
    """Whatever a session names: markup, control characters, numbers beyond 64 bits, failures."""
    pytest.importorskip("opentelemetry.proto", reason="opentelemetry-proto is not installed")
    lines = Lines(AGENT, "another")
    odd = lines.file(size_bytes=2**64 - 1) + lines.tool(params={"huge": 10**30, "nan": [None, 1e300]})
    journal.write_bytes(hostile_lines() + odd)
    spans = [
        span
        for request in parsed_otlp(exported(otlp, journal))
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert {span.name for span in spans} >= {f"execute_tool {text}" for text in HOSTILE}
    assert len({(span.trace_id, span.span_id) for span in spans}) == len(spans)
    assert {span.status.code for span in spans} == {0, 2}
