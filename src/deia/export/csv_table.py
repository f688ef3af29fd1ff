"""The table of events as CSV, in UTF-8 and with a heading: https://www.rfc-editor.org/rfc/rfc4180."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from deia.export.columns import COLUMNS, rows, time_of
from deia.export.json_text import dumps
from deia.export.sources import Source

_JSON = frozenset(column.name for column in COLUMNS if column.type == "JSON")
_PIECE_CHARACTERS = 64 * 1024

_ROW_END = "\r\n"
"""Before Python 3.13 `csv` quotes a carriage return only if rows end in one; bare, it would end the row for readers."""


class _Rows(io.StringIO):
    """Takes rows that end in `_ROW_END`, one at a time, and ends them in a newline alone."""

    def write(self, row: str, /) -> int:
        return super().write(row.removesuffix(_ROW_END) + "\n")


def csv_table(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the pieces of a table: a row for each event. What is null is empty, and so is empty text."""
    text = _Rows()
    table = csv.writer(text, lineterminator=_ROW_END)
    table.writerow(column.name for column in COLUMNS)
    for source in sources:
        for row in rows(source.name, source.entries):
            row["time"] = time_of(row.get("timestamp"))
            table.writerow(_cell(column.name, row.get(column.name)) for column in COLUMNS)
            if text.tell() >= _PIECE_CHARACTERS:
                yield _taken(text)
    yield _taken(text)


def _cell(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in _JSON:
        return dumps(value).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _taken(text: io.StringIO) -> bytes:
    piece = text.getvalue().encode("utf-8", "backslashreplace")  # a path may be none in UTF-8
    text.seek(0)
    text.truncate()
    return piece
