"""Which tasks a transcript amounts to, and between which of its steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from deia.importing import fields as of
from deia.importing.claude_code.records import CHAINED, WORK, Fields
from deia.importing.claude_code.steps import Call, Step
from deia.importing.claude_code.transcript import Transcript


@dataclass(eq=False, slots=True)
class Task:
    """A task that is to be recorded; it begins and ends behind what its first and its last step tell.

    Attributes:
        name: Its name.
        home: The agent in whose work it stands: 0 is the session's own.
        first: The step that it begins with.
        last: The step that it ends with.
        metadata: What kind of task it is.
        chain: The agent whose work it is; None where no step is known to be in it.
        is_todo: Whether it is an item of a list of things to do.
        outcome: What tells of a failure or of a cancellation.
    """

    name: str
    home: int
    first: Step
    last: Step
    metadata: Fields
    chain: int | None = None
    is_todo: bool = False
    outcome: Fields = field(default_factory=dict)


class Plan:
    """The tasks of a transcript.

    Attributes:
        starts: Of each step's index, the tasks that begin with it, outermost first.
        ends: Of each step's index, those that end with it, innermost first.
        agent_tasks: Of each call that started a sub-agent, by its id, the sub-agent's task.
        own_since: Of such a call, when the last that its sub-agent did was, Unix seconds; where that is known.
    """

    def __init__(self, transcript: Transcript) -> None:
        """Make the tasks of a transcript."""
        self.starts: defaultdict[int, list[Task]] = defaultdict(list)
        self.ends: defaultdict[int, list[Task]] = defaultdict(list)
        self.agent_tasks: dict[str, Task] = {}
        self.own_since: dict[str, float] = {}
        self._transcript = transcript
        prompts = list(_prompts(transcript.steps))
        agents = sorted(self._agents(), key=lambda task: task.first.index)
        tasks = [*prompts, *agents, *self._todos([*prompts, *agents])]
        for task in tasks:
            self.starts[task.first.index].append(task)
        for task in sorted(tasks, key=lambda task: task.first.index)[::-1]:  # of two, the outer one stands before
            self.ends[task.last.index].append(task)

    def _agents(self) -> Iterator[Task]:
        """Yield the task of each sub-agent: from the call that starts it to the result, or to its own last step."""
        chains = self._transcript.chains
        chain_of = self._chains_of_calls()
        later: dict[int, Step] = {}
        calls = [(key, call, call.used) for key, call in self._transcript.calls.items() if call.title and call.used]
        for key, call, used in sorted(calls, key=lambda each: each[2].index, reverse=True):
            number = chain_of.get(key)
            own = None
            if number is not None:  # a sub-agent may be called again, and goes on then
                own = self._last_before(later[number], used, number) if number in later else chains[number].last
                later[number] = used
            seen = [step for step in (used, call.returned, own) if step is not None]
            metadata = _about(call.agent_type, call.agent_id or ("" if number is None else chains[number].agent_id))
            task = Task(call.title, used.chain, used, max(seen, key=attrgetter("index")), metadata, number)
            task.outcome = call.outcome if call.returned is not None else of.cancellation("unanswered")
            self.agent_tasks[key] = task
            if own is not None and call.returned is not None and used.index < own.index < call.returned.index:
                self.own_since[key] = own.time
            yield task
        known = set(chain_of.values())
        for number, chain in enumerate(chains):
            if number and number not in known and chain.first is not None and chain.last is not None:
                about = _about("", chain.agent_id)
                yield Task(chain.title or "sub-agent", 0, chain.first, chain.last, about, number)

    def _last_before(self, end: Step, begin: Step, chain: int) -> Step | None:
        """Return the last step of a sub-agent between two others."""
        steps = self._transcript.steps
        between = (steps[index] for index in range(end.index - 1, begin.index, -1))
        return next((step for step in between if step.chain == chain and step.kind in CHAINED), None)

    def _chains_of_calls(self) -> dict[str, int]:
        """Find the sub-agent that each call has started: by its name, else by what it was asked."""
        chains = self._transcript.chains
        calls = {key: call for key, call in self._transcript.calls.items() if call.title}
        by_name = {chain.agent_id: number for number, chain in enumerate(chains) if chain.agent_id}
        found = {key: by_name[call.agent_id] for key, call in calls.items() if call.agent_id in by_name}
        asked: defaultdict[int, list[str]] = defaultdict(list)
        for key, call in calls.items():
            if key not in found and call.prompt is not None:
                asked[call.prompt].append(key)
        taken = set(found.values())
        for number, chain in enumerate(chains):
            if number and number not in taken and chain.prompt is not None and asked.get(chain.prompt):
                found[asked[chain.prompt].pop(0)] = number
        return found

    def _todos(self, around: list[Task]) -> Iterator[Task]:
        """Yield the task of each item of a list of things to do, from `in_progress` to the next list without that.

        It ends with the prompt, or the sub-agent, in whose time it was begun: so its time is a part of that one's.
        """
        lists: defaultdict[int, list[tuple[Step, Call]]] = defaultdict(list)
        for call in self._transcript.calls.values():
            if call.todos is not None and call.used is not None and call.returned is not None and not call.outcome:
                lists[call.used.chain].append((call.used, call))
        for chain, written in lists.items():
            written.sort(key=lambda pair: pair[0].index)
            position = 0
            for task in around:
                if task.chain != chain:
                    continue
                while position < len(written) and written[position][0].index < task.first.index:
                    position += 1
                begin = position
                while position < len(written) and written[position][0].index <= task.last.index:
                    position += 1
                yield from _items(chain, written[begin:position], task.last)


def _about(agent_type: str, agent_id: str) -> Fields:
    about = {"kind": "agent", "agent_type": agent_type, "agent_id": agent_id}
    return {name: value for name, value in about.items() if value}


def _prompts(steps: list[Step]) -> Iterator[Task]:
    """Yield the task of each prompt: from the prompt to the last that was done before the next one."""
    task: Task | None = None
    for step in steps:
        if step.kind in ("prompt", "command") and step.chain == 0:
            if task is not None and _is_real(task):
                yield task
            task = Task(step.note, 0, step, step, {"kind": step.kind}, 0)
        elif task is not None and step.kind in WORK:
            task.last = step
            if step.kind == "interrupt":
                task.outcome = of.cancellation("interrupted")
    if task is not None and _is_real(task):
        yield task


def _is_real(task: Task) -> bool:
    """Whether anything came of it: a command of the program need not concern the agent at all."""
    return task.metadata["kind"] == "prompt" or task.last is not task.first


def _items(chain: int, written: list[tuple[Step, Call]], end: Step) -> Iterator[Task]:
    """Yield the tasks that lists of things to do, written one after the other, amount to."""
    in_progress: dict[str, Task] = {}
    for step, call in written:
        status = dict(call.todos or ())
        for content, task in list(in_progress.items()):
            if status.get(content) != "in_progress":
                task.last = step
                if status.get(content) != "completed":
                    task.outcome = of.cancellation("dropped")
                yield in_progress.pop(content)
        for content, state in status.items():
            if state == "in_progress" and content not in in_progress:
                name = of.title(content, "(no text)")
                in_progress[content] = Task(name, chain, step, end, {"kind": "todo"}, is_todo=True)
    for task in in_progress.values():
        task.outcome = of.cancellation("unfinished")
        yield task
