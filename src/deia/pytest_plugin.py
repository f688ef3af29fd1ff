"""Fixtures for pytest, which finds them by itself where this package is installed.

Every test run of the environment imports this module, so it imports nothing of ours before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from deia.testing import CapturedEvents, FakeClock


@pytest.fixture
def deia_sessions_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory below `tmp_path`, where loggers record that the test makes without an `output_dir`.

    It is made with the first event. Recording is on for them, whatever `DEIA_DISABLED` says outside.
    """
    directory = tmp_path / "sessions"
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(directory))
    monkeypatch.delenv("DEIA_DISABLED", raising=False)
    return directory


@pytest.fixture
def deia_events(deia_sessions_dir: Path) -> Iterator[CapturedEvents[Any]]:  # noqa: ARG001  # asked for by name
    """What all loggers of this process record from here on; see `deia.testing.capture_events`.

    Loggers that the test makes record to `deia_sessions_dir`.
    """
    from deia.testing import capture_events

    with capture_events() as events:
        yield events


@pytest.fixture
def deia_clock() -> Iterator[FakeClock]:
    """The clock of what is recorded, standing still; see `deia.testing.FakeClock`."""
    from deia.testing import FakeClock

    with FakeClock() as clock:
        yield clock
