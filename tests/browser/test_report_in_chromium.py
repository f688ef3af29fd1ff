"""The page of a session in a real browser: by keyboard, in light and dark, on paper, and nothing foreign runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from deia.analysis.profile import advise
from deia.events import ToolEvent
from deia.report.model import Report
from deia.report.page import LARGEST_BYTES
from deia.report.page import page as page_of
from deia.report.selection import Selection
from support.browser import Viewer
from support.hostile import HOSTILE, RAN, hostile_lines, unnamed_lines
from support.profiles import profile, tool

READY = "document.documentElement.dataset.ready === 'yes'"
LANES = ".timeline .lanes"


def seen(page: Any) -> tuple[float, float]:
    """Return from when to when the timeline is shown, in its own unit, once it is painted."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    data = page.locator(".timeline").evaluate("(one) => [Number(one.dataset.from), Number(one.dataset.to)]")
    return float(data[0]), float(data[1])


def pixels(page: Any, canvas: str) -> list[int]:
    """Return every 997th value of a canvas: enough to see that it was painted, and otherwise."""
    script = """(one) => {
        const copy = new OffscreenCanvas(one.width, one.height).getContext("2d", { willReadFrequently: true });
        copy.drawImage(one, 0, 0);
        return Array.from(copy.getImageData(0, 0, one.width, one.height).data).filter((_, i) => i % 997 === 0);
    }"""
    values: list[int] = page.locator(canvas).evaluate(script)
    return values


def test_page_opens_from_disk_and_paints_what_it_has(show: Viewer, usual: Path) -> None:
    """Charts, timeline and table; nothing is fetched, and no complaint is heard."""
    page = show(usual)
    assert page.evaluate(READY)
    assert page.evaluate("document.compatMode") == "CSS1Compat"
    for canvas in (
        "#chart-shares",
        "#chart-tool-times",
        "#chart-task-times",
        "#chart-over-time",
        "#chart-at-once",
        ".lanes-canvas",
    ):
        assert any(pixels(page, canvas)), canvas
    assert page.locator(".events tbody tr").count() == 98
    assert page.locator(".found").inner_text() == "98 of 98 rows."


def test_page_can_be_read_without_scripts(show: Viewer, usual: Path) -> None:
    """The figures and the advice stand there as they are."""
    page = show(usual, java_script_enabled=False)
    assert page.get_by_role("heading", name="What to fix first").is_visible()
    assert page.get_by_role("cell", name="pytest").first.is_visible()


# Hostile logs


def test_nothing_in_a_log_runs_whatever_is_done_with_it(show: Viewer, report_of: Callable[[bytes], Path]) -> None:
    """Opened, hovered over, chosen, searched for, found, sorted: no script of the log runs, no prototype changes."""
    page = show(report_of(hostile_lines()))
    assert page.evaluate(READY)
    lanes = page.locator(LANES)
    lanes.scroll_into_view_if_needed()
    box = lanes.bounding_box()
    for share in (0.1, 0.5, 0.9):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + 60)
        page.mouse.click(box["x"] + share * box["width"], box["y"] + 60)
    lanes.focus()
    for _ in range(25):
        page.keyboard.press("Shift+ArrowRight")
    search = page.get_by_role("searchbox")
    for text in HOSTILE[:10]:
        search.fill(text.replace("\x00", ""))
    search.fill("")
    for heading in page.locator(".events th button").all():
        heading.click()
    for button in page.locator("[data-find]").all()[::25]:
        button.click()
    search.fill("__proto__")
    assert page.locator(".events tbody tr").count() > 0
    assert page.evaluate(f"window.{RAN}") is None
    assert page.evaluate("({}).polluted") is None
    assert page.evaluate("document.scripts.length") == 3
    assert page.evaluate("getComputedStyle(document.body).display") == "block"


def test_browser_refuses_to_make_elements_or_code_of_a_text(show: Viewer, usual: Path) -> None:
    """The page has no need of it; and should a mistake ever offer it a log's text as HTML, nothing comes of it."""
    page = show(usual)
    refused = """(text) => [
        () => { document.body.innerHTML = text; },
        () => document.body.setAttribute("onclick", text),
    ].map((make) => { try { make(); return "done"; } catch (error) { return error.name; } })"""
    assert page.evaluate(refused, f"window.{RAN}=1") == ["TypeError", "TypeError"]
    assert all("blocked" in complaint for complaint in show.complaints)
    show.complaints.clear()


def test_page_of_impossible_times_works(show: Viewer, report_of: Callable[[bytes], Path]) -> None:
    """Years before and after anything; the keys still move what is seen."""
    page = show(report_of(unnamed_lines()))
    assert page.evaluate(READY)
    page.locator(LANES).focus()
    for key in ("+", "+", "ArrowLeft", "-", "0", "Shift+ArrowRight", "Enter"):
        page.keyboard.press(key)
    seen(page)


# Keyboard


def test_timeline_is_moved_by_the_keyboard(show: Viewer, usual: Path) -> None:
    """Zoomed, panned, shown as a whole again."""
    page = show(usual)
    page.locator(LANES).focus()
    whole = seen(page)
    page.keyboard.press("+")
    page.keyboard.press("+")
    zoomed = seen(page)
    assert whole[0] < zoomed[0] < zoomed[1] < whole[1]
    page.keyboard.press("ArrowRight")
    right = seen(page)
    assert right[0] > zoomed[0]
    page.keyboard.press("ArrowLeft")
    assert seen(page)[0] < right[0]
    page.keyboard.press("-")
    wider = seen(page)
    assert wider[1] - wider[0] > zoomed[1] - zoomed[0]
    page.keyboard.press("0")
    assert seen(page) == whole


def test_events_are_chosen_by_the_keyboard_and_told(show: Viewer, usual: Path) -> None:
    """Next, below, zoomed to, shown in the table; a screen reader hears what it is."""
    page = show(usual)
    page.locator(LANES).focus()
    chosen = page.locator(".chosen")
    assert chosen.get_attribute("aria-live") == "polite"
    page.keyboard.press("Shift+ArrowRight")
    first = chosen.inner_text()
    page.keyboard.press("Shift+ArrowRight")
    assert chosen.inner_text() != first
    page.keyboard.press("Shift+ArrowDown")
    assert "began" in chosen.inner_text()
    whole = seen(page)
    page.keyboard.press("Enter")
    assert seen(page) != whole
    page.get_by_role("button", name="Show it in the table").click()
    assert page.evaluate("document.activeElement.tagName") == "TR"
    page.locator(LANES).focus()
    page.keyboard.press("Escape")
    assert chosen.inner_text() == "Choose an event to see what it was."


def test_everything_is_reached_with_tab_in_the_order_it_stands_in_and_is_seen(show: Viewer, usual: Path) -> None:
    """Each stop has a name and a visible outline, and follows the one before it on the page."""
    page = show(usual)
    script = """() => {
        const one = document.activeElement;
        const ring = one.matches("input[type=radio]") ? one.nextElementSibling : one;
        return {
            name: one.getAttribute("aria-label") || one.innerText || one.labels?.[0]?.innerText || "",
            place: [...document.querySelectorAll("*")].indexOf(one),
            outline: getComputedStyle(ring).outlineStyle,
            lanes: one.matches(".lanes"),
            search: one.type === "search",
        };
    }"""
    stops = []
    for _ in range(400):
        page.keyboard.press("Tab")
        stop = page.evaluate(script)
        if stops and stop["place"] <= stops[-1]["place"]:
            break
        stops.append(stop)
    assert all(stop["name"].strip() for stop in stops)
    assert all(stop["outline"] != "none" for stop in stops)
    assert any(stop["lanes"] for stop in stops)
    assert any(stop["search"] for stop in stops)


def test_what_helps_those_who_cannot_see_is_there(show: Viewer, usual: Path) -> None:
    """Roles and names of the timeline, the charts, the tables and the search."""
    page = show(usual)
    assert page.get_by_role("application", name="Timeline of the session").count() == 1
    assert page.get_by_role("toolbar", name="Timeline").count() == 1
    assert page.get_by_role("img", name="Chart: Time by tool. The table has its figures.").count() == 1
    assert page.get_by_role("search", name="Events").count() == 1
    assert page.get_by_role("navigation", name="Sections").count() == 1
    assert page.get_by_role("group", name="Colours").count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_figures_of_the_chart_over_time_are_unfolded_by_the_keyboard(show: Viewer, usual: Path) -> None:
    """What the chart shows is there as a table, too, for whoever does not see the chart."""
    page = show(usual)
    table = page.get_by_role("region", name="Calls at the same time, over time, table")
    assert table.count() == 0
    page.locator("summary").focus()
    page.keyboard.press("Enter")
    assert table.locator("tbody tr").count() > 20


# Mouse


def test_timeline_is_moved_and_asked_by_the_mouse(show: Viewer, usual: Path) -> None:
    """Dragged, zoomed with the wheel where it points, and told of what is under it."""
    page = show(usual)
    page.locator(LANES).scroll_into_view_if_needed()
    box = page.locator(LANES).bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.move(*middle)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    zoomed = seen(page)
    page.mouse.down()
    page.mouse.move(middle[0] - 200, middle[1], steps=4)
    page.mouse.up()
    assert seen(page)[0] > zoomed[0]
    page.locator(".overview").click(position={"x": 5, "y": 10})
    assert seen(page)[0] == 0


def test_long_pauses_are_folded_and_unfolded(show: Viewer, usual: Path) -> None:
    """The button says which it is."""
    page = show(usual)
    button = page.get_by_role("button", name="Fold pauses")
    before = button.get_attribute("aria-pressed")
    unfolded = pixels(page, ".lanes-canvas")
    button.click()
    seen(page)
    assert button.get_attribute("aria-pressed") != before
    assert pixels(page, ".lanes-canvas") != unfolded


# Table


def test_events_are_searched_filtered_and_sorted(show: Viewer, usual: Path) -> None:
    """By words anywhere in them, by kind, by what went wrong, by any column."""
    page = show(usual)
    rows = page.locator(".events tbody tr")
    page.get_by_role("searchbox").fill("PYTEST tests/")
    assert rows.count() == 12
    page.get_by_role("searchbox").fill("")
    page.get_by_label("only what went wrong").check()
    assert rows.count() == 4
    assert set(page.locator(".events tbody td.name").all_inner_texts()) == {"ruff"}
    page.get_by_label("only what went wrong").uncheck()
    page.get_by_label("Kind").select_option(label="model calls")
    assert rows.count() == 12
    page.get_by_label("Kind").select_option(label="all")
    page.get_by_role("button", name="Took").click()
    assert rows.first.inner_text().count("9.00 s") == 1
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Took")
    page.get_by_role("button", name="Took").click()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Took")


def test_name_in_a_table_leads_to_its_events_and_an_event_to_the_timeline(show: Viewer, usual: Path) -> None:
    """There and back."""
    page = show(usual)
    page.locator("#tools").get_by_role("button", name="grep").click()
    assert page.get_by_role("searchbox").input_value() == "grep"
    assert set(page.locator(".events tbody td.name").all_inner_texts()) == {"grep"}
    page.locator(".events tbody tr button").first.click()
    assert "tool call grep" in page.locator(".chosen").inner_text()


# Colours and paper


def test_page_is_light_and_dark_as_the_reader_has_it_or_chooses(show: Viewer, usual: Path) -> None:
    """The system's setting first; the switch is stronger; what is painted follows."""
    back = "getComputedStyle(document.body).backgroundColor"
    light, dark = show(usual, color_scheme="light"), show(usual, color_scheme="dark")
    assert light.evaluate(back) != dark.evaluate(back)
    assert pixels(light, ".lanes-canvas") != pixels(dark, ".lanes-canvas")
    dark_colour = dark.evaluate(back)
    dark.get_by_text("Light", exact=True).click()
    assert dark.evaluate(back) == light.evaluate(back)
    light.get_by_text("Dark", exact=True).click()
    assert light.evaluate(back) == dark_colour
    light.get_by_text("Auto", exact=True).click()
    assert light.evaluate(back) != dark_colour


def test_page_is_printed_in_light_colours_without_what_only_a_screen_needs(show: Viewer, usual: Path) -> None:
    """Even by whoever reads it dark."""
    page = show(usual, color_scheme="dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for hidden in ("nav", ".theme", ".controls >> nth=0", ".keys", ".events form", "details"):
        assert not page.locator(hidden).is_visible()
    assert page.get_by_role("heading", name="Timeline").is_visible()
    assert page.locator("#chart-over-time").is_visible()
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every((t) => t.offsetWidth <= document.body.offsetWidth)"
    )
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="screen")
    assert page.locator("nav").is_visible()


def test_no_figure_is_torn_by_the_end_of_a_sheet(show: Viewer, usual: Path) -> None:
    """Charts, the timeline, and tables that fit on one; headings stay with what they head, buttons in them as text."""
    page = show(usual)
    page.emulate_media(media="print")
    whole = page.locator("figure, .beside, .timeline, .short, .advice li, .cards li").all()
    assert len(whole) > 20
    assert {one.evaluate("(one) => getComputedStyle(one).breakInside") for one in whole} == {"avoid"}
    assert page.locator("h2").first.evaluate("(one) => getComputedStyle(one).breakAfter") == "avoid"
    assert page.locator("th button").first.evaluate("(one) => getComputedStyle(one).display") == "contents"
    keys = page.locator(".dot, .advice li").all()
    assert {one.evaluate("(one) => getComputedStyle(one).printColorAdjust") for one in keys} == {"exact"}
    figures = page.locator("td.number").all()[:100]
    assert {one.evaluate("(one) => getComputedStyle(one).whiteSpace") for one in figures} == {"nowrap"}


def test_texts_of_tables_can_be_read_on_a_narrow_screen(show: Viewer, usual: Path) -> None:
    """What a share means has room for several words; the names of a table stay while its figures are scrolled."""
    page = show(usual, width=400)
    widths = page.locator(".meaning").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().width)")
    assert min(widths) > 120
    table = page.get_by_role("region", name="Tools, table")
    name = table.get_by_role("button", name="pytest")
    before = name.bounding_box()["x"]
    table.evaluate("(one) => { one.scrollLeft = 150; }")
    assert table.evaluate("(one) => one.scrollLeft") > 100
    assert name.bounding_box()["x"] == before
    events = page.get_by_role("table", name="Events", exact=True)
    assert (events.get_by_role("row").count(), events.get_by_role("columnheader").count()) == (99, 6)
    assert events.get_by_role("cell").count() == 98 * 6
    for row in events.get_by_role("row").all()[1:20]:
        assert row.bounding_box()["height"] < 100
        time, took = (row.get_by_role("cell").nth(at).bounding_box() for at in (0, 3))
        assert time["x"] + time["width"] < took["x"]
        assert row.locator("button").evaluate("(one) => one.scrollWidth <= one.parentElement.clientWidth")


@pytest.mark.parametrize("width", [400, 768, 1280])
def test_page_fits_the_width_of_a_screen(show: Viewer, usual: Path, width: int) -> None:
    """Tables scroll in themselves; the page does not."""
    page = show(usual, width=width)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


# Long sessions


def test_page_of_a_million_events_opens_and_answers(show: Viewer, tmp_path: Path) -> None:
    """It shows what failed and the longest, counts the rest, and is as light as any."""
    selection = Selection(0.0, 20_000.0)
    for number in range(999_999):
        selection.feed(ToolEvent("fast", {"n": number}, 7, timestamp=number / 50, seq=number + 1))
    selection.feed(ToolEvent("needle", {}, 60_000, timestamp=15_000.0, seq=1_000_000))
    figures = profile(20_000_000, wall={"tool_ms": 6_000_000}, tools={"fast": tool(5_900_000), "needle": tool(60_000)})
    path = tmp_path / "million.html"
    path.write_bytes(page_of(Report("million.jsonl", 0.0, "finished", figures, advise(figures), selection.finish())))
    assert path.stat().st_size <= LARGEST_BYTES
    page = show(path)
    assert page.evaluate(READY)
    assert "10,000 of 1,000,000 events" in page.locator(".aggregated").inner_text()
    found, searched = page.locator(".found"), page.locator(".searched")
    assert found.inner_text() == "10,000 of 10,000 rows, 1 to 100 shown."
    assert "rows for 10,000 of 1,000,000" in searched.inner_text()
    page.get_by_role("searchbox").fill("needle")
    assert page.locator(".events tbody tr").count() == 1
    assert "Of those, this finds none." in searched.inner_text()
    page.get_by_role("searchbox").fill("Fast")
    assert "this finds 990,000 tool calls “fast”." in searched.inner_text()
    page.get_by_label("Kind").select_option(label="tool calls")
    assert "this finds 990,000 tool calls “fast”." in searched.inner_text()
    page.get_by_role("searchbox").fill("")
    page.locator(LANES).focus()
    whole = seen(page)
    page.keyboard.press("+")
    assert seen(page) != whole
