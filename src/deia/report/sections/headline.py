"""The figures that come first."""

from __future__ import annotations

from deia.analysis.profile import SessionProfile
from deia.journal.damage import problem_count
from deia.report.markup import Markup, tag
from deia.report.model import Report
from deia.report.sections.figures import dollars
from deia.text import at_least, count, duration, plural, rate, share


def section(report: Report) -> Markup:
    """Return the figures that come first."""
    profile = report.profile
    analysis, wall, effort = profile.analysis, profile.wall, profile.effort
    span = profile.span_ms
    problems = problem_count(analysis.damages, analysis.damage_count)
    cards = [
        _card("From start to end", duration(span), _recorded(profile)),
        _card("Model", duration(wall.model_ms), _shared(wall.model_ms, span, effort.model_ms)),
        _card("Tools", duration(wall.tool_ms), _shared(wall.tool_ms, span, effort.tool_ms)),
        _card("Waiting for people", duration(wall.human_ms), _of_the_time(wall.human_ms, span)),
        _card(
            "Tasks completed",
            count(analysis.tasks_completed),
            f"{rate(analysis.velocity_metrics['tasks_per_hour'])}, {count(len(analysis.open_tasks))} open",
        ),
        _card("Errors", count(profile.error_count), _tries(profile), "bad" if profile.error_count else ""),
        _card("Cost", dollars(profile.usage.cost_usd), _tokens(profile)),
        _card(
            "Events",
            count(analysis.events),
            f"{plural(problems, 'problem')} with the file" if problems else "every line is readable",
        ),
    ]
    return tag("ul", cards, class_="cards")


def _recorded(profile: SessionProfile) -> str:
    recorded_ms = profile.analysis.recorded_ms
    if recorded_ms < profile.span_ms:
        return f"{duration(recorded_ms)} of it recorded, in {plural(profile.analysis.runs, 'run')}"
    return plural(profile.analysis.runs, "run")


def _shared(wall_ms: int, span_ms: int, effort_ms: int) -> str:
    if not effort_ms:
        return "no call was recorded"
    of_the_time = _of_the_time(wall_ms, span_ms)
    if duration(effort_ms) == duration(wall_ms):
        return of_the_time
    added_up = f"all calls added up {duration(effort_ms)}"
    return f"{of_the_time}; {added_up}" if span_ms else added_up


def _of_the_time(wall_ms: int, span_ms: int) -> str:
    return f"{share(wall_ms, span_ms)} of the time" if span_ms else "no time passed"


def _tries(profile: SessionProfile) -> str:
    is_least = "retries" in profile.at_least
    if not profile.retries and not is_least:
        return "no failed tool call was made again"
    return f"{at_least(plural(profile.retries, 'tool call'), is_least)} made again after a failure"


def _tokens(profile: SessionProfile) -> str:
    usage = profile.usage
    if not usage.calls:
        return "no model call was recorded"
    return f"{count(usage.input_tokens)} tokens in, {count(usage.output_tokens)} out"


def _card(label: str, figure: str, note: str, kind: str = "") -> Markup:
    return tag(
        "li",
        tag("span", label, class_="label"),
        tag("span", figure, class_="figure"),
        tag("span", note, class_="note"),
        class_=kind or None,
    )
