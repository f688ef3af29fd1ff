"""Raw results as files: JSON that a person can read and git can compare."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson


def write_result(result: dict[str, Any], path: Path) -> None:
    """Write a result: its fields one a line, and the items of its long lists one a line each."""
    fields = [f"  {_dump(name)}: {_field(value)}" for name, value in result.items()]
    path.write_text("{\n" + ",\n".join(fields) + "\n}\n", encoding="utf-8")


def _field(value: object) -> str:
    if isinstance(value, list) and value:
        return "[\n    " + ",\n    ".join(map(_dump, value)) + "\n  ]"
    return _dump(value)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()


def result_name(result: dict[str, Any]) -> str:
    """Name a result's file by what was measured, on which interpreter and, where that matters, on which processor."""
    python = result["python"]
    version = ".".join(python["version"].split(".")[:2])
    build = "distribution" if python["distribution"] else "source"
    name = f"{result['benchmark']}-{python['implementation'].lower()}{version}-{build}"
    if result["benchmark"] != "instructions":  # of which there are as many on any processor
        name += f"-{_slug(result['machine']['processor'])}"
    return f"{name}.json"


def _slug(processor: str) -> str:
    """Return the name of a processor as part of a file's: `Intel(R) Xeon(R) Processor` is `intel-xeon`."""
    without_marks = re.sub(r"\(\w+\)|\b(?:processor|cpu)\b|@.*", "", processor.lower())
    return re.sub(r"\W+", "-", without_marks).strip("-")


def read_result(path: Path) -> dict[str, Any]:
    """Read a result back."""
    result: dict[str, Any] = orjson.loads(path.read_bytes())
    return result
