"""Fixtures for all tests. Tests import what they share from `support`, the package beside this file."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import registry
from support.held_writer import HeldWriter
from support.losses import Losses
from support.processes import end_all

_UVLOOP = pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="uvloop is not installed")


def pytest_configure() -> None:
    """Have Ctrl-C do what it does in a terminal, though for what a shell runs beside it, it is ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop", marks=_UVLOOP),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Every async test runs on each event loop that we support."""
    return request.param


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests do not steer them."""
    monkeypatch.delenv("DEIA_SESSIONS_DIR", raising=False)
    monkeypatch.delenv("DEIA_DISABLED", raising=False)
    monkeypatch.delenv("TRACEPARENT", raising=False)


@pytest.fixture(autouse=True)
def event_classes_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is not known to the next, which may have a class of that name itself."""
    monkeypatch.setattr(registry, "_classes", dict(registry._classes))


@pytest.fixture(autouse=True)
def processes_end_with_their_test() -> Iterator[None]:
    """What a test has started does not outlive it, whatever went wrong."""
    yield
    end_all()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, for what writes under the current one."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def warnings_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What deia warns of during the test: through the module global `deia.services.session_logger.logger`, which is
    replaced for this, and through the loggers of its other modules.
    """
    from deia.services import session_logger

    messages: list[str] = []
    collector = _Collector(messages)
    substitute = logging.Logger("substitute")
    substitute.addHandler(collector)
    monkeypatch.setattr(session_logger, "logger", substitute)
    logging.getLogger("deia").addHandler(collector)
    yield messages
    logging.getLogger("deia").removeHandler(collector)


class _Collector(logging.Handler):
    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())


@pytest.fixture
def held_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldWriter]:
    """A disk that the test can hold; it is let go at the end, whatever happened."""
    writer = HeldWriter(monkeypatch)
    yield writer
    writer.release()


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is one: what is tried at each byte of a file needs no disk."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="deia-tests-", dir=memory) as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def losses() -> Iterator[Losses]:
    """Where a test of a death or a fault adds what it found; written to `$DEIA_LOSSES` at the end of the run."""
    found = Losses()
    yield found
    if directory := os.environ.get("DEIA_LOSSES"):
        found.write(Path(directory))
