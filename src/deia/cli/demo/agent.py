"""The demo's agent: it reviews source files, and records what it does with a `SessionLogger` like any other agent.

It may be killed at any moment and started again with the same job. It then reads in the log what is done already, goes
on with the rest, and completes the tasks that the crash left open.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deia import SessionLogger, read_events
from deia.cli.demo import script, tools
from deia.cli.demo.plan import LEVELS, Group, Package, Plan
from deia.cli.demo.report import make_report
from deia.cli.demo.script import Answer
from deia.events import AnyEvent, FileEvent, LLMEvent, MessageEvent, TaskEvent, ToolEvent

Acknowledge = Callable[[str, str], None]
"""Told the kind and the name of an event, after the call that logged it has returned."""

Step = tuple[str, str]
"""What kind of thing was done, and what it was about."""

_REVIEWERS = 3
"""How many packages are reviewed at once: while one waits for its model or a process, others go on."""

_IMPATIENT_S = 0.001
"""What the first import is given: no interpreter is up by then, so that a call fails and is made again."""


@dataclass
class Past:
    """What the log says was done before.

    Attributes:
        started: Names of tasks.
        completed: Names of tasks.
        steps: All else, and how many times it was done.
    """

    started: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    steps: Counter[Step] = field(default_factory=Counter)

    @classmethod
    def read(cls, journal: Path) -> Past:
        """Read the log of a session, as its last process left it; a new session has no past."""
        past = cls()
        if not journal.exists():
            return past
        for event in read_events(journal):
            if isinstance(event, TaskEvent):
                (past.started if event.end_time is None else past.completed).add(event.name)
            elif (step := _step_of(event)) is not None:
                past.steps[step] += 1
        return past

    def has(self, step: Step, times: int = 1) -> bool:
        """Whether a step was done so many times."""
        return self.steps[step] >= times


def _step_of(event: AnyEvent) -> Step | None:
    if isinstance(event, FileEvent):
        return event.operation, event.path
    if isinstance(event, ToolEvent) and not event.cancelled:
        return event.name, str(event.params["target"])
    if isinstance(event, LLMEvent):
        return "model", str(event.response_id)
    if isinstance(event, MessageEvent):
        return "message", str(event.message_id)
    return None


class Agent:
    """Works through a plan.

    Args:
        logger: Records the work.
        plan: The work.
        past: What of it is done.
        workspace: Directory for compiled files; the same in each run.
        report: Where the report goes.
        acknowledge: Called after each log call.
        pace: How long models and the person take, as a part of what the script says.
    """

    def __init__(
        self,
        logger: SessionLogger,
        plan: Plan,
        past: Past,
        *,
        workspace: Path,
        report: Path,
        acknowledge: Acknowledge,
        pace: float = 1.0,
    ) -> None:
        self._logger = logger
        self._plan = plan
        self._past = past
        self._workspace = workspace
        self._report = report
        self._acknowledge = acknowledge
        self._pace = pace
        self._reviewers = asyncio.Semaphore(_REVIEWERS)

    async def work(self) -> None:
        """Do what is left of the plan."""
        self._say("user", "request", script.request())
        await self._task("plan the review", {}, self._make_plan)
        await self._ask("go-ahead", script.go_ahead())
        await asyncio.gather(*map(self._review_in_turn, self._plan.packages))
        await self._task("write the report", {}, self._write_report)

    # What is recorded

    async def _task(self, name: str, metadata: dict[str, Any], do: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        if name in self._past.completed:
            return
        if name not in self._past.started:  # else it was left open by a crash, and goes on
            self._logger.log_task_start(name, metadata)
            self._acknowledge("start", name)
        result = await do()
        self._logger.log_task_complete(name, metadata=result)
        self._acknowledge("complete", name)

    def _tool(self, name: str, target: str, params: dict[str, Any], use: Callable[[], dict[str, Any]]) -> None:
        if self._past.has((name, target)):
            return
        with contextlib.suppress(*tools.FAILURES), self._logger.tool(name, {"target": target, **params}) as call:
            call.params.update(use())
        self._acknowledge("tool", name)

    async def _process(
        self, name: str, target: str, params: dict[str, Any], use: Callable[[], dict[str, Any]], times: int
    ) -> None:
        """Call a tool that is a process of its own: others go on meanwhile. It is to be called so many times by now."""
        if self._past.has((name, target), times):
            return
        with contextlib.suppress(*tools.FAILURES), self._logger.tool(name, {"target": target, **params}) as call:
            call.params.update(await asyncio.to_thread(use))
        self._acknowledge("tool", name)

    async def _consult(self, answer: Answer) -> None:
        """Have a model answer."""
        model = answer.model
        if not self._past.has(("model", answer.name)):
            started = time.perf_counter()
            await asyncio.sleep(model.thinks_s * self._pace)
            self._logger.log_llm_call(
                script.PROVIDER,
                model.name,
                answer.input_tokens,
                answer.output_tokens,
                cache_read_tokens=answer.cached_tokens,
                duration_ms=(time.perf_counter() - started) * 1000,
                cost_usd=answer.cost_usd,
                response_id=answer.name,
            )
            self._acknowledge("model", model.name)
        self._say("assistant", answer.name, answer.text)

    async def _ask(self, name: str, answer: str) -> None:
        """Wait for the person to answer."""
        if not self._past.has(("message", name)):
            await asyncio.sleep(script.PERSON_S * self._pace)
        self._say("user", name, answer)

    def _say(self, role: str, name: str, text: str) -> None:
        if not self._past.has(("message", name)):
            self._logger.log_message(role, text, message_id=name)
            self._acknowledge("message", role)

    def _wrote(self, file: Path, lines: int | None = None) -> None:
        if not self._past.has(("write", str(file))):
            self._logger.log_file_write(file, file.stat().st_size, lines)
            self._acknowledge("write", str(file))

    # What is done

    async def _make_plan(self) -> dict[str, Any]:
        self._tool("list_sources", str(self._plan.root), {}, partial(tools.list_sources, self._plan.files))
        await self._consult(script.planned(self._plan))
        return {"packages": len(self._plan.packages), "files": len(self._plan.files)}

    async def _review_in_turn(self, package: Package) -> None:
        async with self._reviewers:
            await self._task(package.task, {"modules": len(package.files)}, partial(self._review_package, package))

    async def _review_package(self, package: Package) -> dict[str, Any]:
        for group in package.groups:
            if len(package.groups) == 1:
                await self._review_group(group)
            else:
                await self._task(group.name, {"modules": len(group.files)}, partial(self._review_group, group))
        if package.module is not None:
            await self._check_indentation(package)
            for times, timeout_s in enumerate(self._timeouts_s(package), 1):
                use = partial(tools.time_import, package.module, timeout_s)
                await self._process("import", package.module, {}, use, times)
        await self._consult(script.reviewed(package))
        return {}

    async def _check_indentation(self, package: Package, times: int = 1) -> None:
        use = partial(tools.check_indentation, package.files)
        await self._process("tabnanny", package.name, {"files": len(package.files)}, use, times)

    def _timeouts_s(self, package: Package) -> tuple[float, ...]:
        """Return how long a package's import is given, the first time and the next one."""
        return (_IMPATIENT_S, tools.TIMEOUT_S) if package == self._plan.checked[0] else (tools.TIMEOUT_S,)

    async def _review_group(self, group: Group) -> dict[str, Any]:
        for file in group.files:
            self._review_file(file)
            await asyncio.sleep(0)  # the other reviewers want to get on, too
        return {}

    def _review_file(self, file: Path) -> None:
        path = str(file)
        source = file.read_bytes()
        if not self._past.has(("read", path)):
            self._logger.log_file_read(file, len(source))
            self._acknowledge("read", path)
        self._tool("count_definitions", path, {}, partial(tools.count_definitions, source))
        self._tool("count_lines", path, {}, partial(tools.count_lines, source))
        for level in LEVELS:
            target = self._compiled(file, level)
            use = partial(tools.byte_compile, file, target, level)
            self._tool("byte_compile", str(target), {"source": path, "level": level}, use)
            self._wrote(target)

    def _compiled(self, file: Path, level: int) -> Path:
        name = ".".join(file.relative_to(self._plan.root).with_suffix("").parts)
        return self._workspace / f"{name}.opt-{level}.pyc"

    async def _write_report(self) -> dict[str, Any]:
        if self._plan.checked:
            await self._check_indentation(self._plan.checked[-1], times=2)  # for nothing, as agents do
        await self._consult(script.concluded(self._plan))
        text = make_report(self._plan, read_events(self._logger.path))
        self._report.write_text(text, encoding="utf-8")
        self._wrote(self._report, text.count("\n"))
        return {}
