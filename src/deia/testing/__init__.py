"""Tools for tests of programs that record: what they recorded, a clock that stands still, and a kill with its proof.

With pytest, the fixtures of `deia.pytest_plugin` are there as soon as the package is installed.
"""

from __future__ import annotations

from deia.testing.capture import CapturedEvents, capture_events
from deia.testing.clock import FakeClock
from deia.testing.crash import CrashedRun, run_and_kill
from deia.testing.tally import Tally

__all__ = [
    "CapturedEvents",
    "CrashedRun",
    "FakeClock",
    "Tally",
    "capture_events",
    "run_and_kill",
]
