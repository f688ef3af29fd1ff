"""What a comparison looks like on a page, and in JSON; `deia compare` and `deia trend` share it."""

from __future__ import annotations

from collections.abc import Sequence

from deia.analysis.compare import NOISE, Change, Comparison, FigureChange, Spread
from deia.analysis.conditions import Outcome
from deia.analysis.figures import METRICS, Unit
from deia.analysis.ranksum import FEWEST_CLUSTERS
from deia.cli.brief import short_name
from deia.cli.output import jsonable
from deia.cli.page import Column, Page, numbers, say_more
from deia.cli.text import count, dollars, duration, durations, plural, share, size

_CALLS = {"task": "run", "tool": "call", "model": "call"}

_FEW_NAMED = 20
"""Names of which there is too little to tell: more than these are counted."""


def show_changes(page: Page, comparison: Comparison, limit: int | None) -> None:
    """Show, in words, what changed beyond noise."""
    page.heading("What got slower")
    _list(page, [_slower(change) for change in comparison.slower], limit, "bad")
    page.heading("What got faster")
    _list(page, [_slower(change) for change in comparison.faster], limit, "good")
    if comparison.failing:
        page.heading("What fails more often")
        _list(page, [_failing(change) for change in comparison.failing], limit, "bad")
    if comparison.worse:
        page.heading("What got worse from session to session")
        _list(page, [_worse(figure) for figure in comparison.worse], limit, "bad")
    tested = [change for change in comparison.changes if change.p is not None]
    few = [short_name(change.name) for change in comparison.changes if change.verdict == "few"]
    if few:
        page.gap()
        more = f" and {count(len(few) - _FEW_NAMED)} more" if len(few) > _FEW_NAMED else ""
        page.line(f"Too few to tell it from noise: {', '.join(few[:_FEW_NAMED])}{more}", "quiet")
    if tested and not comparison.by_session:
        page.gap()
        page.line(
            f"A name that fewer than {FEWEST_CLUSTERS} sessions a side have is judged by each run and call by itself: "
            "what differs from session to session anyway may look like a change.",
            "quiet",
        )


def show_figures(page: Page, figures: Sequence[FigureChange]) -> None:
    """Show the figures of both groups side by side."""
    page.heading("Figures")
    known = [figure for figure in figures if figure.before or figure.after]
    page.table(
        [Column("Figure", short=True), *numbers(("A", "B", "Change"), leaving=("Change",)), Column("Beyond noise")],
        [
            [
                METRICS[figure.name].label,
                figure_text(figure.before, METRICS[figure.name].unit),
                figure_text(figure.after, METRICS[figure.name].unit),
                _change(figure.ratio),
                _figure_verdict(figure),
            ]
            for figure in known
        ],
    )


def show_names(page: Page, title: str, changes: Sequence[Change], limit: int | None) -> None:
    """Show tasks, tools or models side by side, what took the most additional time first."""
    if not changes:
        return
    page.heading(title)
    shown = changes[:limit]
    spreads = [(change.before, change.after) for change in shown]
    medians = durations(0 if each is None else each.p50_ms for pair in spreads for each in pair)
    columns = {
        "Runs A" if title == "Tasks" else "Calls A": [_count(before) for before, _ in spreads],
        "B": [_count(after) for _, after in spreads],
        "Median A": [_timed(each[0], text) for text, each in zip(medians[::2], spreads, strict=True)],
        "B ": [_timed(each[1], text) for text, each in zip(medians[1::2], spreads, strict=True)],
        "Times": [_times(change.ratio) for change in shown],
        "Extra time": [_extra(change) for change in shown],
    }
    leaves = (4, 4, 3, 3, 1, 2)  # how often and how long, A and B together, before what they come to
    page.table(
        [
            Column(title[:-1], short=True),
            *(Column(name, number=True, leaves=rank) for name, rank in zip(columns, leaves, strict=True)),
            Column("Beyond noise"),
        ],
        zip([change.name for change in shown], *columns.values(), map(_verdict, shown), strict=True),
    )
    say_more(page, len(changes), limit, title[:-1].lower())


def document(
    comparison: Comparison, labels: tuple[str, str], conditions: Sequence[Outcome], targets: Sequence[Outcome]
) -> dict[str, object]:
    """Return a comparison as an object of JSON."""
    return {
        "before": {"label": labels[0], **jsonable(comparison.before)},
        "after": {"label": labels[1], **jsonable(comparison.after)},
        "noise": NOISE,
        "by_session": comparison.by_session,
        "figures": [
            {**jsonable(figure), "ratio": figure.ratio, "is_worse": figure.is_worse} for figure in comparison.figures
        ],
        "changes": [{**jsonable(change), "extra_ms": change.extra_ms} for change in comparison.changes],
        "models": jsonable(comparison.models),
        "fail_if": [jsonable(outcome) for outcome in conditions],
        "targets": [jsonable(outcome) for outcome in targets],
    }


def figure_text(value: float | None, unit: Unit) -> str:
    """Return a figure as people read it."""
    if value is None:
        return "-"
    if unit == "ms":
        return duration(value)
    if unit == "share":
        return share(value, 1)
    if unit == "bytes":
        return size(round(value))
    if unit == "usd":
        return dollars(value)
    return count(round(value)) if float(value).is_integer() else f"{value:,.1f}"


def _list(page: Page, lines: Sequence[str], limit: int | None, tone: str) -> None:
    for line in lines[:limit]:
        page.line(line, "bad" if tone == "bad" else "good")
    if not lines:
        page.line("Nothing, beyond noise.", "quiet")
    say_more(page, len(lines), limit, "line")


def _slower(change: Change) -> str:
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    calls = plural(after.timed, _CALLS[change.kind])
    first, second = durations([before.p50_ms, after.p50_ms])
    more = duration(abs(change.extra_ms)) + (" more" if change.extra_ms >= 0 else " less")
    times = f"{_times(change.ratio)} as long, median {first} → {second}"
    return f"{change.kind} {short_name(change.name)}: {times}; {calls} took {more} in all"


def _failing(change: Change) -> str:
    before, after = change.before, change.after
    assert before is not None
    assert after is not None
    shares = f"{share(before.errors, before.count)} → {share(after.errors, after.count)}"
    return f"{change.kind} {short_name(change.name)}: {shares} of its {_CALLS[change.kind]}s"


def _worse(figure: FigureChange) -> str:
    metric = METRICS[figure.name]
    return f"{metric.label}: {figure_text(figure.before, metric.unit)} → {figure_text(figure.after, metric.unit)}"


def _count(spread: Spread | None) -> str:
    return "-" if spread is None else count(spread.count)


def _timed(spread: Spread | None, text: str) -> str:
    return text if spread is not None and spread.timed else "-"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f} times"


def _extra(change: Change) -> str:
    if not (change.before and change.before.timed and change.after and change.after.timed):
        return "-"
    return ("+" if change.extra_ms >= 0 else "-") + duration(abs(change.extra_ms))


def _change(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * (ratio - 1):+,.1f} %"


def _figure_verdict(figure: FigureChange) -> str:
    words = {"few": "-", "same": "no"}
    return words.get(figure.verdict) or f"{figure.verdict}, {_sure(figure.p)}"


def _verdict(change: Change) -> str:
    words = {"few": "too few to tell", "untimed": "no durations"}
    words |= {"new": "only in B", "gone": "only in A", "same": "no"}
    text = words.get(change.verdict) or f"{change.verdict}, {_sure(change.p)}"
    return (
        f"{text}; fails {'more' if change.errors == 'higher' else 'less'} often"
        if change.errors in ("higher", "lower")
        else text
    )


def _sure(p: float | None) -> str:
    assert p is not None
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
