"""Open a session: into new files, after its own past, or into memory while no file can be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deia import line as lines
from deia import system
from deia.journal.files import SessionFiles, open_session
from deia.queue.tasks import OpenTask

if TYPE_CHECKING:
    from deia.bus.session import Session
    from deia.journal.resume import Past

RETRY_S = 0.5
"""How often it is tried again to open, or to write, a journal that could not be."""


def open_files(session: Session) -> None:
    """Open a session's files and go on in them; with the session's lock held, and safe for log calls made inside.

    Raises:
        SessionLockedError: Another logger has the session open.
        ForeignJournalError: The file is another session's.
        OSError: No file can be made.
    """
    files = open_session(session.agent_id, session.session_id, session.path, session.options_now())
    try:
        past = None
        if files.size and not session.run:
            from deia.journal.resume import read_past  # the reader, which a session without a past never needs

            past = read_past(session.path)
        _adopt(session, files, past)
    except BaseException:
        files.release(remove=True)
        raise


def _adopt(session: Session, files: SessionFiles, past: Past | None) -> None:
    """Have the producer go on in these files: after their past, then after what was kept in memory so far."""
    producer = session.producer
    while True:
        expected = producer.end
        kept = [line for at, line in list(producer.kept.items()) if at is not None]
        before = producer.seq - len(kept)
        data = []
        seq = before
        if past is not None and past.run:
            seq = past.seq
            data.append(
                session.session_entry(
                    seq + 1,
                    "continued",
                    run=past.run + 1,
                    session_start=session.start_time,
                    recovered_bytes=files.recovery.recovered_bytes,
                    lost_bytes=files.recovery.lost_bytes,
                ).line
            )
        by = seq + len(data) - before
        data += [lines.shift(line, by) for line in kept] if by else kept
        end = files.write_all(b"".join(data), files.size)
        if producer.rebase(
            expected,
            end=end,
            seq=seq + len(data),
            ring=files.ring,
            ring_bytes=session.options.ring_bytes if files.ring is not None else 0,
            committed=files.committed,
        ):
            break  # else a call made inside this one kept another line: once more, over the same place
    if past is not None:
        _take_over(session, past)
    session.run = session.run or 1
    session.drops.take_over(total=files.recovery.dropped, told=past.dropped if past is not None else 0)
    session.writer.begin(files, files.size)


def _take_over(session: Session, past: Past) -> None:
    """Go on with the counters and the open tasks of an earlier run."""
    producer = session.producer
    session.run = past.run + 1
    session.earlier_s = past.recorded_s
    if past.run:
        session.first_fields = None
    earlier = (past.started, past.completed, past.files_read, past.files_written, past.tool_calls)
    for counter, count in enumerate(earlier):
        producer.counts[counter] += count
    for event in past.open_tasks.values():
        task = OpenTask(event.name, producer, event.start_time, None, lines.encode_value(event.metadata))
        task.task_id, task.parent_id, task.is_open = event.task_id, event.parent_id, True
        task.older = producer.tasks.get(task.name)
        producer.tasks[task.name] = task


def keep_in_memory(session: Session, error: OSError) -> None:
    """Note that no file could be made: until one can, events are kept in memory."""
    session.retry_at = system.monotonic() + RETRY_S
    session.writer.failed(error)
    session.warn("memory", "No session log can be made, events are kept in memory: %s: %s", session.path, error)
