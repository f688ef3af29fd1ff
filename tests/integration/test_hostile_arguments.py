"""Arguments that raise, change or overflow while they are recorded: a call raises what is documented, or records."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from support.lines import assert_sound, lines_of
from support.waiting import Worker


class RaisingPath:
    def __fspath__(self) -> str:
        raise RuntimeError("no path")


class RaisingNumber:
    def __float__(self) -> float:
        raise RuntimeError("no number")


class MutatingValue:
    """Changes the mapping it stands in when it is shown."""

    def __init__(self, within: dict[str, Any]) -> None:
        self._within = within

    def __repr__(self) -> str:
        self._within[f"{len(self._within)}"] = None
        return "<mutating>"


def mutating_params() -> dict[str, Any]:
    params: dict[str, Any] = {"none": None}
    params["value"] = MutatingValue(params)
    params["last"] = 1
    return params


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda logger: logger.log_tool_call("t", {}, Fraction(10**400)), id="duration beyond a float"),
        pytest.param(lambda logger: logger.log_tool_call("t", {}, RaisingNumber()), id="duration that raises"),
        pytest.param(lambda logger: logger.log_task_complete("t", RaisingNumber()), id="task duration that raises"),
        pytest.param(lambda logger: logger.log_file_read(RaisingPath()), id="path that raises"),
        pytest.param(lambda logger: logger.log_file_write(RaisingPath(), 1), id="written path that raises"),
        pytest.param(lambda logger: logger.log_tool_call("t", mutating_params(), 1), id="params that change"),
        pytest.param(lambda logger: logger.log_task_start("t", mutating_params()), id="metadata that changes"),
    ],
)
def test_hostile_argument_is_recorded_or_refused_as_documented(
    tmp_path: Path, call: Callable[[SessionLogger], None]
) -> None:
    """Nothing but ValueError and TypeError comes out of a log call, and the next one is as good as ever."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path)
    with contextlib.suppress(ValueError, TypeError):
        call(logger)
    logger.log_file_read("after")
    logger.close()
    assert lines_of(logger.path)[-1]["path"] == "after"
    assert_sound(logger.path)


def test_params_that_another_thread_changes_never_raise(tmp_path: Path) -> None:
    """What is recorded of them is one state or another; the call does not fail."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path, sync_policy="never")
    params: dict[str, Any] = {"none": None} | {f"{number}": number for number in range(200)}
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            params["other"] = 1
            params.pop("other")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    worker = Worker(change)
    try:
        for number in range(2000):
            logger.log_tool_call("t", params, number)
    finally:
        done.set()
        sys.setswitchinterval(before)
        worker.finish()
    assert logger.statistics().dropped == 0
    logger.close()
    assert len(lines_of(logger.path)) == 2000
    assert_sound(logger.path)


def test_ring_beyond_any_memory_is_refused_at_construction(tmp_path: Path) -> None:
    """Not at the first event, where nobody expects it."""
    with pytest.raises(ValueError, match="queue_bytes"):
        SessionLogger("agent", "s", output_dir=tmp_path, queue_bytes=2**50)


def test_exception_of_a_signal_handler_inside_odd_data_comes_out(tmp_path: Path) -> None:
    """A deadline that passes while a value's `repr` runs is met by the program, not recorded as its text."""

    class Deadline(Exception):
        pass

    class Slow:
        def __repr__(self) -> str:
            signal.raise_signal(signal.SIGUSR1)
            return "slow"

    def handle(number: int, frame: object) -> None:
        raise Deadline

    earlier = signal.signal(signal.SIGUSR1, handle)
    try:
        for redact in (True, False):
            logger = SessionLogger("agent", output_dir=tmp_path, redact=redact)
            with pytest.raises(Deadline):
                logger.log_tool_call("t", {"value": Slow()}, 1)
            with pytest.raises(Deadline):
                logger.log_task_start("t", {"value": [Slow()]})
            with pytest.raises(Deadline):
                logger.log_task_complete("t", metadata={"value": Slow()})
            assert logger.events == []
            logger.close()
    finally:
        signal.signal(signal.SIGUSR1, earlier)
