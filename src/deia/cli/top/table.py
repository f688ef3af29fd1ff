"""What sessions are at, as a table: the same for a terminal that is refreshed and for a page."""

from __future__ import annotations

from collections.abc import Sequence

from deia.cli.brief import one_line
from deia.cli.page import Column
from deia.cli.status import with_path
from deia.cli.tail.lines import session_of
from deia.cli.text import count, duration, named
from deia.live.board import Row

COLUMNS = (
    Column("Session", short=True),
    Column("State", whole=True),
    Column("Task", short=True, least=12, leaves=1),
    Column("For", number=True, leaves=3),
    Column("Last", short=True, least=12, leaves=4),
    Column("Ago", number=True, leaves=8),
    Column("Events", number=True, leaves=6),
    Column("/s", number=True, leaves=10),
    Column("Tools", number=True, leaves=9),
    Column("Errors", number=True, leaves=2),
)
"""What is left out first where a terminal is too narrow is what changes the most and says the least."""
MODEL_COLUMNS = (Column("Tokens", number=True, leaves=7), Column("Cost", number=True, leaves=5))

_NAME = 40
"""How much of a name is shown: of two sessions side by side one sees more than of one whole name."""


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the table's columns; those about models where there is something in them."""
    return [*COLUMNS, *(MODEL_COLUMNS if _has_models(rows) else ())]


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table's rows."""
    with_models = _has_models(rows)
    return [[*_cells(row), *(_model_cells(row) if with_models else ())] for row in rows]


def headline(rows: Sequence[Row], total: int) -> str:
    """Return what there is in one line."""
    open_now = sum(row.state in ("recording", "idle") for row in rows)
    behind = sum(row.is_behind for row in rows)
    text = f"{count(total)} session{'' if total == 1 else 's'}, {count(open_now)} open"
    if total > len(rows):
        text += f", {count(len(rows))} shown"
    return text + (f"; reading {count(behind)}" if behind else "")


def problems(rows: Sequence[Row]) -> list[str]:
    """Return what is wrong with logs, one line each."""
    return [with_path(row.problem, row.path) for row in rows if row.problem is not None]


def _has_models(rows: Sequence[Row]) -> bool:
    return any(row.model_calls for row in rows)


def _cells(row: Row) -> list[str]:
    more = f" (+{count(row.open_tasks - 1)})" if row.open_tasks > 1 else ""
    last = "-"
    if row.last is not None:
        kind = row.last.type.removesuffix("Event").lower()
        last = one_line(f"{kind} {row.last.name}".rstrip(), _NAME) + (" failed" if row.last.failed else "")
    return [
        session_of(row.agent, row.session, row.path),
        row.state,
        "-" if row.task is None else one_line(named(row.task.name), _NAME) + more,
        "-" if row.task_ms is None else duration(row.task_ms),
        last,
        "-" if row.quiet_s is None else duration(row.quiet_s * 1000),
        count(row.events) + ("+" if row.is_behind else ""),
        f"{row.events_per_s:,.1f}" if row.events_per_s else "-",
        count(row.tool_calls),
        count(row.errors),
    ]


def _model_cells(row: Row) -> list[str]:
    tokens = row.input_tokens + row.output_tokens
    return [count(tokens) if row.model_calls else "-", "-" if row.cost_usd is None else f"${row.cost_usd:,.2f}"]
