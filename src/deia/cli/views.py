"""What the analysis of one session looks like on a page; `deia analyze`, `deia summary` and `deia demo` share it."""

from __future__ import annotations

from collections.abc import Sequence

from deia.analysis import SessionAnalysis
from deia.analysis.usage import together
from deia.cli.brief import short_name
from deia.cli.page import Column, Page, numbers, say_more
from deia.cli.text import count, duration, durations, moment, plural, rate, share
from deia.cli.usage import in_short
from deia.events import SessionSummary
from deia.journal.check import in_words
from deia.journal.damage import Damage

BOTTLENECK_SHARE = 0.3
"""Part of the session time beyond which a task is a bottleneck: the analysis's own default, named where it is shown."""


def show_session(page: Page, analysis: SessionAnalysis) -> None:
    """Show whose session it is, when it was, and what it did."""
    facts: list[tuple[str, str]] = []
    if analysis.agent_id is not None:
        facts.append(("Agent", analysis.agent_id))
    if analysis.session_id is not None:
        facts.append(("Session", analysis.session_id))
    if analysis.first_time is not None and analysis.last_time is not None:
        facts.append(("Recorded", f"{moment(analysis.first_time)} to {moment(analysis.last_time)}"))
    facts.append(("Session time", _session_time(analysis)))
    facts.append(("Runs", count(analysis.runs)))
    facts.append(("Events", _events(analysis)))
    facts.append(("Tasks", _tasks(analysis)))
    velocity = analysis.velocity_metrics
    operations = analysis.file_operation_stats
    for label, number, per_hour in (
        ("Files read", operations.get("read", 0), velocity["files_read_per_hour"]),
        ("Files written", operations.get("write", 0), velocity["files_written_per_hour"]),
        ("Tool calls", sum(tool.count for tool in analysis.tools.values()), velocity["tool_calls_per_hour"]),
    ):
        facts.append((label, f"{count(number)} ({rate(per_hour)})"))
    facts.extend((f"Operation {name}", count(number)) for name, number in operations.items() if name not in _OPERATIONS)
    if analysis.models:
        facts.append(("Models", in_short(together(analysis.models.values()))))
    facts.append(("Errors", count(analysis.errors)))
    page.facts(facts)


_OPERATIONS = frozenset({"read", "write"})


def show_summary(page: Page, summary: SessionSummary) -> None:
    """Show the figures of a summary."""
    page.facts(
        [
            ("Time recorded", duration(summary.total_duration_ms)),
            ("Tasks completed", count(summary.tasks_completed)),
            ("Files read", count(summary.files_read)),
            ("Files written", count(summary.files_written)),
            ("Tool calls", count(summary.tool_calls_count)),
            ("Velocity", f"{rate(summary.velocity)} (tasks, of the time recorded)"),
        ]
    )


def show_tasks(page: Page, analysis: SessionAnalysis, limit: int | None) -> None:
    """Show where the time went: the tasks that took the most of it, and which of them are bottlenecks."""
    page.heading("Where the time went")
    by_time = sorted(analysis.task_breakdown.items(), key=lambda item: (-item[1], item[0]))
    if not by_time:
        page.line("No task was completed.", "quiet")
        return
    shown = by_time[:limit]
    page.table(
        [Column("Task", short=True), *numbers(("Runs", "Time", "Of session"), leaving=("Runs", "Of session"))],
        [
            [name, count(analysis.task_counts[name]), time, share(spent, analysis.session_time_ms)]
            for (name, spent), time in zip(shown, durations(spent for _, spent in shown), strict=True)
        ],
    )
    say_more(page, len(by_time), limit, "task")
    page.heading(f"Bottlenecks (more than {100 * BOTTLENECK_SHARE:.0f} % of the session time)")
    for name in analysis.bottlenecks:
        part = share(analysis.task_breakdown[name], analysis.session_time_ms)
        page.line(f"{part:>7}  {short_name(name)}", "bad")
    if not analysis.bottlenecks:
        page.line("None.", "quiet")


def show_tools(page: Page, analysis: SessionAnalysis, limit: int | None) -> None:
    """Show the tools, the one that took the most time first."""
    if not analysis.tools:
        return
    page.heading("Tools")
    names = list(analysis.tools)[:limit]
    tools = [analysis.tools[name] for name in names]
    columns = {
        "Calls": [count(tool.count) for tool in tools],
        "Errors": [count(tool.errors) for tool in tools],
        "Total": durations(tool.total_ms for tool in tools),
        "Median": durations(tool.p50_ms for tool in tools),
        "95 %": durations(tool.p95_ms for tool in tools),
        "Longest": durations(tool.max_ms for tool in tools),
    }
    page.table(
        [Column("Tool", short=True), *numbers(columns, leaving=("Median", "Longest", "95 %", "Errors", "Calls"))],
        zip(names, *columns.values(), strict=True),
    )
    say_more(page, len(analysis.tools), limit, "tool")


def show_open_tasks(page: Page, analysis: SessionAnalysis, limit: int | None) -> None:
    """Show what was started and never completed: it runs still, or a crash interrupted it."""
    if not analysis.open_tasks:
        return
    tasks = analysis.open_tasks[:limit]
    page.heading("Open tasks")
    page.table(
        [Column("Task", short=True), Column("Started", whole=True, leaves=1), Column("So far", number=True)],
        [
            [task.name, moment(task.start_time), time]
            for task, time in zip(tasks, durations(task.elapsed_ms for task in tasks), strict=True)
        ],
    )
    say_more(page, len(analysis.open_tasks), limit, "open task")


def show_damages(page: Page, damages: Sequence[Damage], total: int) -> None:
    """Show what is wrong with a file, each problem with its place, and its torn end."""
    if not damages:
        return
    page.heading(in_words(damages, total))
    page.table(
        [Column("Line", number=True), Column("Byte", number=True), Column("What is wrong")],
        [[str(damage.line), str(damage.offset), damage.reason] for damage in damages],
    )
    if total > len(damages):
        page.line(f"… and {count(total - len(damages))} more", "quiet")


def is_damaged(damages: Sequence[Damage]) -> bool:
    """Whether something is wrong beyond a torn end, which a crash leaves and which holds no recorded event."""
    return any(damage.kind != "torn" for damage in damages)


def session_time(session_ms: int, recorded_ms: int) -> str:
    """Return how long a session, or several together, took, and how much of that was recorded if that is less."""
    text, recorded = duration(session_ms), duration(recorded_ms)
    return text if recorded_ms >= session_ms or recorded == text else f"{text}, of which {recorded} recorded"


def _session_time(analysis: SessionAnalysis) -> str:
    text = session_time(analysis.session_time_ms, analysis.recorded_ms)
    return text if analysis.session_time_exact else f"{text} (approximate: clocks were set back)"


def _events(analysis: SessionAnalysis) -> str:
    text = count(analysis.events)
    if analysis.dropped:
        text += f", and {count(analysis.dropped)} dropped because the queue was full"
    if analysis.unknown_types:
        text += f" ({count(sum(analysis.unknown_types.values()))} of unknown types)"
    return text


def _tasks(analysis: SessionAnalysis) -> str:
    per_hour = rate(analysis.velocity_metrics["tasks_per_hour"])
    parts = [f"{count(analysis.tasks_completed)} completed ({per_hour})", f"{count(len(analysis.open_tasks))} open"]
    if analysis.orphans:
        parts.append(f"{plural(analysis.orphans, 'completion')} without a start")
    return ", ".join(parts)
