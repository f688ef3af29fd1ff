"""A question in SQL, and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import duckdb

from deia.export.database import DEFAULT_MEMORY, events_of, limit_memory, lock, make_views, no_events
from deia.export.needed import needed_columns
from deia.export.sources import Sources

_KINDS = frozenset({"SELECT", "EXPLAIN"})
"""Statements that only read. `DESCRIBE`, `SHOW` and `SUMMARIZE` are of the first kind for DuckDB."""


class NotAQueryError(ValueError):
    """It is no SQL, or more than one statement, or one that does not only read."""


class Result(NamedTuple):
    """The rows of an answer.

    Attributes:
        names: Of its columns.
        are_json: Which of them hold JSON, as text.
        cursor: Has the rows.
    """

    names: list[str]
    are_json: list[bool]
    cursor: duckdb.DuckDBPyConnection

    def take(self, number: int) -> list[tuple[Any, ...]]:
        """Return the next rows, so many or fewer; none at the end."""
        rows: list[tuple[Any, ...]] = self.cursor.fetchmany(number)
        return rows


def check(sql: str, memory: str = DEFAULT_MEMORY) -> None:
    """Find out whether a question can be asked, before anything is read for it.

    Raises:
        NotAQueryError: It is not one statement that only reads.
        duckdb.Error: It is wrong: a column that is not there, say; or the memory is no amount.
    """
    with closing(duckdb.connect()) as connection:
        limit_memory(connection, memory)
        no_events(connection)
        make_views(connection)
        lock(connection)
        statement = _statement(connection, sql)
        connection.execute(sql if statement.type.name == "EXPLAIN" else f"EXPLAIN {statement.query}")


@contextmanager
def asked(sources: Sources, sql: str, memory: str = DEFAULT_MEMORY) -> Iterator[Result]:
    """Give the answer to a question about sessions, while the context lasts.

    Raises:
        NotAQueryError: As `check`.
        duckdb.Error: As `check`; or the answer does not fit on the disk, say.
    """
    with closing(duckdb.connect()) as connection:
        _statement(connection, sql)
    with events_of(sources, needed_columns(sql), memory) as connection:
        connection.execute(sql)
        description = connection.description or []
        names = [str(column[0]) for column in description]
        yield Result(names, [str(column[1]) == "JSON" for column in description], connection)


def _statement(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise NotAQueryError(f"one statement is needed, not {len(statements)}")
    if statements[0].type.name not in _KINDS:
        raise NotAQueryError("only a statement that reads can be asked: SELECT, DESCRIBE, EXPLAIN, …")
    return statements[0]
