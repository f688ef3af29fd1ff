"""Open a session: into new files, after its own past, or into memory while no file can be made."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from deia import line as lines
from deia import system
from deia.journal.files import SessionFiles
from deia.journal.opener import open_session
from deia.journal.recovery import LOCK_ATTEMPTS
from deia.queue.producer import COMPLETED, OTHER, READ, STARTED, WRITTEN
from deia.queue.tasks import OpenTask

if TYPE_CHECKING:
    from deia.bus.session import Session
    from deia.journal.resume import Past
    from deia.queue.producer import Producer

RETRY_S = 0.5
"""How often it is tried again to open, or to write, a journal that could not be."""


def open_files(session: Session) -> None:
    """Open a session's files and go on in them; with the session's lock held, and safe for log calls made inside.

    Raises:
        SessionLockedError: Another logger has the session open.
        ForeignJournalError: The file is another session's.
        OSError: No file can be made.
    """
    producer = session.producer
    files = None
    opened: list[int] = []
    try:
        attempts = 1 if session.refused else LOCK_ATTEMPTS  # a busy agent that is locked out is not to wait each time
        files = open_session(
            session.agent_id, session.session_id, session.path, session.options_now(), opened, attempts
        )
        past = None
        if files.size and not session.run:
            from deia.journal.resume import read_past  # the reader, which a session without a past never needs

            past = read_past(session.path, session.session_id)
        shifted = _adopt(session, files, past)
        session.writer.begin(files)
    except BaseException:
        if files is not None and producer.home is files:  # an interruption on the way back: it is open all the same
            session.writer.begin(files)
        else:
            _undo(files, opened)
        raise
    if past is not None:
        _take_over(session, past, shifted)
    session.run = session.run or 1
    if files.recovery.aside is not None:
        session.warn(
            "aside",
            "%s: what an earlier run left in its queue file could not be used in full; it is kept as %s",
            session.path,
            files.recovery.aside.name,
        )
    session.drops.take_over(total=files.recovery.dropped, told=past.dropped if past is not None else 0)


def _undo(files: SessionFiles | None, opened: list[int]) -> None:
    """Give up what was opened, and with it the lock; what was written of the kept lines is kept still."""
    if files is None:
        for fd in opened:
            system.close(fd)
        return
    with suppress(OSError):  # the lines are written over when it is tried again
        system.ftruncate(files.journal, files.size)
    with suppress(OSError):  # a queue file that stays holds nothing
        files.release(remove=True)


def _adopt(session: Session, files: SessionFiles, past: Past | None) -> int:
    """Have the producer go on in these files: after their past, then after what was kept in memory so far.

    Returns:
        By how much the `seq` of what was kept has moved.
    """
    producer = session.producer
    while True:
        expected = producer.end
        counts = list(producer.counts)
        kept = [line for _, line in producer.lines_kept()]
        before = producer.seq - len(kept)
        data = []
        seq = before
        if past is not None and past.run:
            seq = past.seq
            _count_past(counts, past)
            data.append(
                session.session_entry(
                    seq + 1,
                    "continued",
                    run=past.run + 1,
                    session_start=session.start_time,
                    recovered_bytes=files.recovery.recovered_bytes,
                    lost_bytes=files.recovery.lost_bytes,
                    **session.joins,
                ).line
            )
        by = seq + len(data) - before
        data += [lines.shift(line, by) for line in kept] if by else kept
        end = files.write_all(b"".join(data), files.size)
        session.course.opens(files, seq, by)
        if producer.rebase(
            expected,
            end=end,
            seq=seq + len(data),
            ring=files.ring,
            ring_bytes=session.options.ring_bytes if files.ring is not None else 0,
            committed=files.committed,
            home=files,
            counts=counts,
        ):
            return by
        # a call made inside this one kept another line: once more, over the same place


def _take_over(session: Session, past: Past, shifted: int) -> None:
    """Go on with the counters and the open tasks of an earlier run; what was kept in memory comes after them."""
    producer = session.producer
    session.run = past.run + 1
    session.earlier_s = past.recorded_s
    if past.run:
        session.first_fields = None
    if past.problems:
        session.warn(
            "damage", "%s: %d problems in what was recorded earlier; see `deia check`", session.path, past.problems
        )
    kept = sorted(producer.open_tasks(), key=lambda task: task.task_id or 0)
    for task in kept:
        task.task_id = shifted + (task.task_id or 0)
        task.parent_id = None if task.parent_id is None else shifted + task.parent_id
    producer.tasks.clear()
    for event in past.open_tasks.values():
        task = OpenTask(event.name, event.start_time, None, lines.encode_value(event.metadata))
        task.task_id, task.parent_id, task.owner = event.task_id, event.parent_id, producer.owner
        _push(producer, task)
    for task in kept:
        if task not in producer.held:
            _push(producer, task)


def _count_past(counts: list[int], past: Past) -> None:
    """Add an earlier run's lines, and the one that says that the session goes on."""
    counted = {
        STARTED: past.started,
        COMPLETED: past.completed,
        READ: past.files_read,
        WRITTEN: past.files_written,
    }
    for counter, count in counted.items():
        counts[counter] += count
    counts[OTHER] += past.seq - sum(counted.values()) - past.tool_calls + 1


def _push(producer: Producer, task: OpenTask) -> None:
    task.older = producer.tasks.get(task.name)
    producer.tasks[task.name] = task


def keep_in_memory(session: Session, error: Exception) -> None:
    """Note that no file could be made: until one can, events are kept in memory."""
    session.retry_at = system.monotonic() + RETRY_S
    session.writer.failed(error)
    session.warn("memory", "No session log can be made, events are kept in memory: %s: %s", session.path, error)
