"""The page of a session: what is on it, what it weighs, and that nothing in a log can become part of it but as text."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from deia.analysis.profile import first_calls, retries
from deia.journal.recovery import lock_session
from deia.queue.layout import queue_path
from deia.report import library
from deia.report import page as page_module
from deia.report.markup import Markup, join, tag, text
from deia.report.model import make_report
from deia.report.page import LARGEST_BYTES, page
from deia.report.selection import ITEMS_KEPT
from support.hostile import HOSTILE, hostile_lines, unnamed_lines
from support.journals import START, Lines, encode, journal_path, write_queue

LIBRARY = "/* charts */ function Chart() {}\n"


class Parsed(HTMLParser):
    """Elements, attributes and texts of a page, as a browser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append((self.elements[-1][1], data))
        elif self._inside != "style":
            self.texts.append(data)

    @property
    def data(self) -> Any:
        (island,) = [body for attributes, body in self.scripts if attributes.get("type") == "application/json"]
        return json.loads(island)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(autouse=True)
def charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of one line, so that pages are small here; the browser has the real one."""
    monkeypatch.setattr(page_module, "charts_code", lambda: LIBRARY)


def html_of(path: Path) -> str:
    return page(make_report(path)).decode()


def parsed(path: Path) -> Parsed:
    return Parsed(html_of(path))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_path(tmp_path)


@pytest.fixture
def log(journal: Path) -> Path:
    """A session of ten seconds, with something of everything."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("build")
        + lines.file("read", "/src/a.py", at=1)
        + lines.tool("compile", 4000, at=5, task_id=1)
        + lines.tool("compile", 500, params={"error": "no space"}, at=5, task_id=1)
        + lines.llm("m", 1500, at=6, input_tokens=1200, output_tokens=30)
        + lines.complete(1, "build", at=7)
        + lines.message("user", "go on", at=9)
        + lines.begin("test", at=9)
        + lines.error("boom", at=10)
    )
    return journal


# What is on it


def test_page_says_whose_session_it_is_and_has_its_figures(log: Path) -> None:
    """Agent, session, span, cost, tasks and tools, without a script."""
    shown = parsed(log).text
    for expected in ("agent", "session", "10.0 s", "$0.2500", "build", "compile", "/src/a.py", "p/m", "1,200"):
        assert expected in shown


def test_figure_that_may_be_too_low_says_at_least(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above, and in the table of repeated calls; where nothing was made again, too."""
    lines = Lines()
    content = b"".join(lines.tool(name, 1000, at=at, error="no") for at, name in enumerate("abc", 1))
    log.write_bytes(content)
    assert "no failed tool call was made again" in parsed(log).text
    monkeypatch.setattr(first_calls, "CALLS_KEPT", 2)
    monkeypatch.setattr(retries, "FAILURES_KEPT", 2)
    assert "at least 0 tool calls made again after a failure" in parsed(log).text
    log.write_bytes(content + lines.tool("c", 1000, at=4))
    shown = parsed(log).text
    assert "at least 1 tool call made again after a failure" in shown
    assert "at least 2" in shown and "at least 1.00 s" in shown


def test_torn_end_alone_is_no_problem_with_the_file(log: Path) -> None:
    """A crash leaves one, and no event is lost with it: it is told, and called what it is."""
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"type":"Tool')
    assert "1 torn end" in parsed(log).text
    assert "problem with the file" not in parsed(log).text
    log.write_bytes(whole + b"#\n" + b'{"type":"Tool')
    assert "1 problem with the file, and 1 torn end" in parsed(log).text


def test_page_begins_with_what_to_fix_first(log: Path) -> None:
    """Before any table; each with its words."""
    html = html_of(log)
    assert 0 < html.index("What to fix first") < html.index("<table")
    assert "build is a bottleneck" in html or "compile takes long" in html


def test_data_has_every_item_once(log: Path) -> None:
    """A task is one item, however many lines tell of it; and each has a name and a row."""
    data = parsed(log).data
    names = [data["texts"][number] for number in data["items"]["name"]]
    assert sorted(names) == ["/src/a.py", "ValueError", "build", "compile", "compile", "p/m", "test", "user"]
    assert data["total"] == len(names)
    assert {len(column) for column in data["items"].values()} == {len(names)}


def test_concurrency_over_time_is_a_chart_and_a_table(log: Path) -> None:
    """Both say what the profile says, step by step."""
    found = make_report(log).profile.concurrency_over_time
    document = parsed(log)
    (chart,) = [chart for chart in document.data["charts"] if chart["name"] == "over-time"]
    before_ms = round(found.start * 1000 - document.data["origin_ms"])
    assert chart["offsets_ms"] == [before_ms + ms for ms in found.offsets_ms]
    assert [series["values"] for series in chart["series"]] == [found.tools, found.models, found.most]
    busy = sum(map(bool, found.most))
    assert f"The figures of {busy} steps in which a call was at work" in document.text


@pytest.mark.parametrize(("calls", "label", "is_folded"), [(3, "3 calls", False), (20, "20", True)])
def test_many_calls_at_once_fit_below_their_chart(journal: Path, calls: int, label: str, *, is_folded: bool) -> None:
    """Where there are more columns than words have room for, numbers stand below them, and the table is folded away."""
    lines = Lines()
    journal.write_bytes(b"".join(lines.tool("worker", 2000 + 100 * number, at=5) for number in range(calls)))
    seen = parsed(journal)
    (chart,) = [chart for chart in seen.data["charts"] if chart["name"] == "at-once"]
    assert chart["labels"][-1] == label
    assert (f"The figures of {calls + 1} numbers of calls at once" in seen.text) == is_folded


@pytest.mark.parametrize("state", ["finished", "recording", "interrupted"])
def test_page_tells_a_running_session_from_a_finished_one_and_a_dead_one(log: Path, state: str) -> None:
    """By the queue file, which closing takes away, and its lock; with nothing left open and nothing damaged."""
    content = Lines().tool()
    log.write_bytes(content)
    if state != "finished":
        write_queue(log, content)
    fd = lock_session(queue_path(log))[0] if state == "recording" else None
    try:
        shown = parsed(log).text
    finally:
        if fd is not None:
            os.close(fd)
    assert f"agent {state} " in shown
    assert ("The process died" in shown) == (state == "interrupted")


def test_events_that_wait_in_the_queue_file_are_on_the_page(journal: Path) -> None:
    """Of a session that was killed before its journal had anything."""
    lines = Lines()
    journal.write_bytes(b"")
    write_queue(journal, lines.tool("late", 5, at=1))
    assert "late" in parsed(journal).text


@pytest.mark.parametrize("duration_ms", [10**9, 10**12, 10**18])
def test_absurd_duration_leaves_the_timeline_its_own_time_and_is_named(log: Path, duration_ms: int) -> None:
    """It is cut at the edge of the timeline; the page says so, and what its line claims."""
    usual = parsed(log).data
    assert "cut at its edge" not in parsed(log).text
    lines = Lines()
    lines.seq = 20
    log.write_bytes(log.read_bytes() + lines.tool("wrong unit", duration_ms, at=10))
    seen = parsed(log)
    assert (seen.data["origin_ms"], seen.data["end"]) == (usual["origin_ms"], usual["end"])
    assert min(start for start in seen.data["items"]["start"]) < 0
    assert "cut at its edge: tool call “wrong unit” of" in seen.text


def test_task_of_another_age_leaves_the_timeline_its_own_time(log: Path) -> None:
    """It claims to have begun in 1970, or in the year 5138, though its line was logged among the others."""
    usual = parsed(log).data
    lines = Lines()
    lines.seq = 20
    began = [
        lines.begin(name, at=10).replace(b'"start_time":%d.0' % (START + 10), b'"start_time":%d' % time)
        for name, time in (("old", 0), ("new", 10**11))
    ]
    log.write_bytes(log.read_bytes() + b"".join(began))
    seen = parsed(log)
    assert (seen.data["origin_ms"], seen.data["end"]) == (usual["origin_ms"], usual["end"])
    assert "task “old” of" in seen.text
    assert "task “new” of" in seen.text


def test_first_call_is_on_the_timeline_from_its_beginning(journal: Path) -> None:
    """It began before the log did; and a single one is never cut, however long it was."""
    lines = Lines()
    journal.write_bytes(lines.tool("long", 3_000_000, at=0) + lines.tool("short", 5, at=1))
    data = parsed(journal).data
    assert data["origin_ms"] == (START - 3000) * 1000
    journal.write_bytes(Lines().tool("single", 10**8, at=0))
    data = parsed(journal).data
    assert data["end"] * data["unit_ms"] == 10**8


def test_clock_that_was_set_by_years_is_a_pause_that_can_be_folded(journal: Path) -> None:
    """Even inside a task, where a pause else is time that nobody can explain."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("boot", at=-1e9) + lines.tool("ls", 500, at=1) + lines.complete(1, "boot", began=-1e9, at=2)
    )
    (pause,) = parsed(journal).data["pauses"]
    assert pause[1] - pause[0] > 1e9


@pytest.mark.parametrize("name", ["", " "])
def test_name_that_shows_as_nothing_is_worded_wherever_it_is_a_label(journal: Path, name: str) -> None:
    """Of tools, tasks, files and models, in tables, on charts and in the data; another program wrote the log."""
    lines = Lines()
    journal.write_bytes(
        lines.begin(name, at=0)
        + lines.tool(name, 900, at=1, task_id=1, error="bad", error_type="E")
        + lines.llm(name, 900, at=2, provider="acme", task_id=1)
        + lines.llm("opus", 900, at=3, provider=name, task_id=1)
        + lines.file("read", name, at=4, task_id=1)
        + lines.complete(1, name, at=5)
    )
    seen = parsed(journal)
    data = seen.data
    names = {data["texts"][number] for number in data["items"]["name"]}
    assert names == {"(no name)", "acme/(no name)", "(no name)/opus"}
    labels = {label for chart in data["charts"] for label in chart["labels"] if "time" in chart["name"]}
    assert "(no name)" in labels
    found = [attrs.get("data-find") for _, attrs in seen.elements if "data-find" in attrs]
    assert found
    assert all(one and one.strip() for one in found)
    assert "(no name) is a bottleneck" in seen.text or "(no name) takes long" in seen.text


def test_what_is_to_be_typed_is_code_and_a_foreign_backtick_is_a_backtick(log: Path) -> None:
    """In the advice; a name in backticks, or one with markup in them, is text."""
    lines = Lines()
    evil = "`<img src=x>` `deia recover`"
    log.write_bytes(
        lines.begin(evil, at=0)
        + b"#\n"
        + lines.tool(evil, 10, params={"a": "`x`"}, at=90, task_id=1)
        + lines.complete(1, evil, at=100)
    )
    html = html_of(log)
    advice = html[html.index('<ol class="advice">') : html.index("</ol>", html.index('<ol class="advice">'))]
    assert "<code>deia recover</code> mends a log" in advice
    assert "<code>log_llm_call</code>" in advice
    assert "`&lt;img src=x&gt;` `deia recover` is a bottleneck" in advice
    assert advice.count("<code>") == 3
    assert "<img" not in advice


def test_table_says_why_it_has_fewer_rows_than_there_are_events(log: Path) -> None:
    """A task is two events and one row; where there is none, there is nothing to say."""
    assert "the 9 events are 8 rows" in parsed(log).text
    log.write_bytes(Lines().tool())
    assert "A task is one row" not in parsed(log).text


def test_page_of_an_empty_session_is_a_page(journal: Path) -> None:
    """Nothing was recorded, and it says so; there are no shares of no time, and no timeline of nothing."""
    journal.write_bytes(b"")
    seen = parsed(journal)
    assert "Nothing was recorded." in seen.text
    assert "- of the time" not in seen.text
    assert "Where the time went" not in seen.text
    assert [attrs for _, attrs in seen.elements if attrs.get("class") == "timeline"] == [
        {"class": "timeline", "hidden": None}
    ]


def test_page_of_a_single_event_says_that_no_time_passed(journal: Path) -> None:
    """And still shows the call, which took some."""
    journal.write_bytes(Lines().tool("pytest", 2500))
    seen = parsed(journal)
    assert "No time passed between the first moment of the log and the last." in seen.text
    assert "all calls added up 2.50 s" in seen.text
    assert "- of the time" not in seen.text
    assert ("div", {"class": "timeline"}) in seen.elements


def test_page_of_a_log_in_the_original_format(tmp_path: Path) -> None:
    """Tools without a time stand in the table alone."""
    path = tmp_path / "old.jsonl"
    path.write_bytes(
        encode({"name": "write_tests", "start_time": 1697654400.123, "end_time": 1697656200.456, "metadata": {}})
        + encode({"name": "pytest", "params": {"path": "tests/"}, "duration_ms": 2500})
    )
    data = parsed(path).data
    assert sorted(data["items"]["row"]) == [-1, 0]


def test_page_of_a_compressed_log(log: Path, tmp_path: Path) -> None:
    """The same as of the plain one."""
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(log.read_bytes()))
    assert parsed(packed).data["items"] == parsed(log).data["items"]


# Nothing in a log is more than text


def test_nothing_in_a_log_becomes_an_element_an_attribute_or_a_script(journal: Path) -> None:
    """Names, paths, parameters, messages, errors, types: the page has the same elements as that of a harmless log."""
    journal.write_bytes(hostile_lines())
    seen = parsed(journal)
    assert {name for name, _ in seen.elements} <= {
        *("html", "head", "meta", "title", "link", "style", "body", "script", "noscript", "header", "nav", "main"),
        *("section", "footer", "fieldset", "legend", "label", "input", "select", "option", "form", "button", "a"),
        *("h1", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "div", "span", "code", "kbd"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "canvas", "svg", "rect"),
        *("details", "summary"),
    }
    attributes = {(name, value) for _, attrs in seen.elements for name, value in attrs.items()}
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("style", "srcdoc", "src", "action")]
    addresses = {value for name, value in attributes if name == "href"}
    assert all(value and value.startswith(("#", "data:image/svg+xml,")) for value in addresses)
    assert len(seen.scripts) == 3  # the data, the library, ours


def test_data_cannot_end_its_element_and_is_the_text_that_was_logged(journal: Path) -> None:
    """Neither `<` nor `>` nor `&` stands in it, nor a line separator; read as JSON it has them again."""
    journal.write_bytes(hostile_lines())
    html = html_of(journal)
    (island,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(island)
    texts = json.loads(island)["texts"]
    assert HOSTILE[0] in texts
    assert "__proto__" in texts


def test_browser_is_told_to_run_our_scripts_alone(log: Path) -> None:
    """By their hashes; nothing may be fetched, sent, evaluated, or parsed as HTML."""
    seen = parsed(log)
    (policy,) = [attrs["content"] for _, attrs in seen.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    code = [body for attributes, body in seen.scripts if not attributes]
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'" for body in code]
    assert rules.pop("script-src").split() == hashes
    assert rules.pop("style-src").startswith("'sha256-")
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_page_of_numbers_that_no_session_has_is_a_page(journal: Path) -> None:
    """Times before all and after all, durations without end."""
    journal.write_bytes(unnamed_lines())
    data = parsed(journal).data
    assert all(abs(place) <= 2**53 for place in data["items"]["start"] if place is not None)


def test_what_is_no_markup_is_escaped_wherever_it_is_put() -> None:
    """As a child, in a list, as an attribute, joined; what was made by us stays."""
    evil = "<a href='x'>&\u202e"
    safe = "&lt;a href=&#x27;x&#x27;&gt;&amp;\\u202e"
    assert tag("p", evil, [evil, None], title=evil) == f'<p title="{safe}">{safe}{safe}</p>'
    assert join([evil, tag("b", 5)]) == f"{safe}<b>5</b>"
    assert text(evil) == safe
    assert tag("input", disabled=True, hidden=False, value=None) == "<input disabled>"
    assert isinstance(tag("p"), Markup)


# What it weighs


@pytest.mark.once
def test_page_is_within_its_bounds_whatever_the_names_hold(journal: Path) -> None:
    """Ten thousand events with long names that are longer still when they are escaped: texts are cut, then items go."""
    lines = Lines()
    with journal.open("wb") as file:
        for number in range(ITEMS_KEPT):
            file.write(lines.tool(f"{number}{'<' * 200}", 5, params={"p": f"{number}{'&' * 300}"}, at=number / 10))
    html = html_of(journal)
    assert len(html.encode()) <= LARGEST_BYTES
    data = Parsed(html).data
    assert 0 < len(data["items"]["kind"]) < ITEMS_KEPT
    assert data["total"] == ITEMS_KEPT
    named = sum(number for _, _, number in data["rest_names"])
    assert named + len(data["items"]["kind"]) == ITEMS_KEPT


def test_page_of_more_events_than_it_shows_counts_the_rest(journal: Path) -> None:
    """The longest are items, and the counts add up to all of them."""
    lines = Lines()
    with journal.open("wb") as file:
        for number in range(ITEMS_KEPT + 500):
            file.write(lines.tool("t", 100 if number % 2 else 1, at=number))
    data = parsed(journal).data
    assert len(data["items"]["kind"]) == ITEMS_KEPT
    assert data["total"] == ITEMS_KEPT + 500
    assert [sum(counts) for _, counts in data["rest"]["counts"]] == [500]
    assert [(data["texts"][name], number) for _, name, number in data["rest_names"]] == [("t", 500)]


# The library


def test_library_is_read_from_its_package_and_can_stand_in_a_page() -> None:
    """Nothing in it ends the element, it makes no code of texts, and it is not the greater part of a page."""
    pytest.importorskip("chartkick", reason="the extra report is not installed")
    pytest.importorskip("rjsmin", reason="the extra report is not installed")
    code = library.charts_code()
    assert "Chart.js v4" in code
    assert not re.search(r"</script|<!--|\beval\(|new Function\(|\.innerHTML\b", code)
    assert len(code.encode()) < LARGEST_BYTES // 2


def test_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(
        library.ChartsMissingError, match=r"^the report needs chartkick and rjsmin: .*'deia\[report\]'$"
    ):
        library.charts_code()
