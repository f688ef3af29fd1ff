"""Real logs of another recorder: read to their end, called what they are, never taken for sessions by accident."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from deia.analysis import analyze_session
from deia.errors import DamagedLineError, NotASessionLogError
from deia.events import UnknownEvent
from deia.journal.check import check
from deia.journal.damage import Damage
from deia.journal.mend import mend
from deia.journal.reader import read_events
from support.records import read_records

SAMPLES = Path(__file__).parent / "samples" / "deia"
ACTIVITY = SAMPLES / "CLAUDE-CODE-004-activity.jsonl"
MARKED = SAMPLES / "BOT-00002-activity.jsonl"
HIVE = SAMPLES / "hive-log.jsonl"


def test_activity_log_has_54_lines_2_of_them_broken() -> None:
    """The broken ones are told with line number, offset and reason; the other 52 are JSON objects."""
    found: list[Damage] = []
    records = list(read_records(ACTIVITY, on_damage=found.append))
    assert len(records) == 52
    content = ACTIVITY.read_bytes()
    assert [(damage.kind, damage.line, damage.offset) for damage in found] == [
        ("unreadable", number, sum(map(len, content.splitlines(keepends=True)[: number - 1]))) for number in (3, 16)
    ]
    assert all(damage.reason.startswith("not JSON") for damage in found)
    assert sum(record.length for record in records) + 389 + 1 + 610 + 1 == len(content)


def test_activity_log_is_no_session_log() -> None:
    """Its lines have neither a type nor the keys of the original format: each is reported, none analysed."""
    with pytest.raises(NotASessionLogError, match="neither a type nor the keys of the original format"):
        analyze_session(ACTIVITY)
    report = check(ACTIVITY)
    assert report.damage_counts == {"unreadable": 54, "foreign": 1}
    assert not report.ok


def test_activity_log_with_a_byte_order_mark_is_no_session_log() -> None:
    """The mark is passed over; what follows is JSON, and no event."""
    assert MARKED.read_bytes().startswith(b"\xef\xbb\xbf")
    records = list(read_records(MARKED, strict=True))
    assert [(record.number, record.offset) for record in records][:1] == [(1, 3)]
    assert [record.fields["ts"] for record in records] == [
        "2025-10-13T15:56:16.4838602Z",
        "2025-10-13T16:04:00.4473648Z",
        "2025-10-29T21:18:13.8594718Z",
    ]
    with pytest.raises(NotASessionLogError):
        analyze_session(MARKED)


def test_log_of_other_types_is_kept_as_unknown_events() -> None:
    """Its lines have a `type`: they are kept and counted, times as text break nothing; two without one are told."""
    found: list[Damage] = []
    events = list(read_events(HIVE, on_damage=found.append))
    assert len(events) == 41
    assert all(isinstance(event, UnknownEvent) and event.timestamp is None for event in events)
    assert [damage.kind for damage in found] == ["unreadable"] * 2

    analysis = analyze_session(HIVE)
    types = Counter(event.type for event in events if isinstance(event, UnknownEvent))
    assert analysis.unknown_types == dict(types)
    assert types["assign_update"] == 14
    assert (analysis.events, analysis.session_time_ms, analysis.unreadable_lines) == (41, 0, 2)
    assert analysis.velocity_metrics == dict.fromkeys(analysis.velocity_metrics, 0.0)


def test_strict_reading_stops_at_the_first_line_that_is_no_event() -> None:
    """By its number."""
    with pytest.raises(DamagedLineError) as caught:
        list(read_events(ACTIVITY, strict=True))
    assert caught.value.line == 1


@pytest.mark.parametrize("sample", [ACTIVITY, MARKED], ids=lambda path: path.name)
def test_mending_leaves_other_logs_alone(tmp_path: Path, sample: Path) -> None:
    """What is no session log is not emptied."""
    copy = tmp_path / sample.name
    copy.write_bytes(sample.read_bytes())
    with pytest.raises(NotASessionLogError):
        mend(copy)
    assert copy.read_bytes() == sample.read_bytes()
    assert list(tmp_path.iterdir()) == [copy]
