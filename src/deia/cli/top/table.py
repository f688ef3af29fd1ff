"""What sessions are at, as a table: the same for a terminal that is refreshed and for a page."""

from __future__ import annotations

from collections.abc import Sequence

from deia.cli.brief import one_line
from deia.cli.page import Column
from deia.cli.status import with_path
from deia.cli.tail.lines import session_of, type_label
from deia.cli.text import count, duration, named
from deia.cli.usage import cost_text
from deia.events import ErrorEvent
from deia.live.board import Row

COLUMNS = (
    Column("Session", short=True, least=22),
    Column("State", whole=True),
    Column("Task", short=True, least=12, leaves=1),
    Column("For", number=True, leaves=3),
    Column("Last", short=True, least=12, leaves=6),
    Column("Ago", number=True, leaves=8),
    Column("Events", number=True, leaves=9),
    Column("/s", number=True, leaves=4),
    Column("Tools", number=True, leaves=10),
    Column("Errors", number=True, leaves=2),
)
"""Where a terminal is too narrow, who does what, for how long, how fast, with which errors and at what cost stays."""
TOKENS = Column("Tokens", number=True, leaves=7)
COST = Column("Cost", number=True, leaves=5)

_NAME = 40
"""How much of a name is shown: of two sessions side by side one sees more than of one whole name."""


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the table's columns; tokens and cost where there are any."""
    return [*COLUMNS, *([TOKENS] if _has_models(rows) else []), *([COST] if _has_costs(rows) else [])]


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table's rows."""
    with_models, with_costs = _has_models(rows), _has_costs(rows)
    return [
        [*_cells(row), *([_tokens(row)] if with_models else []), *([cost_text(row.cost_usd)] if with_costs else [])]
        for row in rows
    ]


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


def _has_costs(rows: Sequence[Row]) -> bool:
    return any(row.cost_usd is not None for row in rows)


def _cells(row: Row) -> list[str]:
    more = f" (+{count(row.open_tasks - 1)})" if row.open_tasks > 1 else ""
    last = "-"
    if row.last is not None:
        failed = " failed" if row.last.failed and row.last.type != ErrorEvent.__name__ else ""
        last = one_line(f"{type_label(row.last.type)} {row.last.name}".rstrip(), _NAME) + failed
    return [
        session_of(row.agent_id, row.session_id, row.path),
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


def _tokens(row: Row) -> str:
    return count(row.input_tokens + row.output_tokens) if row.model_calls else "-"
