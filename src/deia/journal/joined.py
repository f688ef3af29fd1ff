"""What of its several files makes a session in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from deia import system
from deia.journal.damage import DamageLog
from deia.journal.records import RecordReader

_CHUNK_BYTES = 64 * 1024


def joined(journal: Path) -> Iterator[tuple[Path, int, int]]:
    """Yield the bytes of a session, each once, as ranges of its files: path, begin and end.

    Lines that cannot be read are among them, the first lines of segments and what segments repeat are not. What only
    the queue file holds is not either.

    Raises:
        OSError: A file cannot be read.
    """
    reader = RecordReader(journal, DamageLog().add)
    path, begin, end = Path(reader.path), 0, 0
    for record in reader.records():
        if path != Path(reader.source.path):
            if end:
                yield path, begin, end
            path, begin = Path(reader.source.path), record.offset
        end = record.offset + record.length
    if end:
        yield path, begin, max(begin, _end_of_lines(path))


def _end_of_lines(path: Path) -> int:
    """Return where the last whole line of a file ends that may be being written."""
    with system.open_for_reading(path) as file:
        end = file.seek(0, 2)
        while end:
            start = max(0, end - _CHUNK_BYTES)
            file.seek(start)
            newline = (file.read(end - start) or b"").rfind(b"\n")
            if newline >= 0:
                return start + newline + 1
            end = start
    return 0
