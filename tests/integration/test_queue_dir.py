"""`queue_dir=`: the ring lies elsewhere, and stays its session's alone."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from deia import SessionLogger, read_events
from deia.events import FileEvent
from deia.journal.recovery import recover
from support.lines import assert_sound, lines_of
from support.processes import run

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process that kills itself is POSIX")

DIES = """
import os, signal, sys
from deia import SessionLogger

def record(directory, queue_dir, name):
    logger = SessionLogger("agent", "s", output_dir=directory, queue_dir=queue_dir, flush_interval_s=60)
    for number in range(5):
        logger.log_file_read(f"{name}{number}")
    return logger

kept = [record(*arguments.split("|")) for arguments in sys.argv[1:]]
os.kill(os.getpid(), signal.SIGKILL)
"""


def die(cwd: Path, *recorded: tuple[Path | str, Path | str, str]) -> None:
    """Have a process record five events in each (directory, queue directory, name), unflushed, and be killed."""
    run(DIES, *("|".join(map(str, arguments)) for arguments in recorded), cwd=cwd, returncode=-signal.SIGKILL)


def names(name: str) -> list[str]:
    """Return the paths that such a session logged."""
    return [f"{name}{number}" for number in range(5)]


def paths_read(journal: Path) -> list[str]:
    """Return the paths of the session's file events, as our reader finds them."""
    return [event.path for event in read_events(journal) if isinstance(event, FileEvent)]


def test_sessions_of_the_same_ids_share_a_queue_dir_without_touching_each_other(tmp_path: Path) -> None:
    """Two directories, the same names in them, one directory for the rings: after a kill each recovers its own."""
    first, second, rings = tmp_path / "first", tmp_path / "second", tmp_path / "rings"
    die(tmp_path, (first, rings, "a"), (second, rings, "b"))
    for directory, name in ((first, "a"), (second, "b")):
        assert paths_read(directory / "agent_s.jsonl") == names(name)
    for directory, name in ((first, "a"), (second, "b")):
        journal = directory / "agent_s.jsonl"
        recover(journal)
        assert [line["path"] for line in lines_of(journal)] == names(name)
        assert_sound(journal)
    assert list(rings.iterdir()) == []


def test_closing_one_of_them_leaves_the_other_its_ring(tmp_path: Path) -> None:
    """What the second has logged is readable, and written, after the first was closed."""
    rings = tmp_path / "rings"
    first = SessionLogger("agent", "s", output_dir=tmp_path / "first", queue_dir=rings, flush_interval_s=60)
    second = SessionLogger("agent", "s", output_dir=tmp_path / "second", queue_dir=rings, flush_interval_s=60)
    first.log_file_read("a")
    second.log_file_read("b")
    first.close()
    assert paths_read(second.path) == ["b"]
    second.close()
    assert (paths_read(first.path), paths_read(second.path)) == (["a"], ["b"])
    assert list(rings.iterdir()) == []


@pytest.mark.parametrize("alias", ["same", "through its parent", "symbolic link"])
def test_queue_dir_may_be_the_output_dir_by_any_name(tmp_path: Path, alias: str) -> None:
    """The ring is not mistaken for a pointer to itself: after a kill everything is there to be recovered."""
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "link").symlink_to(out)
    spelled = {"same": out, "through its parent": f"{out}/../out", "symbolic link": tmp_path / "link"}[alias]
    die(tmp_path, (out, spelled, "a"))
    journal = out / "agent_s.jsonl"
    assert paths_read(journal) == names("a")
    recover(journal)
    assert [line["path"] for line in lines_of(journal)] == names("a")
    assert sorted(path.name for path in out.iterdir()) == ["agent_s.jsonl"]
    assert_sound(journal)


def test_damaged_ring_behind_a_pointer_is_kept_aside(tmp_path: Path) -> None:
    """What recovery cannot read it does not delete: a copy of the ring itself stays, with the events in it."""
    out, rings = tmp_path / "out", tmp_path / "rings"
    die(tmp_path, (out, rings, "a"))
    (ring,) = rings.iterdir()
    damaged = bytearray(ring.read_bytes())
    damaged[20] ^= 1
    ring.write_bytes(damaged)
    recovery = recover(out / "agent_s.jsonl")
    assert recovery.aside is not None
    assert recovery.aside.read_bytes() == damaged
    assert b'"path":"a4"' in recovery.aside.read_bytes()


@pytest.mark.parametrize("again", ["beside the journal", "another directory"])
def test_reopening_with_another_queue_dir_leaves_no_ring_behind(tmp_path: Path, again: str) -> None:
    """The ring of the killed run is recovered and removed, wherever the next run has its own."""
    out, rings, others = tmp_path / "out", tmp_path / "rings", tmp_path / "others"
    die(tmp_path, (out, rings, "a"))
    queue_dir = others if again == "another directory" else None
    with SessionLogger("agent", "s", output_dir=out, queue_dir=queue_dir) as logger:
        logger.log_file_read("later")
        assert list(rings.iterdir()) == []
    assert paths_read(logger.path) == [*names("a"), "later"]
    assert [path.name for path in out.iterdir()] == ["agent_s.jsonl"]
    assert not others.exists() or list(others.iterdir()) == []
    assert_sound(logger.path)
