"""The small worlds in which the protocol is tried, and what has to be met in each so that it proves something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from model.protocol_model import Protocol
from model.states import Call, State, whole_lines


class World(NamedTuple):
    """A world.

    Attributes:
        options: Of the protocol.
        sights: Names of `SIGHTS` that must be met in it.
    """

    options: dict[str, Any]
    sights: frozenset[str]

    def under(self, rules: type[Protocol]) -> Protocol:
        """Return the world under these rules."""
        return rules(**self.options)


def _world(*sights: str, **options: Any) -> World:
    return World(options, frozenset(sights))


# Two lines never fit the ring, so every second one waits for room, wraps around, and uses places again. A reader sees
# the disk and nothing else, so worlds with many threads do without one, and worlds with one have few threads.
WORLDS = {
    "threads": _world(
        "calls of two threads are under way",
        "a nested call is in its section",
        "a call waits for room",
        "a line wraps around",
        "a place is used again",
        ring=5,
        runs=(("ab", "c"),),
        nested="n",
        reads=False,
    ),
    "reader": _world(
        "a place is used again",
        "a reader's copy of the ring has grown old",
        "a reader finds the journal in mid-line",
        ring=4,
        runs=(("abc",),),
    ),
    "slow writes": _world(
        "two writes are in flight",
        "a write is in flight though all of it is flushed",
        "a write is to land though its places were used again",
        ring=5,
        runs=(("abc",),),
        writes=2,
        reads=False,
    ),
    "long line": _world(
        "a call runs inside a torn direct write",
        "a pending line was taken over",
        "a reader has got a line that is not committed",
        ring=4,
        runs=(("L",),),
        nested="n",
        cells=(("L", 6),),
    ),
    "long lines": _world(
        "a call waits for another thread's direct write",
        "a direct write waits for the queue",
        "a pending line was taken over",
        ring=4,
        runs=(("aL", "M"),),
        nested="n",
        cells=(("L", 6), ("M", 5)),
        reads=False,
    ),
    "long line in a long line": _world(
        "a call runs inside a torn direct write",
        "a pending line was taken over",
        ring=4,
        runs=(("L",),),
        nested="nM",
        cells=(("L", 6), ("M", 5)),
        reads=False,
    ),
    "long line, exceptions": _world(
        "a line is pending that no call is writing",
        "a reader has got a line that is not committed",
        ring=4,
        runs=(("L",),),
        nested="n",
        cells=(("L", 6),),
        raises=1,
    ),
    "mode write": _world(
        "a call runs inside a torn direct write",
        "a pending line was taken over",
        "a call waits for another thread's direct write",
        ring=0,
        runs=(("a", "b"),),
        nested="n",
    ),
    "mode write, exceptions": _world(
        "a line is pending that no call is writing",
        ring=0,
        runs=(("ab!",),),
        nested="n",
        raises=1,
    ),
    "crashes": _world(
        "recovery has appended half a line",
        "recovery was killed",
        "the next run goes on",
        ring=5,
        runs=(("ab",), ("c",)),
        nested="n",
        crashes=2,
        reads=False,
    ),
    "crashes, reader": _world(
        "recovery has appended half a line",
        "recovery was killed",
        "a reader has a queue file open that is gone",
        "the next run goes on",
        ring=5,
        runs=(("a",), ("b",)),
        crashes=2,
    ),
    "crashes, long line": _world(
        "recovery was killed",
        "recovery finds a torn direct write",
        "the next run goes on",
        ring=4,
        runs=(("L",), ("M",)),
        cells=(("L", 6), ("M", 5)),
        crashes=2,
    ),
    "crashes, mode write": _world(
        "recovery was killed",
        "recovery finds a torn direct write",
        "the next run goes on",
        ring=0,
        runs=(("a",), ("b",)),
        nested="n",
        crashes=2,
    ),
    "close": _world(
        "calls of two threads are under way",
        "a call is under way after close",
        ring=5,
        runs=(("a!", "b"),),
        nested="n",
        reads=False,
    ),
    "close, reader": _world(
        "a reader has a queue file open that is gone",
        "the next run goes on",
        ring=5,
        runs=(("a!",), ("b!",)),
    ),
}


def _stacks(state: State) -> tuple[tuple[Call, ...], ...]:
    return state.process.stacks if state.process is not None else ()


def _ring(state: State) -> str:
    return state.disk.queue.ring if state.disk.queue is not None else ""


def _committed(state: State) -> int:
    return state.disk.queue.committed if state.disk.queue is not None else 0


def _is_torn(state: State) -> bool:
    return state.disk.journal != whole_lines(state.disk.journal)


def _waits_for_room(state: State) -> bool:
    process, n = state.process, len(_ring(state))
    return process is not None and any(
        stack[-1].at == "reserve"
        and stack[-1].end == process.end
        and len(stack[-1].line) <= n < process.end + len(stack[-1].line) - process.flushed
        for stack in process.stacks
        if stack
    )


def _direct_waits_for_queue(state: State) -> bool:
    process = state.process
    return process is not None and any(
        stack[-1].at == "reserve"
        and stack[-1].end == process.end > process.flushed
        and len(stack[-1].line) > len(_ring(state))
        for stack in process.stacks
        if stack
    )


def _waits_for_another_thread(state: State) -> bool:
    writing = [any(call.at == "write" for call in stack) for stack in _stacks(state)]
    return any(writing) and any(stack and not writes for stack, writes in zip(_stacks(state), writing, strict=True))


SIGHTS: dict[str, Callable[[State], bool]] = {
    "calls of two threads are under way": lambda state: sum(map(bool, _stacks(state))) == 2,
    "a nested call is in its section": lambda state: any(
        len(stack) > 1 and stack[-1].at in ("copy", "commit", "count") for stack in _stacks(state)
    ),
    "a call waits for room": _waits_for_room,
    "a line wraps around": lambda state: any(
        call.at == "copy" and call.end % len(_ring(state)) + len(call.line) > len(_ring(state))
        for stack in _stacks(state)
        for call in stack
    ),
    "a place is used again": lambda state: _committed(state) > len(_ring(state)),
    "a reader's copy of the ring has grown old": lambda state: (
        state.reader is not None and state.reader.at == "read" and state.reader.ring != _ring(state)
    ),
    "a reader finds the journal in mid-line": lambda state: (
        state.reader is not None
        and state.reader.at == "read"
        and len(state.disk.journal) < state.reader.committed
        and _is_torn(state)
    ),
    "two writes are in flight": lambda state: len(state.writes) == 2,
    "a write is in flight though all of it is flushed": lambda state: any(
        state.process is not None and state.process.flushed >= write.offset + len(write.data) for write in state.writes
    ),
    "a write is to land though its places were used again": lambda state: any(
        write.landed < len(write.data) and write.offset + write.landed < _committed(state) - len(_ring(state))
        for write in state.writes
    ),
    "a call runs inside a torn direct write": lambda state: (
        _is_torn(state) and any(call.at == "write" for stack in _stacks(state) for call in stack[:-1])
    ),
    "a pending line was taken over": lambda state: any(
        call.at == "write" and call.name != call.line[0] for stack in _stacks(state) for call in stack
    ),
    "a reader has got a line that is not committed": lambda state: len(state.seen) > _committed(state),
    "a call waits for another thread's direct write": _waits_for_another_thread,
    "a direct write waits for the queue": _direct_waits_for_queue,
    "a line is pending that no call is writing": lambda state: (
        state.process is not None
        and state.process.pending != ""
        and not any(call.at == "write" for stack in _stacks(state) for call in stack)
    ),
    "recovery has appended half a line": lambda state: (
        state.recovering is not None and _is_torn(state) and len(state.disk.journal) < _committed(state)
    ),
    # all crashes are over before the second of two runs has begun: the first hit the process, the second recovery
    "recovery was killed": lambda state: not state.crashes and state.process is None and len(state.later) == 1,
    "recovery finds a torn direct write": lambda state: (
        state.recovering is not None and _is_torn(state) and len(state.disk.journal) > _committed(state)
    ),
    "the next run goes on": lambda state: not state.later and len(state.acknowledged) > 1,
    "a reader has a queue file open that is gone": lambda state: (
        state.reader is not None and state.reader.committed > 0 and state.disk.queue is None
    ),
    "a call is under way after close": lambda state: (
        state.process is not None
        and state.process.closing
        and any(stack and stack[-1].name != "!" for stack in _stacks(state))
    ),
}
"""Kinds of states worth meeting, by name."""
