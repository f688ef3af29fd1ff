"""Sessions as flame graphs for speedscope."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deia.export.speedscope import speedscope
from deia.export.spool import Spool
from support.exports import assert_valid_speedscope, exported_json
from support.journals import START, Lines, journal_path


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where a session log goes."""
    return journal_path(tmp_path)


def told(document: dict[str, Any]) -> list[list[tuple[str, float, str]]]:
    frames = document["shared"]["frames"]
    return [
        [(event["type"], event["at"] / 1e6 - START, frames[event["frame"]]["name"]) for event in profile["events"]]
        for profile in document["profiles"]
    ]


def test_each_lane_is_a_profile_of_frames_that_open_and_close_nested(journal: Path) -> None:
    """Parallel work is in a further one; what took no time is in none."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("build")
        + lines.tool("compile", 2000, at=3, task_id=1)
        + lines.tool("link", 1000, at=3.5, task_id=1)
        + lines.file("read", "/a", at=3.5, task_id=1)
        + lines.complete(1, "build", at=4)
    )
    document = exported_json(speedscope, journal)
    assert_valid_speedscope(document)
    assert told(document) == [
        [("O", 0.0, "build"), ("O", 1.0, "compile"), ("C", 3.0, "compile"), ("C", 4.0, "build")],
        [("O", 2.5, "link"), ("C", 3.5, "link")],
    ]
    assert [profile["name"] for profile in document["profiles"]] == ["agent session", "agent session, lane 2"]
    assert {frame["name"]: frame["file"] for frame in document["shared"]["frames"]} == {
        "build": "task",
        "compile": "tool",
        "link": "tool",
    }


def test_task_that_outlives_the_one_it_was_started_in_stands_there_in_two_pieces(journal: Path) -> None:
    """Beneath it, and then beside it: frames of speedscope nest strictly."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("outer")
        + lines.begin("inner", parent_id=1, at=1)
        + lines.complete(1, "outer", at=2)
        + lines.complete(2, "inner", began=1, at=3, parent_id=1)
    )
    document = exported_json(speedscope, journal)
    assert_valid_speedscope(document)
    assert told(document) == [
        [
            ("O", 0.0, "outer"),
            ("O", 1.0, "inner"),
            ("C", 2.0, "inner"),
            ("C", 2.0, "outer"),
            ("O", 2.0, "inner"),
            ("C", 3.0, "inner"),
        ]
    ]


def test_call_whose_rounded_duration_reaches_out_of_its_task_is_drawn_in_it(journal: Path) -> None:
    """Frames open and close in the order of time, and a task with its calls is one profile."""
    lines = Lines()
    journal.write_bytes(
        lines.begin("one", at=1)
        + lines.tool("first", 3, at=1.0025, task_id=1)
        + lines.tool("second", 2, at=1.0040, task_id=1)
        + lines.complete(1, "one", began=1, at=1.0040)
    )
    document = exported_json(speedscope, journal)
    assert_valid_speedscope(document)
    (profile,) = document["profiles"]
    assert [round((event["at"] - START * 1e6) / 100) for event in profile["events"]] == [
        *(10_000, 10_000, 10_025, 10_025, 10_040, 10_040),
    ]


def test_sessions_of_several_files_share_their_frames(tmp_path: Path) -> None:
    """So that a tool has one colour."""
    paths = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for number, path in enumerate(paths):
        path.write_bytes(Lines("agent", f"s{number}").tool("pytest", 1000))
    document = exported_json(speedscope, *paths)
    assert_valid_speedscope(document)
    assert [profile["name"] for profile in document["profiles"]] == ["agent s0", "agent s1"]
    assert len(document["shared"]["frames"]) == 1


def test_no_session_is_a_file_without_profiles() -> None:
    """And still a whole document."""
    document = exported_json(speedscope)
    assert_valid_speedscope(document)
    assert document["profiles"] == []


def test_strands_that_grow_side_by_side_are_read_whole(tmp_path: Path) -> None:
    """Also where their pieces lie among each other in the file, and where some were never written to it."""
    with (tmp_path / "spool").open("w+b") as file:
        spool = Spool(file.fileno())
        for number in range(5000):
            spool.append(0, b"%d," % number)
            spool.append(1, b"%d;" % number)
        spool.append(2, b"short")
        assert b"".join(spool.read(0)) == b"".join(b"%d," % number for number in range(5000))
        assert b"".join(spool.read(1)) == b"".join(b"%d;" % number for number in range(5000))
        assert b"".join(spool.read(2)) == b"short"
        assert list(spool.read(3)) == []
