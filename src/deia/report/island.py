"""The data of the page for its scripts: JSON, in which nothing can be taken for HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from deia.analysis.profile import SessionProfile
from deia.analysis.profile.shown import shown
from deia.report.charts import charts_of
from deia.report.extent import extent, pauses
from deia.report.items import KINDS, STATUSES, Item, Kind
from deia.report.lanes import lay_out
from deia.report.model import Report
from deia.report.selection import BINS, Selected

_FINE_SPAN_S = 600.0
"""Up to ten minutes times are given in microseconds, beyond in milliseconds: a browser can zoom in no further."""

_LARGEST = 2**53
"""The largest whole number that a script counts exactly: a log may claim any time."""

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
"""What could end the element that holds the data, or a line of a script."""


class Texts:
    """Texts by number, so that each stands on the page once."""

    def __init__(self, characters: int) -> None:
        self._characters = characters
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        """Return the number of a text, cut to the length that there is room for."""
        return self._numbers.setdefault(shown(text, self._characters), len(self._numbers))

    def all(self) -> list[str]:
        """Return the texts, each at its number."""
        return list(self._numbers)


def island(report: Report, *, items: int, characters: int) -> str:
    """Return the data as JSON that may stand inside a `script` element.

    Args:
        report: What to show.
        items: How many items at most; the first of a selection by importance are not the first in time, so fewer than
            there are means the ones that last longest.
        characters: How long the texts of an item may be.
    """
    data = orjson.dumps(_data(report, _fewer(report.selected.items, items), characters)).decode()
    for character, escape in _ESCAPES.items():
        data = data.replace(character, escape)
    return data


def _fewer(items: Sequence[Item], most: int) -> Sequence[Item]:
    if len(items) <= most:
        return items
    longest = sorted(items, key=lambda item: (not item.status, -item.length_ms))[:most]
    kept = {id(item) for item in longest}
    return [item for item in items if id(item) in kept]


def _names_of_the_rest(selected: Selected, items: Sequence[Item]) -> Counter[tuple[Kind, str]]:
    """Return how many of each name there are besides: not selected, or selected and without room on the page."""
    counts = Counter(selected.rest_names)
    if len(items) < len(selected.items):
        counts.update((item.kind, item.name) for item in selected.items)
        counts.subtract((item.kind, item.name) for item in items)
    return +counts


def _data(report: Report, items: Sequence[Item], characters: int) -> dict[str, Any]:
    profile = report.profile
    covered = extent(profile, report.selected)
    origin, last = covered.start, covered.end
    unit_ms = 0.001 if last - origin <= _FINE_SPAN_S else 1.0

    def place(unix_s: float | None) -> int | None:
        return None if unix_s is None else _whole((unix_s - origin) * 1000 / unit_ms)

    lanes = lay_out(items)
    texts = Texts(characters)
    return {
        "origin_ms": origin * 1000,
        "unit_ms": unit_ms,
        "end": place(last),
        "kinds": KINDS,
        "statuses": STATUSES,
        "items": {
            "kind": [KINDS.index(item.kind) for item in items],
            "status": [STATUSES.index(item.status) for item in items],
            "name": [texts.number(item.name) for item in items],
            "detail": [texts.number(item.detail) for item in items],
            "start": [place(item.start) for item in items],
            "length": [_whole(item.length_ms / unit_ms) for item in items],
            "claimed": [None if item.duration_ms is None else _whole(item.duration_ms) for item in items],
            "seq": [item.seq for item in items],
            "row": lanes.rows,
        },
        "groups": lanes.groups,
        "rest": _rest(report.selected, profile, place),
        "rest_names": [
            [KINDS.index(kind), texts.number(name), number]
            for (kind, name), number in _names_of_the_rest(report.selected, items).items()
        ],
        "total": report.selected.total,
        "pauses": [[place(gap.start), place(gap.end), gap.kind] for gap in pauses(profile, covered)],
        "path": [[place(step.start), place(step.end)] for step in profile.critical_path or () if step.kind != "wait"],
        "charts": [asdict(chart) for chart in charts_of(profile, origin)],
        "texts": texts.all(),
    }


def _rest(selected: Selected, profile: SessionProfile, place: Any) -> dict[str, Any]:
    analysis = profile.analysis
    return {
        "bins": BINS,
        "start": place(analysis.first_time),
        "end": place(analysis.last_time),
        "counts": [[KINDS.index(kind), counts] for kind, counts in selected.rest.items()],
        "totals": [[KINDS.index(kind), total] for kind, total in selected.rest_total.items()],
    }


def _whole(number: float) -> int:
    return int(min(max(number, -_LARGEST), _LARGEST)) if number == number else 0  # noqa: PLR0124  # NaN is not itself
