"""The queue file that a killed process left, cut, changed, forged, or of another world: the log gets no worse by it."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deia import SessionLockedError, SessionLogger, read_events, system
from deia.cli.app import run as run_cli
from deia.journal.check import check
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.queue.layout import COMMITTED_AT, DROPPED_AT, HEADER_BYTES, TEXT_AT, queue_path
from deia.testing.tally import Tally
from support.damage import AGENT, SESSION, Remains, files_in, for_journal, kill_one, lines_in, put, read
from support.effort import FULL
from support.lines import assert_sound
from support.losses import Losses

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process that kills itself is POSIX")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Remains:
    """A session of which nothing had been written: all of it is in the ring, most of which is still zeros."""
    return Remains.of(kill_one(tmp_path_factory.mktemp("short") / "log", 30))


@pytest.fixture(scope="module")
def lapped(tmp_path_factory: pytest.TempPathFactory) -> Remains:
    """A session whose ring was gone around twice."""
    remains = Remains.of(kill_one(tmp_path_factory.mktemp("lapped") / "log", 700))
    assert len(remains.whole) > 2 * 65536
    return remains


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sync is for is another test's subject; here there are thousands of them."""
    monkeypatch.setattr(system, "sync", lambda fd: None)
    monkeypatch.setattr(system, "sync_directory", lambda path: None)


@pytest.fixture(params=[True, False], ids=["trusted", "untrusted"])
def trusted(request: pytest.FixtureRequest) -> bool:
    """Whether the offsets in the queue file can be computed with, or the directory was copied since."""
    return bool(request.param)


@pytest.fixture
def tmp_path(memory_path: Path) -> Path:
    return memory_path


def journal_in(remains: Remains, directory: Path, *, trusted: bool, size: int | None = None) -> Path:
    return remains.lay(directory / "log", trusted=trusted, size=size, cut=True)


def spoil(journal: Path, change: Callable[[bytearray], object]) -> bytes:
    """Change the bytes of a queue file in place; return them."""
    queue = bytearray(queue_path(journal).read_bytes())
    change(queue)
    put(queue_path(journal), queue)
    return bytes(queue)


def flipped(at: int, value: int) -> Callable[[bytearray], None]:
    """Change one byte."""

    def change(queue: bytearray) -> None:
        queue[at] ^= value

    return change


def sealed(queue: bytearray) -> None:
    """Make the checksum right again after a change of the header: damage by design."""
    (text_bytes,) = struct.unpack_from("<I", queue, 68)
    text = bytes(queue[TEXT_AT : TEXT_AT + text_bytes])
    struct.pack_into("<I", queue, 64, zlib.crc32(text, zlib.crc32(bytes(queue[:64]))))


def assert_goes_on(journal: Path, first: bytes) -> None:
    """Recover, twice; log on; and find what was there, the lines after it, and no fault."""
    recover(journal)
    there = files_in(journal.parent)
    assert journal.read_bytes().startswith(first)
    assert not mend(journal).changed
    assert files_in(journal.parent) == there
    before = len(lines_in(journal.read_bytes()))
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    lines = lines_in(journal.read_bytes())
    assert [line.fields and line.fields["seq"] for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == before + (2 if before else 1)
    assert_sound(journal)


def sizes(short: Remains) -> Iterator[int]:
    """Yield lengths of a queue file: in its header, at its end, through the ring's used part, and beyond."""
    used = HEADER_BYTES + len(short.whole)
    yield from range(0, 300, 1 if FULL else 37)
    yield from range(300, HEADER_BYTES, 1 if FULL else 499)
    yield from range(HEADER_BYTES - 1, used, 1 if FULL else 211)
    yield from (HEADER_BYTES, used - 1, used, used + 1, len(short.queue) - 1)


def test_queue_file_cut_at_any_length_gives_the_lines_it_still_holds(
    short: Remains, tmp_path: Path, trusted: bool, losses: Losses
) -> None:
    """Whole lines only, in order; a cut is told, what is left is kept aside, and the session goes on."""
    lines = lines_in(short.whole)
    for size in sizes(short):
        journal = journal_in(short, tmp_path, trusted=trusted, size=500)
        os.truncate(queue_path(journal), size)
        left = max(500, size - HEADER_BYTES)
        wanted = [line.fields for line in lines if line.offset + len(line.data) <= left]  # the newline may be gone
        if size < HEADER_BYTES:
            wanted = [line.fields for line in lines_in(short.whole[:500])]
        reading = read(journal)
        assert [fields for _, fields in reading.records] == wanted, size
        if size and len(wanted) < len(lines):
            assert "queue" in reading.kinds, size
        losses.add("damage-queue", Tally(tried=1, acknowledged=len(wanted), found=len(wanted)))
        recovery = recover(journal)
        assert (recovery.aside is not None) == (size > 0 and len(wanted) < len(lines)), size
        assert [line.fields for line in lines_in(journal.read_bytes())] == wanted
        assert_goes_on(journal, b"")


def test_any_bit_of_the_header_changed_loses_nothing_of_the_journal(
    short: Remains, tmp_path: Path, losses: Losses
) -> None:
    """The checksum tells; the queue file is kept aside with every event in it."""
    journal = journal_in(short, tmp_path, trusted=True, size=500)
    text_end = TEXT_AT + struct.unpack_from("<I", short.queue, 68)[0]
    checked = [*range(72), *range(TEXT_AT, text_end)]
    before = queue_path(journal).read_bytes()
    whole = [line.fields for line in lines_in(short.whole[:500])]
    for at in checked:
        for bit in range(8) if FULL else (at % 8,):
            spoilt = bytearray(before)
            spoilt[at] ^= 1 << bit
            put(queue_path(journal), spoilt)
            reading = read(journal)
            assert [fields for _, fields in reading.records] == whole, (at, bit)
            assert reading.kinds == {"queue", "torn"}
            losses.add("damage-queue", Tally(tried=1, acknowledged=len(whole), found=len(whole)))
    recovery = recover(journal)
    assert recovery.aside is not None and recovery.aside.read_bytes() == spoilt
    assert_goes_on(journal, b"")


@pytest.mark.parametrize("which", ["short", "lapped"])
def test_any_bit_of_the_committed_offset_changed_loses_no_event(
    short: Remains, lapped: Remains, tmp_path: Path, trusted: bool, which: str, losses: Losses
) -> None:
    """Lines in the ring that go on where the journal ends are found by their `seq`, wherever the offset points.

    Only at another line's end it would pass for a sound one; in the ring of some run or other that can happen.
    """
    remains = short if which == "short" else lapped
    sound = [line.fields for line in lines_in(remains.whole)]
    for bit in range(64):
        for less in (0, 1, 300) if which == "short" or FULL else (bit * 7,):
            size = len(remains.whole) - less
            journal = journal_in(remains, tmp_path, trusted=trusted, size=size)
            spoilt = spoil(journal, flipped(COMMITTED_AT + bit // 8, 1 << bit % 8))
            (committed,) = struct.unpack_from("<Q", spoilt, COMMITTED_AT)
            if spoilt[HEADER_BYTES + (committed - 1) % 65536] == ord("\n") and committed != len(remains.whole) + 65536:
                continue
            reading = read(journal)
            found = [fields for _, fields in reading.records]
            losses.add("damage-queue", Tally(1, len(sound), len(found), len(sound) - len(found)))
            assert found == sound, (bit, size, committed)
            recover(journal)
            assert journal.read_bytes() == remains.whole
    assert_goes_on(journal, remains.whole)


def test_any_byte_of_the_ring_changed_costs_its_own_line_at_most(
    short: Remains, tmp_path: Path, losses: Losses
) -> None:
    """While the machine runs on: every line but the damaged one comes out of the window, and it is told."""
    lines = lines_in(short.whole)
    journal = journal_in(short, tmp_path, trusted=True, size=0)
    before = queue_path(journal).read_bytes()
    for at in range(0, len(short.whole), 1 if FULL else 13):
        spoilt = bytearray(before)
        spoilt[HEADER_BYTES + at] ^= 0x80
        queue_path(journal).write_bytes(spoilt)
        reading = read(journal)
        found = [fields for _, fields in reading.records]
        wanted = [line.fields for line in lines if not line.offset <= at <= line.offset + len(line.data)]
        kept = [fields for fields in found if fields in wanted]
        losses.add("damage-queue", Tally(1, len(wanted), len(kept), len(wanted) - len(kept), len(reading.damages)))
        assert kept == wanted, at
        assert reading.damages or found == [line.fields for line in lines]


def test_any_byte_of_an_untrusted_ring_changed_gives_all_before_and_keeps_the_rest(
    short: Remains, tmp_path: Path
) -> None:
    """In a copied directory lines must go on by their `seq`; what lies beyond a gap is kept aside, told."""
    lines = lines_in(short.whole)
    for at in range(0, len(short.whole), 7 if FULL else 131):
        journal = journal_in(short, tmp_path, trusted=False, size=300)
        spoilt = spoil(journal, flipped(HEADER_BYTES + at, 0x80))
        in_journal = len(lines_in(short.whole[:300]))
        hit = next(number for number, line in enumerate(lines) if at <= line.offset + len(line.data))
        count = len(lines) if hit < in_journal else hit
        reading = read(journal)
        assert reading.seqs[:count] == list(range(1, count + 1)), at
        if len(reading.seqs) < len(lines):
            assert "queue" in reading.kinds
        recovery = recover(journal)
        if len(reading.seqs) < len(lines):
            assert recovery.aside is not None and recovery.aside.read_bytes() == spoilt
        assert [line.fields and line.fields["seq"] for line in lines_in(journal.read_bytes())] == reading.seqs


@pytest.mark.parametrize("rest", [b"", b'{"type":"To', b"\x80"])
def test_lines_glued_at_the_journals_end_are_read_once_and_an_untrusted_ring_goes_on_after_them(
    short: Remains, tmp_path: Path, rest: bytes
) -> None:
    """Reading says beforehand what recovery will make of it, whatever stands after the last of them."""
    lines = [line.data for line in lines_in(short.whole)]
    journal = journal_in(short, tmp_path, trusted=False, size=0)
    journal.write_bytes(b"\n".join([*lines[:2], lines[2] + b"#" + lines[3] + rest]))
    before = read(journal)
    recover(journal)
    after = read(journal)
    assert before.records == after.records
    for reading in (before, after):
        assert reading.seqs == list(range(1, len(lines) + 1))
        assert [(damage.kind, damage.line) for damage in reading.damages] == [("unreadable", 3)]


# Of another world


def of_version_2(queue: bytearray) -> None:
    struct.pack_into("<I", queue, 8, 2)
    sealed(queue)


def of_another_byte_order(queue: bytearray) -> None:
    little = struct.unpack("<8sIIQ16sQQQII", queue[:72])
    queue[:72] = struct.pack(">8sIIQ16sQQQII", *little)
    queue[128:136] = queue[128:136][::-1]


def something_else(queue: bytearray) -> None:
    queue[:] = b"SQLite format 3\0" + os.urandom(8000)


def of_an_unknown_kind(queue: bytearray) -> None:
    struct.pack_into("<I", queue, 12, 9)
    sealed(queue)


def ring_bytes(size: int) -> Callable[[bytearray], None]:
    def change(queue: bytearray) -> None:
        struct.pack_into("<Q", queue, 16, size)
        sealed(queue)

    change.__name__ = f"ring of {size}"
    return change


def text(content: bytes, length: int | None = None) -> Callable[[bytearray], None]:
    def change(queue: bytearray) -> None:
        queue[TEXT_AT : TEXT_AT + len(content)] = content
        struct.pack_into("<I", queue, 68, len(content) if length is None else length)
        sealed(queue)

    change.__name__ = f"text {content[:20]!r} {length}"
    return change


OTHERS: list[tuple[Callable[[bytearray], None], str]] = [
    (of_version_2, "queue file version 2; this release knows version 1"),
    (of_another_byte_order, "of a machine with another byte order"),
    (something_else, "not a queue file of Deia"),
    (of_an_unknown_kind, "a queue file of kind 9"),
    (ring_bytes(65536 + 1), "ring cannot be 65537 bytes long"),
    (ring_bytes(0), "ring cannot be 0 bytes long"),
    (ring_bytes(2**31), "ring cannot be 2147483648 bytes long"),
    (ring_bytes(2**60), "ring cannot be 1152921504606846976 bytes long"),
    (ring_bytes(2**63), "ring cannot be 9223372036854775808 bytes long"),
    (text(b"[]"), "does not name its session"),
    (text(b'["a"]'), "does not name its session"),
    (text(b'{"a":1}'), "does not name its session"),
    (text(b"[1,2]"), "does not name its session"),
    (text(b'["a",null]'), "does not name its session"),
    (text(b"no JSON"), "does not name its session"),
    (text(b"[" * 2000), "does not name its session"),
    (text(b"[]", 2**32 - 1), "its checksum does not match"),
    (lambda queue: queue.__delitem__(slice(100, None)), "100 bytes of its 4096-byte header"),
]


@pytest.mark.parametrize(("change", "reason"), OTHERS, ids=[getattr(case[0], "__name__", "cut") for case in OTHERS])
def test_queue_file_of_another_world_is_kept_aside_and_told(
    short: Remains, tmp_path: Path, change: Callable[[bytearray], None], reason: str, warnings_logged: list[str]
) -> None:
    """Reader, `check`, `mend` and a logger say what it is; none of them takes a byte from it, or deletes it."""
    journal = journal_in(short, tmp_path, trusted=True, size=500)
    spoilt = spoil(journal, change)
    whole = lines_in(short.whole[:500])
    tracemalloc.start()
    try:
        reading = read(journal)
        report = check(journal)
        assert tracemalloc.get_traced_memory()[1] < 4 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert [fields for _, fields in reading.records] == [line.fields for line in whole]
    (damage,) = (damage for damage in reading.damages if damage.kind == "queue")
    assert reason in damage.reason
    assert not report.ok
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    aside = journal.with_name(f"{queue_path(journal).name}.aside-1")
    assert aside.read_bytes() == spoilt
    assert any(aside.name in message for message in warnings_logged)
    assert set(files_in(journal.parent)) == {journal.name, aside.name}
    assert_sound(journal)


def test_ring_said_to_be_larger_than_its_file_takes_no_memory(short: Remains, tmp_path: Path) -> None:
    """A header that claims a gigabyte is believed as far as the file goes."""
    journal = journal_in(short, tmp_path, trusted=True, size=0)
    spoil(journal, ring_bytes(2**30))
    tracemalloc.start()
    try:
        reading = read(journal)
        recover(journal)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert reading.seqs == list(range(1, 32))
    assert journal.read_bytes() == short.whole


def test_queue_file_of_another_session_puts_nothing_into_a_log(short: Remains, tmp_path: Path) -> None:
    """Copied or renamed, it is told, kept aside, and not read: not by the reader, nor by recovery."""
    journal = journal_in(short, tmp_path, trusted=False, size=500)
    renamed = journal.with_name("other_session.jsonl")
    other = short.whole[:600].replace(SESSION.encode(), b"another").replace(AGENT.encode(), b"other")
    renamed.write_bytes(other[: other.rfind(b"\n") + 1])
    queue_path(journal).rename(queue_path(renamed))
    reading = read(renamed)
    assert "queue" in reading.kinds and {fields["session_id"] for _, fields in reading.records} == {"another"}
    recovery = recover(renamed)
    assert recovery.aside is not None and recovery.recovered_bytes == 0
    assert renamed.read_bytes() == other[: other.rfind(b"\n") + 1]


def test_lines_of_another_session_at_a_journals_end_do_not_hide_where_it_goes_on(
    short: Remains, tmp_path: Path
) -> None:
    """Logs may be put together in one file; recovery goes by the session's own lines, as the reader does."""
    journal = journal_in(short, tmp_path, trusted=False, size=0)
    lines = short.whole.splitlines(keepends=True)
    foreign = lines[3].replace(SESSION.encode(), b"another").replace(b'"seq":4', b'"seq":900')
    journal.write_bytes(b"".join(lines[:5]) + foreign)
    queue_path(journal).write_bytes(for_journal(short.queue, journal, trusted=False))
    expected = b"".join(lines[:5]) + foreign + b"".join(lines[5:])
    assert read(journal).seqs == [1, 2, 3, 4, 5, 900, *range(6, 32)]
    recover(journal)
    assert journal.read_bytes() == expected


def test_journal_with_its_last_lines_behind_nuls_is_not_given_them_twice(short: Remains, tmp_path: Path) -> None:
    """Recovery reads the journal as the reader does, however its lines stand in it."""
    journal = journal_in(short, tmp_path, trusted=False, size=0)
    lines = short.whole.splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:5]) + bytes(100) + lines[5])
    queue_path(journal).write_bytes(for_journal(short.queue, journal, trusted=False))
    assert read(journal).seqs == list(range(1, 32))
    recover(journal)
    assert read(journal).seqs == list(range(1, 32))


@pytest.mark.parametrize("count", [2**48 + 1, 2**63, 2**64 - 1])
def test_damaged_count_of_drops_is_not_told(short: Remains, tmp_path: Path, count: int) -> None:
    """A number that no session gets to is no number of events; and counting on from it must not fail."""
    journal = journal_in(short, tmp_path, trusted=True)
    spoil(journal, lambda queue: struct.pack_into("<Q", queue, DROPPED_AT, count))
    assert check(journal).dropped == 0
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
        assert log.statistics().dropped == 0
    assert not any(event.dropped for event in read_events(journal) if hasattr(event, "dropped"))


# Left behind, twice, or alive


def test_queue_file_left_behind_twice_is_tidied_away(short: Remains, tmp_path: Path) -> None:
    """One that was being made when its maker died holds nothing; earlier asides keep their names."""
    for tidy in (recover, mend):
        journal = journal_in(short, tmp_path, trusted=True)
        queue = queue_path(journal)
        new = queue.with_name(f"{queue.name}.new")
        new.write_bytes(queue.read_bytes()[:5000])
        asides = [queue.with_name(f"{queue.name}.aside-{number}") for number in (1, 2)]
        for aside in asides:
            aside.write_bytes(b"earlier")
        tidy(journal)
        assert journal.read_bytes() == short.whole
        assert set(files_in(journal.parent)) == {journal.name, *(aside.name for aside in asides)}
        assert all(aside.read_bytes() == b"earlier" for aside in asides)


def test_recovery_done_again_keeps_one_aside(short: Remains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A death between setting aside and removing leaves one copy, not one for each attempt."""
    from deia.journal import recovery as module

    journal = journal_in(short, tmp_path, trusted=True)
    spoilt = spoil(journal, of_version_2)

    def die(queue: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "remove_queue", die)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                recover(journal)
    recover(journal)
    queue = queue_path(journal)
    assert files_in(journal.parent).keys() == {journal.name, f"{queue.name}.aside-1"}
    assert queue.with_name(f"{queue.name}.aside-1").read_bytes() == spoilt


def test_second_damaged_queue_file_is_kept_beside_the_first(short: Remains, tmp_path: Path) -> None:
    """None takes the other's place."""
    journal = journal_in(short, tmp_path, trusted=True)
    kept = []
    for number in (1, 2):
        queue_path(journal).write_bytes(short.queue)
        kept.append(spoil(journal, lambda queue, number=number: queue.__setitem__(20, number)))
        recover(journal)
    queue = queue_path(journal)
    assert [queue.with_name(f"{queue.name}.aside-{number}").read_bytes() for number in (1, 2)] == kept


def test_stale_lock_is_nobodys(short: Remains, tmp_path: Path) -> None:
    """The lock is the kernel's: with its process it is gone, whatever number the file names."""
    journal = journal_in(short, tmp_path, trusted=True)
    queue_path(journal).write_bytes(for_journal(queue_path(journal).read_bytes(), journal, pid=os.getpid()))
    assert check(journal).locked is False
    assert_goes_on(journal, short.whole)


ALIVE = """
import sys
from deia import SessionLogger

log = SessionLogger("agent-ä", "damaged", output_dir=sys.argv[1], flush_interval_s=60)
for number in range(5):
    log.log_tool_call("build", {"number": number}, duration_ms=1)
print("ready", flush=True)
sys.stdin.read()
"""


def test_queue_file_of_a_live_process_is_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`deia check` says that it is open, `deia recover` leaves it alone and exits with 1, a logger is refused."""
    journal = tmp_path / "log" / f"{AGENT}_{SESSION}.jsonl"
    with subprocess.Popen(
        [sys.executable, "-c", ALIVE, str(journal.parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        before = files_in(journal.parent)
        assert (read(journal).seqs, check(journal).locked) == ([1, 2, 3, 4, 5], True)
        assert run_cli(["check", str(journal.parent)]) == 0
        assert "open in a logger" in capsys.readouterr().out
        assert run_cli(["recover", str(journal.parent)]) == 1
        assert f"open in a logger (process {child.pid}), left alone" in capsys.readouterr().out
        with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log, pytest.raises(SessionLockedError):
            log.log_file_read("x")
        assert files_in(journal.parent) == before
        child.kill()
    assert check(journal).locked is False
    assert run_cli(["recover", str(journal.parent)]) == 0
    assert read(journal).seqs == [1, 2, 3, 4, 5]
    assert files_in(journal.parent).keys() == {journal.name}
