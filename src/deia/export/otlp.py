"""OpenTelemetry's traces as JSON lines, which a collector's `otlpjsonfile` receiver reads.

Each line is the request that an exporter would send, as https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
says; ids are hexadecimal and 64-bit integers are text, as https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
has it. Names of spans and attributes are those of the conventions for generative AI,
https://opentelemetry.io/docs/specs/semconv/gen-ai/; what they have no name for is under `deia.`.

Ids follow from the session's (`deia.trace`), so that the spans of sub-agents, and of other programs, fit; to export a
session twice gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from deia import trace
from deia.events import ErrorEvent, FileEvent, LLMEvent, MessageEvent, TaskEvent, ToolEvent
from deia.export.json_text import dumps
from deia.export.sources import Source
from deia.export.timeline import Begun, Ended, Item, Mark, Opened, Session, Span, claimed, details, timeline

BATCH_SPANS = 100
"""How many spans a line has, at most."""

EVENTS_KEPT = 128
"""How many events a span has, at most: the SDKs' own limit. What is more is counted (`droppedEventsCount`)."""

LONGEST_TEXT = 4096
"""Characters of a value; what is longer is cut, and ends in an ellipsis."""

_LARGEST = 2**63 - 1
"""An `intValue`; what is more is text."""

_INTERNAL, _CLIENT = 1, 3
_ERROR = 2


def otlp(sources: Iterable[Source]) -> Iterator[bytes]:
    """Yield the lines: spans as they ended, each session's own at its end; messages and errors are their events."""
    for source in sources:
        traces: dict[Session, _Trace] = {}
        for item in timeline(source.entries):
            found = traces.get(item.session)
            if found is None:
                found = traces[item.session] = _Trace(item.session, source.name)
            found.take(item)
            if len(found.spans) >= BATCH_SPANS or isinstance(item, Ended):
                yield found.line()


class _Events:
    """What happened in a span that is not over."""

    def __init__(self) -> None:
        self._kept: list[dict[str, Any]] = []
        self._dropped = 0

    def add(self, mark: Mark) -> None:
        if len(self._kept) >= EVENTS_KEPT:
            self._dropped += 1
            return
        self._kept.append(
            {"timeUnixNano": _nanoseconds(mark.at_us), "name": _event_name(mark), "attributes": _event_attributes(mark)}
        )

    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = {"events": self._kept} if self._kept else {}
        return found | ({"droppedEventsCount": self._dropped} if self._dropped else {})


class _Trace:
    """One session's spans.

    Attributes:
        spans: Those that are over, and in no line yet.
    """

    def __init__(self, session: Session, path: str) -> None:
        self.spans: list[dict[str, Any]] = []
        self._agent = session.agent_id or ""
        self._session = session.session_id or path  # of the original format
        self._trace_id = trace.trace_id_of(self._agent, self._session)
        self._parent: str | None = None
        self._events = _Events()
        self._open: dict[int, _Events] = {}

    def take(self, item: Item) -> None:
        if isinstance(item, Opened):
            parent = trace.parse(f"00-{item.trace_id}-{item.parent_span_id}-01")
            if parent is not None:
                self._trace_id, self._parent = parent
        elif isinstance(item, Begun):
            self._open[item.key] = _Events()
        elif isinstance(item, Span):
            self._end(item)
        elif isinstance(item, Mark):
            within = None if item.parent is None else self._open.get(item.parent)
            (self._events if within is None else within).add(item)
        else:
            self._end_session(item)

    def line(self) -> bytes:
        """Return the spans that are over as a line, and forget them."""
        scopes = [{"scope": {"name": "deia"}, "spans": self.spans}]
        resource = {"attributes": _attributes({"service.name": self._agent or "deia"})}
        line = orjson.dumps(
            {"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]}, None, orjson.OPT_APPEND_NEWLINE
        )
        self.spans = []
        return line

    def _end(self, span: Span) -> None:
        number = span.number if span.key is None else span.key
        name, kind, attributes = _described(span)
        if span.is_cut:
            attributes |= {"deia.cut": True, **{f"deia.{name}": value for name, value in claimed(span).items()}}
        events = self._open.pop(span.key, None) if span.begun and span.key is not None else None
        error = getattr(span.event, "error", None)
        self.spans.append(
            {
                **self._ids(number, trace.span_id_of(self._agent, self._session, span.parent)),
                **_times(name, kind, span.start_us, span.end_us),
                "attributes": _attributes({"deia.seq": span.event.seq, **attributes}),
                **({} if events is None else events.fields()),
                "status": {} if error is None else {"code": _ERROR, "message": _short(error)},
            }
        )

    def _end_session(self, ended: Ended) -> None:
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": self._agent or None,
            "gen_ai.conversation.id": self._session,
        }
        name = f"invoke_agent {self._agent}".rstrip()
        self.spans.append(
            {
                **self._ids(None, self._parent),
                **_times(name, _INTERNAL, ended.first_us, ended.last_us),
                "attributes": _attributes(attributes),
                **self._events.fields(),
                "status": {},
            }
        )

    def _ids(self, number: int | None, parent: str | None) -> dict[str, Any]:
        own = trace.span_id_of(self._agent, self._session, number)
        return {"traceId": self._trace_id, "spanId": own, **({} if parent is None else {"parentSpanId": parent})}


def _times(name: str, kind: int, start_us: int, end_us: int) -> dict[str, Any]:
    times = {"startTimeUnixNano": _nanoseconds(start_us), "endTimeUnixNano": _nanoseconds(end_us)}
    return {"name": name, "kind": kind, **times}


def _nanoseconds(microseconds: int) -> str:
    return str(max(0, microseconds) * 1000)  # the format has no time before 1970


def _described(span: Span) -> tuple[str, int, dict[str, Any]]:
    """Return a span's name, its kind and its attributes."""
    event = span.event
    failure = {
        "error.type": getattr(event, "error_type", None),
        "deia.cancelled": getattr(event, "cancelled", None) or None,
    }
    if isinstance(event, ToolEvent):
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.name,
            "gen_ai.tool.call.arguments": event.params or None,
        }
        return f"execute_tool {event.name}", _INTERNAL, attributes | failure
    if isinstance(event, LLMEvent):
        return f"chat {event.model}", _CLIENT, _of_model(event) | failure
    if isinstance(event, FileEvent):
        attributes = {
            "deia.file.operation": event.operation,
            "file.path": event.path,
            "file.size": event.size_bytes,
            "deia.file.lines": event.lines,
        }
        return event.operation, _INTERNAL, attributes
    assert isinstance(event, TaskEvent)
    attributes = {
        "deia.task.duration_ms": event.duration_ms,
        "deia.task.metadata": event.metadata or None,
        "deia.task.open": span.is_open or None,
        "deia.task.orphan": event.orphan or None,
    }
    return event.name, _INTERNAL, attributes | failure


def _of_model(event: LLMEvent) -> dict[str, Any]:
    first_ms = event.time_to_first_token_ms
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": event.provider,
        "gen_ai.request.model": event.model,  # a log has one name of it
        "gen_ai.response.model": event.model,
        "gen_ai.response.id": event.response_id,
        "gen_ai.usage.input_tokens": event.input_tokens,
        "gen_ai.usage.output_tokens": event.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": event.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": event.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": event.reasoning_tokens,
        "gen_ai.response.time_to_first_chunk": None if first_ms is None else first_ms / 1000,
        "deia.llm.attempt": event.attempt,
        "deia.llm.cost_usd": event.cost_usd,
        "deia.llm.metadata": event.metadata or None,
    }


def _event_name(mark: Mark) -> str:
    return "exception" if mark.kind == "error" else f"deia.{mark.kind}"


def _event_attributes(mark: Mark) -> list[dict[str, Any]]:
    event = mark.event
    if isinstance(event, ErrorEvent):
        return _attributes(
            {
                "exception.type": event.error_type,
                "exception.message": event.message,
                "exception.stacktrace": event.traceback,
                "deia.where": event.where,
            }
        )
    if isinstance(event, MessageEvent):
        return _attributes(
            {"deia.role": event.role, "deia.content": event.content, "deia.message_id": event.message_id}
        )
    named = {"deia.type": mark.name} if mark.kind == "event" else {}
    return _attributes(named | {f"deia.{name}": value for name, value in details(event).items()})


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is not null as attributes; what is neither text nor a number is JSON text."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -_LARGEST - 1 <= value <= _LARGEST:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    return {"stringValue": _short(value if isinstance(value, str) else dumps(value).decode())}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
