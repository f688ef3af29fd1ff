"""Any bytes in a session's files, and real ones changed in any way: what holds for all of them holds."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deia import system
from deia.queue.layout import HEADER_BYTES, Kind
from support.effort import amount
from support.invariants import AGENT, SESSION, QueueFile, assert_all, ram
from support.journals import Lines

EXAMPLES = amount(reduced=100, full=3000)


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk_and_no_warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a sync is for is another test's subject; nor are warnings, of which a failure would show thousands."""
    monkeypatch.setattr(system, "sync", lambda fd: None)
    monkeypatch.setattr(system, "sync_directory", lambda path: None)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def _session() -> bytes:
    lines = Lines(AGENT, SESSION)
    return b"".join(
        [
            lines.begin("plan ☂"),
            lines.tool(params={"was": {"type": "ToolEvent", "seq": 9, "v": 1}, "text": '"}\n{'}),
            lines.file(path="/ä"),
            lines.complete(1, "plan ☂"),
            lines.continued(2),
            lines.dropped(3),
            lines.tool("last"),
        ]
    )


WHOLE = _session()
LINES = WHOLE.splitlines(keepends=True)
PIECES = st.sampled_from(
    [
        *LINES,
        *(line[:-1] for line in LINES),
        LINES[0][:40],
        LINES[1][50:],
        b"\n",
        b"\r\n",
        b"\0" * 70,
        b"\xef\xbb\xbf",
        b"{}\n",
        b"\x1f\x8b",
        b"\x1f\x8b\x08\0",
        b"[" * 600,
        b'{"path":"/a","operation":"read"}',
        b'{"name":"n","start_time":1,"end_time":NaN}\n',
        LINES[2].replace(b'"seq":3', b'"seq":18446744073709551615'),
        LINES[2].replace(b'"seq":3', b'"seq":-3'),
        LINES[2].replace(b'"v":1', b'"v":2'),
        LINES[3].replace(b'"session_id":"s"', b'"session_id":"t"'),
    ]
)

Change = Callable[[bytes], bytes]


def _at(content: bytes, at: float) -> int:
    return int(at * len(content))


CHANGES: st.SearchStrategy[Change] = st.one_of(
    st.builds(lambda at: lambda data: data[: _at(data, at)], st.floats(0, 1)),
    st.builds(
        lambda at, piece: lambda data: data[: _at(data, at)] + piece + data[_at(data, at) :],
        st.floats(0, 1),
        PIECES | st.binary(max_size=20),
    ),
    st.builds(
        lambda at, size: lambda data: data[: _at(data, at)] + data[_at(data, at) + size :],
        st.floats(0, 1),
        st.integers(1, 300),
    ),
    st.builds(
        lambda at, piece: lambda data: data[: _at(data, at)] + piece + data[_at(data, at) + len(piece) :],
        st.floats(0, 1),
        st.binary(min_size=1, max_size=8),
    ),
    st.builds(
        lambda at, size: lambda data: data[: _at(data, at)] + data[max(0, _at(data, at) - size) :],
        st.floats(0, 1),
        st.integers(1, 500),
    ),
)
"""Cut, insert, remove, overwrite, repeat."""


def _changed(content: bytes, changes: list[Change]) -> bytes:
    for change in changes:
        content = change(content)
    return content


CONTENTS = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES | st.binary(max_size=10), max_size=12).map(b"".join),
    st.builds(_changed, st.just(WHOLE), st.lists(CHANGES, max_size=4)),
)


@st.composite
def queue_files(draw: st.DrawFn) -> QueueFile | bytes:
    """Draw a queue file: of the very session, changed or not, or of anything."""
    kind = draw(st.sampled_from([Kind.RING] * 5 + [Kind.LOCK, Kind.POINTER]))
    bits = draw(st.sampled_from([16, 16, 10, 7, 0]))
    content = draw(st.just(WHOLE) | CONTENTS)
    ring = bytearray(1 << bits)
    for at, byte in enumerate(content):
        ring[at % len(ring)] = byte
    committed = draw(st.just(len(content)) | st.integers(0, 2 * len(WHOLE)) | st.integers(0, 2**64 - 1))
    data = _changed(bytes(ring), draw(st.lists(CHANGES, max_size=2)))
    names = draw(st.just((AGENT, SESSION)) | st.just((AGENT, "t")))
    return QueueFile(kind, bits, draw(st.booleans()), committed, draw(st.integers(0, 2**64 - 1)), data, names)


@settings(max_examples=EXAMPLES)
@given(CONTENTS, st.none() | queue_files() | st.binary(max_size=HEADER_BYTES + 20))
def test_any_bytes_in_both_files_can_be_read_recovered_mended_and_gone_on_with(
    content: bytes, queue: QueueFile | bytes | None
) -> None:
    """Only documented errors are raised; no whole line is left out or lost; nothing unreadable passes in silence."""
    with tempfile.TemporaryDirectory(dir=ram()) as directory:
        assert_all(Path(directory), content, queue)


@settings(max_examples=EXAMPLES)
@given(st.lists(CHANGES, max_size=3), st.integers(0, len(WHOLE)), st.booleans(), st.lists(CHANGES, max_size=1))
def test_real_session_damaged_in_both_files_can_be_read_recovered_mended_and_gone_on_with(
    changes: list[Change], size: int, trusted: bool, ring_changes: list[Change]
) -> None:
    """The same of a journal that its writer had got to somewhere in, and a ring that holds the whole session."""
    queue = QueueFile(Kind.RING, 16, trusted, len(WHOLE), 0, _changed(WHOLE.ljust(65536, b"\0"), ring_changes))
    with tempfile.TemporaryDirectory(dir=ram()) as directory:
        assert_all(Path(directory), _changed(WHOLE[:size], changes), queue)
