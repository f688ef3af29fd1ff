"""Errors of the kernel itself, injected into a real process call by call: nothing accepted is lost, and all is told."""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path

import pytest

from support.effort import FULL
from support.losses import Losses
from support.processes import run
from support.recorder import Recorder, prove
from support.strace import injecting, injections

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strace, and the names of system calls, are Linux's")

OPTIONS = {"queue_bytes": 65536, "flush_interval_s": 0.02, "sync_interval_s": 0.05, "full_timeout_s": 30}

WRITERS = [("sync", 1), ("sync", 8), ("asyncio", 1), ("asyncio", 8), ("trio", 1), ("trio", 8)]

JOURNAL, QUEUE, NEW, DIRECTORY = "agent_s.jsonl", ".agent_s.queue", ".agent_s.queue.new", "."

MODES = {"write-mode": {"queue_mode": "write"}, "in-segments": {"max_segment_bytes": 65536}}

WRITES = [
    ("pwrite64:error=EIO:when=2..4", JOURNAL),
    ("pwrite64:error=ENOSPC:when=1..3", JOURNAL),
    ("pwrite64:error=EDQUOT:when=2+7", JOURNAL),
    ("pwrite64:error=EINTR:when=1+2", JOURNAL),
    ("pwrite64:retval=0:when=2..5", JOURNAL),  # the shortest of short writes
    ("write-mode pwrite64:error=EIO:when=5+9", JOURNAL),
    ("write-mode pwrite64:error=ENOSPC:when=5+9 ftruncate:error=EIO", JOURNAL),
]
SYNCS = [
    ("fsync:error=EINTR:when=1+2", JOURNAL),
    ("fsync:error=EIO:when=1", JOURNAL),
    ("fsync:error=ENOSPC:when=1", JOURNAL),
    ("fsync:error=EIO:when=1", DIRECTORY),
]
OPENS = [
    ("openat:error=EMFILE:when=1", JOURNAL),
    ("openat:error=EIO:when=2", JOURNAL),
    ("openat:error=EACCES:when=1", QUEUE),
    ("openat:error=ENOSPC:when=1", NEW),
    ("openat:error=EINTR:when=1+2", QUEUE),
    ("pwrite64:error=ENOSPC:when=1..2", NEW),
    ("pwrite64:error=EIO:when=2", NEW),
]
OTHERS = [
    ("mmap:error=ENODEV:when=1", NEW),
    ("rename:error=EIO:when=1", NEW),
    ("flock:error=ENOLCK", QUEUE),
    ("flock:error=EINTR:when=1", QUEUE),
    ("unlink:error=EIO", QUEUE),
    ("in-segments close:error=EIO:when=1", JOURNAL),  # the last file may be the kernel's to close, at the exit
]
FAULTS = [
    pytest.param(row, fault, name, id=f"{row} {fault} {name}")
    for row, faults in {
        "error-on-write": WRITES,
        "error-on-sync": SYNCS,
        "error-on-open": OPENS,
        "error-elsewhere": OTHERS,
    }.items()
    for fault, name in faults
]


@pytest.mark.parametrize(("row", "fault", "name"), FAULTS)
@pytest.mark.parametrize(
    ("face", "writers"), WRITERS if FULL else [("sync", 8), ("asyncio", 1)], ids=lambda value: str(value)
)
def test_failing_system_call_loses_nothing_that_was_accepted(
    tmp_path: Path, losses: Losses, row: str, fault: str, name: str, face: str, writers: int
) -> None:
    """The recorder goes on through the error, and ends; each call that had returned is in the log, once."""
    directory = tmp_path / "sessions"
    words = fault.split()
    mode = MODES.get(words[0], {})
    recorder = Recorder(
        directory,
        face=face,
        writers=writers,
        events=300,
        others=300,
        settled=row != "error-on-write"
        or bool(mode),  # what is kept in memory, where no file could be made, is promised to nobody
        options=OPTIONS | mode,
        prefix=injecting(words[len(mode) :], directory / name, tmp_path / "trace"),
    )
    recorder.wait(0)
    faults = injections(tmp_path / "trace")
    assert faults > 0
    assert recorder.owed() == {f"0/{writer}": 300 for writer in range(writers)}
    prove(recorder.path, recorder.owed(), losses, row, tried=faults, under_way=0)


REPORT = """
import json, logging, os, sys, threading
from deia import SessionLogger
from deia.errors import WriterFailedError
logging.basicConfig(stream=sys.stderr)
logger = SessionLogger("agent", "s", output_dir=sys.argv[1], queue_bytes=65536)
told = []
for number in range(100):
    logger.log_tool_call(f"0/0/{number}", {}, 0)
    if number % 10 == 9:
        try:
            getattr(logger, sys.argv[2])()
        except WriterFailedError as error:
            told.append(error.__cause__.errno)
        if (error := logger.statistics().error) is not None:
            told.append(error)
print(json.dumps(told))
"""


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_failing_write_is_told(tmp_path: Path, losses: Losses, number: int) -> None:
    """Whoever asks for the log to be written learns that it was not, and of which error."""
    told = told_by("flush", f"pwrite64:error={errno.errorcode[number]}:when=2", tmp_path, losses, "error-on-write")
    assert number in told or any(os.strerror(number) in str(each) for each in told)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC], ids=errno.errorcode.get)
def test_failing_sync_is_made_good_before_its_caller_goes_on(tmp_path: Path, losses: Losses, number: int) -> None:
    """It returns once an fsync of another file has covered what is in doubt, and that file says why it is there."""
    fault = f"fsync:error={errno.errorcode[number]}:when=2"
    assert told_by("sync", fault, tmp_path, losses, "error-on-sync") == []
    first = (tmp_path / "sessions" / "agent_s.2.jsonl").read_bytes().partition(b"\n")[0]
    assert json.loads(first)["reason"] == "sync-failed"


def told_by(call: str, fault: str, tmp_path: Path, losses: Losses, row: str) -> list[object]:
    """Return what a recorder heard from a call, and from its statistics after it; none of its events is missing."""
    directory = tmp_path / "sessions"
    out = run(REPORT, directory, call, cwd=tmp_path, prefix=injecting([fault], directory / JOURNAL, tmp_path / "trace"))
    prove(directory / JOURNAL, {"0/0": 100}, losses, row, under_way=0)
    told: list[object] = json.loads(out)
    return told
