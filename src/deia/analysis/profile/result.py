"""What a profile says; what each figure means, to the millisecond, stands in `docs/reference/analysis.md`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from deia.analysis.session import SessionAnalysis
from deia.analysis.usage import ModelUsage

FILES_KEPT = 100
"""More files than anybody reads in a list; the lists below likewise."""

REPEATED_KEPT = 50
ERRORS_KEPT = 100
GAPS_KEPT = 50

STEPS_KEPT = 1000
"""Steps of a critical path, the longest: a drawing shows no more."""

STEPS_OF_CONCURRENCY = 256
"""At most: with half as many at least, and a few pixels for each, a chart is fine enough."""

GapKind = Literal["human", "unattributed", "idle", "between_runs"]
StepKind = Literal["task", "tool", "model", "file", "wait"]
ErrorSource = Literal["tool", "task", "model", "error"]


@dataclass(frozen=True)
class TimeShares:
    """The wall time of a log, told apart: each moment is in one of these, and together they are the span.

    Attributes:
        model_ms: Milliseconds in which a model was at work, and nothing of what follows.
        tool_ms: A tool was, and no file operation.
        file_ms: A file was read or written, as far as the log says how long that took.
        human_ms: None of these was known to run, and the next thing that happened was a message of the user.
        unattributed_ms: Likewise, and it was another thing, and a task was open; or there is no task in the whole log.
        idle_ms: Likewise, and no task was open.
        between_runs_ms: Nothing was being recorded, and nothing is known to have run: the time between the last line of
            a run and the beginning of the next.
    """

    model_ms: int
    tool_ms: int
    file_ms: int
    human_ms: int
    unattributed_ms: int
    idle_ms: int
    between_runs_ms: int


@dataclass(frozen=True)
class Effort:
    """Sums of durations, what ran in parallel counted in full: no wall time.

    Attributes:
        model_ms: Milliseconds of all model calls.
        tool_ms: Of all tool calls.
        file_ms: Of all file operations that say.
        task_ms: Of all top-level tasks, open ones up to the last moment of their session.
    """

    model_ms: int
    tool_ms: int
    file_ms: int
    task_ms: int


@dataclass(frozen=True)
class TaskProfile:
    """The runs of the tasks of one name; open ones are among them, up to the last moment of their session.

    Attributes:
        runs: How many there were.
        failed: How many of them an error ended.
        cancelled: How many were cancelled.
        wall_ms: Milliseconds in which at least one ran: the union of their intervals.
        effort_ms: Their durations together.
        own_ms: The same without the time in which tasks ran that were started inside them.
        p50_ms: Half of them took no longer; correct to 1 %.
        p95_ms: Likewise for 95 of 100.
        max_ms: The longest.
        open: How many of them nothing completed.
        model_ms: Milliseconds in which model calls ran that were made in them, not in tasks inside; here and in the
            next three what ran at once in one run of the task counts once.
        tool_ms: Likewise tool calls.
        file_ms: Likewise file operations.
        human_ms: Likewise waits for a message of the user, from whatever was logged before.
    """

    runs: int
    failed: int
    cancelled: int
    wall_ms: int
    effort_ms: int
    own_ms: int
    p50_ms: int
    p95_ms: int
    max_ms: int
    open: int
    model_ms: int
    tool_ms: int
    file_ms: int
    human_ms: int

    @property
    def inside_ms(self) -> int:
        """Milliseconds of the effort in which tasks ran that were started inside them."""
        return self.effort_ms - self.own_ms


@dataclass(frozen=True)
class ToolProfile:
    """The calls of one tool.

    Attributes:
        calls: How many there were.
        errors: How many of them failed.
        cancelled: How many were cancelled.
        wall_ms: Milliseconds in which at least one ran: the union of their intervals.
        effort_ms: Their durations together.
        p50_ms: Half of them took no longer; correct to 1 %.
        p95_ms: Likewise for 95 of 100.
        p99_ms: Likewise for 99 of 100.
        max_ms: The longest.
    """

    calls: int
    errors: int
    cancelled: int
    wall_ms: int
    effort_ms: int
    p50_ms: int
    p95_ms: int
    p99_ms: int
    max_ms: int


@dataclass(frozen=True)
class ModelProfile:
    """The calls of one model. Lines that tell of the same response are one call: the last of them counts.

    Attributes:
        calls: How many there were.
        errors: How many of them failed.
        retries: How many were a second or later attempt at the same request.
        input_tokens: Tokens of the whole input, cached ones included.
        output_tokens: Of the whole output, reasoning included.
        cache_read_tokens: Of the input, those from the provider's cache.
        cache_write_tokens: Of the input, those that went into it.
        reasoning_tokens: Of the output, reasoning.
        cost_usd: US dollars; None where no line says.
        wall_ms: Milliseconds in which at least one ran: the union of their intervals.
        effort_ms: Their durations together.
        p50_ms: Of those that say how long they took, half took no longer; correct to 1 %.
        p95_ms: Likewise for 95 of 100.
        max_ms: The longest.
        first_token_p50_ms: Of those that say when their first token came, half had it by then; None where none does.
    """

    calls: int
    errors: int
    retries: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    wall_ms: int
    effort_ms: int
    p50_ms: int
    p95_ms: int
    max_ms: int
    first_token_p50_ms: int | None

    @property
    def uncached_tokens(self) -> int:
        """Tokens of the input that came from no cache; 0 where the lines claim more cached ones than there were."""
        return max(0, self.input_tokens - self.cache_read_tokens)


@dataclass(frozen=True)
class FileProfile:
    """The operations on one file.

    Attributes:
        reads: How often it was read.
        writes: How often it was written.
        bytes_read: Bytes read, as far as the lines say.
        bytes_written: Bytes written, likewise.
        duration_ms: Milliseconds that took, likewise.
    """

    reads: int
    writes: int
    bytes_read: int
    bytes_written: int
    duration_ms: int


@dataclass(frozen=True)
class RepeatedCall:
    """Calls of one tool with the same parameters.

    Attributes:
        tool: The tool.
        params: The parameters as JSON, shortened.
        calls: How many there were: two or more.
        errors: How many of them failed.
        wasted_ms: Milliseconds that all but the first took.
        first_seq: `seq` of the first; None where its line has none.
        last_seq: Of the last.
        at_least: Whether `calls`, `errors` and `wasted_ms` may be too low, as some of the calls had to be forgotten.
    """

    tool: str
    params: str
    calls: int
    errors: int
    wasted_ms: int
    first_seq: int | None
    last_seq: int | None
    at_least: bool = False


@dataclass(frozen=True)
class ErrorFigure:
    """Errors of one kind.

    Attributes:
        source: What failed: a `"tool"`, a `"task"`, a `"model"`; `"error"` for what was logged as an error.
        name: Which one; where an error was raised, if it says.
        error_type: What kind of error; None where no line says.
        message: What the first of them said, shortened.
        count: How many there were.
        first_seq: `seq` of the first; None where its line has none.
    """

    source: ErrorSource
    name: str
    error_type: str | None
    message: str
    count: int
    first_seq: int | None


@dataclass(frozen=True)
class Gap:
    """Time between two things that happened in a row, in which no model, tool or file was known to be at work.

    Attributes:
        kind: Where `TimeShares` has it.
        start: When it began, Unix seconds.
        end: When it ended.
        after: What had happened: `"tool pytest"`, say.
        before: What came then.
    """

    kind: GapKind
    start: float
    end: float
    after: str
    before: str

    @property
    def duration_ms(self) -> int:
        """Milliseconds from its beginning to its end."""
        return _duration_ms(self.start, self.end)


@dataclass(frozen=True)
class ConcurrencyOverTime:
    """How many tool and model calls ran at once, in steps of equal length while there were any.

    A step is as many milliseconds as the smallest power of two with which there are at most `STEPS_OF_CONCURRENCY`;
    where no call ran there are none.

    Attributes:
        start: When the first step begins, and the first call, Unix seconds.
        end: When the last one ends, and the last call; it may be shorter than the others.
        step_ms: Milliseconds of a step.
        tool_ms: Of each step, the milliseconds of tool calls in it, parallel ones counted in full.
        model_ms: Likewise of model calls.
        most: Of each step, how many calls ran at once when most did.
    """

    start: float
    end: float
    step_ms: int
    tool_ms: list[int]
    model_ms: list[int]
    most: list[int]

    @property
    def tools(self) -> list[float]:
        """Of each step, how many tool calls ran at once on average."""
        return self._averages(self.tool_ms)

    @property
    def models(self) -> list[float]:
        """Likewise of model calls."""
        return self._averages(self.model_ms)

    @property
    def offsets_ms(self) -> list[int]:
        """When each step begins, and at last when the last one ends, milliseconds after the first begins."""
        return [number * self.step_ms for number in range(len(self.most))] + [_duration_ms(self.start, self.end)]

    def _averages(self, spent: list[int]) -> list[float]:
        steps = pairwise(self.offsets_ms)
        return [spent_ms / max(1, to - start) for spent_ms, (start, to) in zip(spent, steps, strict=True)]


@dataclass(frozen=True)
class PathStep:
    """A step of the critical path.

    Attributes:
        kind: What was done; `"task"` where a task was at work by itself, `"wait"` where nothing on the path was.
        name: The name of the task, the tool, the model or the file; of a wait, nothing.
        start: When it began, Unix seconds.
        end: When it ended.
        seq: `seq` of the line that tells of it; None of a wait, and where the line has none.
    """

    kind: StepKind
    name: str
    start: float
    end: float
    seq: int | None

    @property
    def duration_ms(self) -> int:
        """Milliseconds from its beginning to its end."""
        return _duration_ms(self.start, self.end)


@dataclass(frozen=True)
class SessionProfile:
    """Where the wall time of a session went, and its effort.

    Attributes:
        analysis: What `analyze_session` says of the same log.
        span_ms: Milliseconds from the first to the last moment of the log.
        wall: The same, told apart; it adds up to that exactly.
        effort: The durations, summed.
        tasks: Task name → its figures; here and in the next two the one with the most effort comes first.
        tools: Tool → its calls.
        models: `"provider/model"` → its calls.
        usage: The calls of all models together.
        files: Path, shortened → its operations, the most bytes first; the first `FILES_KEPT`.
        repeated: Calls that were made again with the same parameters, the most waste first; the first `REPEATED_KEPT`.
        repeated_ms: Milliseconds wasted by all of these.
        retries: Tool calls that began when the same call had failed in their task, and had not succeeded since.
        errors: Errors by kind, the most frequent first; the first `ERRORS_KEPT`.
        error_count: How many errors there were, of all kinds.
        gaps: The longest gaps, the longest first; at most `GAPS_KEPT`.
        gap_count: How many there are.
        concurrency: How many tool and model calls ran at once → milliseconds; it adds up to the span.
        concurrency_over_time: The same, step by step, from the beginning of the first call to the end of the last.
        critical_path: The chain of work, each piece begun after the one before it ended, than which there is no longer
            one, with the waits between its pieces; None unless asked for. The `STEPS_KEPT` longest steps, in order.
        exact: False where a bound on memory was reached, or clocks were set back, so that a figure may be off.
        at_least: Which of these may be too low, as calls had to be forgotten: `"repeated_ms"`, `"retries"`.
        capped: Which of the lists above have more than is listed: `"files"`, `"repeated"`, `"errors"`, `"gaps"`,
            `"critical_path"`.
    """

    analysis: SessionAnalysis
    span_ms: int
    wall: TimeShares
    effort: Effort
    tasks: dict[str, TaskProfile]
    tools: dict[str, ToolProfile]
    models: dict[str, ModelProfile]
    usage: ModelUsage
    files: dict[str, FileProfile]
    repeated: list[RepeatedCall]
    repeated_ms: int
    retries: int
    errors: list[ErrorFigure]
    error_count: int
    gaps: list[Gap]
    gap_count: int
    concurrency: dict[int, int]
    concurrency_over_time: ConcurrencyOverTime
    critical_path: list[PathStep] | None
    exact: bool
    at_least: list[str]
    capped: list[str]

    @property
    def tasks_by_own_time(self) -> list[tuple[str, TaskProfile]]:
        """The tasks, the one with the most time of its own first."""
        return sorted(self.tasks.items(), key=lambda entry: -entry[1].own_ms)

    @property
    def files_capped(self) -> bool:
        """Whether there are more files than are listed."""
        return "files" in self.capped


def _duration_ms(start: float, end: float) -> int:
    return round((end - start) * 1000)
