"""Wait for what another thread or process does in its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE_S = 20.0
"""How long a slow machine may take; only a failing test waits so long."""


def eventually(condition: Callable[[], object], what: str) -> None:
    """Return once `condition()` is true. For states that nothing announces; where there is an event, wait for that."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"still waiting: {what}"
        pause.wait(0.005)


class Worker(threading.Thread):
    """A thread that is joined with patience and passes on what went wrong in it."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do the work and keep its error."""
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - raised again by `finish`
            self._error = error

    def finish(self) -> None:
        """Wait for its end and raise what it raised."""
        self.join(PATIENCE_S)
        assert not self.is_alive(), "the thread hangs"
        if self._error is not None:
            raise self._error
