"""The table of events, as CSV has it; DuckDB's is tested against it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from deia.events import UnknownEvent
from deia.export.columns import COLUMNS, time_of
from deia.export.csv_table import csv_table
from deia.registry import BUILT_IN
from support.exports import exported
from support.journals import START, Lines, encode, journal_path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


def table_of(*paths: Path) -> list[dict[str, str]]:
    """Return the rows, without what is empty."""
    rows = csv.DictReader(io.StringIO(exported(csv_table, *paths).decode(), newline=""))
    return [{name: value for name, value in row.items() if value} for row in rows]


def test_each_event_is_a_row_with_its_place_and_its_fields(journal: Path) -> None:
    """What was given as a structure is JSON."""
    lines = Lines()
    journal.write_bytes(lines.begin("build", metadata={"priority": "P1"}) + lines.tool("pytest", 5, params={"a": [1]}))
    begin, tool = table_of(journal)
    common = {"file": str(journal), "run": "1", "agent_id": "agent", "session_id": "session"}
    assert begin == common | {
        "line": "1",
        "type": "TaskEvent",
        "seq": "1",
        "time": "2023-11-14 22:13:20",
        "timestamp": str(START),
        "session_start": str(START),
        "task_id": "1",
        "name": "build",
        "start_time": str(START),
        "orphan": "false",
        "cancelled": "false",
        "metadata": '{"priority":"P1"}',
    }
    assert json.loads(tool["params"]) == {"a": [1]}
    assert (tool["line"], tool["name"], tool["duration_ms"]) == ("2", "pytest", "5")


def test_columns_hold_every_field_of_every_event() -> None:
    """And none that no event has, but where a line stands."""
    named = {"where" if column.name == "raised_at" else column.name for column in COLUMNS}
    fields = {name for event in BUILT_IN.values() for name in event.__dataclass_fields__}
    fields |= set(UnknownEvent.__dataclass_fields__)
    assert named == fields | {"file", "line", "time", "session_start"}
    for column in COLUMNS:
        field = "where" if column.name == "raised_at" else column.name
        for event in column.events:
            assert field in BUILT_IN[event].__dataclass_fields__, (event, field)


def test_run_counts_the_times_that_a_session_was_opened(journal: Path) -> None:
    """From the line on that says so; also where the lines of runs before are gone."""
    lines = Lines()
    journal.write_bytes(lines.tool() + lines.continued(2) + lines.tool() + lines.continued(7) + lines.tool())
    assert [row["run"] for row in table_of(journal)] == ["1", "2", "2", "7", "7"]


def test_event_of_an_unknown_type_is_there_as_it_stands(journal: Path) -> None:
    """A class of a user's own, or one of a later version."""
    journal.write_bytes(Lines().line({"type": "MyEvent", "colour": "red"}))
    (row,) = table_of(journal)
    assert row["type"] == "MyEvent"
    assert json.loads(row["fields"])["colour"] == "red"


def test_odd_lines_are_mended_as_the_reader_does(journal: Path) -> None:
    """The original format, metadata that is no object, a line that lost its newline, a line that is none."""
    lines = Lines()
    journal.write_bytes(
        encode({"name": "pytest", "params": None, "duration_ms": 2.4})
        + lines.begin("task", metadata=[1])
        + lines.tool("glued")[:-1]
        + lines.tool("to this")
        + b"nothing\n"
        + lines.tool("last")
    )
    rows = table_of(journal)
    assert [row["name"] for row in rows] == ["pytest", "task", "glued", "to this", "last"]
    assert (rows[0]["params"], rows[0]["duration_ms"]) == ("{}", "2")
    assert rows[1]["metadata"] == '{"value":[1]}'
    assert [row["line"] for row in rows] == ["1", "2", "3", "3", "5"]


def test_number_that_no_column_holds_is_empty(journal: Path) -> None:
    """Columns are of 64 bits, with a sign."""
    journal.write_bytes(Lines().file(size_bytes=2**63) + Lines().file(size_bytes=2**63 - 1))
    assert [row.get("size_bytes") for row in table_of(journal)] == [None, str(2**63 - 1)]


def test_moment_beyond_the_calendar_has_no_time() -> None:
    """Its Unix seconds stand beside."""
    assert time_of(None) is None
    assert time_of(1e12) is None
    assert time_of(0.5) == "1970-01-01 00:00:00.500000"
    assert time_of(-1.0) == "1969-12-31 23:59:59"


@pytest.mark.parametrize("said", ['a "b",\nc\r\nd', "progress 1 %\rprogress 2 %", "\r", "\r\n"])
def test_text_of_several_lines_stays_one_cell(journal: Path, said: str) -> None:
    """With quotation marks and commas, and where a carriage return stands alone."""
    journal.write_bytes(Lines().error(said))
    (row,) = table_of(journal)
    assert row["message"] == said
