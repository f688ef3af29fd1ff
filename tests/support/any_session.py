"""Sessions of any shape, for properties: steps that hypothesis may choose, and the lines that they leave."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from support.journals import START, Lines, encode

NAMES = st.sampled_from(["plan", "build", "test"])
DURATIONS = st.integers(0, 300) | st.integers(0, 10**8)
STEPS = st.one_of(
    st.tuples(st.just("begin"), NAMES, st.booleans()),
    st.tuples(st.just("complete"), st.integers(0, 5), st.none() | DURATIONS),
    st.tuples(st.just("orphan"), NAMES, DURATIONS),
    st.tuples(st.just("tool"), NAMES, DURATIONS),
    st.tuples(st.just("file"), st.sampled_from(["read", "write", "delete"]), st.none()),
    st.tuples(st.sampled_from(["llm", "message", "error"]), NAMES, st.none()),
    st.tuples(st.just("wait"), st.integers(0, 40), st.none()),
    st.tuples(st.just("set back"), st.integers(1, 12), st.none()),
    st.tuples(st.just("continue"), st.none(), st.none()),
    st.tuples(st.just("original"), NAMES, st.integers(0, 40)),
)


def lines_of(steps: list[tuple[str, Any, Any]]) -> list[bytes]:
    """Return the lines that such a session leaves; times are quarters of a second, which floats hold exactly."""
    lines = Lines()
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
            content.append(lines.file(what, at=at))
        elif step in ("llm", "message", "error"):
            content.append(getattr(lines, step)(what, at=at))
        elif step == "continue":
            runs += 1
            content.append(lines.continued(runs, at=at))
        elif step == "original":
            content.append(encode({"name": what, "start_time": START + at, "end_time": START + at + more / 4}))
    return content
