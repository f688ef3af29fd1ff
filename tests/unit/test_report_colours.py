"""The colours of a report can be read, in light and dark: WCAG 2.2 asks for a contrast of 4.5 for text, else 3."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deia import report
from deia.report.items import KINDS

STYLE = (Path(report.__file__).parent / "assets" / "report.css").read_text("utf-8")
COLOURS = {name: (light, dark) for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", STYLE)}


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "backs"),
    [
        ("ink", ("page", "card", "bad-back", "time-back", "pause")),
        ("quiet", ("page", "card", "bad-back", "time-back", "pause")),
        ("accent", ("page", "card", "bad-back", "time-back")),
        ("error", ("card", "bad-back")),
        ("on-bar", KINDS),
    ],
)
def test_text_stands_out_from_what_it_is_on(scheme: int, text: str, backs: tuple[str, ...]) -> None:
    """Words on cards, in advice, and in the bars of the timeline."""
    for back in backs:
        assert contrast(COLOURS[text][scheme], COLOURS[back][scheme]) >= 4.5, (text, back)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_bars_and_the_focus_stand_out_from_the_page(scheme: int) -> None:
    """Each kind of event, the critical path, and the ring around what the keyboard is at."""
    for name in (*KINDS, "path", "focus"):
        assert contrast(COLOURS[name][scheme], COLOURS["card"][scheme]) >= 3, name
