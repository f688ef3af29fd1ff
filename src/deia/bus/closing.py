"""End a session: write what is left, sync it, and give up its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deia import system
from deia.bus.background import is_exiting, unwatch

if TYPE_CHECKING:
    from deia.bus.session import Session, State

_LAST_PAUSE_S = 0.05
"""Between two attempts, at interpreter exit, to write what no queue file keeps: it is lost with the process."""


def finish(session: Session, deadline: float, *, explicit: bool = False) -> None:
    """Drain, sync and close, on this thread.

    Args:
        session: The session; without effect where it is closed, or not open yet.
        deadline: Monotonic seconds; what is not written by then stays in the queue file.
        explicit: Whether `close` was called: it is synced whatever the policy, and no call may follow.
    """
    writer = session.writer
    with session.lock:
        if session.state not in ("open", "closing"):
            return
        session.retry()
        waiting = session.producer.end - session.producer.flushed
        if writer.files is None and waiting and is_exiting():
            session.warn("lost", "%d bytes of events are lost, no log could be made: %s", waiting, session.path)
        if explicit:
            session.state = "closing"
            session.producer.limit = -1
    if explicit:
        session.segments.settle()
    while writer.files is not None:
        with session.lock:
            writer.finish_direct()
        try:
            writer.drain(deadline)
        except OSError as error:
            writer.failed(error)
        if session.segments.is_broken or (explicit and session.segments.is_displaced):
            if session.segments.go_on(urgent=explicit):
                continue
            if writer.sync_error is None:
                break
        if session.producer.flushed < session.producer.end:
            if is_exiting() and writer.files.ring is None and system.monotonic() + _LAST_PAUSE_S < deadline:
                system.pause(_LAST_PAUSE_S)
                continue
            break
        if (explicit or session.options.sync_policy != "never") and system.monotonic() < deadline:
            writer.sync()
            if writer.sync_error is not None and session.segments.go_on(urgent=explicit):
                continue
        with session.lock:
            if session.appender.tell_drops() and _release(
                session, "closed" if explicit or not is_exiting() else "unopened"
            ):
                break
    session.progress.announce()
    with session.lock:  # after another call of `finish` that is at it, too
        if session.state == "closing":
            session.state = "open"  # the queue file goes on holding what could not be written
    left = session.producer.end - session.producer.flushed
    if left and is_exiting() and writer.files is not None and writer.files.ring is None:
        session.warn("lost", "%d bytes of events are lost, the log could not be written: %s", left, session.path)


def _release(session: Session, afterwards: State) -> bool:
    """Give up the files, all of it being written; False if something was appended meanwhile.

    At interpreter exit a call may still come, from a later exit hook, a destructor or a daemon thread: the session
    is opened again for it. One made inside this one, by a signal handler, is kept in memory until the files are
    released.
    """
    producer, writer = session.producer, session.writer
    end, files = producer.end, writer.files
    if files is None:
        return True  # another call of `finish` was first
    producer.limit = -1
    session.course.ends(end)
    if (
        producer.direct is not None
        or producer.flushed < end
        or not producer.rebase(end, end=end, seq=producer.seq, ring=None, ring_bytes=0, committed=None)
    ):
        return False
    session.state = "opening"
    writer.files = None
    try:
        files.release(remove=True)
    except OSError as error:  # all is in the journal; a queue file that stays is recovered to nothing
        session.warn("remove", "The queue file could not be removed: %s: %s", session.path, error)
    for task in producer.open_tasks():
        task.owner = None if afterwards == "closed" else producer.owner  # contexts keep tasks that are in them
    session.state = afterwards
    unwatch(session)
    session.feed.wake()
    if session.bell is not None:
        session.bell.ring()
    if producer.end > end:
        session.open()
        return False
    return True
