"""`deia profile`: what it shows, and how it exits."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from deia.analysis.profile import first_calls, retries
from deia.queue.layout import queue_path
from deia.report.model import make_report
from support.command_line import Run, runner
from support.journals import Lines, journal_path

ESCAPE = "\x1b"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia profile` in this process; `terminal=True` makes it believe that it writes to one."""
    return runner(capsys, monkeypatch, "profile", width=200)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A session with something of everything."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(
        lines.begin("build")
        + lines.llm(duration_ms=2000, at=2, input_tokens=1000, cache_read_tokens=500, output_tokens=20)
        + lines.file("read", "/src/a.py", at=3, size_bytes=2048, duration_ms=500)
        + lines.tool("compile", 2000, at=5, params={"a": 1}, error_type="OSError", error="no space")
        + lines.tool("compile", 1000, at=6, params={"a": 1})
        + lines.message("user", at=16)
        + lines.complete(1, "build", at=17)
        + lines.begin("test", at=19)
        + lines.continued(2, at=20)
    )
    return journal


def test_profile_shows_where_the_time_went_and_what_to_fix_first(cli: Run, log: Path) -> None:
    """Plain text in a pipe: the seven shares, and a table for whatever there is."""
    code, out, err = cli(log, "--critical-path")
    assert (code, err) == (0, "")
    shown = {" ".join(line.split()) for line in out.splitlines()}
    assert {
        "Models 2.000 s 10.0 %",
        "Tools 3.000 s 15.0 %",
        "Files 0.500 s 2.5 %",
        "Waiting for a person 10.000 s 50.0 %",
        "Unattributed 1.500 s 7.5 %",
        "Idle 2.000 s 10.0 %",
        "Between runs 1.000 s 5.0 %",
        "Time: The agent waits for people",
        "p/m 1 0 0 1,000 50.0 % 20 $0.2500 2.000 s 2.000 s 2.000 s 2.000 s",
        "/src/a.py 1 0 2.0 kB 0 B 500 ms",
        'compile 2 1 1.000 s {"a":1}',
        "tool compile OSError 1 no space",
        "Models 1 call: 1,000 tokens in, 20 out, $0.2500",
        "Made again 1 retry, 1.00 s in repeated calls",
        "Critical path: its longest steps",
    } <= shown
    assert any(line.startswith("compile 2 1 3.000 s 3.000 s ") for line in shown)
    assert ESCAPE not in out


def test_json_has_every_field_of_the_profile(cli: Run, log: Path) -> None:
    """An array with one object per file, the analysis among them."""
    code, out, _ = cli(log, log, "--json")
    first, second = json.loads(out)
    assert code == 0 and first == second
    assert first["path"] == str(log)
    assert sum(first["wall"].values()) == first["span_ms"] == 20_000
    assert first["analysis"]["task_breakdown"] == {"build": 17_000}
    assert first["concurrency"] == {"0": 15_000, "1": 5000}
    assert first["critical_path"] is None


def test_figure_that_may_be_too_low_says_at_least(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above, in the table, and as data."""
    monkeypatch.setattr(first_calls, "CALLS_KEPT", 2)
    monkeypatch.setattr(retries, "FAILURES_KEPT", 2)
    lines = Lines()
    log = journal_path(tmp_path)
    content = b"".join(lines.tool(name, 1000, at=at, error="no") for at, name in enumerate("abc", 1))
    log.write_bytes(content + lines.tool("c", 1000, at=4))
    shown = {" ".join(line.split()) for line in cli(log).out.splitlines()}
    assert "Made again at least 1 retry, at least 1.00 s in repeated calls" in shown
    assert "c at least 2 1 at least 1.000 s {}" in shown
    (figures,) = json.loads(cli(log, "--json").out)
    assert figures["at_least"] == ["repeated_ms", "retries"] and figures["repeated"][0]["at_least"] is True


def test_advice_is_that_of_the_report(cli: Run, log: Path) -> None:
    """To the letter, of a session whose process died, too; a script gets it as data."""
    queue_path(log).touch()
    said = make_report(log).advice
    assert said[0].title == "The process died"
    shown = cli(log).out.splitlines()
    first = shown.index("What to fix first") + 1
    printed = shown[first : first + 2 * len(said)]
    assert [line.split(": ", 1)[1] for line in printed[::2]] == [advice.title for advice in said]
    assert printed[1::2] == [f"  {advice.text}" for advice in said]
    (document,) = json.loads(cli(log, "--json").out)
    assert document["advice"] == [asdict(advice) for advice in said]


def test_long_tables_are_cut_in_a_terminal_only(cli: Run, tmp_path: Path) -> None:
    """A pipe has them all."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(b"".join(lines.tool(f"tool-{number:02}", number, at=number) for number in range(30)))
    assert "and 10 more tools; --json has them all" in cli(journal, terminal=True).out
    plain = cli(journal).out
    assert all(f"tool-{number:02}" in plain for number in range(30)) and "more tools" not in plain


def test_hostile_names_reach_the_terminal_as_text(cli: Run, tmp_path: Path) -> None:
    """Escape sequences and line breaks of a log are shown and not obeyed."""
    lines = Lines()
    journal = journal_path(tmp_path)
    bad = f"a{ESCAPE}[31m\nb"
    journal.write_bytes(
        lines.begin(bad)
        + lines.tool(bad, params={bad: bad}, error=bad, at=1)
        + lines.tool(bad, params={bad: bad}, at=2)
        + lines.file(path=bad, at=3)
        + lines.message(bad, at=4)
        + lines.llm(bad, at=5)
    )
    out = cli(journal, "--critical-path").out
    assert ESCAPE not in out and r"a\x1b[31m\x0ab" in out


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"hello\n", 2), (None, 2), (b"", 0), (Lines().tool() + b"#\n", 1), (Lines().tool()[:20], 2)],
)
def test_exit_code_tells_of_damage_and_of_what_is_no_log(
    cli: Run, tmp_path: Path, content: bytes | None, code: int
) -> None:
    """As that of `deia analyze`; with several files the highest counts, and the others are shown."""
    journal = tmp_path / "log.jsonl"
    if content is not None:
        journal.write_bytes(content)
    good = journal_path(tmp_path)
    good.write_bytes(Lines().tool())
    result = cli(journal, good)
    assert result.code == code
    assert str(good) in result.out
    assert (result.err != "") is (code == 2)


def test_approximate_figures_are_said_to_be(cli: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a bound was reached that may have changed one."""
    from deia.analysis.profile import files

    said = "some figures are approximate"
    assert said not in cli(log).out
    monkeypatch.setattr(files, "PATHS_KEPT", 0)
    assert said in cli(log).out


def test_figures_that_were_left_out_are_said(cli: Run, tmp_path: Path) -> None:
    """Tokens and costs that cannot be."""
    journal = journal_path(tmp_path)
    journal.write_bytes(Lines().llm(input_tokens=-5, cost_usd=-1.0))
    shown = {" ".join(line.split()) for line in cli(journal).out.splitlines()}
    assert {"Models 1 call: 0 tokens in, 0 out", "Left out 2 negative numbers of tokens or dollars"} <= shown


def test_empty_session_has_a_profile(cli: Run, tmp_path: Path) -> None:
    """Of no span: shares are dashes."""
    journal = tmp_path / "log.jsonl"
    journal.write_bytes(b"")
    assert cli(journal).code == 0
    documents: list[Any] = json.loads(cli(journal, "--json").out)
    assert documents[0]["span_ms"] == 0
