"""The side of the agent that is killed: run it, and note what each call that returned has recorded.

What is here stands between the agent and its logger only in a process that `run_and_kill` has started.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deia.bus.background import observe
from deia.services import handles
from deia.services.async_session_logger import AsyncSessionLogger
from deia.services.session_logger import SessionLogger
from deia.testing.counters import map_counters

if TYPE_CHECKING:
    from deia.bus.session import Session


class _Notes:
    """What the sessions of this process have recorded by calls that returned.

    Args:
        directory: Where it is kept: `counters`, one for each session, and `sessions`, which says of what.
        after_events: With how many this process is killed.
    """

    def __init__(self, directory: Path, after_events: int | None) -> None:
        self._counters = map_counters(directory / "counters")
        self._sessions = os.open(directory / "sessions", os.O_WRONLY | os.O_APPEND)
        self._after_events = after_events
        self._lock = threading.RLock()
        self._known: dict[int, tuple[int, int, Session]] = {}

    def opened(self, session: Session) -> None:
        """Have a counter for a session."""
        with self._lock:
            if id(session) not in self._known:
                before = session.producer.seq
                self._known[id(session)] = (len(self._known), before, session)
                line = json.dumps({"path": str(session.path), "before": before}) + "\n"
                os.write(self._sessions, line.encode())

    def closed(self, session: Session) -> None:
        """Its counter stays."""

    def returned(self, session: Session) -> None:
        """Note what a session has recorded by now, and die if that is enough."""
        known = self._known.get(id(session))
        if known is None:
            return  # disabled, or refused
        slot, before, _ = known
        with self._lock:
            self._counters[slot] = max(self._counters[slot], session.producer.seq - before)
            if self._after_events is not None and sum(self._counters) >= self._after_events:
                os.kill(os.getpid(), signal.SIGKILL)


def _noting(notes: _Notes, method: Callable[..., Any], session_of: Callable[[Any], Session]) -> Callable[..., Any]:
    """A method that has noted what was recorded before it returns."""

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        result = method(self, *arguments, **named)
        notes.returned(session_of(self))
        return result

    @functools.wraps(method)
    async def call_async(self: Any, *arguments: Any, **named: Any) -> Any:
        result = await method(self, *arguments, **named)
        notes.returned(session_of(self))
        return result

    return call_async if inspect.iscoroutinefunction(method) else call


def _of_logger(logger: Any) -> Session:
    session: Session = logger._session
    return session


def _of_block(block: Any) -> Session:
    session: Session = block._recorder._session
    return session


def _note_all(notes: _Notes) -> None:
    """Have every call noted that records. What an async logger need not wait for is its sync twin's call."""
    calls = [name for name in dir(SessionLogger) if name.startswith("log_") or name in ("publish", "_log_closed")]
    for name in calls:
        setattr(SessionLogger, name, _noting(notes, getattr(SessionLogger, name), _of_logger))
    AsyncSessionLogger._wait = _noting(notes, AsyncSessionLogger._wait, _of_block)  # type: ignore[method-assign]  # on purpose
    for kind, name in ((handles._Block, "_enter"), (handles._Block, "_leave"), (handles._AsyncBlock, "_wait")):
        setattr(kind, name, _noting(notes, getattr(kind, name), _of_block))
    observe(notes)


def main() -> None:
    """Run what the last argument says."""
    config = json.loads(sys.argv[1])
    script: str = config["script"]
    _note_all(_Notes(Path(config["notes"]), config["after_events"]))
    sys.argv = [script, *config["arguments"]]
    sys.path[:] = [os.path.dirname(script), *config["path"]]
    if "function" not in config:
        runpy.run_path(script, run_name="__main__")
        return
    function = runpy.run_path(script, run_name="deia_agent")[config["function"]]
    result = function(*config["arguments"])
    if inspect.iscoroutine(result):
        import asyncio  # an agent on trio, or on no loop, is to find what it finds without us

        asyncio.run(result)
