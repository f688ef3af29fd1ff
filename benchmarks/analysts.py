"""Ways to find out where the time of a session went: ours, and what one would otherwise use for a file of JSON lines.

Each returns the same figures, so that they can be compared before their times are. Beside them ours pairs starts with
completions, follows overlapping tasks and runs, and looks at every line for damage and at every `seq` for gaps; the
others believe that the file is whole.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers import LeftOutError

Figures = dict[str, Any]
"""`types`: type → lines. `tasks`: name → completed runs, milliseconds. `operations`: operation → count. `tools`: name →
calls, milliseconds, longest, p50, p95 (nearest rank). `first`, `last`: first and last moment, Unix seconds."""

Analyst = Callable[[Path, int], Figures]
"""Takes the log and the number of processors that it may use."""

_COLUMNS = {
    "type": "VARCHAR",
    "name": "VARCHAR",
    "operation": "VARCHAR",
    "start_time": "DOUBLE",
    "end_time": "DOUBLE",
    "duration_ms": "BIGINT",
    "timestamp": "DOUBLE",
    "orphan": "BOOLEAN",
    "session_start": "DOUBLE",
}
"""What the figures are made from, and its type in DuckDB."""


def deia(path: Path, processors: int) -> Figures:
    """`deia.analyze_session`."""
    from deia import analyze_session

    return _of_ours(analyze_session(path, workers=processors))


def deia_by_line(path: Path, _processors: int) -> Figures:
    """The same without reading ahead: each line through the reader, as a file is read that is damaged all over."""
    from deia.analysis.analyze import read_log
    from deia.analysis.session import SessionAccumulator

    accumulator = SessionAccumulator()
    damages = read_log(path, accumulator, None)
    return _of_ours(accumulator.finish(bottleneck_share=0.3, end=None, damages=damages))


def _of_ours(analysis: Any) -> Figures:
    assert analysis.damage_count == 0
    return {
        "types": analysis.events_by_type,
        "tasks": {name: [count, analysis.task_breakdown[name]] for name, count in analysis.task_counts.items()},
        "operations": analysis.file_operation_stats,
        "tools": {
            name: [tool.count, tool.total_ms, tool.max_ms, tool.p50_ms, tool.p95_ms]
            for name, tool in analysis.tools.items()
        },
        "first": analysis.first_time,
        "last": analysis.last_time,
    }


def duckdb(path: Path, processors: int) -> Figures:
    """One query over the file, with the columns it needs and their types."""
    import duckdb as database

    connection = database.connect(config={"threads": processors})
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in _COLUMNS.items())
    rows = connection.execute(
        f"""
        SELECT type, name, operation, end_time IS NOT NULL AS ended, coalesce(orphan, false) AS orphaned,
               count(*), sum(duration_ms), max(duration_ms), quantile_disc(duration_ms, [0.5, 0.95]),
               min(least("timestamp", start_time, session_start)), max(greatest("timestamp", end_time))
        FROM read_json(?, format = 'newline_delimited', columns = {{{columns}}})
        GROUP BY ALL
        """,
        [str(path)],
    ).fetchall()
    return _of_groups(rows)


def _of_groups(rows: list[Any]) -> Figures:
    """Return the figures of groups by type, name, operation, whether it ended, and whether it is an orphan."""
    figures: Figures = {"types": Counter(), "tasks": {}, "operations": {}, "tools": {}}
    for kind, name, operation, ended, orphan, count, total, longest, percentiles, _, _ in rows:
        figures["types"][kind] += count
        if kind == "ToolEvent":
            figures["tools"][name] = [count, total, longest, *percentiles]
        elif kind == "FileEvent":
            figures["operations"][operation] = count
        elif kind == "TaskEvent" and ended and not orphan:
            figures["tasks"][name] = [count, total]
    return {**figures, "first": min(row[-2] for row in rows), "last": max(row[-1] for row in rows)}


def polars(path: Path, _processors: int) -> Figures:
    """A lazy scan of the columns it needs, grouped, by its streaming engine; its threads are set in `measure`."""
    import polars as frames

    kinds = {"VARCHAR": frames.String, "DOUBLE": frames.Float64, "BIGINT": frames.Int64, "BOOLEAN": frames.Boolean}
    value = frames.col
    grouped = (
        frames.scan_ndjson(path, schema={name: kinds[kind] for name, kind in _COLUMNS.items()})
        .group_by("type", "name", "operation", value("end_time").is_not_null(), value("orphan").fill_null(value=False))
        .agg(
            frames.len(),
            value("duration_ms").sum().alias("total"),
            value("duration_ms").max().alias("longest"),
            value("duration_ms").quantile(0.5, "equiprobable").alias("p50"),
            value("duration_ms").quantile(0.95, "equiprobable").alias("p95"),
            frames.min_horizontal("timestamp", "start_time", "session_start").min().alias("first"),
            frames.max_horizontal("timestamp", value("end_time").alias("ended")).max().alias("last"),
        )
        .collect(engine="streaming")
    )
    return _of_groups([(*row[:8], row[8:10], *row[10:]) for row in grouped.rows()])


def pandas(path: Path, _processors: int) -> Figures:
    """Pieces of a hundred thousand lines, for all at once would take ten times the file in memory."""
    import pandas as frames

    types: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    tasks: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    durations: defaultdict[str, list[Any]] = defaultdict(list)
    first, last = math.inf, -math.inf
    with frames.read_json(path, lines=True, chunksize=100_000, convert_dates=False) as pieces:
        for piece in pieces:
            types.update(piece["type"].value_counts().to_dict())
            operations.update(piece.loc[piece["type"] == "FileEvent", "operation"].value_counts().to_dict())
            ended = (piece["type"] == "TaskEvent") & piece["end_time"].notna()
            if "orphan" in piece:
                ended &= piece["orphan"].isna()
            for name, found in piece[ended].groupby("name")["duration_ms"]:
                tasks[name][0] += len(found)
                tasks[name][1] += int(found.sum())
            for name, found in piece[piece["type"] == "ToolEvent"].groupby("name")["duration_ms"]:
                durations[name].append(found.astype("int64"))
            starts = [name for name in ("timestamp", "start_time", "session_start") if name in piece]
            first = min(first, piece[starts].min().min())
            last = max(last, piece[["timestamp", "end_time"]].max().max())
    tools = {}
    for name, found in durations.items():
        ordered = frames.concat(found).sort_values()
        ranks = (ordered.iloc[math.ceil(percent * len(ordered) / 100) - 1] for percent in (50, 95))
        tools[name] = [len(ordered), int(ordered.sum()), int(ordered.iloc[-1]), *map(int, ranks)]
    return {
        "types": types,
        "tasks": tasks,
        "operations": operations,
        "tools": tools,
        "first": float(first),
        "last": float(last),
    }


_JQ = """
reduce inputs as $e ({types: {}, tasks: {}, operations: {}, durations: {}, first: infinite, last: (-infinite)};
  .types[$e.type] += 1
  | if $e.type == "ToolEvent" then .durations[$e.name][$e.duration_ms | tostring] += 1
    elif $e.type == "FileEvent" then .operations[$e.operation] += 1
    elif $e.type == "TaskEvent" and $e.end_time != null and ($e.orphan | not) then
      .tasks[$e.name][0] += 1 | .tasks[$e.name][1] += $e.duration_ms
    else . end
  | .first = ([.first, $e.timestamp, ($e.start_time // infinite), ($e.session_start // infinite)] | min)
  | .last = ([.last, $e.timestamp, ($e.end_time // (-infinite))] | max))
"""


def jq(path: Path, _processors: int) -> Figures:
    """One program over the stream of lines; it counts equal durations, and Python makes percentiles of the counts."""
    try:
        done = subprocess.run(["jq", "-n", _JQ, str(path)], check=True, stdout=subprocess.PIPE)
    except FileNotFoundError:
        raise LeftOutError("jq is not installed") from None
    figures: Figures = json.loads(done.stdout)
    counted = figures.pop("durations")
    return {**figures, "tools": {name: _tool_of(found) for name, found in counted.items()}}


def _tool_of(counted: dict[str, int]) -> list[int]:
    ordered = sorted(
        duration for text, count in counted.items() for duration in [round(float(text))] for _ in range(count)
    )
    ranks = (ordered[math.ceil(percent * len(ordered) / 100) - 1] for percent in (50, 95))
    return [len(ordered), sum(ordered), ordered[-1], *ranks]


@dataclass
class _Event:
    type: str
    fields: dict[str, Any] = field(default_factory=dict)


def original(path: Path, _processors: int) -> Figures:
    """The original design: every line an object in a list, and the list gone through."""
    with path.open(encoding="utf-8") as file:
        events = [_Event(fields["type"], fields) for fields in map(json.loads, file)]
    types: Counter[str] = Counter()
    operations: Counter[str] = Counter()
    tasks: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    durations: defaultdict[str, list[int]] = defaultdict(list)
    times = []
    for event in events:
        fields = event.fields
        types[event.type] += 1
        times += [fields[key] for key in ("timestamp", "start_time", "end_time", "session_start") if fields.get(key)]
        if event.type == "ToolEvent":
            durations[fields["name"]].append(fields["duration_ms"])
        elif event.type == "FileEvent":
            operations[fields["operation"]] += 1
        elif event.type == "TaskEvent" and fields["end_time"] is not None and not fields.get("orphan"):
            task = tasks[fields["name"]]
            task[0] += 1
            task[1] += fields["duration_ms"]
    tools = {name: _tool_of(Counter(map(str, found))) for name, found in durations.items()}
    return {
        "types": types,
        "tasks": tasks,
        "operations": operations,
        "tools": tools,
        "first": min(times),
        "last": max(times),
    }


ANALYSTS: dict[str, Analyst] = {
    "deia": deia,
    "deia, line by line": deia_by_line,
    "duckdb": duckdb,
    "polars": polars,
    "pandas": pandas,
    "jq": jq,
    "original": original,
}

IMPORTS = {
    "deia": "deia.analysis.analyze",
    "deia, line by line": "deia.analysis.analyze",
    "duckdb": "duckdb",
    "polars": "polars",
    "pandas": "pandas",
}
"""What is imported before the time is taken."""

USES_PROCESSORS = frozenset({"deia", "duckdb", "polars"})
"""Those that are measured on several processors as well."""

SLOW = frozenset({"deia, line by line", "pandas", "jq", "original"})
"""Those that take so much longer that they are measured in the first round only."""

VERSIONED = ("duckdb", "polars", "pandas")


def differences(mine: Figures, theirs: Figures) -> list[str]:
    """Return what is not the same: everything exactly, but for percentiles, which ours promises to 1 %."""
    found = [
        f"{name}: {theirs[name]!r}, not {mine[name]!r}"
        for name in ("types", "tasks", "operations", "first", "last")
        if mine[name] != theirs[name]
    ]
    if mine["tools"].keys() != theirs["tools"].keys():
        return [*found, f"tools: {sorted(theirs['tools'])}, not {sorted(mine['tools'])}"]
    for name, (*exact, p50, p95) in mine["tools"].items():
        *their_exact, their_p50, their_p95 = theirs["tools"][name]
        close = all(abs(a - b) <= b / 100 for a, b in ((p50, their_p50), (p95, their_p95)))
        if exact != their_exact or not close:
            found.append(f"tool {name}: {theirs['tools'][name]}, not {[*exact, p50, p95]}")
    return found
