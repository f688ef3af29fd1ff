"""`logger.open(path)`: real files that record what was read and written when they are closed."""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from deia import AsyncSessionLogger, FileEvent, SessionLogger
from deia.errors import LoggerClosedError
from support.lines import lines_of


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[SessionLogger]:
    """A new logger; closed after the test."""
    logger = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
    yield logger
    logger.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three lines, 12 bytes."""
    path = tmp_path / "file.txt"
    path.write_bytes(b"one\ntwo\nend\n")
    return path


def recorded(logger: SessionLogger) -> list[tuple[str, int | None, int | None]]:
    """Return operation, size and lines of what was recorded."""
    return [(event.operation, event.size_bytes, event.lines) for event in logger.events if isinstance(event, FileEvent)]


@pytest.mark.parametrize(
    ("mode", "buffering", "kind"),
    [
        ("r", -1, io.TextIOWrapper),
        ("rt", 1, io.TextIOWrapper),
        ("w", -1, io.TextIOWrapper),
        ("r+", 4096, io.TextIOWrapper),
        ("rb", -1, io.BufferedReader),
        ("wb", -1, io.BufferedWriter),
        ("ab", -1, io.BufferedWriter),
        ("r+b", -1, io.BufferedRandom),
        ("rb", 0, io.FileIO),
        ("wb", 0, io.FileIO),
    ],
)
def test_file_is_what_the_builtin_returns(
    logger: SessionLogger, path: Path, mode: Any, buffering: int, kind: type
) -> None:
    """Same class, mode, name, encoding; and the same in use."""
    with logger.open(path, mode, buffering) as ours, open(path, mode, buffering) as builtin:
        assert isinstance(ours, kind) and type(builtin) is kind
        assert ours.mode == builtin.mode
        assert os.fspath(ours.name) == os.fspath(builtin.name)
        for attribute in ("encoding", "errors", "line_buffering", "newlines"):
            assert getattr(ours, attribute, None) == getattr(builtin, attribute, None)
        assert (ours.readable(), ours.writable(), ours.seekable()) == (
            builtin.readable(),
            builtin.writable(),
            builtin.seekable(),
        )


READS: list[Callable[[IO[Any]], object]] = [
    lambda file: file.read(),
    lambda file: list(file),
    lambda file: file.readlines(),
    lambda file: [file.read(5), file.read()],
    lambda file: file.readline(),  # a buffer reads on to its end
    lambda file: shutil.copyfileobj(file, io.BytesIO() if "b" in file.mode else io.StringIO()),  # type: ignore[misc]
]


@pytest.mark.parametrize("mode", ["r", "rb"])
@pytest.mark.parametrize("read", READS)
def test_bytes_read_are_counted_whichever_way_they_are_read(
    logger: SessionLogger, path: Path, mode: Any, read: Callable[[IO[Any]], object]
) -> None:
    """One event, with the size that went into the process."""
    with logger.open(path, mode) as file:
        read(file)
        assert logger.events == []
    assert recorded(logger) == [("read", 12, None)]
    assert logger.get_session_summary().files_read == 1


def test_unbuffered_file_counts_each_way_of_reading_once(logger: SessionLogger, path: Path) -> None:
    """`read`, `readall`, `readinto`, `readline`."""
    with logger.open(path, "rb", 0) as file:
        assert file.read(4) == b"one\n"
        assert file.readline() == b"two\n"
        buffer = bytearray(2)
        file.readinto(buffer)  # type: ignore[attr-defined]
        assert file.read() == b"d\n"
    with logger.open(path, "rb", 0) as file:
        file.readall()  # type: ignore[attr-defined]
    assert recorded(logger) == [("read", 12, None), ("read", 12, None)]


def test_what_is_read_twice_counts_twice(logger: SessionLogger, path: Path) -> None:
    """It was read twice."""
    with logger.open(path, "rb") as file:
        file.read()
        file.seek(0)
        file.read()
    assert recorded(logger) == [("read", 24, None)]


@pytest.mark.parametrize(
    ("text", "lines"), [("", 0), ("a", 1), ("a\n", 1), ("a\nb", 2), ("\n\n", 2), ("x" * 100_000 + "\n", 1)]
)
def test_written_text_is_counted_in_bytes_and_lines(
    logger: SessionLogger, tmp_path: Path, text: str, lines: int
) -> None:
    """A last line without its newline counts."""
    for mode in ("w", "a"):
        with logger.open(tmp_path / "new", mode, encoding="utf-8") as file:  # type: ignore[call-overload]
            file.write(text)
    assert recorded(logger) == [("write", len(text), lines)] * 2
    assert (tmp_path / "new").read_text("utf-8") == text * 2


@pytest.mark.parametrize(
    ("encoding", "newline", "size", "lines"),
    [
        ("utf-8", None, 10, 2),
        ("utf-8-sig", None, 13, 2),
        ("latin-1", "\r\n", 10, 2),
        ("utf-16", None, 18, None),
        ("cp037", None, 8, None),
        ("utf-8", "\r", 10, None),
    ],
)
def test_sizes_are_those_of_the_encoded_text_and_lines_are_told_where_bytes_tell(
    logger: SessionLogger, tmp_path: Path, encoding: str, newline: str | None, size: int, lines: int | None
) -> None:
    """In UTF-16 or EBCDIC a newline's byte is something else."""
    with logger.open(tmp_path / "new", "w", encoding=encoding, newline=newline) as file:
        file.write("Größe\nx\n")
    assert recorded(logger) == [("write", size, lines)]
    assert (tmp_path / "new").stat().st_size == size


def test_binary_writes_have_no_lines(logger: SessionLogger, tmp_path: Path) -> None:
    """However much is written, in pieces of any size and kind."""
    with logger.open(tmp_path / "new", "wb") as file:
        for piece in (b"a\n", bytearray(b"bc"), memoryview(b"d" * 100_000)):
            file.write(piece)
    assert recorded(logger) == [("write", 100_004, None)]


def test_file_opened_for_one_direction_has_always_one_event(logger: SessionLogger, path: Path, tmp_path: Path) -> None:
    """Though nothing was read or written: it was looked at, made, emptied."""
    modes: list[Any] = ["r", "rb", "a", "w", "wb"]
    for mode in modes:
        logger.open(path, mode).close()
    logger.open(tmp_path / "new", "x").close()
    assert recorded(logger) == [
        *[("read", 0, None)] * 2,
        *[("write", 0, 0)] * 2,
        ("write", 0, None),
        ("write", 0, 0),
    ]


@pytest.mark.parametrize(
    ("mode", "steps", "expected"),
    [
        ("r+b", "", []),
        ("r+b", "r", [("read", 12, None)]),
        ("r+b", "w", [("write", 3, None)]),
        ("r+b", "rw", [("read", 12, None), ("write", 3, None)]),
        ("a+b", "", []),
        ("a+b", "w", [("write", 3, None)]),
        ("w+b", "", [("write", 0, None)]),
        ("w+", "w", [("write", 3, 1)]),
        ("r+", "rw", [("read", 12, None), ("write", 3, 1)]),
    ],
)
def test_file_opened_for_both_has_an_event_for_what_happened(
    logger: SessionLogger, path: Path, mode: Any, steps: str, expected: list[Any]
) -> None:
    """And for being emptied."""
    with logger.open(path, mode) as file:
        for step in steps:
            if step == "r":
                file.read()
            else:
                file.write("xyz" if "b" not in mode else b"xyz")
    assert recorded(logger) == expected


def test_event_belongs_to_the_task_that_the_file_was_opened_in(logger: SessionLogger, path: Path) -> None:
    """Wherever it is closed; to the one around it, where that task is complete by then."""
    with logger.task("outer"):
        with logger.task("inner"):
            first, second, third = logger.open(path), logger.open(path), logger.open(path)
            with logger.task("elsewhere"):
                first.close()
        second.close()
    with logger.task("later"):
        third.close()
    assert [event.task_id for event in logger.events if isinstance(event, FileEvent)] == [2, 1, None]


def test_file_is_recorded_once_however_it_is_closed(logger: SessionLogger, path: Path) -> None:
    """`close` twice, `with`, and the collector, which warns of it as ever."""
    file = logger.open(path)
    file.close()
    file.close()
    with logger.open(path):
        pass
    left = [logger.open(path)]
    left[0].read()
    with pytest.warns(ResourceWarning):
        left.clear()
    assert recorded(logger) == [("read", 0, None), ("read", 0, None), ("read", 12, None)]


def test_open_file_keeps_its_logger(tmp_path: Path, path: Path) -> None:
    """A logger that nothing else holds records it still."""
    file = SessionLogger("agent", "kept", output_dir=tmp_path).open(path)
    gc.collect()
    file.close()
    gc.collect()
    with SessionLogger("agent", "kept", output_dir=tmp_path) as again:
        assert recorded(again) == [] and again.open() is None
    assert lines_of(tmp_path / "agent_kept.jsonl")[0]["path"] == str(path)


def test_file_that_cannot_be_opened_raises_and_is_not_recorded(logger: SessionLogger, tmp_path: Path) -> None:
    """The error is the builtin's."""
    with pytest.raises(FileNotFoundError) as caught:
        logger.open(tmp_path / "missing")
    assert caught.value.filename == str(tmp_path / "missing")
    with pytest.raises(LookupError):
        logger.open(tmp_path / "new", "w", encoding="no such")
    with pytest.raises(IsADirectoryError):
        logger.open(tmp_path)
    assert logger.events == []


@pytest.mark.parametrize(
    "arguments",
    [("z",), ("",), ("rw",), ("rbt",), ("rr",), ("r", 0), ("rb", -1, "utf-8"), ("rb", -1, None, None, "\n")],
)
def test_arguments_that_do_not_go_together_raise_value_error(
    logger: SessionLogger, path: Path, arguments: tuple[Any, ...]
) -> None:
    """As of the builtin."""
    with pytest.raises(ValueError):
        open(path, *arguments)  # noqa: SIM115 - it does not open anything
    with pytest.raises(ValueError):
        logger.open(path, *arguments)


@pytest.mark.parametrize("wrong", [5, True, object()])
def test_path_must_be_one(logger: SessionLogger, wrong: Any) -> None:
    """A descriptor is none: nobody knows what it is of."""
    with pytest.raises(TypeError, match="path"):
        logger.open(wrong)


def test_paths_of_each_kind(logger: SessionLogger, path: Path) -> None:
    """Text, bytes, and what is like a path."""
    for given in (str(path), os.fsencode(path), path):
        logger.open(given).close()
    assert {event.path for event in logger.events if isinstance(event, FileEvent)} == {str(path)}


def test_failed_write_at_the_end_is_raised_and_what_was_written_recorded(logger: SessionLogger, tmp_path: Path) -> None:
    """A disk that fills as the buffer is emptied."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with pytest.raises(OSError, match="No space"), logger.open("/dev/full", "w") as file:
        file.write("x")
    assert recorded(logger) == [("write", 0, 0)]


def test_close_after_the_logger_was_closed_raises_and_closes(logger: SessionLogger, path: Path) -> None:
    """As any log call does then; the file is not left open."""
    file = logger.open(path)
    logger.close()
    with pytest.raises(LoggerClosedError):
        file.close()
    assert file.closed


def test_disabled_logger_opens_plain_files(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And records nothing."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    log = SessionLogger("agent", "s", output_dir=tmp_path / "sessions")
    with log.open(path) as file:
        assert file.read() == "one\ntwo\nend\n"
    assert not (tmp_path / "sessions").exists()


def test_secrets_in_paths_are_kept_out(logger: SessionLogger, tmp_path: Path) -> None:
    """As of the other file events."""
    logger.open(tmp_path / "password=hunter22x", "w").close()
    logger.flush()
    assert "hunter22x" not in logger.path.read_text()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_file_that_a_forked_child_closes_is_its_parents(logger: SessionLogger, path: Path) -> None:
    """The child has read nothing of it."""
    file = logger.open(path)
    file.read()
    child = os.fork()
    if not child:
        file.close()
        logger.log_file_read("child")
        logger.close()
        os._exit(0)
    os.waitpid(child, 0)
    file.close()
    assert recorded(logger) == [("read", 12, None)]
    (other,) = [found for found in logger.path.parent.glob("*.jsonl") if found != logger.path]
    assert [line["path"] for line in lines_of(other)] == ["child"]


def test_file_left_open_at_exit_is_recorded_without_a_word(tmp_path: Path, path: Path) -> None:
    """By the interpreter, when it takes the program's names apart."""
    code = (
        "import sys, deia\n"
        f"log = deia.SessionLogger('agent', 's', output_dir={str(tmp_path)!r})\n"
        f"file = log.open({str(path)!r})\n"
        "file.read()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert [line["size_bytes"] for line in lines_of(tmp_path / "agent_s.jsonl")] == [12]


@pytest.mark.anyio
async def test_async_file_is_awaited_and_recorded(tmp_path: Path, path: Path) -> None:
    """A file of anyio's, worked on by threads; in the task that it was opened in."""
    async with AsyncSessionLogger("agent", "a", output_dir=tmp_path) as log:
        assert await log.open() is None
        async with log.task("t"):
            async with await log.open(path) as file:
                assert await file.read() == "one\ntwo\nend\n"
            async with await log.open(tmp_path / "new", "wb") as binary:
                await binary.write(b"abc")
        assert [event for event in await log.events() if isinstance(event, FileEvent)] == [
            FileEvent(str(path), "read", 12),
            FileEvent(str(tmp_path / "new"), "write", 3),
        ]
        assert {event.task_id for event in (await log.events())[1:]} == {1}
