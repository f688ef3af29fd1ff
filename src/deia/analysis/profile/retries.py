"""Tool calls that were made again after the same call had failed."""

from __future__ import annotations

from itertools import islice

from deia.analysis.profile.tasks import TaskKey
from deia.analysis.profile.timeline import LONGEST_MS

FAILURES_KEPT = 64 * 1024
"""How many calls that failed, and have not succeeded since, are remembered, in all tasks together: some 10 MB."""

_ROUNDING_MS = 1
"""By as much a call that was made at once may seem to begin before the end of the other: its own end, its duration and
the other's end are each rounded to a millisecond."""


class Retries:
    """Takes tool calls.

    Attributes:
        count: Calls that began when the same call had failed in their task, and had not succeeded since.
        exact: False once a failure had to be forgotten: there may have been more.
    """

    def __init__(self) -> None:
        self.count = 0
        self.exact = True
        self._failed: dict[TaskKey, dict[int, int]] = {}  # task → call → when the first ended that failed
        self._kept = 0

    def feed(self, call: int, task: TaskKey, start: int | None, end: int | None, *, failed: bool) -> None:
        """Take one call.

        Args:
            call: What it has in common with the same calls, and with no other.
            task: The open task that it was made in.
            start: The millisecond it began; None where nothing tells, which is taken for after all that was logged.
            end: The millisecond it ended, likewise.
            failed: Whether it failed.
        """
        calls = self._failed.get(task)
        failed_at = calls.get(call) if calls is not None else None
        if failed_at is not None and (start is None or start >= failed_at - _ROUNDING_MS):
            self.count += 1
        if failed and failed_at is None:
            self._remember(call, task, -LONGEST_MS if end is None else end)
        elif not failed and calls is not None and failed_at is not None:
            del calls[call]
            self._kept -= 1

    def complete(self, task: TaskKey) -> None:
        """Forget what failed in a task: it is complete."""
        self._kept -= len(self._failed.pop(task, ()))

    def _remember(self, call: int, task: TaskKey, end: int) -> None:
        if self._kept >= FAILURES_KEPT:
            self._forget()
        self._failed.setdefault(task, {})[call] = end
        self._kept += 1

    def _forget(self) -> None:
        """Forget half of the failures: those of the tasks in which something failed first, and of these the older."""
        self.exact = False
        most = FAILURES_KEPT // 2
        for task, calls in list(self._failed.items()):
            old = list(islice(calls, most))
            for call in old:
                del calls[call]
            if not calls:
                del self._failed[task]
            self._kept -= len(old)
            most -= len(old)
