"""The timeline: what a script draws it in, and how it is moved."""

from __future__ import annotations

from collections.abc import Sequence

from deia.report.extent import extent
from deia.report.items import Item, Kind
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.text import count, duration

_KEYS = (
    ("← →", "move in time"),
    ("↑ ↓", "move between the lanes"),
    ("+ −", "zoom"),
    ("0", "show all"),
    ("Shift + ← →", "choose the event before or after"),
    ("Shift + ↑ ↓", "choose the one above or below"),
    ("Enter", "zoom to what is chosen"),
    ("Escape", "let it go"),
)


_NAMED = 3
"""Of what is cut: one is a wrong number, and where there are many they are wrong in the same way."""

_KINDS: dict[Kind, str] = {"tool": "tool call", "model": "model call", "file": "file operation"}


def section(report: Report) -> Markup:
    """Return what is there of it without its items."""
    buttons = (
        ("zoom-in", "+", "Zoom in"),
        ("zoom-out", "−", "Zoom out"),
        ("all", "All", "Show the whole session"),
        ("left", "←", "Move to earlier"),
        ("right", "→", "Move to later"),
        ("previous", "‹ Previous", "Choose the event before"),
        ("next", "Next ›", "Choose the event after"),
    )
    controls = [
        tag("button", label, type="button", data_do=do, aria_label=meaning, title=meaning)
        for do, label, meaning in buttons
    ]
    fold = tag(
        "button", "Fold pauses", type="button", data_do="fold", aria_pressed="false", title="Show long pauses short"
    )
    is_empty = all(item.start is None for item in report.selected.items)
    drawn = tag(
        "div",
        tag("div", controls, fold, class_="controls", role="toolbar", aria_label="Timeline"),
        tag("ul", class_="legend", aria_label="Colours of the timeline"),
        tag("div", tag("canvas"), tag("div", class_="window"), class_="overview", aria_hidden="true"),
        tag(
            "div",
            tag("canvas", class_="lanes-canvas", aria_hidden="true"),
            tag("div", class_="spacer"),
            class_="lanes",
            tabindex="0",
            role="application",
            aria_roledescription="timeline",
            aria_label="Timeline of the session",
            aria_describedby="timeline-keys",
        ),
        tag("div", class_="tip", aria_hidden="true", hidden=True),
        tag(
            "div",
            tag("p", "Choose an event to see what it was.", class_="chosen", aria_live="polite"),
            tag("button", "Show it in the table", type="button", data_do="show", hidden=True),
            class_="choice",
        ),
        tag("p", class_="aggregated quiet"),
        _cut(extent(report.profile, report.selected).beyond),
        tag(
            "dl",
            [tag("div", tag("dt", tag("kbd", keys)), tag("dd", meaning)) for keys, meaning in _KEYS],
            class_="keys",
            id="timeline-keys",
        ),
        class_="timeline",
        hidden=is_empty,
    )
    return join([tag("p", "Nothing was recorded that has a time.", class_="quiet") if is_empty else None, drawn])


def _cut(beyond: Sequence[Item]) -> Markup | None:
    """Return what is not shown from its beginning to its end, and why."""
    if not beyond:
        return None
    longest = sorted(beyond, key=lambda item: -item.length_ms)
    claims = ", ".join(_claim(item) for item in longest[:_NAMED])
    more = f", and {count(len(beyond) - _NAMED)} more" if len(beyond) > _NAMED else ""
    return tag(
        "p",
        "The timeline covers the time in which the session was recorded. What claims to reach far beyond it is cut at "
        f"its edge: {claims}{more}.",
        class_="beyond quiet",
    )


def _claim(item: Item) -> str:
    return f"{_KINDS.get(item.kind, item.kind)} “{item.name}” of {duration(item.length_ms)}"
