"""What an import has done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from deia.importing.journal import State
from deia.journal.damage import Damage, DamageLog


@dataclass
class ImportReport:
    """One session that was imported.

    Attributes:
        path: The journal.
        state: What was done to it.
        sources: The files that it was made of.
        agent_id: Whose session.
        session_id: Which.
        records: How many records were read.
        events: How many events they became.
        events_by_type: The same by type.
        left_out: How many records of which type were not imported, because they say nothing of their own.
        first_time: When the session began, Unix seconds.
        last_time: When the last was that is known of it.
        damages: The first lines that could not be read, in order.
        damage_count: How many there were. The last line of a file that is still being written is not among them.
        unpriced: The models of calls that have no cost for want of a price, with what there is no price for.
        repriced: Whether the log was replaced by one with other prices.
    """

    path: str
    state: State
    sources: list[str]
    agent_id: str
    session_id: str
    records: int
    events: int
    events_by_type: dict[str, int]
    left_out: dict[str, int] = field(default_factory=dict)
    first_time: float = 0.0
    last_time: float = 0.0
    damages: list[Damage] = field(default_factory=list)
    damage_count: int = 0
    unpriced: list[str] = field(default_factory=list)
    repriced: bool = False


def journal_of(directory: Path, agent_id: str, session_id: str) -> Path:
    """Return the name of a session's journal."""
    return directory / f"{agent_id}_{session_id}.jsonl"


def report(
    journal: Path,
    state: State,
    whose: tuple[str, str],
    sources: list[tuple[str, int]],
    events: Counter[str],
    times: tuple[float, float],
    log: DamageLog,
) -> ImportReport:
    """Put a report together.

    Args:
        journal: The journal.
        state: What was done to it.
        whose: Agent and session.
        sources: The files, each with the number of its records.
        events: How many there are of each type.
        times: When it began and ended, Unix seconds.
        log: What could not be read.
    """
    torn = log.by_kind["torn"]
    return ImportReport(
        str(journal),
        state,
        [path for path, _ in sources],
        *whose,
        sum(records for _, records in sources),
        events.total(),
        dict(events),
        {},
        *times,
        [damage for damage in log.kept if damage.kind != "torn"],
        log.count - torn,
    )
