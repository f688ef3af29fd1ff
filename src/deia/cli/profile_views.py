"""What the profile of one session looks like on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deia.analysis import SessionProfile
from deia.analysis.profile import Advice
from deia.cli.page import Column, Page, Tone, say_more
from deia.cli.text import at_least, count, duration, durations, moment, named, named_model, plural, share, size
from deia.cli.usage import cost_text, in_short

_WEIGHT_WORDS: dict[str, tuple[str, Tone]] = {
    "bad": ("Problem", "bad"),
    "time": ("Time", "label"),
    "note": ("Note", "label"),
}

_KINDS = {"human": "a person", "idle": "idle", "unattributed": "unattributed", "between_runs": "between runs"}


def show_profile(page: Page, profile: SessionProfile) -> None:
    """Show whose session it is, and its span told apart."""
    analysis = profile.analysis
    facts: list[tuple[str, str]] = []
    if analysis.agent_id is not None:
        facts.append(("Agent", analysis.agent_id))
    if analysis.session_id is not None:
        facts.append(("Session", analysis.session_id))
    if analysis.first_time is not None and analysis.last_time is not None:
        facts.append(("Recorded", f"{moment(analysis.first_time)} to {moment(analysis.last_time)}"))
    facts.append(("Span", duration(profile.span_ms)))
    effort = profile.effort
    efforts = {"models": effort.model_ms, "tools": effort.tool_ms, "files": effort.file_ms}
    spent = ", ".join(f"{name} {duration(ms)}" for name, ms in {**efforts, "top-level tasks": effort.task_ms}.items())
    facts.append(("Effort", spent))
    usage = profile.usage
    if usage.calls:
        facts.append(("Models", in_short(usage)))
    if usage.left_out:
        facts.append(("Left out", f"{plural(usage.left_out, 'negative number')} of tokens or dollars"))
    if profile.retries or profile.repeated_ms or profile.at_least:
        retries = at_least(plural(profile.retries, "retry", "retries"), "retries" in profile.at_least)
        repeated = at_least(duration(profile.repeated_ms), "repeated_ms" in profile.at_least)
        facts.append(("Made again", f"{retries}, {repeated} in repeated calls"))
    facts.append(("Errors", count(profile.error_count)))
    if not profile.exact:
        facts.append(("Exactness", "some figures are approximate: the log is very long, or clocks were set back"))
    page.facts(facts)
    page.heading("Where the time went")
    wall = profile.wall
    rows = {
        "Models": wall.model_ms,
        "Tools": wall.tool_ms,
        "Files": wall.file_ms,
        "Waiting for a person": wall.human_ms,
        "Unattributed": wall.unattributed_ms,
        "Idle": wall.idle_ms,
        "Between runs": wall.between_runs_ms,
    }
    page.table(
        [Column(""), Column("Time", number=True), Column("Share", number=True)],
        [
            [name, time, share(spent, profile.span_ms)]
            for (name, spent), time in zip(rows.items(), durations(rows.values()), strict=True)
        ],
    )
    if len(profile.concurrency) > 1:
        page.heading("Model and tool calls at once")
        page.table(
            [Column("Calls", number=True), Column("Time", number=True), Column("Share", number=True)],
            [
                [count(calls), time, share(spent, profile.span_ms)]
                for (calls, spent), time in zip(
                    profile.concurrency.items(), durations(profile.concurrency.values()), strict=True
                )
            ],
        )


def show_advice(page: Page, entries: Sequence[Advice]) -> None:
    """Show what to fix first."""
    if not entries:
        return
    page.heading("What to fix first")
    for entry in entries:
        word, tone = _WEIGHT_WORDS[entry.weight]
        page.spans([(f"{word}: ", tone), (entry.title, "name")])
        page.line(f"  {entry.text}")


def show_models(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the models, the one with the most effort first."""
    models = list(profile.models.values())[:limit]
    has_costs = any(model.cost_usd is not None for model in profile.models.values())
    _show(
        *(page, "Models", "model", len(profile.models), limit),
        {
            "Model": list(map(named_model, profile.models))[:limit],
            "Calls": [count(model.calls) for model in models],
            "Errors": [count(model.errors) for model in models],
            "Retries": [count(model.retries) for model in models],
            "Input": [count(model.input_tokens) for model in models],
            "of it cached": [share(model.cache_read_tokens, model.input_tokens) for model in models],
            "Output": [count(model.output_tokens) for model in models],
            **({"Cost": [cost_text(model.cost_usd) for model in models]} if has_costs else {}),
            "Wall time": durations(model.wall_ms for model in models),
            "Effort": durations(model.effort_ms for model in models),
            "Median": durations(model.p50_ms for model in models),
            "95 %": durations(model.p95_ms for model in models),
        },
        leaving=("Retries", "95 %", "Median", "of it cached", "Wall time", "Errors", "Output", "Calls", "Input"),
    )


def show_tools(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the tools, the one with the most effort first."""
    tools = list(profile.tools.values())[:limit]
    _show(
        *(page, "Tools", "tool", len(profile.tools), limit),
        {
            "Tool": list(profile.tools)[:limit],
            "Calls": [count(tool.calls) for tool in tools],
            "Errors": [count(tool.errors) for tool in tools],
            "Wall time": durations(tool.wall_ms for tool in tools),
            "Effort": durations(tool.effort_ms for tool in tools),
            "Median": durations(tool.p50_ms for tool in tools),
            "95 %": durations(tool.p95_ms for tool in tools),
            "99 %": durations(tool.p99_ms for tool in tools),
            "Longest": durations(tool.max_ms for tool in tools),
        },
        leaving=("99 %", "Median", "Longest", "Wall time", "95 %", "Errors", "Calls"),
    )


def show_tasks(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the tasks, those with the most effort first."""
    tasks = list(profile.tasks.values())[:limit]
    _show(
        *(page, "Tasks", "task", len(profile.tasks), limit),
        {
            "Task": list(profile.tasks)[:limit],
            "Runs": [count(task.runs) for task in tasks],
            "Failed": [count(task.failed) for task in tasks],
            "Open": [count(task.open) for task in tasks],
            "Wall time": durations(task.wall_ms for task in tasks),
            "Effort": durations(task.effort_ms for task in tasks),
            "of it own": durations(task.own_ms for task in tasks),
            "Median": durations(task.p50_ms for task in tasks),
            "95 %": durations(task.p95_ms for task in tasks),
            "Longest": durations(task.max_ms for task in tasks),
        },
        leaving=("Median", "95 %", "Longest", "Wall time", "of it own", "Open", "Runs", "Failed"),
    )


def show_files(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the files, those with the most traffic first."""
    files = list(profile.files.values())[:limit]
    _show(
        *(page, "Files", "file", len(profile.files), limit),
        {
            "File": list(profile.files)[:limit],
            "Reads": [count(file.reads) for file in files],
            "Writes": [count(file.writes) for file in files],
            "Read": [size(file.bytes_read) for file in files],
            "Written": [size(file.bytes_written) for file in files],
            "Time": durations(file.duration_ms for file in files),
        },
    )


def show_gaps(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the longest times in which nothing was known to run."""
    gaps = profile.gaps[:limit]
    _show(
        *(page, f"The longest of {plural(profile.gap_count, 'gap')}", "gap", len(profile.gaps), limit),
        {
            "Kind": [_KINDS[gap.kind] for gap in gaps],
            "From": [moment(gap.start) for gap in gaps],
            "Time": durations(gap.duration_ms for gap in gaps),
            "After": [gap.after for gap in gaps],
            "Before": [gap.before for gap in gaps],
        },
        texts=("Kind", "From", "After", "Before"),
    )


def show_repeated(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the calls that were made again with the same parameters, the most waste first."""
    repeated = profile.repeated[:limit]
    _show(
        *(page, "The same calls again", "call", len(profile.repeated), limit),
        {
            "Tool": [call.tool for call in repeated],
            "Calls": [at_least(count(call.calls), call.at_least) for call in repeated],
            "Errors": [count(call.errors) for call in repeated],
            "All but the first": [
                at_least(time, call.at_least)
                for call, time in zip(repeated, durations(call.wasted_ms for call in repeated), strict=True)
            ],
            "Parameters": [call.params for call in repeated],
        },
        texts=("Tool", "Parameters"),
    )


def show_errors(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show what failed, the most frequent first."""
    errors = profile.errors[:limit]
    _show(
        *(page, "Errors", "error", len(profile.errors), limit),
        {
            "What": [_named(error.source, error.name, whole="error") for error in errors],
            "Type": [error.error_type or "-" for error in errors],
            "Count": [count(error.count) for error in errors],
            "First message": [error.message for error in errors],
        },
        texts=("What", "Type", "First message"),
    )


def show_critical_path(page: Page, profile: SessionProfile, limit: int | None) -> None:
    """Show the longest steps of the critical path, if it was asked for."""
    if profile.critical_path is None:
        return
    steps = sorted(profile.critical_path, key=lambda step: step.start - step.end)[:limit]
    steps.sort(key=lambda step: step.start)
    _show(
        *(page, "Critical path: its longest steps", "step", len(profile.critical_path), limit),
        {
            "Step": [_named(step.kind, step.name, whole="wait") for step in steps],
            "From": [moment(step.start) for step in steps],
            "Time": durations(step.duration_ms for step in steps),
        },
        texts=("Step", "From"),
    )


def _named(kind: str, name: str, *, whole: str) -> str:
    """Return a kind with a name; of the kind `whole` nothing need have one."""
    return kind if kind == whole and not name else f"{kind} {named(name)}"


def _show(
    page: Page,
    title: str,
    noun: str,
    total: int,
    limit: int | None,
    columns: Mapping[str, Sequence[str]],
    texts: Sequence[str] = (),
    leaving: Sequence[str] = (),
) -> None:
    """Show a table of which there is something to show: its first column is text, the others are figures.

    Args:
        page: Where.
        title: Above it.
        noun: What a row is.
        total: How many rows there are.
        limit: How many are shown.
        columns: Title → cells.
        texts: Which columns are texts, if others than the first.
        leaving: Which are left out where a terminal is too narrow, the first one first.
    """
    if not total:
        return
    page.heading(title)
    leaves = {name: len(leaving) - at for at, name in enumerate(leaving)}
    first, *others = columns
    page.table(
        [
            Column(first, short=True),
            *(Column(name, number=not texts or name not in texts, leaves=leaves.get(name, 0)) for name in others),
        ],
        list(zip(*columns.values(), strict=True)),
    )
    say_more(page, total, limit, noun)
