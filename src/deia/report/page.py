"""The page of a session: its parts in the order in which they are read, and as much in them as there is room for."""

from __future__ import annotations

import os
from collections.abc import Iterator

from deia.report import sections
from deia.report.html import document, own_script
from deia.report.island import island
from deia.report.library import charts_code
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.selection import ITEMS_KEPT
from deia.text import moment

LARGEST_BYTES = 2_000_000
"""What a page may have: it opens at once, and goes into an e-mail."""

_TEXT_LENGTHS = (200, 120, 80, 50, 30, 20)
"""How long texts may be: the longest with which the page is small enough …"""

_FEWEST_ITEMS = 300
"""… and where none is, with fewer and fewer items, down to so many: those fit whatever their texts hold."""


def page(report: Report, *, version: int | None = None) -> bytes:
    """Return the page of a session.

    Args:
        report: What it shows.
        version: Its number, where it is served and told of later ones.

    Raises:
        ChartsMissingError: The package with the charts' code is not installed.
    """
    analysis = report.profile.analysis
    title = f"{analysis.agent_id or 'Session'} {analysis.session_id or os.path.basename(report.path)}"
    body, scripts = _body(report), (charts_code(), own_script(is_served=version is not None))
    room = LARGEST_BYTES - len(document(title, body, data="", scripts=scripts, version=version))
    data = ""
    for items, characters in _limits():
        data = island(report, items=items, characters=characters)
        if len(data.encode()) <= room:
            break
    return document(title, body, data=data, scripts=scripts, version=version)


def _limits() -> Iterator[tuple[int, int]]:
    for characters in _TEXT_LENGTHS:
        yield ITEMS_KEPT, characters
    items = ITEMS_KEPT // 2
    while items >= _FEWEST_ITEMS:
        yield items, _TEXT_LENGTHS[-1]
        items //= 2


def _body(report: Report) -> Markup:
    profile = report.profile
    analysis = profile.analysis
    parts = [
        ("first", "What to fix first", sections.advice(report.advice)),
        (
            "time",
            "Where the time went",
            _beside(_chart("shares", "Where the time went"), sections.where_the_time_went(profile)),
        ),
        ("timeline", "Timeline", _timeline()),
        (
            "tasks",
            "Tasks",
            _below(_chart("task-times", "Own time by task"), sections.tasks(profile)) if profile.tasks else None,
        ),
        (
            "tools",
            "Tools",
            _below(_chart("tool-times", "Time by tool"), sections.tools(profile)) if profile.tools else None,
        ),
        ("models", "Models and cost", _models(report) if profile.models else None),
        (
            "concurrency",
            "At once",
            _concurrency(report) if any(profile.concurrency.get(n) for n in profile.concurrency if n) else None,
        ),
        ("path", "Critical path", _path(report) if profile.critical_path else None),
        ("repeated", "Repeated calls", sections.repeated(profile) if profile.repeated else None),
        ("errors", "Errors", sections.errors(profile) if profile.errors else None),
        ("gaps", "Pauses", sections.gaps(profile) if profile.gaps else None),
        ("files", "Files", sections.files(profile) if profile.files else None),
        ("open", "Open tasks", sections.open_tasks(profile) if analysis.open_tasks else None),
        ("events", "Events", _events()),
        ("damages", "Problems with the file", sections.damages(profile) if analysis.damages else None),
    ]
    there = [(name, title, content) for name, title, content in parts if content is not None]
    return join(
        [
            tag("a", "Skip to the timeline", href="#timeline", class_="skip"),
            tag("header", tag("div", sections.header(report)), _theme(), class_="top"),
            tag(
                "nav",
                tag("ul", [tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in there]),
                aria_label="Sections",
            ),
            tag(
                "main",
                tag(
                    "noscript",
                    tag("p", "Charts, timeline and the table of events need JavaScript; the figures do not."),
                ),
                tag("section", tag("h2", "Headline", class_="unseen"), sections.headline(report), id="headline"),
                [tag("section", tag("h2", title), content, id=name) for name, title, content in there],
            ),
            tag("footer", _remarks(report)),
        ]
    )


def _theme() -> Markup:
    choices = (("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))
    return tag(
        "fieldset",
        tag("legend", "Colours", class_="unseen"),
        [
            tag(
                "label",
                tag("input", type="radio", name="theme", value=value, checked=value == "auto"),
                tag("span", label),
            )
            for value, label in choices
        ],
        class_="theme",
    )


def _chart(name: str, title: str) -> Markup:
    return tag(
        "figure",
        tag(
            "div",
            tag("canvas", id=f"chart-{name}", role="img", aria_label=f"Chart: {title}. The table has its figures."),
            class_="canvas",
        ),
        tag("figcaption", title),
        class_=f"chart {name}",
        data_chart=name,
    )


def _beside(chart: Markup, table: Markup) -> Markup:
    return tag("div", chart, table, class_="beside")


def _below(chart: Markup, table: Markup) -> Markup:
    return tag("div", chart, table, class_="below")


def _models(report: Report) -> Markup:
    charts = tag("div", _chart("cost", "Cost by model"), _chart("token-counts", "Tokens by model"), class_="charts")
    return _below(charts, sections.models(report.profile))


def _concurrency(report: Report) -> Markup:
    return join(
        [
            tag(
                "p",
                "How many tool and model calls were at work at the same time: when, and for how long.",
                class_="quiet",
            ),
            _below(
                _chart("over-time", "Calls at the same time, over time"), sections.concurrency_over_time(report.profile)
            ),
            _beside(_chart("at-once", "Calls at the same time"), sections.concurrency(report.profile)),
        ]
    )


def _path(report: Report) -> Markup:
    return join(
        [
            tag(
                "p",
                "The longest chain of work, each piece begun after the one before it had ended: to make something else "
                "faster hardly makes the session shorter.",
                class_="quiet",
            ),
            sections.critical_path(report.profile),
        ]
    )


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


def _timeline() -> Markup:
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


def _events() -> Markup:
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


_COLUMNS = (
    ("start", "Time", True),
    ("kind", "Kind", False),
    ("name", "Name", False),
    ("length", "Took", True),
    ("status", "State", False),
)


def _remarks(report: Report) -> Markup:
    profile = report.profile
    said = [f"Made by Deia on {moment(report.made_at)}, of one file, with nothing fetched from anywhere."]
    if not profile.exact:
        said.append("Some figures are approximate: a bound on memory was reached, or clocks were set back.")
    return tag("p", " ".join(said))
