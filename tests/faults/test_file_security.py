"""Files for their owner only, nothing written through a link, nothing outside of the directory, nothing that hangs."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deia import ForeignJournalError, SessionLogger, read_events, system
from deia.journal.check import check
from deia.journal.mend import mend
from deia.journal.recovery import recover
from deia.queue.layout import HEADER_BYTES, Header, Kind, queue_path, ring_name
from support.damage import AGENT, SESSION, Remains, files_in, for_journal, kill_one, lines_in, read
from support.lines import assert_sound, seqs_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes, links and pipes are POSIX")

BYSTANDER = b"none of our business\n"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Remains:
    """What a killed process left."""
    return Remains.of(kill_one(tmp_path_factory.mktemp("killed") / "log", 10))


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=["umask 0", "umask 022", "umask 077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the process, from none to strict."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[Path]:
    """A file that must not change, nor its directory get another one."""
    directory = tmp_path / "elsewhere"
    directory.mkdir()
    file = directory / "bystander"
    file.write_bytes(BYSTANDER)
    file.chmod(0o640)
    before = file.stat()
    yield file
    after = file.stat()
    assert files_in(directory) == {"bystander": BYSTANDER}
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (before.st_mode, before.st_mtime_ns, before.st_ino)


def modes(root: Path) -> dict[str, int]:
    """Return the permissions of everything below a directory, by its name."""
    return {str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*")}


def is_private(root: Path) -> bool:
    """Whether every file is its owner's only, and every directory."""
    expected = {True: 0o700, False: 0o600}
    return all(expected[(root / name).is_dir()] == mode for name, mode in modes(root).items())


# Modes


def test_files_of_a_running_session_are_its_owners_only(
    tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal, the queue file, the ring in `queue_dir`, `.gitignore` and each directory that is made for them."""
    monkeypatch.chdir(tmp_path)
    with SessionLogger("a", "s") as beside, SessionLogger("a", "t", queue_dir=tmp_path / "new" / "rings") as apart:
        beside.log_file_read("x")
        apart.log_file_read("x")
        apart.save_session(tmp_path / "saved" / "deep")
        names = modes(tmp_path)
        assert is_private(tmp_path), names
    assert {".deia/.gitignore", ".deia/sessions/a_s.jsonl", ".deia/sessions/.a_s.queue", "saved/deep/a_t.jsonl"} <= set(
        names
    )
    assert f"new/rings/{ring_name(queue_path(apart.path))}" in names
    assert is_private(tmp_path)


def test_files_of_a_session_without_a_ring_are_its_owners_only(tmp_path: Path, umask: int) -> None:
    """In mode `write`, and where a session is kept in memory until it is saved."""
    with SessionLogger("a", "s", output_dir=tmp_path / "log", queue_mode="write") as log:
        log.log_file_read("x")
        assert is_private(tmp_path), modes(tmp_path)
    (tmp_path / "file").touch(0o600)
    (tmp_path / "file").chmod(0o600)
    with SessionLogger("a", "m", output_dir=tmp_path / "file" / "log") as log:
        log.log_file_read("x")
        log.save_session(tmp_path / "saved")
    assert (tmp_path / "saved" / "a_m.jsonl").exists()
    assert is_private(tmp_path), modes(tmp_path)


def test_what_recovery_and_mending_make_is_its_owners_only(killed: Remains, tmp_path: Path, umask: int) -> None:
    """An aside, a copy where there are no second names, the mended log, a journal that comes back."""
    journal = killed.lay(tmp_path / "log")
    (tmp_path / "log").chmod(0o700)
    for path in (journal, queue_path(journal)):
        path.chmod(0o600)
    content = killed.whole
    journal.write_bytes(content + b"rubbish\n")
    queue_path(journal).write_bytes(b"rubbish" * 1000)
    assert mend(journal).aside is not None
    journal.unlink()
    queue_path(journal).write_bytes(killed.queue)
    queue_path(journal).chmod(0o600)
    recover(journal)
    assert len(files_in(tmp_path / "log")) == 3
    assert is_private(tmp_path), modes(tmp_path)


def test_copies_where_there_are_no_second_names_are_their_owners_only(
    killed: Remains, tmp_path: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the mode of what is copied: it holds the same secrets."""

    def refuse(*arguments: object) -> None:
        raise PermissionError

    monkeypatch.setattr(system, "link", refuse)
    journal = killed.lay(tmp_path / "log")
    (tmp_path / "log").chmod(0o700)
    journal.write_bytes(killed.whole + b"rubbish\n")
    journal.chmod(0o644)
    queue_path(journal).write_bytes(b"rubbish" * 1000)
    queue_path(journal).chmod(0o644)
    mend(journal)
    assert len(files_in(tmp_path / "log")) == 3
    assert is_private(tmp_path), modes(tmp_path)


# Links


def link_names(journal: Path) -> list[Path]:
    queue = queue_path(journal)
    return [
        queue.with_name(f"{queue.name}.new"),
        queue.with_name(f"{queue.name}.aside-1"),
        journal.with_name(f".{journal.name}.mending"),
        journal.with_name(f"{journal.name}.damaged-1"),
    ]


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("which", ["journal", "queue"])
def test_link_in_a_files_place_is_refused(bystander: Path, tmp_path: Path, which: str, *, dangling: bool) -> None:
    """By a logger, `recover` and `mend`, whether it leads anywhere or not; reading goes through a journal's."""
    journal = tmp_path / "log" / "a_s.jsonl"
    journal.parent.mkdir()
    target = bystander.with_name("missing") if dangling else bystander
    (journal if which == "journal" else queue_path(journal)).symlink_to(target)
    with SessionLogger("a", "s", output_dir=journal.parent) as log:
        with pytest.raises(ForeignJournalError, match="symbolic link"):
            log.log_file_read("x")
    if which == "queue":
        journal.write_bytes(b'{"path":"/a","operation":"read"}\n')
    for repair in (recover, mend):
        with pytest.raises((OSError, ForeignJournalError, ValueError)):
            repair(journal)


def test_links_at_the_names_of_temporary_and_kept_files_are_not_followed(
    killed: Remains, bystander: Path, tmp_path: Path
) -> None:
    """They are taken away, or their number is passed over."""
    journal = killed.lay(tmp_path / "log")
    for name in link_names(journal):
        name.symlink_to(bystander)
    journal.write_bytes(killed.whole + b"rubbish\n")
    queue_path(journal).write_bytes(b"rubbish" * 1000)
    report = mend(journal)
    assert report.aside is not None and report.aside.name == f"{journal.name}.damaged-2"
    assert report.recovery.aside is not None and report.recovery.aside.name.endswith(".aside-2")
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("later")
    assert journal.read_bytes().startswith(killed.whole)


def test_link_at_the_rings_name_is_replaced_and_not_followed(bystander: Path, tmp_path: Path) -> None:
    """In `queue_dir`, where others may have been first."""
    rings = tmp_path / "rings"
    rings.mkdir()
    ring = rings / ring_name(tmp_path / "log" / ".a_s.queue")
    for name in (ring, ring.with_name(f"{ring.name}.new")):
        name.symlink_to(bystander)
    with SessionLogger("a", "s", output_dir=tmp_path / "log", queue_dir=rings) as log:
        log.log_file_read("x")
        assert not ring.is_symlink()
        assert log.statistics().mode == "mmap"
    assert seqs_of(log.path) == [1]


def test_link_at_the_saved_copys_name_is_replaced_and_not_followed(bystander: Path, tmp_path: Path) -> None:
    """The copy takes its place."""
    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "a_s.jsonl").symlink_to(bystander)
    with SessionLogger("a", "s", output_dir=tmp_path / "log") as log:
        log.log_file_read("x")
        copy = log.save_session(saved)
    assert not copy.is_symlink() and seqs_of(copy) == [1]


def test_saving_an_empty_session_does_not_follow_a_link(bystander: Path, tmp_path: Path) -> None:
    """Nor make what it leads to."""
    saved = tmp_path / "saved"
    saved.mkdir()
    for target in (bystander, bystander.with_name("missing")):
        (saved / "a_s.jsonl").unlink(missing_ok=True)
        (saved / "a_s.jsonl").symlink_to(target)
        with SessionLogger("a", "s", output_dir=saved) as log, pytest.raises((OSError, ForeignJournalError)):
            log.save_session(saved)


def test_saved_copy_is_never_made_in_a_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever guesses its temporary name gets an error, not the log."""
    monkeypatch.setattr(os, "urandom", lambda size: bytes(size))
    saved = tmp_path / "saved"
    saved.mkdir()
    planted = saved / ".a_s.saving-00000000"
    planted.touch()
    planted.chmod(0o666)
    with SessionLogger("a", "s", output_dir=tmp_path / "log") as log:
        log.log_file_read("x")
        with pytest.raises(FileExistsError):
            log.save_session(saved)
    assert planted.read_bytes() == b""


def test_gitignore_that_is_there_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another process, which made the directory at the same moment."""
    make = system.make_directory

    def after_another(path: Path) -> list[Path]:
        made = make(path)
        (tmp_path / ".deia" / ".gitignore").write_bytes(BYSTANDER)
        return made

    monkeypatch.setattr(system, "make_directory", after_another)
    with SessionLogger("a", "s", output_dir=tmp_path / ".deia" / "sessions") as log:
        log.log_file_read("x")
    assert (tmp_path / ".deia" / ".gitignore").read_bytes() == BYSTANDER
    assert seqs_of(log.path) == [1]


def test_link_put_there_after_the_look_is_not_followed(bystander: Path, tmp_path: Path) -> None:
    """The descriptor is opened without following one: no look beforehand is relied on."""
    for number, opened in enumerate((system.open_new, system.open_or_create, system.open_existing)):
        link = tmp_path / f"link{number}"
        link.symlink_to(bystander)
        with pytest.raises(OSError):
            opened(link)


def test_directory_may_be_a_link(tmp_path: Path) -> None:
    """It is the user's word where logs go; only the files' own names are ours."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with SessionLogger("a", "s", output_dir=tmp_path / "link") as log:
        log.log_file_read("x")
    assert seqs_of(tmp_path / "real" / "a_s.jsonl") == [1]


def test_hard_link_at_the_queue_files_name_is_not_written(bystander: Path, tmp_path: Path) -> None:
    """The queue file is made anew and renamed into place: what another name has of the old one stays as it was."""
    directory = tmp_path / "log"
    directory.mkdir()
    queue = directory / ".a_s.queue"
    os.link(bystander, queue)
    with SessionLogger("a", "s", output_dir=directory) as log:
        log.log_file_read("x")
    assert seqs_of(log.path) == [1]


# What is no file


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


def make_device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero: reading it has no end
    except PermissionError:
        pytest.skip("making a device takes root")


def make_directory(path: Path) -> None:
    path.mkdir()


SPECIAL = [make_pipe, make_socket, make_device, make_directory]

TRIED = """
import sys
from pathlib import Path
from deia import SessionLogger, read_events
from deia.cli.app import run
from deia.journal.check import check
from deia.journal.mend import mend
from deia.journal.recovery import recover

journal = Path(sys.argv[1])

def attempt(what):
    try:
        print("->", what())
    except OSError as error:
        print("->", type(error).__name__)

with SessionLogger("a", "s", output_dir=journal.parent, full_timeout_s=0) as log:
    log.log_file_read("x")
    print("->", log.statistics().mode)
    log.save_session(journal.parent.parent / "saved")
attempt(lambda: recover(journal))
attempt(lambda: mend(journal))
attempt(lambda: run(["check", str(journal.parent)]))
if sys.argv[2] == "queue":
    attempt(lambda: (sum(1 for _ in read_events(journal)), check(journal).ok))
"""
"""In a process of its own, which can be ended if it hangs."""


@pytest.mark.parametrize("make", SPECIAL)
@pytest.mark.parametrize("which", ["journal", "queue"])
def test_what_is_no_file_holds_nobody_up_and_is_left_alone(
    tmp_path: Path, make: Callable[[Path], None], which: str
) -> None:
    """A pipe, a socket, a device, a directory at our names: events are kept in memory, or a clear error is raised."""
    journal = tmp_path / "log" / "a_s.jsonl"
    journal.parent.mkdir()
    path = journal if which == "journal" else queue_path(journal)
    if which == "queue":
        journal.write_bytes(b'{"path":"/a","operation":"read"}\n')
    make(path)
    before = path.lstat()
    done = subprocess.run(
        [sys.executable, "-c", TRIED, str(journal), which], check=False, capture_output=True, text=True, timeout=60
    )
    said = [line.removeprefix("-> ") for line in done.stdout.splitlines() if line.startswith("-> ")]
    refused = "IsADirectoryError" if make is make_directory else "OSError"
    checked = 1 if which == "queue" else 0 if make is make_directory else 2  # a directory is looked into
    assert said[:4] == ["memory", refused, refused, str(checked)], done
    if which == "queue":
        assert said[4] == "(1, False)"
    assert seqs_of(tmp_path / "saved" / "a_s.jsonl") == [1]
    assert {each.name for each in journal.parent.iterdir()} == {
        path.name,
        *([journal.name] if which == "queue" else []),
    }
    after = path.lstat()
    assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)


# A pointer


@pytest.fixture
def pointed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A killed session with its ring in another directory: its journal and its ring."""
    root = tmp_path_factory.mktemp("pointed")
    journal = kill_one(root / "log", 10, root / "rings")
    (ring,) = (root / "rings").iterdir()
    return journal, ring


def point(journal: Path, target: str, **fields: object) -> None:
    """Have the queue file point to something else, with a sound header."""
    queue = queue_path(journal)
    header = Header.unpack(queue.read_bytes()[:HEADER_BYTES])
    values = {**vars(header), "target": target, **fields}
    queue.write_bytes(Header(**values).pack())


def test_pointer_of_ours_is_followed_and_its_ring_removed(pointed: tuple[Path, Path]) -> None:
    """As it was made; the session directory may have been moved since."""
    journal, ring = pointed
    assert read(journal).seqs == list(range(1, 12))
    moved = journal.parent.rename(journal.parent.with_name("moved")) / journal.name
    recover(moved)
    assert read(moved).seqs == list(range(1, 12))
    assert not ring.exists() and files_in(moved.parent).keys() == {moved.name}


@pytest.mark.parametrize("repair", [recover, mend, "log"])
def test_planted_pointer_neither_removes_nor_copies_nor_reads_what_it_names(
    pointed: tuple[Path, Path], bystander: Path, repair: Callable[[Path], object] | str
) -> None:
    """A directory filled by somebody else is looked at, recovered and logged to without harm to other files."""
    journal, ring = pointed
    for target in (str(bystander), f"{bystander.parent}/../elsewhere/bystander", "bystander", "", "/dev/zero", "a\0b"):
        point(journal, target)
        reading = read(journal)
        assert (reading.seqs, reading.kinds) == ([], {"queue"})
        assert not check(journal).ok
        if repair == "log":
            with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
                log.log_file_read("x")
            journal.write_bytes(b"")
        else:
            assert callable(repair)
            repair(journal)
        aside = queue_path(journal).with_name(f"{queue_path(journal).name}.aside-1")
        assert Header.unpack(aside.read_bytes()[:HEADER_BYTES]).target == target
        aside.rename(queue_path(journal))
    assert ring.exists()


def plant_named(bystander: Path, content: bytes) -> Path:
    """Put content at a name that a ring may have, and return it."""
    planted = bystander.parent.parent / "planted"
    planted.mkdir(exist_ok=True)
    path = planted / f".deia-{'0' * 32}.queue"
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    return path


def test_pointer_to_the_ring_of_another_session_is_refused(
    pointed: tuple[Path, Path], tmp_path: Path, bystander: Path
) -> None:
    """Another session's events do not get into this log, and its ring stays where it is."""
    journal, ring = pointed
    content = ring.read_bytes()
    page = Header.unpack(content[:HEADER_BYTES])
    for planted in (
        for_journal(content, journal, session_id="another"),
        for_journal(content, journal, kind=Kind.POINTER, ring_bytes=0, target=str(ring)),
        for_journal(content, journal, kind=Kind.LOCK, ring_bytes=0),
        b"no ring at all",
    ):
        path = plant_named(bystander, planted)
        point(journal, str(path))
        reading = read(journal)
        assert (reading.seqs, reading.kinds) == ([], {"queue"})
        recovery = recover(journal)
        assert recovery.aside is not None and recovery.recovered_bytes == 0
        assert path.read_bytes() == planted
        queue_path(journal).write_bytes(b"")
        recovery.aside.rename(queue_path(journal))
    assert page.session_id == SESSION


@pytest.mark.parametrize("make", [make_pipe, make_socket, make_directory])
def test_pointer_to_what_is_no_file_is_refused_at_once(
    pointed: tuple[Path, Path], bystander: Path, make: Callable[[Path], None]
) -> None:
    """A pipe without a writer would be waited for without end."""
    journal, _ = pointed
    path = plant_named(bystander, b"")
    path.unlink()
    make(path)
    point(journal, str(path))
    assert read(journal).kinds == {"queue"}
    assert recover(journal).aside is not None
    assert path.exists()


def test_pointer_to_a_link_is_refused(pointed: tuple[Path, Path], bystander: Path) -> None:
    """Though what it leads to is the ring."""
    journal, ring = pointed
    path = plant_named(bystander, b"")
    path.unlink()
    path.symlink_to(ring)
    point(journal, str(path))
    assert read(journal).kinds == {"queue"}
    recover(journal)
    assert ring.exists() and path.is_symlink()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="giving a file away takes root")
def test_ring_of_another_user_is_neither_read_nor_removed(pointed: tuple[Path, Path]) -> None:
    """In a directory that all may write to, somebody else can put a file at a name that is free after a restart."""
    journal, ring = pointed
    os.chown(ring, 12345, -1)
    reading = read(journal)
    assert (reading.seqs, reading.kinds) == ([], {"queue"})
    assert recover(journal).recovered_bytes == 0
    assert ring.exists()


def test_pointer_to_itself_or_to_nothing_ends(pointed: tuple[Path, Path]) -> None:
    """A ring that is gone, with a tmpfs, holds nothing; what points in a circle is refused."""
    journal, ring = pointed
    ring.unlink()
    assert (read(journal).seqs, read(journal).kinds) == ([], set())
    point(journal, str(queue_path(journal)))
    assert (read(journal).seqs, read(journal).kinds) == ([], {"queue"})
    with SessionLogger(AGENT, SESSION, output_dir=journal.parent) as log:
        log.log_file_read("x")
    assert_sound(journal)


# Ids

TRAVERSAL = [
    "../evil",
    "..",
    ".",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "..\\evil",
    "a\0b",
    "a\nb",
    "\x7f",
    "a\u202eb",
    "\ud800",
]


@pytest.mark.parametrize("value", [*TRAVERSAL, "", "x" * 201, "ä" * 101])
@pytest.mark.parametrize("which", ["agent_id", "session_id"])
def test_id_that_is_no_plain_part_of_a_name_is_refused(tmp_path: Path, which: str, value: str) -> None:
    """At construction, naming it; nothing is made, there or elsewhere."""
    ids = {"agent_id": "a", "session_id": "s", which: value}
    if which == "session_id" and not value:
        return  # asks for a new one
    with pytest.raises(ValueError, match=which):
        SessionLogger(**ids, output_dir=tmp_path / "log")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    ["-rf", "~", "$HOME", "*", "%2e%2e%2f", "con", "a.queue", ".hidden", "a.jsonl", "…", "a b", "／", "x" * 200],
)
def test_files_of_any_accepted_id_lie_in_the_directory(tmp_path: Path, value: str) -> None:
    """However odd, it is one name there, and no glob takes anything but the journal for one."""
    directory = tmp_path / "log"
    for agent, session in ((value, "s"), ("a", value)):
        with SessionLogger(agent, session, output_dir=directory) as log:
            log.log_file_read("x")
            assert log.path.parent == directory
            assert {path.name for path in directory.iterdir()} == {log.path.name, queue_path(log.path).name}
            assert [name for name in os.listdir(directory) if name.endswith(".jsonl")] == [log.path.name]
        log.path.unlink()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_ids_that_differ_in_their_normal_form_only_never_share_a_log(tmp_path: Path) -> None:
    """Two names where the file system tells them apart; where it does not, the log's first line does."""
    composed, decomposed = "é", unicodedata.normalize("NFD", "é")
    with SessionLogger(composed, "s", output_dir=tmp_path) as log:
        log.log_file_read("x")
    try:
        with SessionLogger(decomposed, "s", output_dir=tmp_path) as other:
            other.log_file_read("x")
    except ForeignJournalError:
        pass
    assert {line.fields and line.fields["agent_id"] for line in lines_in(log.path.read_bytes())} == {composed}
    assert [event.agent_id for event in read_events(log.path)] == [composed]
