"""What was paid for models, tokens and cost, on a page of `deia ls`, `analyze`, `compare` and `trend`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from deia.analysis.compare import ModelChange
from deia.analysis.usage import ModelUsage
from deia.cli.page import Column, Page, numbers, say_more
from deia.cli.text import count, dollars, plural, share

_PAID: dict[str, Callable[[ModelUsage], str]] = {
    "Calls": lambda usage: count(usage.calls),
    "Input": lambda usage: count(usage.input_tokens),
    "Output": lambda usage: count(usage.output_tokens),
    "Cost": lambda usage: cost_text(usage.cost_usd),
}

_CHANGES_LEAVE = {"Output": 2, "Input": 1}
"""What is left out where a terminal is too narrow for A and B of all: the highest number first."""


def cost_text(cost_usd: float | None) -> str:
    """Return a cost; a dash where no line tells of one."""
    return "-" if cost_usd is None else dollars(cost_usd)


def in_short(usage: ModelUsage) -> str:
    """Return what models took in one line."""
    said = f"{plural(usage.calls, 'call')}: {count(usage.input_tokens)} tokens in, {count(usage.output_tokens)} out"
    return said if usage.cost_usd is None else f"{said}, {dollars(usage.cost_usd)}"


def show_usage(page: Page, models: Mapping[str, ModelUsage], limit: int | None) -> None:
    """Show what each model took, if any was called."""
    if not models:
        return
    page.heading("Models")
    names = list(models)[:limit]
    shown = [models[name] for name in names]
    columns = {label: [text(usage) for usage in shown] for label, text in _paid(models.values()).items()}
    cached = [share(usage.cache_read_tokens, usage.input_tokens) for usage in shown]
    columns = {**columns, "Input from cache": cached}
    page.table(
        [Column("Model", short=True), *numbers(columns, leaving=("Input from cache", "Calls", "Output", "Input"))],
        zip(names, *columns.values(), strict=True),
    )
    say_more(page, len(models), limit, "model")


def show_model_changes(page: Page, changes: Sequence[ModelChange], limit: int | None) -> None:
    """Show what was paid for each of several models, side by side; what a single one took are the figures.

    How many calls that were, and how long they took, is shown where models are compared by name.
    """
    if len(changes) < 2:
        return
    page.heading("Tokens and cost")
    shown = changes[:limit]
    columns, cells = [Column("Model", short=True)], [[change.name for change in shown]]
    known = (side for change in changes for side in (change.before, change.after) if side is not None)
    for label, text in _paid(known).items():
        if label == "Calls":
            continue
        leaves = _CHANGES_LEAVE.get(label, 0)
        columns += [Column(f"{label} A", number=True, leaves=leaves), Column("B", number=True, leaves=leaves)]
        cells += [[_text(change.before, text) for change in shown], [_text(change.after, text) for change in shown]]
    page.table(columns, zip(*cells, strict=True))
    say_more(page, len(changes), limit, "model")


def _paid(usages: Iterable[ModelUsage]) -> dict[str, Callable[[ModelUsage], str]]:
    """Return the columns, without the cost where no line tells of any."""
    if any(usage.cost_usd is not None for usage in usages):
        return _PAID
    return {label: text for label, text in _PAID.items() if label != "Cost"}


def _text(usage: ModelUsage | None, text: Callable[[ModelUsage], str]) -> str:
    return "-" if usage is None else text(usage)
