"""What the tests of deaths and faults found in the logs: the numbers of the table in `docs/explanation/durability.md`.

A test that kills a process, or fails its disk, counts what came of it in a `deia.testing.Tally` and adds that to the
row it belongs to, by the fixture `losses`. Where the environment variable `DEIA_LOSSES` names a directory, the sums are
written there at the end of the run, one JSON file per worker; `docs/make_durability.py` makes the table from them.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

from deia.testing.tally import Tally


class Losses:
    """The sums of one run of the tests.

    Attributes:
        rows: What was found, by the id of its row.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Tally] = {}

    def add(self, row: str, tally: Tally) -> None:
        """Add what a test found to a row of the table."""
        self.rows[row] = self.rows.get(row, Tally()) + tally

    def write(self, directory: Path) -> None:
        """Write the sums of this process to a file of its own in a directory, made if missing."""
        if self.rows:
            directory.mkdir(parents=True, exist_ok=True)
            content = {row: asdict(tally) for row, tally in self.rows.items()}
            (directory / f"{os.getpid()}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
