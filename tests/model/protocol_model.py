r"""The protocol of `docs/reference/file-format.md` as a program that can be run one step at a time.

A byte is a character here, called a cell, and a line looks like a line: call `a` with `seq` 2 writes `"a2\n"`, a longer
call `L` with `seq` 3 writes `"L3LL\n"`. So a state can be read with the eyes: journal `"a1\n"`, ring `"\n.b2"`,
committed 6.

A state is a value that never changes. `Protocol.steps` yields every state that can come next, whoever moves: a thread
that logs, the consumer, the kernel with a slow write, a reader in another process, a crash, recovery. One step is what
nothing can interrupt: a store, a system call, or a check together with the store or the system call that relies on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from model.states import Call, Disk, Process, Queue, Reader, State, Write, encode, put, whole_lines, window

Step = tuple[str, State]
"""What happens, in words, and the state after it."""


@dataclass(frozen=True)
class Protocol:
    """The protocol's rules, one method each, and the small world in which they are tried.

    Attributes:
        ring: Cells of the ring, N; 0 is mode `write`.
        runs: For each run of the session, and each thread in it, the calls that it makes, a letter each.
        nested: Calls that interrupt another one, at any point where it can be interrupted.
        cells: Cells of the lines, by the call's letter; those of the other calls have three.
        writes: How many writes may be in flight at once.
        raises: How many exceptions may hit a call.
        crashes: How often the process, or recovery, may be killed.
        reads: Whether there is a reader all the while.
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
            process=self.opened(disk, threads=len(self.runs[0])),
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
        return Process(size, disk.journal.count("\n"), size, "", closing=False, stacks=((),) * threads)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step that can come next."""
        if state.reader is not None and state.reader.at == "return":  # nobody can tell when it does, so it does at once
            yield "a reader returns", state._replace(reader=None, seen=max(state.seen, state.reader.text, key=len))
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
            yield "a crash", self.crashed(state)

    def process_steps(self, state: State, process: Process) -> Iterator[Step]:
        """Yield the steps of the process: those of one thread alone where that is in its uninterruptible section."""
        for thread, stack in enumerate(process.stacks):
            if stack and stack[-1].at in ("copy", "commit", "count"):
                yield from self.section_steps(state, process, thread, stack[-1])
                return
        for thread in range(len(process.stacks)):
            yield from self.thread_steps(state, process, thread)
        yield from self.consumer_steps(state, process)

    # Appending: reserve, copy, commit

    def thread_steps(self, state: State, process: Process, thread: int) -> Iterator[Step]:
        """Yield what a thread may do: begin a call, be interrupted by another one, be hit by an exception, go on."""
        stack = process.stacks[thread]
        todo = state.todo[thread]
        if not stack:
            if todo:
                rest = (*state.todo[:thread], todo[1:], *state.todo[thread + 1 :])
                begun = self.on_stack(state._replace(todo=rest), thread, (self.encoded(process, todo[0]),))
                yield "a call begins", begun
            return
        for name in state.nested:
            others = state.nested.replace(name, "")
            begun = self.on_stack(state._replace(nested=others), thread, (*stack, self.encoded(process, name)))
            yield "a nested call begins", begun
        if state.raises:
            hit = state._replace(raises=state.raises - 1)
            yield "an exception ends a thread's calls", self.on_stack(hit, thread, ())
            if len(stack) > 1:
                yield "an exception ends a nested call", self.on_stack(hit, thread, stack[:-1])
        yield from self.call_steps(state, process, thread, stack[-1])

    def encoded(self, process: Process, name: str) -> Call:
        """Step 1: read `end` and `seq`, encode the line with `seq` + 1."""
        line = "" if name == "!" else encode(name, process.seq + 1, self.size(name))
        return Call(name, end=process.end, line=line)

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Yield the steps of a thread's innermost call, outside of the uninterruptible section."""
        if call.at == "reserve":
            yield from self.reserve_steps(state, process, thread, call)
        elif call.at == "write":
            yield from self.direct_steps(state, process, thread, call)
        elif call.at == "drain":
            yield from self.drained_steps(state, process, thread, call)
        elif call.at == "remove":
            yield "close removes the queue file", self.queue_replaced(state, None)._replace(process=None, todo=())
        else:
            acknowledged = tuple(sorted((*state.acknowledged, call.line)))
            yield "a call returns", self.popped(state._replace(acknowledged=acknowledged), thread)

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Step 2, and the slow path. A call for which nothing is yielded waits."""
        if process.pending:
            if not self.written_by_another_thread(process, thread):
                yield "a direct write is taken over", self.moved(state, thread, self.taken_over(state, process, call))
        elif process.closing:
            yield "a call is refused", self.popped(state, thread)
        elif call.name == "!":
            yield "close stops the queue", self.moved(state, thread, call._replace(at="drain"), closing=True)
        elif process.end != call.end:
            yield "a call begins again", self.moved(state, thread, self.encoded(process, call.name))
        elif len(call.line) > self.ring:
            if process.flushed == process.end:
                begun = self.moved(state, thread, call._replace(at="write"), pending=call.line)
                yield "a direct write begins", begun
        elif self.has_room(state, process, call):
            yield "a call reserves", self.moved(state, thread, call._replace(at="copy"))

    def has_room(self, state: State, process: Process, call: Call) -> bool:
        """Whether `end` + length ≤ `limit`: a place is used again only after a write that covers it has returned."""
        return call.end + len(call.line) <= process.flushed + self.ring

    def section_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Steps 3 and 4: only a crash, the kernel and other processes can come between them."""
        queue = state.disk.queue
        assert queue is not None
        stop = call.end + len(call.line)
        if call.at == "copy":
            at = (call.end + call.done) % self.ring
            disk = state.disk._replace(queue=queue._replace(ring=put(queue.ring, at, call.line[call.done])))
            done = call.done + 1
            following = call._replace(at="copy" if done < len(call.line) else "commit", done=done)
            yield "a call copies a cell", self.moved(state._replace(disk=disk), thread, following)
        elif call.at == "commit":
            disk = state.disk._replace(queue=queue._replace(committed=stop))
            yield "a call commits", self.moved(state._replace(disk=disk), thread, call._replace(at="count"))
        else:
            following = call._replace(at="return", done=0)
            yield "a call counts", self.moved(state, thread, following, end=stop, seq=process.seq + 1)

    # A line longer than the ring, and mode `write`

    def written_by_another_thread(self, process: Process, thread: int) -> bool:
        """Whether another thread is writing the pending line, and so holds the lock of the slow path."""
        return any(
            other != thread and any(call.at == "write" for call in stack) for other, stack in enumerate(process.stacks)
        )

    def taken_over(self, state: State, process: Process, call: Call) -> Call:
        """Return the call as one that finishes the pending line first, from where the journal really ends."""
        done = len(state.disk.journal) - process.end
        return call._replace(at="write", end=process.end, line=process.pending, done=done)

    def direct_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Write some of the pending line, or fail to; commit it when all is written."""
        if call.done == len(call.line):
            yield "a direct write commits", self.committed_directly(state, process, call)
            return
        for cells in self.some_of(len(call.line) - call.done):
            data = call.line[call.done : call.done + cells]
            written = state._replace(disk=self.written(state.disk, call.end + call.done, data))
            yield "a direct write goes on", self.moved(written, thread, call._replace(done=call.done + cells))
        yield "a direct write fails", self.failed_directly(state, process, call)

    def some_of(self, cells: int) -> set[int]:
        """Return how much of `cells` a direct write may write: two, all but the newline, or all."""
        return {min(2, cells), max(1, cells - 1), cells}

    def committed_directly(self, state: State, process: Process, call: Call) -> State:
        """Commit the pending line: `committed` and `flushed` together."""
        stop = call.end + len(call.line)
        queue = state.disk.queue
        assert queue is not None
        disk = state.disk._replace(queue=queue._replace(committed=stop)) if self.ring else state.disk
        settled = self.settled(process, call.line, "return")._replace(end=stop, flushed=stop, seq=process.seq + 1)
        return state._replace(disk=disk, process=settled)

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        """Cut what a failed write has left of the line, so that its place is free; but never a whole line."""
        if len(state.disk.journal) == call.end + len(call.line):
            return self.committed_directly(state, process, call)
        cut = state.disk._replace(journal=state.disk.journal[: call.end])
        return state._replace(disk=cut, process=self.settled(process, call.line, "reserve"))

    def settled(self, process: Process, line: str, at: str) -> Process:
        """Forget the pending line, and tell all that are writing it: its own call goes on, helpers begin again."""

        def told(call: Call) -> Call:
            if call.at != "write":
                return call
            return Call(call.name, at, call.end, line) if call.name == line[0] else Call(call.name)

        return process._replace(pending="", stacks=tuple(tuple(map(told, stack)) for stack in process.stacks))

    # Draining

    def consumer_steps(self, state: State, process: Process) -> Iterator[Step]:
        """Begin a write of all that is committed, or take the result of one."""
        queue = state.disk.queue
        assert queue is not None
        if process.flushed < process.end and len(state.writes) < self.writes:
            # a copy, for the write may land after its places in the ring were used again
            data = window(queue.ring, process.flushed, process.end)
            yield "a write begins", state._replace(writes=(*state.writes, Write(process.flushed, data, landed=0)))
        for index, write in enumerate(state.writes):
            others = state._replace(writes=state.writes[:index] + state.writes[index + 1 :])
            if write.landed:
                yield "a write returns", others._replace(process=self.advanced(process, write))
            if write.landed < len(write.data):
                yield "a write fails", others

    def advanced(self, process: Process, write: Write) -> Process:
        """Return the process after a write returned: `flushed` goes to the end of what it wrote, and never back."""
        return process._replace(flushed=max(process.flushed, write.offset + write.landed))

    def landing_steps(self, state: State) -> Iterator[Step]:
        """Let more of a write in flight reach the journal; the kernel does so in its own time."""
        for index, write in enumerate(state.writes):
            left = len(write.data) - write.landed
            for cells in {1, left} if left else ():
                landed = write._replace(landed=write.landed + cells)
                writes = (*state.writes[:index], landed, *state.writes[index + 1 :])
                yield "a write lands", state._replace(disk=self.landed(state.disk, write, cells), writes=writes)

    def landed(self, disk: Disk, write: Write, cells: int) -> Disk:
        """Return the disk with the next `cells` of a write in the journal."""
        return self.written(disk, write.offset + write.landed, write.data[write.landed : write.landed + cells])

    def written(self, disk: Disk, offset: int, data: str) -> Disk:
        """Return the disk after a write to the journal: at its own offset, without `O_APPEND`."""
        return disk._replace(journal=put(disk.journal, offset, data))

    def drained_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        """Let `close` go on when the journal has everything."""
        if process.flushed == process.end:
            yield "close sees that all is written", self.moved(state, thread, call._replace(at="remove"))

    # Reading

    def reader_steps(self, state: State) -> Iterator[Step]:
        """Copy `committed` and then the ring; read the journal to its end; add what the window has beyond it."""
        reader = state.reader
        if reader is None:
            yield "a reader begins", state._replace(reader=self.reader_begun(state))
        elif reader.at == "copy":
            yield "a reader copies from the ring", state._replace(reader=self.ring_read(state, reader))
        else:
            yield from self.journal_steps(state, reader)

    def reader_begun(self, state: State) -> Reader:
        """Open the queue file and copy `committed`; where there is no ring, the journal is all there is."""
        queue = state.disk.queue
        if queue is None or not queue.ring:
            return Reader("read", state.acknowledged, 0, "", "")
        return Reader("copy", state.acknowledged, queue.committed, "", "")

    def ring_read(self, state: State, reader: Reader) -> Reader:
        """Copy half of the ring."""
        queue = state.disk.queue
        assert queue is not None
        return self.copied(reader, reader.ring + queue.ring[len(reader.ring) :][: (self.ring + 1) // 2])

    def copied(self, reader: Reader, ring: str) -> Reader:
        """Return the reader with more of the ring."""
        return reader._replace(ring=ring, at="copy" if len(ring) < self.ring else "read")

    def journal_steps(self, state: State, reader: Reader) -> Iterator[Step]:
        """Read on from the last newline, to the next one or to the end: a line is taken from one read."""
        rest = state.disk.journal[len(reader.text) :]
        if "\n" in rest:
            line = rest[: rest.index("\n") + 1]
            yield "a reader reads a line", state._replace(reader=reader._replace(text=reader.text + line))
        yield "a reader reads to the end", state._replace(reader=self.combined(reader, rest))

    def combined(self, reader: Reader, rest: str) -> Reader:
        """Return the reader with its result; `rest` is what it read last, to the end of the journal."""
        size = len(reader.text) + len(rest)
        if reader.committed - self.ring <= size < reader.committed:
            rest += window(reader.ring, size, reader.committed)
        return Reader("return", reader.owed, 0, "", reader.text + whole_lines(rest))

    # Crash, recovery, opening again

    def crashed(self, state: State) -> State:
        """Kill whoever has the session: only the disk is left, and readers in other processes."""
        return state._replace(process=None, writes=(), recovering=None, todo=(), crashes=state.crashes - 1)

    def recovery_step(self, disk: Disk) -> tuple[str, Disk] | None:
        """Return the next step of recovery, or None when nothing is left to mend. All it knows is on the disk."""
        journal, queue = disk
        size = len(journal)
        committed = queue.committed if queue is not None else 0
        if queue is not None and size < committed:
            return "recovery appends a cell", self.written(disk, size, window(queue.ring, size, size + 1))
        keep = max(committed, len(whole_lines(journal)))
        if size > keep:
            return "recovery cuts a torn end", disk._replace(journal=journal[:keep])
        return None

    def recovered(self, disk: Disk) -> Disk:
        """Return what recovery makes of a disk when nothing interrupts it."""
        while step := self.recovery_step(disk):
            disk = step[1]
        return disk

    def recovery_steps(self, state: State) -> Iterator[Step]:
        """Mend; then, and only then, the queue file is removed, or replaced by that of the next run."""
        step = self.recovery_step(state.disk)
        if step is not None:
            yield step[0], state._replace(disk=step[1])
            return
        if state.disk.queue is not None:
            yield "recovery removes the queue file", self.queue_replaced(state, None)._replace(recovering=None)
        if state.later:
            todo, *later = state.later
            renewed = self.queue_replaced(state, Queue(len(state.disk.journal), "." * self.ring))
            process = self.opened(renewed.disk, threads=len(todo))
            begun = renewed._replace(recovering=None, process=process, todo=todo, later=tuple(later))
            yield "the session opens again", begun

    def queue_replaced(self, state: State, queue: Queue | None) -> State:
        """Remove the queue file, or rename another one over it: a reader that has it open keeps it as it was."""
        reader = state.reader
        if reader is not None and reader.at == "copy":
            assert state.disk.queue is not None
            reader = self.copied(reader, reader.ring + state.disk.queue.ring[len(reader.ring) :])
        return state._replace(disk=state.disk._replace(queue=queue), reader=reader)

    # Small changes of a state

    def on_stack(self, state: State, thread: int, stack: tuple[Call, ...]) -> State:
        """Return the state with another stack for a thread."""
        assert state.process is not None
        stacks = state.process.stacks
        stacks = (*stacks[:thread], stack, *stacks[thread + 1 :])
        return state._replace(process=state.process._replace(stacks=stacks))

    def moved(self, state: State, thread: int, call: Call, **memory: Any) -> State:
        """Return the state in which a thread's innermost call has gone on, and has changed the process's memory."""
        assert state.process is not None
        changed = state._replace(process=state.process._replace(**memory)) if memory else state
        return self.on_stack(changed, thread, (*state.process.stacks[thread][:-1], call))

    def popped(self, state: State, thread: int) -> State:
        """Return the state in which a thread's innermost call is over."""
        assert state.process is not None
        return self.on_stack(state, thread, state.process.stacks[thread][:-1])
