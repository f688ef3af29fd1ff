"""One pass over a session's events that keeps what a profile needs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deia.analysis.profile.errors import ErrorTable
from deia.analysis.profile.files import FileTable
from deia.analysis.profile.models import ModelTable
from deia.analysis.profile.repeated import RepeatedCalls
from deia.analysis.profile.result import Effort, PathStep, SessionProfile, ToolProfile
from deia.analysis.profile.retries import Retries
from deia.analysis.profile.runs import Runs
from deia.analysis.profile.shown import shown_data
from deia.analysis.profile.tasks import TaskKey, TaskTable
from deia.analysis.profile.timeline import FILE, LONGEST_MS, MARK, TOOL, USER, Timeline
from deia.analysis.profile.work import Work
from deia.analysis.session import SessionAccumulator, SessionAnalysis
from deia.analysis.usage import call_failed, together
from deia.events import (
    AnyEvent,
    ErrorEvent,
    FileEvent,
    LLMEvent,
    MessageEvent,
    SessionEvent,
    TaskEvent,
    ToolEvent,
    UnknownEvent,
)
from deia.journal.reader import Entry


class ProfileAccumulator(SessionAccumulator):
    """Takes a session's events in the order of the file, for the analysis and for the profile."""

    def __init__(self, *, end: float | None, critical_path: bool) -> None:
        """Begin with nothing.

        Args:
            end: Taken for the last moment of the log, Unix seconds, if given.
            critical_path: Whether to keep what that takes.
        """
        super().__init__()
        self._end = end
        self._timeline = Timeline(end)
        self._runs = Runs(self._timeline)
        self._work = Work() if critical_path else None
        self._task_table = TaskTable(self._timeline, self._work)
        self._cancelled_calls: Counter[str] = Counter()
        self._latest: int | None = None  # moment of a line so far
        self._models = ModelTable(self._timeline, self._work)
        self._files = FileTable()
        self._repeated = RepeatedCalls()
        self._retries = Retries()
        self._errors = ErrorTable()

    def feed(self, entry: Entry) -> None:
        """Take one event."""
        super().feed(entry)
        event = entry.event
        fields = entry.record.fields
        timestamp = event.timestamp
        if timestamp is not None and type(event) is UnknownEvent and entry.original:
            timestamp = None  # it may mean anything, as the clock of the analysis knows
        if "session_start" in fields and (session_start := entry.session_start) is not None:
            self._runs.begin(event.session_id, self._timeline.ms(session_start))
        at = None
        if timestamp is not None:
            at = self._timeline.ms(timestamp)
            self._runs.go_on(event.session_id, at)
        if isinstance(event, ToolEvent):
            self._feed_tool(event, fields, at)
        elif isinstance(event, TaskEvent):
            self._feed_task(event, fields, at)
        elif isinstance(event, FileEvent):
            self._feed_file(event, at)
        elif isinstance(event, LLMEvent):
            self._feed_model(event, at)
        else:
            self._feed_other(event, at)
        if at is not None and (self._latest is None or at > self._latest):
            self._latest = at
        if self._timeline.crowded:
            self._sum_up()

    def profile(self, analysis: SessionAnalysis) -> SessionProfile:
        """Return the result.

        Args:
            analysis: The result of `finish`, for the same end.
        """
        # What takes most memory is given back before more is taken.
        repeated, repeated_capped = self._repeated.finish()
        files, files_capped = self._files.finish()
        errors, errors_capped = self._errors.finish()
        timeline = self._timeline
        self._task_table.interrupt(self._last_seen)
        span = self.clock.span(self._end)
        first = last = 0
        if span is not None:
            first, last = timeline.ms(span[0]), timeline.ms(span[1])
            self._runs.finish(first, last, extended=self._end is not None)
            timeline.finish(first, last)
        has_tasks = self._task_table.seen
        models = self._models.finish(analysis.models)
        tools = self._tools()
        path: list[PathStep] | None = None
        path_capped = False
        if self._work is not None:
            path, path_capped = self._work.path(first, last, timeline.unix_s)
        gaps = timeline.gaps(has_tasks=has_tasks)
        capped = {
            "files": files_capped,
            "repeated": repeated_capped,
            "errors": errors_capped,
            "gaps": timeline.gap_count > len(gaps),
            "critical_path": path_capped,
        }
        at_least = {"repeated_ms": self._repeated.wasted_at_least, "retries": not self._retries.exact}
        exact = (
            *(analysis.session_time_exact, timeline.exact, self._task_table.exact, self._models.exact),
            *(self._files.exact, self._repeated.exact, self._retries.exact, self._errors.exact),
            self._work is None or self._work.exact,
        )
        return SessionProfile(
            analysis=analysis,
            span_ms=last - first,
            wall=timeline.wall(has_tasks=has_tasks),
            effort=Effort(
                model_ms=sum(model.effort_ms for model in models.values()),
                tool_ms=sum(tool.effort_ms for tool in tools.values()),
                file_ms=self._files.effort_ms,
                task_ms=self._task_table.top_level_ms,
            ),
            tasks=self._task_table.finish(),
            tools=tools,
            models=models,
            usage=together(analysis.models.values()),
            files=files,
            repeated=repeated,
            repeated_ms=self._repeated.wasted_ms,
            retries=self._retries.count,
            errors=errors,
            error_count=self._errors.count,
            gaps=gaps,
            gap_count=timeline.gap_count,
            concurrency=timeline.at_once,
            concurrency_over_time=timeline.over_time(first),
            critical_path=path,
            exact=all(exact),
            at_least=[name for name, is_least in at_least.items() if is_least],
            capped=[name for name, is_capped in capped.items() if is_capped],
        )

    def _tools(self) -> dict[str, ToolProfile]:
        """Return each tool's figures; the analysis has most of them."""
        return {
            name: ToolProfile(
                calls=tool.count,
                errors=tool.errors,
                cancelled=self._cancelled_calls[name],
                wall_ms=self._timeline.union_ms(TOOL, name),
                effort_ms=tool.total_ms,
                p50_ms=tool.p50_ms,
                p95_ms=tool.p95_ms,
                p99_ms=self.tools.percentile(name, 99),
                max_ms=tool.max_ms,
            )
            for name, tool in self.tools.finish().items()
        }

    def _feed_tool(self, event: ToolEvent, fields: dict[str, Any], at: int | None) -> None:
        given = event.params.get("error")
        failed = bool(given or fields.get("error"))
        duration_ms = max(0, event.duration_ms)
        task = self._innermost(event.session_id, event.task_id)
        if event.cancelled:
            self._cancelled_calls[event.name] += 1
        start = None if at is None else at - min(duration_ms, LONGEST_MS)
        call = self._repeated.feed(event, duration_ms, failed=failed)
        self._retries.feed(call, task, start, at, failed=failed)
        if at is not None and start is not None:
            self._timeline.add(self._timeline.name(TOOL, event.name), start, at)
            if self._work is not None:
                self._work.add("tool", event.name, start, at, event.seq)
            self._task_table.log_inside(task, "tool", start, at)
        if failed:
            said = fields.get("error") or given
            self._errors.feed("tool", event.name, event.error_type, shown_data(said), event.seq)

    def _feed_model(self, event: LLMEvent, at: int | None) -> None:
        model = f"{event.provider}/{event.model}"
        lasted = self._models.feed(event, model, at)
        if at is not None:
            self._task_table.log_inside(self._innermost(event.session_id, event.task_id), "model", at - lasted, at)
        if call_failed(event):
            self._errors.feed("model", model, event.error_type, event.error or "", event.seq)

    def _feed_file(self, event: FileEvent, at: int | None) -> None:
        duration_ms = max(0, event.duration_ms or 0)
        self._files.feed(event, duration_ms)
        if at is None:
            return
        start = at - min(duration_ms, LONGEST_MS)
        self._timeline.add(self._timeline.name(FILE, event.operation), start, at)
        if self._work is not None:
            self._work.add("file", event.path, start, at, event.seq)
        self._task_table.log_inside(self._innermost(event.session_id, event.task_id), "file", start, at)

    def _feed_task(self, event: TaskEvent, fields: dict[str, Any], at: int | None) -> None:
        failed = bool(event.error or fields.get("error"))
        if event.orphan:
            if at is not None:
                self._timeline.add(self._timeline.name(MARK, f"end of task {event.name}"), at, at)
        elif event.end_time is None:
            self._task_table.begin(event)
        else:
            self._task_table.complete(event, event.end_time, failed=failed)
            self._retries.complete((event.session_id, event.task_id))
        if not event.orphan and at is None:  # nothing else tells when this was recorded
            for time in (event.start_time, event.end_time):
                if time is not None:
                    self._runs.go_on(event.session_id, self._timeline.ms(time))
        if failed:
            self._errors.feed("task", event.name, event.error_type, shown_data(fields.get("error")), event.seq)

    def _feed_other(self, event: AnyEvent, at: int | None) -> None:
        if isinstance(event, ErrorEvent):
            self._errors.feed("error", event.where or "", event.error_type, event.message, event.seq)
        if at is not None:
            kind = MARK
            if isinstance(event, MessageEvent) and event.role == "user":
                kind = USER
                if self._latest is not None:
                    task = self._innermost(event.session_id, event.task_id)
                    self._task_table.log_inside(task, "human", self._latest, at)
            self._timeline.add(self._timeline.name(kind, _title(event)), at, at)

    def _innermost(self, session_id: str | None, task_id: int | None) -> TaskKey:
        """Return what an open task is known by; of any other what stands for none."""
        task = (session_id, task_id)
        return task if task in self._task_table.open else (session_id, None)

    def _last_seen(self, session_id: str | None) -> float:
        return self.clock.last_seen(session_id, self._end)

    def _sum_up(self) -> None:
        """Have the timeline sum up its older half."""
        span = self.clock.span(self._end)
        assert span is not None
        first = self._timeline.ms(span[0])
        to = self._timeline.middle()
        self._task_table.carry_over(to, lambda session_id: self.clock.last_seen(session_id, None))
        self._runs.carry_over(first, to)
        self._timeline.sum_up(first, to)


def _title(event: AnyEvent) -> str:
    """Return what has happened that has no duration."""
    if isinstance(event, MessageEvent):
        return f"message of {event.role}"
    if isinstance(event, SessionEvent):
        return f"session {event.event}"
    if isinstance(event, ErrorEvent):
        return f"error {event.error_type or ''}".rstrip()
    if isinstance(event, UnknownEvent):
        return event.type
    return type(event).__name__
