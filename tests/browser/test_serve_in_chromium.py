"""A page that `deia serve` shows, in a real browser: it follows its session, and keeps what one was looking at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger
from deia.report.model import Report
from deia.report.page import page as page_of
from deia.serve.server import Server
from deia.serve.watched import WatchedDirectory
from support.journals import Lines, journal_path

LOOK_S = 0.05
VIEW = "(() => { const { from, to } = document.querySelector('.timeline').dataset; return [scrollY, from, to]; })()"
TABLE = """(() => {
  const form = document.querySelector(".events form").elements;
  const sorted = document.querySelector(".events [aria-sort]");
  return {
    form: [form.search.value, form.kind.selectedOptions[0].label, form.trouble.checked],
    sorted: [sorted.textContent, sorted.ariaSort],
    rows: [...document.querySelectorAll(".events td.name")].map((cell) => cell.textContent),
    left: document.querySelector(".events .scroll").scrollLeft,
    top: document.querySelector(".events").getBoundingClientRect().top,
  };
})()"""
TIMELINE = """(() => ({
  folded: document.querySelector("[data-do=fold]").ariaPressed,
  chosen: document.querySelector(".chosen").textContent,
  top: document.querySelector(".lanes").scrollTop,
}))()"""
FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"


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


def test_table_of_events_stays_as_it_was_when_its_page_is_made_anew(page: Any, log: SessionLogger) -> None:
    """Its search, its filter, its order, its page, and what of it was scrolled to; the new event is among the rest."""
    for number in range(260):
        log.log_tool_call(f"wanted {number:03}", {"number": number}, duration_ms=number)
    page.get_by_text("Page 1 of 4", exact=True).wait_for()
    page.set_viewport_size({"width": 500, "height": 900})
    page.locator("input[type=search]").fill("wanted")
    page.locator("select[name=kind]").select_option(label="tool calls")
    page.locator("[data-sort=name]").click(click_count=2, delay=20)
    page.locator("[data-page='1']").click()
    page.evaluate("document.querySelector('.events .scroll').scrollLeft = 40")
    page.evaluate("document.getElementById('events').scrollIntoView({ behavior: 'instant' })")
    before = page.evaluate(TABLE)
    assert before["rows"][0] == "wanted 159"
    log.log_tool_call("wanted 0", {}, duration_ms=5)
    page.get_by_text("261 of 3").wait_for()
    after = page.evaluate(TABLE)
    assert after.pop("top") == pytest.approx(before.pop("top"), abs=1)
    assert after == before
    page.locator("[data-page='1']").click()
    assert page.evaluate(TABLE)["rows"][-1] == "wanted 0"


@pytest.mark.parametrize("way", ["reload", "back", "of a section"])
def test_page_that_one_comes_back_to_is_as_it_was_left(page: Any, server: Server, log: SessionLogger, way: str) -> None:
    """By the browser's own buttons, and where the address names a section; another visit begins at the beginning."""
    address = page.url
    if way == "of a section":
        page.get_by_role("navigation").get_by_role("link", name="Timeline").click()
    page.locator("input[type=search]").fill("tool 3")
    page.locator("[data-do=zoom-in]").click()
    page.evaluate("scrollTo({ top: 700, behavior: 'instant' })")
    page.evaluate(FRAMES)
    before = page.evaluate(VIEW)
    if way == "back":
        page.goto(server.url)
        page.go_back()
    else:
        page.reload()
    page.wait_for_selector("html[data-ready]")
    page.wait_for_load_state()
    page.evaluate(FRAMES)
    assert page.locator("input[type=search]").input_value() == "tool 3"
    after = page.evaluate(VIEW)
    assert after[0] == before[0]
    assert [float(time) for time in after[1:]] == pytest.approx([float(time) for time in before[1:]])
    page.goto(server.url)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    assert page.locator("input[type=search]").input_value() == ""


def test_timeline_that_one_comes_back_to_is_as_it_was_left(page: Any, server: Server, tmp_path: Path) -> None:
    """What was chosen in it, whether its pauses are folded, how far its lanes were scrolled."""
    lines = Lines("agent", "paused")
    at_once = b"".join(lines.tool(f"tool {number}", 9000, at=10 + number / 100) for number in range(60))
    later = lines.message("user", at=3990) + lines.tool("later", 1000, at=4000)
    journal_path(tmp_path, "agent", "paused").write_bytes(at_once + later)
    page.goto(server.url)
    page.get_by_role("link", name="agent_paused.jsonl").click()
    page.wait_for_selector("html[data-ready]")
    page.get_by_role("button", name="Fold pauses").click()
    page.locator("[data-do=next]").click()
    page.evaluate("document.querySelector('.lanes').scrollTop = 150")
    page.evaluate(FRAMES)
    before = page.evaluate(TIMELINE)
    assert before["folded"] == "false"  # as it is not by itself where most of a session is waiting
    assert "tool call" in before["chosen"]
    assert before["top"] == 150
    page.reload()
    page.wait_for_selector("html[data-ready]")
    page.evaluate(FRAMES)
    assert page.evaluate(TIMELINE) == before


def test_what_was_scrolled_opened_or_has_the_keyboard_is_so_on_the_page_made_anew(
    page: Any, log: SessionLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a section comes above it that was not there before."""
    heading = b"<h2>Tools</h2>"

    def with_details(report: Report, *, version: int) -> bytes:
        return page_of(report, version=version).replace(
            heading, heading + b"<details><summary>More</summary>of it</details>"
        )

    monkeypatch.setattr("deia.serve.watched.page", with_details)
    log.log_tool_call("comes first", {}, duration_ms=5)
    page.wait_for_selector("details")
    page.locator("#tools summary").click()
    page.evaluate("scrollTo({ top: document.getElementById('tools').offsetTop, behavior: 'instant' })")
    top = "document.getElementById('tools').getBoundingClientRect().top"
    before = page.evaluate(top)
    log.log_error("it broke")
    page.wait_for_selector("#errors")
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate("document.querySelector('#tools details').open")
    assert page.evaluate("document.activeElement.matches('#tools summary')")
    assert page.evaluate(top) == pytest.approx(before, abs=1)


def test_who_searches_is_told_and_not_interrupted(page: Any, log: SessionLogger) -> None:
    """The page says that there is something new, and shows it when it is asked to."""
    page.locator("input[type=search]").fill("tool 3")
    log.log_tool_call("comes later", {}, duration_ms=5)
    page.wait_for_selector(".live[data-state=new]")
    assert page.locator("input[type=search]").input_value() == "tool 3"
    page.get_by_role("button", name="Show it", exact=True).click()
    page.wait_for_selector(".live[data-state=live]")
    assert "comes later" in page.content()
