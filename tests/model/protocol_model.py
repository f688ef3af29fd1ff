"""The protocol of `docs/reference/file-format.md` as a program that can be run one step at a time.

A byte is a character here, and a line looks like a line: call `a` with `seq` 2 and three cells writes `"a2\\n"`, a longer call
`L` writes `"L3LLLLL\\n"`. So a state can be read with the eyes: journal `"a1\\n"`, ring `"2\\nxb"`, committed 6.

A state is a value that never changes. `Protocol.steps` returns every state that can come next, whoever moves: a thread that
logs, the consumer, the kernel with a slow write, a reader in another process, a crash, recovery. One step is what nothing
can interrupt: one store, one system call, one check together with the store or the call that leans on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

Step = tuple[str, "State"]
"""What happened, in words, and the state after it."""


# What survives the process


class Queue(NamedTuple):
    """The queue file. In mode `write` it is only the lock: no ring, and `committed` is never stored."""

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
        end: Journal offset that it read, where its line is to lie.
        line: What it encoded, or, while it finishes the line of the call that it interrupted, that line.
        done: Cells of the line that it has copied or written.
    """

    name: str
    at: str = "reserve"
    end: int = -1
    line: str = ""
    done: int = 0


class Process(NamedTuple):
    """The producers' memory. `end` equals `committed`, but is what calls compare with.

    Attributes:
        end: Journal offset of the next line.
        seq: Number of the newest line.
        flushed: Journal offset up to which a write has returned; `limit` is this plus the size of the ring.
        pending: A line that is being written to the journal directly, at `end`, and is not committed yet; or nothing.
        closing: `close` was called: nothing is accepted any more.
        stacks: For each thread the calls it is in, the interrupted ones first.
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


@dataclass(frozen=True)
class Protocol:
    """The protocol's rules, and the small world in which they are tried.

    Attributes:
        ring: Cells of the ring; 0 is mode `write`.
        runs: For each run of the session, and each thread in it, the calls that it makes, a letter each.
        nested: Calls that interrupt another one, at any point where it can be interrupted.
        cells: Cells of the lines, by the call's name; the others have three.
        writes: How many writes may be in flight at once.
        raises: How many calls may be hit by an exception.
        crashes: How often the process, or recovery, may be killed.
        reads: Whether a reader reads all the while.
    """

    ring: int
    runs: tuple[tuple[str, ...], ...]
    nested: str = ""
    cells: tuple[tuple[str, int], ...] = ()
    writes: int = 1
    raises: int = 0
    crashes: int = 0
    reads: bool = True

    def size(self, name: str) -> int:
        """Return how many cells a call's line has."""
        return dict(self.cells).get(name, 3)

    def start(self) -> State:
        """Return the state after a session was opened for the first time."""
        disk = Disk("", Queue(0, "." * self.ring))
        return State(
            disk=disk,
            process=self.opened(disk, len(self.runs[0])),
            writes=(),
            recovering=None,
            reader=None,
            todo=self.runs[0],
            later=self.runs[1:],
            nested=self.nested,
            raises=self.raises,
            crashes=self.crashes,
            acknowledged=(),
            seen="",
        )

    def opened(self, disk: Disk, threads: int) -> Process:
        """Return the memory of a process that has just opened the session."""
        size = len(disk.journal)
        return Process(size, disk.journal.count("\n"), size, "", False, ((),) * threads)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that can come next."""
        if state.reader is not None and state.reader.at == "return":
            yield "the reader returns", state._replace(reader=None, seen=max(state.seen, state.reader.text, key=len))
            return
        if state.process is not None:
            yield from self.process_steps(state, state.process)
        elif state.recovering is not None:
            yield from self.recovery_steps(state)
        elif state.disk.queue is not None or state.later:
            yield "recovery begins", state._replace(recovering=self.recovered(state.disk).journal)
        yield from self.landing_steps(state)
        if self.reads:
            yield from self.reader_steps(state)
        if state.crashes and (state.process is not None or state.recovering is not None):
            yield "crash", self.crash(state)

    def process_steps(self, state: State, process: Process) -> Iterator[Step]:
        """Yield the steps of the process: of one thread alone where that is in its uninterruptible section."""
        for thread, stack in enumerate(process.stacks):
            if stack and stack[-1].at in ("copy", "commit", "count"):
                yield from self.section_steps(state, process, thread, stack[-1])
                return
        for thread in range(len(process.stacks)):
            yield from self.thread_steps(state, process, thread)
        yield from self.consumer_steps(state, process)

    # Producers

    def thread_steps(self, state: State, process: Process, thread: int) -> Iterator[Step]:
        """Yield what a thread that can be interrupted may do."""
        stack = process.stacks[thread]
        todo = state.todo[thread]
        if not stack:
            if todo:
                rest = (*state.todo[:thread], todo[1:], *state.todo[thread + 1 :])
                begun = self.on_stack(state._replace(todo=rest), thread, (self.encoded(process, todo[0]),))
                yield "a call begins", begun
            return
        for name in state.nested:
            rest = state.nested.replace(name, "")
            begun = self.on_stack(state._replace(nested=rest), thread, (*stack, self.encoded(process, name)))
            yield "a nested call begins", begun
        if state.raises:
            hit = state._replace(raises=state.raises - 1)
            yield "an exception ends the thread's calls", self.on_stack(hit, thread, ())
            if len(stack) > 1:
                yield "an exception ends the nested call", self.on_stack(hit, thread, stack[:-1])
        yield from self.call_steps(state, process, thread, stack[-1])

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Yield the steps of the innermost call of a thread."""
        if call.at == "reserve":
            yield from self.reserve_steps(state, process, thread, call)
        elif call.at == "write":
            yield from self.direct_steps(state, process, thread, call)
        elif call.at == "drain":
            if process.flushed == process.end:
                yield "closes: the queue file goes", self.queue_replaced(state, None)._replace(process=None, todo=())
        elif call.at == "return":
            acknowledged = tuple(sorted((*state.acknowledged, call.line)))
            yield "returns", self.popped(state._replace(acknowledged=acknowledged), thread)

    def encoded(self, process: Process, name: str) -> Call:
        """Step 1: read `end` and `seq`, encode the line with `seq + 1`."""
        line = "" if name == "!" else encode(name, process.seq + 1, self.size(name))
        return Call(name, end=process.end, line=line)

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Step 2, and the slow path. A call for which nothing is yielded waits."""
        if process.pending:
            if not self.written_by_another_thread(process, thread):
                yield "finishes the line that is pending", self.moved(state, thread, self.finishing(state, process, call))
        elif process.closing:
            yield "is refused: closed", self.popped(state, thread)
        elif call.name == "!":
            yield "closes the queue", self.moved(state, thread, call._replace(at="drain"), closing=True)
        elif process.end != call.end:
            yield "sees that `end` has moved", self.moved(state, thread, self.encoded(process, call.name))
        elif len(call.line) > self.ring:
            if process.flushed == process.end:
                yield "begins to write directly", self.moved(
                    state, thread, call._replace(at="write"), pending=call.line
                )
        elif self.has_room(state, process, call):
            yield "reserves", self.moved(state, thread, call._replace(at="copy"))

    def has_room(self, state: State, process: Process, call: Call) -> bool:
        """Whether `end + length ≤ limit`: a position is reused only after a write that covers it has returned."""
        return call.end + len(call.line) <= process.flushed + self.ring

    def section_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Steps 3 and 4: only a crash, the kernel and other processes can come between them."""
        queue = state.disk.queue
        assert queue is not None
        if call.at == "copy":
            at = (call.end + call.done) % self.ring
            copied = state.disk._replace(queue=queue._replace(ring=put(queue.ring, at, call.line[call.done])))
            done = call.done + 1
            following = call._replace(at="copy" if done < len(call.line) else "commit", done=done)
            yield "copies", self.moved(state._replace(disk=copied), thread, following)
        elif call.at == "commit":
            committed = state.disk._replace(queue=queue._replace(committed=call.end + len(call.line)))
            yield "commits", self.moved(state._replace(disk=committed), thread, call._replace(at="count"))
        else:
            yield "counts", self.moved(
                state,
                thread,
                call._replace(at="return", done=0),
                end=call.end + len(call.line),
                seq=process.seq + 1,
            )

    # A line longer than the ring, and mode `write`

    def written_by_another_thread(self, process: Process, thread: int) -> bool:
        """Whether another thread holds the lock of the slow path, because it writes the pending line."""
        return any(
            other != thread and any(call.at == "write" for call in stack) for other, stack in enumerate(process.stacks)
        )

    def finishing(self, state: State, process: Process, call: Call) -> Call:
        """Return a call that goes on with the pending line, from where the journal really ends."""
        done = len(state.disk.journal) - process.end
        return call._replace(at="write", end=process.end, line=process.pending, done=done)

    def direct_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Write a piece, fail, or commit; each together with the check that the line is still pending."""
        if call.done < len(call.line):
            for piece in self.pieces(len(call.line) - call.done):
                cells = call.line[call.done : call.done + piece]
                written = state.disk._replace(journal=put(state.disk.journal, call.end + call.done, cells))
                yield "writes directly", self.moved(
                    state._replace(disk=written), thread, call._replace(done=call.done + piece)
                )
            yield "fails to write directly", self.failed_directly(state, process, call)
        else:
            yield "commits directly", self.committed_directly(state, process, call)

    def pieces(self, cells: int) -> set[int]:
        """Return how much of `cells` one write may write: a piece from the front, or all but the newline, or all."""
        return {min(2, cells), max(1, cells - 1), cells}

    def committed_directly(self, state: State, process: Process, call: Call) -> State:
        """Commit the pending line: `committed` and `flushed` together."""
        end = call.end + len(call.line)
        queue = state.disk.queue
        assert queue is not None
        disk = state.disk._replace(queue=queue._replace(committed=end)) if self.ring else state.disk
        settled = self.settled(process, call.line, "return")
        return state._replace(
            disk=disk, process=settled._replace(end=end, flushed=end, seq=process.seq + 1, pending="")
        )

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        """Cut back what a failed direct write left, so that its place is free; but a whole line is never cut."""
        if len(state.disk.journal) == call.end + len(call.line):
            return self.committed_directly(state, process, call)
        cut = state.disk._replace(journal=state.disk.journal[: process.end])
        return state._replace(disk=cut, process=self.settled(process, call.line, "reserve")._replace(pending=""))

    def settled(self, process: Process, line: str, at: str) -> Process:
        """Tell every call that is writing the pending line what became of it; those that only helped begin again."""

        def told(call: Call) -> Call:
            if call.at != "write":
                return call
            return Call(call.name, at, call.end, line) if call.name == line[0] else Call(call.name)

        return process._replace(stacks=tuple(tuple(map(told, stack)) for stack in process.stacks))

    # Consumer

    def consumer_steps(self, state: State, process: Process) -> Iterator[Step]:
        """Begin a write of all that is committed, or take the result of one."""
        queue = state.disk.queue
        assert queue is not None
        if process.flushed < process.end and len(state.writes) < self.writes:
            yield from self.submit_steps(state, process, queue)
        for index, write in enumerate(state.writes):
            rest = state._replace(writes=state.writes[:index] + state.writes[index + 1 :])
            if write.landed:
                yield "a write returns", rest._replace(process=self.advanced(process, write))
            if write.landed < len(write.data):
                yield "a write fails", rest

    def submit_steps(self, state: State, process: Process, queue: Queue) -> Iterator[Step]:
        """Give a write its own copy of the cells, for it may land after their places in the ring were reused."""
        data = window(queue.ring, process.flushed, process.end)
        yield "a write begins", state._replace(writes=(*state.writes, Write(process.flushed, data, 0)))

    def advanced(self, process: Process, write: Write) -> Process:
        """Return the process after a write returned: `flushed` goes to its end, and never back."""
        return process._replace(flushed=max(process.flushed, write.offset + write.landed))

    def landing_steps(self, state: State) -> Iterator[Step]:
        """Let a piece of a write in flight reach the journal; the kernel does that in its own time."""
        for index, write in enumerate(state.writes):
            left = len(write.data) - write.landed
            for piece in {1, left} if left else ():
                landed = write._replace(landed=write.landed + piece)
                writes = (*state.writes[:index], landed, *state.writes[index + 1 :])
                yield "a write lands", state._replace(disk=self.landed(state.disk, write, piece), writes=writes)

    def landed(self, disk: Disk, write: Write, piece: int) -> Disk:
        """Return the disk with the next `piece` cells of a write in the journal, at the write's own offset."""
        cells = write.data[write.landed : write.landed + piece]
        return disk._replace(journal=put(disk.journal, write.offset + write.landed, cells))

    # Reader

    def reader_steps(self, state: State) -> Iterator[Step]:
        """Copy `committed`, copy the ring, read the journal, combine."""
        reader = state.reader
        if reader is None:
            yield "a reader begins", state._replace(reader=self.reader_begins(state))
        elif reader.at == "ring":
            yield "the reader copies from the ring", state._replace(reader=self.ring_read(state, reader))
        else:
            yield from self.journal_steps(state, reader)

    def reader_begins(self, state: State) -> Reader:
        """Open the queue file and copy `committed`; without a ring the journal is all there is."""
        queue = state.disk.queue
        if queue is None or not queue.ring:
            return Reader("journal", state.acknowledged, 0, "", "")
        return Reader("ring", state.acknowledged, queue.committed, "", "")

    def ring_read(self, state: State, reader: Reader) -> Reader:
        """Copy half of the ring."""
        queue = state.disk.queue
        assert queue is not None
        piece = queue.ring[len(reader.ring) :][: (self.ring + 1) // 2]
        return self.copied(reader, reader.ring + piece)

    def copied(self, reader: Reader, ring: str) -> Reader:
        """Return the reader with more of the ring; what is of no use to it is forgotten."""
        return reader._replace(ring=ring, at="ring" if len(ring) < self.ring else "journal")

    def journal_steps(self, state: State, reader: Reader) -> Iterator[Step]:
        """Read on from the last newline: one line, or to the end."""
        rest = state.disk.journal[len(reader.text) :]
        if "\n" in rest:
            line = rest[: rest.index("\n") + 1]
            yield "the reader reads a line", state._replace(reader=reader._replace(text=reader.text + line))
        yield "the reader reads to the end", state._replace(reader=self.combined(reader, rest))

    def combined(self, reader: Reader, rest: str) -> Reader:
        """Add what the window has beyond the journal's end."""
        size = len(reader.text) + len(rest)
        if reader.committed - self.ring <= size < reader.committed:
            rest += window(reader.ring, size, reader.committed)
        return Reader("return", reader.owed, 0, "", reader.text + whole_lines(rest))

    # Crash, recovery, opening again

    def crash(self, state: State) -> State:
        """Kill whoever has the session: only the disk is left, and readers in other processes."""
        return state._replace(
            process=None,
            writes=(),
            recovering=None,
            crashes=state.crashes - 1,
            todo=(),
        )

    def recovery_step(self, disk: Disk) -> tuple[str, Disk] | None:
        """Return the next step of recovery, or None when there is nothing left to mend."""
        journal, queue = disk
        size = len(journal)
        committed = queue.committed if queue is not None else 0
        if queue is not None and size < committed:
            return "recovery appends", disk._replace(journal=journal + window(queue.ring, size, size + 1))
        keep = max(committed, len(whole_lines(journal)))
        if size > keep:
            return "recovery cuts the torn end", disk._replace(journal=journal[:keep])
        return None

    def recovered(self, disk: Disk) -> Disk:
        """Return what recovery makes of a disk when nothing interrupts it."""
        while step := self.recovery_step(disk):
            disk = step[1]
        return disk

    def recovery_steps(self, state: State) -> Iterator[Step]:
        """Mend step by step; then, and only then, the queue file goes or is replaced by the next run's."""
        step = self.recovery_step(state.disk)
        if step is not None:
            yield step[0], state._replace(disk=step[1])
            return
        if state.disk.queue is not None:
            yield "recovery removes the queue file", self.queue_replaced(state, None)._replace(recovering=None)
        if state.later:
            run, *later = state.later
            renewed = self.queue_replaced(state, Queue(len(state.disk.journal), "." * self.ring))
            process = self.opened(renewed.disk, len(run))
            yield "the session is open again", renewed._replace(
                recovering=None, process=process, todo=run, later=tuple(later)
            )

    def queue_replaced(self, state: State, queue: Queue | None) -> State:
        """Remove the queue file, or rename another one over it: whoever has it open keeps it as it was."""
        reader = state.reader
        if reader is not None and reader.at == "ring":
            assert state.disk.queue is not None
            reader = self.copied(reader, reader.ring + state.disk.queue.ring[len(reader.ring) :])
        return state._replace(disk=state.disk._replace(queue=queue), reader=reader)

    # Small changes of a state

    def on_stack(self, state: State, thread: int, stack: tuple[Call, ...]) -> State:
        """Return the state with another stack for a thread."""
        assert state.process is not None
        stacks = state.process.stacks
        changed = (*stacks[:thread], stack, *stacks[thread + 1 :])
        return state._replace(process=state.process._replace(stacks=changed))

    def moved(self, state: State, thread: int, call: Call, **memory: object) -> State:
        """Return the state in which a thread's innermost call has gone on, and changed the memory."""
        assert state.process is not None
        after = self.on_stack(state, thread, (*state.process.stacks[thread][:-1], call))
        assert after.process is not None
        return after._replace(process=after.process._replace(**memory)) if memory else after

    def popped(self, state: State, thread: int) -> State:
        """Return the state in which a thread's innermost call is over."""
        assert state.process is not None
        return self.on_stack(state, thread, state.process.stacks[thread][:-1])
