"""The events of a session and the figures made from them: plain data.

Names, fields and their order up to the marked line are those of the original module; what stands after it has a default
and takes no part in comparisons, so that an event read back equals the one a caller would have made by hand.

Every event has, beside its own fields, what its line carries (None where the line did not say): `seq`, its place in the
session, from 1; `timestamp`, when it was logged, Unix seconds; `agent_id` and `session_id`, whose event it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TaskEvent:
    """A task's start (`end_time` is None) or its completion.

    Attributes:
        name: Name of the task.
        start_time: Unix seconds.
        end_time: Unix seconds, or None while the task is open.
        metadata: The start's, with the completion's merged over it.
        duration_ms: Milliseconds: the caller's word where given, else measured.
        task_id: `seq` of the task's start line.
        parent_id: `task_id` of the task it was started in.
        orphan: True for a completion without a start.
        error_type: Of a task that failed: what kind of error ended it.
        error: What the error said; not empty then.
        cancelled: True for the completion of a task that was cancelled.
    """

    name: str
    start_time: float
    end_time: float | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    # ours
    duration_ms: int | None = field(default=None, compare=False, kw_only=True)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    parent_id: int | None = field(default=None, compare=False, kw_only=True)
    orphan: bool = field(default=False, compare=False, kw_only=True)
    error_type: str | None = field(default=None, compare=False, kw_only=True)
    error: str | None = field(default=None, compare=False, kw_only=True)
    cancelled: bool = field(default=False, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class FileEvent:
    """A file was read or written.

    Attributes:
        path: Path of the file, as the caller gave it.
        operation: `"read"` or `"write"`.
        size_bytes: Bytes read or written.
        lines: Lines written.
        duration_ms: Milliseconds it took, where the line says.
        task_id: Innermost task that was open.
    """

    path: str
    operation: str
    size_bytes: int | None = None
    lines: int | None = None
    # ours
    duration_ms: int | None = field(default=None, compare=False, kw_only=True)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class ToolEvent:
    """A tool was called.

    Attributes:
        name: Name of the tool.
        params: What it was called with.
        duration_ms: Milliseconds it took.
        error_type: Of a call that failed: what kind of error ended it.
        error: What the error said; not empty then.
        cancelled: True where it was cancelled.
        task_id: Innermost task that was open.
    """

    name: str
    params: dict[str, Any]
    duration_ms: int
    # ours
    error_type: str | None = field(default=None, compare=False, kw_only=True)
    error: str | None = field(default=None, compare=False, kw_only=True)
    cancelled: bool = field(default=False, compare=False, kw_only=True)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class LLMEvent:
    """A model was called. What the caller did not say is None.

    Attributes:
        provider: Who answered: `"anthropic"`, `"openai"`, …
        model: Which model.
        input_tokens: The whole input, what came from the provider's cache or went into it included.
        output_tokens: The whole output, reasoning included.
        cache_read_tokens: Of the input, what was read from the cache.
        cache_write_tokens: Of the input, what was written to the cache.
        reasoning_tokens: Of the output, what was reasoning.
        duration_ms: Milliseconds from the request to the end of the response.
        time_to_first_token_ms: Milliseconds to the first of a streamed response.
        cost_usd: US dollars.
        response_id: The provider's name for the response; tokens and costs count once for each.
        attempt: Which try of the same request this was, from 1.
        error_type: Where it failed: what kind of error.
        error: Where it failed: what the error said; not empty then.
        metadata: Anything worth keeping with it.
        task_id: Innermost task that was open.
    """

    provider: str
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    duration_ms: int | None = None
    time_to_first_token_ms: int | None = None
    cost_usd: float | None = None
    response_id: str | None = None
    attempt: int | None = None
    error_type: str | None = None
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class MessageEvent:
    """Somebody said something: the user, the model, a tool.

    Attributes:
        role: Who: `"user"`, `"assistant"`, `"system"`, `"tool"`, …
        content: What: text, or the parts of the message as the provider has them.
        message_id: A name for it; of a model's answer, the `response_id` of its call.
        metadata: Anything worth keeping with it.
        task_id: Innermost task that was open.
    """

    role: str
    content: Any
    message_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class ErrorEvent:
    """Something went wrong.

    Attributes:
        error_type: What kind of error: the exception's type, with its module unless it is built in.
        message: What it said.
        where: Where it was raised: `path:line in function`.
        traceback: How it came about, as Python shows it.
        metadata: Anything worth keeping with it.
        task_id: Innermost task that was open.
    """

    error_type: str | None
    message: str
    where: str | None = None
    traceback: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class DecisionEvent:
    """Something was decided.

    Attributes:
        decision: What.
        reason: Why.
        alternatives: What was not chosen.
        metadata: Anything worth keeping with it.
        task_id: Innermost task that was open.
    """

    decision: str
    reason: str | None = None
    alternatives: list[Any] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class ActionItemEvent:
    """Something is to be done by somebody, or was done.

    Attributes:
        item: What; two events with the same are about the same.
        assignee: By whom.
        due: By when, as it was said.
        done: Whether it is done.
        metadata: Anything worth keeping with it.
        task_id: Innermost task that was open.
    """

    item: str
    assignee: str | None = None
    due: str | None = None
    done: bool = False
    metadata: dict[str, Any] = field(default_factory=dict)
    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class SessionEvent:
    """Something about the recording itself.

    Attributes:
        event: `"continued"` (the session was opened again) or `"dropped"` (events were lost on purpose).
        run: Number of the run that begins here, from 1.
        recovered_bytes: Bytes that came from the queue file of the run before.
        lost_bytes: Bytes that were cut as a torn end.
        dropped: Events dropped since the last such line.
    """

    event: str
    run: int | None = None
    recovered_bytes: int | None = None
    lost_bytes: int | None = None
    dropped: int | None = None
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class CustomEvent:
    """A base for event classes of your own, which have in these fields what their line carries, once they are read.

    Attributes:
        task_id: Innermost task that was open.
    """

    task_id: int | None = field(default=None, compare=False, kw_only=True)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


@dataclass
class UnknownEvent:
    """An event of a type that is neither of this package's nor registered here, kept as it stands.

    Attributes:
        type: The line's `type`.
        fields: The whole line.
    """

    type: str
    fields: dict[str, Any] = field(default_factory=dict)
    seq: int | None = field(default=None, compare=False, kw_only=True)
    timestamp: float | None = field(default=None, compare=False, kw_only=True)
    agent_id: str | None = field(default=None, compare=False, kw_only=True)
    session_id: str | None = field(default=None, compare=False, kw_only=True)


LoggedEvent = TaskEvent | FileEvent | ToolEvent | LLMEvent | MessageEvent | ErrorEvent | DecisionEvent | ActionItemEvent
"""What a log call records."""

AnyEvent = LoggedEvent | SessionEvent | UnknownEvent


_TEXTS = frozenset(
    (
        *("name", "path", "params", "metadata", "given_duration_ms"),
        *("provider", "model", "response_id", "given_time_to_first_token_ms", "given_cost_usd"),
        *("role", "content", "message_id", "error_type", "error", "message", "where", "traceback"),
        *("decision", "reason", "alternatives", "item", "assignee", "due"),
    )
)

CARRIED = frozenset(
    (
        *("type", "task_id", "seq", "timestamp", "agent_id", "session_id", "v"),
        *("session_start", "parent_session_id", "trace_id", "parent_span_id"),
    )
)
"""The fields that a line may have whatever its event is; no event of a user's own may call one of its own like that."""

_OURS = frozenset(
    (
        *("TaskEvent", "FileEvent", "ToolEvent", "LLMEvent", "MessageEvent", "ErrorEvent"),
        *("DecisionEvent", "ActionItemEvent", "SessionEvent", "UnknownEvent"),
    )
)


def is_custom(fields: dict[str, Any]) -> bool:
    """Whether a line is of an event class of a user's own."""
    return fields.get("type", "UnknownEvent") not in _OURS


def given_in(fields: dict[str, Any]) -> list[str]:
    """Return the names of the fields of a line that its caller gave, and that may hold text."""
    if is_custom(fields):
        return [name for name in fields if name not in CARRIED]
    return [name for name in fields if name in _TEXTS]


@dataclass
class SessionSummary:
    """What a session did so far.

    Attributes:
        total_duration_ms: Time recorded, milliseconds: since construction, and in a continued session that of its
            earlier runs.
        tasks_completed: Completed runs of tasks.
        files_read: Reads logged.
        files_written: Writes logged.
        tool_calls_count: Tool calls logged.
        velocity: Completed tasks per hour; 0.0 where `total_duration_ms` is under 1.
    """

    total_duration_ms: int
    tasks_completed: int
    files_read: int
    files_written: int
    tool_calls_count: int
    velocity: float
