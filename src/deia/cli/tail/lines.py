"""One event as one line that people read."""

from __future__ import annotations

from datetime import datetime

from deia.cli.brief import brief, one_line
from deia.cli.page import Span, Tone
from deia.cli.text import count, dollars, duration, named, named_model, plural, size
from deia.events import (
    CARRIED,
    ActionItemEvent,
    AnyEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
)
from deia.live.tail import Line
from deia.live.wanted import type_of
from deia.registry import BUILT_IN

_TYPE_WIDTH = 8
_INDENT = "  "
_DEEPEST = 20
"""Deeper tasks stand no further to the right: a line has to fit somewhere."""

_NAME = 100
"""How much of a name or a text is shown; `--json` has all of it."""

_ID = 12
"""Longer ids are shown by their end: that of a UUID differs, its beginning is a time."""

_DAY = slice(0, 10)
_TIME = slice(11, None)


class Lines:
    """Makes lines of events.

    Attributes:
        day: The date of the last line, where times are shown without it.
    """

    def __init__(self, *, with_date: bool) -> None:
        """Begin.

        Args:
            with_date: Whether each line has the date; else `day` says when it changes.
        """
        self._with_date = with_date
        self.day = ""

    def is_another_day(self, line: Line) -> bool:
        """Whether a line is the first of its day, and the date has to be shown before it."""
        if self._with_date:
            return False
        day = _moment(line.time)[_DAY]
        self.day, before = day, self.day
        return day != before

    def spans(self, line: Line, *, with_session: bool) -> list[Span]:
        """Return a line's parts.

        Args:
            line: The event.
            with_session: Whether to say whose it is.
        """
        event = line.entry.event
        moment = _moment(line.time)
        parts: list[Span] = [(moment if self._with_date else moment[_TIME], "quiet"), ("  ", "plain")]
        if with_session:
            parts += [(session_of(event.agent_id, event.session_id, line.path), "label"), ("  ", "plain")]
        parts.append((f"{type_label(type_of(event)):<{_TYPE_WIDTH}} ", "quiet"))
        parts.append((_INDENT * min(line.depth, _DEEPEST), "plain"))
        parts += _said(event)
        return parts


def type_label(name: str) -> str:
    """Return what a type of events is called: ours by their short names, others as their own programs call them."""
    return name.removesuffix("Event").lower() if name in BUILT_IN else one_line(name, _NAME)


def session_of(agent_id: str | None, session_id: str | None, path: str) -> str:
    """Return a short name for a session: its agent, and its id or what that ends with."""
    if agent_id is None or session_id is None:
        return one_line(path, _NAME)
    return f"{agent_id}/{session_id if len(session_id) <= _ID else '…' + session_id[1 - _ID :]}"


def _moment(unix_s: float) -> str:
    """Return a moment in the local time zone: `2026-11-22 14:28:01.250`."""
    try:
        return datetime.fromtimestamp(unix_s).isoformat(" ", "milliseconds")  # noqa: DTZ006  # whoever watches has a clock
    except (OverflowError, OSError, ValueError):  # a clock beyond the calendar
        return "????-??-?? ??:??:??.???"


def _said(event: AnyEvent) -> list[Span]:
    """Return what an event says, without what all lines say."""
    if isinstance(event, TaskEvent):
        return _task(event)
    if isinstance(event, ToolEvent):
        return [*_named(event.name), *_took(event.duration_ms), *_failed(event), *_more(event.params)]
    if isinstance(event, FileEvent):
        return _file(event)
    if isinstance(event, LLMEvent):
        return _llm(event)
    if isinstance(event, MessageEvent):
        content = event.content
        said = one_line(content, _NAME) if isinstance(content, str) else brief(content, _NAME)
        return [(f"{one_line(event.role, _NAME)}: ", "name"), (said, "plain")]
    if isinstance(event, ErrorEvent):
        where: list[Span] = [] if event.where is None else [(f"  ({one_line(event.where, _NAME)})", "quiet")]
        return [(_error(event.error_type, event.message), "bad"), *where]
    if isinstance(event, DecisionEvent):
        reason = "" if event.reason is None else f"  ({one_line(event.reason, _NAME)})"
        return [*_named(event.decision), (reason, "quiet")]
    if isinstance(event, ActionItemEvent):
        about = [one_line(text, _NAME) for text in (event.assignee, event.due) if text is not None]
        done: Tone = "good" if event.done else "plain"
        return [
            ("[x] " if event.done else "[ ] ", done),
            *_named(event.item),
            ("".join(f"  {a}" for a in about), "quiet"),
        ]
    if isinstance(event, SessionEvent):
        return _session(event)
    return [(brief({name: value for name, value in event.fields.items() if name not in CARRIED}), "plain")]


def _task(event: TaskEvent) -> list[Span]:
    if event.end_time is None:
        return [("start ", "plain"), *_named(event.name), *_more(event.metadata)]
    took = event.duration_ms
    if took is None:
        took = round((event.end_time - event.start_time) * 1000)
    word, tone = _end_of(event)
    orphan: list[Span] = [("  (no start was logged)", "quiet")] if event.orphan else []
    return [(f"{word:<5} ", tone), *_named(event.name), *_took(took), *_failed(event, said=True), *orphan]


def _end_of(event: TaskEvent) -> tuple[str, Tone]:
    if event.cancelled:
        return "cancelled", "quiet"
    return ("failed", "bad") if event.error is not None else ("done", "good")


def _file(event: FileEvent) -> list[Span]:
    sizes = [] if event.size_bytes is None else [size(event.size_bytes)]
    if event.lines is not None:
        sizes.append(plural(event.lines, "line"))
    path: Span = (one_line(event.path, _NAME), "name")
    return [(f"{one_line(event.operation, _NAME):<5} ", "plain"), path, ("".join(f"  {s}" for s in sizes), "plain")]


def _llm(event: LLMEvent) -> list[Span]:
    parts = [*_named(named_model(f"{event.provider}/{event.model}")), *_took(event.duration_ms)]
    if event.input_tokens is not None or event.output_tokens is not None:
        into, out = (("?" if n is None else count(n)) for n in (event.input_tokens, event.output_tokens))
        parts.append((f"  {into} tokens in, {out} out", "plain"))
    if event.cost_usd is not None:
        parts.append((f"  {dollars(event.cost_usd)}", "plain"))
    if event.attempt is not None and event.attempt > 1:
        parts.append((f"  attempt {count(event.attempt)}", "quiet"))
    if event.error is not None:
        parts.append((f"  failed: {_error(event.error_type, event.error)}", "bad"))
    return parts


def _session(event: SessionEvent) -> list[Span]:
    if event.event == "continued":
        lost = f", {size(event.lost_bytes)} cut as a torn end" if event.lost_bytes else ""
        return [(f"continued: run {count(event.run or 0)}{lost}", "label")]
    if event.event == "dropped":
        return [(f"{plural(event.dropped or 0, 'event')} dropped because the queue was full", "bad")]
    return [(one_line(event.event, _NAME), "plain")]


def _named(name: str) -> list[Span]:
    return [(one_line(named(name), _NAME), "name")]


def _took(milliseconds: float | None) -> list[Span]:
    return [] if milliseconds is None else [(f"  {duration(milliseconds)}", "plain")]


def _failed(event: TaskEvent | ToolEvent, *, said: bool = False) -> list[Span]:
    """Say how something failed; `said` where it was said before that it did."""
    if event.error is not None:
        return [(f"  {'' if said else 'failed: '}{_error(event.error_type, event.error)}", "bad")]
    return [("  cancelled", "quiet")] if event.cancelled and not said else []


def _error(error_type: str | None, message: str) -> str:
    text = one_line(message, _NAME)
    return text if error_type is None else f"{one_line(error_type, _NAME)}: {text}"


def _more(values: dict[str, object]) -> list[Span]:
    return [(f"  {brief(values)}", "quiet")] if values else []
