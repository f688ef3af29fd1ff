"""`deia export`: sessions in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from deia import system
from deia.cli.extras import has_duckdb
from deia.cli.many import journals_of, label_of, sources_of
from deia.cli.output import Output
from deia.cli.reading import reading
from deia.export.chrome import chrome
from deia.export.csv_table import csv_table
from deia.export.otlp import otlp
from deia.export.sources import Source, Sources
from deia.export.speedscope import speedscope
from deia.export.target import replacing
from deia.journal.segments import first_journal

_STREAMS: dict[str, Callable[[Iterable[Source]], Iterator[bytes]]] = {
    "chrome": chrome,
    "speedscope": speedscope,
    "otlp": otlp,
    "csv": csv_table,
}


@click.command(short_help="Convert sessions for Perfetto, speedscope, OpenTelemetry or tables.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path())
@click.option(
    "--to",
    "destination",
    type=click.Choice([*_STREAMS, "parquet"]),
    required=True,
    help="chrome: for Perfetto and chrome://tracing. speedscope: for speedscope.app. otlp: OpenTelemetry's traces as "
    "JSON lines. csv, parquet: a table with a row for each event.",
)
@click.option("-o", "--output", "out", type=click.Path(), help="Write to this file; without, to standard output.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def export(output: Output, paths: tuple[str, ...], *, destination: str, out: str | None) -> None:
    """Convert sessions into the formats of other tools.

    PATH is a session log, as for analyze, or a directory: then all *.jsonl files in it, at any depth. All of them go
    into one file. They are not held in memory, however long they are.

    Parquet needs the extra "analytics", and -o. The exit code is 1 where a log has lines that cannot be read or events
    that are missing; what can be read is in the result.
    """
    if destination == "parquet":
        if out is None:
            raise click.UsageError("parquet goes to a file: name it with -o")
        if not has_duckdb(output, "deia export --to parquet"):
            return
    journals = journals_of(output, paths)
    if not journals:
        return
    if out is not None and _is_one_of(out, journals):
        raise click.UsageError(f"{out} is one of the session logs that are read")
    with reading(output, label_of(journals)) as on_progress:
        sources = sources_of(output, journals, on_progress)
        if out is None:
            output.stream(_STREAMS[destination](sources))
        elif destination == "parquet":
            _write_parquet(output, sources, out)
        else:
            _write(output, _STREAMS[destination](sources), out)


def _write(output: Output, pieces: Iterator[bytes], out: str) -> None:
    try:
        with replacing(out) as new, system.create_stream(new) as file:
            file.writelines(pieces)
    except OSError as error:
        output.fail(error, out)


def _write_parquet(output: Output, sources: Sources, out: str) -> None:
    from duckdb import Error

    from deia.export.database import parquet

    try:
        with replacing(out) as new:
            system.close(system.open_new(new))  # private to the user, as DuckDB would not make it
            parquet(sources, new)
    except OSError as error:
        output.fail(error, out)
    except Error as error:
        output.fail(OSError(str(error)), out)


def _is_one_of(out: str, journals: Sequence[str]) -> bool:
    """Whether what is written would take the place of a file that is read."""
    target = str(first_journal(Path(system.real_path(out))))
    return any(system.real_path(journal) == target for journal in journals)
