"""Read a session as strictly as the format page is written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NoReturn

from deia import read_events
from deia.journal.check import check


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} is not JSON")


def _no_twin(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    assert len(fields) == len(pairs), f"a name stands twice in {pairs!r}"
    return fields


def parse(line: bytes) -> dict[str, Any]:
    """Parse one line with a parser that is not ours, refusing what JSON does not have; the order of keys is kept."""
    fields = json.loads(line.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_twin)
    assert isinstance(fields, dict)
    return fields


def lines_of(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return a journal's lines as any tool for JSON Lines sees them, without our reader."""
    data = Path(path).read_bytes()
    assert data == b"" or data.endswith(b"\n"), "the last line is torn"
    return [parse(line) for line in data.split(b"\n")[:-1]]


def seqs_of(path: str | os.PathLike[str]) -> list[int | None]:
    """Return the `seq` of every event that our reader finds, queue file included."""
    return [event.seq for event in read_events(path)]


def assert_gapless(path: str | os.PathLike[str]) -> None:
    """Assert that `seq` counts 1, 2, 3 … over everything that our reader finds."""
    seqs = seqs_of(path)
    assert seqs == list(range(1, len(seqs) + 1))


def assert_sound(path: str | os.PathLike[str]) -> None:
    """Assert that `deia check` finds a finished session without any fault, and that `seq` has no gap."""
    report = check(path)
    assert report.ok and report.damages == [], report
    assert (report.torn_bytes, report.waiting_bytes, report.queue_file, report.locked) == (0, 0, None, False), report
    assert_gapless(path)
