"""A clock that stands still until it is told to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING

from deia import system

if TYPE_CHECKING:
    from typing_extensions import Self

START = 1_767_225_600.0
"""What a fake clock shows at first, unless told: midnight of 1 January 2026, UTC. Always the same, so that logs are."""

_NS = 1_000_000_000

READERS = {
    "deia.system": ("now", "stopwatch"),
    "deia.services.handles": ("stopwatch",),
    "deia.services.recording": ("now",),
    "deia.services.session_logger": ("now", "stopwatch"),
    "deia.services.tasks": ("now", "stopwatch"),
}
"""Who holds the clocks of what is recorded, and under which names: those that took them out of `deia.system`, once and
for all, so that a log call need not look there each time."""

_running: list[FakeClock] = []
_real: dict[tuple[str, str], Callable[[], float]] = {}
_lock = threading.RLock()


class FakeClock:
    """The time that is recorded, while its `with` block lasts: it stands still, and moves as it is told.

    What it stands for: every timestamp, start and end in a log, every duration that is measured, and the time of a
    summary, of all loggers of this process. What it does not touch: everything that waits. Timeouts, the background
    and the intervals of its writes and syncs go on in real time, and so do `time.time` and `asyncio.sleep` elsewhere.

    Durations are measured from where the real clock stood, so that a task that is open when the block begins goes on.
    One that is open when it ends has no duration that means anything. Of several clocks the one entered last counts.

    Args:
        start: The first time it shows: Unix seconds, or a datetime that knows its zone; else the beginning of 2026.

    Raises:
        ValueError: A datetime without a time zone.
    """

    def __init__(self, start: float | datetime = START) -> None:
        if isinstance(start, datetime):
            if start.tzinfo is None:
                raise ValueError(f"which moment that is depends on its time zone: {start!r}")
            start = start.timestamp()
        self._wall_ns = round(start * _NS)
        self._elapsed_ns = 0
        self._base_s = 0.0

    @property
    def time(self) -> float:
        """The time that it shows, Unix seconds."""
        return self._wall_ns / _NS

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: How much; not less than none.
        """
        if not seconds >= 0:
            raise ValueError(f"time passes forwards; `step` puts the wall clock back: {seconds!r}")
        with _lock:
            self._elapsed_ns += round(seconds * _NS)
            self._wall_ns += round(seconds * _NS)

    def step(self, seconds: float) -> None:
        """Put the wall clock forwards or back, as a time server does: no time passes, and no duration changes.

        Args:
            seconds: By how much; negative for back.
        """
        with _lock:
            self._wall_ns += round(seconds * _NS)

    def _now(self) -> float:
        return self._wall_ns / _NS

    def _stopwatch(self) -> float:
        return self._base_s + self._elapsed_ns / _NS

    def __enter__(self) -> Self:
        with _lock:
            if self in _running:
                raise RuntimeError("this clock is running already")
            self._base_s = system.monotonic() - self._elapsed_ns / _NS
            _running.append(self)
            _install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with _lock:
            _running.remove(self)
            _install()


def _install() -> None:
    """Have everyone read the clock that counts, or the real one."""
    clock = _running[-1] if _running else None
    for module, names in READERS.items():
        holder = import_module(module)  # now: what is imported later would take this clock for the real one
        for name in names:
            real = _real.setdefault((module, name), getattr(holder, name))
            setattr(holder, name, real if clock is None else getattr(clock, f"_{name}"))
    if clock is None:
        _real.clear()
