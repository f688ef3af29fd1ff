"""The second reading of a transcript: each record becomes the events that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from deia.importing import fields as of
from deia.importing.claude_code.bill import Bill
from deia.importing.claude_code.files import file_event
from deia.importing.claude_code.plan import Plan, Task
from deia.importing.claude_code.records import (
    Fields,
    blocks_of,
    mapping,
    message_of,
    model_of,
    sort_of,
    text,
    text_of,
)
from deia.importing.claude_code.steps import Call, Step
from deia.importing.claude_code.transcript import Transcript
from deia.importing.recording import PIECE_BYTES, OpenTask, Recording

SOURCE = "claude-code"
_PROVIDER = "anthropic"
_RECORD = "ClaudeCodeRecord"


@dataclass(slots=True)
class _Uses:
    """What was seen of a tool call so far.

    Attributes:
        given: Its input, once `used` is true.
        outcome: What the record of its result says beside that, once `returned` is true.
    """

    used: bool = False
    given: Any = None
    returned: bool = False
    outcome: Any = None


@dataclass(slots=True)
class _Agent:
    """What an agent is at.

    Attributes:
        base: The task that all of its work stands in.
        todos: The items that it has in progress, in the order in which it began them.
    """

    base: OpenTask | None = None
    todos: list[OpenTask] = field(default_factory=list)


class Mapping:
    """Turns the steps of a transcript into the lines of a journal."""

    def __init__(self, transcript: Transcript, recording: Recording, bill: Bill) -> None:
        """Prepare to map a transcript.

        Args:
            transcript: What is known of it by now.
            recording: Gets the events.
            bill: Says what model calls cost.
        """
        self._transcript = transcript
        self._recording = recording
        self._bill = bill
        self._plan = Plan(transcript)
        self._agents = [_Agent() for _ in transcript.chains]
        self._open: dict[Task, OpenTask] = {}
        self._uses: dict[str, _Uses] = {}
        self._last_usage: dict[str, Fields] = {}

    def lines(self) -> Iterator[bytes]:
        """Yield the journal's lines, in pieces.

        Raises:
            OSError: A file was changed since it was read first.
        """
        recording = self._recording
        recording.imported(SOURCE, self._transcript.about)
        for step in self._transcript.steps:
            self._map(step, self._transcript.sources[step.source].again(step.offset, step.length))
            if step.index in self._plan.starts or step.index in self._plan.ends:
                self._begin_and_end(step)
            if recording.size >= PIECE_BYTES:
                yield recording.take()
        yield recording.take()

    # Tasks

    def _begin_and_end(self, step: Step) -> None:
        ends = self._plan.ends.get(step.index, [])
        for task in ends:
            if task.first is not step:
                self._end(task, step)
        for task in self._plan.starts.get(step.index, []):
            self._start(task, step)
        for task in ends:
            if task.first is step:
                self._end(task, step)

    def _start(self, task: Task, step: Step) -> None:
        home = self._agents[task.home]
        parent = home.base if task.is_todo else self._innermost(task.home)
        begun = self._recording.start(task.name, step.time, None if parent is None else parent.task_id, task.metadata)
        self._open[task] = begun
        if task.is_todo:
            home.todos.append(begun)
        elif task.chain is not None:
            self._agents[task.chain].base = begun

    def _end(self, task: Task, step: Step) -> None:
        begun = self._open.pop(task)
        self._recording.complete(begun, step.time, task.outcome)
        if task.is_todo:
            self._agents[task.home].todos.remove(begun)
        elif task.chain is not None and self._agents[task.chain].base is begun:
            self._agents[task.chain].base = None

    def _innermost(self, chain: int) -> OpenTask | None:
        """Return the task that an agent is at; of a sub-agent that has none, that of the session's own agent."""
        agent = self._agents[chain]
        if agent.todos:
            return agent.todos[-1]
        return agent.base if agent.base is not None or not chain else self._innermost(0)

    # Events

    def _add(self, event: Fields, step: Step) -> None:
        task = self._innermost(step.chain)
        self._recording.add(event, step.time, None if task is None else task.task_id)

    def _map(self, step: Step, fields: Fields) -> None:
        kind, note = sort_of(fields)
        message = message_of(fields)
        if kind == "answer":
            self._answer(step, fields, message)
        elif kind == "results":
            self._results(step, fields, message)
        elif kind in ("prompt", "command", "interrupt"):
            self._add(of.message("user", _said(message.get("content")), metadata=_note(kind)), step)
        elif kind == "said":
            self._add(of.message("system", _said(message.get("content")), metadata=_note(note)), step)
        elif kind == "system":
            told: Fields = {"kind": "system", "subtype": fields.get("subtype"), "level": fields.get("level")}
            self._add(of.message("system", fields["content"], metadata=told), step)
        elif kind == "api-error":
            said = text_of(message.get("content")).strip() or "an API error without a text"
            self._add(of.error(text(fields.get("error")) or "api_error", said), step)
        elif kind == "retry":
            self._add(_retry(fields), step)
        else:
            self._add(of.record(_RECORD, text(fields.get("type")) or "unknown", fields), step)

    def _answer(self, step: Step, fields: Fields, message: Fields) -> None:
        if step.note and type(message.get("usage")) is dict:
            self._last_usage[step.note] = message["usage"]
        known = self._transcript.answers.get(step.note)
        if known is not None and known.last is step:
            since = None if known.since is None else step.time - known.since
            usage = self._last_usage.pop(step.note, {})
            cost_usd = of.number(fields.get("costUSD"))  # older versions of the program say it themselves
            if cost_usd is None:
                cost_usd = self._bill.cost_usd(model_of(fields), usage)
            self._add(_model_call(fields, usage, since, cost_usd), step)
        answer_id = text(message.get("id")) or None
        for block in blocks_of(message.get("content")):
            kind = block.get("type")
            if kind == "tool_use":
                self._use(step, block)
            elif kind == "thinking":
                thought = text(block.get("thinking"))
                self._add(of.message("assistant", thought, message_id=answer_id, metadata=_note("thinking")), step)
            elif said := _said([block]):
                self._add(of.message("assistant", said, message_id=answer_id), step)

    def _use(self, step: Step, block: Fields) -> None:
        key = text(block.get("id"))
        call = self._transcript.calls.get(key)
        if call is None or call.returned is None:
            if call is None or call.used is step:
                self._unanswered(step, block)
        elif call.used is step:
            uses = self._uses.setdefault(key, _Uses())
            uses.used, uses.given = True, block.get("input")
            self._see(step, key, call)

    def _unanswered(self, step: Step, block: Fields) -> None:
        name = text(block.get("name")) or "unknown"
        event = of.tool(name, block.get("input"), of.duration(0.0), of.cancellation("unanswered"))
        self._add(event, step)

    def _results(self, step: Step, fields: Fields, message: Fields) -> None:
        blocks = blocks_of(message.get("content"))
        results = [block for block in blocks if block.get("type") == "tool_result"]
        for block in results:
            key = text(block.get("tool_use_id"))
            call = self._transcript.calls.get(key)
            if call is None or call.used is None:
                told = {"kind": "tool-output", "tool_use_id": key or None}
                self._add(of.message("tool", _said(block.get("content")), metadata=told), step)
            elif call.returned is step:
                uses = self._uses.setdefault(key, _Uses())
                uses.returned, uses.outcome = True, fields.get("toolUseResult") if len(results) == 1 else None
                self._see(step, key, call)
        others = [block for block in blocks if block.get("type") != "tool_result"]
        if others:
            self._add(of.message("system", _said(others), metadata=_note("beside-results")), step)

    def _see(self, step: Step, key: str, call: Call) -> None:
        """Record a tool call when both its call and its result were seen, in whatever order their clocks put them."""
        uses = self._uses[key]
        if not (uses.used and uses.returned):
            return
        del self._uses[key]
        assert call.used is not None
        assert call.returned is not None
        since = self._plan.own_since.get(key, call.used.time)
        lasted = of.duration(call.returned.time - since)
        if not call.outcome and (event := file_event(call.name, mapping(uses.given), uses.outcome)):
            self._add({**event, **lasted}, step)
        event = of.tool(call.name, uses.given, lasted, call.outcome)
        inside = self._open.get(self._plan.agent_tasks[key]) if key in self._plan.agent_tasks else None
        if inside is None:
            self._add(event, step)
        else:
            self._recording.add(event, step.time, inside.task_id)


def _note(kind: str) -> Fields:
    return {} if kind == "prompt" else {"kind": kind}


def _said(content: Any) -> Any:
    """Return a message's content: its text, where it is nothing else; pictures and the like only by their size."""
    blocks = blocks_of(content)
    if all(block.get("type") == "text" for block in blocks):
        return text_of(content)
    return [_shown(block) for block in blocks]


def _shown(block: Fields) -> Fields:
    source = mapping(block.get("source"))
    data = source.get("data")
    if source.get("type") != "base64" or type(data) is not str:
        return block
    size = len(data.rstrip("=")) * 3 // 4
    return {**block, "source": {**source, "data": f"[{size} bytes]"}}


def _model_call(fields: Fields, usage: Fields, since: float | None, cost_usd: float | None) -> Fields:
    """Return the fields of an LLMEvent; Anthropic's `input_tokens` leave out what has to do with the cache."""
    message = message_of(fields)
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    whole = usage.get("input_tokens")
    parts = [part for part in (whole, read, written) if type(part) is int]
    metadata = {"stop_reason": message.get("stop_reason"), "service_tier": usage.get("service_tier")}
    return {
        "type": "LLMEvent",
        "provider": _PROVIDER,
        "model": model_of(fields),
        **of.count("input_tokens", sum(parts) if type(whole) is int and min(parts) >= 0 else whole),
        **of.count("output_tokens", usage.get("output_tokens")),
        **of.count("cache_read_tokens", read),
        **of.count("cache_write_tokens", written),
        "reasoning_tokens": None,
        **of.duration(since),
        "time_to_first_token_ms": None,
        "cost_usd": cost_usd,
        "response_id": text(message.get("id")) or None,
        "attempt": None,
        "error_type": None,
        "error": None,
        "metadata": {name: value for name, value in metadata.items() if value is not None},
    }


def _retry(fields: Fields) -> Fields:
    """Return the fields of the ErrorEvent of a request that failed and will be tried again."""
    kind, said = "api_error", text(fields.get("content"))
    inner = mapping(fields.get("error"))
    for _ in range(4):  # as deep as the provider's error is wrapped
        if inner.get("type") not in (None, "error"):
            kind = text(inner.get("type")) or kind
        said = text(inner.get("message")) or said
        inner = mapping(inner.get("error"))
    names = ("retryAttempt", "maxRetries", "retryInMs")
    told = {name: fields[name] for name in names if name in fields}
    return of.error(kind, said or "an API error without a text", {"kind": "retry", **told})
