"""Wherever a secret is planted, neither the journal nor the queue file has it; and what holds none is left as it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deia import SessionLogger
from deia.queue.layout import queue_path
from deia.redaction import suspicion
from deia.redaction.names import ALLOWED, KEY_OF, KINDS, PASS_OF, kind_of
from deia.redaction.redactor import Redactor
from deia.redaction.text import find
from support import planted
from support.lines import lines_of

texts = st.text(st.characters(codec="utf-8"), max_size=30)
leaves = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), texts)
data = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
separators = st.sampled_from([" ", "\n", "\t", '"', "'", "(", ",", ";", "<", "`", "ü "])
ends = st.sampled_from([" ", "\n", '"', "'", ")", ",", ";", ">", "`", ""])


@st.composite
def with_secret(draw: st.DrawFn) -> tuple[str, Any]:
    """A secret, and data that holds it somewhere: in a text or a key, under lists, mappings, tuples and JSON."""
    kind, text = draw(st.sampled_from(planted.ALL))
    secret = planted.secret_of(kind, text)
    value: Any = draw(texts) + draw(separators) + text + draw(ends) + draw(texts.filter(lambda t: not t[:1].isalnum()))
    for _ in range(draw(st.integers(0, 4))):
        wrap = draw(st.sampled_from(["list", "tuple", "dict", "key", "json", "object", "bytes", "error"]))
        if wrap == "list":
            value = [draw(data), value, draw(data)]
        elif wrap == "tuple":
            value = (value, draw(data))
        elif wrap == "dict":
            value = {draw(texts): draw(data), "x": value}
        elif wrap == "key" and isinstance(value, str):
            value = {value: draw(data)}
        elif wrap == "json":
            value = json.dumps(value, default=repr, skipkeys=True)
        elif wrap == "bytes" and isinstance(value, str):
            value = value.encode()
        elif wrap == "error" and isinstance(value, str):
            value = ValueError(value)
    return secret, value


def raw(logger: SessionLogger) -> bytes:
    """All bytes that a session has on disk: its journal, and its queue file with everything that is in the ring."""
    queue = queue_path(logger.path)
    assert queue.exists()
    return queue.read_bytes() + logger.path.read_bytes()


def raise_and_log(log: SessionLogger, value: Any) -> None:
    try:
        raise RuntimeError(value)
    except RuntimeError as error:
        log.log_error(error)


NEW_CALLS: dict[str, Callable[[SessionLogger, Any], None]] = {
    "content": lambda log, value: log.log_message("user", value),
    "parts": lambda log, value: log.log_message("user", [{"type": "text", "text": value}]),
    "message metadata": lambda log, value: log.log_message("user", None, metadata={"b": value}),
    "message id": lambda log, value: log.log_message("user", "x", message_id=f"x {value}"),
    "model": lambda log, value: log.log_llm_call("p", f"m {value}", response_id=f"x {value}"),
    "model error": lambda log, value: log.log_llm_call("p", "m", error=f"401: {value}"),
    "model metadata": lambda log, value: log.log_llm_call("p", "m", metadata={"b": value}),
    "error": lambda log, value: log.log_error(f"401: {value}", where=f"x {value}", metadata={"b": value}),
    "exception": raise_and_log,
}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(with_secret(), st.sampled_from(["tool", "name", "start", "complete", "path", *NEW_CALLS]))
def test_planted_secret_is_nowhere_on_the_disk(planted_data: tuple[str, Any], call: str) -> None:
    """Neither in the journal nor in the bytes of the ring, by whichever call it came."""
    secret, value = planted_data
    with tempfile.TemporaryDirectory() as directory:
        log = SessionLogger("agent", "s", output_dir=directory, queue_bytes=65536, redact=True)
        if call == "tool":
            log.log_tool_call("x", {"a": 1, "b": value}, 5)
        elif call == "name":
            log.log_tool_call(f"x {value}", {}, 5)
        elif call == "path":
            log.log_file_read(f"/x {value}")
        elif call in NEW_CALLS:
            NEW_CALLS[call](log, value)
        else:
            log.log_task_start("task", {"b": value} if call == "start" else {})
            log.log_task_complete("task", 5, {"b": value} if call == "complete" else {})
        log.flush()
        found = raw(log)
        log.close()
        for line in lines_of(log.path):
            assert secret not in json.dumps(line, ensure_ascii=False)
    for part in secret.split("\n"):
        assert len(part) < 20 or part.encode() not in found


def holds_none(value: Any) -> bool:
    """Whether data holds nothing that a rule could be right about."""
    if isinstance(value, dict):
        return all(kind_of(key) is None and holds_none(key) and holds_none(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(holds_none, value))
    return not isinstance(value, str) or not find(value)


@given(st.dictionaries(texts, data, max_size=5).filter(holds_none), texts.filter(bool))
def test_log_without_secrets_is_the_same_with_and_without_redaction(params: dict[str, Any], name: str) -> None:
    """Byte for byte, but for ids and times."""
    lines = []
    with tempfile.TemporaryDirectory() as directory:
        for redact in (True, False):
            with SessionLogger("agent", f"s{redact}", output_dir=Path(directory), redact=redact) as log:
                log.log_tool_call(name, params, 5)
                log.log_tool_call("x", params, 5)
                log.log_task_start(name, params)
                log.log_task_complete(name, 5, params)
                log.log_file_write(name, 5)
                log.log_message(name, params)
                log.log_llm_call(name, name, 5, error=name, metadata=params)
                log.log_error(name, traceback=name, metadata=params)
            told = []
            for line in log.path.read_bytes().splitlines():
                fields = json.loads(line)
                own = ("timestamp", "session_id", "start_time", "end_time", "session_start")
                for key in own:
                    if fields.get(key) is not None:
                        line = line.replace(json.dumps(fields[key]).encode(), b"*")  # noqa: PLW2901
                told.append(line)
            lines.append(told)
    assert lines[0] == lines[1]


words = st.sampled_from(
    [
        *(*sorted(KINDS), *(f"{word}_key" for word in sorted(KEY_OF)), *(f"{word}-pwd" for word in sorted(PASS_OF))),
        *(*sorted(ALLOWED)[:4], "api_keys", "x-api-key", "accessToken"),
        *("value", "name", "key", "monkey", "keywords", "x1"),
    ]
)
tails = st.sampled_from(
    ["", "", "", "1", "12", "_1", ":", " :", "_", "-", ".", "²", "é", "\n", "\\", '"', "'", "(x)", "٣"]
)


@st.composite
def names(draw: st.DrawFn) -> str:
    """A secret's name in some case, with something before, between or after its words; or one that resembles it."""
    name = draw(st.sampled_from([str, str.upper, str.title]))(draw(words))
    name = name.replace("_", draw(st.sampled_from(["_", "_", "-", ".", "", "__", " ", "\\", "\t", "٣"])))
    return draw(st.sampled_from(["", "", "db", "my_", "é", "2", "--"])) + name + draw(tails)


@st.composite
def near_secrets(draw: st.DrawFn) -> str:
    """Texts made of secrets, of secrets that are damaged, and of names before what may be a value."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            text = draw(st.sampled_from(planted.ALL))[1]
            at = draw(st.integers(0, len(text)))
            insert = draw(st.sampled_from(["", "", "_", "-", ".", "é", "\n", "=", "@", "/"]))
            parts.append(text[:at] + insert + text[at + draw(st.integers(0, 1)) :])
        else:
            before = draw(st.sampled_from(["", "--", "-H '", "\n", "\\n", "?", "{", '{"', "['", '"', "é", " ", "a"]))
            sign = draw(
                st.sampled_from(["=", " = ", ": ", ":", "': '", '": "', "'] = '", '\\": \\"', '", "', " ", "  "])
            )
            value = draw(
                st.sampled_from(["hunter2", "abc123def", "'abc'", '"abc', "12345", "Bearer abcdef1", "s=1a; x=y"])
            )
            parts += [before, draw(names()), sign, value]
    return "".join(parts)


def _as_json(value: Any, manner: int) -> str:
    """JSON as other programs write it."""
    if manner == 0:
        return json.dumps(value, indent=1)
    return (
        json.dumps(value, separators=(" , ", " : ")).replace("/", "\\/")
        if manner == 1
        else orjson.dumps(value).decode()
    )


anything = st.recursive(
    near_secrets() | st.sampled_from([None, True, 1234, 1.5, "x"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(names(), inner),
        st.dictionaries(names() | st.sampled_from(["a", "b1"]), inner, max_size=2),
        st.builds(lambda name, value: {"name": name, "value": value}, names(), inner),
        st.builds(_as_json, inner, st.integers(0, 2)),
    ),
    max_leaves=4,
)
rules = Redactor(b"k" * 32)


@given(st.dictionaries(st.sampled_from(["a", "text", "b1"]), anything, max_size=2), near_secrets() | names())
def test_quick_look_never_says_no_where_the_rules_find_something(given_params: dict[str, Any], name: str) -> None:
    """By each of the three ways that an event takes: tool call, task and file."""
    params = orjson.loads(orjson.dumps(given_params))
    in_params, in_name = rules.data(params) != params, rules.data(name) != name
    line = orjson.dumps({"type": "ToolEvent", "name": name, "params": params, "duration_ms": 5, "task_id": None})
    head = line.rpartition(suspicion.AFTER_PARAMS)[0]
    signs = head.translate(suspicion.SIGNS)
    if in_params or in_name:
        assert not (signs.isascii() and suspicion.are_known(params))
        assert suspicion.in_tool_call(line, head, signs, params)
        assert suspicion.in_task(name.encode(), orjson.dumps(params))
    for content in ({"content": params, "metadata": {}}, {"content": name, "metadata": params}):
        message = orjson.dumps({"type": "MessageEvent", "role": "user", **content, "task_id": None})
        assert suspicion.in_event(message) or not (in_params or (in_name and content["content"] is name))
    if in_name:
        assert suspicion.in_file_event(orjson.dumps({"type": "FileEvent", "path": name, "operation": "read"}))
