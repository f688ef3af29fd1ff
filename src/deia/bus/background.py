"""What all sessions of a process share: the background loop, and the last drain at interpreter exit."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Protocol

from deia import system
from deia.bus.loop import Background, import_gate

if TYPE_CHECKING:
    from deia.bus.session import Session

logger = logging.getLogger(__name__)

_THREADS_BEGIN_S = 5.0
"""How long the end of a program waits for a thread to begin that was started, and to be through with its imports: on a
busy machine that takes a moment."""


class Observer(Protocol):
    """Who wants to know of all sessions; called under their locks, and not to raise anything."""

    def opened(self, session: Session) -> None:
        """A session was opened, or opened again; nothing of this run is recorded yet where it is the first time."""
        ...

    def closed(self, session: Session) -> None:
        """A session was closed; all of it is in its files."""
        ...


class _Process:
    """The shared state of one process; a forked child starts with a new one."""

    def __init__(self) -> None:
        self.background: Background | None = None
        self.lock = threading.RLock()
        self.sessions: dict[int, Session] = {}
        self.observers: list[Observer] = []
        self.exiting = False
        self.registered = False


_process = _Process()


def background() -> Background:
    """Return the background loop, started if there is none or the one there was has died."""
    process = _process
    current = process.background
    if current is not None and current.alive:
        return current
    with process.lock:
        if process.background is None or not process.background.alive:
            _finish_at_exit(process)
            process.background = Background()
        return process.background


def watch(session: Session) -> None:
    """Keep an open session, and drain it at interpreter exit if nobody closes it before."""
    process = _process
    process.sessions[id(session)] = session
    _finish_at_exit(process)
    for observer in list(process.observers):
        observer.opened(session)


def at_exit(before: Callable[[], object], after: Callable[[], object]) -> None:
    """Have functions called at interpreter exit, before the sessions are drained, and after that.

    No thread can be started then; who waits for another thread does so after the sessions are drained.
    """
    _at_exit.append((before, after))
    _finish_at_exit(_process)


_at_exit: list[tuple[Callable[[], object], Callable[[], object]]] = []


def _finish_at_exit(process: _Process) -> None:
    if not process.registered:
        process.registered = True
        atexit.register(_finish_all)


def unwatch(session: Session) -> None:
    """Forget a session that is closed."""
    process = _process
    process.sessions.pop(id(session), None)
    for observer in list(process.observers):
        observer.closed(session)


def observe(observer: Observer) -> list[Session]:
    """Tell somebody of each session from now on; a forked child tells nobody of its own.

    Returns:
        The sessions that are open.
    """
    process = _process
    process.observers.append(observer)
    return list(process.sessions.values())


def stop_observing(observer: Observer) -> None:
    """Tell somebody of no session any more."""
    if observer in _process.observers:
        _process.observers.remove(observer)


def is_exiting() -> bool:
    """Whether the interpreter ends: there is no background to leave anything to, and no thread can be started."""
    return _process.exiting or sys.is_finalizing()


def _finish_all() -> None:
    """Drain, sync and close every open session.

    The I/O threads do it, side by side, as long as there are any, so that a disk that hangs holds up no exit: what it
    keeps from being written stays in the queue file. Without one (3.12 starts no thread any more) this thread does it.
    """
    process = _process
    process.exiting = True
    for before, _ in _at_exit:
        _call(before)
    sessions = list(process.sessions.values())
    deadlines = [system.monotonic() + session.options.exit_timeout_s for session in sessions]
    jobs = [_start(process, session) for session in sessions]
    wait([job for job in jobs if job is not None], timeout=max(deadlines, default=0.0) - system.monotonic())
    for session, deadline, job in zip(sessions, deadlines, jobs, strict=True):
        if job is not None and not job.done():
            continue
        if session.lock.acquire(timeout=max(0.0, deadline - system.monotonic())):
            try:
                session.finish(deadline)
            except Exception:  # one session's trouble is not the others'
                logger.exception("The session could not be closed: %s", session.path)
            finally:
                session.lock.release()
        session.say()
    for _, after in _at_exit:
        _call(after)
    system.wait_for_threads(_THREADS_BEGIN_S)
    if process.background is not None:
        process.background.stop_importing(_THREADS_BEGIN_S)


def _call(function: Callable[[], object]) -> None:
    try:
        function()
    except Exception:  # the sessions are drained all the same
        logger.exception("What was to be called at exit has failed: %r", function)


def _start(process: _Process, session: Session) -> Future[None] | None:
    session.set_limit()  # no more fast path: nobody else drains it from here on
    if process.background is not None:
        with contextlib.suppress(RuntimeError):
            return process.background.executor.submit(session.settle)
    return None


def _before_fork() -> None:
    import_gate.acquire()


def _after_fork_in_parent() -> None:
    import_gate.release()


def _start_over() -> None:
    """In a forked child: the threads, the sessions and their exit handler are the parent's."""
    global _process
    import_gate.release()
    for session in _process.sessions.values():
        session.disown()  # whoever holds a copy of a descriptor holds the lock
    registered = _process.registered
    _process = _Process()
    _process.registered = registered  # atexit keeps the handler, which will find the child's own sessions only


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_start_over)
