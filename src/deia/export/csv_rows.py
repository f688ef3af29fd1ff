"""Rows of CSV that end in a newline, and in which any text is one cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_ROW_END = "\r\n"
"""Before Python 3.13 `csv` quotes a carriage return only if rows end in one; bare, it would end the row for readers."""


class CsvRows:
    """Collects rows."""

    def __init__(self) -> None:
        """Begin without any."""
        self._text = _Rows()
        self._table = csv.writer(self._text, lineterminator=_ROW_END)

    @property
    def characters(self) -> int:
        """How much has been collected."""
        return self._text.tell()

    def add(self, row: Iterable[object]) -> None:
        """Add a row; None is an empty cell."""
        self._table.writerow(row)

    def take(self) -> str:
        """Return what has been collected since it was taken last."""
        taken = self._text.getvalue()
        self._text.seek(0)
        self._text.truncate()
        return taken


class _Rows(io.StringIO):
    """Takes rows, one at a time, and ends them in a newline alone."""

    def write(self, row: str, /) -> int:
        return super().write(row.removesuffix(_ROW_END) + "\n")
