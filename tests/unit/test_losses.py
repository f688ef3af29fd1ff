"""The counting itself: what the table of losses rests on."""

from __future__ import annotations

from pathlib import Path

import pytest

from deia import SessionLogger
from deia.testing.tally import Tally, compare
from support.losses import Losses
from support.recorder import prove, tally


def test_comparison_counts_what_is_missing_and_what_is_there_twice() -> None:
    """Further events are neither; one that is there twice is found once."""
    assert compare(["a", "b", "c"], ["c", "x", "a", "a"], tried=2, torn=1) == Tally(2, 3, 2, 1, 1, 1)
    assert compare([], []) == Tally(tried=1)
    assert Tally(1, 2, 3, 4, 5, 6) + Tally(1, 1, 1, 1, 1, 1) == Tally(2, 3, 4, 5, 6, 7)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with three events of one writer."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        for number in range(3):
            logger.log_tool_call(f"0/0/{number}", {}, 0)
    return logger.path


def test_event_that_is_owed_and_not_there_is_missing(log: Path) -> None:
    """A proof fails then, and the loss is counted all the same."""
    losses = Losses()
    with pytest.raises(AssertionError):
        prove(log, {"0/0": 4}, losses, "end")
    assert losses.rows == {"end": Tally(tried=1, acknowledged=4, found=3, missing=1)}


def test_event_that_nobody_logged_fails_the_proof(log: Path) -> None:
    """At most the one call of each writer that was under way may be there without having returned."""
    assert tally(log, {"0/0": 2}).missing == 0
    with pytest.raises(AssertionError, match="more than the calls"):
        tally(log, {"0/0": 1})


def test_event_out_of_order_fails_the_proof(log: Path) -> None:
    """Each writer's events are in the order in which it logged them."""
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0].replace(b"0/0/0", b"0/0/1"), lines[1].replace(b"0/0/1", b"0/0/0"), lines[2]]))
    with pytest.raises(AssertionError, match="out of order"):
        tally(log, {"0/0": 3})


def test_torn_end_is_counted_and_fails_a_proof_that_expects_none(log: Path) -> None:
    """Only a call that writes to the file itself can leave one."""
    with log.open("ab") as file:
        file.write(b'{"type":"Tool')
    assert tally(log, {"0/0": 3}).torn == 1
    with pytest.raises(AssertionError):
        prove(log, {"0/0": 3}, Losses(), None)
