"""What the conversation of a session comes to: its front matter, and what stands at its top once it is complete."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from deia.conversation.markdown import code, inline, one_line, yaml
from deia.conversation.rendering import Rendering, action_item, moment
from deia.events import ActionItemEvent, DecisionEvent, ErrorEvent, FileEvent, LLMEvent, MessageEvent, ToolEvent

FORMAT = 1
"""Counts the ways in which this file has been written: one that was written in another is written anew, not mended."""

BODY = b"\n## Conversation\n"
"""What the pieces of the events come after. No text of an event begins a line with two number signs."""

FRONT_BYTES = 4096
"""No front matter is longer: so much of a file is read to have it."""

_TITLE = 60
_TITLE_BYTES = 4 * _TITLE + 2
_KEPT = 10_000
"""Different files, decisions and items that are told apart; a session with more is no conversation."""
_LISTED = 50
"""Of each, so many stand at the top."""


class Identity(NamedTuple):
    """Whose conversation it is.

    Attributes:
        agent_id: Who recorded it.
        session_id: The session.
        journal: Name of the journal's file.
        started: When the session began, Unix seconds.
    """

    agent_id: str
    session_id: str
    journal: str
    started: float | None


class View:
    """Takes the events of a session, one after the other, and says what is to be shown of them."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._rendering = Rendering()
        self._title = ""
        self._updated: float | None = identity.started
        self._counts = dict.fromkeys(("messages", "model_calls", "tool_calls", "decisions", "errors"), 0)
        self._modified: dict[str, int] = {}
        self._decisions: list[str] = []
        self._items: dict[str, ActionItemEvent] = {}

    def add(self, event: Any) -> bytes:
        """Return what an event adds to the body of the file."""
        piece = self._rendering.add(event)
        if not piece:
            return b""
        self._updated = event.timestamp if event.timestamp is not None else self._updated
        count = self._counts
        if isinstance(event, MessageEvent):
            count["messages"] += 1
            if not self._title and event.role == "user":
                self._title = one_line(_first_text(event.content), _TITLE)
        elif isinstance(event, ToolEvent):
            count["tool_calls"] += 1
        elif isinstance(event, LLMEvent):
            count["model_calls"] += 1
        elif isinstance(event, ErrorEvent):
            count["errors"] += 1
        elif isinstance(event, FileEvent):
            if event.operation == "write" and (event.path in self._modified or len(self._modified) < _KEPT):
                self._modified[event.path] = self._modified.get(event.path, 0) + 1
        elif isinstance(event, DecisionEvent):
            count["decisions"] += 1
            if len(self._decisions) < _KEPT:
                self._decisions.append(inline(event.decision))
        elif isinstance(event, ActionItemEvent) and (event.item in self._items or len(self._items) < _KEPT):
            known = self._items.get(event.item, event)
            self._items[event.item] = ActionItemEvent(
                event.item, event.assignee or known.assignee, event.due or known.due, event.done
            )
        return piece.encode()

    def front(self, status: str) -> bytes:
        """Return the front matter, which has the same length whatever it says: it is written over."""
        still_open = sum(not item.done for item in self._items.values())
        identity = self.identity
        return (
            "---\n"
            f"title: {_padded(yaml(self._title, _TITLE), _TITLE_BYTES)}\n"
            f"agent: {yaml(identity.agent_id, 300)}\n"
            f"session: {yaml(identity.session_id, 300)}\n"
            f"journal: {yaml(identity.journal, 300)}\n"
            f"started: {_padded(_when(identity.started), 20)}\n"
            f"updated: {_padded(_when(self._updated), 20)}\n"
            f"status: {status:9}\n"
            + "".join(f"{name}: {number:<10}\n" for name, number in self._counts.items())
            + f"files_modified: {len(self._modified):<10}\n"
            f"action_items: {len(self._items):<10}\n"
            f"action_items_open: {still_open:<10}\n"
            f"format: {FORMAT}\n"
            "---\n"
        ).encode()

    def top(self, *, summed_up: bool) -> bytes:
        """Return what stands between the front matter and the pieces of the events.

        Args:
            summed_up: Whether decisions, action items and modified files are to be listed.
        """
        identity = self.identity
        day, clock = moment(identity.started)
        title = f"\n# {inline(identity.agent_id)}" + (f" · {day} {clock[:5]}" if day else "")
        text = f"{title}\n\nKept by Deia from {code(identity.journal)}, which has all of it. Times are UTC.\n"
        if summed_up and (self._decisions or self._items or self._modified):
            text += f"\n## At a glance\n\nAs of {_when(self._updated)}.\n"
            text += _listed("Decisions", [f"- {each}" for each in self._decisions])
            text += _listed("Action items", [action_item(each) for each in self._items.values()])
            text += _listed(
                "Files modified",
                [
                    f"- {code(path)}" + (f" · {times} times" if times > 1 else "")
                    for path, times in self._modified.items()
                ],
            )
        return text.encode() + BODY


def front_of(head: bytes) -> dict[str, Any] | None:
    """Return what the front matter says that a file begins with; None where that is none of ours."""
    lines = head[:FRONT_BYTES].split(b"\n")
    if lines[0] != b"---" or b"---" not in lines[1:]:
        return None
    found: dict[str, Any] = {}
    for line in lines[1 : lines.index(b"---", 1)]:
        name, _, value = line.partition(b": ")
        value = value.strip()
        try:
            found[name.decode()] = (
                orjson.loads(value) if value[:1] in b'"0123456789' and value[4:5] != b"-" else value.decode()
            )
        except ValueError:
            return None
    return found if "format" in found and "session" in found else None


def _listed(title: str, items: list[str]) -> str:
    if not items:
        return ""
    more = f"\n- … and {len(items) - _LISTED:,} more" if len(items) > _LISTED else ""
    return f"\n**{title}**\n\n" + "\n".join(items[:_LISTED]) + more + "\n"


def _first_text(content: Any) -> str:
    """Return the first text in a message."""
    if isinstance(content, str):
        return content.strip().partition("\n")[0]
    if isinstance(content, dict):
        content = [content.get("text"), content.get("parts")]
    if isinstance(content, list):
        for part in content:
            if text := _first_text(part):
                return text
    return ""


def _when(timestamp: float | None) -> str:
    day, clock = moment(timestamp)
    return f"{day}T{clock}Z" if day else "unknown"


def _padded(text: str, width_bytes: int) -> str:
    return text + " " * (width_bytes - len(text.encode()))
