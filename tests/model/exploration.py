"""Breadth-first exploration of all states of a protocol, and what must hold in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from model.protocol_model import Protocol, State, encode


@dataclass(frozen=True)
class Exploration:
    """What an exploration found.

    Attributes:
        states: Every state that was reached.
        steps: How often each kind of step was taken.
        fault: What went wrong, or None.
        trace: The shortest way to it: each step, and the state after it.
    """

    states: Iterable[State]
    steps: Counter[str]
    fault: str | None
    trace: list[tuple[str, State]]

    def __str__(self) -> str:
        """Tell the fault and the way to it."""
        lines = [f"{step:34} {tell(state)}" for step, state in self.trace]
        return "\n".join([*lines, f"=> {self.fault}"])


def tell(state: State) -> str:
    """Return the parts of a state that a reader of a trace wants to see."""
    parts = [f"journal {state.disk.journal!r}"]
    if state.disk.queue is not None:
        parts.append(f"committed {state.disk.queue.committed} ring {state.disk.queue.ring!r}")
    if state.process is not None:
        calls = [" > ".join(f"{call.name} {call.at}" for call in stack) for stack in state.process.stacks]
        parts.append(f"flushed {state.process.flushed} [{' | '.join(calls)}]")
    if state.writes:
        parts.append("writes " + ", ".join(f"{w.data!r} at {w.offset} ({w.landed})" for w in state.writes))
    if state.reader is not None:
        parts.append(f"reader C={state.reader.committed} {state.reader.ring!r} {state.reader.text!r}")
    return "  ".join(parts)


class Promises:
    """The invariants."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.text_fault = lru_cache(maxsize=None)(self._text_fault)
        self.crash_fault = lru_cache(maxsize=None)(self._crash_fault)

    def fault(self, state: State) -> str | None:
        """Return which promise the state breaks, or None."""
        reader = state.reader
        if reader is not None and reader.at == "return":
            fault = self.text_fault(reader.text, reader.owed, state.seen)
            if fault:
                return f"a reader gets {reader.text!r}: {fault}"
        return self.crash_fault(state.disk, state.acknowledged, state.seen, state.recovering)

    def _crash_fault(self, disk, acknowledged, seen, recovering):
        after = self.protocol.recovered(disk)
        fault = self.text_fault(after.journal, acknowledged, seen)
        if fault:
            return f"recovery makes {after.journal!r} of it: {fault}"
        if recovering is not None and after.journal != recovering:
            return f"recovery done again makes {after.journal!r}, and had made {recovering!r}"
        return None

    def _text_fault(self, text: str, owed: tuple[str, ...], seen: str) -> str | None:
        lines = text.splitlines(keepends=True)
        for seq, line in enumerate(lines, start=1):
            if line != encode(line[0], seq, self.protocol.size(line[0])):
                return f"line {seq} is {line!r}"
        if len({line[0] for line in lines}) < len(lines):
            return "a call has two lines"
        for line in owed:
            if line not in lines:
                return f"{line!r} is missing"
        if not text.startswith(seen):
            return f"a reader had already got {seen!r}"
        return None


def explore(protocol: Protocol) -> Exploration:
    promises = Promises(protocol)
    start = protocol.start()
    came: dict[State, tuple[str, State] | None] = {start: None}
    steps: Counter[str] = Counter()
    edge = [start]
    while edge:
        following = []
        for state in edge:
            for step, after in protocol.steps(state):
                steps[step] += 1
                if after not in came:
                    came[after] = (step, state)
                    fault = promises.fault(after)
                    if fault:
                        return Exploration(came, steps, fault, trace(came, after))
                    following.append(after)
            if stuck(protocol, state):
                return Exploration(came, steps, "a call waits for ever", trace(came, state))
        edge = following
    return Exploration(came, steps, None, [])


def stuck(protocol, state):
    process = state.process
    return process is not None and any(process.stacks) and not state.writes and not any(True for _ in protocol.process_steps(state, process))


def trace(came, state):
    way = []
    while came[state] is not None:
        step, before = came[state]
        way.append((step, state))
        state = before
    return way[::-1]
