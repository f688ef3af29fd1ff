"""Whose session it is, when it was, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable

from deia.journal.state import State
from deia.report.markup import Markup, join, tag
from deia.report.model import Report
from deia.text import count, moment, named

_MEANINGS: dict[State, str] = {
    "recording": "It was still being recorded when this page was made; make it again to see more.",
    "finished": "All that was begun was completed; this is all of it.",
    "interrupted": "Its process died, or it ended in the middle of a task. Everything it had recorded is here.",
    "damaged": "Lines of the log cannot be read, or events are missing; all that can be read is here.",
    "unknown": "Whether it is still being recorded cannot be told; this is what there was when this page was made.",
}


def section(report: Report) -> Markup:
    """Return whose session it is, when it was, and what became of it."""
    analysis = report.profile.analysis
    facts: list[tuple[str, object]] = [("Session", analysis.session_id), ("Log", report.path)]
    if analysis.first_time is not None and analysis.last_time is not None:
        times = [tag("span", moment(time), class_="whole") for time in (analysis.first_time, analysis.last_time)]
        facts.append(("Recorded", [times[0], " to ", times[1]]))
    if analysis.runs > 1:
        facts.append(("Runs", count(analysis.runs)))
    return join(
        [
            tag("h1", named(analysis.agent_id or "A session"), " ", state(report.state)),
            tag("p", _MEANINGS[report.state], class_="quiet"),
            _facts((label, value) for label, value in facts if value is not None),
        ]
    )


def state(became: State) -> Markup:
    """Return what became of a session, in a word."""
    return tag("span", became, class_=f"state {became}")


def _facts(facts: Iterable[tuple[str, object]]) -> Markup:
    return tag("dl", [tag("div", tag("dt", label), tag("dd", value)) for label, value in facts], class_="facts")
