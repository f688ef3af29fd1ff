"""What leads from a figure to its events."""

from __future__ import annotations

from deia.report.items import shown_name
from deia.report.markup import Markup, tag


def finder(name: str, label: str | None = None) -> Markup:
    """Return a button that looks for a name in the table of events."""
    shown = shown_name(name)
    return tag("button", label or shown, type="button", class_="find", data_find=shown, title="Find in the events")
