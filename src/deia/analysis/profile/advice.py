"""What to fix first: rules over a profile, each of which says in plain words what it saw and what could be done.

Every figure is the profile's. A rule speaks up beyond a threshold; each threshold is a constant below, with its reason,
and stands in `docs/reference/analysis.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from deia.analysis.profile.result import SessionProfile, TaskProfile, ToolProfile
from deia.analysis.profile.shown import shown
from deia.journal.damage import problem_count
from deia.text import at_least, count, duration, named, plural, share

Weight = Literal["bad", "time", "note"]
"""Something is lost or fails; time could be saved; the recording could say more."""

_WEIGHTS: tuple[Weight, ...] = ("bad", "time", "note")

_Part = Literal["model", "tool", "file", "human", "unknown"]

_WENT_INTO: dict[_Part, str] = {
    "model": "went into model calls.",
    "tool": "went into tool calls.",
    "file": "went into reading and writing files.",
    "human": "went into waiting for a person.",
    "unknown": "passed while nothing was known to be at work in it. What is it waiting for?",
}
"""What most of a task's time went into."""

BOTTLENECK_SHARE = 0.3
"""Of the span: the share at which the analysis, too, calls a task a bottleneck."""

SLOW_TOOL_SHARE = 0.2
"""Of the span: to make a tool that has less twice as fast saves less than a tenth of the session."""

MODEL_SHARE = 0.5
"""Of the span: beyond it nothing else is worth as much as fewer or shorter model calls."""

WAITING_SHARE = 0.2
"""Of the span, spent waiting for people, idle, or at what the log does not tell: enough to be worth a question."""

FAILURE_SHARE = 0.1
FEWEST_FAILURES = 3
"""Of a tool's calls: one in ten fails, and it is no accident."""

FEWEST_RETRIES = 3
"""The same call after it failed: twice is a habit of tools, three times one of the agent."""

WASTE_SHARE = 0.02
"""Of the span: identical calls that cost less are not worth a cache."""

TAIL_FACTOR = 10
FEWEST_CALLS_FOR_TAIL = 20
"""The slowest twentieth takes ten times the median: two different things behind one name. Fewer calls have none."""

CACHED_SHARE = 0.2
FEWEST_INPUT_TOKENS = 50_000
"""Providers cache prompts from about a thousand tokens on; a session that reads so many repeats most of them."""

SERIAL_SHARE = 0.95
"""Of the time at which anything ran: one thing at a time."""

FEWEST_CALLS_FOR_PARALLEL = 10
"""Fewer calls are hardly independent of each other."""

MOST_OF_A_KIND = 3
"""Pieces of advice of one rule: who fixes three things looks anew afterwards."""


@dataclass(frozen=True)
class Advice:
    """One thing to look at.

    Attributes:
        weight: What kind of thing it is.
        title: It, in a few words.
        text: What was seen, and what could be done, in whole sentences.
        at_stake_ms: Milliseconds of the profile that it is about; 0 where it is not about time.
        section: Which part of a report has the figures; empty where none has more.
        find: What to look for in the table of events; empty where there is nothing to be found.
        code: What in the text is to be typed as it stands; there it is in backticks. Any other backtick is part of a
            name or a message.
    """

    weight: Weight
    title: str
    text: str
    at_stake_ms: int = 0
    section: str = ""
    find: str = ""
    code: list[str] = field(default_factory=list)


def advise(profile: SessionProfile, *, killed: bool = False) -> list[Advice]:
    """Return what to fix first: what is lost or fails, then what takes most time, then what the recording leaves open.

    Args:
        profile: The figures.
        killed: Whether the process that recorded the session died before it could end it.
    """
    found = [advice for rule in _RULES for advice in rule(profile)]
    if killed:
        found.extend(_killed(profile))
    return sorted(found, key=lambda advice: (_WEIGHTS.index(advice.weight), -advice.at_stake_ms))


def _killed(profile: SessionProfile) -> Iterator[Advice]:
    tasks = profile.analysis.open_tasks
    if tasks:
        last = tasks[-1]
        at_work = f" It was at work on {_quoted(last.name)}, since {duration(last.elapsed_ms)}."
    else:
        at_work = ""
    yield Advice(
        "bad",
        "The process died",
        f"Whoever recorded this was killed or crashed: the session was never closed.{at_work} All that had been "
        "recorded by then is here.",
        section="open" if tasks else "events",
    )


def _damages(profile: SessionProfile) -> Iterator[Advice]:
    analysis = profile.analysis
    if problems := problem_count(analysis.damages, analysis.damage_count):
        yield Advice(
            "bad",
            "The log is damaged",
            f"{plural(problems, 'problem')} with the file: what could not be read is in no figure. "
            "`deia recover` mends a log and keeps the original aside.",
            section="damages",
            code=["deia recover"],
        )
    if analysis.dropped:
        yield Advice(
            "bad",
            "Events were dropped",
            f"{plural(analysis.dropped, 'event')} found no room in the queue and {_is(analysis.dropped)} missing here. "
            "A larger `queue_bytes`, or a faster disk, keeps them.",
            code=["queue_bytes"],
        )


def _failures(profile: SessionProfile) -> Iterator[Advice]:
    failing = [
        (tool.errors, name, tool)
        for name, tool in profile.tools.items()
        if tool.errors >= FEWEST_FAILURES and tool.errors >= FAILURE_SHARE * tool.calls
    ]
    for errors, name, tool in sorted(failing, key=lambda entry: -entry[0])[:MOST_OF_A_KIND]:
        said = next((error.message for error in profile.errors if (error.source, error.name) == ("tool", name)), "")
        example = f" The most frequent error: {_quoted(said)}." if said else ""
        yield Advice(
            "bad",
            f"{_shown(name)} keeps failing",
            f"{count(errors)} of {plural(tool.calls, 'call')} failed ({share(errors, tool.calls)}).{example}",
            section="errors",
            find=name,
        )
    for name, task in profile.tasks.items():
        if task.failed:
            yield Advice(
                "bad",
                f"{_shown(name)} failed",
                f"{count(task.failed)} of {plural(task.runs, 'run')} of this task ended with an error.",
                section="errors",
                find=name,
            )
            break  # the one with the most effort; the table of errors has the others


def _retries(profile: SessionProfile) -> Iterator[Advice]:
    if profile.retries >= FEWEST_RETRIES:
        calls = at_least(plural(profile.retries, "call"), "retries" in profile.at_least)
        yield Advice(
            "note",
            "Failed calls are made again",
            f"{calls[0].upper()}{calls[1:]} began when the same call, with the same parameters, had failed and not "
            "succeeded since. Where nothing else had changed in between, tell the agent what went wrong.",
            section="repeated",
        )


def _bottlenecks(profile: SessionProfile) -> Iterator[Advice]:
    for name, task in profile.tasks_by_own_time[:MOST_OF_A_KIND]:
        if min(task.own_ms, task.wall_ms) <= BOTTLENECK_SHARE * profile.span_ms:
            continue
        spent_ms, what = _largest_part(task)
        if _is_said_without_the_task(profile, what, spent_ms):
            continue
        runs = plural(task.runs, "run")
        # A millisecond a run, as each is rounded by itself.
        if task.effort_ms > task.wall_ms + task.runs or task.own_ms > profile.span_ms:
            took = (
                f"Its {runs} took {duration(task.own_ms)} in all, not counting the tasks inside, within "
                f"{duration(task.wall_ms)}."
            )
        else:
            took = (
                f"Its {runs} took {duration(task.own_ms)}, not counting the tasks inside: "
                f"{share(task.own_ms, profile.span_ms)} of the session."
            )
        most = "Most" if 2 * spent_ms > task.own_ms else "The largest part"
        yield Advice(
            "time",
            f"{_shown(name)} is a bottleneck",
            f"{took} {most} of that, {duration(spent_ms)}, {_WENT_INTO[what]}",
            min(spent_ms, task.wall_ms),
            "tasks",
            name,
        )


def _largest_part(task: TaskProfile) -> tuple[int, _Part]:
    """Return what most of the own time of a task went into, and how long that took."""
    known: dict[_Part, int] = {
        "model": task.model_ms,
        "tool": task.tool_ms,
        "file": task.file_ms,
        "human": task.human_ms,
    }
    parts: dict[_Part, int] = {**known, "unknown": task.own_ms - sum(known.values())}
    what = max(parts, key=lambda part: parts[part])
    return min(parts[what], task.own_ms), what


def _is_said_without_the_task(profile: SessionProfile, what: _Part, spent_ms: int) -> bool:
    """Return whether other advice names what took most of a task's time: the task is where, and not why."""
    if what == "model":
        return _is_mostly_models(profile)
    if what == "tool":
        return 2 * sum(tool.wall_ms for _, tool in _long_tools(profile)) > spent_ms
    return what == "human" and profile.wall.human_ms > WAITING_SHARE * profile.span_ms


def _long_tools(profile: SessionProfile) -> list[tuple[str, ToolProfile]]:
    """Return the tools that take long, the longest first."""
    by_wall = sorted(profile.tools.items(), key=lambda entry: -entry[1].wall_ms)
    return [(name, tool) for name, tool in by_wall[:MOST_OF_A_KIND] if tool.wall_ms > SLOW_TOOL_SHARE * profile.span_ms]


def _slow_tools(profile: SessionProfile) -> Iterator[Advice]:
    for name, tool in _long_tools(profile):
        calls = (
            f"{plural(tool.calls, 'call')}, half of them within {duration(tool.p50_ms)}, the longest "
            f"{duration(tool.max_ms)}"
        )
        yield Advice(
            "time",
            f"{_shown(name)} takes long",
            f"During {share(tool.wall_ms, profile.span_ms)} of the session ({duration(tool.wall_ms)}) it was at "
            f"work: {calls if tool.calls > 1 else 'a single call'}. Narrow what it does, keep its results, "
            "or let it run beside something else.",
            tool.wall_ms,
            "tools",
            name,
        )


def _tails(profile: SessionProfile) -> Iterator[Advice]:
    for name, tool in list(profile.tools.items())[:MOST_OF_A_KIND]:  # most effort first: the others matter less
        if tool.calls >= FEWEST_CALLS_FOR_TAIL and tool.p95_ms > TAIL_FACTOR * max(1, tool.p50_ms):
            yield Advice(
                "time",
                f"A few calls of {_shown(name)} are far slower than the rest",
                f"Half of its {count(tool.calls)} calls took at most {duration(tool.p50_ms)}, but one in twenty more "
                f"than {duration(tool.p95_ms)}. What do those have in common?",
                tool.max_ms,
                "events",
                name,
            )


def _is_mostly_models(profile: SessionProfile) -> bool:
    return profile.wall.model_ms > MODEL_SHARE * profile.span_ms


def _models(profile: SessionProfile) -> Iterator[Advice]:
    if _is_mostly_models(profile):
        yield Advice(
            "time",
            "Most of the time is the model's",
            f"{duration(profile.wall.model_ms)}, {share(profile.wall.model_ms, profile.span_ms)} of the session, went "
            f"into {plural(profile.usage.calls, 'model call')}. Fewer turns, shorter answers or a faster model for the "
            "simple ones help most.",
            profile.wall.model_ms,
            "models",
        )
    for name, model in profile.models.items():
        if model.input_tokens >= FEWEST_INPUT_TOKENS and model.cache_read_tokens < CACHED_SHARE * model.input_tokens:
            yield Advice(
                "time",
                f"{_shown(name)} reads its prompts anew",
                f"Of {count(model.input_tokens)} input tokens "
                f"{share(model.cache_read_tokens, model.input_tokens)} came from the provider's cache. A prompt whose "
                "beginning stays the same from call to call costs less and starts sooner.",
                0,
                "models",
                name,
            )


def _waste(profile: SessionProfile) -> Iterator[Advice]:
    if profile.repeated and profile.repeated_ms > WASTE_SHARE * profile.span_ms:
        worst = profile.repeated[0]
        # What ran at the same time counts in full here: only of what did not is it a share.
        is_serial = max(profile.concurrency, default=0) <= 1 and profile.repeated_ms <= profile.span_ms
        of_it = (
            f"({share(profile.repeated_ms, profile.span_ms)} of the session)"
            if is_serial
            else "in all, those that ran at once counted in full"
        )
        took = at_least(duration(profile.repeated_ms), "repeated_ms" in profile.at_least)
        times = at_least(plural(worst.calls, "time"), worst.at_least)
        yield Advice(
            "time",
            "The same calls are made again",
            f"Calls with the same parameters as an earlier one took {took} {of_it}. "
            "The costliest: "
            f"{_quoted(worst.tool)} with {_quoted(worst.params)}, {times}. "
            "Keep the result, where it cannot have changed.",
            min(profile.repeated_ms, profile.span_ms),
            "repeated",
            worst.tool,
        )


def _serial(profile: SessionProfile) -> Iterator[Advice]:
    busy_ms = sum(spent for at_once, spent in profile.concurrency.items() if at_once)
    alone_ms = profile.concurrency.get(1, 0)
    calls = sum(tool.calls for tool in profile.tools.values())
    if (
        calls >= FEWEST_CALLS_FOR_PARALLEL
        and profile.wall.tool_ms > BOTTLENECK_SHARE * profile.span_ms
        and alone_ms > SERIAL_SHARE * busy_ms
    ):
        yield Advice(
            "time",
            "Nothing runs in parallel",
            f"Tools take {share(profile.wall.tool_ms, profile.span_ms)} of the session, and during "
            f"{share(alone_ms, busy_ms)} of the busy time a single call was at work. Calls that do not need each "
            "other's results can run at once.",
            profile.wall.tool_ms // 2,  # two at once is the least that parallel means
            "concurrency",
        )


def _waiting(profile: SessionProfile) -> Iterator[Advice]:
    for spent_ms, title, text, weight in _waits(profile):
        if spent_ms > WAITING_SHARE * profile.span_ms:
            yield Advice(
                weight,
                title,
                f"{duration(spent_ms)}, {share(spent_ms, profile.span_ms)} of the session, {text}",
                spent_ms,
                "gaps",
                code=[term for term in _CODE if f"`{term}`" in text],
            )


def _waits(profile: SessionProfile) -> tuple[tuple[int, str, str, Weight], ...]:
    wall = profile.wall
    # Without any task nothing tells idle time from work: that is another gap in the recording.
    unexplained = (
        "passed inside tasks while no tool, model or file was known to be at work. Record"
        if profile.tasks
        else "passed while no tool, model or file was known to be at work, and there is no task that would say whether "
        "the agent was. Record tasks (`with log.task(…)`),"
    ) + " the model's calls (`log_llm_call`) and the slow steps (`with log.tool(…)`), and you see what it was."
    return (
        (
            wall.human_ms,
            "The agent waits for people",
            "passed until somebody answered. Ask less often, or ask while other work goes on.",
            "time",
        ),
        (
            wall.idle_ms,
            "Nothing happens for long",
            "passed with no task open and nothing at work. Is a queue empty, or a schedule too slow?",
            "time",
        ),
        (
            wall.unattributed_ms,
            "Much of the time is unexplained",
            unexplained,
            "note",
        ),
    )


_RULES: tuple[Callable[[SessionProfile], Iterator[Advice]], ...] = (
    _damages,
    _failures,
    _retries,
    _bottlenecks,
    _slow_tools,
    _tails,
    _models,
    _waste,
    _serial,
    _waiting,
)

_CODE = ("with log.task(…)", "log_llm_call", "with log.tool(…)")
"""What sentences about gaps in a recording name of the interface."""

_QUOTED_CHARACTERS = 80
"""Of a name, a message or parameters in a sentence."""


def _shown(text: str) -> str:
    return shown(named(text), _QUOTED_CHARACTERS)


def _quoted(text: str) -> str:
    return f"“{_shown(text)}”"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"
