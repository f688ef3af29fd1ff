"""The page that leads to the pages of several sessions."""

from __future__ import annotations

import os
from urllib.parse import quote

from deia.report.html import document
from deia.report.markup import tag
from deia.report.model import Report
from deia.report.sections.figures import NONE, dollars
from deia.report.sections.header import state
from deia.report.sections.tables import table
from deia.text import count, duration, moment


class Overview:
    """Collects a line for each session, in the order given."""

    def __init__(self) -> None:
        self._rows: list[list[object]] = []

    def add(self, report: Report, name: str) -> None:
        """Take a session.

        Args:
            report: What its page shows.
            name: The file of its page, beside this one.
        """
        profile = report.profile
        analysis = profile.analysis
        first = report.advice[0].title if report.advice else NONE
        self._rows.append(
            [
                tag("a", os.path.basename(report.path), href=f"./{quote(name)}"),
                analysis.agent_id or NONE,
                state(report.state),
                NONE if analysis.first_time is None else moment(analysis.first_time),
                duration(profile.span_ms),
                count(analysis.tasks_completed),
                count(profile.error_count),
                dollars(profile.usage.cost_usd),
                count(analysis.events),
                first,
            ]
        )

    def page(self) -> bytes:
        """Return the page."""
        columns = [
            "Session",
            "Agent",
            "State",
            "Began|",
            "Lasted|",
            "Tasks|",
            "Errors|",
            "Cost|",
            "Events|",
            "Fix first",
        ]
        title = f"{count(len(self._rows))} sessions"
        body = tag("main", tag("h1", title), tag("section", table("Sessions", columns, self._rows), class_="sessions"))
        return document(title, body, data="", scripts=())
