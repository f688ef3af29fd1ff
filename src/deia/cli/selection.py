"""Which sessions of a directory a command is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import click

from deia.analysis.fleet import look_at_all
from deia.analysis.sessions import SessionFigures
from deia.cli.amounts import moment
from deia.cli.output import Output
from deia.cli.reading import reading
from deia.cli.status import with_path
from deia.cli.text import plural

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Selection:
    """Which sessions are asked for.

    Attributes:
        agents: Patterns of agents' names; none for all.
        since: Those that began at this moment or later, Unix seconds.
        until: Those that began before this one.
    """

    agents: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None

    def has(self, session: SessionFigures) -> bool:
        """Whether a session is among them. One that does not say when it began is in no span of time."""
        if self.agents and not any(fnmatchcase(session.agent_id or "", agent) for agent in self.agents):
            return False
        if self.since is None and self.until is None:
            return True
        began = session.began
        return (
            began is not None
            and (self.since is None or began >= self.since)
            and (self.until is None or began < self.until)
        )


def selection_options(command: F) -> F:
    """Give a command the options `--agent`, `--since` and `--until`."""
    for option in (
        click.option("--until", type=moment, metavar="TIME", help="Only sessions that began before."),
        click.option("--since", type=moment, metavar="TIME", help="Only sessions that began then or later."),
        click.option("--agent", "agents", multiple=True, metavar="NAME", help="Only this agent's; * and ? match."),
    ):
        command = option(command)
    return command


def look(output: Output, journals: Sequence[Path], selection: Selection) -> Iterator[SessionFigures]:
    """Yield what there is to say of the sessions that are asked for, with a progress bar; say what cannot be read."""
    with reading(output, plural(len(journals), "session log")) as on_progress:
        for session in look_at_all(journals, on_progress=on_progress):
            if selection.has(session):
                yield session


def readable(output: Output, journals: Sequence[Path], selection: Selection) -> Iterator[SessionFigures]:
    """Yield the sessions that are asked for and can be read; say what is the matter with a log."""
    for session in look(output, journals, selection):
        if session.is_readable:
            yield session
        if session.state == "damaged":
            output.complain(f"{session.path}: there are problems with the file: deia check says which")
        elif not session.is_readable:
            output.complain(with_path(session.problem or session.state, session.path))
            output.found()
        output.found_state(session.state)
