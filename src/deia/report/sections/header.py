"""Whose session it is, when it was, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from deia.journal.state import State
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.text import count, moment

_STATES = {
    "running": ("Running", "It was still being recorded when this page was made; make it again to see more."),
    "killed": (
        "Died",
        "Its process was killed or crashed before it closed the session. Everything it had recorded is here.",
    ),
    "closed": ("Finished", "The session was closed; this is all of it."),
}


def section(report: Report) -> Markup:
    """Return whose session it is, when it was, and what became of it."""
    analysis = report.profile.analysis
    _, meaning = _STATES[report.state]
    facts = [("Agent", analysis.agent_id), ("Session", analysis.session_id), ("Log", report.path)]
    if analysis.first_time is not None and analysis.last_time is not None:
        facts.append(("Recorded", f"{moment(analysis.first_time)} to {moment(analysis.last_time)}"))
    if analysis.runs > 1:
        facts.append(("Runs", count(analysis.runs)))
    return join(
        [
            tag("h1", analysis.agent_id or "A session", " ", state(report.state)),
            tag("p", meaning, class_="quiet"),
            _facts((label, value) for label, value in facts if value is not None),
        ]
    )


def state(became: State) -> Markup:
    """Return what became of a session, in a word."""
    return tag("span", _STATES[became][0], class_=f"state {became}")


def _facts(facts: Iterable[tuple[str, str]]) -> Markup:
    return tag("dl", [tag("div", tag("dt", label), tag("dd", value)) for label, value in facts], class_="facts")
