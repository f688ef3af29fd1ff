"""The parts of the page that stand there as they are: headline, advice and tables. No script is needed to read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from deia.analysis.profile import SessionProfile
from deia.report.advice import Advice
from deia.report.items import shown_name
from deia.report.markup import Markup, join, tag
from deia.report.model import Report, State
from deia.text import count, duration, durations, moment, plural, rate, share, size

ROWS = 50
"""Of a table: beyond that nobody looks for what to fix first."""

FEW_ROWS = 15
"""Of a list of single occurrences: the timeline shows them all, and better."""

_STATES = {
    "running": ("Running", "It was still being recorded when this page was made; make it again to see more."),
    "killed": (
        "Died",
        "Its process was killed or crashed before it closed the session. Everything it had recorded is here.",
    ),
    "closed": ("Finished", "The session was closed; this is all of it."),
}

NONE = "–"


def header(report: Report) -> Markup:
    """Return whose session it is, when it was, and what became of it."""
    analysis = report.profile.analysis
    _, meaning = _STATES[report.state]
    facts = [("Agent", analysis.agent_id), ("Session", analysis.session_id), ("Log", report.path)]
    if analysis.first_time is not None and analysis.last_time is not None:
        facts.append(("Recorded", f"{moment(analysis.first_time)} to {moment(analysis.last_time)}"))
    if analysis.runs > 1:
        facts.append(("Runs", count(analysis.runs)))
    return join(
        [
            tag("h1", analysis.agent_id or "A session", " ", state(report.state)),
            tag("p", meaning, class_="quiet"),
            _facts((label, value) for label, value in facts if value is not None),
        ]
    )


def state(became: State) -> Markup:
    """Return what became of a session, in a word."""
    return tag("span", _STATES[became][0], class_=f"state {became}")


def headline(report: Report) -> Markup:
    """Return the figures that come first."""
    profile = report.profile
    analysis, wall, effort = profile.analysis, profile.wall, profile.effort
    span = profile.span_ms
    cards = [
        _card("From start to end", duration(span), _recorded(profile)),
        _card("Model", duration(wall.model_ms), _beside(wall.model_ms, span, effort.model_ms)),
        _card("Tools", duration(wall.tool_ms), _beside(wall.tool_ms, span, effort.tool_ms)),
        _card("Waiting for people", duration(wall.human_ms), f"{share(wall.human_ms, span)} of the time"),
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
            f"{count(analysis.damage_count)} problems with the file"
            if analysis.damage_count
            else "every line is readable",
        ),
    ]
    return tag("ul", cards, class_="cards")


def advice(entries: Sequence[Advice]) -> Markup:
    """Return what to fix first."""
    if not entries:
        return tag("p", "Nothing stands out: no part of this session takes most of its time, nothing keeps failing.")
    return tag("ol", [_advice(entry) for entry in entries], class_="advice")


def _advice(entry: Advice) -> Markup:
    links: list[Markup] = []
    if entry.section:
        links.append(tag("a", "See the figures", href=f"#{entry.section}"))
    if entry.find:
        links.append(finder(entry.find, "Find its events"))
    return tag(
        "li",
        tag("h3", tag("span", _WEIGHT_WORDS[entry.weight], class_=f"weight {entry.weight}"), " ", entry.title),
        tag("p", entry.text),
        tag("p", links, class_="links") if links else None,
        class_=entry.weight,
    )


_WEIGHT_WORDS = {"bad": "Problem", "time": "Time", "note": "Note"}


def finder(name: str, label: str | None = None) -> Markup:
    """Return a button that looks for a name in the table of events."""
    shown = shown_name(name)
    return tag("button", label or shown, type="button", class_="find", data_find=shown, title="Find in the events")


def where_the_time_went(profile: SessionProfile) -> Markup:
    """Return the wall time, told apart."""
    wall = profile.wall
    rows = [
        ("model", "Model", wall.model_ms, "a model was at work"),
        ("tool", "Tools", wall.tool_ms, "a tool was"),
        ("file", "Files", wall.file_ms, "a file was read or written"),
        ("human", "People", wall.human_ms, "the agent waited for somebody's answer"),
        ("unattributed", "Unexplained", wall.unattributed_ms, "a task was open, and nothing was known to be at work"),
        ("idle", "Idle", wall.idle_ms, "no task was open"),
        ("between", "Between runs", wall.between_runs_ms, "nothing was recorded"),
    ]
    there = [row for row in rows if row[2]]
    times = durations(spent for _, _, spent, _ in there)
    return table(
        "Where the time went",
        ["What", "Time|", "Share|", "Meaning"],
        (
            [
                tag("span", tag("span", class_=f"dot {kind}", aria_hidden="true"), label),
                time,
                share(spent, profile.span_ms),
                meaning,
            ]
            for (kind, label, spent, meaning), time in zip(there, times, strict=True)
        ),
    )


def tasks(profile: SessionProfile) -> Markup:
    """Return the tasks, by the time that is their own."""
    by_own = profile.tasks_by_own_time
    shown = by_own[:ROWS]
    figures = [task for _, task in shown]
    most = max((task.own_ms for task in figures), default=0)
    columns = {
        "Own": durations(task.own_ms for task in figures),
        "Wall": durations(task.wall_ms for task in figures),
        "Effort": durations(task.effort_ms for task in figures),
        "Median": durations(task.p50_ms for task in figures),
        "95 %": durations(task.p95_ms for task in figures),
        "Longest": durations(task.max_ms for task in figures),
    }
    return join(
        [
            table(
                "Tasks",
                ["Task", "", "Runs|", "Failed|", "Open|", *(f"{name}|" for name in columns)],
                (
                    [
                        finder(name),
                        bar(task.own_ms, most),
                        count(task.runs),
                        _some(task.failed),
                        _some(task.open),
                        *times,
                    ]
                    for (name, task), *times in zip(shown, *columns.values(), strict=True)
                ),
            ),
            _more(len(by_own), "task"),
        ]
    )


def tools(profile: SessionProfile) -> Markup:
    """Return the tools, the one with the most effort first."""
    shown = list(profile.tools.items())[:ROWS]
    figures = [tool for _, tool in shown]
    most = max((tool.effort_ms for tool in figures), default=0)
    columns = {
        "Effort": durations(tool.effort_ms for tool in figures),
        "Wall": durations(tool.wall_ms for tool in figures),
        "Median": durations(tool.p50_ms for tool in figures),
        "95 %": durations(tool.p95_ms for tool in figures),
        "99 %": durations(tool.p99_ms for tool in figures),
        "Longest": durations(tool.max_ms for tool in figures),
    }
    return join(
        [
            table(
                "Tools",
                ["Tool", "", "Calls|", "Errors|", *(f"{name}|" for name in columns)],
                (
                    [finder(name), bar(tool.effort_ms, most), count(tool.calls), _some(tool.errors), *times]
                    for (name, tool), *times in zip(shown, *columns.values(), strict=True)
                ),
            ),
            _more(len(profile.tools), "tool"),
        ]
    )


def models(profile: SessionProfile) -> Markup:
    """Return the models: calls, tokens, cost."""
    shown = list(profile.models.items())[:ROWS]
    return join(
        [
            table(
                "Models",
                [
                    "Model",
                    "Calls|",
                    "Errors|",
                    "Retries|",
                    "Input|",
                    "of it cached|",
                    "Output|",
                    "Cost|",
                    "Time|",
                    "Median|",
                    "95 %|",
                    "First token|",
                ],
                (
                    [
                        finder(name),
                        count(model.calls),
                        _some(model.errors),
                        _some(model.retries),
                        count(model.input_tokens),
                        share(model.cache_read_tokens, model.input_tokens),
                        count(model.output_tokens),
                        dollars(model.cost_usd),
                        duration(model.effort_ms),
                        duration(model.p50_ms),
                        duration(model.p95_ms),
                        NONE if model.first_token_p50_ms is None else duration(model.first_token_p50_ms),
                    ]
                    for name, model in shown
                ),
            ),
            _more(len(profile.models), "model"),
        ]
    )


def files(profile: SessionProfile) -> Markup:
    """Return the files with the most traffic."""
    return join(
        [
            table(
                "Files",
                ["File", "Reads|", "Writes|", "Read|", "Written|", "Time|"],
                (
                    [
                        finder(path),
                        _some(file.reads),
                        _some(file.writes),
                        size(file.bytes_read),
                        size(file.bytes_written),
                        duration(file.duration_ms) if file.duration_ms else NONE,
                    ]
                    for path, file in list(profile.files.items())[:FEW_ROWS]
                ),
            ),
            _capped(len(profile.files), "file", more="files" in profile.capped),
        ]
    )


def repeated(profile: SessionProfile) -> Markup:
    """Return the calls that were made again with the same parameters."""
    return join(
        [
            table(
                "Repeated calls",
                ["Tool", "Parameters", "Calls|", "Errors|", "Wasted|"],
                (
                    [
                        finder(call.tool),
                        tag("code", call.params),
                        count(call.calls),
                        _some(call.errors),
                        duration(call.wasted_ms),
                    ]
                    for call in profile.repeated[:FEW_ROWS]
                ),
            ),
            _capped(len(profile.repeated), "group of calls", "groups of calls", more="repeated" in profile.capped),
        ]
    )


def errors(profile: SessionProfile) -> Markup:
    """Return the errors, the most frequent first."""
    return join(
        [
            table(
                "Errors",
                ["Where", "Name", "Kind", "What the first said", "Count|"],
                (
                    [
                        error.source,
                        finder(error.name) if error.name else NONE,
                        error.error_type or NONE,
                        error.message,
                        count(error.count),
                    ]
                    for error in profile.errors[:ROWS]
                ),
            ),
            _capped(
                len(profile.errors), "kind of error", "kinds of errors", rows=ROWS, more="errors" in profile.capped
            ),
        ]
    )


_GAPS = {"human": "waiting for people", "unattributed": "unexplained", "idle": "idle", "between_runs": "between runs"}


def gaps(profile: SessionProfile) -> Markup:
    """Return the longest pauses."""
    start = profile.analysis.first_time or 0.0
    return join(
        [
            table(
                "Pauses",
                ["Why", "Began after|", "Lasted|", "Behind", "Before"],
                (
                    [
                        _GAPS[gap.kind],
                        duration((gap.start - start) * 1000),
                        duration(gap.duration_ms),
                        gap.after,
                        gap.before,
                    ]
                    for gap in profile.gaps[:FEW_ROWS]
                ),
            ),
            tag("p", f"The longest of {plural(profile.gap_count, 'pause')}.", class_="quiet")
            if profile.gap_count > len(profile.gaps[:FEW_ROWS])
            else None,
        ]
    )


def concurrency(profile: SessionProfile) -> Markup:
    """Return how long so many calls were at work at once."""
    return table(
        "Calls at the same time",
        ["At once|", "Time|", "Share|"],
        (
            [count(at_once), duration(spent), share(spent, profile.span_ms)]
            for at_once, spent in sorted(profile.concurrency.items())[:ROWS]
        ),
    )


def concurrency_over_time(profile: SessionProfile) -> Markup:
    """Return the figures of those steps of the time in which a call was at work, folded away."""
    found = profile.concurrency_over_time
    offsets = found.offsets_ms
    rows = [
        [duration(start), duration(to - start), count(most), _average(tools), _average(models)]
        for start, to, most, tools, models in zip(
            offsets, offsets[1:], found.most, found.tools, found.models, strict=False
        )
        if most
    ]
    return tag(
        "details",
        tag("summary", f"The figures of {plural(len(rows), 'step')} in which a call was at work"),
        table(
            "Calls at the same time, over time",
            ["Began after|", "Lasted|", "Most at once|", "Tool calls, on average|", "Model calls, on average|"],
            rows,
        ),
    )


def _average(number: float) -> str:
    return f"{number:.2f}" if number else NONE


def critical_path(profile: SessionProfile) -> Markup:
    """Return the longest steps of the longest chain of work."""
    steps = sorted(profile.critical_path or (), key=lambda step: step.start - step.end)[:FEW_ROWS]
    start = profile.analysis.first_time or 0.0
    return join(
        [
            table(
                "Critical path",
                ["What", "Name", "Began after|", "Took|"],
                (
                    [
                        step.kind,
                        finder(step.name) if step.name else NONE,
                        duration((step.start - start) * 1000),
                        duration(step.duration_ms),
                    ]
                    for step in steps
                ),
            ),
            _capped(len(profile.critical_path or ()), "step", more="critical_path" in profile.capped),
        ]
    )


def open_tasks(profile: SessionProfile) -> Markup:
    """Return what was begun and never completed."""
    tasks = profile.analysis.open_tasks
    return join(
        [
            table(
                "Open tasks",
                ["Task", "Began", "So far|"],
                ([finder(task.name), moment(task.start_time), duration(task.elapsed_ms)] for task in tasks[:ROWS]),
            ),
            _more(len(tasks), "open task"),
        ]
    )


def damages(profile: SessionProfile) -> Markup:
    """Return what is wrong with the file."""
    analysis = profile.analysis
    return join(
        [
            table(
                "Problems with the file",
                ["Line|", "Byte|", "What is wrong"],
                ([str(damage.line), str(damage.offset), damage.reason] for damage in analysis.damages[:ROWS]),
            ),
            _more(analysis.damage_count, "problem"),
        ]
    )


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Return a table; the heading of a column of figures ends in `|`."""
    numeric = [column.endswith("|") for column in columns]
    body = [
        tag(
            "tr",
            [
                tag("td", cell, class_="number" if is_number else None)
                for cell, is_number in zip(row, numeric, strict=True)
            ],
        )
        for row in rows
    ]
    if not body:
        return tag("p", "None.", class_="quiet")
    head = [
        tag(
            "th",
            column.rstrip("|") or tag("span", "Bar", class_="unseen"),
            scope="col",
            class_="number" if is_number else None,
        )
        for column, is_number in zip(columns, numeric, strict=True)
    ]
    # Focusable, so that whoever has no mouse can scroll what is wider than the screen.
    return tag(
        "div",
        tag("table", tag("caption", caption, class_="unseen"), tag("thead", tag("tr", head)), tag("tbody", body)),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=f"{caption}, table",
    )


def bar(value: int, most: int) -> Markup:
    """Return a bar as long as a figure is large; the figure stands beside it."""
    width = 100 * value // most if most else 0
    return tag(
        "svg",
        tag("rect", width=max(width, 1) if value else 0, height=8, rx=1),
        class_="bar",
        viewBox="0 0 100 8",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def dollars(cost_usd: float | None) -> str:
    """Return a cost; a dash where no line tells of one."""
    if cost_usd is None or not math.isfinite(cost_usd):
        return NONE
    return f"${cost_usd:,.2f}" if cost_usd >= 1 else f"${cost_usd:.4f}"


def _recorded(profile: SessionProfile) -> str:
    recorded_ms = profile.analysis.recorded_ms
    if recorded_ms < profile.span_ms:
        return f"{duration(recorded_ms)} of it recorded, in {plural(profile.analysis.runs, 'run')}"
    return plural(profile.analysis.runs, "run")


def _beside(wall_ms: int, span_ms: int, effort_ms: int) -> str:
    return f"{share(wall_ms, span_ms)} of the time; all calls added up {duration(effort_ms)}"


def _tries(profile: SessionProfile) -> str:
    return (
        f"{plural(profile.retries, 'call')} tried again unchanged"
        if profile.retries
        else "no failed call was tried again unchanged"
    )


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


def _facts(facts: Iterable[tuple[str, str]]) -> Markup:
    return tag("dl", [tag("div", tag("dt", label), tag("dd", value)) for label, value in facts], class_="facts")


def _some(number: int) -> str:
    return count(number) if number else NONE


def _more(total: int, noun: str) -> Markup | None:
    if total <= ROWS:
        return None
    return tag(
        "p", f"… and {plural(total - ROWS, f'more {noun}')}; `deia analyze --json` has them all.", class_="quiet"
    )


def _capped(listed: int, one: str, many: str | None = None, *, rows: int = FEW_ROWS, more: bool) -> Markup | None:
    if listed <= rows and not more:
        return None
    total = f"more than {plural(listed, one, many)}" if more else plural(listed, one, many)
    return tag("p", f"{min(listed, rows)} of {total}.", class_="quiet")
