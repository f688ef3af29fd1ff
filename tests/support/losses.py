"""What the tests of deaths and faults found in the logs: the numbers of the table in `docs/explanation/durability.md`.

A test that kills a process, or fails its disk, counts what came of it in a `Tally` and adds that to the row it belongs
to, by the fixture `losses`. Where the environment variable `DEIA_LOSSES` names a directory, the sums are written there
at the end of the run, one JSON file per worker; `docs/make_durability.py` makes the table from them.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tally:
    """What was lost, or was not.

    Attributes:
        tried: Deaths or faults tried.
        acknowledged: Events owed: their calls had returned (after a loss of power: were covered by a sync).
        found: How many of these were in the log afterwards.
        missing: How many were not.
        torn: Lines, or parts of one, that a reader reported as unreadable.
        duplicated: Events that were there more than once.
    """

    tried: int = 0
    acknowledged: int = 0
    found: int = 0
    missing: int = 0
    torn: int = 0
    duplicated: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(one + another for one, another in zip(astuple(self), astuple(other), strict=True)))


def compare(owed: Iterable[str], found: Iterable[str], *, tried: int = 1, torn: int = 0) -> Tally:
    """Count what there is of what is owed.

    Args:
        owed: Names of the events that have to be there.
        found: Names of the events that are there, these and others.
        tried: Deaths or faults that they went through.
        torn: What a reader reported as unreadable.
    """
    wanted, there = Counter(owed), Counter(found)
    return Tally(
        tried=tried,
        acknowledged=wanted.total(),
        found=(wanted & there).total(),
        missing=(wanted - there).total(),
        torn=torn,
        duplicated=sum(there[name] - max(1, wanted[name]) for name in there),
    )


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
