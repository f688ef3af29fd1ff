"""Sessions of any shape, for properties: steps that hypothesis may choose, their lines, and what may befall these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

from support.journals import SESSION, START, Lines, encode

NAMES = st.sampled_from(["plan", "build", "test"])
DURATIONS = st.integers(0, 300) | st.integers(0, 10**8)
STEPS = st.one_of(
    st.tuples(st.just("begin"), NAMES, st.booleans()),
    st.tuples(st.just("complete"), st.integers(0, 5), st.none() | DURATIONS),
    st.tuples(st.just("orphan"), NAMES, DURATIONS),
    st.tuples(st.just("tool"), NAMES, DURATIONS),
    st.tuples(st.just("file"), st.sampled_from(["read", "write", "delete"]), st.none() | DURATIONS),
    st.tuples(st.just("llm"), NAMES, st.tuples(st.none() | st.sampled_from("xyz"), st.none() | DURATIONS)),
    st.tuples(st.sampled_from(["message", "error", "decision", "action_item"]), NAMES, st.none()),
    st.tuples(st.just("wait"), st.integers(0, 40), st.none()),
    st.tuples(st.just("set back"), st.integers(1, 12), st.none()),
    st.tuples(st.just("continue"), st.none(), st.none()),
    st.tuples(st.just("original"), NAMES, st.integers(0, 40)),
)


def lines_of(steps: list[tuple[str, Any, Any]], *, start: float = START) -> list[bytes]:
    """Return the lines that such a session leaves; times are quarters of a second, which floats hold exactly."""
    lines = Lines(start=start)
    content: list[bytes] = []
    running: list[tuple[int, str, float, int | None]] = []
    at = 0.0
    runs = 1
    for step, what, more in steps:
        if step == "wait":
            at += what / 4
        elif step == "set back":
            at -= what / 4
        elif step == "begin":
            parent = running[-1][0] if more and running else None
            content.append(lines.begin(what, parent_id=parent, at=at))
            running.append((lines.seq, what, at, parent))
        elif step == "complete" and running:
            task_id, name, began, parent = running.pop(what % len(running))
            end = max(at, began)
            content.append(lines.complete(task_id, name, began=began, at=end, duration_ms=more, parent_id=parent))
        elif step == "orphan":
            content.append(lines.complete(None, what, began=at - more / 1000, at=at, duration_ms=more, orphan=True))
        elif step == "tool":
            content.append(lines.tool(what, more, at=at))
        elif step == "file":
            content.append(lines.file(what, at=at, **({} if more is None else {"duration_ms": more})))
        elif step == "llm":
            response, tokens = more
            cost = None if tokens is None else tokens / 1000
            content.append(lines.llm(what, tokens, at=at, response_id=response, input_tokens=tokens, cost_usd=cost))
        elif step in ("message", "error", "decision", "action_item"):
            content.append(getattr(lines, step)(what, at=at))
        elif step == "continue":
            runs += 1
            content.append(lines.continued(runs, at=at))
        elif step == "original":
            content.append(encode({"name": what, "start_time": start + at, "end_time": start + at + more / 4}))
    return content


def with_field(name: str, value: object) -> Callable[[bytes], bytes]:
    """Give a field of a line another value, or take it away (...)."""

    def change(line: bytes) -> bytes:
        fields = orjson.loads(line)
        if value is ...:
            fields.pop(name, None)
        else:
            fields[name] = value
        return orjson.dumps(fields) + b"\n"

    return change


ODD = [None, ..., True, 1, 2, 0, -1, 3.0, 2**53, 2**60, 1e300, "x", "", [], {}, {"a": 1}]
FIELDS = [
    *("type", "seq", "timestamp", "agent_id", "session_id", "v", "name", "start_time", "end_time", "duration_ms"),
    *("task_id", "parent_id", "orphan", "params", "path", "operation", "size_bytes", "lines", "session_start", "error"),
    *("decision", "reason", "alternatives", "item", "assignee", "due", "done"),
    *("event", "run", "recovered_bytes", "dropped", "metadata"),
    *("provider", "model", "output_tokens", "cost_usd", "response_id", "attempt"),
    *("role", "content", "message", "where"),
]
CHANGES: st.SearchStrategy[Callable[[bytes], bytes]] = st.one_of(
    st.builds(with_field, st.sampled_from(FIELDS), st.sampled_from(ODD)),
    st.sampled_from(
        [
            lambda line: b"",
            lambda line: line * 2,
            lambda line: line + b"\n",
            lambda line: b"\n\n" + line,
            lambda line: line[:-1],
            lambda line: line[: len(line) // 2],
            lambda line: line[: len(line) // 2] + b"\n",
            lambda line: line[:-1] + b"\r\n",
            lambda line: line[:-1] + b"  \n",
            lambda line: b"\0" * 9 + line,
            lambda line: b"\xef\xbb\xbf" + line,
            lambda line: line.replace(b"a", b"\xff", 1),
            lambda line: b"17\n" + line,
            lambda line: b"[1]\nnull\n" + line,
            lambda line: line.replace(b":", b": ", 3),
        ]
    ),
    st.integers(0, 30).map(lambda seq: with_field("seq", seq)),
    st.integers(0, 30).map(lambda task_id: with_field("task_id", task_id)),
    st.just(with_field("session_id", "another")),
)


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Return the bytes of a log: of one session or of several, whole or with anything wrong with it."""
    lines = lines_of(draw(st.lists(STEPS, min_size=1, max_size=30)))
    if draw(st.booleans()):
        others = lines_of(draw(st.lists(STEPS, max_size=15)))
        other_id = draw(st.sampled_from([SESSION, "other"]))
        lines += [with_field("session_id", other_id)(line) for line in others]
    if lines:
        for index in draw(st.lists(st.integers(0, len(lines) - 1), unique=True, max_size=4)):
            lines[index] = draw(CHANGES)(lines[index])
    content = b"".join(lines)
    return content[: -draw(st.sampled_from([1, 5, 40]))] if draw(st.booleans()) else content
