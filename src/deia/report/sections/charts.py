"""Where a chart is drawn, and what stands beside it."""

from __future__ import annotations

from deia.report.markup import Markup, tag


def chart(name: str, title: str) -> Markup:
    """Return the place of a chart; a table has its figures for those who cannot see it.

    Args:
        name: Which one of `deia.report.charts`.
        title: What it shows.
    """
    return tag(
        "figure",
        tag(
            "div",
            tag("canvas", id=f"chart-{name}", role="img", aria_label=f"Chart: {title}. The table has its figures."),
            class_="canvas",
        ),
        tag("figcaption", title),
        class_=f"chart {name}",
        data_chart=name,
    )


def beside(chart: Markup, table: Markup) -> Markup:
    """Return a small chart with its table on its right."""
    return tag("div", chart, table, class_="beside")


def below(chart: Markup, table: Markup) -> Markup:
    """Return a wide chart with its table below."""
    return tag("div", chart, table, class_="below")
