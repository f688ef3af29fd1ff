"""Recovery may be killed, and the recovery of that, at each thing it does: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from deia import SessionLogger
from deia.journal.check import check
from deia.journal.recovery import recover
from deia.queue.layout import queue_path
from support.dying_system import in_a_child, killed_at
from support.effort import amount
from support.losses import Losses
from support.recorder import Recorder, prove

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is made in a fork")


class Crash:
    """The files of a killed session, to be put back as often as they are needed.

    The journal keeps its inode, which its queue file names.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._files = {path: path.read_bytes() for path in journal.parent.iterdir()}

    def restore(self) -> None:
        """Put everything back as it was."""
        for path in list(self.journal.parent.iterdir()):
            if path not in self._files:
                path.unlink()
        for path, content in self._files.items():
            if path != self.journal:
                path.unlink(missing_ok=True)  # a new file, as the one that a recovery makes
            with path.open("r+b" if path.exists() else "wb") as file:
                file.truncate(0)
                file.write(content)


def reopen(journal: Path, name: str) -> None:
    """Open a session and go on in it."""
    with SessionLogger("agent", "s", output_dir=journal.parent, queue_bytes=65536) as logger:
        logger.log_tool_call(name, {}, 0)


RECOVERIES: dict[str, Callable[[Path, str], object]] = {
    "recover": lambda journal, name: recover(journal),
    "reopen": reopen,
}


@pytest.mark.parametrize("options", [{}, {"queue_mode": "write"}], ids=["ring", "write"])
@pytest.mark.parametrize("recovery", RECOVERIES)
def test_recovery_and_its_own_recovery_may_be_killed_at_any_step(
    tmp_path: Path, losses: Losses, recovery: str, options: dict[str, str]
) -> None:
    """SIGKILL at each operation, the first time and the second; whoever comes third finds every event, once."""
    options = {"queue_bytes": 65536, "flush_interval_s": 3600, **options}
    recorder = Recorder(tmp_path / "sessions", events=150, death="SIGKILL", options=options)
    recorder.wait(-9)
    journal, owed = recorder.path, recorder.owed()
    assert "queue_mode" in options or check(journal).waiting_bytes > 10_000
    first = Crash(journal)
    kills = 0
    number, stride = 1, amount(reduced=3, full=1)

    def attempt(at: int, name: str) -> bool:
        with killed_at(at):
            RECOVERIES[recovery](journal, name)
        return True

    def is_killed(at: int, name: str) -> bool:
        return in_a_child(lambda: attempt(at, name))

    while True:
        first.restore()
        if not is_killed(number, "second/0/0"):
            break
        kills += 1
        second = Crash(journal)
        again = 1 + number % stride
        while True:
            second.restore()
            if not is_killed(again, "third/0/0"):
                break
            kills += 1
            prove(journal, owed, losses, "sigkill-in-second-recovery", may_tear=True)
            again += stride * 2
        second.restore()
        prove(journal, owed, losses, "sigkill-in-recovery", may_tear=True)
        number += stride
    assert kills > amount(reduced=15, full=100)
    assert not queue_path(journal).exists()
