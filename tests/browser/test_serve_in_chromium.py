"""A page that `deia serve` shows, in a real browser: it follows its session, and keeps what one was looking at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from deia.serve.server import Server
from deia.serve.watched import WatchedDirectory

LOOK_S = 0.05
VIEW = "(() => { const { from, to } = document.querySelector('.timeline').dataset; return [scrollY, from, to]; })()"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SessionLogger]:
    """A session that goes on."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as log:
        for number in range(50):
            log.log_tool_call(f"tool {number}", {"number": number}, duration_ms=50)
        yield log


@pytest.fixture
def server(tmp_path: Path, log: SessionLogger) -> Iterator[Server]:
    """A server of its directory."""
    with Server(WatchedDirectory(str(tmp_path), lambda *_: None, LOOK_S), look_s=LOOK_S) as server:
        thread = threading.Thread(target=server.serve_forever, args=(LOOK_S,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(chromium: Any, server: Server) -> Iterator[Any]:
    """The session's page, reached through that of the directory; nothing may be said on the console or thrown."""
    complaints: list[str] = []
    with chromium.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        page.get_by_role("link", name="agent_live.jsonl").click()
        page.wait_for_selector("html[data-ready]")
        yield page
    assert not complaints


def test_page_follows_its_session_and_keeps_what_is_seen_of_it(page: Any, log: SessionLogger) -> None:
    """The part of the timeline, the place on the page, and the colours."""
    page.get_by_text("Dark", exact=True).click()
    for _ in range(2):
        page.locator("[data-do=zoom-in]").click()
    page.evaluate("scrollTo({ top: 500, behavior: 'instant' })")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    before = page.evaluate(VIEW)
    version = page.locator("html").get_attribute("data-version")
    log.log_tool_call("comes later", {}, duration_ms=5)
    page.wait_for_selector(f"html[data-ready]:not([data-version='{version}'])")
    assert "comes later" in page.content()
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    after = page.evaluate(VIEW)
    assert before[0] == after[0] == 500
    assert [float(time) for time in after[1:]] == pytest.approx([float(time) for time in before[1:]])
    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_who_searches_is_told_and_not_interrupted(page: Any, log: SessionLogger) -> None:
    """The page says that there is something new, and shows it when it is asked to."""
    page.locator("input[type=search]").fill("tool 3")
    log.log_tool_call("comes later", {}, duration_ms=5)
    page.wait_for_selector(".live[data-state=new]")
    assert page.locator("input[type=search]").input_value() == "tool 3"
    page.get_by_role("button", name="Show it", exact=True).click()
    page.wait_for_selector(".live[data-state=live]")
    assert "comes later" in page.content()
