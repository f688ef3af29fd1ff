"""Whatever bytes a line is made of: the plain lane says of it what the reader says, or nothing."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deia.analysis import plain_lane
from deia.analysis.analyze import read_log
from deia.analysis.plain_lane import read_stretch
from deia.analysis.session import SessionAccumulator
from support.any_session import STEPS, lines_of
from support.journals import journal_path

VALUES = [
    *(b"null", b"true", b"false", b"0", b"-0", b"1", b"-1", b"1.0", b"1.5", b"1e5", b"1e400", b"1e-400", b"01", b"NaN"),
    *(b"70368744177664", b"70368744177665", b"9223372036854775808", b"18446744073709551616", b"1" * 309, b"2" * 309),
    *(b'""', b'"x"', b'"\xc3\xb6"', b'"\xff"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b"[]", b"{}"),
    *(b'{"error":1}', b'{"error":0}', b'{"err\\u006fr":[]}', b'{"error":0,"error":"x"}', b'{"a":[{"b":[[[[1]]]]}]}'),
    *(b"[" * 600 + b"]" * 600, b"[" * 1100 + b"]" * 1100),
]
NAMES = [
    *(b"type", b"t\\u0079pe", b"seq", b"timestamp", b"v", b"agent_id", b"session_start", b"error", b"params", b"name"),
    *(b"duration_ms", b"task_id", b"parent_id", b"orphan", b"cancelled", b"metadata", b"start_time", b"end_time"),
    *(b"path", b"operation", b"size_bytes", b"dropped", b"cost_usd", b"content", b"more", b""),
]
PIECES = [b'"', b"\\", b"\\u", b"{", b"}", b"}{", b"[", b"]", b",", b":", b"\n", b"\r", b" ", b"\0", b"\x1f", b"\xff"]
_VALUE = re.compile(rb'-?\d[\d.eE+-]*|true|false|null|"(?:[^"\\]|\\.)*"')
_FIELD = re.compile(rb'[{,](?=")')

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "error", "ö"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def changed_lines(draw: st.DrawFn) -> bytes:
    """Return the lines of a session, some of them with anything in their free fields, one changed byte by byte."""
    lines = [line for line in lines_of(draw(st.lists(STEPS, min_size=1, max_size=8))) if b'"v"' in line]
    for index in range(len(lines)):
        fields: dict[str, Any] = orjson.loads(lines[index])
        if "params" in fields and draw(st.booleans()):
            fields["params"] = {draw(st.sampled_from(["a", "error"])): draw(ANYTHING)}
        if "content" in fields:
            fields["content"] = draw(ANYTHING)
        try:
            lines[index] = orjson.dumps(fields) + b"\n"
        except orjson.JSONEncodeError:  # a lone surrogate in a text
            continue
    if lines:
        index = draw(st.integers(0, len(lines) - 1))
        lines[index] = draw(st.sampled_from([_with_value, _with_field, _with_piece, _without_some]))(draw, lines[index])
    return b"".join(lines)


def _with_value(draw: st.DrawFn, line: bytes) -> bytes:
    found = draw(st.sampled_from(list(_VALUE.finditer(line))))
    return line[: found.start()] + draw(st.sampled_from(VALUES)) + line[found.end() :]


def _with_field(draw: st.DrawFn, line: bytes) -> bytes:
    at = draw(st.sampled_from(list(_FIELD.finditer(line)))).end()
    return line[:at] + b'"%s":%s,' % (draw(st.sampled_from(NAMES)), draw(st.sampled_from(VALUES))) + line[at:]


def _with_piece(draw: st.DrawFn, line: bytes) -> bytes:
    at = draw(st.integers(0, len(line)))
    return line[:at] + draw(st.sampled_from(PIECES)) + line[at + draw(st.integers(0, 1)) :]


def _without_some(draw: st.DrawFn, line: bytes) -> bytes:
    at = draw(st.integers(0, len(line)))
    return line[:at] + line[at + draw(st.integers(1, 5)) :]


@settings(max_examples=200, deadline=None)
@given(changed_lines(), st.sampled_from([50, 1000, 65536]), st.sampled_from([1, 32]), st.sampled_from([-1, 2**24]))
def test_whatever_the_plain_lane_says_is_what_the_reader_says(
    content: bytes, block_bytes: int, most_odd: int, many_bytes: int
) -> None:
    """Every figure, for every line in which a byte, a value or a field was changed, added or left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_lane, "_BLOCK_BYTES", block_bytes)
        patch.setattr(plain_lane, "_MOST_ODD_LINES", most_odd)
        patch.setattr(plain_lane, "_MANY_BYTES", many_bytes)
        found = read_stretch(lambda size, at: content[at : at + size], 0, len(content), len(content))
    if found is None:
        return
    ahead, alone = SessionAccumulator(), SessionAccumulator()
    ahead.add(found)
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content[: found.end])
        damages = read_log(journal, alone, None)
    assert damages.count == 0
    ours, readers = (
        dataclasses.asdict(accumulator.finish(bottleneck_share=0.3, end=None, damages=damages))
        for accumulator in (ahead, alone)
    )
    assert {name: repr(value) for name, value in ours.items()} == {name: repr(value) for name, value in readers.items()}
    assert ahead.usage.times() == alone.usage.times()
