"""Breadth-first exploration of every state of a protocol, and what must hold in each."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from model.protocol_model import Protocol, Step
from model.states import Disk, State, encode

Came = dict[State, tuple[str, State] | None]
"""For each state that was reached, the step that led to it first and the state before; None for the first state."""


@dataclass(frozen=True)
class Exploration:
    """What an exploration found.

    Attributes:
        states: How many states were reached.
        steps: How often each kind of step was taken.
        sights: Those of the sights asked for that were met.
        fault: The promise that was broken, or None.
        trace: The shortest way there.
    """

    states: int
    steps: Counter[str]
    sights: frozenset[str]
    fault: str | None
    trace: tuple[Step, ...]

    def __str__(self) -> str:
        """Tell the fault and the way to it, a step a line."""
        way = [f"{number:3}. {step:34} {state}" for number, (step, state) in enumerate(self.trace, start=1)]
        return "\n".join([*way, f"=> {self.fault}"])


def explore(protocol: Protocol, sights: Mapping[str, Callable[[State], bool]] | None = None) -> Exploration:
    """Visit every state that can be reached, shortest ways first; stop at the first broken promise.

    Args:
        protocol: The rules, and the world to try them in.
        sights: Kinds of states to look out for, by name.
    """
    collects = gc.isenabled()
    gc.disable()  # states have no cycles, and there are so many of them that every collection would be long and in vain
    try:
        came: Came = {protocol.start(): None}
        steps, broken = _visit(protocol, came)
    finally:
        if collects:
            gc.enable()
    met = frozenset(name for name, sight in (sights or {}).items() if any(map(sight, came)))
    fault, at = broken if broken is not None else (None, protocol.start())
    return Exploration(len(came), steps, met, fault, _way(came, at))


def _visit(protocol: Protocol, came: Came) -> tuple[Counter[str], tuple[str, State] | None]:
    promises = Promises(protocol)
    steps: Counter[str] = Counter()
    edge = list(came)
    while edge:
        beyond = []
        for state in edge:
            if _is_stuck(protocol, state):
                return steps, ("a call waits for ever", state)
            for step, after in protocol.steps(state):
                steps[step] += 1
                if after not in came:
                    came[after] = (step, state)
                    if fault := promises.broken(after):
                        return steps, (fault, after)
                    beyond.append(after)
        edge = beyond
    return steps, None


def _is_stuck(protocol: Protocol, state: State) -> bool:
    process = state.process
    if process is None or state.writes or not any(process.stacks):
        return False
    return not any(True for _ in protocol.process_steps(state, process))


def _way(came: Came, state: State) -> tuple[Step, ...]:
    way = []
    while (last := came[state]) is not None:
        way.append((last[0], state))
        state = last[1]
    return tuple(reversed(way))


class Promises:
    """What holds in each state, and after a crash in it."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        # few disks and texts are met in many states
        self._after_crash = cache(self._after_crash_uncached)
        self._text = cache(self._text_uncached)

    def broken(self, state: State) -> str | None:
        """Return the promise that a state breaks, or None."""
        reader = state.reader
        if reader is not None and reader.at == "return":
            fault = self._text(reader.text, reader.owed, state.seen)
            if fault:
                return f"a reader gets {reader.text!r}: {fault}"
        return self._after_crash(state.disk, state.acknowledged, state.seen, state.recovering)

    def _after_crash_uncached(
        self, disk: Disk, acknowledged: tuple[str, ...], seen: str, recovering: str | None
    ) -> str | None:
        """Say what would be wrong if the process were killed now and the session recovered."""
        journal = self._protocol.recovered(disk).journal
        fault = self._text(journal, acknowledged, seen)
        if fault:
            return f"recovery makes {journal!r}: {fault}"
        if recovering is not None and journal != recovering:
            return f"recovery, interrupted and done again, makes {journal!r} where it had made {recovering!r}"
        if recovering is None and disk.queue is None and journal != disk.journal:
            return f"a closed session's journal is {disk.journal!r}"
        return None

    def _text_uncached(self, text: str, owed: tuple[str, ...], seen: str) -> str | None:
        """Say what is wrong with the text of a session.

        It must be whole lines, each as its call encoded it, with `seq` 1, 2, 3 …; no call may have two lines; each line
        that is owed must be there; and what a reader once got must still be there, in its place.
        """
        lines = text.splitlines(keepends=True)
        for seq, line in enumerate(lines, start=1):
            if line != encode(line[0], seq, self._protocol.size(line[0])):
                return f"line {seq} is {line!r}"
        if len({line[0] for line in lines}) < len(lines):
            return "a call has two lines"
        for line in owed:
            if line not in lines:
                return f"{line!r} is missing"
        if not text.startswith(seen):
            return f"a reader had already got {seen!r}"
        return None
