"""The page of a session: its parts in the order in which they are read, and as much in them as there is room for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from deia.report.html import document, own_script
from deia.report.island import island
from deia.report.library import charts_code
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.report.sections import (
    concurrency,
    damages,
    errors,
    events,
    files,
    first,
    header,
    headline,
    models,
    open_tasks,
    path,
    pauses,
    repeated,
    shares,
    tasks,
    timeline,
    tools,
)
from deia.report.selection import ITEMS_KEPT
from deia.text import moment, plural

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


_SECTIONS: tuple[tuple[str, str, Callable[[Report], Markup | None]], ...] = (
    ("first", "What to fix first", first.section),
    ("time", "Where the time went", shares.section),
    ("timeline", "Timeline", timeline.section),
    ("tasks", "Tasks", tasks.section),
    ("tools", "Tools", tools.section),
    ("models", "Models and cost", models.section),
    ("concurrency", "At once", concurrency.section),
    ("path", "Critical path", path.section),
    ("repeated", "Repeated calls", repeated.section),
    ("errors", "Errors", errors.section),
    ("gaps", "Pauses", pauses.section),
    ("files", "Files", files.section),
    ("open", "Open tasks", open_tasks.section),
    ("events", "Events", events.section),
    ("damages", "The log file", damages.section),
)
"""In the order in which they are read: anchor, title, and what makes it."""


def _body(report: Report) -> Markup:
    parts = [(anchor, title, section(report)) for anchor, title, section in _SECTIONS]
    there = [part for part in parts if part[2] is not None]
    return join(
        [
            tag("a", "Skip to the timeline", href="#timeline", class_="skip"),
            tag("header", tag("div", header.section(report)), _theme(), class_="top"),
            tag(
                "nav",
                tag("ul", [tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title, _ in there]),
                aria_label="Sections",
            ),
            tag(
                "main",
                tag(
                    "noscript",
                    tag("p", "Charts, timeline and the table of events need JavaScript; the figures do not."),
                ),
                tag("section", tag("h2", "Headline", class_="unseen"), headline.section(report), id="headline"),
                [tag("section", tag("h2", title), content, id=anchor) for anchor, title, content in there],
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


def _remarks(report: Report) -> Markup:
    profile = report.profile
    said = [f"Made by Deia on {moment(report.made_at)}, of one file, with nothing fetched from anywhere."]
    if not profile.exact:
        said.append("Some figures are approximate: a bound on memory was reached, or clocks were set back.")
    if left_out := profile.usage.left_out:
        said.append(f"{plural(left_out, 'negative number')} of tokens or dollars left out of all figures.")
    return tag("p", " ".join(said))
