"""`python -m benchmarks compare BEFORE AFTER`: two results side by side.

Absolute times of two runs differ with the machine's mood. The ratios to the floor, taken within each run, do not, so
they are what is compared.
"""

from __future__ import annotations

from typing import Any

from benchmarks import figures
from benchmarks.tables import circumstances, table, title

Result = dict[str, Any]


def compare(before: Result, after: Result) -> str:
    """Return each ratio and each promised number of two overhead results, and how the second stands to the first."""
    rows = [
        *_rows(
            {_name(row): row.ratio for row in figures.comparisons(before)},
            {_name(row): row.ratio for row in figures.comparisons(after)},
        ),
        *_rows(
            {row.name: row.value for row in figures.targets(before)},
            {row.name: row.value for row in figures.targets(after)},
        ),
    ]
    return "\n\n".join(
        [
            f"Before: {title(before)}. {circumstances(before)}",
            f"After: {title(after)}. {circumstances(after)}",
            table(["", "before", "after", "after / before"], rows),
        ]
    )


def _name(row: figures.Comparison) -> str:
    return f"{row.mode}, {row.subject} / {row.base}, {row.figure.removesuffix('_ns')}"


def _rows(before: dict[str, float | None], after: dict[str, float | None]) -> list[list[str]]:
    return [
        [name, f"{old:.3f}", f"{new:.3f}", f"{new / old:.3f}" if old else "-"]
        for name, old in before.items()
        if old is not None and (new := after.get(name)) is not None
    ]
