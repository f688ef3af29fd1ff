"""The table of events: what a script fills, and how it is searched."""

from __future__ import annotations

from deia.report.markup import Markup, tag
from deia.report.model import Report
from deia.text import count, plural

_COLUMNS = (
    ("start", "Time", True),
    ("kind", "Kind", False),
    ("name", "Name", False),
    ("length", "Took", True),
    ("status", "State", False),
)


def section(report: Report) -> Markup:
    """Return what is there of it without its rows."""
    return tag(
        "div",
        _joined(report),
        tag(
            "form",
            tag(
                "label",
                "Search ",
                tag(
                    "input",
                    type="search",
                    name="search",
                    placeholder="name, parameters, error …",
                    autocomplete="off",
                    aria_describedby="searched",
                ),
            ),
            tag("label", "Kind ", tag("select", tag("option", "all", value=""), name="kind")),
            tag("label", tag("input", type="checkbox", name="trouble"), " only what went wrong"),
            role="search",
            aria_label="Events",
        ),
        tag("p", class_="searched quiet", id="searched"),
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


def _joined(report: Report) -> Markup | None:
    """Return why there are fewer rows than the headline has events."""
    events, rows = report.profile.analysis.events, report.selected.total
    if rows >= events:
        return None
    return tag(
        "p",
        "A task is one row, though the log tells of its start and of its end in an event each: the "
        f"{count(events)} events are {plural(rows, 'row')}.",
        class_="joined quiet",
    )
