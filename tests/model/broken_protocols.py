"""The protocol with one rule broken at a time: what each rule is for, and proof that the exploration can fail."""

from __future__ import annotations

from collections.abc import Iterator

from model.protocol_model import Protocol, Step
from model.states import Call, Disk, Process, Queue, Reader, State, Write, whole_lines, window


class CommitsBeforeCopying(Protocol):
    """`committed` is stored first, and the line copied after it."""

    def section_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        queue = state.disk.queue
        assert queue is not None
        if queue.committed == call.end:
            committed = state.disk._replace(queue=queue._replace(committed=call.end + len(call.line)))
            yield "a call commits", state._replace(disk=committed)
        else:
            yield from super().section_steps(state, process, thread, call)


class ChecksAndCopiesApart(Protocol):
    """Another call can run between the check of `end` and the copy."""

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if call.at == "checked":
            yield "a call goes on", self.moved(state, thread, call._replace(at="copy"))
            return
        for step, after in super().call_steps(state, process, thread, call):
            if step == "a call reserves":
                yield step, self.moved(state, thread, call._replace(at="checked"))
            else:
                yield step, after


class CopiesAndCommitsApart(Protocol):
    """Another call can run between the copy and the commit."""

    def section_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        for step, after in super().section_steps(state, process, thread, call):
            assert after.process is not None
            following = after.process.stacks[thread][-1]
            if following.at == "commit":
                yield step, self.moved(after, thread, following._replace(at="copied"))
            else:
                yield step, after

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if call.at == "copied":
            yield "a call goes on", self.moved(state, thread, call._replace(at="commit"))
        else:
            yield from super().call_steps(state, process, thread, call)


class KeepsTheOldLine(Protocol):
    """A call that sees that `end` has moved takes the new place, but not the next `seq`."""

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        for step, after in super().call_steps(state, process, thread, call):
            if step == "a call begins again":
                yield step, self.moved(state, thread, call._replace(end=process.end))
            else:
                yield step, after


class ReusesWhatIsBeingWritten(Protocol):
    """`limit` grows when a write begins, not when it has returned."""

    def has_room(self, state: State, process: Process, call: Call) -> bool:
        begun = max((write.offset + len(write.data) for write in state.writes), default=0)
        return call.end + len(call.line) <= max(process.flushed, begun) + self.ring


class BelievesWhatItAsked(Protocol):
    """`flushed` goes to the end of what the write was asked for, though it was short."""

    def advanced(self, process: Process, write: Write) -> Process:
        return process._replace(flushed=max(process.flushed, write.offset + len(write.data)))


class AddsUp(Protocol):
    """`flushed` grows by what each write returned, though two wrote the same."""

    def advanced(self, process: Process, write: Write) -> Process:
        return process._replace(flushed=process.flushed + write.landed)


class WritesFromTheRing(Protocol):
    """A write has no copy of its own: it takes the cells from the ring when it lands."""

    def landed(self, disk: Disk, write: Write, cells: int) -> Disk:
        if disk.queue is None:
            return super().landed(disk, write, cells)
        start = write.offset + write.landed
        return self.written(disk, start, window(disk.queue.ring, start, start + cells))


class Appends(Protocol):
    """The journal is opened with `O_APPEND`: a write goes to the end, wherever it was meant to go."""

    def written(self, disk: Disk, offset: int, data: str) -> Disk:
        return disk._replace(journal=disk.journal + data)


class CommitsBeforeWritingDirectly(Protocol):
    """A line longer than the ring is committed first, and written after it."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        for step, after in super().reserve_steps(state, process, thread, call):
            if step == "a direct write begins" and state.disk.queue is not None:
                queue = state.disk.queue._replace(committed=call.end + len(call.line))
                yield step, after._replace(disk=state.disk._replace(queue=queue))
            else:
                yield step, after


class DoesNotWaitForTheQueue(Protocol):
    """A line longer than the ring is written though lines before it are still in the queue."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if len(call.line) > self.ring and not process.pending and call.end == process.end:
            yield "a direct write begins", self.moved(state, thread, call._replace(at="write"), pending=call.line)
        else:
            yield from super().reserve_steps(state, process, thread, call)


class LeavesTheFastPathOpen(Protocol):
    """Other threads go on with the ring while one writes a line directly."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if self.written_by_another_thread(process, thread) and process.end == call.end:
            yield "a call reserves", self.moved(state, thread, call._replace(at="copy"))
        else:
            yield from super().reserve_steps(state, process, thread, call)


class NestedCallWaits(Protocol):
    """A call made inside a direct write waits for it as another thread's call does."""

    def written_by_another_thread(self, process: Process, thread: int) -> bool:
        return any(call.at == "write" for stack in process.stacks for call in stack)


class NestedCallGoesItsOwnWay(Protocol):
    """A call made inside a direct write goes on as if there were none."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        yield from super().reserve_steps(state, process._replace(pending=""), thread, call)


class NestedCallCutsBack(Protocol):
    """A call made inside a direct write cuts the journal back to `committed`; the outer call begins again."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if process.pending and not self.written_by_another_thread(process, thread):
            cut = state.disk._replace(journal=state.disk.journal[: process.end])
            settled = self.settled(process, process.pending, "reserve")
            yield "a direct write is cut back", state._replace(disk=cut, process=settled)
        else:
            yield from super().reserve_steps(state, process, thread, call)


class OuterCallLooksOnlyAtEnd(Protocol):
    """The same, and the outer call begins again only if `end` has moved, not if the nested call came to nothing."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if process.pending and not self.written_by_another_thread(process, thread):
            cut = state.disk._replace(journal=state.disk.journal[: process.end])
            yield "a direct write is cut back", state._replace(disk=cut, process=process._replace(pending=""))
        else:
            yield from super().reserve_steps(state, process, thread, call)

    def direct_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if process.end != call.end:
            yield "a call begins again", self.moved(state, thread, self.encoded(process, call.name))
        else:
            yield from super().direct_steps(state, process, thread, call)


class WritesBlindly(Protocol):
    """A call inside a direct write fails to finish it and cuts it back, and the outer call goes on as before."""

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        after = super().failed_directly(state, process, call)
        if after.process is None or after.process.end != process.end:
            return after
        stacks = tuple(
            tuple(old if old.at == "write" and old != call else new for old, new in zip(before, told, strict=True))
            for before, told in zip(process.stacks, after.process.stacks, strict=True)
        )
        return after._replace(process=after.process._replace(stacks=stacks))


class LeavesTornBytes(Protocol):
    """What a failed direct write has left of its line stays in the journal."""

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        return super().failed_directly(state, process, call)._replace(disk=state.disk)


class CutsWholeLines(Protocol):
    """A direct write that failed is cut back, though another call's attempt had written the whole line."""

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        cut = state.disk._replace(journal=state.disk.journal[: call.end])
        return super().failed_directly(state._replace(disk=cut), process, call)


class ForgetsAndCutsApart(Protocol):
    """Another call can run after a failed direct write was forgotten, and before it is cut back."""

    def failed_directly(self, state: State, process: Process, call: Call) -> State:
        after = super().failed_directly(state, process, call)
        if after.disk == state.disk or after.process is None:
            return after
        thread = next(at for at, stack in enumerate(process.stacks) if stack and stack[-1] == call)
        return self.moved(after, thread, call._replace(at="cut"))._replace(disk=state.disk)

    def call_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        if call.at == "cut":
            cut = state.disk._replace(journal=state.disk.journal[: call.end])
            yield "a direct write is cut back", self.moved(state._replace(disk=cut), thread, Call(call.name))
        else:
            yield from super().call_steps(state, process, thread, call)


class ReadsTheJournalFirst(Protocol):
    """A reader reads the journal, and copies the window after it."""

    def reader_begun(self, state: State) -> Reader:
        return Reader("read", state.acknowledged, 0, "", "")

    def journal_steps(self, state: State, reader: Reader) -> Iterator[Step]:
        if state.disk.queue is None or not self.ring:
            yield from super().journal_steps(state, reader)
        else:
            read = reader._replace(at="copy", text=state.disk.journal)
            yield "a reader reads to the end", state._replace(reader=read)

    def ring_read(self, state: State, reader: Reader) -> Reader:
        assert state.disk.queue is not None
        begun = reader if reader.ring else reader._replace(committed=state.disk.queue.committed)
        return super().ring_read(state, begun)

    def copied(self, reader: Reader, ring: str) -> Reader:
        copied = super().copied(reader, ring)
        return self.combined(copied, "") if copied.at == "read" else copied

    def combined(self, reader: Reader, rest: str) -> Reader:
        combined = super().combined(reader, rest)
        return combined._replace(text=whole_lines(combined.text))


class CopiesTheRingFirst(Protocol):
    """A reader copies the ring, and `committed` after it."""

    def ring_read(self, state: State, reader: Reader) -> Reader:
        assert state.disk.queue is not None
        return super().ring_read(state, reader)._replace(committed=state.disk.queue.committed)


class JoinsTwoReads(Protocol):
    """A reader puts a line together from two reads of the journal."""

    def journal_steps(self, state: State, reader: Reader) -> Iterator[Step]:
        read = state.disk.journal[: len(reader.text) + 2]
        if len(read) > len(reader.text):
            joined = reader.text + read[len(reader.text) :]
            yield "a reader reads a piece", state._replace(reader=reader._replace(text=joined))
        yield from super().journal_steps(state, reader)

    def combined(self, reader: Reader, rest: str) -> Reader:
        whole = super().combined(reader, rest)
        return whole._replace(text=whole_lines(whole.text))


class RemovesTheQueueFirst(Protocol):
    """Recovery takes a copy of the window, removes the queue file, and writes after that."""

    def recovery_steps(self, state: State) -> Iterator[Step]:
        size = len(state.disk.journal)
        assert state.recovering is not None
        if state.disk.queue is not None:
            yield "recovery removes the queue file", self.queue_replaced(state, None)
        elif size < len(state.recovering):
            appended = self.written(state.disk, size, state.recovering[size])
            yield "recovery appends a cell", state._replace(disk=appended)
        else:
            yield from super().recovery_steps(state)


class AppendsTheWholeWindow(Protocol):
    """Recovery appends the window from its beginning, not from the journal's size."""

    def recovery_step(self, disk: Disk) -> tuple[str, Disk] | None:
        journal, queue = disk
        if queue is not None and len(journal) < queue.committed:
            start = max(0, queue.committed - self.ring)
            return "recovery appends", self.written(disk, len(journal), window(queue.ring, start, queue.committed))
        return super().recovery_step(disk)


class KeepsATornEnd(Protocol):
    """Recovery leaves the torn end of a direct write."""

    def recovery_step(self, disk: Disk) -> tuple[str, Disk] | None:
        step = super().recovery_step(disk)
        return None if step is not None and step[0] == "recovery cuts a torn end" else step


class CutsToCommitted(Protocol):
    """Recovery cuts everything beyond `committed`, whole lines too."""

    def recovery_step(self, disk: Disk) -> tuple[str, Disk] | None:
        journal, queue = disk
        if queue is not None and self.ring and len(journal) > queue.committed:
            return "recovery cuts to `committed`", disk._replace(journal=journal[: queue.committed])
        return super().recovery_step(disk)


class ClosesBeforeDraining(Protocol):
    """`close` removes the queue file while lines are in it."""

    def drained_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        yield from super().drained_steps(state, process._replace(flushed=process.end), thread, call)


class AcceptsAfterClose(Protocol):
    """`close` leaves the fast path open."""

    def reserve_steps(self, state: State, process: Process, thread: int, call: Call) -> Iterator[Step]:
        yield from super().reserve_steps(state, process._replace(closing=False), thread, call)


class OpensAtCommitted(Protocol):
    """A new run goes on at the old queue file's `committed`, not at the end of the recovered journal."""

    def recovery_steps(self, state: State) -> Iterator[Step]:
        queue = state.disk.queue
        for step, after in super().recovery_steps(state):
            if step == "the session opens again" and queue is not None and after.process is not None:
                process = after.process._replace(end=queue.committed, flushed=queue.committed)
                disk = after.disk._replace(queue=Queue(queue.committed, "." * self.ring))
                yield step, after._replace(disk=disk, process=process)
            else:
                yield step, after
