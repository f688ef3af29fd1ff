"""`deia report`: where pages go, what is said, and what is never overwritten."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from deia import system
from deia.cli import report as command
from deia.report import library
from deia.report import page as page_module
from support.command_line import runner
from support.journals import Lines, journal_path


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run `deia report` in this process and in a directory of its own, with a library of one line."""
    for module in (command, page_module):
        monkeypatch.setattr(module, "charts_code", lambda: "/* charts */")
    monkeypatch.chdir(tmp_path)
    return runner(capsys, monkeypatch, "report")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A session with a bottleneck."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(lines.begin("build") + lines.tool("ls", 10, at=1) + lines.complete(1, "build", at=9))
    return path


def test_page_goes_where_it_is_wanted_and_the_command_says_what_to_fix(report: Any, log: Path, tmp_path: Path) -> None:
    """`report.html` here, unless told otherwise."""
    done = report(log)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == str(log)
    assert done.out.splitlines()[1].startswith("Page  report.html (")
    assert "build is a bottleneck" in done.out
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!doctype html>")
    (tmp_path / "there").mkdir()
    assert report(log, "-o", "there/x.html").code == 0
    assert (tmp_path / "there" / "x.html").exists()


def test_page_is_readable_by_its_owner_only(report: Any, log: Path, tmp_path: Path) -> None:
    """As the log is, whose content it has."""
    report(log)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600


def test_page_replaces_an_older_one_and_leaves_nothing_else_behind(report: Any, log: Path, tmp_path: Path) -> None:
    """At once: a browser never loads half of it."""
    report(log)
    first = (tmp_path / "report.html").stat().st_ino
    assert report(log).code == 0
    assert (tmp_path / "report.html").stat().st_ino != first
    assert sorted(path.name for path in tmp_path.iterdir()) == [log.name, "report.html"]


def test_page_that_cannot_be_written_leaves_the_older_one_and_nothing_else(
    report: Any, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, say, in the last step."""
    report(log)
    before = (tmp_path / "report.html").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(system, "rename", fail)
    done = report(log)
    assert done.code == 2
    assert "No space left on device" in done.err
    assert (tmp_path / "report.html").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [log.name, "report.html"]


def test_index_that_cannot_be_written_is_told(report: Any, log: Path, tmp_path: Path) -> None:
    """The pages are there all the same."""
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("mine")
    done = report(log, "-o", "pages")
    assert done.code == 2
    assert "is no page: it is not overwritten" in done.err
    assert (tmp_path / "pages" / f"{log.stem}.html").exists()


@pytest.mark.parametrize("logs", [1, 2])
def test_no_directory_is_made_on_the_way_to_a_page_and_the_error_names_the_page(
    report: Any, log: Path, tmp_path: Path, logs: int
) -> None:
    """As `deia export` has it; the directory of several pages is made, but not what it should lie in."""
    target = tmp_path / "none" / "x.html"
    refused = report(*[log] * logs, "-o", target)
    assert refused.code == 2
    assert refused.err.splitlines()[0].startswith(f"deia: {target}")
    assert refused.err.splitlines()[0].endswith(": No such file or directory")
    assert not (tmp_path / "none").exists()


def test_file_that_is_no_page_is_not_overwritten(report: Any, log: Path) -> None:
    """A session log, say, by a slip of the hand."""
    before = log.read_bytes()
    done = report(log, "-o", log)
    assert done.code == 2
    assert "is no page: it is not overwritten" in done.err
    assert log.read_bytes() == before


def test_several_files_get_a_page_each_and_an_index(report: Any, log: Path, tmp_path: Path) -> None:
    """Called like their logs, and numbered where two have one name; the index leads to them."""
    other = tmp_path / "other"
    other.mkdir()
    (other / log.name).write_bytes(log.read_bytes())
    done = report(log, other / log.name)
    assert done.code == 0
    pages = tmp_path / "report"
    names = [f"{log.stem}-2.html", f"{log.stem}.html", "index.html"]
    assert sorted(os.listdir(pages)) == names
    index = (pages / "index.html").read_text("utf-8")
    assert f'href="./{names[0]}"' in index
    assert f'href="./{names[1]}"' in index
    assert "script-src 'none'" in index.replace("&#x27;", "'")
    assert done.out.endswith(f"{os.path.join('report', 'index.html')} leads to them.\n")


def test_directory_is_filled_even_with_one_page(report: Any, log: Path, tmp_path: Path) -> None:
    """Where the directory is there."""
    (tmp_path / "pages").mkdir()
    assert report(log, "-o", "pages").code == 0
    assert sorted(os.listdir(tmp_path / "pages")) == [f"{log.stem}.html", "index.html"]


def test_log_that_cannot_be_read_hides_no_other(report: Any, log: Path, tmp_path: Path) -> None:
    """It is one line on standard error, and the exit code tells."""
    (tmp_path / "notes.txt").write_text("not a log\n")
    done = report(tmp_path / "missing.jsonl", log, tmp_path / "notes.txt", "-o", "pages")
    assert done.code == 2
    assert len(done.err.splitlines()) == 2
    assert (tmp_path / "pages" / f"{log.stem}.html").exists()


def test_damaged_log_gets_its_page_and_exit_code_1(report: Any, log: Path) -> None:
    """What can be read is there, and the page says what cannot."""
    with log.open("ab") as file:
        file.write(b"#\n")
    done = report(log)
    assert done.code == 1
    assert "The log is damaged" in done.out


def test_json_tells_what_was_made(report: Any, log: Path, tmp_path: Path) -> None:
    """One object per file: the page, its size, what became of the session, and the advice."""
    (made, missing) = json.loads(report("--json", log, tmp_path / "missing.jsonl").out)
    assert missing["error"].endswith("No such file or directory")
    page = tmp_path / made["page"]
    assert page.stat().st_size == made["bytes"]
    assert (made["path"], made["state"], made["events"]) == (str(log), "finished", 3)
    assert made["advice"][0]["title"] == "build is a bottleneck"
    assert made["advice"][0]["at_stake_ms"] == 9000


def test_missing_library_is_said_in_one_line_before_anything_is_read(
    report: Any, monkeypatch: pytest.MonkeyPatch, log: Path, tmp_path: Path
) -> None:
    """With what to install."""
    monkeypatch.setattr(command, "charts_code", library.charts_code)
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    done = report(log)
    assert (done.code, done.out) == (2, "")
    assert done.err == "deia: the report needs chartkick and rjsmin: python -m pip install 'deia[report]'\n"
    assert not (tmp_path / "report.html").exists()
