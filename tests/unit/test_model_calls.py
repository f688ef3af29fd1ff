"""`log_llm_call`, `log_message`, `log_error`: what they record, on both loggers."""

from __future__ import annotations

import decimal
import fractions
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

import deia
from deia import AsyncSessionLogger, ErrorEvent, LLMEvent, MessageEvent, SessionLogger
from deia.bus.nesting import depth
from deia.errors import LoggerClosedError
from support.lines import assert_sound, lines_of
from support.odd_data import Odd, SilentRepr, each_odd_value

COMMON = ["task_id", "seq", "timestamp", "agent_id", "session_id", "v"]


@pytest.fixture
def logger(tmp_path: Path) -> SessionLogger:
    """A new logger."""
    return SessionLogger("agent", "s", output_dir=tmp_path)


def recorded(logger: SessionLogger) -> list[dict[str, Any]]:
    """Return the lines of a session, which is closed for that, without what every line carries."""
    logger.close()
    lines = lines_of(logger.path)
    lines[0].pop("session_start")
    assert all(list(line)[-6:] == COMMON for line in lines)
    return [{name: value for name, value in line.items() if name not in COMMON} for line in lines]


def fail() -> NoReturn:
    """Raise."""
    raise TimeoutError("no answer")


def test_model_call_is_one_line_with_every_field_in_the_documented_order(logger: SessionLogger) -> None:
    """What was not said is null."""
    logger.log_llm_call("anthropic", "claude")
    logger.log_llm_call(
        "openai",
        "gpt",
        100,
        20,
        cache_read_tokens=60,
        cache_write_tokens=30,
        reasoning_tokens=15,
        duration_ms=2300.4,
        time_to_first_token_ms=410,
        cost_usd=0.031,
        response_id="r1",
        attempt=2,
        metadata={"stop": "end"},
    )
    first, second = recorded(logger)
    assert second == {
        "type": "LLMEvent",
        "provider": "openai",
        "model": "gpt",
        "input_tokens": 100,
        "output_tokens": 20,
        "cache_read_tokens": 60,
        "cache_write_tokens": 30,
        "reasoning_tokens": 15,
        "duration_ms": 2300,
        "time_to_first_token_ms": 410,
        "cost_usd": 0.031,
        "response_id": "r1",
        "attempt": 2,
        "error_type": None,
        "error": None,
        "metadata": {"stop": "end"},
    }
    assert list(first) == list(second)
    given = {"type": "LLMEvent", "provider": "anthropic", "model": "claude", "metadata": {}}
    assert first == {**dict.fromkeys(second), **given}


def test_message_is_one_line_with_its_content_as_it_was_given(logger: SessionLogger) -> None:
    """Text, the parts that a provider makes of it, or nothing."""
    parts = [{"type": "text", "text": "hi"}, {"type": "tool_use", "input": {"a": [1, None]}}]
    logger.log_message("user", "hello")
    logger.log_message("assistant", parts, message_id="m1", metadata={"model": "x"})
    logger.log_message("assistant", None)
    assert recorded(logger) == [
        {"type": "MessageEvent", "role": "user", "content": "hello", "message_id": None, "metadata": {}},
        {"type": "MessageEvent", "role": "assistant", "content": parts, "message_id": "m1", "metadata": {"model": "x"}},
        {"type": "MessageEvent", "role": "assistant", "content": None, "message_id": None, "metadata": {}},
    ]


def test_exception_is_recorded_with_type_message_place_and_traceback(logger: SessionLogger) -> None:
    """Types that are built in without their module, others with it."""
    try:
        fail()
    except TimeoutError as error:
        logger.log_error(error, metadata={"url": "/a"})
    logger.log_error(decimal.InvalidOperation())
    raised, unraised = recorded(logger)
    assert (raised["error_type"], raised["message"], raised["metadata"]) == ("TimeoutError", "no answer", {"url": "/a"})
    assert raised["where"].endswith(f"test_model_calls.py:{fail.__code__.co_firstlineno + 2} in fail")
    assert raised["traceback"].startswith("Traceback (most recent call last):\n")
    assert raised["traceback"].endswith("TimeoutError: no answer\n")
    assert unraised == {
        "type": "ErrorEvent",
        "error_type": "decimal.InvalidOperation",
        "message": "decimal.InvalidOperation",
        "where": None,
        "traceback": None,
        "metadata": {},
    }


def test_what_the_caller_says_of_an_error_wins_over_the_exception(logger: SessionLogger) -> None:
    """Each part may be given, and an empty traceback is none."""
    try:
        fail()
    except TimeoutError as error:
        logger.log_error(error, error_type="timeout", where="the gateway", traceback="")
    logger.log_error("rate limited", error_type="rate_limit_error", where="w", traceback="t")
    assert [list(line.values())[1:5] for line in recorded(logger)] == [
        ["timeout", "no answer", "the gateway", None],
        ["rate_limit_error", "rate limited", "w", "t"],
    ]


def test_failed_model_call_says_what_kind_of_error_and_what_it_said(logger: SessionLogger) -> None:
    """From an exception or from text; what has no message says its type, so that `error` is never empty then."""
    logger.log_llm_call("p", "m", error=TimeoutError("no answer"))
    logger.log_llm_call("p", "m", error=TimeoutError())
    logger.log_llm_call("p", "m", error="overloaded")
    logger.log_llm_call("p", "m", error="overloaded", error_type="overloaded_error")
    logger.log_llm_call("p", "m", error_type="overloaded_error")
    logger.log_llm_call("p", "m", error={"code": 529})  # type: ignore[arg-type]
    assert [(line["error_type"], line["error"]) for line in recorded(logger)] == [
        ("TimeoutError", "no answer"),
        ("TimeoutError", "TimeoutError"),
        (None, "overloaded"),
        ("overloaded_error", "overloaded"),
        ("overloaded_error", "overloaded_error"),
        (None, "{'code': 529}"),
    ]


def test_events_belong_to_the_innermost_open_task(logger: SessionLogger) -> None:
    """As files and tools do."""
    logger.log_task_start("outer")
    logger.log_message("user", "a")
    logger.log_task_start("inner")
    logger.log_llm_call("p", "m")
    logger.log_task_complete("inner")
    logger.log_error("e")
    logger.log_task_complete("outer")
    logger.log_message("user", "b")
    assert [(type(event), event.task_id) for event in logger.events if not isinstance(event, deia.TaskEvent)] == [
        (MessageEvent, 1),
        (LLMEvent, 3),
        (ErrorEvent, 1),
        (MessageEvent, None),
    ]


def test_events_are_read_back_typed_in_order_and_counted_in_no_other_figure(logger: SessionLogger) -> None:
    """By `events`, the reader, the summary and the analysis."""
    logger.log_message("user", "a", message_id="m")
    logger.log_llm_call("p", "m", 1, 2)
    logger.log_tool_call("t", {}, 5)
    logger.log_error("e")
    expected = [
        MessageEvent("user", "a", "m"),
        LLMEvent("p", "m", 1, 2),
        deia.ToolEvent("t", {}, 5),
        ErrorEvent(None, "e"),
    ]
    assert logger.events == list(deia.read_events(logger.path)) == expected
    summary = logger.get_session_summary()
    assert (summary.tool_calls_count, summary.files_read, summary.files_written, summary.tasks_completed) == (
        1,
        0,
        0,
        0,
    )
    logger.close()
    again = SessionLogger("agent", "s", output_dir=logger.path.parent)
    again.log_message("user", "b")
    assert again.get_session_summary().tool_calls_count == 1
    again.close()
    analysis = deia.analyze_session(logger.path, strict=True)
    assert analysis.events_by_type == {
        "MessageEvent": 2,
        "LLMEvent": 1,
        "ToolEvent": 1,
        "ErrorEvent": 1,
        "SessionEvent": 1,
    }
    assert (analysis.unknown_types, analysis.damages) == ({}, [])
    assert_sound(logger.path)


WRONG: list[tuple[Callable[[SessionLogger], None], type[Exception], str]] = [
    (lambda log: log.log_llm_call("", "m"), ValueError, "provider"),
    (lambda log: log.log_llm_call(None, "m"), TypeError, "provider"),  # type: ignore[arg-type]
    (lambda log: log.log_llm_call("p", ""), ValueError, "model"),
    (lambda log: log.log_llm_call("p", 5), TypeError, "model"),  # type: ignore[arg-type]
    (lambda log: log.log_llm_call("p", "m", -1), ValueError, "input_tokens"),
    (lambda log: log.log_llm_call("p", "m", output_tokens=1.5), TypeError, "output_tokens"),  # type: ignore[arg-type]
    (lambda log: log.log_llm_call("p", "m", cache_read_tokens=True), TypeError, "cache_read_tokens"),
    (lambda log: log.log_llm_call("p", "m", attempt=0), ValueError, "attempt"),
    (lambda log: log.log_llm_call("p", "m", attempt=-1), ValueError, "attempt"),
    (lambda log: log.log_llm_call("p", "m", duration_ms="5"), TypeError, "duration_ms"),  # type: ignore[arg-type]
    (
        lambda log: log.log_llm_call("p", "m", time_to_first_token_ms=[]),  # type: ignore[arg-type]
        TypeError,
        "time_to_first_token_ms",
    ),
    (lambda log: log.log_llm_call("p", "m", cost_usd="5"), TypeError, "cost_usd"),  # type: ignore[arg-type]
    (lambda log: log.log_message("", "x"), ValueError, "role"),
    (lambda log: log.log_message(None, "x"), TypeError, "role"),  # type: ignore[arg-type]
    (lambda log: log.log_error(""), ValueError, "error"),
    (lambda log: log.log_error(None), TypeError, "error"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "error", "argument"), WRONG)
def test_wrong_call_raises_naming_the_argument_and_records_nothing(
    logger: SessionLogger, call: Callable[[SessionLogger], None], error: type[Exception], argument: str
) -> None:
    """The same rule as for the other calls."""
    with pytest.raises(error, match=argument):
        call(logger)
    assert logger.events == []


@each_odd_value
def test_odd_data_never_raises_and_keeps_what_a_reader_wants(logger: SessionLogger, odd: Odd) -> None:
    """As content, metadata, id, or error."""
    logger.log_message("user", odd.make(), message_id=odd.make(), metadata={"odd": odd.make()})
    logger.log_llm_call("p", "m", error=odd.make(), response_id=odd.make(), metadata=odd.make())
    logger.log_error("e", error_type=odd.make(), where=odd.make(), traceback=odd.make(), metadata={"odd": odd.make()})
    message, model, error = recorded(logger)
    assert odd.kept(message["content"])
    assert odd.kept(message["metadata"]["odd"])
    assert odd.kept(error["metadata"]["odd"])
    assert isinstance(model["error"], str) and isinstance(model["metadata"], dict)
    for value in (message["message_id"], model["response_id"], error["error_type"], error["where"], error["traceback"]):
        assert isinstance(value, str)


def test_numbers_that_cannot_be_are_recorded_beside_what_was_given(
    logger: SessionLogger, warnings_logged: list[str]
) -> None:
    """A stepped clock, a broken price list, a counter that ran over: the event is kept; one warning of a duration."""
    logger.log_llm_call("p", "m", 2**70, duration_ms=-5, time_to_first_token_ms=math.nan, cost_usd=-0.5)
    logger.log_llm_call("p", "m", cost_usd=math.inf, attempt=2**70)
    logger.log_llm_call("p", "m", cost_usd=decimal.Decimal("0.25"), duration_ms=fractions.Fraction(5, 2))
    first, second, third = recorded(logger)
    assert (first["input_tokens"], first["given_input_tokens"]) == (None, str(2**70))
    assert (first["duration_ms"], first["given_duration_ms"]) == (0, -5)
    assert (first["time_to_first_token_ms"], first["given_time_to_first_token_ms"]) == (0, "NaN")
    assert (first["cost_usd"], first["given_cost_usd"]) == (None, -0.5)
    assert (second["cost_usd"], second["given_cost_usd"]) == (None, "Infinity")
    assert (second["attempt"], second["given_attempt"]) == (None, str(2**70))
    assert (third["cost_usd"], third["duration_ms"]) == (0.25, 2)
    assert len(warnings_logged) == 1
    assert_sound(logger.path)


def test_lone_surrogates_are_recorded_as_escapes(logger: SessionLogger) -> None:
    """In every text, and nothing else of the event is lost."""
    logger.log_message("us\ud800er", "x\ud800", message_id="\ud800", metadata={"a": 1})
    logger.log_llm_call("p\ud800", "m", error=ValueError("\ud800"), metadata={"a": 1})
    logger.log_error(ValueError("\ud800"), metadata={"\ud800": 1})
    message, model, error = recorded(logger)
    assert (message["role"], message["content"], message["metadata"]) == ("us\\ud800er", "x\\ud800", {"a": 1})
    assert (model["provider"], model["error"], model["metadata"]) == ("p\\ud800", "\\ud800", {"a": 1})
    assert (error["message"], error["metadata"]) == ("\\ud800", {"\\ud800": 1})


def test_exceptions_that_cannot_be_shown_are_recorded(logger: SessionLogger) -> None:
    """Whatever their own methods raise."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    for broken in (Broken(), ValueError(SilentRepr())):
        try:
            raise broken
        except (Broken, ValueError) as error:
            logger.log_error(error)
            logger.log_llm_call("p", "m", error=error)
    lines = recorded(logger)
    assert [line["error_type"].rpartition(".")[2] for line in lines] == ["Broken", "Broken", "ValueError", "ValueError"]
    assert all(line.get("message", line.get("error")) for line in lines)


def test_what_the_caller_changes_afterwards_does_not_change_the_record(logger: SessionLogger) -> None:
    """Also where the event is the session's first, and takes the slow path."""
    parts, metadata = [{"text": "before"}], {"a": ["before"]}
    logger.log_message("user", parts, metadata=metadata)
    parts[0]["text"], metadata["a"][0] = "after", "after"
    assert recorded(logger)[0]["content"] == [{"text": "before"}]


def test_secrets_are_kept_out_of_messages_and_errors(logger: SessionLogger) -> None:
    """What people paste, and what exceptions quote."""
    logger.log_message("user", "use password=hunter22x for it")
    logger.log_message("user", [{"type": "text", "text": "x"}, {"password": "hunter22x"}])
    logger.log_llm_call("p", "m", error="bad header Authorization: Bearer hunter22xhunter22x")
    try:
        raise RuntimeError("postgres://ada:hunter22x@db/x")
    except RuntimeError as error:
        logger.log_error(error)
    logger.close()
    text = logger.path.read_text()
    assert "hunter22x" not in text
    assert text.count("[redacted:") >= 5


def test_users_redaction_sees_every_text_of_the_new_events(tmp_path: Path) -> None:
    """Under the names that the line has; where it fails, the texts are replaced as a whole."""
    seen: list[dict[str, Any]] = []

    def look(event: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(event))
        if event.get("content") == ["fail"]:
            raise RuntimeError
        return event

    with SessionLogger("agent", "s", output_dir=tmp_path, redact=look) as log:
        log.log_message("user", "", message_id="m")
        log.log_message("user", ["fail"])
        log.log_llm_call("p", "m", 5)
        log.log_error("e")
    assert [sorted(event) for event in seen] == [
        ["content", "message_id", "metadata", "role", "type"],
        ["content", "message_id", "metadata", "role", "type"],
        ["error", "error_type", "metadata", "model", "provider", "response_id", "type"],
        ["error_type", "message", "metadata", "traceback", "type", "where"],
    ]
    lines = lines_of(log.path)
    assert lines[0]["content"] == ""
    assert lines[1]["content"][0].startswith("[redacted:content:")


@pytest.mark.anyio
async def test_async_logger_records_the_same(tmp_path: Path) -> None:
    """Each call awaited; nothing is left out on the way."""

    class Recorder(AsyncSessionLogger):
        pass

    async with Recorder("agent", "a", output_dir=tmp_path) as log:
        await log.log_llm_call(
            *("p", "m", 1, 2),
            cache_read_tokens=3,
            cache_write_tokens=4,
            reasoning_tokens=5,
            duration_ms=6,
            time_to_first_token_ms=7,
            cost_usd=8,
            response_id="9",
            attempt=10,
            error="e",
            error_type="t",
            metadata={"a": 11},
        )
        await log.log_message("user", "c", message_id="i", metadata={"a": 1})
        await log.log_error("e", error_type="t", where="w", traceback="tb", metadata={"a": 1})
        assert await log.events() == [
            LLMEvent("p", "m", 1, 2, 3, 4, 5, 6, 7, 8.0, "9", 10, "t", "e", {"a": 11}),
            MessageEvent("user", "c", "i", {"a": 1}),
            ErrorEvent("t", "e", "w", "tb", {"a": 1}),
        ]


def test_calls_after_close_and_when_disabled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first raise, the second do nothing."""
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    log.close()
    calls: list[Callable[[SessionLogger], None]] = [
        lambda log: log.log_llm_call("p", "m"),
        lambda log: log.log_message("user", "x"),
        lambda log: log.log_error("x"),
    ]
    monkeypatch.setenv("DEIA_DISABLED", "1")
    disabled = SessionLogger("agent", "d", output_dir=tmp_path)
    for call in calls:
        with pytest.raises(LoggerClosedError):
            call(log)
        call(disabled)
    assert disabled.events == []


def test_calls_inside_calls_are_counted(logger: SessionLogger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call made inside another hardly waits for room; so the new ones are told as calls, too."""
    depths: list[int] = []

    class Told:
        def __repr__(self) -> str:
            depths.append(depth())
            return "told"

    logger.log_message("user", Told())
    logger.log_llm_call("p", "m", metadata={"a": Told()})
    logger.log_error("e", metadata={"a": Told()})
    assert depths == [1, 1, 1]
    logger.close()
