"""Which columns of the table of events a question looks at: only those have to be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb

from deia.export.columns import ALL
from deia.export.database import lock, make_views, no_events

_PRUNING = "unused_columns"
"""The optimizer that takes columns out of a plan. Without the others nothing else is, and nothing moves into a scan."""


def needed_columns(sql: str) -> frozenset[str]:
    """Return the columns that the answer to a question may depend on, by DuckDB's own plan of it; in doubt, all.

    Args:
        sql: One statement that only reads, and that the table of events and its views can answer.
    """
    with closing(duckdb.connect()) as connection:
        no_events(connection)
        make_views(connection)
        names = (name for (name,) in connection.execute("SELECT name FROM duckdb_optimizers()").fetchall())
        connection.execute(f"SET disabled_optimizers = '{','.join(name for name in names if name != _PRUNING)}'")
        lock(connection)
        try:
            (_, plan), *_ = connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()
        except duckdb.Error:  # an EXPLAIN of its own, say
            return ALL
    columns = {column for node in json.loads(plan) for column in _read_in(node)}
    return frozenset(columns) if columns <= ALL else ALL


def _read_in(node: dict[str, Any]) -> Iterator[str]:
    """Yield the columns that a part of a plan reads from a table, and something else where that is not known."""
    details = node.get("extra_info", {})
    if "Table" in details:
        read = details.get("Projections", "*")
        yield from filter(None, [read] if isinstance(read, str) else read)
    for child in node.get("children", []):
        yield from _read_in(child)
