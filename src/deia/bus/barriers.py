"""What a caller may wait for: that all is written, that it is synced, that the session is closed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from deia import system
from deia.bus.closing import finish
from deia.errors import FlushTimeoutError, WriterFailedError

if TYPE_CHECKING:
    from deia.bus.session import Session


def flush(session: Session, timeout_s: float) -> int:
    """See `SessionLogger.flush`."""
    target = session.producer.end
    _wait_until(
        session,
        lambda: _is_filed(session) and session.producer.flushed >= target,
        partial(_flush_now, session),
        timeout_s,
    )
    return target


def sync(session: Session, timeout_s: float) -> int:
    """See `SessionLogger.sync`."""
    target = session.producer.end
    _wait_until(
        session,
        lambda: _is_filed(session) and session.writer.durable >= target,
        partial(_sync_now, session),
        timeout_s,
    )
    return target


def close(session: Session, timeout_s: float) -> None:
    """See `SessionLogger.close`."""
    with session.lock:
        if session.state == "unopened":
            session.state = "closed"
            session.feed.wake()
    if session.state in ("closed", "disowned"):
        return
    deadline = system.monotonic() + timeout_s
    _have_done(session, lambda: session.state == "closed", partial(finish, session, deadline, explicit=True), timeout_s)
    error = session.writer.sync_error
    if error is not None:
        raise WriterFailedError(
            f"the session log could not be synced: {session.path}: {error}", path=session.path, pending_bytes=0
        ) from error


def _flush_now(session: Session) -> None:
    """Drain for someone who waits, to where readers look for it."""
    if session.segments.is_displaced or session.segments.is_due:
        session.segments.go_on(urgent=True)
    session.drain()


def _sync_now(session: Session) -> None:
    _flush_now(session)
    session.writer.sync()
    if session.writer.sync_error is not None:
        session.segments.go_on(urgent=True)


def _is_filed(session: Session) -> bool:
    return session.state != "open" or session.writer.files is not None


def _wait_until(session: Session, condition: Callable[[], bool], job: Callable[[], object], timeout_s: float) -> None:
    if session.state in ("closing", "closed"):
        raise session.closed_error()
    if session.state in ("unopened", "disowned"):
        return
    writer = session.writer
    files = writer.files  # first: the background may go on with others by itself
    nowhere = files if session.segments.is_displaced else None
    if nowhere is not None or not condition():
        _have_done(session, lambda: condition() and (nowhere is None or writer.files is not nowhere), job, timeout_s)


def _have_done(session: Session, condition: Callable[[], bool], job: Callable[[], object], timeout_s: float) -> None:
    """Have something done on an I/O thread and wait until `condition` holds.

    Raises:
        WriterFailedError: It, or another attempt made since, failed.
        FlushTimeoutError: It took longer than `timeout_s`.
    """
    writer = session.writer
    failures = writer.failures
    failed: list[Exception] = []
    done = session.submit(job)
    done.add_done_callback(lambda _: session.progress.announce())

    def is_settled() -> bool:
        error = writer.error
        # that stands, and not of an fsync: the job itself goes on in another segment then
        if writer.failures > failures and error is not None and error is not writer.sync_error:
            failed.append(error)
        return condition() or done.done() or bool(failed)

    session.progress.wait_until(is_settled, timeout_s)
    session.say()
    if done.done():
        done.result()  # raises what the job raised
    if condition():
        return
    pending = session.producer.end - session.producer.flushed
    error = failed[-1] if failed else writer.sync_error
    if error is not None:
        raise WriterFailedError(
            f"the session log cannot be written: {session.path}: {error}", path=session.path, pending_bytes=pending
        ) from error
    raise FlushTimeoutError(
        f"the writer of {session.path.name} did not get there in {timeout_s} s; {pending} bytes wait",
        pending_bytes=pending,
    )
