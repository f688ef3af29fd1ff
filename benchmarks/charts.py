"""Charts of a result of `peers`, as SVG: small, without a library, and the same text each time from the same result.

Bars on a logarithmic scale, for the peers differ by factors of a thousand. A full bar lost nothing to SIGKILL, an
outlined one did. Readable on light and on dark ground: the colours follow the reader's preference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.peer_figures import Standing, standings

Result = dict[str, Any]

_WIDTH = 860
_LEFT = 290
"""Where bars begin: the longest label lies before it."""
_RIGHT = 130
"""Behind the longest bar: its figure."""
_ROW = 24
_TOP = 62
_BAR = 14

STYLE = """\
text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;font-weight:600}
.small{font-size:11px;fill:#59636e}.grid{stroke:#d1d9e0}.keeps{fill:#57606a;stroke:#57606a}
.ours{fill:#0969da;stroke:#0969da}.loses{fill:none;stroke:#bc4c00}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.small{fill:#9198a1}.grid{stroke:#3d444d}
.keeps{fill:#9198a1;stroke:#9198a1}.ours{fill:#4493f8;stroke:#4493f8}.loses{stroke:#f0883e}}"""


@dataclass(frozen=True)
class Chart:
    """One figure of all peers.

    Attributes:
        name: Part of its file's name.
        title: What is shown, with the unit.
        value: Returns the figure of a peer; None where it has none.
        least_first: Whether small figures are the good ones; the good ones stand on top.
    """

    name: str
    title: str
    value: Callable[[Standing], float | None]
    least_first: bool


def _median_us(row: Standing) -> float | None:
    return row.calls["tight"].median_ns / 1e3 if "tight" in row.calls else None


def _tail_us(row: Standing) -> float | None:
    return row.calls["paced"].p999_ns / 1e3 if "paced" in row.calls else None


def _events_per_s(row: Standing) -> float | None:
    return row.calls["tight"].events_per_s if "tight" in row.calls else None


CHARTS = (
    Chart("median", "What a call costs: median, tight loop, µs (shorter is better)", _median_us, least_first=True),
    Chart(
        "tail", "One call in a thousand takes longer: p99.9, paced, µs (shorter is better)", _tail_us, least_first=True
    ),
    Chart("throughput", "Events a second, verified in the file (longer is better)", _events_per_s, least_first=False),
)

TITLES = {chart.name: chart.title for chart in CHARTS}


def charts(result: Result) -> dict[str, str]:
    """Return each chart of a result: name → SVG."""
    found = standings(result)
    return {chart.name: draw(chart, found) for chart in CHARTS}


def draw(chart: Chart, found: list[Standing]) -> str:
    """Return one chart; peers without the figure are left out of it."""
    values = {row.peer: value for row in found if (value := chart.value(row)) is not None}
    rows = sorted(
        (row for row in found if row.peer in values),
        key=lambda row: values[row.peer] if chart.least_first else -values[row.peer],
    )
    height = _TOP + _ROW * len(rows) + 12
    first = math.floor(math.log10(min(values.values(), default=1)))
    last = math.ceil(math.log10(max(values.values(), default=10)))

    def x(value: float) -> float:
        return round(_LEFT + (math.log10(value) - first) / max(last - first, 1) * (_WIDTH - _LEFT - _RIGHT), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(chart.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="20">{escape(chart.title)}</text>',
        '<text class="small" x="8" y="40">outlined: events were missing after SIGKILL</text>',
    ]
    for power in range(first, last + 1):
        at = x(10**power)
        parts.append(f'<line class="grid" x1="{at}" y1="{_TOP - 10}" x2="{at}" y2="{height - 8}"/>')
        parts.append(f'<text class="small" x="{at}" y="{_TOP - 14}" text-anchor="middle">{figure(10**power)}</text>')
    for number, row in enumerate(rows):
        value, y = values[row.peer], _TOP + _ROW * number
        kind = "loses" if not row.survives_kill else "ours" if row.is_ours else "keeps"
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 12}" text-anchor="end">{escape(row.label)}</text>')
        width = round(max(x(value) - _LEFT, 1), 1)
        parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" rx="2"/>')
        parts.append(f'<text x="{round(_LEFT + width + 6, 1)}" y="{y + 12}">{figure(value)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def figure(value: float) -> str:
    """Return a figure as it stands beside its mark."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
