"""The first reading of a transcript: what there is, when it was, and what belongs together."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import Any

from deia.importing import fields as of
from deia.importing.claude_code.records import (
    AGENT_TOOLS,
    CAUSES,
    CHAINED,
    LEFT_OUT,
    Fields,
    answer_key,
    blocks_of,
    failure_of,
    is_stopped,
    mapping,
    message_of,
    model_of,
    prompt_title,
    sort_of,
    text,
    text_of,
)
from deia.importing.claude_code.steps import Answer, Call, Chain, Step, Todos
from deia.importing.moments import unix_seconds
from deia.importing.origin import Trail
from deia.importing.source import Record, Source

_ABOUT = (("cwd", "cwd"), ("version", "version"), ("gitBranch", "git_branch"))
"""What records say of the session as a whole, and what we call it."""


class Transcript:
    """What one session's files hold, known by reading them once.

    Attributes:
        sources: The files, the session's own one first.
        steps: Their records, in the order of time; those without one stand behind the one that they follow.
        answers: Of each answer's key, what belongs to it.
        calls: Of each call's id, the same.
        chains: Who did something.
        trails: Of each file, which records it has.
        session_ids: What the session's own records call it, each once, in order.
        models: Which models have answered, each once, in order.
        left_out: How many records of which type are not imported.
        about: What is known of the session as a whole.
    """

    def __init__(self, sources: list[Source]) -> None:
        """Read files to their end.

        Args:
            sources: The session's own file, and those of its sub-agents.

        Raises:
            OSError: One cannot be read.
        """
        self.sources = sources
        self.steps: list[Step] = []
        self.answers: dict[str, Answer] = {}
        self.calls: dict[str, Call] = {}
        self.chains = [Chain()]
        self.trails = [Trail() for _ in sources]
        self.session_ids: dict[str, None] = {}
        self.models: dict[str, None] = {}
        self.left_out: Counter[str] = Counter()
        self.about: dict[str, Any] = {}
        self._chain_of: dict[tuple[int, str], int] = {}
        for number, source in enumerate(sources):
            self._read(number, source)
        self.steps.sort(key=attrgetter("time"))  # stable: what has the same time stays in the file's order
        self._connect()

    @property
    def is_one(self) -> bool:
        """Whether anything was done in it that transcripts tell of."""
        return any(step.kind != "other" for step in self.steps)

    def _read(self, number: int, source: Source) -> None:
        begin = len(self.steps)
        time: float | None = None
        for record in source.read():
            self.trails[number].add(record.fields, record.length)
            found = unix_seconds(record.fields.get("timestamp"))
            if found is not None:
                if time is None:
                    for step in self.steps[begin:]:  # what stands before the first time that there is
                        step.time = found
                time = found
            self._take(number, record, time or 0.0)

    def _take(self, number: int, record: Record, time: float) -> None:
        fields = record.fields
        kind, _ = sort_of(fields)
        if kind == "summary":
            summary = {"summary": fields["summary"], "leaf": text(fields.get("leafUuid")) or None}
            self.about.setdefault("summaries", []).append(summary)
            return
        if kind == "other" and text(fields.get("type")) in LEFT_OUT:
            self.left_out[fields["type"]] += 1
            return
        chain = self._chain(number, fields)
        step = Step(number, record.offset, record.length, kind, time, chain)
        self.steps.append(step)
        if not chain and (session_id := text(fields.get("sessionId"))):
            self.session_ids[session_id] = None
        for name, ours in _ABOUT:
            if ours not in self.about and text(fields.get(name)):
                self.about[ours] = fields[name]
        if kind in ("prompt", "command"):
            step.note = prompt_title(fields)
        elif kind == "said" and chain and self.chains[chain].prompt is None:
            said = text_of(message_of(fields).get("content"))
            self.chains[chain].prompt, self.chains[chain].title = hash(said), of.title(said, "sub-agent")
        elif kind == "answer":
            step.note = answer_key(fields) or ""
            self.models[model_of(fields)] = None
            self._uses(step, fields)
        elif kind == "results":
            self._results(step, fields)

    def _chain(self, number: int, fields: Fields) -> int:
        """Return who did it. Where a sub-agent's records do not name it, each follows another one, by its `uuid`."""
        if fields.get("isSidechain") is not True:
            return 0
        agent_id = text(fields.get("agentId"))
        if agent_id:
            return self._chain_called((-1, agent_id), agent_id)
        uuid, parent = text(fields.get("uuid")), text(fields.get("parentUuid"))
        chain = self._chain_called((number, parent), "") if parent else self._new_chain("")
        if uuid:
            self._chain_of[number, uuid] = chain
        return chain

    def _chain_called(self, key: tuple[int, str], agent_id: str) -> int:
        chain = self._chain_of.get(key)
        if chain is None:
            chain = self._chain_of[key] = self._new_chain(agent_id)
        return chain

    def _new_chain(self, agent_id: str) -> int:
        self.chains.append(Chain(agent_id))
        return len(self.chains) - 1

    def _uses(self, step: Step, fields: Fields) -> None:
        for block in blocks_of(message_of(fields).get("content")):
            key = text(block.get("id"))
            if block.get("type") != "tool_use" or not key:
                continue
            call = self.calls.setdefault(key, Call())
            if call.used is not None:
                continue  # a copy
            call.name, call.used = text(block.get("name")) or "unknown", step
            given = mapping(block.get("input"))
            if call.name in AGENT_TOOLS:
                prompt = text(given.get("prompt"))
                call.prompt = hash(prompt) if prompt else None
                call.agent_type = text(given.get("subagent_type"))
                call.title = of.title(text(given.get("description")) or prompt, call.agent_type or "sub-agent")
            elif call.name == "TodoWrite":
                call.todos = _todos(given.get("todos"))

    def _results(self, step: Step, fields: Fields) -> None:
        outcome = fields.get("toolUseResult")
        for block in blocks_of(message_of(fields).get("content")):
            key = text(block.get("tool_use_id"))
            if block.get("type") != "tool_result" or not key:
                continue
            call = self.calls.setdefault(key, Call())
            if call.returned is not None:
                continue  # a copy
            call.returned = step
            call.agent_id = text(mapping(outcome).get("agentId"))
            stopped, failed = is_stopped(block, outcome), failure_of(block)
            call.outcome = of.cancellation(stopped) if stopped else of.failure(*failed) if failed else {}

    def _connect(self) -> None:
        """Give each step its place, and find where chains and answers begin and end."""
        before: dict[int, float] = {}
        for index, step in enumerate(self.steps):
            step.index = index
            if step.kind in CHAINED:
                chain = self.chains[step.chain]
                chain.first = chain.first or step
                chain.last = step
            if step.kind == "answer" and step.note:
                known = self.answers.get(step.note)
                if known is None:
                    self.answers[step.note] = Answer(before.get(step.chain), step)
                else:
                    known.last = step
            if step.kind in CAUSES:
                before[step.chain] = step.time


def _todos(given: object) -> Todos:
    items = given if type(given) is list else []
    pairs = [(text(mapping(item).get("content")), text(mapping(item).get("status"))) for item in items]
    return [(content, status) for content, status in pairs if content]
