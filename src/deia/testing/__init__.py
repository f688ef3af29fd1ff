"""Tools for tests of programs that record: what they recorded, and a clock that stands still.

With pytest, the fixtures of `deia.pytest_plugin` are there as soon as the package is installed.
"""

from __future__ import annotations

from deia.testing.capture import CapturedEvents, capture_events
from deia.testing.clock import FakeClock

__all__ = [
    "CapturedEvents",
    "FakeClock",
    "capture_events",
]
