"""The page of exports and queries has the columns that there are."""

from __future__ import annotations

from pathlib import Path

from deia.export.columns import COLUMNS, Column
from deia.export.views import VIEWS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "exports.md"


def row(column: Column) -> str:
    events = ", ".join(f"`{event}`" for event in column.events) or "all"
    return f"| `{column.name}` | {column.type} | {column.meaning} | {events} |"


def test_page_has_every_column_of_the_table_of_events() -> None:
    """In their order."""
    head = "| Column | Type | What it holds | Of |\n| --- | --- | --- | --- |"
    table = "\n".join([head, *map(row, COLUMNS)])
    assert table in PAGE.read_text("utf-8")


def test_page_has_every_view_with_what_is_its_own() -> None:
    """In their order."""
    parts = []
    for name, view in VIEWS.items():
        own = "; ".join(f"`{column}`: {meaning}" for column, meaning in view.columns.items()) or "–"
        parts.append(f"| `{name}` | {view.rows} | {own} |")
    table = "\n".join(["| View | A row of it is | Columns of its own |", "| --- | --- | --- |", *parts])
    assert table in PAGE.read_text("utf-8")
