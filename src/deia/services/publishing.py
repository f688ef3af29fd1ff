"""Record events as objects: those of this package, and of the users' own classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from deia.events import (
    ActionItemEvent,
    DecisionEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    TaskEvent,
    ToolEvent,
)
from deia.line import encode_value
from deia.plain import readable
from deia.queue.producer import OTHER
from deia.queue.tasks import entered_last
from deia.redaction.names import kind_of
from deia.registry import EventClass, event_class
from deia.services import arguments
from deia.services.failures import failure
from deia.services.recording import Recording

if TYPE_CHECKING:
    from deia.services.session_logger import SessionLogger


class Publishing(Recording):
    """The call that records any event."""

    def publish(self, event: object) -> None:
        """Record an event: one of this package's as its log call does, a dataclass of your own under its class's name.

        A `TaskEvent` without `end_time` starts a task, one with completes it. What an event of this package has in
        `seq`, `timestamp`, `agent_id`, `session_id`, `task_id`, `parent_id` and `orphan` is not looked at, nor a task's
        `start_time`: its line has its own.

        Args:
            event: An instance of a dataclass.

        Raises:
            TypeError: It is none, or its class is one that cannot be published.
            ValueError: See `deia.register_event`; or the event is wrong in itself, as for its log call.
        """
        record = _CALLS.get(type(event))
        if record is not None:
            record(self, event)  # type: ignore[arg-type]  # it is a logger that this is a part of
        else:
            self._log_custom(event)

    def _log_custom(self, event: object) -> None:
        if isinstance(event, type):
            raise TypeError(f"an event is an instance of its class, not the class: {readable(event)}")
        known = event_class(type(event))
        producer = self._producer
        if producer is None:
            return
        fields: dict[str, Any] = {"type": known.name}
        for name in known.fields:
            value = getattr(event, name, None)
            fields[name] = value if type(value) is str else orjson.Fragment(encode_value(value))
        self._log(producer, fields, OTHER, entered_last(), suspects=_always if _tells_secrets(known) else None)


@functools.lru_cache(maxsize=1024)
def _tells_secrets(known: EventClass) -> bool:
    """Whether a field's name may say that its value is secret; those of our own events do not, and are not asked."""
    return any(kind_of(name) is not None or name == "value" for name in known.fields)


def _always(_: bytes) -> bool:
    return True


def _publish_task(log: SessionLogger, event: TaskEvent) -> None:
    if event.end_time is None:
        log.log_task_start(event.name, event.metadata)
    else:
        log._complete_task(event.name, event.duration_ms, event.metadata, _outcome(event))


def _publish_file(log: SessionLogger, event: FileEvent) -> None:
    if event.operation == "read":
        log.log_file_read(event.path, event.size_bytes, duration_ms=event.duration_ms)
    elif event.operation == "write":
        log.log_file_write(event.path, event.size_bytes, event.lines, duration_ms=event.duration_ms)
    else:
        raise ValueError(f"operation must be 'read' or 'write', not {readable(event.operation)}")


def _publish_tool(log: SessionLogger, event: ToolEvent) -> None:
    outcome = _outcome(event)
    producer = log._producer
    if not outcome or producer is None:
        log.log_tool_call(event.name, event.params, event.duration_ms)
        return
    name = arguments.text("tool_name", event.name)
    duration = log._duration_fields(event.duration_ms)
    params = orjson.dumps(arguments.mapping(event.params))
    log._log_tool(producer, name, params, duration, outcome, entered_last())


def _outcome(event: TaskEvent | ToolEvent) -> dict[str, Any]:
    outcome: dict[str, Any] = {}
    if event.error is not None or event.error_type is not None:
        outcome = failure(event.error, event.error_type)
    if event.cancelled:
        outcome["cancelled"] = True
    return outcome


def _publish_llm(log: SessionLogger, event: LLMEvent) -> None:
    log.log_llm_call(
        event.provider,
        event.model,
        event.input_tokens,
        event.output_tokens,
        cache_read_tokens=event.cache_read_tokens,
        cache_write_tokens=event.cache_write_tokens,
        reasoning_tokens=event.reasoning_tokens,
        duration_ms=event.duration_ms,
        time_to_first_token_ms=event.time_to_first_token_ms,
        cost_usd=event.cost_usd,
        response_id=event.response_id,
        attempt=event.attempt,
        error=event.error,
        error_type=event.error_type,
        metadata=event.metadata,
    )


def _publish_message(log: SessionLogger, event: MessageEvent) -> None:
    log.log_message(event.role, event.content, message_id=event.message_id, metadata=event.metadata)


def _publish_error(log: SessionLogger, event: ErrorEvent) -> None:
    log.log_error(
        event.message,
        error_type=event.error_type,
        where=event.where,
        traceback=event.traceback,
        metadata=event.metadata,
    )


def _publish_decision(log: SessionLogger, event: DecisionEvent) -> None:
    log.log_decision(event.decision, reason=event.reason, alternatives=event.alternatives, metadata=event.metadata)


def _publish_action_item(log: SessionLogger, event: ActionItemEvent) -> None:
    log.log_action_item(event.item, assignee=event.assignee, due=event.due, done=event.done, metadata=event.metadata)


_CALLS: dict[type, Callable[[SessionLogger, Any], None]] = {
    TaskEvent: _publish_task,
    FileEvent: _publish_file,
    ToolEvent: _publish_tool,
    LLMEvent: _publish_llm,
    MessageEvent: _publish_message,
    ErrorEvent: _publish_error,
    DecisionEvent: _publish_decision,
    ActionItemEvent: _publish_action_item,
}
