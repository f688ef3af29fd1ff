"""`deia export` and `deia query`: what they print where, what they write, and how they exit."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from deia.cli import extras
from deia.export.chrome import chrome
from deia.export.csv_table import csv_table
from deia.export.otlp import otlp
from deia.export.speedscope import speedscope
from support.command_line import Run, runner
from support.exports import sources_of
from support.journals import Lines, journal_path

needs_duckdb = pytest.mark.skipif(
    importlib.util.find_spec("duckdb") is None, reason="DuckDB is not installed: queries are not tested"
)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `deia` in this process; `terminal=True` makes it believe that it writes to one."""
    return runner(capsys, monkeypatch)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A short session."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(
        lines.begin("build") + lines.tool("compile", 400, at=5, task_id=1) + lines.complete(1, "build", at=6)
    )
    return path


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A log of three lines, the second of which cannot be read."""
    path = tmp_path / "damaged.jsonl"
    lines = Lines("agent", "damaged")
    first, second, third = lines.tool(), lines.tool(), lines.tool()
    path.write_bytes(first + b"#" + second[1:] + third)
    return path


# export


@pytest.mark.parametrize("format_", ["chrome", "speedscope"])
def test_export_writes_one_document_to_standard_output(cli: Run, log: Path, format_: str) -> None:
    """Nothing else is there."""
    code, out, err = cli("export", "--to", format_, log)
    assert (code, err) == (0, "")
    assert "build" in out
    orjson.loads(out)


def test_export_writes_the_same_to_a_file_readable_by_its_owner_only(cli: Run, log: Path, tmp_path: Path) -> None:
    """A session holds prompts and paths, and so does what is made of it."""
    out = tmp_path / "trace.json"
    assert cli("export", "--to", "chrome", log, "-o", out) == (0, "", "")
    assert out.read_text() == cli("export", "--to", "chrome", log).out
    assert out.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == [log.name, "trace.json"]


def test_export_of_a_directory_puts_all_sessions_into_one_file(
    cli: Run, log: Path, damaged: Path, tmp_path: Path
) -> None:
    """In the order of their names; what is damaged is said, and what can be read is there."""
    code, out, err = cli("export", "--to", "csv", tmp_path)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["session_id"] for row in rows] == ["session"] * 3 + ["damaged"] * 2
    assert code == 1
    assert err.count("\n") == 1
    assert f"{damaged}: a problem with the file in line 2 (byte" in err


def test_export_of_what_is_no_log_is_told_and_hides_no_other(cli: Run, log: Path, tmp_path: Path) -> None:
    """The highest exit code counts."""
    (tmp_path / "notes.txt").write_text("not a log\n")
    code, out, err = cli("export", "--to", "chrome", tmp_path / "missing.jsonl", tmp_path / "notes.txt", log)
    assert code == 2
    assert err.count("\n") == 2 + (f"{tmp_path / 'notes.txt'}: a problem" in err)
    assert "build" in out


def test_export_never_takes_the_place_of_a_log(cli: Run, log: Path, tmp_path: Path) -> None:
    """Not by another name, either."""
    content = log.read_bytes()
    link = tmp_path / "link.json"
    link.symlink_to(log)
    for out in (log, link, tmp_path / "." / log.name):
        code, _, err = cli("export", "--to", "chrome", log, "-o", out)
        assert code == 2 and "is one of the session logs" in err
    assert log.read_bytes() == content


@pytest.mark.parametrize("format_", ["chrome", "csv", pytest.param("parquet", marks=needs_duckdb)])
def test_export_json_says_what_was_written_where(
    cli: Run, log: Path, damaged: Path, tmp_path: Path, format_: str
) -> None:
    target = tmp_path / "result"
    result = cli("export", log, damaged, "--to", format_, "-o", target, "--json")
    written = result.json
    assert (result.code, written["path"], written["format"], written["events"]) == (1, str(target), format_, 5)
    assert written["bytes"] == target.stat().st_size
    fine, bad = written["sources"]
    assert fine == {"path": str(log), "damages": [], "damage_count": 0}
    assert bad["damage_count"] == len(bad["damages"]) and bad["damages"][0]["line"] == 2
    refused = cli("export", log, "--to", format_, "-o", tmp_path / "none" / "result", "--json")
    assert refused.code == 2 and "No such file" in refused.json["error"]


@pytest.mark.parametrize("format_", ["chrome", "otlp", "csv", pytest.param("parquet", marks=needs_duckdb)])
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_export_of_no_session_writes_nothing_and_says_so(
    cli: Run, tmp_path: Path, format_: str, options: list[str]
) -> None:
    """A script that goes on with the file must not take it for made."""
    empty, target = tmp_path / "empty", tmp_path / "result"
    empty.mkdir()
    said = f"deia: {empty}: no session there to export\n"
    assert cli("export", empty, "--to", format_, "-o", target, *options) == (2, "", said)
    assert not target.exists()


def test_export_json_needs_a_file(cli: Run, log: Path) -> None:
    result = cli("export", log, "--to", "csv", "--json")
    assert (result.code, result.out) == (2, "") and "name it with -o" in result.err


def test_export_that_cannot_be_written_leaves_what_was_there(cli: Run, log: Path, tmp_path: Path) -> None:
    """A directory that is missing, or is in the way."""
    (tmp_path / "there").mkdir()
    for out in (tmp_path / "missing" / "a.json", tmp_path / "there"):
        code, _, err = cli("export", "--to", "chrome", log, "-o", out)
        assert code == 2 and str(out) in err
    assert sorted(path.name for path in tmp_path.iterdir()) == [log.name, "there"]


def test_export_shows_a_terminal_nothing_that_it_would_obey(cli: Run, tmp_path: Path) -> None:
    """A file gets what stands in the log."""
    path = journal_path(tmp_path)
    path.write_bytes(Lines().tool("\x1b[2Jgone"))
    assert "\x1b" not in cli("export", "--to", "csv", path, terminal=True).out
    assert "\x1b[2Jgone" in cli("export", "--to", "csv", path).out


def test_reader_of_an_export_may_stop_early(tmp_path: Path) -> None:
    """`deia export … | head` is no error, and goes on no longer than that."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(b"".join(lines.tool(f"tool {number}") for number in range(20_000)))
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$0" -m deia export --to csv "$1" | head -n 1', sys.executable, str(path)],
        capture_output=True,
        text=True,
        env=os.environ,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("file,line,run,")
    assert done.stderr == ""


@pytest.mark.once
@pytest.mark.parametrize("write", [chrome, speedscope, otlp, csv_table])
def test_export_holds_no_session_in_memory(tmp_path: Path, write: Callable[..., Iterator[bytes]]) -> None:
    """A session of many times the length takes no more."""
    peaks = []
    for events in (600, 6_000):
        path = journal_path(tmp_path, "agent", f"of-{events}")
        lines = Lines("agent", f"of-{events}")
        path.write_bytes(b"".join(lines.tool(params={"text": "x" * 200}, at=number) for number in range(events)))
        tracemalloc.start()
        written = sum(map(len, write(sources_of(path))))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert written > events * 50
    assert peaks[1] < peaks[0] + 600_000, peaks  # a reader's chunk, and a piece that is not yet written


@needs_duckdb
def test_export_to_parquet_needs_a_file(cli: Run, log: Path, tmp_path: Path) -> None:
    """It is no text, and is not written front to back."""
    code, _, err = cli("export", "--to", "parquet", log)
    assert code == 2 and "name it with -o" in err
    out = tmp_path / "events.parquet"
    assert cli("export", "--to", "parquet", log, "-o", out) == (0, "", "")
    assert out.read_bytes().startswith(b"PAR1")
    assert out.stat().st_mode & 0o777 == 0o600


def test_what_needs_duckdb_says_what_to_install(
    cli: Run, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, and before anything is read."""
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    install = "python -m pip install 'deia[analytics]'"
    for arguments in (("query", "SELECT 1"), ("export", "--to", "parquet", log, "-o", tmp_path / "a")):
        code, out, err = cli(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert install in err


# query


@needs_duckdb
def test_query_prints_a_table_in_a_terminal_and_csv_in_a_pipe(cli: Run, log: Path) -> None:
    """So that people and programs each get what they read."""
    sql = "SELECT name, duration_ms FROM tools"
    assert cli("query", sql, log).out == "name,duration_ms\ncompile,400\n"
    shown = cli("query", sql, log, terminal=True).out
    assert "," not in shown and "compile" in shown and "duration_ms" in shown
    assert cli("query", "--csv", sql, log, terminal=True).out == "name,duration_ms\ncompile,400\n"


@needs_duckdb
def test_query_quotes_what_would_end_a_row_of_csv(cli: Run, log: Path) -> None:
    """A carriage return alone, too, as in the output of a progress bar."""
    assert cli("query", "SELECT 'a' || chr(13) || 'b' AS said, 'c' AS then", log).out == 'said,then\n"a\rb",c\n'


@needs_duckdb
def test_query_prints_json_with_the_types_of_json(cli: Run, log: Path) -> None:
    """What is JSON in the log is no text there; of two columns of one name each is there."""
    sql = "SELECT name, params, time, cancelled, 1.5 AS number, NULL AS nothing, [1, 2] AS list, 1 AS number FROM tools"
    (row,) = json.loads(cli("query", "--json", sql, log).out)
    assert row == {
        "name": "compile",
        "params": {},
        "time": "2023-11-14 22:13:25",
        "cancelled": False,
        "number": 1.5,
        "nothing": None,
        "list": [1, 2],
        "number_2": 1,
    }
    assert cli("query", "--json", "SELECT 1 WHERE false", log).out == "[]\n"


@needs_duckdb
def test_query_without_a_path_asks_the_directory_of_sessions(
    cli: Run, log: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's, or the usual one; where that is not there, nothing is asked."""
    sql = "SELECT count(*) AS sessions FROM sessions"
    code, out, err = cli("query", sql)
    assert (code, out) == (2, "") and ".deia/sessions" in err
    monkeypatch.setenv("DEIA_SESSIONS_DIR", str(log.parent))
    assert cli("query", sql).out == "sessions\n1\n"


@needs_duckdb
def test_query_that_is_wrong_is_one_line_on_standard_error(cli: Run, log: Path) -> None:
    """With what DuckDB says."""
    for sql, said in (("SELECT nam FROM tools", "nam"), ("DROP TABLE events", "only a statement that reads")):
        code, out, err = cli("query", sql, log)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err
    assert cli("query", "--memory", "lots", "SELECT 1", log).code == 2
    assert cli("query", "--json", "--csv", "SELECT 1", log).code == 2


@needs_duckdb
def test_query_over_damaged_logs_answers_and_tells(cli: Run, log: Path, damaged: Path, tmp_path: Path) -> None:
    """What can be read is asked; the exit code says that there is more."""
    code, out, err = cli("query", "SELECT count(*) AS calls FROM tools", tmp_path)
    assert (code, out) == (1, "calls\n3\n")
    assert "a problem with the file in line 2" in err


@needs_duckdb
def test_query_shows_as_many_rows_as_fit_a_screen(cli: Run, tmp_path: Path) -> None:
    """In a terminal; a pipe gets them all."""
    path = journal_path(tmp_path)
    lines = Lines()
    path.write_bytes(b"".join(lines.tool(f"tool\x1b{number}") for number in range(2500)))
    shown = cli("query", "SELECT name FROM tools", path, terminal=True).out
    assert shown.count("tool\\x1b") == 20 and "and more" in shown
    assert cli("query", "SELECT name FROM tools", path).out.count("tool") == 2500
    assert "No rows." in cli("query", "SELECT name FROM tools WHERE false", path, terminal=True).out
    values: list[Any] = json.loads(cli("query", "--json", "SELECT name FROM tools", path).out)
    assert len(values) == 2500
