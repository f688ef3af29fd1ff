"""The values that the protocol model is made of: what a crash leaves, what it takes, and who looks on from outside."""

from __future__ import annotations

from typing import NamedTuple

# What survives the process


class Queue(NamedTuple):
    """The queue file. In mode `write` it is only the lock: it has no ring, and `committed` is never stored."""

    committed: int
    ring: str


class Disk(NamedTuple):
    """All that a crash leaves."""

    journal: str
    queue: Queue | None


# What dies with it


class Call(NamedTuple):
    """A log call on a thread's stack.

    Attributes:
        name: Which one; `!` is a call of `close`.
        at: The step that it takes next.
        end: Journal offset that it read, where its line is to lie; -1 where it has to look again.
        line: What it encoded, or the pending line that it has taken over from another call.
        done: How many cells of the line it has copied or written.
    """

    name: str
    at: str = "reserve"
    end: int = -1
    line: str = ""
    done: int = 0


class Process(NamedTuple):
    """The producers' memory.

    Attributes:
        end: Journal offset of the next line; equal to `committed`, but this is what calls compare with.
        seq: Number of the newest line.
        flushed: Journal offset up to which a write has returned; `limit` is this plus the size of the ring.
        pending: A line that is being written to the journal directly, at `end`, and is not committed yet; or nothing.
        closing: `close` was called: nothing is accepted any more.
        stacks: For each thread the calls it is in, an interrupted one before the one that interrupts it.
    """

    end: int
    seq: int
    flushed: int
    pending: str
    closing: bool
    stacks: tuple[tuple[Call, ...], ...]


class Write(NamedTuple):
    """A `pwrite` of the consumer that has not returned; its first `landed` cells are in the journal."""

    offset: int
    data: str
    landed: int


# What is outside of it


class Reader(NamedTuple):
    """A reader in another process.

    Attributes:
        at: The step that it takes next.
        owed: Lines that were acknowledged before it began.
        committed: The word as it copied it; 0 where there was no ring.
        ring: What it has copied of the ring.
        text: Lines that it has taken; in the end, its result.
    """

    at: str
    owed: tuple[str, ...]
    committed: int
    ring: str
    text: str


class State(NamedTuple):
    """Everything, at one instant.

    Attributes:
        disk: What a crash leaves.
        process: None where no process has the session open.
        writes: Writes in flight.
        recovering: None, or the journal that the recovery under way must come to.
        reader: None, or the reader under way.
        todo: For each thread the calls that it has still to make.
        later: The same for each run to come.
        nested: Calls that may still interrupt another.
        raises: How many exceptions may still hit a call.
        crashes: How many crashes may still happen.
        acknowledged: Lines whose calls have returned.
        seen: The longest text that a reader has returned.
    """

    disk: Disk
    process: Process | None
    writes: tuple[Write, ...]
    recovering: str | None
    reader: Reader | None
    todo: tuple[str, ...]
    later: tuple[tuple[str, ...], ...]
    nested: str
    raises: int
    crashes: int
    acknowledged: tuple[str, ...]
    seen: str

    def __str__(self) -> str:
        """Tell what one wants to see of a state in a trace."""
        told = [f"journal {self.disk.journal!r}"]
        if self.disk.queue is not None:
            told.append(f"committed {self.disk.queue.committed} ring {self.disk.queue.ring!r}")
        if self.process is not None:
            threads = (" > ".join(f"{call.name}: {call.at}" for call in stack) for stack in self.process.stacks)
            told.append(f"flushed {self.process.flushed} calls [{' | '.join(threads)}]")
        told += [f"write of {write.data!r} at {write.offset}, {write.landed} landed" for write in self.writes]
        if self.reader is not None:
            told.append(f"reader has C={self.reader.committed}, {self.reader.ring!r}, {self.reader.text!r}")
        return " · ".join(told)


# Text


def encode(name: str, seq: int, cells: int) -> str:
    """Return a line; whose it is and its number are in it, so that no other line can pass for it."""
    return f"{name}{seq}".ljust(cells - 1, name) + "\n"


def put(text: str, offset: int, data: str) -> str:
    """Return `text` after a write of `data` at `offset`; a hole reads as NULs, as in a file."""
    return text[:offset].ljust(offset, "\0") + data + text[offset + len(data) :]


def whole_lines(text: str) -> str:
    """Return `text` up to its last newline: bytes after it are never a line."""
    return text[: text.rfind("\n") + 1]


def window(ring: str, start: int, stop: int) -> str:
    """Return the cells of the ring that stand for the journal's cells from `start` to `stop`."""
    return "".join(ring[offset % len(ring)] for offset in range(start, stop))
