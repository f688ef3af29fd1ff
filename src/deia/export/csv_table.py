"""The table of events as CSV, in UTF-8 and with a heading: https://www.rfc-editor.org/rfc/rfc4180."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from deia.export.columns import COLUMNS, rows, time_of
from deia.export.csv_rows import CsvRows
from deia.export.json_text import dumps
from deia.export.sources import Source

_JSON = frozenset(column.name for column in COLUMNS if column.type == "JSON")
_PIECE_CHARACTERS = 64 * 1024


def csv_table(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the pieces of a table: a row for each event. What is null is empty, and so is empty text."""
    table = CsvRows()
    table.add(column.name for column in COLUMNS)
    for source in sources:
        for row in rows(source.name, source.entries):
            row["time"] = time_of(row.get("timestamp"))
            table.add(_cell(column.name, row.get(column.name)) for column in COLUMNS)
            if table.characters >= _PIECE_CHARACTERS:
                yield _taken(table)
    yield _taken(table)


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _JSON:
        return dumps(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _taken(table: CsvRows) -> bytes:
    return table.take().encode("utf-8", "backslashreplace")  # a path may be none in UTF-8
