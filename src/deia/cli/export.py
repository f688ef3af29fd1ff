"""`deia export`: sessions in the formats of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import click

from deia import system
from deia.cli.extras import has_duckdb
from deia.cli.many import journals_of, label_of, sources_of, tell_of_none
from deia.cli.output import Output
from deia.cli.reading import reading
from deia.export.chrome import chrome
from deia.export.csv_table import csv_table
from deia.export.otlp import otlp
from deia.export.sources import Source, Sources
from deia.export.speedscope import speedscope
from deia.export.target import replacing
from deia.journal.reader import Entry
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
    help="chrome: Chrome's trace events, for Perfetto (ui.perfetto.dev). speedscope: a flame graph, for "
    "www.speedscope.app. otlp: OpenTelemetry's traces as JSON lines, for a collector. csv, parquet: a table with a row "
    "for each event.",
)
@click.option("-o", "--output", "out", type=click.Path(), help="Write to this file; without, to standard output.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object of what was written; needs -o.")
@click.help_option("-h", "--help", help="Show this help and exit.")
@click.pass_obj
def export(output: Output, paths: tuple[str, ...], *, destination: str, out: str | None, as_json: bool) -> None:
    """Convert sessions into the formats of other tools.

    PATH is a session log, as for analyze, or a directory: then all *.jsonl files in it, at any depth. All of them go
    into one file. They are not held in memory, however long they are.

    Parquet needs the extra "analytics", and -o. The exit code is 1 where a log has lines that cannot be read or events
    that are missing; what can be read is in the result. It is 2, and nothing is written, where there is no session.
    """
    if as_json and out is None:
        raise click.UsageError("--json tells what was written to a file: name it with -o")
    if destination == "parquet":
        if out is None:
            raise click.UsageError("parquet goes to a file: name it with -o")
        if not has_duckdb(output, "deia export --to parquet"):
            return
    journals = journals_of(output, paths)
    if not journals:
        tell_of_none(output, paths, "export")
        return
    if out is not None and _is_one_of(out, journals):
        raise click.UsageError(f"{out} is one of the session logs that are read")
    with reading(output, label_of(journals)) as on_progress:
        problems: dict[str, dict[str, object]] = {}
        sources = sources_of(output, journals, on_progress, problems)
        if out is None:
            output.stream(_STREAMS[destination](sources))
            return
        if destination == "parquet":
            written = _write_parquet(output, sources, out)
        else:
            written = _write(output, _STREAMS[destination], sources, out)
    if as_json:
        sound: dict[str, object] = {"damages": [], "damage_count": 0}
        logs = [{"path": path, **sound, **problems.get(path, {})} for path in journals]
        output.document({"path": out, "format": destination, **written, "sources": logs})


def _write(
    output: Output, pieces_of: Callable[[Iterable[Source]], Iterator[bytes]], sources: Sources, out: str
) -> dict[str, object]:
    """Write a file, and return for JSON how much is in it, or why there is none."""
    events = 0

    def counted(entries: Iterator[Entry]) -> Iterator[Entry]:
        nonlocal events
        for entry in entries:
            events += 1
            yield entry

    try:
        with replacing(out) as new, system.create_stream(new) as file:
            file.writelines(pieces_of(source._replace(entries=counted(source.entries)) for source in sources))
        return {"events": events, "bytes": system.stat(out).st_size}
    except OSError as error:
        return {"error": output.fail(error, out)}


def _write_parquet(output: Output, sources: Sources, out: str) -> dict[str, object]:
    """Write a Parquet file, and return the same of it."""
    from duckdb import Error

    from deia.export.database import parquet

    try:
        with replacing(out) as new:
            system.close(system.open_new(new))  # private to the user, as DuckDB would not make it
            events = parquet(sources, new)
        return {"events": events, "bytes": system.stat(out).st_size}
    except OSError as error:
        return {"error": output.fail(error, out)}
    except Error as error:
        return {"error": output.fail(OSError(str(error)), out)}


def _is_one_of(out: str, journals: Sequence[str]) -> bool:
    """Whether what is written would take the place of a file that is read."""
    target = str(first_journal(Path(system.real_path(out))))
    return any(system.real_path(journal) == target for journal in journals)
