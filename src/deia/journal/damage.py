"""What a reader reports about a journal: one record per problem, handed to whoever reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from deia.errors import DamagedLineError

DamageKind = Literal["torn", "unreadable", "gap", "duplicate", "unknown-version", "queue", "foreign"]
"""What a problem means for the log.

- `torn`: bytes after the last newline, which a crash cut short; expected, and no event was lost with them.
- `unreadable`: a line, or a run of bytes, that is not an event.
- `gap`: events are missing, by their `seq`.
- `duplicate`: a `seq` that was there before, or stands in the wrong place.
- `unknown-version`: lines in a version of the format that this release does not know.
- `queue`: the queue file cannot be read, or what it holds does not go on where the journal ends.
- `foreign`: the whole file holds no event; it is no session log.
"""

KEPT_DAMAGES = 100
"""How many problems a report lists: enough to see what happened, and a file of nothing else stays readable."""


@dataclass(frozen=True)
class Damage:
    """One problem in one file.

    Attributes:
        path: The file.
        line: Line number, from 1.
        offset: Byte offset of the line's first byte, in the uncompressed file.
        kind: What it means for the log.
        reason: What is wrong, in words.
    """

    path: str
    line: int
    offset: int
    kind: DamageKind
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: line {self.line} (byte {self.offset}): {self.reason}"

    def to_error(self) -> DamagedLineError:
        """Return the error that a strict reader raises."""
        return DamagedLineError(str(self), path=self.path, line=self.line, offset=self.offset, reason=self.reason)


OnDamage = Callable[[Damage], None]


def problem_count(damages: Iterable[Damage], damage_count: int) -> int:
    """Return how many problems a log has, wherever they are counted in words: a torn end, which is expected, is none.

    Args:
        damages: Those that are listed; every torn end is.
        damage_count: How many there are, torn ends included.
    """
    return damage_count - sum(damage.kind == "torn" for damage in damages)


@dataclass
class DamageLog:
    """Collects problems in bounded memory; its `add` is what a reader wants as `on_damage`.

    Attributes:
        kept: The first `KEPT_DAMAGES` of them, and torn ends, of which a file has one at most.
        by_kind: How many there were of each kind, all counted.
    """

    kept: list[Damage] = field(default_factory=list)
    by_kind: Counter[DamageKind] = field(default_factory=Counter)

    def add(self, damage: Damage) -> None:
        """Count a problem, and keep it while there is room."""
        self.by_kind[damage.kind] += 1
        if len(self.kept) < KEPT_DAMAGES or damage.kind == "torn":
            self.kept.append(damage)

    @property
    def count(self) -> int:
        """How many there were."""
        return self.by_kind.total()

    @property
    def capped(self) -> bool:
        """Whether there were more than are listed."""
        return self.count > len(self.kept)
