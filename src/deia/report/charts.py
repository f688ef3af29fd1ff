"""What the charts show: figures of the profile, put beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from deia.analysis.profile import SessionProfile
from deia.analysis.profile.shown import shown
from deia.text import count, named, named_model, plural

BARS = 12
"""More bars than that are a table, and the table stands beside."""

LABEL_CHARACTERS = 40

_WORDED = 8
"""Columns beside each other that have room for a word below them."""

Unit = Literal["ms", "usd", "tokens", "calls"]


@dataclass(frozen=True)
class Series:
    """Values of one colour.

    Attributes:
        label: What they are.
        colour: Name of the colour, which the style sheet has for light and dark.
        values: One for each label of the chart.
    """

    label: str
    colour: str
    values: list[float]


@dataclass(frozen=True)
class Chart:
    """A chart; each has a table beside it that says the same.

    Attributes:
        name: The element that it is drawn in.
        shape: Bars that lie, stacked; bars that stand; a ring; or steps over time, all but the last series stacked.
        unit: What the values are.
        labels: Names of the bars, or of the ring's parts.
        series: The values; of a ring one series, with a colour for each part.
        colours: Of the parts of a ring.
        offsets_ms: When each step begins, and at last when the last one ends, milliseconds since the timeline begins.
    """

    name: str
    shape: Literal["bars", "columns", "ring", "steps"]
    unit: Unit
    labels: list[str]
    series: list[Series]
    colours: list[str] = field(default_factory=list)
    offsets_ms: list[int] = field(default_factory=list)


def charts_of(profile: SessionProfile, start: float) -> list[Chart]:
    """Return the charts for which there is something to show; `start` is when the timeline begins, Unix seconds."""
    made = (
        *(_shares(profile), _tasks(profile), _tools(profile), _cost(profile), _tokens(profile)),
        *(_over_time(profile, start), _concurrency(profile)),
    )
    return [chart for chart in made if any(any(series.values) for series in chart.series)]


def _shares(profile: SessionProfile) -> Chart:
    wall = profile.wall
    parts = [
        ("Model", "model", wall.model_ms),
        ("Tools", "tool", wall.tool_ms),
        ("Files", "file", wall.file_ms),
        ("People", "human", wall.human_ms),
        ("Unexplained", "unattributed", wall.unattributed_ms),
        ("Idle", "idle", wall.idle_ms),
        ("Between runs", "between", wall.between_runs_ms),
    ]
    there = [part for part in parts if part[2]]
    values = [float(spent) for _, _, spent in there]
    return Chart(
        "shares", "ring", "ms", [label for label, _, _ in there], [Series("Time", "", values)], [c for _, c, _ in there]
    )


def _concurrency(profile: SessionProfile) -> Chart:
    busy = sorted((at_once, spent) for at_once, spent in profile.concurrency.items() if at_once)
    label = count if len(busy) > _WORDED else lambda number: plural(number, "call")
    labels = [label(at_once) for at_once, _ in busy]
    return Chart("at-once", "columns", "ms", labels, [Series("Time", "tool", [float(s) for _, s in busy])])


def _over_time(profile: SessionProfile, start: float) -> Chart:
    found = profile.concurrency_over_time
    before_ms = round((found.start - start) * 1000)
    series = [
        Series("Tool calls, on average", "tool", found.tools),
        Series("Model calls, on average", "model", found.models),
        Series("Most at once", "ink", [float(most) for most in found.most]),
    ]
    return Chart("over-time", "steps", "calls", [], series, offsets_ms=[before_ms + ms for ms in found.offsets_ms])


def _tasks(profile: SessionProfile) -> Chart:
    most = profile.tasks_by_own_time[:BARS]
    own = Series("Own time", "task", [float(task.own_ms) for _, task in most])
    inside = Series("Tasks inside", "nested", [float(task.inside_ms) for _, task in most])
    return Chart("task-times", "bars", "ms", _labels([name for name, _ in most]), [own, inside])


def _tools(profile: SessionProfile) -> Chart:
    most = list(profile.tools.items())[:BARS]
    efforts = Series("All calls", "tool", [float(tool.effort_ms) for _, tool in most])
    return Chart("tool-times", "bars", "ms", _labels([name for name, _ in most]), [efforts])


def _cost(profile: SessionProfile) -> Chart:
    most = sorted(((model.cost_usd or 0.0, name) for name, model in profile.models.items()), reverse=True)[:BARS]
    labels = _labels([named_model(name) for _, name in most])
    return Chart("cost", "bars", "usd", labels, [Series("Cost", "model", [cost for cost, _ in most])])


def _tokens(profile: SessionProfile) -> Chart:
    most = list(profile.models.items())[:BARS]
    series = [
        Series("From the cache", "cached", [float(model.cache_read_tokens) for _, model in most]),
        Series("Other input", "input", [float(model.uncached_tokens) for _, model in most]),
        Series("Output", "output", [float(model.output_tokens) for _, model in most]),
    ]
    return Chart("token-counts", "bars", "tokens", _labels([named_model(name) for name, _ in most]), series)


def _labels(names: Sequence[str]) -> list[str]:
    return [shown(named(name), LABEL_CHARACTERS) for name in names]
