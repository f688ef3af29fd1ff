"""The timeline: what a script draws it in, and how it is moved."""

from __future__ import annotations

from deia.report.markup import Markup, tag
from deia.report.model import Report

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


def section(_report: Report) -> Markup:
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
    return tag(
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
        tag("p", "Choose an event to see what it was.", class_="chosen", aria_live="polite"),
        tag("p", tag("button", "Show it in the table", type="button", data_do="show", hidden=True), class_="controls"),
        tag("p", class_="aggregated quiet"),
        tag(
            "dl",
            [tag("div", tag("dt", tag("kbd", keys)), tag("dd", meaning)) for keys, meaning in _KEYS],
            class_="keys",
            id="timeline-keys",
        ),
        class_="timeline",
    )
