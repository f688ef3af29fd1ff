"""How long a file operation took: recorded where it was measured, and nowhere else."""

from __future__ import annotations

import enum
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deia import AsyncSessionLogger, FileEvent, SessionLogger, analyze_session, system
from deia.analysis.plain_lane import read_stretch
from deia.testing import FakeClock
from support import planted
from support.journals import Lines
from support.lines import lines_of

URL = planted.BY_FORM["url-password"][0]


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[SessionLogger]:
    """A new logger; closed after the test."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
    yield logger
    logger.close()


def lines(logger: SessionLogger) -> list[dict[str, Any]]:
    logger.flush()
    return lines_of(logger.path)


def test_line_has_a_duration_only_where_one_was_given(logger: SessionLogger) -> None:
    """Between what the caller gave and what is ours; a line without is as it ever was."""
    logger.log_file_read("/a", 5, duration_ms=7)
    logger.log_file_write("/a", 5, 1, duration_ms=2.6)
    logger.log_file_read("/a", 5)
    logger.log_file_write("/a", 5, 1)
    read, write, *without = lines(logger)
    assert list(read)[:7] == ["type", "path", "operation", "size_bytes", "lines", "duration_ms", "task_id"]
    assert (read["duration_ms"], write["duration_ms"]) == (7, 3)
    assert all("duration_ms" not in line for line in without)
    assert [event.duration_ms for event in logger.events if isinstance(event, FileEvent)] == [7, 3, None, None]
    assert logger.get_session_summary().files_read == logger.get_session_summary().files_written == 2


@pytest.mark.anyio
async def test_awaited_calls_take_it_too(tmp_path: Path) -> None:
    """The same lines."""
    async with AsyncSessionLogger("agent", "s", output_dir=tmp_path) as log:
        await log.log_file_read("/a", duration_ms=7)
        await log.log_file_write("/a", 5, duration_ms=8)
        await log.log_file_write("/a", 5)
    assert [line.get("duration_ms") for line in lines_of(log.path)] == [7, 8, None]


def test_event_inside_a_task_belongs_to_it(logger: SessionLogger) -> None:
    """As any other."""
    logger.log_task_start("plan")
    logger.log_file_read("/a", duration_ms=7)
    assert lines(logger)[1]["task_id"] == 1


@pytest.mark.parametrize(("given", "beside"), [(-3, -3), (float("nan"), None), (float("inf"), None), (2**70, None)])
def test_duration_that_cannot_be_one_is_recorded_as_zero_beside_what_was_given(
    logger: SessionLogger, given: float, beside: object
) -> None:
    """As that of a tool call, with one warning."""
    logger.log_file_read("/a", duration_ms=given)
    logger.log_tool_call("t", {}, given)
    file, tool = lines(logger)
    assert file["duration_ms"] == 0
    assert file["given_duration_ms"] == tool["given_duration_ms"]
    assert beside is None or file["given_duration_ms"] == beside


@pytest.mark.parametrize("given", ["7", True, [], object()])
def test_duration_that_is_no_number_is_refused_and_nothing_recorded(logger: SessionLogger, given: Any) -> None:
    """Named with its value, like any wrong argument; so are the others then."""
    with pytest.raises(TypeError, match="duration_ms must be a number of milliseconds"):
        logger.log_file_read("/a", duration_ms=given)
    with pytest.raises(ValueError, match="size_bytes must not be negative"):
        logger.log_file_write("/a", -1, duration_ms=1)
    with pytest.raises(TypeError, match="path must be str"):
        logger.log_file_write(5, 1, duration_ms=1)  # type: ignore[arg-type]  # no path
    assert logger.events == []


def test_odd_path_and_size_are_recorded_as_without_a_duration(logger: SessionLogger) -> None:
    """Bytes that are no text, a size beyond 64 bits."""
    for duration in ({}, {"duration_ms": 1}):
        logger.log_file_write(b"/\xff", 2**70, 1, **duration)  # type: ignore[arg-type]  # odd data
    without, measured = lines(logger)
    assert measured.pop("duration_ms") == 1
    for line in (without, measured):
        for differing in ("seq", "timestamp", "session_start"):
            line.pop(differing, None)
    assert measured == without


def test_secret_in_the_path_is_redacted(logger: SessionLogger) -> None:
    """A measured operation passes the same screen."""
    logger.log_file_read(URL, duration_ms=1)
    with logger.open(f"{logger.path}.{planted.BY_FORM['github-token'][0]}", "w"):
        pass
    logger.flush()
    data = logger.path.read_bytes()
    assert planted.secret_of("url-password", URL).encode() not in data
    assert planted.BY_FORM["github-token"][0].encode() not in data
    assert data.count(b"[redacted:") == 2


def test_disabled_logger_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even look at its arguments."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    SessionLogger("agent", output_dir=tmp_path).log_file_read("", duration_ms="x")  # type: ignore[arg-type]  # a wrong call
    assert list(tmp_path.iterdir()) == []


def test_opened_file_measures_what_the_system_took_and_not_what_the_program_did(
    logger: SessionLogger, tmp_path: Path
) -> None:
    """Between its reads time passes that is none of the file's."""
    (tmp_path / "a").write_text("one\ntwo\n")
    with FakeClock() as clock, logger.open(tmp_path / "a") as file:
        for _ in file:
            clock.advance(5)
    assert [line["duration_ms"] for line in lines(logger)] == [0]


def test_opening_and_closing_count_as_writing_where_that_is_recorded_and_else_as_reading(
    logger: SessionLogger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each thing that is asked of the system takes a second here."""
    ticks = itertools.count()
    (tmp_path / "a").write_bytes(b"0123456789")
    with monkeypatch.context() as patch:
        patch.setattr(system, "stopwatch", lambda: float(next(ticks)))
        with logger.open(tmp_path / "a", "rb", 0) as file:
            file.read(4)
            file.read()
        with logger.open(tmp_path / "a", "r+b", 0) as file:
            file.read(4)
            file.write(b"xx")
            file.seek(0)
            assert isinstance(file, io.FileIO)
            file.readinto(bytearray(2))
            file.readall()
    assert [(line["operation"], line["duration_ms"]) for line in lines(logger)] == [
        *(("read", 4000), ("read", 3000), ("write", 3000)),
    ]


@pytest.mark.parametrize("duration", [1, 0, None, -1, 2**64 - 1, 1.5, "1", True, [1]])
def test_plain_lane_is_never_more_tolerant_than_the_reader(tmp_path: Path, duration: object) -> None:
    """It counts lines whose duration is what a logger writes and a clock can say, and leaves others to the reader."""
    made = Lines()
    content = made.file(at=1, duration_ms=duration) + made.file(at=2)
    stretch = read_stretch(lambda count, at: content[at : at + count], 0, len(content), len(content))
    regular = duration is None or (type(duration) is int and duration < 2**46)
    assert (stretch is not None) is regular
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    readable = isinstance(duration, (int, float, type(None))) and not isinstance(duration, bool)
    assert analyze_session(path).file_operation_stats == {"read": 2 if readable else 1}


def test_secret_in_a_duration_that_cannot_be_one_is_redacted(tmp_path: Path) -> None:
    """Whatever the given value is made of, it stands in the line."""

    class Took(float, enum.Enum):
        LONG = -1.0, {"password": "swordfish"}

        def __new__(cls, number: float, value: object) -> Any:
            made = float.__new__(cls, number)
            made._value_ = value
            return made

    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("a", duration_ms=Took.LONG)
        log.log_tool_call("a", {}, Took.LONG)
    lines = lines_of(log.path)
    assert len(lines) == 2
    assert all("[redacted:password:" in line["given_duration_ms"]["password"] for line in lines)
