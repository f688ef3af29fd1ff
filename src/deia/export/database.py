"""The table of events in DuckDB (the extra `analytics`): for queries, and for Parquet.

A log that is regular from its first byte to its last is read by DuckDB where it lies, in parallel. Any other (damaged,
continued, compressed, still open, in several files, of the original format) is first read by our reader, and what it
makes of each line is written to a temporary file. Both have the same columns, and one statement reads them; which way a
log took does not show in the table. `docs/explanation/fleets.md` says what that is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import orjson

from deia import system
from deia.export.columns import ALL, COLUMNS, FIELD_OF, PLACE, UNKNOWN, Column, rows
from deia.export.json_text import dumps
from deia.export.regular import is_regular
from deia.export.sources import Source, Sources
from deia.export.views import VIEWS
from deia.journal.segments import Listings

DEFAULT_MEMORY = "2GB"

_SHORTEST_BUFFER_BYTES = 64 * 1024
_LONGEST_LINE_BYTES = 16 * 1024 * 1024
"""No regular line is longer than a part of it. DuckDB makes a buffer of that size, and another, for each file that it
reads; of thousands of short ones that takes longer than to read them."""

_LOOSE = frozenset({"error_type", "error", "orphan", "cancelled", "done", "metadata", "alternatives"})
"""What a regular line may hold anything in: the reader takes it as far as it is of the right type."""


def connect(directory: Path, memory: str) -> duckdb.DuckDBPyConnection:
    """Return a database in a directory of its own: it lies on the disk, and takes no more memory than given.

    Raises:
        duckdb.Error: That is no amount of memory.
    """
    connection = duckdb.connect(str(directory / "events.duckdb"))
    try:
        connection.execute("SET autoinstall_known_extensions = false")
        connection.execute(f"SET temp_directory = {_text(str(directory / 'spilled'))}")
        limit_memory(connection, memory)
    except duckdb.Error:
        connection.close()
        raise
    return connection


def limit_memory(connection: duckdb.DuckDBPyConnection, memory: str) -> None:
    """Have a database take no more memory than `2GB`, say.

    Raises:
        duckdb.Error: That is no amount of memory.
    """
    connection.execute(f"SET memory_limit = {_text(memory)}")


@contextmanager
def events_of(
    sources: Sources, columns: Collection[str] = ALL, memory: str = DEFAULT_MEMORY
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with the events of session logs, and the views of `deia.export.views`, and nothing else.

    A statement that is executed in it reads and writes no file, and cannot change that.

    Args:
        sources: The logs.
        columns: Those of the table that will be looked at; the others are null.
        memory: How much it may take.

    Raises:
        duckdb.Error: The events do not fit on the disk, say.
    """
    with system.temporary_directory() as directory:
        connection = connect(Path(directory), memory)
        try:
            with closing(_Logs(sources, columns, Path(directory))) as logs:
                logs.look()
                logs.execute(connection, lambda select: f"CREATE TABLE events AS {select}")
            make_views(connection)
            lock(connection)
            yield connection
        finally:
            connection.close()


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Have no further statement read or write a file, or a variable of this program, or change that."""
    for setting in (
        "enable_external_access = false",
        "python_enable_replacements = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")


def make_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the views of the table of events."""
    for name, view in VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {view.sql}")


def no_events(connection: duckdb.DuckDBPyConnection) -> None:
    """Make a table of events without any."""
    connection.execute(f"CREATE TABLE events AS {_NOTHING}")


def parquet(sources: Sources, target: Path, memory: str = DEFAULT_MEMORY) -> int:
    """Write the table of events to a Parquet file, which exists and is empty; return how many rows it has.

    Raises:
        duckdb.Error: It cannot be written.
    """
    options = "FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false"
    with system.temporary_directory() as directory:
        connection = connect(Path(directory), memory)
        try:
            with closing(_Logs(sources, ALL, Path(directory))) as logs:
                logs.look()
                written = logs.execute(
                    connection, lambda select: f"COPY ({select}) TO {_text(str(target))} ({options})"
                ).fetchone()
        finally:
            connection.close()
    assert written is not None
    return int(written[0])


class _Logs:
    """Session logs, as DuckDB is to read them."""

    def __init__(self, sources: Sources, columns: Collection[str], directory: Path) -> None:
        """Have some columns of logs read; what our reader makes of some logs goes to a directory, which is empty."""
        self._sources = sources
        self._columns = columns
        self._directory = directory
        self._regular: list[str] = []
        self._copies: list[Path] = []
        self._longest = _SHORTEST_BUFFER_BYTES

    def look(self) -> None:
        """Find out which logs are regular, and write what our reader makes of the others."""
        listings = Listings()
        for source in self._sources:
            if _is_regular(source.path, listings):
                self._regular.append(source.path)
                self._longest = max(self._longest, min(system.stat(source.path).st_size, _LONGEST_LINE_BYTES))
            else:
                self._copy(source)

    def close(self) -> None:
        """Remove what was written."""
        for copy in self._copies:
            system.unlink(copy)

    def execute(
        self, connection: duckdb.DuckDBPyConnection, statement: Callable[[str], str]
    ) -> duckdb.DuckDBPyConnection:
        """Execute a statement that is made of one that selects the events, and return its result.

        Where DuckDB cannot take a regular line as it stands (a name twice in one object, a number of more than 63
        bits), all are read by our reader.
        """
        try:
            return connection.execute(statement(self._select()))
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            if not self._regular:
                raise
            regular, self._regular = self._regular, []
            for path in regular:
                self._copy(self._sources.source(path))
            return connection.execute(statement(self._select()))

    def _copy(self, source: Source) -> None:
        copy = self._directory / f"{len(self._copies)}.jsonl"
        with system.create_stream(copy) as file:
            self._copies.append(copy)
            for row in rows(source.name, source.entries):
                line = dumps(row, orjson.OPT_APPEND_NEWLINE)
                self._longest = max(self._longest, len(line))
                file.write(line)

    def _select(self) -> str:
        parts = [_NOTHING]
        if self._regular:
            place = {"file": "filename", "line": "seq", "run": "1", UNKNOWN: "NULL"}
            parts.append(self._read(self._regular, _READ_PLAIN, place))
        if self._copies:
            parts.append(self._read(list(map(str, self._copies)), _READ_COPY, {}))
        return " UNION ALL ".join(parts)

    def _read(self, paths: list[str], types: dict[str, str], instead: dict[str, str]) -> str:
        """Return the statement that reads files."""
        values = ", ".join(
            f"CAST({value} AS {column.type}) AS {column.name}"
            for column in COLUMNS
            for value in [_value(column, instead) if column.name in self._columns else "NULL"]
        )
        files = ", ".join(map(_text, paths))
        fields = {*_ALWAYS_READ, *self._columns, *(FIELD_OF[name] for name in self._columns if name in FIELD_OF)}
        columns = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in types.items() if name in fields)
        options = (
            f"columns = {{{columns}}}, format = 'newline_delimited', compression = 'uncompressed', filename = true, "
            f"hive_partitioning = false, maximum_object_size = {self._longest + 1024}"
        )
        return f"SELECT {values} FROM read_json([{files}], {options})"  # noqa: S608  # each text in it is quoted


def _is_regular(path: str, listings: Listings) -> bool:
    try:
        return is_regular(path, listings)
    except OSError:  # our reader will be told the same, and report it
        return False


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _raw(column: Column) -> str:
    return f'"{FIELD_OF.get(column.name, column.name)}"'


def _read_types(*, copy: bool) -> dict[str, str]:
    """Return the fields of a line that are read, and as what."""
    types = {}
    for column in COLUMNS:
        if column.name != "time" and (copy or column.name not in (*PLACE, UNKNOWN)):
            name = column.name if copy else FIELD_OF.get(column.name, column.name)
            types[name] = "JSON" if column.name in _LOOSE else column.type
    return types


_READ_PLAIN = _read_types(copy=False)
_READ_COPY = _read_types(copy=True)

_ALWAYS_READ = ("type", "seq", "timestamp")
"""Fields that other columns are made from."""

_NOTHING = f"SELECT {', '.join(f'CAST(NULL AS {column.type}) AS {column.name}' for column in COLUMNS)} WHERE false"
"""The columns alone."""


def _value(column: Column, instead: dict[str, str]) -> str:
    """Return what a line has in a column, in SQL; a field that its type of event does not have is not looked at."""
    name = column.name
    if name in instead:
        return instead[name]
    if name == "time":
        return "make_timestamp(CAST(round(timestamp * 1000000) AS BIGINT))"
    field = _raw(column) if instead else f'"{name}"'
    if name == "metadata":
        value = f"CASE json_type({field}) WHEN 'OBJECT' THEN {field} ELSE json_object('value', {field}) END"
        value = f"CASE WHEN {field} IS NULL OR json_type({field}) = 'NULL' THEN '{{}}' ELSE {value} END"
    elif name == "alternatives":
        value = f"CASE json_type({field}) WHEN 'ARRAY' THEN {field} ELSE json_array({field}) END"
        value = f"CASE WHEN {field} IS NULL OR json_type({field}) = 'NULL' THEN '[]' ELSE {value} END"
    elif name in _LOOSE and column.type == "BOOLEAN":
        value = f"coalesce(CAST({field} AS VARCHAR) = 'true', false)"
    elif name in _LOOSE:
        value = f"CASE json_type({field}) WHEN 'VARCHAR' THEN {field} ->> '$' END"
    else:
        value = field
    if not column.events:
        return value
    return f"CASE WHEN type IN ({', '.join(map(_text, column.events))}) THEN {value} END"
