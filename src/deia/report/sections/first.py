"""What to fix first."""

from __future__ import annotations

from deia.analysis.profile import Advice
from deia.report.markup import Markup, tag, with_code
from deia.report.model import Report
from deia.report.sections.links import finder

_WEIGHT_WORDS = {"bad": "Problem", "time": "Time", "note": "Note"}


def section(report: Report) -> Markup:
    """Return what to fix first."""
    if not report.profile.analysis.events:
        return tag("p", "Nothing was recorded.")
    if not report.advice:
        return tag("p", "Nothing stands out: no part of this session takes most of its time, nothing keeps failing.")
    return tag("ol", [_advice(entry) for entry in report.advice], class_="advice")


def _advice(entry: Advice) -> Markup:
    links: list[Markup] = []
    if entry.section:
        links.append(tag("a", "See the figures", href=f"#{entry.section}"))
    if entry.find:
        links.append(finder(entry.find, "Find its events"))
    return tag(
        "li",
        tag("h3", tag("span", _WEIGHT_WORDS[entry.weight], class_=f"weight {entry.weight}"), " ", entry.title),
        tag("p", with_code(entry.text, entry.code)),
        tag("p", links, class_="links") if links else None,
        class_=entry.weight,
    )
