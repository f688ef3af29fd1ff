"""`deia query`: SQL over any number of sessions."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from deia.cli.extras import has_duckdb
from deia.cli.many import journals_of, label_of, sources_of
from deia.cli.output import Output
from deia.cli.page import Column
from deia.cli.reading import reading
from deia.cli.status import FINE, WRONG_USAGE
from deia.export.csv_rows import CsvRows

if TYPE_CHECKING:
    from deia.export.query import Result

_BATCH_ROWS = 1000


@click.command(short_help="Ask any number of sessions in SQL.")
@click.argument("sql", metavar="SQL")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array with one object per row.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, in a terminal, too.")
@click.option(
    "--memory",
    default="2GB",
    metavar="SIZE",
    show_default=True,
    help="What DuckDB may take; the rest goes to the disk.",
)
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def query(output: Output, sql: str, paths: tuple[str, ...], *, as_json: bool, as_csv: bool, memory: str) -> None:
    """Ask any number of sessions in SQL, with DuckDB (the extra "analytics").

    There is a table, events, with a row for each line, and views of it: tasks, tools, files, models, messages, errors
    and sessions. "DESCRIBE tools" shows the columns of one.

    PATH is a session log or a directory, at any depth; without one, $DEIA_SESSIONS_DIR, or else .deia/sessions. Lines
    are read as analyze reads them: those of running, killed, damaged and continued sessions, too.

    SQL is one statement that only reads, and it can read nothing but these sessions. The result is a table in a
    terminal, and CSV in a pipe. The exit code is 1 where a log has lines that cannot be read or events that are
    missing, and 2 where the SQL is wrong.
    """
    if as_json and as_csv:
        raise click.UsageError("either --json or --csv")
    if not has_duckdb(output, "deia query"):
        return
    from duckdb import Error

    from deia.export.query import NotAQueryError, asked, check

    try:
        check(sql, memory)
        journals = journals_of(output, paths)
        if not journals and output.code != FINE:
            return  # it was said what is not there
        with reading(output, label_of(journals)) as on_progress:
            sources = sources_of(output, journals, on_progress)
            with asked(sources, sql, memory) as result:
                if as_json:
                    output.stream(_json(result))
                elif as_csv or not output.in_terminal:
                    output.stream(_csv(result))
                else:
                    _show(output, result)
    except (Error, NotAQueryError) as error:
        output.complain(_first_lines(str(error)))
        output.code = WRONG_USAGE
    except OSError as error:
        output.fail(error, "a temporary file")


def _first_lines(message: str) -> str:
    """Return what DuckDB says is wrong, without the picture of where: that would be one line with all the others."""
    return message.split("\n\nLINE ", 1)[0]


def _csv(result: Result) -> Iterator[bytes]:
    table = CsvRows()
    table.add(result.names)
    while rows := result.take(_BATCH_ROWS):
        for row in rows:
            table.add(map(_cell, row))
        yield table.take().encode()
    yield table.take().encode()


def _json(result: Result) -> Iterator[bytes]:
    separator = b"[\n"
    while rows := result.take(_BATCH_ROWS):
        for row in rows:
            values = (
                json.loads(value) if is_json and value is not None else _jsonable(value)
                for value, is_json in zip(row, result.are_json, strict=True)
            )
            # ASCII only: whatever a log holds, no terminal obeys it and no locale chokes on it
            yield separator + json.dumps(dict(zip(_distinct(result.names), values, strict=True))).encode()
            separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def _distinct(names: list[str]) -> list[str]:
    """Return names that are all different; the second `a` is `a_2`."""
    found: dict[str, None] = {}
    for name in names:
        other, number = name, 1
        while other in found:
            number += 1
            other = f"{name}_{number}"
        found[other] = None
    return list(found)


def _show(output: Output, result: Result) -> None:
    assert output.limit is not None
    rows = result.take(output.limit + 1)
    shown = rows[: output.limit]
    columns = [
        Column(name, number=all(isinstance(row[at], (int, float, Decimal)) or row[at] is None for row in shown))
        for at, name in enumerate(result.names)
    ]
    output.page.table(columns, [["-" if value is None else str(_cell(value)) for value in row] for row in shown])
    if not rows:
        output.page.line("No rows.", "quiet")
    elif len(rows) > len(shown):
        output.page.line("… and more; --csv and --json have them all", "quiet")


def _cell(value: Any) -> Any:
    """Return a value as CSV and people have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(_jsonable(value), ensure_ascii=False)
    return value


def _jsonable(value: Any) -> Any:
    """Return a value in the types of JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (str, int)) else str(_cell(value))
