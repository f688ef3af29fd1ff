"""Where a chart is drawn, and what stands beside it."""

from __future__ import annotations

from collections.abc import Sequence

from deia.report.markup import Markup, tag


def chart(name: str, title: str, *, centre: Sequence[str] = ()) -> Markup:
    """Return the place of a chart; a table has its figures for those who cannot see it.

    Args:
        name: Which one of `deia.report.charts`.
        title: What it shows.
        centre: What stands in the middle of a ring, line by line; its title is that of its section, and not repeated.
    """
    return tag(
        "figure",
        tag("figcaption", title, class_="unseen" if centre else None),
        tag(
            "div",
            tag("canvas", id=f"chart-{name}", role="img", aria_label=f"Chart: {title}. The table has its figures."),
            tag("p", [tag("span", line) for line in centre], class_="centre", aria_hidden="true") if centre else None,
            class_="canvas",
        ),
        class_=f"chart {name}",
        data_chart=name,
    )


def beside(chart: Markup, table: Markup) -> Markup:
    """Return a small chart with its table on its right."""
    return tag("div", chart, table, class_="beside")


def below(chart: Markup, table: Markup) -> Markup:
    """Return a wide chart with its table below."""
    return tag("div", chart, table, class_="below")
