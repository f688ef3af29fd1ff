"""The table of events in DuckDB: the same as our reader's, whichever way a log took."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import SessionLogger, analyze_session, profile_session
from deia.analysis.usage import together
from deia.export.columns import ALL, COLUMNS
from deia.export.csv_table import csv_table
from deia.export.regular import is_regular
from deia.export.views import VIEWS
from deia.journal.segments import Listings
from support.exports import exported, sources_of, table_in, table_of
from support.hostile import HOSTILE, hostile_lines
from support.journals import START, Lines, encode, journal_path, write_queue

duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed: queries and Parquet are not tested")
database = pytest.importorskip("deia.export.database")
query = pytest.importorskip("deia.export.query")
needed = pytest.importorskip("deia.export.needed")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


def answer(sql: str, *paths: Path) -> list[tuple[Any, ...]]:
    with query.asked(sources_of(*paths), sql) as result:
        return result.take(sys.maxsize)


def regular(journal: Path) -> None:
    """Write a log with a line of every kind, as our loggers do."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("build", metadata={"a": {"b": [1, 2.5, None, "ü\n"]}})
        + lines.tool("pytest", 5, params={"path": "tests/", "error": "exit 1"}, at=1, task_id=1)
        + lines.tool("git", 7, error_type="OSError", error="gone", at=2)
        + lines.tool("slow", 9, cancelled=True, at=2)
        + lines.file("write", "/b", at=3, lines=3)
        + lines.llm("opus", at=4, input_tokens=5, response_id="r")
        + lines.message("user", [{"text": "hi"}], at=5)
        + lines.error("boom", at=6, where="a.py:3", traceback="…")
        + lines.decision(at=7, alternatives=[])
        + lines.action_item(at=8)
        + lines.complete(1, "build", at=9, metadata={})
        + lines.complete(None, "lost", at=9, orphan=True)
        + lines.begin("open", at=10)
    )


def test_regular_log_is_read_where_it_lies_and_gives_what_our_reader_does(
    journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No copy is made of it."""
    regular(journal)
    monkeypatch.setattr(database._Logs, "_copy", lambda *_: pytest.fail("it was copied"))
    assert is_regular(str(journal), Listings())
    assert table_in(journal) == table_of(journal)


def test_mended_copy_gives_the_same_as_the_log_itself(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement reads both."""
    regular(journal)
    monkeypatch.setattr(database, "is_regular", lambda path, listings: False)
    assert table_in(journal) == table_of(journal)


def test_log_that_a_logger_wrote_is_regular(tmp_path: Path) -> None:
    """Nearly all are."""
    with SessionLogger("agent", "written", output_dir=tmp_path) as log:
        with log.task("plan"), pytest.raises(ZeroDivisionError), log.tool("divide"):
            1 / 0  # noqa: B018  # a tool that fails
        log.log_llm_call("anthropic", "opus", input_tokens=3)
        log.log_message("user", "hello")
    assert is_regular(str(log.path), Listings())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path, lines: path.write_bytes(path.read_bytes() + lines.continued(2)), id="continued"),
        pytest.param(lambda path, lines: path.write_bytes(Lines().continued(2)), id="of a later run"),
        pytest.param(lambda path, lines: path.write_bytes(path.read_bytes() + lines.dropped(3)), id="dropped"),
        pytest.param(lambda path, lines: path.write_bytes(path.read_bytes()[:-1]), id="torn"),
        pytest.param(lambda path, lines: write_queue(path, path.read_bytes() + lines.tool("waits")), id="open"),
        pytest.param(lambda path, lines: path.write_bytes(b"#\n" + path.read_bytes()), id="damaged"),
        pytest.param(lambda path, lines: path.write_bytes(path.read_bytes() + lines.line({"type": "Mine"})), id="own"),
        pytest.param(lambda path, lines: path.write_bytes(b""), id="empty"),
    ],
)
def test_log_that_needs_our_reader_gets_it(journal: Path, change: Callable[[Path, Lines], object]) -> None:
    """And gives what that finds: lines of the queue file, of damaged and of continued sessions."""
    lines = Lines()
    journal.write_bytes(lines.tool("first") + lines.tool("second"))
    change(journal, lines)
    assert not is_regular(str(journal), Listings())
    assert table_in(journal) == table_of(journal)


def test_settings_of_the_database_are_locked_before_anything_is_asked(journal: Path) -> None:
    """And with them what is closed: files, and whatever else lies outside."""
    regular(journal)
    settings = "SELECT current_setting('lock_configuration'), current_setting('enable_external_access')"
    assert answer(settings, journal) == [(True, False)]


def test_path_that_would_be_a_pattern_means_one_file(tmp_path: Path) -> None:
    """A star in a name matches nothing else."""
    for name in ("a*.jsonl", "ab.jsonl", "it's [1].jsonl"):
        (tmp_path / name).write_bytes(Lines("agent", name).tool())
    assert answer("SELECT session_id FROM events", tmp_path / "a*.jsonl") == [("a*.jsonl",)]
    assert answer("SELECT session_id FROM events", tmp_path / "it's [1].jsonl") == [("it's [1].jsonl",)]


def test_line_that_only_seems_regular_is_read_by_our_reader_after_all(journal: Path) -> None:
    """A name that stands twice, a number of 64 bits, a field of another event with something else in it."""
    lines = Lines()
    twice = lines.tool("first").replace(b'{"type"', b'{"name":"zero","type"')
    journal.write_bytes(twice + lines.tool("big", 2**63 + 5) + lines.tool("odd", lines="many"))
    assert table_in(journal) == table_of(journal)
    assert [row.get("duration_ms") for row in table_in(journal)] == [5, None, 5]


def test_tasks_pair_a_start_with_its_end(journal: Path) -> None:
    """One row each, with what became of it; given durations win over the clock."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("done")
        + lines.complete(1, "done", at=2, duration_ms=500)
        + lines.begin("failed", at=2)
        + lines.complete(3, "failed", began=2, at=3, error_type="ValueError", error="no")
        + lines.begin("stopped", at=3)
        + lines.complete(5, "stopped", began=3, at=4, cancelled=True)
        + lines.complete(None, "lost", at=5, orphan=True)
        + lines.begin("open", at=6)
        + encode({"name": "old", "start_time": START, "end_time": START + 1.5})
        + encode({"name": "old and open", "start_time": START, "end_time": None})
    )
    found = answer("SELECT name, state, duration_ms, task_id FROM tasks ORDER BY line", journal)
    assert found == [
        ("done", "completed", 500, 1),
        ("failed", "failed", 1000, 3),
        ("stopped", "cancelled", 1000, 5),
        ("lost", "orphan", 5000, None),
        ("open", "open", None, 8),
        ("old", "completed", 1500, None),
        ("old and open", "open", None, None),
    ]


def test_failed_tool_calls_are_those_of_the_analysis(journal: Path) -> None:
    """By an `error` on the line, or a true one among the parameters, as the original format has it."""
    lines = Lines()
    journal.write_bytes(
        b"".join(
            [
                lines.tool("a", params={"error": "x"}),
                lines.tool("a", params={"error": ""}),
                lines.tool("a", params={"error": None}),
                lines.tool("a", params={"error": [1]}),
                lines.tool("a", params={"error": 0}),
                lines.tool("a", error_type="E", error="x"),
                lines.tool("a"),
            ]
        )
    )
    assert answer("SELECT failed FROM tools ORDER BY line", journal) == [
        (failed,) for failed in (True, False, False, True, False, True, False)
    ]
    assert analyze_session(journal).tools["a"].errors == 3
    assert answer("SELECT count(*) FROM errors WHERE source = 'tool'", journal) == [(3,)]


def test_tokens_and_cost_count_once_for_each_response(journal: Path) -> None:
    """By the last line that has it."""
    lines = Lines()
    journal.write_bytes(
        lines.llm(input_tokens=1, response_id="r")
        + lines.llm(input_tokens=5, response_id="r")
        + lines.llm(input_tokens=10)
    )
    assert answer("SELECT sum(input_tokens) FROM models WHERE counted", journal) == [(15,)]
    assert answer("SELECT model_calls, input_tokens, cost_usd FROM sessions", journal) == [(2, 15, 0.5)]


def test_each_figure_of_a_response_is_that_of_the_last_line_that_has_it(journal: Path) -> None:
    """As in the analysis; what is negative is none. Responses of other sessions and files are others."""
    lines = Lines()
    journal.write_bytes(
        lines.llm(input_tokens=5, output_tokens=1, cost_usd=1.0, response_id="r")
        + lines.llm(input_tokens=7, output_tokens=2, cost_usd=2.0)
        + lines.llm(input_tokens=-6, output_tokens=9, cost_usd=None, cache_read_tokens=4, response_id="r")
        + lines.llm(input_tokens=None, output_tokens=None, cost_usd=None)
    )
    of = together(analyze_session(journal).models.values())
    figures = [(of.calls, of.input_tokens, of.output_tokens, of.cost_usd)]
    assert figures == [(3, 12, 11, 3.0)]
    assert answer("SELECT model_calls, input_tokens, output_tokens, cost_usd FROM sessions", journal) == figures
    sums = "count(*), sum(input_tokens), sum(output_tokens), sum(cost_usd)"
    assert answer(f"SELECT {sums} FROM models WHERE counted", journal) == figures
    assert answer("SELECT line, cache_read_tokens FROM models WHERE counted ORDER BY line", journal) == [
        (2, None),
        (3, 4),
        (4, None),
    ]


def test_figures_that_cannot_be_take_nothing_from_those_of_a_session(journal: Path) -> None:
    """What is negative is in no sum, as in the profile; the row of the call has it as it was recorded."""
    lines = Lines()
    journal.write_bytes(
        lines.llm(input_tokens=10, output_tokens=2)
        + lines.llm(input_tokens=-4, output_tokens=-1, cost_usd=-3.0)
        + lines.tool(duration_ms=20)
        + lines.tool(duration_ms=-5)
    )
    assert answer("SELECT min(input_tokens) FROM models", journal) == [(-4,)]
    answered = answer("SELECT model_calls, input_tokens, output_tokens, cost_usd, tool_ms FROM sessions", journal)
    assert answered == [(2, 10, 2, 0.25, 20)]


def test_sessions_have_the_figures_of_the_analysis(journal: Path) -> None:
    """Counts exactly."""
    regular(journal)
    analysis = analyze_session(journal)
    names = "events, runs, tasks, open_tasks, tool_calls, tool_ms, files_read, files_written, dropped"
    assert answer(f"SELECT {names} FROM sessions", journal) == [
        (
            analysis.events,
            analysis.runs,
            analysis.tasks_completed,
            len(analysis.open_tasks),
            sum(tool.count for tool in analysis.tools.values()),
            sum(tool.total_ms for tool in analysis.tools.values()),
            0,
            1,
            analysis.dropped,
        )
    ]
    assert answer("SELECT epoch(began), span_ms FROM sessions", journal) == [(START, 10_000)]


def test_session_begins_where_it_was_opened(tmp_path: Path) -> None:
    """As in the analysis and in the profile, though its first event came later; whichever way the log took."""
    whole, torn = journal_path(tmp_path, "a", "whole"), journal_path(tmp_path, "a", "torn")
    for journal, end in ((whole, b""), (torn, b"#")):
        lines = Lines("a", journal.stem.removeprefix("a_"))
        journal.write_bytes(lines.tool(at=7, session_start=START + 2) + lines.tool(at=10) + end)
        assert is_regular(str(journal), Listings()) is not end.startswith(b"#")
        assert analyze_session(journal).session_time_ms == profile_session(journal).span_ms == 8000
    assert answer("SELECT epoch(began), span_ms FROM sessions", whole, torn) == [(START + 2, 8000)] * 2


def test_time_of_a_line_that_is_not_ours_is_no_moment_of_the_session(journal: Path) -> None:
    """What another program calls a timestamp may be milliseconds; the analysis does not take it for one either."""
    lines = Lines()
    journal.write_bytes(
        lines.tool(at=0) + lines.tool(at=5) + encode({"type": "Theirs", "timestamp": START + 99, "session_id": "s"})
    )
    spans = [span for (span,) in answer("SELECT span_ms FROM sessions WHERE session_id <> 's'", journal)]
    assert spans == [analyze_session(journal).session_time_ms] == [5000]
    assert answer("SELECT span_ms FROM sessions WHERE session_id = 's'", journal) == [(None,)]


def test_sources_of_errors_are_told_apart(journal: Path) -> None:
    """Recorded errors, and what failed."""
    regular(journal)
    assert answer("SELECT source, name, message FROM errors ORDER BY line", journal) == [
        ("tool", "pytest", "exit 1"),
        ("tool", "git", "gone"),
        ("error", None, "boom"),
    ]


def test_errors_are_as_many_as_those_of_the_profile(journal: Path) -> None:
    """Whatever failed, and whether its kind or its words are told."""
    lines = Lines()
    journal.write_bytes(
        lines.tool(error="no")
        + lines.begin()
        + lines.complete(2, error="no")
        + lines.llm(error_type="Timeout")
        + lines.llm(error="")
        + lines.error()
    )
    assert profile_session(journal).error_count == 5
    assert answer("SELECT errors FROM sessions", journal) == [(5,)]


def test_text_of_messages_is_text_and_their_parts_are_json(tmp_path: Path) -> None:
    """Whichever the content is."""
    journal = journal_path(tmp_path)
    lines = Lines()
    journal.write_bytes(lines.message("user", "hello") + lines.message("assistant", [{"text": "hi"}]))
    assert answer("SELECT text, content ->> '$[0].text' FROM messages ORDER BY line", journal) == [
        ("hello", None),
        (None, "hi"),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{other}')",
        "SELECT * FROM read_csv('{other}')",
        "SELECT * FROM glob('{directory}/*')",
        "SELECT * FROM '{other}'",
        "FROM read_json('{journal}')",
    ],
)
def test_question_reads_nothing_but_the_sessions(journal: Path, tmp_path: Path, sql: str) -> None:
    """No file, not even the log itself."""
    journal.write_bytes(Lines().tool())
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")
    with pytest.raises(duckdb.Error):
        answer(sql.format(other=other, directory=tmp_path, journal=journal), journal)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY events TO '{other}'",
        "DROP TABLE events",
        "SET enable_external_access = true",
        "ATTACH '{other}'",
        "INSTALL httpfs",
        "SELECT 1; DROP TABLE events",
        "",
        "CREATE TABLE a AS SELECT 1",
    ],
)
def test_question_changes_nothing(journal: Path, tmp_path: Path, sql: str) -> None:
    """One statement that reads; the log is as it was, and no file is made."""
    journal.write_bytes(Lines().tool())
    before = journal.read_bytes()
    with pytest.raises(query.NotAQueryError):
        answer(sql.format(other=tmp_path / "other"), journal)
    with pytest.raises(query.NotAQueryError):
        query.check(sql.format(other=tmp_path / "other"))
    assert [path.name for path in tmp_path.iterdir()] == [journal.name]
    assert journal.read_bytes() == before


def test_wrong_question_is_found_out_before_a_log_is_read() -> None:
    """A name that is not there, a type that does not fit, no SQL at all."""
    for sql in ("SELECT nam FROM tools", "SELECT name + 1 FROM tools", "SELEC", "SELECT * FROM tasksss"):
        with pytest.raises(duckdb.Error):
            query.check(sql)
    query.check("SELECT name FROM tools")
    query.check("DESCRIBE tools")
    query.check("EXPLAIN SELECT 1")


def test_nothing_is_left_of_a_question(journal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database and the mended copies lie in a directory that goes."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    journal.write_bytes(b"#\n" + Lines().tool())
    with database.events_of(sources_of(journal)):
        assert [path.stat().st_mode & 0o777 for path in scratch.iterdir()] == [0o700]
    assert list(scratch.iterdir()) == []


def test_parquet_is_the_same_table(journal: Path, tmp_path: Path) -> None:
    """Of regular and of other logs."""
    regular(journal)
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(b"#\n" + Lines("agent", "odd").tool(params={"a": 1}))
    target = tmp_path / "events.parquet"
    target.touch()
    database.parquet(sources_of(journal, odd), target)
    with duckdb.connect() as connection:
        found = connection.execute(f"DESCRIBE FROM '{target}'").fetchall()
        assert [row[0] for row in found] == [column.name for column in COLUMNS]
        counts = f"SELECT file, count(*) FROM '{target}' GROUP BY ALL ORDER BY ALL"
        assert connection.execute(counts).fetchall() == [(str(journal), 13), (str(odd), 1)]
        assert connection.execute(f"SELECT params ->> '$.a' FROM '{target}' WHERE file = '{odd}'").fetchall() == [
            ("1",)
        ]


def test_hostile_values_come_back_from_parquet_and_from_csv(journal: Path, tmp_path: Path) -> None:
    """Quotes, separators, control characters, markup: none of them is another cell or row."""
    lines = Lines("agent", "odd")
    odd = ["a,b", 'a"b', "a\rb", "a\r\nb", "'", "NULL", "\\N", "1e5", "true", " ", "\ufeffx", "\x00", "=cmd()|'/C'!A0"]
    journal.write_bytes(hostile_lines() + b"".join(lines.tool(text, params={text: text}) for text in odd))
    table, cells = tmp_path / "events.parquet", tmp_path / "events.csv"
    table.touch()
    database.parquet(sources_of(journal), table)
    cells.write_bytes(exported(csv_table, journal))
    expected = [(row["line"], row.get("name"), row.get("params")) for row in table_of(journal)]
    assert {name for _, name, _ in expected} >= {*odd, *HOSTILE}
    with duckdb.connect() as connection:
        for source in (f"'{table}'", f"read_csv('{cells}', nullstr='')"):
            rows = connection.execute(f"SELECT line, name, params FROM {source} ORDER BY line").fetchall()
            found = [(line, name, None if params is None else json.loads(params)) for line, name, params in rows]
            assert found == expected


def test_table_without_a_log_has_its_columns(tmp_path: Path) -> None:
    """A directory may be empty."""
    assert answer("SELECT count(*) FROM events") == [(0,)]
    assert answer("SELECT * FROM sessions") == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM events",
        "SELECT count(*) FROM events WHERE type = 'ToolEvent' AND duration_ms > 1",
        "SELECT * FROM events",
        "FROM tools",
        "SELECT columns('t.*') FROM events",
        "SELECT name, sum(duration_ms) FROM tools GROUP BY name HAVING count(*) FILTER (failed) < 3",
        "SELECT seq FROM events ORDER BY timestamp DESC, path",
        "SELECT a.seq FROM events AS a WHERE EXISTS (FROM events AS b WHERE b.seq = a.seq + 1 AND b.path > '')",
        "WITH x AS MATERIALIZED (SELECT name, run FROM events) SELECT DISTINCT p.name FROM x AS p JOIN x USING (run)",
        "SELECT name, row_number() OVER (PARTITION BY operation ORDER BY size_bytes) FROM events",
        "SELECT e.params ->> '$.path', e['name'] FROM (SELECT events AS e FROM events)",
        "SELECT name FROM events UNION ALL SELECT path FROM files UNION SELECT state FROM tasks",
        "SELECT rowid, line FROM events WHERE metadata IS NOT NULL",
        "SUMMARIZE SELECT name, lines FROM events",
        "DESCRIBE events",
        "SELECT 1",
        *(f"SELECT * FROM {view}" for view in VIEWS),
    ],
)
def test_answer_is_the_same_as_if_all_columns_were_read(
    journal: Path, sql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the columns that a question looks at are read; of a log that is regular, and of one that is not."""
    odd = journal.with_name("odd.jsonl")
    regular(journal)
    odd.write_bytes(b"#\n" + journal.read_bytes())
    found = answer(sql, journal, odd)
    monkeypatch.setattr(query, "needed_columns", lambda _sql: ALL)
    assert sorted(map(repr, found)) == sorted(map(repr, answer(sql, journal, odd)))


def test_question_reads_only_the_columns_that_it_looks_at() -> None:
    """Those of its conditions, its order and its views included."""
    assert needed.needed_columns("SELECT count(*) FROM events") == frozenset()
    assert needed.needed_columns("SELECT name FROM tools WHERE duration_ms > 1") == {"name", "duration_ms", "type"}
    assert needed.needed_columns("SELECT seq FROM events ORDER BY path") == {"seq", "path"}
    assert needed.needed_columns("SELECT * FROM events") == ALL
    assert needed.needed_columns("SELECT events FROM events") == ALL
    assert needed.needed_columns("EXPLAIN SELECT name FROM tools") == ALL
