"""The report that the demo's agent writes: made from the recording alone, so both processes' work is in it."""

from __future__ import annotations

import platform
from collections import defaultdict
from collections.abc import Iterable

from deia.cli.demo.plan import Plan
from deia.events import AnyEvent, ToolEvent

_SUMMED = ("lines", "code", "comments", "functions", "classes")


def make_report(plan: Plan, events: Iterable[AnyEvent]) -> str:
    """Return a Markdown report over what the tools found.

    Args:
        plan: What was reviewed.
        events: The session's events.
    """
    package_of = {str(file): package.name for package in plan.packages for file in package.files}
    figures: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SUMMED, 0))
    failed: dict[tuple[str, str], str | None] = {}
    for event in events:
        if not isinstance(event, ToolEvent):
            continue
        target = str(event.params["target"])
        if event.error is not None:
            failed[event.name, target] = event.error
        else:
            failed.pop((event.name, target), None)  # it was tried again
        if target in package_of:
            for key in _SUMMED:
                figures[package_of[target]][key] += event.params.get(key, 0)
    lines = [
        f"# The standard library of Python {platform.python_version()}",
        "",
        "| Package | Modules | Lines | Code | Comments | Functions | Classes |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {package.name} | {len(package.files)} | "
            + " | ".join(str(figures[package.name][key]) for key in _SUMMED)
            + " |"
            for package in plan.packages
        ),
    ]
    if failed:
        said = (f"- `{name}` on `{target}`: {error}" for (name, target), error in failed.items())
        lines += ["", "## What a tool could not do", "", *said]
    return "\n".join(lines) + "\n"
