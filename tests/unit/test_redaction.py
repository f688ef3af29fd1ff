"""Secrets do not get into the log, whichever call they come by, and whatever goes wrong on the way."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import os
import pickle
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from deia import AsyncSessionLogger, FileEvent, SessionLogger, read_events
from deia.journal.damage import Damage
from deia.redaction import suspicion
from support import planted
from support.lines import assert_sound, lines_of

TOKEN = planted.BY_FORM["github-token"][0]
URL = planted.BY_FORM["url-password"][0]


class Endless:
    """A duration that no number holds, and that says too much."""

    def __float__(self) -> float:
        raise OverflowError

    def __repr__(self) -> str:
        return f"Endless(token={TOKEN!r})"


class Shown:
    """Says what it holds."""

    def __repr__(self) -> str:
        return f"Shown(password='swordfish', token={TOKEN!r})"


def recorded(logger: SessionLogger) -> bytes:
    logger.flush()
    return logger.path.read_bytes()


def log_secrets(log: SessionLogger) -> None:
    log.log_task_start(f"push {TOKEN}", {"password": "swordfish", "deep": [{"url": URL}]})
    log.log_file_read(URL, 5)
    log.log_file_write(f"/tmp/{TOKEN}", 5, 1)
    log.log_file_read(os.fsencode(f"/x/{TOKEN}"))
    log.log_tool_call(f"use {TOKEN}", {TOKEN: 1, "a": {"b": [TOKEN]}}, 5)
    log.log_tool_call(
        "odd", {"shown": Shown(), 5: TOKEN, "when": datetime.datetime(2026, 1, 1), "nan": float("nan")}, 5
    )
    log.log_tool_call("error", {"e": ValueError(f"cannot open {URL}"), "b": TOKEN.encode()}, 5)
    log.log_tool_call("no mapping", [("password", "swordfish"), TOKEN], 5)  # type: ignore[arg-type]
    log.log_tool_call("endless", {}, Endless())  # type: ignore[arg-type]
    log.log_tool_call("surrogate", {"a": "\ud800" + " " + TOKEN}, -1)
    log.log_task_complete(f"push {TOKEN}", 5, {"api_key": "swordfish"})
    log.log_task_complete(f"never started {TOKEN}", 5, {"api_key": "swordfish"})


def assert_clean(data: bytes) -> None:
    for secret in (TOKEN, "swordfish", planted.secret_of("url-password", URL)):
        assert secret.encode() not in data
    assert b"[redacted:github-token:" in data


def test_name_of_a_published_field_that_is_a_secret_is_replaced_where_it_stands(tmp_path: Path) -> None:
    """Nothing of it is left beside that, and what the field holds is no part of the line's own fields."""
    event = dataclasses.make_dataclass("Odd", [(TOKEN, dict), ("after", str)])({"seq": 5, "more": 1}, "x")
    for _ in range(2):  # the second one is encoded before it is known what `seq` it gets
        with SessionLogger("agent", "s", output_dir=tmp_path) as log:
            log.publish(event)
    lines = lines_of(log.path)
    assert [line["seq"] for line in lines] == [1, 2, 3]  # the one in between tells of the second run
    for line in (lines[0], lines[2]):
        kind, name, after, *_ = line
        assert (kind, after) == ("type", "after")
        assert name.startswith("[redacted:github-token:")
        assert line[name] == {"seq": 5, "more": 1}
    assert_clean(log.path.read_bytes())


def test_name_of_a_published_field_that_is_a_secret_is_replaced_where_redaction_fails(
    tmp_path: Path, warnings_logged: list[str]
) -> None:
    """There all texts are replaced as a whole, and the names are looked at by our own rules."""

    def fail(event: dict[str, Any]) -> dict[str, Any]:
        raise ValueError(TOKEN)

    event = dataclasses.make_dataclass("Odd", [("before", str), (TOKEN, str), ("after", int)])("x", "y", 7)
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=fail) as log:
        log.publish(event)
    (line,) = lines_of(log.path)
    kind, before, name, after, *_ = line
    assert (kind, before, after, line["after"]) == ("type", "before", "after", 7)
    assert name.startswith("[redacted:github-token:")
    assert line["before"].startswith("[redacted:before:")
    assert line[name].startswith("[redacted:[redacted:github-token:")
    assert_clean(log.path.read_bytes())
    assert any("Redaction failed" in message for message in warnings_logged)


@pytest.mark.parametrize(
    "written", ['{"password":"swordfish"} ', '{ "password": "swordfish"}', '{\n "password":"swordfish"}']
)
@pytest.mark.parametrize("nested", [False, True])
def test_secret_is_redacted_in_json_that_its_caller_has_encoded(tmp_path: Path, written: str, nested: bool) -> None:
    """With spaces and newlines of his own: what an agent's model says may come so."""
    fragment: Any = orjson.Fragment(written.encode())
    given: Any = {"a": fragment} if nested else fragment
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_start("a", given)
        log.log_task_complete("a", 5, given)
        log.log_tool_call("a", given, 5)
        with log.tool("a", given):
            pass
        log.log_message("assistant", given, metadata=given)
        log.log_message("assistant", [given])
    lines = lines_of(log.path)
    assert len(lines) == 6
    assert all("swordfish" not in repr(line) and "[redacted:password:" in repr(line) for line in lines)


def test_params_that_their_caller_has_encoded_wrongly_are_recorded_as_text(tmp_path: Path) -> None:
    """The line can be read all the same."""
    given: Any = orjson.Fragment(b"{")
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_start("a", given)
        log.log_tool_call("a", given, 5)
        with log.tool("a", given):
            pass
    recorded = [line.get("metadata", line.get("params")) for line in lines_of(log.path)]
    assert len(recorded) == 3
    assert all(set(each) == {"value"} and "Fragment" in each["value"] for each in recorded)


def test_what_is_wrongly_encoded_inside_of_params_raises_nothing_and_is_damage(tmp_path: Path) -> None:
    """No call looks into each value; its own line cannot be read, and the others can."""
    given: Any = {"a": orjson.Fragment(b"{")}
    damage: list[Damage] = []
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_start("a", given)
        log.log_tool_call("a", given, 5)
        with log.tool("a", given):
            pass
        log.log_file_read("after")
    (event,) = read_events(log.path, on_damage=damage.append)
    assert isinstance(event, FileEvent)
    assert [each.line for each in damage if each.kind == "unreadable"] == [1, 2, 3]


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_no_call_records_a_secret(tmp_path: Path, mode: Any, warnings_logged: list[str]) -> None:
    """Names, metadata, paths, params at any depth, keys, odd data and what it says of itself, orphans."""
    with SessionLogger("agent", "s", output_dir=tmp_path, queue_mode=mode) as log:
        log_secrets(log)
        events = log.events
    assert_clean(log.path.read_bytes())
    assert_clean(repr(events).encode())
    assert_clean(" ".join(warnings_logged).encode())
    assert len(lines_of(log.path)) == 12
    assert_sound(log.path)


@pytest.mark.anyio
async def test_no_awaited_call_records_a_secret(tmp_path: Path, anyio_backend: Any) -> None:
    """The async logger is the same recorder."""
    async with AsyncSessionLogger("agent", "s", output_dir=tmp_path) as log:
        await log.log_task_start(f"push {TOKEN}", {"password": "swordfish"})
        await log.log_file_read(URL)
        await log.log_tool_call("x", {"a": [TOKEN]}, 5)
        await log.log_task_complete(f"push {TOKEN}", 5, {"api_key": "swordfish"})
        assert_clean(repr(await log.events()).encode())
    assert_clean(log.path.read_bytes())


def test_a_task_whose_name_is_redacted_is_still_completed_by_its_name(tmp_path: Path) -> None:
    """What the caller says at the end matches what it said at the start."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_start(TOKEN)
        log.log_task_complete(TOKEN, 5)
        assert log.get_session_summary().tasks_completed == 1


def test_metadata_of_an_earlier_run_is_redacted_when_it_is_recorded_again(tmp_path: Path) -> None:
    """A completion repeats the start's metadata, which may come from a log that was written without redaction."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=False) as log:
        log.log_task_start("task", {"password": "swordfish"})
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_task_complete("task", 5, {"x": 1})
    *_, last = lines_of(log.path)
    assert last["metadata"]["password"].startswith("[redacted:password:")
    assert last["metadata"]["x"] == 1


def test_ids_are_not_redacted(tmp_path: Path) -> None:
    """They name the file, and whoever reads it."""
    with SessionLogger(TOKEN, "s", output_dir=tmp_path) as log:
        log.log_tool_call("x", {}, 5)
    assert lines_of(log.path)[0]["agent_id"] == TOKEN


def test_without_redaction_all_is_recorded_as_it_is_given(tmp_path: Path) -> None:
    """Who says False has a reason."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=False) as log:
        log.log_tool_call("x", {"password": "swordfish"}, 5)
    assert lines_of(log.path)[0]["params"] == {"password": "swordfish"}


def hash_of(logger: SessionLogger) -> str:
    logger.log_tool_call("x", {"password": "swordfish"}, 5)
    found = re.search(rb"\[redacted:password:([0-9a-f]{8})\]", recorded(logger))
    assert found is not None
    return found[1].decode()


def test_every_session_has_a_key_of_its_own(tmp_path: Path) -> None:
    """A logger, a second one, and the copies of the first: no two of their hashes can be compared."""
    log = SessionLogger("agent", output_dir=tmp_path)
    others = [SessionLogger("agent", output_dir=tmp_path), copy.deepcopy(log), pickle.loads(pickle.dumps(log))]
    hashes = {hash_of(logger) for logger in (log, *others)}
    assert len(hashes) == 4
    assert hash_of(log) in hashes


# What users give


def test_callable_sees_what_the_caller_gave_and_decides_what_is_recorded(tmp_path: Path) -> None:
    """Plain data in a dict of its own; our rules still apply to what it returns."""
    seen: list[dict[str, Any]] = []

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        seen.append(copy.deepcopy(event))
        if "params" in event:
            event["params"]["who"] = "somebody"
        return event

    params = {"who": "Ada", "token": TOKEN, "when": datetime.date(2026, 1, 1)}
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=redact) as log:
        log.log_tool_call("x", params, 5)
        log.log_file_read("notes.md")
        log.log_task_start("task", {"a": 1})
        log.log_task_complete("task", 5)
    assert seen == [
        {"type": "ToolEvent", "name": "x", "params": {"who": "Ada", "token": TOKEN, "when": "2026-01-01"}},
        {"type": "FileEvent", "path": "notes.md"},
        {"type": "TaskEvent", "name": "task", "metadata": {"a": 1}},
        {"type": "TaskEvent", "name": "task", "metadata": {}},
    ]
    assert params["who"] == "Ada"
    call, *_ = lines_of(log.path)
    assert call["params"]["who"] == "somebody"
    assert call["params"]["token"].startswith("[redacted:github-token:")


def _raises(event: dict[str, Any]) -> Any:
    raise ValueError("Ada")


def _forgets(event: dict[str, Any]) -> Any:
    event.clear()


def _returns_rubbish(event: dict[str, Any]) -> Any:
    return {**event, "params": "rubbish"}


def _returns_odd_data(event: dict[str, Any]) -> Any:
    return {**event, "params": {"x": object()}}


def _empties(event: dict[str, Any]) -> Any:
    return {**event, "name": ""}


@pytest.mark.parametrize("bad", [_raises, _forgets, _returns_rubbish, _returns_odd_data, _empties])
def test_callable_that_fails_costs_the_texts_and_not_the_event(
    tmp_path: Path, bad: Any, warnings_logged: list[str]
) -> None:
    """Failing closed: nothing of what the caller gave is recorded but numbers, and one warning is logged."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=bad) as log:
        log.log_tool_call("call Ada", {"who": "Ada"}, 5)
        log.log_tool_call("call Ada", {"who": "Ada"}, 6)
    first, second = lines_of(log.path)
    assert b"Ada" not in log.path.read_bytes()
    assert first["name"].startswith("[redacted:name:")
    assert first["params"]["value"].startswith("[redacted:params:")
    assert [first["duration_ms"], second["duration_ms"]] == [5, 6]
    assert first["name"] == second["name"]
    assert len([message for message in warnings_logged if "Redaction failed" in message]) == 1
    assert_sound(log.path)


def test_callable_that_fails_costs_a_task_its_texts_and_not_its_place(tmp_path: Path) -> None:
    """A task is still started, and completed by the name that its caller knows."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=_raises) as log:
        log.log_task_start("call Ada", {"who": "Ada"})
        log.log_file_read("/home/Ada")
        log.log_task_complete("call Ada", 5)
        assert log.get_session_summary().tasks_completed == 1
    assert b"Ada" not in log.path.read_bytes()


def test_callable_that_logs_to_the_same_logger_ends(tmp_path: Path) -> None:
    """The event that it logs is kept without its texts; the one that it was asked about is recorded as it says."""

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        log.log_tool_call("nested Ada", {"who": "Ada"}, 1)
        return {**event, "name": "told"}

    log = SessionLogger("agent", "s", output_dir=tmp_path, redact=redact)
    log.log_tool_call("outer", {}, 5)
    log.close()
    nested, outer = lines_of(log.path)
    assert nested["name"].startswith("[redacted:name:")
    assert outer["name"] == "told"
    assert_sound(log.path)


def test_interruption_of_a_callable_goes_on(tmp_path: Path) -> None:
    """Ctrl-C is for the program: nothing is recorded then, and the next call is as good as ever."""

    def redact(event: dict[str, Any]) -> dict[str, Any]:
        if event["name"] == "long":
            raise KeyboardInterrupt
        return event

    with SessionLogger("agent", "s", output_dir=tmp_path, redact=redact) as log:
        with pytest.raises(KeyboardInterrupt):
            log.log_tool_call("long", {}, 5)
        log.log_tool_call("short", {}, 5)
    assert [line["name"] for line in lines_of(log.path)] == ["short"]


@pytest.mark.parametrize(
    "redact",
    [
        pytest.param(r"CASE-\d+", id="text"),
        pytest.param(re.compile(r"case-\d+", re.IGNORECASE), id="compiled"),
        pytest.param([r"CASE-\d+", r"nothing"], id="several"),
        pytest.param({"case": r"CASE-\d+"}, id="named"),
        pytest.param((item for item in [r"CASE-\d+"]), id="iterator"),
        pytest.param([r"no (?P<secret>CASE-\d+)", r"CASE-\d+"], id="group"),
    ],
)
def test_patterns_come_on_top_of_the_rules(tmp_path: Path, redact: Any) -> None:
    """Text, compiled, several, or with a kind of their own; in every text, and beside our own."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=redact) as log:
        log.log_tool_call("x", {"a": "see no CASE-17", "b": [TOKEN], "json": '{"CASE-17": 1}'}, 5)
        log.log_task_start("CASE-17", {})
        log.log_file_read("/CASE-17/x")
    data = log.path.read_bytes()
    assert b"CASE-17" not in data
    assert TOKEN.encode() not in data
    kind = "case" if isinstance(redact, dict) else "custom"
    assert f"see no [redacted:{kind}:".encode() in data


@pytest.mark.parametrize(
    ("redact", "error"),
    [
        (None, TypeError),
        (5, TypeError),
        (b"x", TypeError),
        (re.compile(b"x"), TypeError),
        ([None], TypeError),
        ("(", ValueError),
        ({"Case 1": "x"}, ValueError),
        ({5: "x"}, ValueError),
    ],
)
def test_what_cannot_redact_is_refused_when_the_logger_is_made(tmp_path: Path, redact: Any, error: Any) -> None:
    """By an error that names the option."""
    with pytest.raises(error, match="redact"):
        SessionLogger("agent", "s", output_dir=tmp_path, redact=redact)


# What it must not do


def test_quick_look_asks_for_what_stands_in_no_part_of_ours() -> None:
    """Else every line would be looked at closely."""
    assert b'{"type":"ToolEvent","name":"pytest","params":{"path":"tests/"'.translate(suspicion.SIGNS).isascii()
    assert b'{"type":"FileEvent","path":"tests/'.translate(suspicion.SIGNS).isascii()


def test_vocabulary_of_keys_does_not_grow_without_end(tmp_path: Path) -> None:
    """Keys that are data, and not names, are looked at each time."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        for at in range(suspicion._MOST_NAMES + 10):
            log.log_tool_call("x", {f"k{at}": 1, f"{'x' * 70}{at}": 1}, 5)
    assert len(suspicion._known) <= suspicion._MOST_NAMES
    assert all(len(name) <= suspicion._LONGEST_NAME for name in suspicion._known)


def test_data_that_is_nested_beyond_our_means_is_withheld(tmp_path: Path) -> None:
    """JSON in JSON may be deeper than Python's stack: the event is kept."""
    deep = "[" * 900 + '"x"' + "]" * 900
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_tool_call("x", {"json": deep, "password": "swordfish"}, 5)
    (line,) = lines_of(log.path)
    assert b"swordfish" not in log.path.read_bytes()
    assert line["type"] == "ToolEvent"
    assert_sound(log.path)


def test_a_nested_key_like_one_of_ours_hides_nothing(tmp_path: Path) -> None:
    """Where the caller's part of a line ends is told from its end."""
    params = {"a": {"b": {}, "duration_ms": 1, "x": {"password": "swordfish"}}, "duration_ms": 2, "t": TOKEN}
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_tool_call("x", {"a": 1}, 5)
        log.log_tool_call("x", params, 5)
    assert_clean(log.path.read_bytes())
