from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deia.errors import NotASessionLogError
from deia.events import (
    ActionItemEvent,
    AnyEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
)
from deia.journal.check import check
from deia.journal.damage import Damage
from deia.journal.reader import read_events
from deia.line import encode
from support.journals import RING_BYTES, Lines, journal_path, write_queue
from support.records import read_records

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
TIMES = st.floats(0, 4e9)
WHOLE = st.integers(0, 2**53)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(TEXT, JSON, max_size=3)

EVENTS: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        TaskEvent,
        NAMES,
        TIMES,
        st.none() | TIMES,
        MAPPINGS,
        duration_ms=st.none() | WHOLE,
        task_id=st.none() | WHOLE,
        parent_id=st.none() | WHOLE,
        orphan=st.booleans(),
        error_type=st.none() | TEXT,
        error=st.none() | TEXT,
        cancelled=st.booleans(),
    ),
    st.builds(FileEvent, TEXT, TEXT, st.none() | WHOLE, st.none() | WHOLE, task_id=st.none() | WHOLE),
    st.builds(
        ToolEvent,
        *(NAMES, MAPPINGS, WHOLE),
        task_id=st.none() | WHOLE,
        error_type=st.none() | TEXT,
        error=st.none() | TEXT,
        cancelled=st.booleans(),
    ),
    st.builds(
        LLMEvent,
        *(NAMES, NAMES),
        *(st.none() | WHOLE,) * 7,
        st.none() | st.floats(0, 1e6),
        st.none() | TEXT,
        st.none() | WHOLE,
        *(st.none() | TEXT,) * 2,
        MAPPINGS,
        task_id=st.none() | WHOLE,
    ),
    st.builds(MessageEvent, NAMES, JSON, st.none() | TEXT, MAPPINGS, task_id=st.none() | WHOLE),
    st.builds(ErrorEvent, st.none() | TEXT, TEXT, *(st.none() | TEXT,) * 2, MAPPINGS, task_id=st.none() | WHOLE),
    st.builds(DecisionEvent, TEXT, st.none() | TEXT, st.lists(JSON, max_size=3), MAPPINGS, task_id=st.none() | WHOLE),
    st.builds(ActionItemEvent, *(TEXT, *(st.none() | TEXT,) * 2), st.booleans(), MAPPINGS, task_id=st.none() | WHOLE),
    st.builds(SessionEvent, TEXT, st.none() | WHOLE, st.none() | WHOLE, st.none() | WHOLE, st.none() | WHOLE),
)

CONTENT = st.lists(
    st.builds(lambda name, params: (name, params), NAMES, MAPPINGS),
    min_size=1,
    max_size=6,
).map(lambda calls: [(Lines.tool)(shared, name, params=params) for shared in [Lines()] for name, params in calls])
"""The lines of a session of a few tool calls."""


@contextmanager
def a_journal(content: bytes) -> Iterator[Path]:
    """A journal in a directory of its own: hypothesis runs a test many times, fixtures are made once."""
    with tempfile.TemporaryDirectory() as directory:
        journal = journal_path(Path(directory))
        journal.write_bytes(content)
        yield journal


def seqs(path: Path) -> tuple[list[int | None], list[Damage]]:
    found: list[Damage] = []
    read: list[int | None] = []
    try:
        read += [event.seq for event in read_events(path, on_damage=found.append)]
    except NotASessionLogError:
        assert not read and found  # there are lines, and no event among them
    return read, found


@given(st.lists(EVENTS, max_size=5))
def test_any_events_round_trip(events: list[AnyEvent]) -> None:
    """What is written as lines comes back equal, with everything that its line said."""
    content = b""
    for seq, event in enumerate(events, 1):
        event.seq, event.timestamp, event.agent_id, event.session_id = seq, float(seq), "a", "s"
        content += encode({"type": type(event).__name__, **vars(event), "v": 1})
    with a_journal(content) as journal:
        back = list(read_events(journal, strict=True))
        assert check(journal).ok
    assert [vars(event) for event in back] == [vars(event) for event in events]


@given(CONTENT, st.data())
def test_log_cut_at_any_byte_yields_exactly_its_whole_lines(content: list[bytes], data: st.DataObject) -> None:
    """And what is left of the next one is a torn end, no other finding."""
    whole = b"".join(content)
    size = data.draw(st.integers(0, len(whole)))
    with a_journal(whole[:size]) as journal:
        read, found = seqs(journal)
    lines = whole[:size].count(b"\n")
    assert read == list(range(1, lines + 1))
    assert [damage.kind for damage in found] == ([] if whole[:size].endswith(b"\n") or not size else ["torn"])


@given(CONTENT, st.data())
def test_journal_cut_at_any_byte_is_completed_by_its_queue_file(content: list[bytes], data: st.DataObject) -> None:
    """However far the writer had come when its process was killed, and whether offsets can be trusted or not."""
    whole = b"".join(content)
    size = data.draw(st.integers(max(0, len(whole) - RING_BYTES), len(whole)))
    boot_id = data.draw(st.sampled_from([None, bytes(16)]))
    with a_journal(whole[:size]) as journal:
        write_queue(journal, whole, boot_id=boot_id)
        records = list(read_records(journal, strict=True))
        assert check(journal).ok
    assert [whole[record.offset : record.offset + record.length] for record in records] == content


@given(CONTENT, st.data())
def test_damage_in_one_line_costs_no_other(content: list[bytes], data: st.DataObject) -> None:
    """Whatever stands in its place (newlines excepted), every other line is read, in order."""
    broken = data.draw(st.integers(0, len(content) - 1))
    rubbish = data.draw(st.binary()).replace(b"\n", b"")
    keep = data.draw(st.integers(0, len(content[broken]) - 1))
    spoilt = list(content)
    spoilt[broken] = content[broken][:keep] + rubbish + b"\n"
    with a_journal(b"".join(spoilt)) as journal:
        read, _ = seqs(journal)
    others = [seq for seq in range(1, len(content) + 1) if seq != broken + 1]
    assert [seq for seq in read if seq in others] == others


@given(st.lists(st.binary(max_size=30) | st.just(b"\n") | st.just(b"{}"), max_size=12))
def test_any_bytes_can_be_read(pieces: list[bytes]) -> None:
    """No file makes the reader fail, and every line of it is an event, or blank at the end, or reported."""
    content = b"".join(pieces)
    with a_journal(content) as journal:
        read, found = seqs(journal)
        report = check(journal)
    assert len(found) <= report.damage_count <= len(found) + 1
    assert read or found or not content.strip()


@given(CONTENT, st.integers(1, 9))
def test_compressed_log_equals_the_plain_one(content: list[bytes], level: int) -> None:
    """Event for event, with the same offsets."""
    whole = b"".join(content)
    with a_journal(whole) as journal:
        plain: list[Any] = list(read_records(journal, strict=True))
        journal.write_bytes(gzip.compress(whole, level))
        assert list(read_records(journal, strict=True)) == plain
