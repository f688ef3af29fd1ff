"""A session that is opened again is drained like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from deia import SessionLogger
from support.waiting import eventually


@pytest.mark.parametrize("opened_first", [True, False], ids=["open", "first event"])
@pytest.mark.parametrize("run", [1, 2])
def test_journal_follows_without_a_flush_however_the_session_was_opened(
    tmp_path: Path, run: int, opened_first: bool
) -> None:
    """By `open` or by its first event, in its first run or a later one: other tools see the events soon."""
    if run == 2:
        with SessionLogger("agent", "s", output_dir=tmp_path) as earlier:
            earlier.log_file_read("/earlier")
    with SessionLogger("agent", "s", output_dir=tmp_path) as logger:
        if opened_first:
            logger.open()
        logger.log_file_read("/followed")
        eventually(lambda: b"/followed" in logger.path.read_bytes(), "the event in the journal")
