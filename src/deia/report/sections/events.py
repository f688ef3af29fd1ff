"""The table of events: what a script fills, and how it is searched."""

from __future__ import annotations

from deia.report.markup import Markup, tag
from deia.report.model import Report

_COLUMNS = (
    ("start", "Time", True),
    ("kind", "Kind", False),
    ("name", "Name", False),
    ("length", "Took", True),
    ("status", "State", False),
)


def section(_report: Report) -> Markup:
    """Return what is there of it without its rows."""
    return tag(
        "div",
        tag(
            "form",
            tag(
                "label",
                "Search ",
                tag("input", type="search", name="search", placeholder="name, parameters, error …", autocomplete="off"),
            ),
            tag("label", "Kind ", tag("select", tag("option", "all", value=""), name="kind")),
            tag("label", tag("input", type="checkbox", name="trouble"), " only what went wrong"),
            role="search",
            aria_label="Events",
        ),
        tag("p", class_="found", aria_live="polite"),
        tag(
            "div",
            tag(
                "table",
                tag("caption", "Events", class_="unseen"),
                tag(
                    "thead",
                    tag(
                        "tr",
                        [
                            tag(
                                "th",
                                tag("button", label, type="button", data_sort=key),
                                scope="col",
                                class_="number" if figures else None,
                            )
                            for key, label, figures in _COLUMNS
                        ],
                        tag("th", "What it was about", scope="col"),
                    ),
                ),
                tag("tbody"),
            ),
            class_="scroll",
            tabindex="0",
            role="region",
            aria_label="Events, table",
        ),
        tag(
            "p",
            tag("button", "‹ Earlier rows", type="button", data_page="-1"),
            tag("span", class_="page"),
            tag("button", "Later rows ›", type="button", data_page="1"),
            class_="controls pager",
        ),
        class_="events",
    )
