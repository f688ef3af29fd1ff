"""What is kept of a transcript's records between its two readings."""

from __future__ import annotations

from dataclasses import dataclass, field

from deia.importing.claude_code.records import Fields, Kind

Todos = list[tuple[str, str]]
"""Items of a list of things to do, each with its status."""


@dataclass(slots=True)
class Step:
    """One record, by what has to be known of it before all are read.

    Attributes:
        source: Which of the files it is in.
        offset: Where it stands there.
        length: How long it is.
        kind: What it is.
        time: When it was, Unix seconds.
        chain: Who did it: 0 is the session's own agent, each sub-agent has a number of its own.
        note: Of an answer: its key. Of what a person said: its short form.
        index: Its place in the order of time.
    """

    source: int
    offset: int
    length: int
    kind: Kind
    time: float
    chain: int
    note: str = ""
    index: int = 0


@dataclass(slots=True)
class Answer:
    """One answer of a model, which may take several records.

    Attributes:
        since: When what it answers to was there; None where nothing is before it.
        last: The step that holds its last record.
    """

    since: float | None
    last: Step


@dataclass(slots=True)
class Call:
    """One call of a tool.

    Attributes:
        name: The tool; empty where only its result is there.
        used: The step that calls it.
        todos: The list that it writes, if it writes one.
        title: What a sub-agent is for; empty where it starts none.
        prompt: What that was asked, as a hash.
        agent_type: Which kind of sub-agent.
        agent_id: Its name, once it is known.
        returned: The step that holds the result.
        outcome: What tells of a failure or of a cancellation.
    """

    name: str = ""
    used: Step | None = None
    todos: Todos | None = None
    title: str = ""
    prompt: int | None = None
    agent_type: str = ""
    agent_id: str = ""
    returned: Step | None = None
    outcome: Fields = field(default_factory=dict)


@dataclass(slots=True)
class Chain:
    """What one agent did.

    Attributes:
        agent_id: A sub-agent's name; empty for the session's own agent, and where records do not say.
        prompt: What it was asked, as a hash.
        title: The same, in short.
        first: Its first step, and
        last: its last; None where it has none.
    """

    agent_id: str = ""
    prompt: int | None = None
    title: str = ""
    first: Step | None = None
    last: Step | None = None
