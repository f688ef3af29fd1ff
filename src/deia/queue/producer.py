"""The producer's side of the queue: where an event becomes safe from the death of its process.

`docs/reference/file-format.md`, "Appending", is the protocol; `docs/explanation/why-it-is-built-this-way.md` says why
there is no lock.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any, NamedTuple

from deia.queue.layout import HEADER_BYTES
from deia.queue.tasks import OpenTask, OpenTasks

STARTED, COMPLETED, READ, WRITTEN, OTHER, CALLED = range(6)
"""What is counted: task starts, completions, file reads, file writes, lines in no figure of a summary, and tool calls.
These last are most of a session: they are what `seq` counts beyond the others, which saves them a counter."""

ANYWHERE = 1 << 80
"""Beyond any offset. A number and not a flag, because the commit section holds no jump."""


class Entry(NamedTuple):
    """A line to append, and what its commit changes beside the queue.

    Attributes:
        line: The line, with its newline.
        counter: What it counts as.
        name: Of the task that starts or ends here.
        top: The newest open task of that name afterwards.
        task: The task that starts or ends here.
        owner: What the task's `owner` becomes: the producer's where it starts, None where it ends.
    """

    line: bytes
    counter: int
    name: str | None = None
    top: OpenTask | None = None
    task: OpenTask | None = None
    owner: object = None


class Direct:
    """A line that its caller writes to the journal itself: pending from before its first byte until it is committed.

    A call made inside that write (by a signal handler, between two system calls) finishes it first, with the same bytes
    at the same place, so a reader that has seen it has seen nothing that is taken back. If an exception ends the write,
    the next call does.

    Attributes:
        start: Journal offset of its first byte.
        entry: The line, and what its commit changes.
        written: How many of its bytes are known to be there.
        writer: Identifier of the thread that writes it; 0 while none does, because an exception has ended the write.
        committed: Whether it was committed, by whichever call.
    """

    __slots__ = ("committed", "entry", "start", "writer", "written")

    def __init__(self, start: int, entry: Entry) -> None:
        self.start = start
        self.entry = entry
        self.written = 0
        self.writer = 0
        self.committed = False


class Producer:
    """The end of a session's queue: reserve, copy, commit.

    Without a ring (before the session is open, in mode `write`, in memory and after `close`) `limit` is -1, so that
    each append takes the slow path of the session that owns this producer, and lines are kept by offset in a
    dictionary.

    Attributes:
        end: Journal offset after the newest committed line.
        seq: `seq` of that line.
        limit: Journal offset up to which `commit` may go by itself; the one comparison that stands for everything rare.
        flushed: Journal offset up to which the journal's writes have returned.
        ring_bytes: N, or 0 where there is no ring.
        kept: Without a ring: the lines that no write has covered yet, by their offset.
        home: The files that it appends to, if any.
        ring_from: Offset from which on the ring holds what was committed; what came before went by another way.
        ring: What lines are copied to: the queue file, mapped; without a ring, `kept`.
        mask: N - 1; it never changes, so that a position is the right one whatever was mapped since it was computed.
        committed: The ring's word of that name, in a sequence of one.
        counts: How many lines of each kind but `CALLED` were committed; see `tally`.
        direct: The line that is being written to the journal by its caller, if any; nothing else is appended meanwhile.
        tasks: The open tasks that are told by their name alone.
        held: The others: those that a handle completes, as keys. Some may be completed, or never have been begun.
        owner: What the tasks of this producer are told by; no reference to it, for contexts keep tasks for long.
    """

    __slots__ = (
        "__weakref__",
        "committed",
        "counts",
        "direct",
        "end",
        "flushed",
        "held",
        "home",
        "kept",
        "limit",
        "mask",
        "owner",
        "ring",
        "ring_bytes",
        "ring_from",
        "seq",
        "tasks",
    )

    def __init__(self, ring_bytes: int) -> None:
        """Start without a ring; if there is ever one, it has this size, a power of two."""
        self.end = 0
        self.seq = 0
        self.limit = -1
        self.flushed = 0
        self.ring_bytes = 0
        self.ring_from = 0
        self.kept: dict[int | None, bytes] = {}
        self.home: object = None
        self.direct: Direct | None = None
        self.counts = [0, 0, 0, 0, 0, 0]
        self.tasks: OpenTasks = {}
        self.held: dict[OpenTask, None] = {}
        self.owner = object()
        self.ring: Any = self.kept
        self.mask = ring_bytes - 1
        self.committed: Any = [0]

    def rebase(
        self,
        expected: int,
        *,
        end: int,
        seq: int,
        ring: mmap.mmap | None,
        ring_bytes: int,
        committed: memoryview | None,
        home: object = None,
        counts: list[int] | None = None,
    ) -> bool:
        """Go on at another offset, with or without a ring; what was kept is in the journal now.

        Args:
            expected: `end` when the caller looked.
            end: Journal offset to go on from; everything before is in the journal.
            seq: `seq` of the newest line there.
            ring: The whole queue file, mapped; None to keep lines in memory.
            ring_bytes: N, a power of two; 0 without a ring.
            committed: The ring's word of that name, as one 8-byte integer.
            home: The files that it goes on in.
            counts: What was counted until there; None leaves it.

        Returns:
            False if something was appended since the caller looked; nothing was changed then.
        """
        kept: dict[int | None, bytes] = {}
        target: Any = kept if ring is None else ring
        word: Any = [0] if committed is None else committed
        tally = self.counts if counts is None else counts
        # fmt: off
        if self.end == expected: self.limit = -1; self.kept = kept; self.ring = target; self.ring_bytes = ring_bytes; self.committed = word; self.home = home; self.counts = tally; word[0] = end; self.flushed = end; self.ring_from = end; self.end = end; self.seq = seq; return True  # noqa: E501, E701, E702
        # fmt: on
        return False

    # The sections below, and the one in `rebase`, must not be interrupted between their `if` and their last store. In
    # CPython a signal handler, a destructor, the garbage collector or another thread can only run at a call, at a
    # backward jump, at a taken jump (3.10) or where a container is made (before 3.12), and none of these is in them:
    # all values are computed before. Each stands on one physical line so that a tracing function gets no line event
    # inside it. `tests/unit/test_commit_section.py` reads the bytecode and says so for each supported version. What the
    # stores replace is small integers, and tasks that the caller still holds, so no destructor runs either.

    def commit(self, start: int, seq: int, line: bytes, counter: int) -> bool:
        """Append a line, unless something else was appended since `start` and `seq` were read, or `limit` forbids it.

        `SessionLogger.log_tool_call` does the same in place, without a counter.

        Args:
            start: `end` as it was before the line was encoded.
            seq: `seq` as it was then; the line has the next one.
            line: The line, with its newline.
            counter: What it counts as.

        Returns:
            Whether it was committed. False means: take the slow path.
        """
        size = len(line)
        end = start + size
        at = (start & self.mask) + HEADER_BYTES
        where = slice(at, at + size)
        # fmt: off
        if self.seq == seq and self.end == start and end <= self.limit: self.ring[where] = line; self.committed[0] = end; self.end = end; self.seq = seq + 1; self.counts[counter] += 1; return True  # noqa: E501, E701, E702
        # fmt: on
        return False

    def place(self, start: int, seq: int, entry: Entry, beyond: int = 0) -> bool:
        """Append any entry: a task's, or one whose line wraps around the ring.

        Args:
            start: As for `commit`.
            seq: As for `commit`.
            entry: Its line is not longer than the ring.
            beyond: How far beyond `limit` it may go: `ANYWHERE` on the slow path, which has checked that there is room.

        Returns:
            Whether it was committed. False means: take the slow path; on the slow path, that something else came first.
        """
        line, counter, name, top, task, owner = entry
        task = task or _NO_TASK
        end = start + len(line)
        n = self.ring_bytes
        first: Any
        second: Any
        if n:
            at = (start & self.mask) + HEADER_BYTES
            head, tail = line[: n + HEADER_BYTES - at], line[n + HEADER_BYTES - at :]
            first, second = slice(at, at + len(head)), slice(HEADER_BYTES, HEADER_BYTES + len(tail))
        else:
            head, tail, first, second = line, b"", start, None
        # fmt: off
        if end <= self.limit + beyond and self.seq == seq and self.end == start and self.ring_bytes == n: self.ring[second] = tail; self.ring[first] = head; self.committed[0] = end; self.end = end; self.seq = seq + 1; self.counts[counter] += 1; self.tasks[name] = top; task.owner = owner; return True  # noqa: E501, E701, E702
        # fmt: on
        return False

    def commit_written(self, direct: Direct) -> None:
        """Commit a line that has been written to the journal in full, unless another call has done so."""
        line, counter, name, top, task, owner = direct.entry
        task = task or _NO_TASK
        end = direct.start + len(line)
        # fmt: off
        if self.direct is direct: self.direct = None; direct.committed = True; self.flushed = end; self.ring_from = end; self.committed[0] = end; self.end = end; self.seq += 1; self.counts[counter] += 1; self.tasks[name] = top; task.owner = owner  # noqa: E501, E701, E702
        # fmt: on

    def copy_unflushed(self, most: int) -> tuple[int, bytes]:
        """Copy the oldest bytes that no journal write has covered yet.

        A copy, so that a write that is slow to land still puts the right bytes in place after its positions were
        reused.

        Args:
            most: How many bytes, at the most (without a ring: whole lines, one at least).

        Returns:
            Their journal offset, and the bytes.
        """
        while True:
            start, n, ring = self.flushed, self.ring_bytes, self.ring
            if n:
                size = min(self.end - start, most)
                at = (start & (n - 1)) + HEADER_BYTES
                try:
                    head = ring[at : min(at + size, n + HEADER_BYTES)]
                    data = head + ring[HEADER_BYTES : HEADER_BYTES + size - len(head)]
                except ValueError:  # unmapped meanwhile: look again
                    continue
            else:
                lines = []
                size = 0
                for _, line in self.lines_kept():
                    if size < most:
                        lines.append(line)
                        size += len(line)
                data = b"".join(lines)
            if self.flushed == start and self.ring_bytes == n:  # else a position may have been reused meanwhile
                return start, data

    def lines_kept(self) -> list[tuple[int, bytes]]:
        """Return the lines that are kept without a ring, each with its offset.

        Of a copy, which is made in one go. A list of pairs is not before 3.12: the garbage collector may run where one
        is made, and with what it calls other threads, which append.
        """
        return [(at, line) for at, line in self.kept.copy().items() if at is not None]

    def copy_ring(self, start: int, most: int) -> bytes | None:
        """Copy committed bytes that the ring still holds, written to the journal or not.

        Args:
            start: Offset of the first.
            most: How many, at the most.

        Returns:
            None where the first is not in the ring, or not any more; see `ring_start`.
        """
        n, ring = self.ring_bytes, self.ring
        if not n or start < self.ring_start:
            return None
        size = min(self.end - start, most)
        at = (start & (n - 1)) + HEADER_BYTES
        try:
            head = ring[at : min(at + size, n + HEADER_BYTES)]
            data: bytes = head + ring[HEADER_BYTES : HEADER_BYTES + size - len(head)]
        except ValueError:  # unmapped meanwhile
            return None
        return data if self.ring is ring and start >= self.ring_start else None

    @property
    def ring_start(self) -> int:
        """Offset of the oldest byte that the ring holds; without a ring, of what no write has covered yet."""
        return max(self.ring_from, self.end - self.ring_bytes) if self.ring_bytes else self.flushed

    def advance(self, flushed: int) -> None:
        """Note that the journal's writes have returned up to this offset; their positions may be reused.

        It never goes back, whichever thread comes last: what was reused meanwhile must not be written again.
        """
        # fmt: off
        if flushed > self.flushed: self.flushed = flushed  # noqa: E701, PLR1730
        # fmt: on
        if self.kept:
            for at in list(self.kept):
                if at is None or at < flushed:
                    self.kept.pop(at, None)

    def tally(self) -> list[int]:
        """Return how many lines of each kind were committed, tool calls included, all as of one moment."""
        while True:
            seq = self.seq
            counts = list(self.counts)
            if self.seq == seq:  # else one was committed between the two looks
                counts[CALLED] = seq - sum(counts[:CALLED])
                return counts

    def open_tasks(self) -> Iterator[OpenTask]:
        """Yield the open tasks, the newest of each name first."""
        for newest in list(self.tasks.values()):
            task = newest
            while task is not None:
                yield task
                task = task.older
        yield from [task for task in list(self.held) if task.owner is self.owner]

    def newest(self, name: str) -> OpenTask | None:
        """Return the open task of this name that was begun last."""
        task: OpenTask | None = self.tasks.get(name)
        if self.held:
            found = [task, *(other for other in list(self.held) if other.name == name and other.owner is self.owner)]
            task = max(found, key=lambda task: 0 if task is None else task.task_id or 0)
        return task

    def forget(self, name: str) -> None:
        """Drop a name that no open task has any more: memory grows with what is open, not with the session."""
        tasks = self.tasks
        if name in tasks and tasks[name] is None:
            del tasks[name]


_NO_TASK = OpenTask("", 0.0, None, b"")
