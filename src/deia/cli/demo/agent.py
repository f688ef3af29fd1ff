"""The demo's agent: it reviews source files, and records what it does with a `SessionLogger` like any other agent.

It may be killed at any moment and started again with the same job. It then reads in the log what is done already, goes
on with the rest, and completes the tasks that the crash left open.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deia import SessionLogger, read_events
from deia.cli.demo import tools
from deia.cli.demo.plan import LEVELS, Group, Package, Plan
from deia.cli.demo.report import make_report
from deia.events import FileEvent, TaskEvent, ToolEvent

Acknowledge = Callable[[str, str], None]
"""Told the kind and the name of an event, after the call that logged it has returned."""


@dataclass
class Past:
    """What the log says was done before.

    Attributes:
        started: Names of tasks.
        completed: Names of tasks.
        steps: Reads, writes and tool calls, each with the file or package it was about.
    """

    started: set[str] = field(default_factory=set)
    completed: set[str] = field(default_factory=set)
    steps: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, journal: Path) -> Past:
        """Read the log of a session, as its last process left it; a new session has no past."""
        past = cls()
        if not journal.exists():
            return past
        for event in read_events(journal):
            if isinstance(event, TaskEvent):
                (past.started if event.end_time is None else past.completed).add(event.name)
            elif isinstance(event, FileEvent):
                past.steps.add((event.operation, event.path))
            elif isinstance(event, ToolEvent):
                past.steps.add((event.name, str(event.params["target"])))
        return past


class Agent:
    """Works through a plan.

    Args:
        logger: Records the work.
        plan: The work.
        past: What of it is done.
        workspace: Directory for compiled files; the same in each run.
        report: Where the report goes.
        acknowledge: Called after each log call.
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
    ) -> None:
        self._logger = logger
        self._plan = plan
        self._past = past
        self._workspace = workspace
        self._report = report
        self._acknowledge = acknowledge

    def work(self) -> None:
        """Do what is left of the plan."""
        self._task("plan the review", {}, self._survey)
        for package in self._plan.packages:
            self._task(package.task, {"modules": len(package.files)}, partial(self._review_package, package))
        self._task("write the report", {}, self._write_report)

    def _task(self, name: str, metadata: dict[str, Any], do: Callable[[], dict[str, Any]]) -> None:
        if name in self._past.completed:
            return
        if name not in self._past.started:  # else it was left open by a crash, and goes on
            self._logger.log_task_start(name, metadata)
            self._acknowledge("start", name)
        result = do()
        self._logger.log_task_complete(name, metadata=result)
        self._acknowledge("complete", name)

    def _tool(self, name: str, target: str, params: dict[str, Any], use: Callable[[], dict[str, Any]]) -> None:
        if (name, target) in self._past.steps:
            return
        started = time.perf_counter()
        result = use()
        duration_ms = (time.perf_counter() - started) * 1000
        self._logger.log_tool_call(name, {"target": target, **params, **result}, duration_ms)
        self._acknowledge("tool", name)

    def _survey(self) -> dict[str, Any]:
        return {
            "packages": len(self._plan.packages),
            "files": len(self._plan.files),
            "bytes": sum(file.stat().st_size for file in self._plan.files),
        }

    def _review_package(self, package: Package) -> dict[str, Any]:
        for group in package.groups:
            if len(package.groups) == 1:
                self._review_group(group)
            else:
                self._task(group.name, {"modules": len(group.files)}, partial(self._review_group, group))
        if package.module is not None:
            files = package.files
            self._tool("tabnanny", package.name, {"files": len(files)}, partial(tools.check_indentation, files))
            self._tool("import", package.module, {}, partial(tools.time_import, package.module))
        return {}

    def _review_group(self, group: Group) -> dict[str, Any]:
        for file in group.files:
            self._review_file(file)
        return {}

    def _review_file(self, file: Path) -> None:
        path = str(file)
        source = file.read_bytes()
        if ("read", path) not in self._past.steps:
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

    def _wrote(self, file: Path, lines: int | None = None) -> None:
        if ("write", str(file)) in self._past.steps:
            return
        self._logger.log_file_write(file, file.stat().st_size, lines)
        self._acknowledge("write", str(file))

    def _write_report(self) -> dict[str, Any]:
        text = make_report(self._plan, read_events(self._logger.path))
        self._report.write_text(text, encoding="utf-8")
        self._wrote(self._report, text.count("\n"))
        return {}
