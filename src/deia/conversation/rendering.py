"""Events as Markdown: one piece for each, in order, and nothing but the events decides what it says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson

from deia.conversation.markdown import code, fenced, fold, html, inline, quote
from deia.events import (
    ActionItemEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
)
from deia.line import encode_value

SHOWN = (
    *(MessageEvent, ToolEvent, LLMEvent, FileEvent, TaskEvent),
    *(DecisionEvent, ActionItemEvent, ErrorEvent, SessionEvent),
)
"""Classes of the events that have a place in a conversation."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FOLDED_ROLES = frozenset(("system", "developer", "tool", "function"))
"""Who says what people rarely want to read: a fold, not a quote."""

_NO_SIGN = frozenset(("type", "id", "role", "tool_use_id"))
"""What tells nothing to people."""

_DEPTH = 8
"""What is nested deeper in a message is shown as data."""

_SIGN = 60
"""Characters of a parameter that stand in the line of a folded tool call."""


class Rendering:
    """Turns the events of one session into Markdown."""

    def __init__(self) -> None:
        self._in_list = False
        self._day = ""

    def add(self, event: Any) -> str:
        """Return what an event adds to the file; nothing where it has no place in a conversation."""
        render = _RENDERERS.get(type(event))
        content = "" if render is None else render(event)
        if not content:
            return ""
        piece = ""
        day, _ = moment(event.timestamp)
        if day and day != self._day:
            if self._day:
                piece = f"\n**{day}**\n"
                self._in_list = False
            self._day = day
        is_item = content.startswith("- ")
        gap = "" if is_item and self._in_list else "\n"
        self._in_list = is_item
        return f"{piece}{gap}{content}\n"


def moment(timestamp: float | None) -> tuple[str, str]:
    """Return the day and the time of day, UTC, of a timestamp; nothing where there is none."""
    try:
        text = (_EPOCH + timedelta(seconds=timestamp or 0.0)).isoformat()
    except (OverflowError, ValueError):  # beyond the year 9999
        return "", ""
    return ("", "") if timestamp is None else (text[:10], text[11:19])


def _clock(event: Any) -> str:
    return moment(event.timestamp)[1]


def _heading(title: str, event: Any) -> str:
    return " · ".join(part for part in (f"### {title}", _clock(event)) if part)


def _line(event: Any, *parts: str | None) -> str:
    """Return an item of a list: the time, and what is said."""
    return "- " + " · ".join(part for part in (_clock(event), *parts) if part)


def _duration(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{milliseconds} ms" if milliseconds < 1000 else f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds) // 60
    return f"{minutes} min {round(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def _outcome(event: Any) -> str | None:
    """Return what became of a task or a call, if it is anything else than success, on one line."""
    if event.cancelled:
        return "cancelled"
    return None if event.error is None else _failed(event)


def _failed(event: Any) -> str:
    return f"failed: {event.error_type}: {event.error}" if event.error_type else f"failed: {event.error}"


def _inline_outcome(event: Any) -> str | None:
    outcome = _outcome(event)
    return f"**{inline(outcome)}**" if outcome else None


# What is said


def _message(event: MessageEvent) -> str:
    role = event.role.strip() or "somebody"
    title = inline(role[:1].upper() + role[1:], 60)
    parts = list(_said(event.content))
    content = "\n\n".join(parts) or "*nothing*"
    if parts and all(part.startswith("<details>") for part in parts):  # nothing is said: a heading would be noise
        return content.replace("<summary>", f"<summary>{_clock(event)} · ", 1) if _clock(event) else content
    if role.lower() not in _FOLDED_ROLES:
        return f"{_heading(title, event)}\n\n{content}"
    summary = " · ".join(part for part in (_clock(event), f"<b>{html(title, 60)}</b>", _sign_of(event.content)) if part)
    return fold(summary, content)


def _said(content: Any, depth: int = 0) -> Iterator[str]:
    """Yield the parts of a message, in the forms that providers give them."""
    if content is None or content == "":
        return
    if isinstance(content, str):
        yield quote(content)
    elif isinstance(content, list) and depth < _DEPTH:
        for part in content:
            yield from _said(part, depth + 1)
    elif isinstance(content, dict) and depth < _DEPTH:
        yield _part(content, depth + 1)
    else:
        yield _data(content)


def _part(part: dict[str, Any], depth: int) -> str:
    kind = part.get("type")
    if isinstance(part.get("text"), str) and (part.keys() <= {"type", "text", "citations", "annotations"}):
        return quote(part["text"])
    if isinstance(part.get("parts"), list):
        return "\n\n".join(_said(part["parts"], depth)) or "*nothing*"
    if isinstance(part.get("thinking"), str):
        return fold("<i>thinking</i>", quote(part["thinking"]))
    name = part.get("name")
    title = f"<i>{html(kind if isinstance(kind, str) else 'data', 60)}</i>"
    if isinstance(name, str):
        title += f" <code>{html(name, 80)}</code>"
    for key in ("input", "arguments", "args"):
        if isinstance(part.get(key), dict):
            return fold(f"{title}{_suffix(part[key])}", _fields(part[key]) or "*nothing*")
    if kind == "tool_result":
        if part.get("is_error") is True:
            title += " <b>failed</b>"
        return fold(f"{title}{_suffix(part.get('content'))}", "\n\n".join(_output(part.get("content"))) or "*nothing*")
    return fold(title, _data(part))


def _output(content: Any, depth: int = 0) -> Iterator[str]:
    """Yield what a tool has returned: text as it stands, for it is rarely Markdown."""
    if isinstance(content, str):
        if content:
            yield fenced(content, "text")
    elif isinstance(content, list) and depth < _DEPTH:
        for part in content:
            has_text = isinstance(part, dict) and isinstance(part.get("text"), str)
            yield from _output(part["text"] if has_text else part, depth + 1)
    elif content is not None:
        yield _data(content)


def _suffix(value: Any) -> str:
    sign = _sign_of(value)
    return f" · {sign}" if sign else ""


def _sign_of(value: Any, depth: int = 0) -> str:
    """Return, as HTML, the first text in a value, by which a folded piece is told from the others."""
    if isinstance(value, str):
        first = value.strip().partition("\n")[0]
        return f"<code>{html(first, _SIGN)}</code>" if first else ""
    if isinstance(value, dict):
        value = [each for name, each in value.items() if name not in _NO_SIGN]
    if isinstance(value, list) and depth < _DEPTH:
        for each in value[:5]:
            if isinstance(each, str | list | dict) and (sign := _sign_of(each, depth + 1)):
                return sign
    return ""


# What is done


def _tool(event: ToolEvent) -> str:
    outcome = _outcome(event)
    summary = " · ".join(
        part
        for part in (
            _clock(event),
            f"<b>{html(event.name, 80)}</b>",
            _sign_of(event.params),
            _duration(event.duration_ms),
            f"<b>{html(outcome)}</b>" if outcome else "",
        )
        if part
    )
    content = [_fields(event.params)] if event.params else []
    if event.error is not None:
        content += ["Error:", fenced(event.error, "text")]
    return fold(summary, "\n\n".join(content) or "*no parameters*")


def _fields(fields: dict[str, Any]) -> str:
    """Return parameters: texts of several lines as such, everything else as JSON."""
    texts = {name: value for name, value in fields.items() if isinstance(value, str) and "\n" in value}
    rest = {name: value for name, value in fields.items() if name not in texts}
    blocks = [_data(rest)] if rest else []
    for name, value in texts.items():
        blocks += [f"{code(name, 80)}:", fenced(value, "text")]
    return "\n\n".join(blocks)


def _data(value: Any) -> str:
    try:
        text = orjson.dumps(value, None, orjson.OPT_INDENT_2)
    except TypeError:  # nested deeper than it writes; what it reads may be
        text = encode_value(value)
    return fenced(text.decode(), "json")


def _llm(event: LLMEvent) -> str:
    tokens = [
        f"{number:,} {what}"
        for number, what in ((event.input_tokens, "tokens in"), (event.output_tokens, "out"))
        if number is not None
    ]
    return _line(
        event,
        f"model {inline(f'{event.provider} {event.model}', 120)}",
        ", ".join(tokens),
        _duration(event.duration_ms),
        None if event.cost_usd is None else f"{event.cost_usd:.4g} US$",
        None if event.error is None else f"**{inline(_failed(event))}**",
    )


def _file(event: FileEvent) -> str:
    size = None if event.size_bytes is None else f"{event.size_bytes:,} bytes"
    lines = None if event.lines is None else f"{event.lines:,} lines"
    what = {"read": "read", "write": "**wrote**"}.get(event.operation) or inline(event.operation, 40)
    return _line(event, f"{what} {code(event.path)}", size, lines)


def _task(event: TaskEvent) -> str:
    name = f"task **{inline(event.name, 120)}**"
    if event.end_time is None:
        return _line(event, f"{name} begins")
    return _line(event, f"{name} ends", _duration(event.duration_ms), _inline_outcome(event))


# What stays


def _decision(event: DecisionEvent) -> str:
    parts = [_heading("Decision", event), quote(event.decision)]
    if event.reason:
        parts += ["Reason:", quote(event.reason)]
    if event.alternatives:
        parts += ["Not chosen:", "\n".join(f"- {inline(text_of(each))}" for each in event.alternatives)]
    return "\n\n".join(parts)


def _action_item(event: ActionItemEvent) -> str:
    return f"{_heading('Action item', event)}\n\n{action_item(event)}"


def action_item(event: ActionItemEvent) -> str:
    """Return an action item as a box to be ticked."""
    parts = [inline(event.item, 500) or "…"]
    if event.assignee:
        parts.append(inline(event.assignee, 80))
    if event.due:
        parts.append(f"due {inline(event.due, 40)}")
    return f"- [{'x' if event.done else ' '}] {' · '.join(parts)}"


def text_of(value: Any) -> str:
    """Return any data as a line of text."""
    return value if isinstance(value, str) else encode_value(value).decode()


def _error(event: ErrorEvent) -> str:
    kind = f"{event.error_type}: " if event.error_type else ""
    parts = [_heading("Error", event), quote(f"{kind}{event.message}")]
    if event.where:
        parts.append(f"At {code(event.where)}")
    if event.traceback:
        parts.append(fold("traceback", fenced(event.traceback, "text")))
    return "\n\n".join(parts)


def _session(event: SessionEvent) -> str:
    if event.event == "continued":
        return _heading(f"Run {event.run or 'next'}", event) + "\n\nThe session was opened again."
    if event.event == "dropped":
        return _line(event, f"**{event.dropped or 0:,} events were dropped here: the queue was full**")
    return ""


_RENDERERS: dict[type, Callable[[Any], str]] = {
    MessageEvent: _message,
    ToolEvent: _tool,
    LLMEvent: _llm,
    FileEvent: _file,
    TaskEvent: _task,
    DecisionEvent: _decision,
    ActionItemEvent: _action_item,
    ErrorEvent: _error,
    SessionEvent: _session,
}
