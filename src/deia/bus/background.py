"""What all sessions of a process share: the background loop, and the last drain at interpreter exit."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING

from deia import system
from deia.bus.loop import Background, import_gate

if TYPE_CHECKING:
    from deia.bus.session import Session


class _Process:
    """The shared state of one process; a forked child starts with a new one."""

    def __init__(self) -> None:
        self.background: Background | None = None
        self.lock = threading.RLock()
        self.sessions: dict[int, Session] = {}
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
            process.background = Background()
        return process.background


def watch(session: Session) -> None:
    """Keep an open session, and drain it at interpreter exit if nobody closes it before."""
    process = _process
    process.sessions[id(session)] = session
    if not process.registered:
        process.registered = True
        atexit.register(_finish_all)


def unwatch(session: Session) -> None:
    """Forget a session that is closed."""
    _process.sessions.pop(id(session), None)


def is_exiting() -> bool:
    """Whether the last drain has begun: there is no background to leave anything to."""
    return _process.exiting


def _finish_all() -> None:
    """Drain and close every open session: drains on the exiting thread, syncs side by side on the I/O threads."""
    process = _process
    process.exiting = True
    sessions = list(process.sessions.values())
    deadlines = [system.monotonic() + session.options.exit_timeout_s for session in sessions]
    syncs = []
    for session in sessions:
        session.set_limit()  # no more fast path: nobody else drains it from here on
        session.writer.try_to_drain()
        if session.options.sync_policy != "never" and process.background is not None:
            # without a thread (3.12 starts none any more) `finish` syncs here, one after the other
            with contextlib.suppress(RuntimeError):
                syncs.append(process.background.executor.submit(session.writer.sync))
    # a disk that hangs holds up no exit: what it keeps from being synced stays of unknown durability
    wait(syncs, timeout=max(deadlines, default=0.0) - system.monotonic())
    for session, deadline in zip(sessions, deadlines, strict=True):
        session.finish(deadline)


def _before_fork() -> None:
    import_gate.acquire()


def _after_fork_in_parent() -> None:
    import_gate.release()


def _start_over() -> None:
    """In a forked child: the threads, the sessions and their exit handler are the parent's."""
    global _process
    import_gate.release()
    registered = _process.registered
    _process = _Process()
    _process.registered = registered  # atexit keeps the handler, which will find the child's own sessions only


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_start_over)
