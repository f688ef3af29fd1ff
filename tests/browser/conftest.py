"""A real Chromium without a window, and pages in it that are watched: whatever they complain of fails the test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deia.report.model import make_report
from deia.report.page import page as page_of
from support.browser import Viewer
from support.journals import Lines, journal_path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pytest.importorskip("chartkick", reason="the extra report is not installed")
    pytest.importorskip("rjsmin", reason="the extra report is not installed")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed")
    with api.sync_playwright() as playwright:
        # A container's root has no user namespace to put a sandbox in; it opens nothing here but pages of ours.
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Viewer]:
    """Open a file as from disk. At the end nothing may have been asked for, said, thrown or popped up."""
    viewer = Viewer(chromium)
    yield viewer
    viewer.close()
    assert not viewer.complaints


@pytest.fixture(scope="session")
def report_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[bytes], Path]:
    """Make the page of a log that is given as bytes."""

    def make(content: bytes) -> Path:
        journal = journal_path(tmp_path_factory.mktemp("session"))
        journal.write_bytes(content)
        path = journal.with_suffix(".html")
        path.write_bytes(page_of(make_report(journal)))
        return path

    return make


@pytest.fixture(scope="session")
def usual(report_of: Callable[[bytes], Path]) -> Path:
    """The page of five minutes with nested and parallel work, failures, models, files, and a long wait for somebody."""
    lines = Lines()
    made: list[bytes] = [lines.message("user", "please fix the tests", at=0)]
    for turn in range(12):
        at = 10.0 * turn + (120 if turn >= 6 else 0)
        if turn == 6:
            made.append(lines.message("user", "yes, go on", at=at - 1))
        outer = lines.seq + 1
        made.append(lines.begin(f"turn {turn}", at=at))
        made.append(lines.llm("opus", 2000, at=at + 2, input_tokens=9000, output_tokens=300, task_id=outer))
        inner = lines.seq + 1
        made.append(lines.begin("run tests", parent_id=outer, at=at + 2))
        made.append(lines.tool("pytest", 5000, params={"path": "tests/"}, at=at + 7, task_id=inner))
        made.append(lines.tool("grep", 4000, params={"pattern": f"turn {turn}"}, at=at + 7, task_id=inner))
        failed = {"error": "2 failed", "error_type": "TestsFailed"} if turn % 3 == 0 else {}
        made.append(lines.tool("ruff", 500, at=at + 7.6, task_id=inner, **failed))
        made.append(lines.complete(inner, "run tests", began=at + 2, at=at + 8, parent_id=outer))
        made.append(lines.file("read", f"src/module_{turn}.py", at=at + 8.2, task_id=outer))
        made.append(lines.file("write", f"src/module_{turn}.py", at=at + 8.4, task_id=outer))
        made.append(lines.complete(outer, f"turn {turn}", began=at, at=at + 9))
    return report_of(b"".join(made))
