"""Charts of a cost as the work grows, as SVG: lines over a logarithmic scale, the same text each time.

They share their colours with the bars of `charts.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.charts import STYLE, figure

_WIDTH, _HEIGHT = 860, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 190, 60, 48

_DIGIT = 6.2
"""Width of a digit of the small figures."""

_KINDS = ("ours", "second", "keeps", "third")
"""Classes of the lines, in order."""

_LINES = """\
polyline{fill:none;stroke-width:2}circle{stroke:none}.ours.dot{fill:#0969da}.keeps.dot{fill:#57606a}
.second{stroke:#8250df}.second.dot{fill:#8250df}.third{stroke:#bc4c00}.third.dot{fill:#bc4c00}
polyline.ours,polyline.keeps,polyline.second,polyline.third{fill:none}
@media(prefers-color-scheme:dark){.ours.dot{fill:#4493f8}.keeps.dot{fill:#9198a1}.second{stroke:#ab7df8}
.second.dot{fill:#ab7df8}.third{stroke:#f0883e}.third.dot{fill:#f0883e}
polyline.ours,polyline.keeps,polyline.second,polyline.third{fill:none}}"""


@dataclass(frozen=True)
class Curve:
    """One line: what it shows, and its points."""

    label: str
    points: list[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """Lines over one pair of axes; how much work there is runs logarithmically.

    Attributes:
        title: What is shown, with the unit.
        work: What grows, for the horizontal axis.
        curves: The lines.
        log: Whether the vertical axis is logarithmic; else it begins at 0.
    """

    title: str
    work: str
    curves: list[Curve]
    log: bool = False


def draw(plot: Plot) -> str:
    """Return a plot."""
    xs = [x for curve in plot.curves for x, _ in curve.points]
    ys = [y for curve in plot.curves for _, y in curve.points]
    left, right = math.log10(min(xs)), math.log10(max(xs))
    ticks = _decades(min(ys), max(ys)) if plot.log else _steps(max(ys))
    low, high = (math.log10(ticks[0]), math.log10(ticks[-1])) if plot.log else (0.0, ticks[-1])

    def at_x(value: float) -> float:
        return round(_LEFT + (math.log10(value) - left) / ((right - left) or 1) * (_WIDTH - _LEFT - _RIGHT), 1)

    def at_y(value: float) -> float:
        share = ((math.log10(value) if plot.log else value) - low) / ((high - low) or 1)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    end = _WIDTH - _RIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(plot.title)}</title>",
        f"<style>{STYLE}\n{_LINES}</style>",
        f'<text class="title" x="8" y="20">{escape(plot.title)}</text>',
        f'<text class="small" x="{end}" y="{_HEIGHT - 8}" text-anchor="end">{escape(plot.work)}</text>',
    ]
    for tick in ticks:
        y = at_y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{end}" y2="{y}"/>')
        parts.append(f'<text class="small" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{figure(tick)}</text>')
    parts += [
        f'<text class="small" x="{at_x(x)}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{figure(x)}</text>'
        for x in _marks(sorted(set(xs)))
    ]
    labels = _apart([at_y(curve.points[-1][1]) for curve in plot.curves])
    for curve, kind, label_y in zip(plot.curves, _KINDS, labels, strict=False):
        points = " ".join(f"{at_x(x)},{at_y(y)}" for x, y in curve.points)
        parts.append(f'<polyline class="{kind}" points="{points}"/>')
        parts += [f'<circle class="{kind} dot" cx="{at_x(x)}" cy="{at_y(y)}" r="3"/>' for x, y in curve.points]
        parts.append(f'<text x="{end + 10}" y="{label_y + 4}">{escape(curve.label)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _decades(least: float, most: float) -> list[float]:
    return [10.0**power for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)]


def _steps(most: float) -> list[float]:
    """Return even ticks from 0 to a round number beyond the most."""
    rough = most / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    return [step * number for number in range(math.ceil(most / step) + 1)]


def _marks(xs: list[float]) -> list[float]:
    """Return which of the horizontal values get a figure: the last, and before it no two that would touch."""
    marks = xs[-1:]
    span = (math.log10(xs[-1]) - math.log10(xs[0])) or 1
    apart = (max(len(figure(x)) for x in xs) * _DIGIT + 8) / (_WIDTH - _LEFT - _RIGHT) * span
    for x in reversed(xs):
        if math.log10(marks[0]) - math.log10(x) >= apart:
            marks.insert(0, x)
    return marks


def _apart(heights: list[float]) -> list[float]:
    """Return the heights of labels, moved down where two would cover each other."""
    placed = dict.fromkeys(range(len(heights)), 0.0)
    last = -math.inf
    for number in sorted(placed, key=lambda number: heights[number]):
        last = placed[number] = round(max(heights[number], last + 16), 1)
    return list(placed.values())
