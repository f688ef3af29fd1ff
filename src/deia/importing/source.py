"""Read another program's file of JSON lines: every line that holds an object, and a report for each that does not."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from deia import system
from deia.importing.progress import ReadTwice
from deia.journal.damage import Damage, DamageKind, OnDamage
from deia.journal.glue import BOM, is_torn
from deia.journal.odd_lines import name_of
from deia.journal.scan import LineScanner, RawLine
from deia.plain import plain

if TYPE_CHECKING:
    from typing_extensions import Self

_CHUNK_BYTES = 1024 * 1024


class Record(NamedTuple):
    """One line that holds an object.

    Attributes:
        offset: Byte offset of its first byte.
        length: Its bytes.
        fields: The object.
    """

    offset: int
    length: int
    fields: dict[str, Any]


class _NoRecordError(ValueError):
    """What a line holds is no object; the text says what it is."""


class Source:
    """A file of JSON lines, open for reading; it may be growing.

    It is read twice, so that what has to be known of the whole (what comes last, what belongs to what) need not be kept
    together with the whole.

    Attributes:
        path: The file, as it was given.
        records: How many there are, once it was read to its end.
    """

    def __init__(self, path: str, on_damage: OnDamage, progress: ReadTwice | None = None) -> None:
        """Open a file.

        Args:
            path: The file; links are followed.
            on_damage: Gets every line that holds no object.
            progress: Told how much is read.

        Raises:
            OSError: It cannot be opened, or is none: a directory, a pipe.
        """
        self.path = path
        self.records = 0
        self._on_damage = on_damage
        self._progress = progress or ReadTwice(None)
        status = system.stat_file(path)
        self._file = system.open_for_reading(path)
        self._progress.plan(status.st_size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self) -> Iterator[Record]:
        """Yield every record from the file's beginning to its end as of now.

        Raises:
            OSError: It cannot be read.
        """
        scanner = LineScanner()
        while chunk := self._file.read(_CHUNK_BYTES):
            for line in scanner.feed(chunk):
                yield from self._records_of(line)
            self._progress.add(len(chunk))
        unfinished = scanner.take_unfinished()
        if unfinished is not None:
            yield from self._records_of(unfinished)

    def again(self, offset: int, length: int) -> dict[str, Any]:
        """Return the object of a record that was read before.

        Raises:
            OSError: It is not there any more: the file was changed.
        """
        data = system.pread(self._file.fileno(), length, offset)
        self._progress.add(length)
        try:
            return _object(data)
        except _NoRecordError:
            raise OSError(errno.ESTALE, "the file was changed while it was read", self.path) from None

    def _records_of(self, line: RawLine) -> Iterator[Record]:
        """Yield the record of a line, if it has one. NULs before it are what a crash left of another."""
        nul = line.data.rfind(b"\0") + 1
        data = line.data[nul:]
        offset = line.offset + line.skipped + nul
        if nul or line.skipped:
            self._report(line, "unreadable", f"{line.skipped + nul} bytes up to a NUL, or of too long a line")
        if line.number == 1 and data.startswith(BOM):
            data = data[len(BOM) :]
            offset += len(BOM)
        if not data.strip():
            return
        try:
            fields = _object(data)
        except _NoRecordError as error:
            torn = not line.ended and is_torn(data, behind_nuls=False)
            self._report(line, "torn" if torn else "unreadable", str(error))
            return
        self.records += 1
        yield Record(offset, len(data), fields)

    def _report(self, line: RawLine, kind: DamageKind, reason: str) -> None:
        self._on_damage(Damage(self.path, line.number, line.offset, kind, reason))


def _object(data: bytes) -> dict[str, Any]:
    """Return the object that a line holds, as plain data.

    Raises:
        _NoRecordError: It holds none.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        value = _leniently(data, error)
    if type(value) is not dict:
        raise _NoRecordError(f"not an object but {name_of(value)}")
    return value


def _leniently(data: bytes, error: orjson.JSONDecodeError) -> Any:
    """Return what a more tolerant parser reads.

    JavaScript writes half a surrogate pair, where it cut a text, as an escape; Python writes NaN. Both are odd data and
    no damage.
    """
    try:
        return plain(json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError):
        raise _NoRecordError(f"not JSON: {error}") from None
