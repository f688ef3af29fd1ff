"""What `python -m benchmarks fleet` does in its processes: one question or one export each, over all sessions."""

from __future__ import annotations

import os
import resource
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

Result = dict[str, Any]

QUESTION = (
    "SELECT name, count(*) AS calls, CAST(sum(duration_ms) AS BIGINT) AS ms FROM tools GROUP BY name ORDER BY name"
)
"""What is asked: a little of every file."""

_BARE = """
    SELECT name, count(*) AS calls, CAST(sum(duration_ms) AS BIGINT) AS ms
    FROM read_json({paths}, format = 'newline_delimited', ignore_errors = true,
        columns = {{type: 'VARCHAR', name: 'VARCHAR', duration_ms: 'BIGINT'}})
    WHERE type = 'ToolEvent' GROUP BY name ORDER BY name
"""


Way = Callable[[Sequence[Path], Path], list[Any]]
"""Reads sessions, and may write a file; returns the answer to the question, or nothing where it gives none."""


def _sources(paths: Sequence[Path]) -> Any:
    from deia.export.sources import Sources

    def refuse(error: Exception, path: str) -> None:
        raise AssertionError(f"{path}: {error}")

    return Sources(list(map(str, paths)), on_error=refuse, on_damages=lambda _path, _damages: None)


def _query(paths: Sequence[Path], _out: Path) -> list[Any]:
    from deia.export.query import asked

    with asked(_sources(paths), QUESTION) as result:
        return result.take(sys.maxsize)


def _query_by_reader(paths: Sequence[Path], out: Path) -> list[Any]:
    """The same, as if no log were regular."""
    from deia.export import database

    database.is_regular = lambda _path, _listings: False
    return _query(paths, out)


def _bare(paths: Sequence[Path], _out: Path) -> list[Any]:
    """What one would write without Deia, for this one question: it reads three fields, and leaves out what is odd."""
    import duckdb

    return duckdb.connect().execute(_BARE.format(paths=list(map(str, paths)))).fetchall()


def _figures(paths: Sequence[Path], _out: Path) -> list[Any]:
    """What `deia ls`, `deia trend` and `deia analyze DIR` look at: all key figures of each session; and the answer."""
    from deia.analysis.fleet import look_at_all

    calls: dict[str, list[int]] = {}
    for session in look_at_all(paths):
        for name, durations in session.durations["tool"].items():
            both = calls.setdefault(name, [0, 0])
            both[0] += durations.count
            both[1] += durations.total_ms
    return [(name, *both) for name, both in sorted(calls.items())]


def _parquet(paths: Sequence[Path], out: Path) -> list[Any]:
    import duckdb

    from deia.export.database import parquet

    out.touch()
    parquet(_sources(paths), out)
    asked = QUESTION.replace("FROM tools", f"FROM read_parquet('{out}') WHERE type = 'ToolEvent'")
    return duckdb.connect().execute(asked).fetchall()


def _stream(name: str) -> Way:
    def write(paths: Sequence[Path], out: Path) -> list[Any]:
        from importlib import import_module

        module, function = {"csv": ("csv_table", "csv_table")}.get(name, (name, name))
        convert: Callable[[Iterable[Any]], Iterator[bytes]]
        convert = getattr(import_module(f"deia.export.{module}"), function)
        with out.open("wb", buffering=1024 * 1024) as file:
            file.writelines(convert(_sources(paths)))
        return []

    return write


WAYS: dict[str, Way] = {
    "query": _query,
    "query, all by our reader": _query_by_reader,
    "DuckDB alone": _bare,
    "key figures of each session": _figures,
    "export to parquet": _parquet,
    "export to csv": _stream("csv"),
    "export to chrome": _stream("chrome"),
    "export to speedscope": _stream("speedscope"),
    "export to otlp": _stream("otlp"),
}
"""In the order of the table."""

_STREAMS = frozenset(way for way in WAYS if way.startswith("export to ") and way != "export to parquet")
"""Those that read one session after the other and keep nothing of it."""


def measure(job: Result) -> Result:
    """Do one of them once, in this process: what `benchmarks.child` does for `run`."""
    out = Path(job["out"])
    paths = sorted(Path(job["directory"]).glob("*.jsonl"))[:: job["streamed_every"] if job["way"] in _STREAMS else 1]
    tempfile.tempdir = str(out.parent)
    before = perf_counter()
    try:
        answer = WAYS[job["way"]](paths, out)
    except ModuleNotFoundError as error:
        return {"left_out": f"{error.name} is not installed"}
    seconds = perf_counter() - before
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return {
        "sessions": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
        "seconds": round(seconds, 4),
        "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1),
        "out_bytes": os.path.getsize(out) if out.exists() else 0,
        "answer": [list(row) for row in answer],
    }
