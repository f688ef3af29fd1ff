"""Tables, and what is said below those that are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from deia.report.markup import Markup, tag
from deia.text import plural

ROWS = 50
"""Of a table: beyond that nobody looks for what to fix first."""

FEW_ROWS = 15
"""Of a list of single occurrences: the timeline shows them all, and better."""

_FEW_COLUMNS = 4
"""Spread over a whole screen, so few would stand too far apart to be read across."""


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table; the heading of a column of figures ends in `|`."""
    numeric = [column.endswith("|") for column in columns]
    body = [
        tag(
            "tr",
            [
                tag("td", cell, class_="number" if is_number else None)
                for cell, is_number in zip(row, numeric, strict=True)
            ],
        )
        for row in rows
    ]
    if not body:
        return tag("p", "None.", class_="quiet")
    head = [
        tag(
            "th",
            column.rstrip("|") or tag("span", "Bar", class_="unseen"),
            scope="col",
            class_="number" if is_number else None,
        )
        for column, is_number in zip(columns, numeric, strict=True)
    ]
    kinds = ["few"] * (len(columns) <= _FEW_COLUMNS) + ["short"] * (len(body) <= FEW_ROWS)
    # Focusable, so that whoever has no mouse can scroll what is wider than the screen.
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption, class_="unseen"),
            tag("thead", tag("tr", head)),
            tag("tbody", body),
            class_=" ".join(kinds) or None,
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=f"{caption}, table",
    )


def bar(value: int, most: int) -> Markup:
    """Return a bar as long as a figure is large; the figure stands beside it."""
    width = 100 * value // most if most else 0
    return tag(
        "svg",
        tag("rect", width=max(width, 1) if value else 0, height=8, rx=1),
        class_="bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def more(total: int, noun: str) -> Markup | None:
    """Return how many rows a table of `ROWS` leaves out, if any."""
    if total <= ROWS:
        return None
    return tag(
        "p",
        f"… and {plural(total - ROWS, f'more {noun}')}; ",
        tag("code", "deia profile --json"),
        " has them all.",
        class_="quiet",
    )


def capped(listed: int, one: str, many: str | None = None, *, rows: int = FEW_ROWS, more: bool) -> Markup | None:
    """Return how many rows of how many a table shows, if not all.

    Args:
        listed: How many the profile lists.
        one: What a row is.
        many: The same of several, if that is not `one` with an s.
        rows: How many the table shows at most.
        more: Whether there are more than the profile lists.
    """
    if listed <= rows and not more:
        return None
    total = f"more than {plural(listed, one, many)}" if more else plural(listed, one, many)
    return tag("p", f"{min(listed, rows)} of {total}.", class_="quiet")
