"""Which files a session is in: its own, and one for each sub-agent, which newer versions of the program write."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from deia import system
from deia.importing.claude_code.records import text
from deia.importing.ids import LONGEST_SESSION_BYTES, file_part
from deia.importing.source import Source
from deia.journal.damage import DamageLog

_PREFIX = "agent-"
_SUFFIX = ".jsonl"
_FOLDER = "subagents"

_LOOKED_AT = 100
"""How many records are looked at for one that names the session: the first few name none (`summary`)."""


@dataclass
class SessionFiles:
    """The files of one session.

    Attributes:
        path: Its own; or a sub-agent's, where that was given alone.
        session_id: What it is called in there; empty where nothing tells.
        agents: Those of its sub-agents.
    """

    path: str
    session_id: str
    agents: list[str] = field(default_factory=list)


def session_in(path: str) -> str:
    """Return what a transcript calls its session; empty where nothing in it tells.

    Raises:
        OSError: It cannot be read.
    """
    with Source(path, DamageLog().add) as source:
        for record in islice(source.read(), _LOOKED_AT):
            if session_id := text(record.fields.get("sessionId")):
                return session_id
    return ""


def is_agents(path: str) -> bool:
    """Whether a file is named as a sub-agent's."""
    name = os.path.basename(path)
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def grouped(found: Iterable[tuple[str, str]]) -> list[SessionFiles]:
    """Put files together that are of one session.

    Args:
        found: Paths, each with what it calls its session.
    """
    sessions: list[SessionFiles] = []
    agents: list[tuple[str, str]] = []
    known: dict[str, str] = {}
    for path, session_id in found:
        known[system.real_path(path)] = session_id
        if is_agents(path):
            agents.append((path, session_id))
        else:
            sessions.append(SessionFiles(path, session_id))
    for session in sessions:
        given = [path for path, session_id in agents if session_id and session_id == session.session_id]
        session.agents = _each_once([*given, *_beside(session, known)])
    taken = {system.real_path(path) for session in sessions for path in session.agents}
    alone = [SessionFiles(path, "") for path, _ in agents if system.real_path(path) not in taken]
    return [*sessions, *alone]


def _beside(session: SessionFiles, known: dict[str, str]) -> Iterator[str]:
    """Yield the files of a session's sub-agents that lie where the program puts them.

    Args:
        session: The session.
        known: Which session each file is of that was looked at; gets those that are looked at here.
    """
    if not session.session_id:
        return
    directory, name = os.path.split(session.path)
    called = [name.removesuffix(_SUFFIX), file_part(session.session_id, LONGEST_SESSION_BYTES)]
    for folder in ("", *(os.path.join(part, _FOLDER) for part in dict.fromkeys(called))):
        where = os.path.join(directory, folder)
        try:
            names = system.list_directory(where or ".")
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            continue
        for found in sorted(filter(is_agents, names)):
            path = os.path.join(where, found)
            real = system.real_path(path)
            if real not in known:
                known[real] = _session_in_if_any(path)
            if known[real] == session.session_id:
                yield path


def _session_in_if_any(path: str) -> str:
    """Return the session that a file is of; none where it cannot be read, which was not asked for by its name."""
    try:
        return session_in(path)
    except OSError:
        return ""


def _each_once(paths: Iterable[str]) -> list[str]:
    return list({system.real_path(path): path for path in reversed(list(paths))}.values())[::-1]
