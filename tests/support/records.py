"""Lines as records: the level below events, which users never see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deia.journal.damage import OnDamage
from deia.journal.reader import _Announcer, require_file
from deia.journal.record import Record
from deia.journal.records import RecordReader


def read_records(path: str | Path, *, strict: bool = False, on_damage: OnDamage | None = None) -> Iterator[Record]:
    """Read every line of a session log that is a JSON object, whether it is an event or not."""
    require_file(path)
    return RecordReader(path, on_damage or _Announcer().announce, strict=strict).records()
