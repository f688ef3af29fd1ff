"""What holds for any bytes at all in a session's two files; the fuzzers bring the bytes."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from deia import (
    ForeignJournalError,
    JournalError,
    NotASessionLogError,
    SessionLogger,
    analyze_session,
    summarize_session,
    system,
)
from deia.journal.check import check
from deia.journal.damage import Damage
from deia.journal.mend import mend
from deia.journal.reader import read_entries
from deia.journal.recovery import recover
from deia.journal.unpack import GZIP_MAGIC
from deia.queue.layout import Header, Kind, queue_path
from support.records import read_records

AGENT, SESSION = "a", "s"


@dataclass(frozen=True)
class QueueFile:
    """A queue file with a sound header and anything in the rest.

    Attributes:
        kind: As in its header.
        ring_bits: The ring has two to this power bytes, if it is one.
        trusted: Whether boot and inode are the journal's.
        committed: The word of that name.
        dropped: Likewise.
        ring: What the ring holds; as long as it is, which may be too short.
        names: Agent and session.
    """

    kind: Kind
    ring_bits: int
    trusted: bool
    committed: int
    dropped: int
    ring: bytes
    names: tuple[str, str] = (AGENT, SESSION)

    def pack(self, journal: Path) -> bytes:
        """Return its bytes, for a journal that exists."""
        status = journal.stat()
        header = Header(
            kind=self.kind,
            ring_bytes=1 << self.ring_bits if self.kind is Kind.RING else 0,
            boot_id=system.boot_id() if self.trusted else bytes(16),
            device=status.st_dev,
            inode=status.st_ino,
            pid=1,
            agent_id=self.names[0],
            session_id=self.names[1],
            target="/nowhere/.deia-00000000000000000000000000000000.queue" if self.kind is Kind.POINTER else None,
        )
        return header.pack(committed=self.committed, dropped=self.dropped) + self.ring


def whole_lines(content: bytes) -> list[tuple[int, bytes]]:
    """Return offset and bytes of every ended line that is a JSON object, with nothing of ours."""
    lines = []
    offset = 0
    for line in content.split(b"\n")[:-1]:
        try:
            is_object = isinstance(orjson.loads(line), dict)
        except orjson.JSONDecodeError:
            is_object = False
        if is_object:
            lines.append((offset, line))
        offset += len(line) + 1
    return lines


def assert_read(journal: Path, content: bytes) -> list[object]:
    """Read a log in every way; whatever it holds, only what is documented is raised, and nothing whole is left out.

    Returns:
        What was read.
    """
    damages: list[Damage] = []
    records = list(read_records(journal, on_damage=damages.append))
    offsets = [record.offset for record in records]
    assert offsets == sorted(offsets)
    missing = {offset for offset, _ in whole_lines(content)} - set(offsets)
    assert not missing, f"whole lines at {missing} were not read"
    told = {damage.line for damage in damages} | {record.number for record in records}
    blank = {number for number, line in enumerate(content.split(b"\n"), 1) if not line.strip()}
    untold = set(range(1, content.count(b"\n") + 1)) - told - blank
    assert not untold, f"lines {untold} passed in silence"
    report = check(journal)
    assert report.ok or report.damages
    for look in (analyze_session, summarize_session):
        try:
            look(journal)
        except NotASessionLogError:
            assert report.events == 0
    return [record.fields for record in records]


def assert_recovered(journal: Path, content: bytes, read: list[object]) -> None:
    """Recover a log twice; every whole line is still there, and all that was read before."""
    recover(journal)
    recovered = journal.read_bytes() if journal.exists() else b""
    assert _follow([line for _, line in whole_lines(content)], [line for _, line in whole_lines(recovered)])
    assert _follow(read, [record.fields for record in read_records(journal, on_damage=_nothing)])
    assert not queue_path(journal).exists()
    recover(journal)
    assert journal.read_bytes() == recovered


def assert_mended(journal: Path) -> None:
    """Mend a log twice; every event is still there, every line can be read, and the second time nothing is done."""
    events: list[object] = []
    with suppress(NotASessionLogError):
        events += [entry.record.fields for entry in read_entries(journal, on_damage=_nothing)]
    before = journal.read_bytes()
    try:
        report = mend(journal)
    except NotASessionLogError:
        assert not events
        return
    damages: list[Damage] = []
    assert [entry.record.fields for entry in read_entries(journal, on_damage=damages.append)] == events
    assert not {"unreadable", "torn"} & {damage.kind for damage in damages}
    if report.aside is not None:
        assert report.aside.read_bytes() == before
    assert not mend(journal).changed


def assert_goes_on(journal: Path, content: bytes) -> None:
    """Log to it; every whole line is still there, and the new one after them, with a `seq` that goes on."""
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent, queue_bytes=65536, sync_policy="never") as log:
        try:
            log.log_file_read("later")
        except ForeignJournalError:
            assert journal.read_bytes() == content
            return
    lines = [line for _, line in whole_lines(journal.read_bytes())]
    assert _follow([line for _, line in whole_lines(content)], lines)
    later = orjson.loads(lines[-1])
    assert later["path"] == "later" and 0 < later["seq"] < 2**64


def assert_left_alone(journal: Path, content: bytes) -> None:
    """Try to mend it and to log to it; both are refused."""
    try:
        mend(journal)
    except JournalError:
        pass
    else:
        raise AssertionError("it was mended")
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent, sync_policy="never") as log:
        try:
            log.log_file_read("later")
        except ForeignJournalError:
            pass
        else:
            raise AssertionError("it was logged to")
    assert journal.read_bytes() == content


def lay(directory: Path, content: bytes, queue: QueueFile | bytes | None) -> Path:
    """Make a session's files in an empty directory."""
    for path in directory.iterdir():
        path.unlink()
    journal = directory / f"{AGENT}_{SESSION}.jsonl"
    journal.write_bytes(content)
    if queue is not None:
        queue_path(journal).write_bytes(queue.pack(journal) if isinstance(queue, QueueFile) else queue)
    return journal


def assert_all(directory: Path, content: bytes, queue: QueueFile | bytes | None, *, logged_to: bool = True) -> None:
    """Put bytes into a session's two files, and assert all of the above on them.

    What begins as a compressed log does is read, and not to be changed.
    """
    journal = lay(directory, content, queue)
    if content.startswith(GZIP_MAGIC):
        for _ in read_records(journal, on_damage=_nothing):
            pass
        assert_left_alone(journal, content)
        return
    read = assert_read(journal, content)
    assert_recovered(journal, content, read)
    assert_mended(journal)
    if logged_to:
        journal = lay(directory, content, queue)
        assert_goes_on(journal, content)


def _nothing(damage: Damage) -> None:
    """A problem is expected."""


def _follow(wanted: list[object], found: list[object]) -> bool:
    rest = iter(found)
    return all(any(item == other for other in rest) for item in wanted)


def without_syncs() -> None:
    """Make syncs cost nothing: what they are for is not looked at here."""
    system.sync = lambda fd: None
    system.sync_directory = lambda path: None


def ram() -> str | None:
    """A directory in memory, where there is one: a fuzzer makes many files."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None
