"""Rows of CSV that end in a newline, and in which any text is one cell: https://www.rfc-editor.org/rfc/rfc4180.

Not by the module `csv`: before Python 3.11 that refuses a NUL, and before 3.13 it leaves a bare carriage return
unquoted, which ends the row for readers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPECIAL = re.compile('[",\r\n]')


class CsvRows:
    """Collects rows.

    Attributes:
        characters: How much has been collected.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self.characters = 0
        self._rows: list[str] = []

    def add(self, row: Iterable[object]) -> None:
        """Add a row; None is an empty cell."""
        text = ",".join(map(_cell, row)) or '""'  # an empty line would be no row
        self._rows.append(f"{text}\n")
        self.characters += len(text) + 1

    def take(self) -> str:
        """Return what has been collected since it was taken last."""
        taken = "".join(self._rows)
        self._rows.clear()
        self.characters = 0
        return taken


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    if type(value) is int or type(value) is float:
        return text
    return '"' + text.replace('"', '""') + '"' if _SPECIAL.search(text) else text
