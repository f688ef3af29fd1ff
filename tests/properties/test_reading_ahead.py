"""What is read ahead in chunks, in one process or several, is what the reader makes of the log line by line."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deia.analysis import groups
from deia.analysis.analyze import read_log
from deia.analysis.chunks import Chunks
from deia.analysis.session import SessionAccumulator
from deia.errors import DeiaError
from deia.journal.segments import Segment, first_line, segment_path
from support.any_session import STEPS, lines_of
from support.journals import AGENT, SESSION, journal_path, write_queue


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
    *("event", "run", "recovered_bytes", "dropped", "metadata"),
    *(
        "provider",
        "model",
        "output_tokens",
        "cost_usd",
        "response_id",
        "attempt",
        "role",
        "content",
        "message",
        "where",
    ),
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


@pytest.fixture(autouse=True, scope="module")
def crowded_early() -> Iterator[None]:
    """Groups are joined where there are a handful of them, as they are in a log of many thousand tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "_COMPACT_AT", 3)
        patch.setattr(groups, "_RECENT", 1)
        yield


def outcome(path: Path, *, strict: bool, workers: int | None = None, chunk_bytes: int = 0) -> object:
    """Return every field of an analysis, in its order, or the error; without workers, as the reader alone has it."""
    accumulator = SessionAccumulator()
    try:
        if workers is None:
            damages = read_log(path, accumulator, None, strict=strict)
        else:
            with closing(Chunks(accumulator, workers=workers, chunk_bytes=chunk_bytes)) as chunks:
                damages = read_log(path, accumulator, chunks, strict=strict)
    except DeiaError as error:
        return type(error), str(error), vars(error)
    analysis = dataclasses.asdict(accumulator.finish(bottleneck_share=0.3, end=None, damages=damages))
    return {name: repr(value) for name, value in analysis.items()}  # which tells the order of a dict, and 1 from 1.0


@settings(max_examples=300)
@given(logs(), st.integers(1, 1500), st.booleans())
def test_reading_ahead_changes_nothing(content: bytes, chunk_bytes: int, strict: bool) -> None:
    """Whatever is in a log, and wherever chunks begin: every figure, every damage and every error is the same."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content)
        alone = outcome(journal, strict=strict)
        assert outcome(journal, strict=strict, workers=1, chunk_bytes=chunk_bytes) == alone


@settings(max_examples=8, deadline=None)
@given(logs(), st.integers(100, 1500))
def test_several_processes_change_nothing(content: bytes, chunk_bytes: int) -> None:
    """The same where chunks are read by two other processes, in any order."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content)
        alone = outcome(journal, strict=False)
        assert outcome(journal, strict=False, workers=2, chunk_bytes=chunk_bytes) == alone


@settings(max_examples=200)
@given(st.lists(STEPS, min_size=1, max_size=30), st.integers(1, 1500), st.data())
def test_reading_ahead_changes_nothing_of_a_session_in_several_files(
    steps: list[tuple[str, Any, Any]], chunk_bytes: int, data: st.DataObject
) -> None:
    """The same where a session goes on in a segment that repeats some of it, and where its end is in the queue file."""
    lines = [line for line in lines_of(steps) if b'"v"' in line]
    if lines and data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(lines) - 1))
        lines[index] = data.draw(CHANGES)(lines[index])
    after_seq = data.draw(st.integers(0, len(lines)))
    first_has = data.draw(st.integers(after_seq, len(lines)))
    torn = data.draw(st.sampled_from([b"", lines[0][:20] if lines else b""]))
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(b"".join(lines[:first_has]) + torn)
        if data.draw(st.booleans()):
            segment = Segment(Path("x"), 2, after_seq=after_seq, offset=1000, reason="size")
            header = first_line(AGENT, SESSION, segment)
            segment_path(journal, 2).write_bytes(header + b"".join(lines[after_seq:]))
        else:
            content = b"".join(lines)
            cut = data.draw(st.integers(0, len(content)))
            journal.write_bytes(content[:cut])
            committed = data.draw(st.sampled_from([None, 0, len(content) - len(lines[-1]) if lines else 0, 1]))
            write_queue(journal, content, committed=committed)
        alone = outcome(journal, strict=False)
        assert outcome(journal, strict=False, workers=1, chunk_bytes=chunk_bytes) == alone
