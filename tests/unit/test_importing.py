"""Transcripts that are turned into session logs: what becomes of which record, and where the log is put."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import (
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionLogger,
    TaskEvent,
    ToolEvent,
    analyze_session,
    read_events,
    system,
)
from deia.errors import ForeignJournalError, JournalError, NotASessionLogError, SessionLockedError
from deia.importing.activity_log import import_activity_log
from deia.importing.claude_code.agents import grouped
from deia.importing.fields import title
from deia.importing.ids import file_part
from deia.importing.moments import unix_seconds
from deia.importing.prices import parse, read
from deia.importing.report import ImportReport
from deia.importing.source import Source
from deia.journal.check import check
from deia.journal.damage import DamageLog
from deia.journal.recovery import lock_session
from deia.queue.layout import queue_path
from deia.services.ids import checked_id, checked_pair
from support.journals import Lines, journal_path
from support.lines import lines_of
from support.transcripts import SESSION, START, Writer, import_one, moment


@pytest.fixture
def writer() -> Writer:
    return Writer()


def tasks_of(path: str) -> dict[str, TaskEvent]:
    """The completed tasks of a log, by name."""
    return {event.name: event for event in read_events(path) if isinstance(event, TaskEvent) and event.end_time}


def only(path: str, kind: type) -> Any:
    (event,) = [event for event in read_events(path, strict=True) if isinstance(event, kind)]
    return event


def short_session(writer: Writer) -> Writer:
    writer.user("Fix the build", 0)
    writer.use(2, "Bash", {"command": "make"}, call="c1")
    writer.result(5, "c1")
    writer.answer(6, {"type": "text", "text": "Done."}, key="m2")
    return writer


# What becomes of a record


def test_prompt_opens_a_task_that_ends_with_the_last_thing_done(writer: Writer, tmp_path: Path) -> None:
    """What comes between that and the next prompt is nobody's work: the agent waited for a person."""
    short_session(writer)
    writer.user("And now\n  the   tests", 60)
    writer.answer(61, {"type": "text", "text": "Fine."}, key="m3")
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    tasks = tasks_of(report.path)
    assert {name: (task.start_time - START, task.duration_ms) for name, task in tasks.items()} == {
        "Fix the build": (0, 6000),
        "And now the tests": (60, 1000),
    }
    prompts = [event for event in read_events(report.path) if isinstance(event, MessageEvent) and event.role == "user"]
    assert [event.task_id for event in prompts] == [None, None]  # said before the task that it opens


def test_answer_of_several_records_is_one_model_call(writer: Writer, tmp_path: Path) -> None:
    """The last record's tokens count; it took from what it answers to until its last record."""
    writer.user("Hello", 0)
    first = {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    writer.answer(2, {"type": "text", "text": "Hi"}, usage=first)
    writer.answer(3.5, {"type": "text", "text": "there"}, usage={**first, "output_tokens": 9})
    call = only(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path, LLMEvent)
    assert (call.provider, call.model, call.response_id, call.duration_ms) == ("anthropic", "claude", "m", 3500)
    assert (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cache_write_tokens) == (123, 9, 100, 20)


def test_tool_call_lasts_from_its_call_to_its_result(writer: Writer, tmp_path: Path) -> None:
    """And belongs to the task of the prompt."""
    report = import_one(short_session(writer).save(tmp_path / "t.jsonl"), into=tmp_path)
    call = only(report.path, ToolEvent)
    assert (call.name, call.params, call.duration_ms, call.error) == ("Bash", {"command": "make"}, 3000, None)
    assert call.task_id == tasks_of(report.path)["Fix the build"].task_id
    assert call.timestamp == START + 5


@pytest.mark.parametrize(
    ("content", "told", "block", "expected"),
    [
        ("Exit code 2\nno rule", None, {"is_error": True}, ("exit code 2", "Exit code 2\nno rule", False)),
        ("<tool_use_error>No file</tool_use_error>", None, {"is_error": True}, ("tool_use_error", "No file", False)),
        ([{"type": "text", "text": "boom"}], None, {"is_error": True}, ("tool_error", "boom", False)),
        ("", None, {"is_error": True}, ("tool_error", "the tool said nothing about it", False)),
        ("The user doesn't want to proceed", "User rejected tool use", {"is_error": True}, ("rejected", None, True)),
        ("stopped", {"interrupted": True}, {}, ("interrupted", None, True)),
        ("fine", {"interrupted": False}, {"is_error": False}, (None, None, False)),
    ],
)
def test_failed_and_cancelled_tool_calls_are_told_apart(
    writer: Writer, tmp_path: Path, content: Any, told: Any, block: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    """What a person did not let happen is no failure."""
    writer.user("Go", 0)
    writer.use(1, "Bash", {}, call="c")
    writer.result(2, "c", content, told=told, **block)
    call = only(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path, ToolEvent)
    assert (call.error_type, call.error, call.cancelled) == expected


def test_tool_call_without_a_result_is_told_as_unanswered(writer: Writer, tmp_path: Path) -> None:
    """Nobody knows how long it took."""
    writer.user("Go", 0)
    writer.use(1, "Bash", {"command": "sleep 9"}, call="c")
    call = only(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path, ToolEvent)
    assert (call.duration_ms, call.error_type, call.error, call.cancelled) == (0, "unanswered", None, True)


def test_result_before_its_call_has_no_negative_duration(writer: Writer, tmp_path: Path) -> None:
    """Of clocks that disagree: 0 is recorded, and the difference beside it, as loggers do."""
    writer.user("Go", 0)
    writer.use(5, "Bash", {"command": "ls"}, call="c")
    writer.result(3, "c")
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    call = only(report.path, ToolEvent)
    assert (call.duration_ms, call.params, call.timestamp) == (0, {"command": "ls"}, START + 5)
    assert b'"duration_ms":0,"given_duration_ms":-2000' in Path(report.path).read_bytes()


def test_interruption_cancels_the_task(writer: Writer, tmp_path: Path) -> None:
    """It is a person's, and no prompt."""
    writer.user("Go", 0)
    writer.answer(1, {"type": "text", "text": "Well"})
    writer.user([{"type": "text", "text": "[Request interrupted by user]"}], 4)
    tasks = tasks_of(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path)
    assert list(tasks) == ["Go"]
    assert tasks["Go"].cancelled and tasks["Go"].duration_ms == 4000


def test_command_of_the_program_is_a_task_only_if_the_agent_had_to_do_with_it(writer: Writer, tmp_path: Path) -> None:
    """`/model` is the program's own; a command of the user's is a prompt."""
    writer.user("<command-name>/model</command-name><command-args>opus</command-args>", 0)
    writer.user("<local-command-stdout>Set model</local-command-stdout>", 0)
    writer.user("<command-name>/review</command-name>\n<command-args>the diff</command-args>", 10)
    writer.user("Review the diff, thoroughly.", 10, isMeta=True)
    writer.answer(12, {"type": "text", "text": "It is fine."})
    tasks = tasks_of(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path)
    assert list(tasks) == ["/review the diff"]


def test_api_errors_are_error_events_and_no_model_calls(writer: Writer, tmp_path: Path) -> None:
    """The one that is shown in the place of an answer, and the one after which it was tried again."""
    writer.user("Go", 0)
    overloaded = {"status": 529, "error": {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}}
    writer.record("system", 1, subtype="api_error", error=overloaded, retryAttempt=1, maxRetries=10)
    said = {"type": "text", "text": "API Error: 529"}
    message = {"model": "<synthetic>", "id": "x", "content": [said]}
    writer.record("assistant", 2, isApiErrorMessage=True, message=message)
    events = list(read_events(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path))
    errors = [event for event in events if isinstance(event, ErrorEvent)]
    assert [(event.error_type, event.message) for event in errors] == [
        ("overloaded_error", "Busy"),
        ("api_error", "API Error: 529"),
    ]
    assert errors[0].metadata == {"kind": "retry", "retryAttempt": 1, "maxRetries": 10}
    assert not any(isinstance(event, LLMEvent) for event in events)


@pytest.mark.parametrize(
    ("tool", "given", "told", "expected"),
    [
        ("Read", {"file_path": "/a"}, {"file": {"content": "é\nb"}}, ("read", 4, 2)),
        ("Read", {"file_path": "/a"}, {"type": "image", "file": {"originalSize": 77}}, ("read", 77, None)),
        ("Read", {"file_path": "/a"}, None, ("read", None, None)),
        ("Write", {"file_path": "/a", "content": "x\n"}, None, ("write", 2, 1)),
        ("Edit", {"file_path": "/a", "old_string": "b", "new_string": "cc"}, {"originalFile": "abab"}, ("write", 5, 1)),
        (
            "Edit",
            {"file_path": "/a", "old_string": "b", "new_string": "cc", "replace_all": True},
            {"originalFile": "abab"},
            ("write", 6, 1),
        ),
        ("Edit", {"file_path": "/a", "old_string": "b", "new_string": "c"}, None, ("write", None, None)),
        (
            "Edit",
            {"file_path": "/a", "old_string": "b", "new_string": "c"},
            {"originalFile": "b", "userModified": True},
            ("write", None, None),
        ),
        (
            "MultiEdit",
            {
                "file_path": "/a",
                "edits": [{"old_string": "", "new_string": "a"}, {"old_string": "a", "new_string": "bc"}],
            },
            {"originalFileContents": ""},
            ("write", 2, 1),
        ),
        ("NotebookEdit", {"notebook_path": "/a", "new_source": "1"}, {}, ("write", None, None)),
    ],
)
def test_tools_that_touch_a_file_are_file_events_with_the_sizes_that_are_known(
    writer: Writer, tmp_path: Path, tool: str, given: Any, told: Any, expected: tuple[Any, ...]
) -> None:
    """An edit writes the whole file anew; where the transcript does not have that, its size is not known."""
    writer.user("Go", 0)
    writer.use(1, tool, given, call="c")
    writer.result(2, "c", told=told)
    event = only(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path, FileEvent)
    assert (event.path, event.operation, event.size_bytes, event.lines) == ("/a", *expected)


def test_tool_that_failed_has_touched_no_file(writer: Writer, tmp_path: Path) -> None:
    """What was not written is not counted."""
    writer.user("Go", 0)
    writer.use(1, "Write", {"file_path": "/a", "content": "x"}, call="c")
    writer.result(2, "c", "read-only", is_error=True)
    assert import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).events_by_type.get("FileEvent") is None


def todo(*items: tuple[str, str]) -> dict[str, Any]:
    return {"todos": [{"content": content, "status": status} for content, status in items]}


def test_items_of_a_list_of_things_to_do_are_tasks_from_in_progress_to_completed(
    writer: Writer, tmp_path: Path
) -> None:
    """What is done meanwhile belongs to the item; one that is dropped, or never finished, is cancelled."""
    writer.user("Go", 0)
    for at, items in (
        (1, todo(("a", "in_progress"), ("b", "pending"))),
        (5, todo(("a", "completed"), ("b", "in_progress"))),
        (9, todo(("c", "in_progress"))),
    ):
        writer.use(at, "TodoWrite", items, call=f"t{at}", key=f"m{at}")
        writer.result(at, f"t{at}")
        writer.use(at + 1, "Bash", {}, call=f"b{at}", key=f"n{at}")
        writer.result(at + 2, f"b{at}")
    path = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path
    tasks = tasks_of(path)
    figures = {name: (task.duration_ms, task.cancelled, task.error_type) for name, task in tasks.items()}
    assert figures == {
        "a": (4000, False, None),
        "b": (4000, True, "dropped"),
        "c": (2000, True, "unfinished"),
        "Go": (11000, False, None),
    }
    assert {tasks[name].parent_id for name in "abc"} == {tasks["Go"].task_id}
    calls = [event for event in read_events(path) if isinstance(event, ToolEvent) and event.name == "Bash"]
    assert [event.task_id for event in calls] == [tasks[name].task_id for name in "abc"]


def test_list_of_things_to_do_that_was_not_accepted_changes_nothing(writer: Writer, tmp_path: Path) -> None:
    """A call that failed, or has no result, did not write it."""
    writer.user("Go", 0)
    writer.use(1, "TodoWrite", todo(("a", "in_progress")), call="t1")
    writer.result(2, "t1", "no", is_error=True)
    writer.use(3, "TodoWrite", todo(("b", "in_progress")), call="t2")
    assert list(tasks_of(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path)) == ["Go"]


def test_everything_that_is_said_is_a_message_and_tells_whose(writer: Writer, tmp_path: Path) -> None:
    """Thinking, what the program says, a summary of what was forgotten, a result without its call; pictures by size."""
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA" * 100}}
    writer.user([{"type": "text", "text": "Look"}, picture], 0)
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "x"}
    writer.answer(1, thought, {"type": "redacted_thinking", "data": "y"}, {"type": "text", "text": ""})
    writer.record("system", 2, subtype="compact_boundary", content="Conversation compacted")
    writer.user("We looked.", 3, isCompactSummary=True)
    writer.result(4, "nobody", "out of nowhere")
    writer.user([{"type": "text", "text": "lost its form"}], 5, toolUseResult="x")
    path = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path
    said = [event for event in read_events(path) if isinstance(event, MessageEvent)]
    assert [(event.role, event.metadata.get("kind")) for event in said] == [
        ("user", None),
        ("assistant", "thinking"),
        ("assistant", None),
        ("system", "system"),
        ("system", "compact-summary"),
        ("tool", "tool-output"),
        ("system", "tool-output"),
    ]
    assert said[0].content[1]["source"]["data"] == "[300 bytes]"
    assert said[1].content == "Hm."
    assert said[2].content == [{"type": "redacted_thinking", "data": "y"}]
    assert list(tasks_of(path)) == ["Look"]


def test_copies_of_a_call_and_its_result_count_once(writer: Writer, tmp_path: Path) -> None:
    """Some versions write again what a session that is resumed has behind it."""
    short_session(writer)
    writer.records += writer.records[1:3]
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    assert (report.events_by_type["ToolEvent"], report.events_by_type["LLMEvent"]) == (1, 2)


# What model calls cost

PRICES = {"input": 5, "output": 25, "cache_read": 0.5, "cache_write_5m": 6.25, "cache_write_1h": 10}
USAGE = {"input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 1000, "service_tier": "standard"}
WRITTEN = {
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
}


def priced(writer: Writer, tmp_path: Path, prices: object, **usage: Any) -> tuple[ImportReport, list[float | None]]:
    """Import an answer with this usage, with these prices; return what was said, and the costs of model calls."""
    writer.user("Go", 0)
    writer.answer(1, {"type": "text", "text": "Yes"}, usage={**USAGE, **usage})
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path, prices=parse(prices))
    return report, [event.cost_usd for event in read_events(report.path) if isinstance(event, LLMEvent)]


def test_model_call_costs_what_its_tokens_do_by_the_list(writer: Writer, tmp_path: Path) -> None:
    """Each kind at its price; what is written to the cache by how long it stays there."""
    report, costs = priced(writer, tmp_path, {"claude": PRICES}, **WRITTEN)
    assert costs == [pytest.approx((100 * 5 + 10 * 25 + 1000 * 0.5 + 200 * 6.25 + 100 * 10) / 1e6)]
    assert (report.unpriced, report.repriced) == ([], False)
    assert lines_of(Path(report.path))[0]["metadata"]["prices"] == {"claude": PRICES}


def test_written_to_the_cache_without_a_time_is_for_five_minutes(writer: Writer, tmp_path: Path) -> None:
    """Transcripts of older versions do not say for how long."""
    _, costs = priced(writer, tmp_path, {"claude": PRICES}, cache_creation_input_tokens=400)
    assert costs == [pytest.approx((100 * 5 + 10 * 25 + 1000 * 0.5 + 400 * 6.25) / 1e6)]


def test_answer_of_several_records_costs_once_by_the_last_of_them(writer: Writer, tmp_path: Path) -> None:
    """As its tokens count: the last record has the last word."""
    writer.user("Go", 0)
    for at, output in enumerate((1, 7, 40), 1):
        writer.answer(at, {"type": "text", "text": "Yes"}, usage={**USAGE, "output_tokens": output})
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path, prices=parse({"claude": PRICES}))
    (usage,) = analyze_session(report.path).models.values()
    assert (usage.calls, usage.cost_usd) == (1, pytest.approx((100 * 5 + 40 * 25 + 1000 * 0.5) / 1e6))


@pytest.mark.parametrize(
    ("prices", "usage", "unpriced"),
    [
        ({"other": PRICES}, {}, ["claude"]),
        ({"claude": {"input": 5, "output": 25}}, {}, ["claude (cache_read)"]),
        ({"claude": {**PRICES, "cache_write_1h": 1}}, {"service_tier": "batch"}, ["claude (batch)"]),
        ({"claude": PRICES}, {"output_tokens": None}, []),
        ({"claude": PRICES}, {"cache_read_input_tokens": "many"}, []),
        ({"claude": PRICES}, {**WRITTEN, "cache_creation_input_tokens": 7}, []),
    ],
    ids=["no model", "no price of the cache", "another tier", "no output", "no number", "sums that differ"],
)
def test_call_whose_cost_cannot_be_told_has_none(
    writer: Writer, tmp_path: Path, prices: object, usage: dict[str, Any], unpriced: list[str]
) -> None:
    """A wrong one is worse; what the list lacks is named."""
    report, costs = priced(writer, tmp_path, prices, **usage)
    assert costs == [None]
    assert report.unpriced == unpriced


def test_call_without_tokens_needs_no_price(writer: Writer, tmp_path: Path) -> None:
    """Nothing is said of it."""
    nothing = dict.fromkeys(("input_tokens", "output_tokens", "cache_read_input_tokens"), 0)
    report, costs = priced(writer, tmp_path, {"other": PRICES}, **nothing)
    assert (costs, report.unpriced) == ([None], [])


def test_cost_that_the_transcript_tells_itself_is_kept(writer: Writer, tmp_path: Path) -> None:
    """Older versions of the program did so."""
    writer.user("Go", 0)
    writer.answer(1, {"type": "text", "text": "Yes"}, usage=USAGE, costUSD=0.25)
    path = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path, prices=parse({"claude": PRICES})).path
    assert only(path, LLMEvent).cost_usd == 0.25


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("m-4", 1.0),
        ("m-4-5", 3.0),
        ("m-4-5-20251101", 3.0),
        ("m-4-20250514", 2.0),
        ("x-4[1m]", 5.0),
        ("x-4m", None),
        ("m", None),
        ("my-m-4", None),
    ],
)
def test_name_in_a_list_of_prices_is_a_models_whole_name_or_has_a_star(model: str, found: float | None) -> None:
    """The whole name goes before a pattern, and of these that with more letters; brackets are letters."""
    names = {"m-4": 1, "m-4-*": 2, "m-4-5*": 3, "x-4[*": 5}
    prices = parse({name: {"input": value, "output": 0} for name, value in names.items()})
    price = prices.of(model)
    assert (None if price is None else price.input) == found


def test_importing_again_with_the_same_prices_or_with_none_changes_nothing(writer: Writer, tmp_path: Path) -> None:
    """The log knows what it was made with."""
    first, costs = priced(writer, tmp_path, {"claud*": PRICES, "other": PRICES})
    before = Path(first.path).read_bytes()
    for prices in (parse({"claud*": PRICES}), None):
        assert import_one(tmp_path / "t.jsonl", into=tmp_path, prices=prices).state == "unchanged"
    assert Path(first.path).read_bytes() == before
    writer.answer(9, {"type": "text", "text": "More"}, key="n", usage=USAGE)
    grown = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    assert (grown.state, grown.repriced) == ("updated", False)
    assert [event.cost_usd for event in read_events(grown.path) if isinstance(event, LLMEvent)] == costs * 2


def test_importing_again_with_other_prices_replaces_the_log_and_says_so(writer: Writer, tmp_path: Path) -> None:
    """An empty list takes the costs out."""
    priced(writer, tmp_path, {"claude": PRICES})
    dearer = import_one(tmp_path / "t.jsonl", into=tmp_path, prices=parse({"claude": {**PRICES, "output": 50}}))
    assert (dearer.state, dearer.repriced, dearer.unpriced) == ("updated", True, [])
    assert only(dearer.path, LLMEvent).cost_usd == pytest.approx((100 * 5 + 10 * 50 + 1000 * 0.5) / 1e6)
    without = import_one(tmp_path / "t.jsonl", into=tmp_path, prices=parse({}))
    assert (without.state, without.repriced, without.unpriced) == ("updated", True, [])
    assert only(without.path, LLMEvent).cost_usd is None
    assert "prices" not in lines_of(Path(without.path))[0]["metadata"]


def test_prices_that_an_editor_has_spoilt_in_a_log_are_forgotten(writer: Writer, tmp_path: Path) -> None:
    """The import is done all the same."""
    first, _ = priced(writer, tmp_path, {"claude": PRICES})
    path = Path(first.path)
    path.write_bytes(path.read_bytes().replace(b'"output":25.0', b'"output":"25"', 1))
    again = import_one(tmp_path / "t.jsonl", into=tmp_path)
    assert (again.state, only(again.path, LLMEvent).cost_usd) == ("updated", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "line 1, column 2: "),
        (b'{"a":\n {"input": 1,}}', "line 2, column "),
        (b"[]", "not an object with the names of models"),
        (b'{"a": 5}', "'a': not an object with prices"),
        (b'{"a": {"input": 1}}', "'a': the price 'output' is missing"),
        (b'{"a": {"input": 1, "output": 2, "cash": 3}}', "'a': there is no price called 'cash', only input, output, "),
        (b'{"a": {"input": "5", "output": 2}}', "'a': 'input' is to be dollars per million tokens, not \"5\""),
        (b'{"a": {"input": true, "output": 2}}', "'a': 'input' is to be dollars per million tokens, not true"),
        (b'{"a": {"input": -1, "output": 2}}', "'a': 'input' is to be dollars per million tokens, not -1"),
        (b'{"a": {"input": NaN, "output": 2}}', "'a': 'input' is to be dollars per million tokens, not NaN"),
        (b'{"a": {"input": 1e999, "output": 2}}', "'a': 'input' is to be dollars per million tokens, not Infinity"),
        (b'{"a": {"input": 1' + b"0" * 400 + b', "output": 2}}', "'a': 'input' is to be dollars per million tokens"),
        (b'{"a": {"input": null, "output": 2}}', "'a': 'input' is to be dollars per million tokens, not null"),
        (b'{"a": {"input": 1, "input": 2}}', "'input' stands there twice"),
        (b"\xff", "not UTF-8 at byte 0"),
        (b"[" * 100_000, "nested too deeply"),
        (b" " * 1_100_000, "too long for a list of prices: 1,100,000 bytes"),
    ],
)
def test_file_that_is_no_list_of_prices_is_refused_with_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    """What is wrong, and where."""
    path = tmp_path / "prices.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        read(str(path))


def test_list_of_prices_is_a_plain_file(tmp_path: Path) -> None:
    """Nobody waits for a pipe."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(OSError, match="not a plain file"):
            read(str(path))


def test_numbers_of_tokens_that_cannot_be_ones_are_kept_beside(writer: Writer, tmp_path: Path) -> None:
    """As loggers do with odd data."""
    writer.user("Go", 0)
    usage = {"input_tokens": -1, "output_tokens": "many", "cache_read_input_tokens": 7}
    writer.answer(1, {"type": "text", "text": "Yes"}, usage=usage, costUSD=0.25)
    path = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path
    call = only(path, LLMEvent)
    assert (call.input_tokens, call.output_tokens, call.cache_read_tokens, call.cost_usd) == (None, None, 7, 0.25)
    line = next(line for line in lines_of(Path(path)) if line["type"] == "LLMEvent")
    assert (line["given_input_tokens"], line["given_output_tokens"]) == ("-1", "many")


# Sub-agents


def agent_at_work(agent: Writer) -> Writer:
    agent.user("Look around", 2)
    agent.use(3, "Grep", {"pattern": "x"}, call="g", key="a1")
    agent.result(6, "g")
    agent.answer(9, {"type": "text", "text": "Nothing."}, key="a2")
    return agent


def starts_agent(writer: Writer, **told: Any) -> Writer:
    writer.user("Go", 0)
    given = {"description": "look", "prompt": "Look around", "subagent_type": "Explore"}
    writer.use(1, "Task", given, call="t")
    writer.result(10, "t", told=told or None)
    writer.answer(12, {"type": "text", "text": "Done."}, key="m2")
    return writer


def is_sound_with_agent(path: str) -> None:
    tasks = tasks_of(path)
    assert (tasks["look"].duration_ms, tasks["look"].parent_id) == (9000, tasks["Go"].task_id)
    events = [event for event in read_events(path) if isinstance(event, (ToolEvent, LLMEvent))]
    inside = [event for event in events if event.task_id == tasks["look"].task_id]
    assert [getattr(event, "name", "model") for event in inside] == ["model", "Grep", "model", "Task"]
    call = inside[-1]
    assert call.duration_ms == 1000  # from its sub-agent's last word: the rest is the sub-agent's own time
    assert check(path).ok


def test_sub_agent_in_a_file_beside_the_transcript_is_a_task_with_its_work_inside(
    writer: Writer, tmp_path: Path
) -> None:
    """It is found by the name that the result of the call tells, wherever the program has put it."""
    agent = agent_at_work(Writer(isSidechain=True, agentId="abc"))
    for place in (tmp_path / "one", tmp_path / "two" / SESSION / "subagents"):
        agent.save(place / "agent-abc.jsonl")
        main = tmp_path / place.relative_to(tmp_path).parts[0] / f"{SESSION}.jsonl"
        report = import_one(starts_agent(Writer(), agentId="abc").save(main), into=tmp_path / "out" / place.name)
        is_sound_with_agent(report.path)
        assert len(report.sources) == 2


def test_sub_agent_in_the_transcript_itself_is_found_by_what_it_was_asked(writer: Writer, tmp_path: Path) -> None:
    """As older versions wrote it: its records name no sub-agent, each only the one that it follows."""
    starts_agent(writer)
    agent = agent_at_work(Writer(isSidechain=True))
    for number, record in enumerate(agent.records):
        record.update(uuid=f"s{number}", parentUuid=f"s{number - 1}" if number else None)
    writer.records[2:2] = agent.records
    is_sound_with_agent(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path / "out").path)


def test_two_sub_agents_at_once_keep_their_work_apart(writer: Writer, tmp_path: Path) -> None:
    """Each is a task of its own, though they overlap."""
    writer.user("Go", 0)
    for name in ("a", "b"):
        given = {"description": f"look {name}", "prompt": f"Look at {name}"}
        writer.use(1, "Task", given, call=name)
        agent = Writer(isSidechain=True, agentId=name)
        agent.user(f"Look at {name}", 2)
        agent.use(3, f"Grep{name}", {}, call=f"g{name}", key=f"a{name}")
        agent.result(6, f"g{name}")
        agent.save(tmp_path / f"agent-{name}.jsonl")
    for name in ("b", "a"):
        writer.result(7, name, told={"agentId": name})
    report = import_one(writer.save(tmp_path / f"{SESSION}.jsonl"), into=tmp_path / "out")
    tasks = tasks_of(report.path)
    inside = {
        event.name: event.task_id
        for event in read_events(report.path)
        if isinstance(event, ToolEvent) and event.name != "Task"
    }
    assert inside == {"Grepa": tasks["look a"].task_id, "Grepb": tasks["look b"].task_id}


def test_sub_agent_that_is_called_again_has_a_task_for_each_call(writer: Writer, tmp_path: Path) -> None:
    """What it does goes to the call that it does it for."""
    agent = Writer(isSidechain=True, agentId="a")
    writer.user("Go", 0)
    for at in (1, 20):
        writer.use(at, "Task", {"description": f"at {at}", "prompt": f"Look {at}"}, call=f"t{at}")
        agent.user(f"Look {at}", at + 1)
        agent.use(at + 2, f"Grep{at}", {}, call=f"g{at}", key=f"a{at}")
        agent.result(at + 3, f"g{at}")
        writer.result(at + 5, f"t{at}", told={"agentId": "a"})
    agent.save(tmp_path / "agent-a.jsonl")
    path = import_one(writer.save(tmp_path / f"{SESSION}.jsonl"), into=tmp_path / "out").path
    tasks = tasks_of(path)
    calls = {event.name: event for event in read_events(path) if isinstance(event, ToolEvent) and event.name != "Task"}
    for at in (1, 20):
        assert tasks[f"at {at}"].duration_ms == 5000
        assert calls[f"Grep{at}"].task_id == tasks[f"at {at}"].task_id


def test_sub_agents_file_is_taken_for_the_session_that_it_names(tmp_path: Path) -> None:
    """Another session's beside it is left alone; one that is given without its session is a session by itself."""
    main, other = (tmp_path / name for name in ("main.jsonl", "agent-x.jsonl"))
    starts_agent(Writer()).save(main)
    agent_at_work(Writer(isSidechain=True, agentId="x", sessionId="another")).save(other)
    assert grouped([(str(main), SESSION)])[0].agents == []
    report = import_one(other, into=tmp_path / "out")
    assert Path(report.path).name == "claude-code_agent-x.jsonl"
    assert list(tasks_of(report.path)) == ["Look around"]


# What is odd


def test_duration_that_cannot_be_one_is_odd_data(tmp_path: Path) -> None:
    """A completion in an activity log may claim anything; its task began at its end then."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"ts":"2025-10-18T10:00:00Z","agent_id":"X","event":"task_done","message":"a","duration_ms":2e16}\n'
        '{"ts":"2025-10-18T10:00:01Z","agent_id":"X","event":"task_done","message":"b","duration_ms":1500}\n'
    )
    tasks = tasks_of(import_activity_log(str(path), tmp_path).path)
    assert {name: (task.duration_ms, task.orphan) for name, task in tasks.items()} == {
        "a": (0, True),
        "b": (1500, True),
    }
    assert tasks["a"].start_time == tasks["a"].end_time


def test_records_are_put_in_the_order_of_time(writer: Writer, tmp_path: Path) -> None:
    """Those without a time of their own stay behind the one that they follow."""
    writer.record("note", None)
    writer.user("Second", 10)
    writer.record("note", None)
    writer.user("First", 5)
    events = list(read_events(import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path).path))
    times = [event.timestamp for event in events if event.timestamp is not None]
    assert times == sorted(times)
    assert [event.name for event in events if isinstance(event, TaskEvent) and event.end_time] == ["First", "Second"]
    assert sum(event.timestamp == START + 10 for event in events) == 5  # two notes, and a prompt with its task


def test_hostile_names_make_no_other_file(tmp_path: Path) -> None:
    """A session that calls itself a path gets a plain name, with a hash that tells it from others."""
    names = set()
    for session in ("../../etc/passwd", "a/b", "a\\b", "x" * 300, "new\nline", "\ud800", ".."):
        writer = short_session(Writer(sessionId=session))
        report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path / "out", agent_id=session)
        assert Path(report.path).parent == tmp_path / "out"
        names.add(Path(report.path).name)
        assert check(report.path).ok
    assert len(names) == 7 and sorted(os.listdir(tmp_path / "out")) == sorted(names)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "é" * 200, "a\0b", "\ud800", "plain", "x" * 120])
def test_name_of_a_file_is_one_that_loggers_take(name: str) -> None:
    """So that one may go on in an imported session."""
    checked_pair(checked_id("agent_id", file_part(name, 80)), checked_id("session_id", file_part(name, 120)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", START),
        ("2023-11-14T22:13:20.5Z", START + 0.5),
        ("2023-11-14T22:13:20.1234567Z", START + 0.1234567),
        ("2023-11-14T22:13:20", START),
        ("2023-11-14 23:13:20+01:00", START),
        ("2023-11-14T17:13:20-0500", START),
        ("2023-02-30T00:00:00Z", None),
        ("2023-11-14", None),
        ("", None),
        (None, None),
        (START, None),
    ],
)
def test_time_is_read_in_the_forms_that_are_met(text: object, seconds: float | None) -> None:
    """Anything else is no time, and no error."""
    assert unix_seconds(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


def test_activity_log_does_not_take_the_place_of_another_of_its_name(tmp_path: Path) -> None:
    """Each project has a `hive-log.jsonl`, and one that was begun anew is another, too; one that has grown is not."""
    record = '{"ts":"2026-0%d-01T00:00:00Z","agent_id":"QUEEN","event":"decision","decision":"%s"}\n'
    one, other = tmp_path / "one" / "hive-log.jsonl", tmp_path / "other" / "hive-log.jsonl"
    for path in (one, other):
        path.parent.mkdir()
    one.write_text(record % (1, "a"))
    other.write_text(record % (2, "b") + record % (3, "c"))
    report = import_activity_log(str(one), tmp_path / "out")
    before = Path(report.path).read_bytes()
    with pytest.raises(JournalError, match="import of another log"):
        import_activity_log(str(other), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["QUEEN_hive-log.jsonl"]
    assert Path(report.path).read_bytes() == before
    assert import_activity_log(str(other), tmp_path / "out", agent_id="OTHER").state == "new"
    one.write_text(record % (1, "a") + record % (2, "b"))
    assert import_activity_log(str(one), tmp_path / "out").state == "updated"


@pytest.mark.parametrize("before", ["x" * 40, "x" * 60, "x" * 78, "word\n" * 12, "key" + " " * 620])
def test_title_ends_before_a_secret_that_does_not_fit_in_it(before: str) -> None:
    """A part of a token would pass for none, and tell most of it."""
    token = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
    named = title(f"{before} {token} and so on", "x")
    assert token in named or token[:4] not in named
    assert named.startswith(before.split(maxsplit=1)[0])


def test_title_is_one_short_line() -> None:
    """Of whatever was said."""
    assert title("  two\n\n lines\t", "x") == "two lines"
    assert title(" \n", "nothing") == "nothing"
    assert len(title("word " * 1000, "x")) <= 80


def test_half_a_surrogate_pair_is_odd_data_and_no_damage(writer: Writer, tmp_path: Path) -> None:
    """JavaScript writes one where it has cut a text in the middle of an emoji."""
    writer.user("cut \ud83d", 0)
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    assert report.damage_count == 0
    assert list(tasks_of(report.path)) == ["cut \\ud83d"]


def test_last_line_that_is_being_written_is_no_damage(writer: Writer, tmp_path: Path) -> None:
    """It is there the next time."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert import_one(path, into=tmp_path).damage_count == 0
    path.write_bytes(whole)
    assert import_one(path, into=tmp_path).state == "updated"


def test_damage_in_the_middle_is_told_with_its_place(writer: Writer, tmp_path: Path) -> None:
    """NULs of a crash, bytes that are no UTF-8, half a record: each is told, and the rest is imported."""
    lines = short_session(writer).lines().splitlines(keepends=True)
    parts = [
        b"\xef\xbb\xbf" + lines[0],
        b'{"type":"us\n',
        lines[1],
        b"\0\0\0" + lines[2],
        b'{"a":"\xff"}\n\n',
        lines[3],
    ]
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(parts))
    report = import_one(path, into=tmp_path)
    assert [damage.line for damage in report.damages] == [2, 4, 5]
    assert report.damages[0].offset == 3 + len(lines[0])
    assert (report.records, report.damage_count) == (4, 3)
    assert tasks_of(report.path)["Fix the build"].duration_ms == 6000


def test_file_that_is_changed_while_it_is_read_is_an_error(writer: Writer, tmp_path: Path) -> None:
    """What would be imported is not what was there."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    with Source(str(path), DamageLog().add) as source:
        (*_, last) = source.read()
        os.truncate(path, 10)
        with pytest.raises(OSError, match="changed while it was read"):
            source.again(last.offset, last.length)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"not json\n", b'{"type":"other"}\n', b'{"type":"summary","summary":"x"}\n']
)
def test_file_that_is_no_transcript_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing is written for it."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    with pytest.raises(NotASessionLogError, match="no transcript of Claude Code"):
        import_one(path, into=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Where the log is put


def test_importing_twice_changes_nothing(writer: Writer, tmp_path: Path) -> None:
    """The file is not even touched."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    first = import_one(path, into=tmp_path / "out")
    journal = Path(first.path)
    content, status = journal.read_bytes(), journal.stat()
    os.utime(journal, ns=(1, 1))
    again = import_one(path, into=tmp_path / "out")
    assert (first.state, again.state) == ("new", "unchanged")
    assert journal.read_bytes() == content
    assert (journal.stat().st_ino, journal.stat().st_mtime_ns) == (status.st_ino, 1)
    assert os.listdir(tmp_path / "out") == [journal.name]


def test_transcript_that_has_grown_gives_the_longer_log(writer: Writer, tmp_path: Path) -> None:
    """In the place of the one before."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    before = import_one(path, into=tmp_path / "out")
    writer.user("More", 20)
    writer.answer(21, {"type": "text", "text": "Yes"}, key="m9")
    writer.save(path)
    after = import_one(path, into=tmp_path / "out")
    assert (after.state, after.path) == ("updated", before.path)
    assert after.events > before.events
    assert list(tasks_of(after.path)) == ["Fix the build", "More"]


def test_two_transcripts_of_one_session_are_both_kept(tmp_path: Path) -> None:
    """A session that was resumed is in two files, and the second may begin with a copy of the first."""
    writer = short_session(Writer())
    first = writer.save(tmp_path / f"{SESSION}.jsonl")
    writer.user("Go on", 60)
    writer.answer(61, {"type": "text", "text": "Yes"}, key="m9")
    copied = writer.save(tmp_path / "copied.jsonl")
    other = Writer(cwd="/elsewhere")
    other.user("Another day", 90_000)
    other.answer(90_001, {"type": "text", "text": "Yes"}, key="m10")
    resumed = other.save(tmp_path / "resumed.jsonl")
    paths = (first, copied, resumed)
    reports = [import_one(path, into=tmp_path / "out") for path in paths]
    assert [report.state for report in reports] == ["new"] * 3
    assert Path(reports[0].path).name == f"claude-code_{SESSION}.jsonl"
    assert [list(tasks_of(report.path)) for report in reports] == [
        ["Fix the build"],
        ["Fix the build", "Go on"],
        ["Another day"],
    ]
    assert all(check(report.path).ok for report in reports)
    assert all(report.session_id.startswith(SESSION) for report in reports)
    assert len(os.listdir(tmp_path / "out")) == 3
    for order in (paths, paths[::-1]):
        assert [import_one(path, into=tmp_path / "out").state for path in order] == ["unchanged"] * 3
    assert len(os.listdir(tmp_path / "out")) == 3


def test_each_of_two_transcripts_of_a_session_grows_in_its_own_log(tmp_path: Path) -> None:
    """Whichever of them was imported first."""
    writers = []
    for number, name in enumerate(("one", "two")):
        writer = Writer(cwd=name)
        writer.user(name, 1000 * number)
        writer.answer(1000 * number + 1, {"type": "text", "text": "Yes"}, key=name)
        writers.append((writer, tmp_path / f"{name}.jsonl"))
    before = [import_one(writer.save(path), into=tmp_path / "out") for writer, path in writers]
    for writer, _ in writers:
        writer.user("More", 5000)
        writer.answer(5001, {"type": "text", "text": "Yes"}, key="later")
    after = [import_one(writer.save(path), into=tmp_path / "out") for writer, path in writers]
    assert [report.state for report in after] == ["updated", "updated"]
    assert [report.path for report in after] == [report.path for report in before]
    assert [list(tasks_of(report.path)) for report in after] == [["one", "More"], ["two", "More"]]


def test_import_tells_how_far_it_has_come(tmp_path: Path) -> None:
    """In bytes of the file, which is read twice; never back, and never beyond its end."""
    writer = Writer()
    for number in range(500):
        writer.user("x" * 2000, number)
    path = writer.save(tmp_path / "t.jsonl")
    told: list[tuple[int, int]] = []
    import_one(path, into=tmp_path / "out", on_progress=lambda *progress: told.append(progress))
    assert {total for _, total in told} == {path.stat().st_size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len(told) >= 4 and told[0][0] < told[-1][0] <= path.stat().st_size


def test_copy_of_a_transcript_is_no_other_one(writer: Writer, tmp_path: Path) -> None:
    """Wherever it lies; nothing would be lost, and all would count twice."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    report = import_one(path, into=tmp_path / "out")
    again = import_one(writer.save(tmp_path / "copy" / "t.jsonl"), into=tmp_path / "out")
    assert (again.state, again.path) == ("unchanged", report.path)


def test_transcript_that_has_lost_records_does_not_take_them_from_the_log(writer: Writer, tmp_path: Path) -> None:
    """It goes beside it once; what comes after that under the same name is refused."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    whole = import_one(path, into=tmp_path / "out")
    content = Path(whole.path).read_bytes()
    for key, expected in (("b", "new"), ("b", "unchanged"), ("other", None)):
        other = Writer(cwd=key)
        other.user(f"Begun anew: {key}", 0)
        other.save(path)
        if expected is None:
            with pytest.raises(JournalError, match="import of another log"):
                import_one(path, into=tmp_path / "out")
        else:
            assert import_one(path, into=tmp_path / "out").state == expected
    assert Path(whole.path).read_bytes() == content
    assert len(os.listdir(tmp_path / "out")) == 2


def test_sub_agent_whose_file_is_gone_is_not_lost(tmp_path: Path) -> None:
    """The program removes old files one by one; the log that has the sub-agent's work stays."""
    main = starts_agent(Writer()).save(tmp_path / f"{SESSION}.jsonl")
    agent = agent_at_work(Writer(isSidechain=True, agentId="x")).save(tmp_path / "agent-x.jsonl")
    whole = import_one(main, into=tmp_path / "out")
    content = Path(whole.path).read_bytes()
    agent.unlink()
    again = import_one(main, into=tmp_path / "out")
    assert (again.state, Path(whole.path).read_bytes()) == ("new", content)
    assert again.path != whole.path


def test_log_and_directory_are_the_owners_alone(writer: Writer, tmp_path: Path) -> None:
    """A `.deia` that is made keeps itself out of version control, as for loggers."""
    directory = tmp_path / ".deia" / "sessions"
    report = import_one(short_session(writer).save(tmp_path / "t.jsonl"), into=directory)
    assert stat.S_IMODE(os.stat(report.path).st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert (tmp_path / ".deia" / ".gitignore").read_text() == "*\n"


def test_log_of_a_logger_is_never_touched(writer: Writer, tmp_path: Path) -> None:
    """Neither one that it has recorded, nor one that it has open, nor one that was imported and it has gone on in."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    directory = tmp_path / "out"
    with SessionLogger("claude-code", SESSION, output_dir=directory) as logger:
        logger.log_tool_call("x", {}, 1)
        with pytest.raises(SessionLockedError):
            import_one(path, into=directory)
    content = logger.path.read_bytes()
    with pytest.raises(JournalError, match="a logger has recorded"):
        import_one(path, into=directory)
    assert logger.path.read_bytes() == content

    other = tmp_path / "other"
    import_one(path, into=other)
    with SessionLogger("claude-code", SESSION, output_dir=other) as logger:
        logger.log_tool_call("x", {}, 1)
    assert check(logger.path).ok and check(logger.path).runs == 2
    content = logger.path.read_bytes()
    with pytest.raises(JournalError, match="a logger has recorded"):
        import_one(path, into=other)
    assert logger.path.read_bytes() == content
    assert os.listdir(other) == [logger.path.name]


@pytest.mark.parametrize("name", [f"claude-code_{SESSION}.jsonl", f".claude-code_{SESSION}.queue"])
def test_symbolic_link_in_the_place_of_the_log_or_its_lock_is_refused(
    writer: Writer, tmp_path: Path, name: str
) -> None:
    """What it points to is not written."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    target, directory = tmp_path / "target", tmp_path / "out"
    directory.mkdir()
    (directory / name).symlink_to(target)
    with pytest.raises(ForeignJournalError, match="symbolic link"):
        import_one(path, into=directory)
    assert not target.exists()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_in_the_logs_place_is_an_error(
    writer: Writer, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """Nobody waits for somebody who writes to a pipe."""
    (tmp_path / "out").mkdir()
    make(tmp_path / "out" / f"claude-code_{SESSION}.jsonl")
    with pytest.raises(OSError, match="not a plain file"):
        import_one(short_session(writer).save(tmp_path / "t.jsonl"), into=tmp_path / "out")
    assert os.listdir(tmp_path / "out") == [f"claude-code_{SESSION}.jsonl"]


@pytest.mark.parametrize(
    "name", ["uuid", "timestamp", "sessionId", "type", "leafUuid", "message", "toolUseResult", "cwd"]
)
def test_record_of_any_depth_is_odd_data(writer: Writer, tmp_path: Path, name: str) -> None:
    """As deep as a parser lets it be."""
    short_session(writer)
    writer.records[1][name] = json.loads("[" * 900 + "]" * 900)
    report = import_one(writer.save(tmp_path / "t.jsonl"), into=tmp_path)
    assert (report.records, report.damage_count) == (4, 0)
    assert check(report.path).ok


def test_import_that_dies_leaves_the_log_as_it_was(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it had written is taken away, and the session is not locked any more."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    journal = Path(import_one(path, into=tmp_path / "out").path)
    content = journal.read_bytes()
    writer.user("More", 20)
    writer.save(path)
    with monkeypatch.context() as patch:
        patch.setattr("deia.system.sync", lambda fd: (_ for _ in ()).throw(OSError(28, "no space")))
        with pytest.raises(OSError, match="no space"):
            import_one(path, into=tmp_path / "out")
    assert journal.read_bytes() == content
    assert os.listdir(tmp_path / "out") == [journal.name]
    os.close(lock_session(queue_path(journal))[0])


@pytest.mark.parametrize("at", range(1, 50, 7))
def test_run_of_a_logger_is_seen_wherever_a_piece_of_the_log_ends(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """A log is read in pieces, and what tells of the run may stand in two of them."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    imported = import_one(path, into=tmp_path / "out")
    imported_bytes = os.path.getsize(imported.path)
    with SessionLogger("claude-code", SESSION, output_dir=tmp_path / "out") as logger:
        logger.log_tool_call("x", {}, 1)
    monkeypatch.setattr("deia.importing.journal._CHUNK_BYTES", imported_bytes + at)
    with pytest.raises(JournalError, match="a logger has recorded"):
        import_one(path, into=tmp_path / "out")


def test_new_log_is_on_the_disk_when_an_import_is_done(
    writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First what is in it, then its name, then its directory: after a loss of power there is one of the two whole."""
    path = short_session(writer).save(tmp_path / "t.jsonl")
    done: list[tuple[str, object]] = []
    for name in ("sync", "rename", "sync_directory"):
        real = getattr(system, name)

        def noted(*arguments: Any, name: str = name, real: Any = real) -> Any:
            what = arguments[-1]
            done.append((name, os.fstat(what).st_ino if name == "sync" else what))
            return real(*arguments)

        monkeypatch.setattr(system, name, noted)
    journal = Path(import_one(path, into=tmp_path / "out").path)
    steps = [("sync", journal.stat().st_ino), ("rename", journal), ("sync_directory", journal.parent)]
    ours = [step for step in done if step in steps]  # and not of a logger of another test, which ends by itself
    assert ours[ours.index(steps[0]) :] == steps


def test_other_kind_of_secret_makes_another_log(writer: Writer, tmp_path: Path) -> None:
    """Only the hashes are no matter: where the rules have changed, the log is replaced."""
    writer.user("Use ghp_" + "a1B2c3D4" * 4 + "e5F6 for it", 0)
    journal = Path(import_one(path := writer.save(tmp_path / "t.jsonl"), into=tmp_path / "out").path)
    content = journal.read_bytes()
    journal.write_bytes(content.replace(b"[redacted:github-token:", b"[redacted:gitlab-token:"))
    assert import_one(path, into=tmp_path / "out").state == "updated"


def test_transcript_keeps_its_log_when_it_becomes_a_copy_of_another(tmp_path: Path) -> None:
    """What its own log was made of is not left behind in that."""
    (tmp_path / "later").mkdir()
    writer = short_session(Writer())
    one = writer.save(tmp_path / f"{SESSION}.jsonl")
    writer.records, whole = writer.records[:2], writer.records
    other = writer.save(tmp_path / "later" / f"{SESSION}.jsonl")
    first, second = import_one(one, into=tmp_path / "out"), import_one(other, into=tmp_path / "out")
    assert (second.state, first.path != second.path) == ("new", True)
    writer.records = whole
    again = import_one(writer.save(other), into=tmp_path / "out")
    assert (again.state, again.path) == ("updated", second.path)


def test_secrets_are_redacted_unless_told(writer: Writer, tmp_path: Path) -> None:
    """With the rules of loggers; the key of the hashes is new each time, which alone does not change the log."""
    secret = "ghp_" + "a1B2c3D4" * 4 + "e5F6"
    writer.user(f"Use {secret} for it", 0)
    writer.use(1, "Bash", {"command": "x", "password": "hunter2-hunter2"}, call="c")
    writer.result(2, "c", f"no: {secret}", is_error=True)
    writer.record("queue-operation", 3, content=f"and {secret}")
    path = writer.save(tmp_path / "t.jsonl")
    report = import_one(path, into=tmp_path / "out")
    content = Path(report.path).read_text()
    assert secret not in content and "hunter2-hunter2" not in content
    assert content.count("[redacted:github-token:") == 5  # message, task twice, error, record
    assert import_one(path, into=tmp_path / "out").state == "unchanged"
    assert Path(report.path).read_text() == content
    plainly = import_one(path, into=tmp_path / "out", redact=False)
    assert plainly.state == "updated" and secret in Path(plainly.path).read_text()


def test_imported_session_is_analysed_like_any_other(writer: Writer, tmp_path: Path) -> None:
    """With the times that it had."""
    analysis = analyze_session(import_one(short_session(writer).save(tmp_path / "t.jsonl"), into=tmp_path).path)
    assert analysis.task_breakdown == {"Fix the build": 6000}
    assert analysis.session_time_ms == 6000
    assert (analysis.agent_id, analysis.session_id, analysis.runs) == ("claude-code", SESSION, 1)
    assert moment(0) == "2023-11-14T22:13:20.000Z"


def test_session_log_is_no_activity_log(tmp_path: Path) -> None:
    """It is what an import makes: it says so, and nothing is written."""
    path = journal_path(tmp_path)
    path.write_bytes(Lines().tool())
    with pytest.raises(NotASessionLogError, match="is a session log already"):
        import_activity_log(str(path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
