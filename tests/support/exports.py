"""Session logs as exports read them."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from deia.export.columns import COLUMNS, rows
from deia.export.sources import Source, Sources
from deia.export.speedscope import SCHEMA
from deia.journal.reader import read_entries

JSON = frozenset(column.name for column in COLUMNS if column.type == "JSON")


def sources_of(*paths: Path) -> Sources:
    """Return logs that can all be read, though they may be damaged."""

    def refuse(error: Exception, path: str) -> None:
        raise AssertionError(f"{path}: {error}")

    return Sources([str(path) for path in paths], on_error=refuse, on_damages=lambda _path, _damages: None)


def exported(write: Callable[[Iterable[Source]], Iterator[bytes]], *paths: Path) -> bytes:
    """Return all of an export."""
    return b"".join(write(sources_of(*paths)))


def exported_json(write: Callable[[Iterable[Source]], Iterator[bytes]], *paths: Path) -> Any:
    """The same, where it is one JSON document."""
    return orjson.loads(exported(write, *paths))


def parsed_otlp(content: bytes) -> list[Any]:
    """Return the requests that OpenTelemetry's own messages make of lines; what these do not know is an error."""
    from google.protobuf.json_format import ParseDict  # opentelemetry-proto may be missing
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return [ParseDict(_with_bytes(json.loads(line)), ExportTraceServiceRequest()) for line in content.splitlines()]


def _with_bytes(value: Any) -> Any:
    """Return JSON with its ids in base64, as protobuf has bytes; OTLP says that they are hexadecimal."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(item)).decode()
        if name in ("traceId", "spanId", "parentSpanId")
        else _with_bytes(item)
        for name, item in value.items()
    }


def table_in(journal: Path) -> list[dict[str, Any]]:
    """Return the table as DuckDB has it, in order, without what is null; JSON parsed."""
    from deia.export.database import events_of  # DuckDB may be missing

    with events_of(sources_of(journal)) as connection:
        found = connection.execute("SELECT * EXCLUDE time FROM events ORDER BY line, seq").fetchall()
        names = [column[0] for column in connection.description]
    return [
        {
            name: json.loads(value) if name in JSON else value
            for name, value in zip(names, row, strict=True)
            if value is not None
        }
        for row in found
    ]


def table_of(journal: Path) -> list[dict[str, Any]]:
    """Return what it should be."""
    found = list(rows(str(journal), read_entries(journal, on_damage=lambda damage: None)))
    return sorted(found, key=lambda row: (row["line"], row.get("seq", sys.maxsize)))


def assert_valid_speedscope(document: dict[str, Any]) -> None:
    """Check what the schema asks for, and what its comments do."""
    assert document["$schema"] == SCHEMA
    frames = document["shared"]["frames"]
    assert all(set(frame) <= {"name", "file", "line", "col"} and type(frame["name"]) is str for frame in frames)
    for profile in document["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "events"}
        assert (profile["type"], profile["unit"]) == ("evented", "microseconds")
        at = profile["startValue"]
        stack: list[int] = []
        for event in profile["events"]:
            assert set(event) == {"type", "at", "frame"}
            assert at <= event["at"] <= profile["endValue"]
            at = event["at"]
            assert 0 <= event["frame"] < len(frames)
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert event["type"] == "C" and stack.pop() == event["frame"]
        assert stack == []
