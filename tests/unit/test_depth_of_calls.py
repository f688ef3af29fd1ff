"""A log call knows whether it is made inside another one: whichever it is, it counts as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deia import SessionLogger
from deia.bus.appender import Appender
from deia.bus.nesting import depth


@dataclass
class Published:
    """An event of a user's."""

    text: str


def in_a_task(log: SessionLogger) -> None:
    with log.task("t"):
        pass


def in_a_tool(log: SessionLogger) -> None:
    with log.tool("t"):
        pass


def in_a_file(log: SessionLogger) -> None:
    with log.open(log.path.parent / "written", "w"):
        pass


CALLS: dict[str, Callable[[SessionLogger], object]] = {
    "log_task_start": lambda log: log.log_task_start("t"),
    "log_task_complete": lambda log: log.log_task_complete("t", 1),
    "log_file_read": lambda log: log.log_file_read("f"),
    "log_file_write": lambda log: log.log_file_write("f", 1),
    "log_tool_call": lambda log: log.log_tool_call("t", {}, 1),
    "log_llm_call": lambda log: log.log_llm_call("p", "m"),
    "log_message": lambda log: log.log_message("user", "hello"),
    "log_error": lambda log: log.log_error("broken"),
    "log_decision": lambda log: log.log_decision("this"),
    "log_action_item": lambda log: log.log_action_item("that"),
    "publish": lambda log: log.publish(Published("x")),
    "task": in_a_task,
    "tool": in_a_tool,
    "open": in_a_file,
}


def test_every_log_call_is_tried_here() -> None:
    """A new one is not forgotten."""
    assert {name for name in dir(SessionLogger) if name.startswith("log_")} <= CALLS.keys()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_log_call_counts_as_one_where_it_may_have_to_wait(
    call: Callable[[SessionLogger], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that one inside it, of a signal handler say, counts as the second, and hardly waits."""
    depths = []
    attempt = Appender.attempt

    def noting(self: Appender, *arguments: object, **named: object) -> object:
        depths.append(depth())
        return attempt(self, *arguments, **named)  # type: ignore[arg-type]  # whatever it was given

    monkeypatch.setattr(Appender, "attempt", noting)
    log = SessionLogger("agent", output_dir=tmp_path, queue_mode="write")  # no fast path: each goes through there
    call(log)
    log.close()
    assert set(depths) == {1}
