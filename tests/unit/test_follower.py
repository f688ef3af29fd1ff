"""Following a session: what is new, once each and in order, whatever happens to its files."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import deia
from deia import SessionLogger, system
from deia.journal.mend import mend
from deia.journal.reader import Entry, EventReader
from deia.journal.recovery import recover
from deia.journal.segments import Segment, first_line, segment_path
from deia.live import follower as follower_module
from deia.live.follower import Follower, Note
from deia.queue.layout import Kind, queue_path
from support.causes import CAUSES, OPTIONS
from support.held_writer import HeldWriter
from support.journals import Lines, journal_path, write_queue
from support.waiting import eventually

PAD = "x" * 600


class Seen:
    """A follower and what it was told."""

    def __init__(self, path: Path, *, back: int | None = None) -> None:
        self.notes: list[Note] = []
        self.follower = Follower(path, self.notes.append, back=back)

    def new(self, most: int | None = None) -> list[Entry]:
        return list(self.follower.new(most))

    def seqs(self, most: int | None = None) -> list[int | None]:
        return [entry.event.seq for entry in self.new(most)]

    def paths(self) -> list[str]:
        return [entry.event.path for entry in self.new() if isinstance(entry.event, deia.FileEvent)]

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes]


def logger_in(directory: Path, session: str = "s", **options: Any) -> SessionLogger:
    return SessionLogger("agent", session, output_dir=directory, **options)


# From the log call to the follower


@pytest.mark.parametrize("queue_dir", [False, True])
def test_event_is_there_before_the_background_has_written_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, queue_dir: bool
) -> None:
    """The follower sees what only the ring has, wherever that lies: no write to the journal has returned."""
    disk = HeldWriter(monkeypatch)
    log = logger_in(tmp_path, **({"queue_dir": tmp_path / "rings"} if queue_dir else {}))
    log.open()
    seen = Seen(log.path)
    assert seen.seqs() == []
    disk.hold()
    try:
        for seq in (1, 2, 3):
            log.log_file_read(f"/{seq}")
            assert seen.seqs() == [seq]
            assert log.path.read_bytes() == b""
    finally:
        disk.release()
    log.close()
    assert seen.seqs() == []
    assert log.path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("mode", ["mmap", "write"])
def test_each_event_comes_once_while_it_goes_from_the_ring_to_the_journal(tmp_path: Path, mode: Any) -> None:
    """Between a look before the flush, one after it, and one after the end."""
    log = logger_in(tmp_path, queue_mode=mode)
    seen = Seen(log.path)
    found = []
    for number in range(30):
        log.log_file_read(f"/{number}")
        found += seen.seqs()
        if number % 3 == 0:
            log.flush()
            found += seen.seqs()
    log.close()
    assert found + seen.seqs() == list(range(1, 31))


def test_look_at_a_session_in_which_nothing_happens_reads_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is opened and no directory listed, of an open session or a finished one."""
    log = logger_in(tmp_path)
    log.log_file_read("/a")
    log.flush()
    seen = Seen(log.path)
    assert seen.seqs() == [1]
    with monkeypatch.context() as patch:
        for name in ("open_for_reading", "open_existing", "list_directory"):
            patch.setattr(system, name, None)
        assert seen.seqs() == []
    log.close()
    assert seen.seqs() == []
    with monkeypatch.context() as patch:
        for name in ("open_for_reading", "open_existing", "list_directory"):
            patch.setattr(system, name, None)
        assert seen.seqs() == []


def test_what_was_read_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a journal of any length, a look that finds something new reads what came since."""
    log = logger_in(tmp_path)
    for number in range(2000):
        log.log_file_read(f"/{number}")
    log.flush()
    seen = Seen(log.path)
    assert len(seen.seqs()) == 2000
    readers: list[EventReader] = []

    class Kept(EventReader):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            readers.append(self)

    monkeypatch.setattr(follower_module, "EventReader", Kept)
    log.log_file_read("/new")
    log.flush()
    assert seen.seqs() == [2001]
    assert [reader.source.journal_bytes < 1000 for reader in readers] == [True]
    log.close()


def test_more_than_is_wanted_at_once_waits_for_the_next_call(tmp_path: Path) -> None:
    """And the follower says so: it is behind."""
    log = logger_in(tmp_path)
    for number in range(25):
        log.log_file_read(f"/{number}")
    seen = Seen(log.path)
    assert seen.seqs(10) == list(range(1, 11))
    assert seen.follower.is_behind
    log.log_file_read("/later")
    assert seen.seqs(10) == list(range(11, 21))
    assert seen.seqs() == list(range(21, 26))
    assert not seen.follower.is_behind
    assert seen.seqs() == [26]
    log.close()


# Deaths, recovery, further runs


def killed(directory: Path, *, in_journal: int, in_all: int) -> tuple[Path, Lines]:
    """Lay out a session whose process was killed: some lines are in its journal, the rest in its queue file."""
    lines = Lines("agent", "s")
    made = [lines.file(path=f"/{number}") for number in range(in_all)]
    journal = journal_path(directory, "agent", "s")
    journal.write_bytes(b"".join(made[:in_journal]) + made[in_journal][:20])
    write_queue(journal, b"".join(made), agent_id="agent", session_id="s")
    return journal, lines


def test_killed_session_is_seen_to_its_last_call(tmp_path: Path) -> None:
    """What its queue file holds is there, whether somebody recovers it or not."""
    journal, _ = killed(tmp_path, in_journal=4, in_all=9)
    seen = Seen(journal)
    assert seen.seqs() == list(range(1, 10))
    assert seen.seqs() == []
    recover(journal)
    assert not queue_path(journal).exists()
    assert seen.seqs() == []
    assert seen.notes == []


def test_session_that_is_opened_again_goes_on_in_its_next_run(tmp_path: Path) -> None:
    """Recovered, and continued by another logger: the line that says so, and all after it."""
    journal, _ = killed(tmp_path, in_journal=4, in_all=9)
    seen = Seen(journal)
    assert len(seen.seqs()) == 9
    with logger_in(tmp_path) as log:
        log.log_file_read("/second run")
        first, second = seen.new()
    assert isinstance(first.event, deia.SessionEvent)
    assert (first.event.event, first.event.run, first.event.seq) == ("continued", 2, 10)
    assert isinstance(second.event, deia.FileEvent) and second.event.seq == 11
    assert seen.seqs() == []
    assert seen.notes == []


def test_queue_file_of_another_boot_is_followed_into_the_next_run(tmp_path: Path) -> None:
    """After a loss of power offsets are not trusted; no event comes twice for that."""
    lines = Lines("agent", "s")
    made = [lines.file(path=f"/{number}") for number in range(6)]
    journal = journal_path(tmp_path, "agent", "s")
    journal.write_bytes(b"".join(made[:3]))
    write_queue(journal, b"".join(made), agent_id="agent", session_id="s", boot_id=b"another boot id.")
    seen = Seen(journal)
    found = seen.seqs()
    assert found == list(range(1, 7))
    with logger_in(tmp_path) as log:
        log.log_file_read("/after")
        assert seen.seqs() == [7, 8]
    assert seen.seqs() == []


# Further files


@pytest.mark.parametrize("looks", [5, 40])
@pytest.mark.parametrize("cause", CAUSES)
def test_session_is_followed_into_its_further_files(tmp_path: Path, cause: str, looks: int) -> None:
    """Whatever made it go on there, each event comes once and in order, however often it is looked."""
    directory = tmp_path / "sessions"
    log = logger_in(directory, flush_interval_s=0.02, sync_interval_s=0.02, **OPTIONS.get(cause, {}))
    seen = Seen(log.path)
    found: list[str] = []
    for number in range(200):
        if number == 100:
            log.flush()
            CAUSES[cause](log.path)
        log.log_file_read(f"{number} {PAD}")
        if number % looks == 0:
            found += seen.paths()
        if number == 180:
            eventually(lambda: log.statistics().segment > 1, "the session to go on in another file")
    log.flush()
    found += seen.paths()
    log.close()
    found += seen.paths()
    assert [int(path.split()[0]) for path in found] == list(range(200))
    assert set(seen.kinds) <= {"changed", "gone"}


def test_further_file_that_another_program_writes_is_followed(tmp_path: Path) -> None:
    """Neither the first file nor the directory tells of it, and there is no queue file."""
    lines = Lines("agent", "s")
    journal = journal_path(tmp_path, "agent", "s")
    journal.write_bytes(lines.file())
    further = segment_path(journal, 2)
    further.write_bytes(first_line("agent", "s", Segment(further, 2, "s", after_seq=1)) + lines.file())
    seen = Seen(journal)
    assert seen.seqs() == [1, 2]
    with further.open("ab") as file:
        file.write(lines.file())
    assert seen.seqs() == [3]


# Files that are changed under it


def test_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    """Neither its directory need be there; nothing is told of that."""
    seen = Seen(tmp_path / "to come" / "agent_s.jsonl")
    assert seen.seqs() == []
    with logger_in(tmp_path / "to come") as log:
        log.log_file_read("/a")
        assert seen.seqs() == [1]
    assert seen.notes == []


def test_log_that_is_removed_is_told_of_and_waited_for(tmp_path: Path) -> None:
    """Another session under the same name, which counts from 1 again, is followed from its beginning."""
    with logger_in(tmp_path) as log:
        log.log_file_read("/old")
    seen = Seen(log.path)
    assert seen.paths() == ["/old"]
    log.path.unlink()
    assert seen.seqs() == []
    assert seen.kinds == ["gone"]
    assert seen.seqs() == []
    assert seen.kinds == ["gone"]
    with logger_in(tmp_path) as anew:
        anew.log_file_read("/new")
    assert seen.paths() == ["/new"]


def test_log_that_is_put_back_to_an_earlier_state_brings_nothing_twice(tmp_path: Path) -> None:
    """From a backup, and then forward again: it is told that it was changed, and nothing else."""
    backup = tmp_path / "backup"
    with logger_in(tmp_path) as log:
        for number in range(5):
            log.log_file_read(f"/{number}")
        log.flush()
        shutil.copyfile(log.path, backup)
        log.log_file_read("/5")
    whole = log.path.read_bytes()
    seen = Seen(log.path)
    assert len(seen.seqs()) == 6
    backup.replace(log.path)
    assert seen.seqs() == []
    assert seen.kinds == ["changed"]
    log.path.write_bytes(whole)
    assert seen.seqs() == []


def test_session_that_goes_on_from_an_earlier_state_is_followed(tmp_path: Path) -> None:
    """Its new events have numbers that were seen before, in another run: they are new all the same."""
    backup = tmp_path / "backup"
    with logger_in(tmp_path) as log:
        log.log_file_read("/kept")
        log.flush()
        shutil.copyfile(log.path, backup)
        log.log_file_read("/lost")
        log.log_file_read("/lost too")
    seen = Seen(log.path)
    assert seen.paths() == ["/kept", "/lost", "/lost too"]
    backup.replace(log.path)
    with logger_in(tmp_path) as again:
        again.log_file_read("/new")
    assert seen.paths() == ["/new"]
    assert seen.seqs() == []


def test_run_whose_first_line_is_lost_brings_nothing_twice(tmp_path: Path) -> None:
    """Its events seem to be of the run before; none of that can be new, as another one came after it."""
    lines = Lines()
    first, second, third = lines.file(), lines.continued(2, at=100), lines.file(at=101)
    journal = journal_path(tmp_path)
    journal.write_bytes(first + second + third)
    seen = Seen(journal)
    assert seen.seqs() == [1, 2, 3]
    journal.write_bytes(first + third)
    assert seen.seqs() == []
    assert seen.kinds == ["changed", "damage"]
    with journal.open("ab") as file:
        file.write(lines.file(at=102))
    assert seen.seqs() == [4]


def test_line_that_was_cut_out_is_no_reason_to_bring_the_others_again(tmp_path: Path) -> None:
    """As `deia recover` mends a log."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(lines.file() + b"no line\n" + lines.file() + lines.file())
    seen = Seen(journal)
    assert seen.seqs() == [1, 2, 3]
    assert seen.kinds == ["damage"]
    mend(journal)
    assert seen.seqs() == []
    assert seen.kinds == ["damage", "changed"]


def test_damage_is_told_once(tmp_path: Path) -> None:
    """With its place; a torn end, which a crash leaves, is none."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(lines.file() + b"no line\n" + lines.file())
    seen = Seen(journal)
    assert seen.seqs() == [1, 2]
    with journal.open("ab") as file:
        file.write(lines.file() + b'{"type":"FileEv')
    assert seen.seqs() == [3]
    assert [(note.kind, note.text.split(":")[0]) for note in seen.notes] == [
        ("damage", "line 2 (byte " + str(len(Lines().file())) + ")")
    ]


def test_number_that_is_damaged_hides_nothing_that_comes_after_it(tmp_path: Path) -> None:
    """A line may claim any `seq`; those after it are told by their own."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(lines.file() + lines.file(seq=10**15))
    seen = Seen(journal)
    assert seen.seqs() == [1, 10**15]
    for _ in range(3):
        with journal.open("ab") as file:
            file.write(lines.file())
        assert len(seen.seqs()) == 1


def test_file_without_an_event_is_no_log(tmp_path: Path) -> None:
    """It is told once, beside what is wrong with its lines."""
    journal = tmp_path / "notes.jsonl"
    journal.write_text("shopping\n")
    seen = Seen(journal)
    assert seen.seqs() == []
    assert seen.kinds == ["damage", "no log"]


def test_damage_from_end_to_end_is_told_in_bounds(tmp_path: Path) -> None:
    """A hundred problems are enough."""
    journal = tmp_path / "notes.jsonl"
    journal.write_text("shopping\n\n" * 1000)
    seen = Seen(journal)
    assert seen.seqs() == []
    assert len(seen.notes) < 110


def test_directory_in_the_place_of_a_log_is_told(tmp_path: Path) -> None:
    """What cannot be read is said once, and does not end the following."""
    seen = Seen(tmp_path)
    assert seen.seqs() == []
    assert seen.kinds == ["unreadable"]


def test_pipe_that_takes_the_place_of_a_log_is_told_and_not_waited_for(tmp_path: Path) -> None:
    """Nobody may ever write to it; the log is followed again when it is back."""
    lines = Lines("agent", "s")
    journal = journal_path(tmp_path, "agent", "s")
    journal.write_bytes(content := lines.file())
    seen = Seen(journal)
    assert seen.seqs() == [1]
    journal.unlink()
    os.mkfifo(journal)
    assert seen.seqs() == []
    assert [(note.kind, note.text) for note in seen.notes] == [("unreadable", "not a plain file")]
    journal.unlink()
    journal.write_bytes(content + lines.file())
    assert seen.seqs() == [2]


@pytest.mark.parametrize("kind", [Kind.LOCK, None], ids=["lock", "damaged"])
def test_queue_file_without_a_ring_is_no_obstacle(tmp_path: Path, kind: Kind | None) -> None:
    """The journal tells then."""
    lines = Lines()
    journal = journal_path(tmp_path)
    journal.write_bytes(lines.file())
    if kind is None:
        queue_path(journal).write_bytes(b"no queue file" * 1000)
    else:
        write_queue(journal, b"", kind=kind)
    seen = Seen(journal)
    assert seen.seqs() == [1]
    with journal.open("ab") as file:
        file.write(lines.file())
    assert seen.seqs() == [2]


# Other forms


def test_compressed_log_is_read_once(tmp_path: Path) -> None:
    """There is nothing to follow, and nothing comes twice where it is touched."""
    lines = Lines()
    packed = tmp_path / "agent_s.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.file() + lines.file()))
    seen = Seen(packed)
    assert seen.seqs() == [1, 2]
    packed.write_bytes(gzip.compress(Lines().file() + Lines().file() + b""))
    assert seen.seqs() == []


def test_log_in_the_original_format_is_followed(tmp_path: Path) -> None:
    """Its lines have no `seq`: they are told by their place, the last one before it has its newline, too."""
    journal = tmp_path / "old.jsonl"
    journal.write_text(
        '{"name":"a","start_time":1,"end_time":2,"metadata":{}}\n{"name":"b","start_time":2,"end_time":3,"metadata":{}}'
    )
    seen = Seen(journal)
    assert [getattr(entry.event, "name", "") for entry in seen.new()] == ["a", "b"]
    with journal.open("a") as file:
        file.write('\n{"name":"c","start_time":3,"end_time":4,"metadata":{}}\n')
    assert [getattr(entry.event, "name", "") for entry in seen.new()] == ["c"]


# From near the end


def long_log(directory: Path, lines: Lines, megabytes: int = 3) -> Path:
    journal = journal_path(directory)
    with journal.open("wb") as file:
        while file.tell() < megabytes << 20:
            file.write(b"".join(lines.file(path=PAD) for _ in range(500)))
    return journal


def test_long_log_is_begun_near_its_end(tmp_path: Path) -> None:
    """Lines before are not read, and those after are followed; damage is told with its line, as `seq` counts them."""
    lines = Lines()
    journal = long_log(tmp_path, lines)
    seen = Seen(journal, back=100_000)
    found = seen.seqs()
    assert seen.follower.began_within
    assert 50 < len(found) < 200
    assert found == list(range(lines.seq - len(found) + 1, lines.seq + 1))
    with journal.open("ab") as file:
        file.write(b"no line\n" + lines.file())
    assert seen.seqs() == [lines.seq]
    assert [note.text.split(" (")[0] for note in seen.notes] == [f"line {lines.seq}"]


def test_long_log_that_is_changed_brings_nothing_from_before_the_place_where_it_was_begun(tmp_path: Path) -> None:
    """It is read from its beginning then, and what was there before is known by its number."""
    lines = Lines()
    journal = long_log(tmp_path, lines)
    seen = Seen(journal, back=100_000)
    assert seen.seqs()
    copy = tmp_path / "copy"
    copy.write_bytes(journal.read_bytes() + lines.file())
    copy.replace(journal)
    assert seen.seqs() == [lines.seq]
    assert seen.kinds == ["changed"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda journal: journal.write_bytes(journal.read_bytes()[:-100_000] + b"x" * 100_000 + b"\n"),
        lambda journal: journal.with_name("agent_session.2.jsonl").write_bytes(
            first_line("agent", "session", Segment(journal, 2, after_seq=10, reason="size"))
        ),
        lambda journal: journal.write_bytes(gzip.compress(journal.read_bytes())),
        lambda journal: journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:10])),
    ],
    ids=["damaged", "several files", "compressed", "short"],
)
def test_log_is_begun_at_its_beginning_where_nothing_else_is_sound(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    """Then the follower says that it did."""
    journal = long_log(tmp_path, Lines())
    spoil(journal)
    seen = Seen(journal, back=50_000)
    assert seen.seqs()[0] == 1
    assert not seen.follower.began_within
