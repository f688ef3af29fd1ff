"""Which sessions `deia prune` removes, what goes with them, and what it never touches."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deia import ConversationLogger, SessionLogger, pruning, system
from deia.conversation import index
from deia.errors import SessionLockedError
from deia.journal.recovery import lock_session
from deia.journal.segments import Segment, first_line, segment_path
from deia.pruning import Criteria, Pruned, prune, survey, update_indexes
from deia.queue.layout import queue_path
from support.fleets import DAY_S, write_session
from support.journals import START, Lines, journal_path, write_queue

NOW = 2_000_000_000.0
LENGTH_S = 3600
ALL = Criteria(keep=0)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "now", lambda: NOW)


def age(path: Path, days: float) -> Path:
    """Have a file look as if it was written so many days ago."""
    os.utime(path, (NOW - days * DAY_S,) * 2)
    return path


def session(directory: Path, name: str, days: float, *, calls: int = 3) -> Path:
    """Write a session that ended so many days ago; its file is as new as that of an import."""
    day = (NOW - START - LENGTH_S) / DAY_S - days
    return age(write_session(directory, name, day=day, tools={"pytest": [100] * calls}), 0)


def add_segment(journal: Path, *, days: float = 5) -> None:
    """Have a session go on in a second file."""
    lines = Lines("agent", "s", start=NOW - days * DAY_S)
    whole = journal.read_bytes()
    lines.seq = whole.count(b"\n")
    segment = segment_path(journal, 2)
    first = first_line("agent", "s", Segment(segment, 2, "s", lines.seq, len(whole), reason="size"))
    segment.write_bytes(first + lines.tool())
    age(segment, 0)


def no_complaint(error: OSError, path: str) -> None:
    raise AssertionError(f"{path}: {error}")


def run(directory: Path, criteria: Criteria = ALL, *, dry_run: bool = False) -> list[Pruned]:
    journals = sorted(path for path in directory.rglob("*.jsonl") if path.name.count(".") == 1)
    journals += [
        path
        for queue in directory.rglob(".*.queue")
        if not (path := queue.with_name(queue.name[1:-6] + ".jsonl")).exists()
    ]
    return list(prune(survey(journals, no_complaint), criteria, dry_run=dry_run))


def names(pruned: list[Pruned]) -> list[str]:
    return [each.session.journal.name for each in pruned if each.reason is None]


def files(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


# Which go


def test_sessions_not_recorded_in_for_long_go(tmp_path: Path) -> None:
    """The oldest first; by when their last event was, and not by when their file was made: an import's is new."""
    for name, days in (("a", 31), ("b", 29), ("c", 300)):
        session(tmp_path, name, days)
    assert names(run(tmp_path, Criteria(older_than_s=30 * DAY_S))) == ["agent_c.jsonl", "agent_a.jsonl"]
    assert files(tmp_path) == ["agent_b.jsonl"]


def test_all_but_the_newest_go(tmp_path: Path) -> None:
    """As many as are to be kept stay; where there are fewer, all."""
    for number in range(5):
        session(tmp_path, f"s{number}", number)
    assert run(tmp_path, Criteria(keep=5)) == []
    assert names(run(tmp_path, Criteria(keep=2))) == ["agent_s4.jsonl", "agent_s3.jsonl", "agent_s2.jsonl"]


def test_oldest_go_until_the_others_are_small_enough(tmp_path: Path) -> None:
    """And no more than that."""
    paths = [session(tmp_path, f"s{number}", number) for number in range(4)]
    size = paths[0].stat().st_size
    assert run(tmp_path, Criteria(max_bytes=4 * size)) == []
    assert names(run(tmp_path, Criteria(max_bytes=2 * size + 1))) == ["agent_s3.jsonl", "agent_s2.jsonl"]


def test_session_goes_if_any_criterion_says_so(tmp_path: Path) -> None:
    """Two of them name more than one does."""
    for number in range(4):
        session(tmp_path, f"s{number}", 10 * number)
    assert len(run(tmp_path, Criteria(older_than_s=25 * DAY_S, keep=3), dry_run=True)) == 1
    assert len(run(tmp_path, Criteria(older_than_s=15 * DAY_S, keep=3), dry_run=True)) == 2
    assert len(run(tmp_path, Criteria(older_than_s=15 * DAY_S, keep=1), dry_run=True)) == 3


@pytest.mark.parametrize("timestamp", [None, 0.0, -1.0])
def test_session_of_which_no_event_says_a_time_ended_when_its_file_was_changed_last(
    tmp_path: Path, timestamp: object
) -> None:
    """An import of records without times has them all at 0, and is not to go for that."""
    journal = journal_path(tmp_path, "agent", "s")
    journal.write_bytes(Lines("agent", "s").tool(timestamp=timestamp))
    age(journal, 10)
    assert run(tmp_path, Criteria(older_than_s=11 * DAY_S)) == []
    assert names(run(tmp_path, Criteria(older_than_s=9 * DAY_S))) == ["agent_s.jsonl"]


@pytest.mark.parametrize(
    "end",
    [b'{"type":"ToolEv', b"\0" * 100, b'{"type":"x"}\n[1]\n' * 10_000, b'{"x":"' + b"y" * 300_000 + b'"}\n'],
    ids=["torn", "lost", "untimed", "long"],
)
def test_session_ended_at_the_last_event_that_can_be_read(tmp_path: Path, end: bytes) -> None:
    """Whatever stands behind it."""
    journal = session(tmp_path, "s", 10)
    journal.write_bytes(journal.read_bytes() + end)
    age(journal, 0)
    (found,) = survey([journal], no_complaint)
    assert found.recorded_until == NOW - 10 * DAY_S


def test_session_in_several_files_ended_at_the_last_event_of_the_last(tmp_path: Path) -> None:
    """Of one in which nothing was recorded yet, at that of the file before."""
    journal = session(tmp_path, "s", 10)
    add_segment(journal, days=5)
    assert [found.recorded_until for found in survey([journal], no_complaint)] == [NOW - 5 * DAY_S]
    segment_path(journal, 2).write_bytes(b"")
    assert [found.recorded_until for found in survey([journal], no_complaint)] == [NOW - 10 * DAY_S]


def test_looking_when_a_long_session_ended_reads_its_end_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of logs may be long."""
    journal = session(tmp_path, "s", 10, calls=10_000)
    read = 0

    def pread(fd: int, length: int, offset: int) -> bytes:
        nonlocal read
        read += length
        return os.pread(fd, length, offset)

    monkeypatch.setattr(system, "pread", pread)
    assert survey([journal], no_complaint)[0].recorded_until == NOW - 10 * DAY_S
    assert read < journal.stat().st_size / 10


def test_session_that_two_names_lead_to_counts_once(tmp_path: Path) -> None:
    """Counted twice, two sessions would look like four, and `--keep 2` would leave one of them."""
    directory, link = tmp_path / "sessions", tmp_path / "link"
    directory.mkdir()
    link.symlink_to(directory)
    named = [session(directory, name, days) for name, days in (("a", 2), ("b", 1))]
    found = survey([*named, *(link / path.name for path in named)], no_complaint)
    assert [each.journal for each in found] == named
    assert not list(prune(found, Criteria(keep=2)))
    assert not list(prune(found, Criteria(max_bytes=sum(path.stat().st_size for path in named))))


def test_directory_that_goes_meanwhile_keeps_no_other_session(tmp_path: Path) -> None:
    """Somebody else may remove it between the look at what there is and the look at what that is."""
    made = session(tmp_path, "s", 1)
    (tmp_path / "file").touch()
    gone = [tmp_path / name / "agent_gone.jsonl" for name in ("gone", "file")]
    assert [found.journal for found in survey([*gone, made], no_complaint)] == [made]


def test_directory_that_cannot_be_read_is_told_and_keeps_no_other_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own sessions stay: nobody knows what belongs to them."""
    made = session(tmp_path, "s", 1)
    (tmp_path / "secret").mkdir()
    secret = session(tmp_path / "secret", "s", 1)
    list_directory = system.list_directory

    def refuse(path: Path) -> list[str]:
        if path == secret.parent:
            raise PermissionError(13, "Permission denied", str(path))
        return list_directory(path)

    monkeypatch.setattr(system, "list_directory", refuse)
    told: list[str] = []
    assert [found.journal for found in survey([secret, made], lambda _, where: told.append(where))] == [made]
    assert told == [str(secret.parent)]


def test_what_cannot_go_does_not_save_the_next_one(tmp_path: Path) -> None:
    """Under a limit of size, the next oldest goes in its place."""
    old, newer, newest = (session(tmp_path, name, days) for name, days in (("a", 3), ("b", 2), ("c", 1)))
    write_queue(old, old.read_bytes())
    found = run(tmp_path, Criteria(max_bytes=2 * newest.stat().st_size))
    assert [(each.session.journal, each.reason) for each in found] == [(old, "unrecovered"), (newer, None)]


# What goes with a session


def test_everything_that_belongs_to_a_session_goes_and_nothing_else(tmp_path: Path) -> None:
    """Segments, leftovers, what was set aside, the conversation with its own; a neighbour with a longer name stays."""
    journal = session(tmp_path, "s", 5)
    add_segment(journal)
    made = ConversationLogger.rebuild(journal)
    for name in (
        *(".agent_s.queue.new", ".agent_s.queue.aside-1", ".agent_s.segment.new", ".agent_s.importing"),
        *(".agent_s.saving-0a1b2c3d", ".agent_s.saving-ffffffff"),
        *("agent_s.jsonl.damaged-1", "agent_s.2.jsonl.damaged-2", ".agent_s.2.jsonl.mending"),
        *(f"{made.name}.aside-1", f".{made.name}.new"),
    ):
        (tmp_path / name).write_text("left")
    stays = {".agent_s.saving-x", ".agent_s2.saving-0a1b2c3d"}
    stays |= {"notes.md", "agent_s.txt", ".agent_s2.queue.aside-1", "20260101-000000-agent_s-conversation.md"}
    for name in stays:
        (tmp_path / name).write_text("mine")
    session(tmp_path, "s2", 1)
    (gone,) = run(tmp_path, Criteria(keep=1))
    assert (gone.session.journal, gone.reason, gone.session.files) == (journal, None, 2 + 11 + 1)
    assert set(files(tmp_path)) == stays | {"agent_s2.jsonl", "INDEX.md"}


def test_size_is_that_of_all_files(tmp_path: Path) -> None:
    """What is told to be freed is what was there."""
    journal = session(tmp_path, "s", 1)
    (tmp_path / "agent_s.jsonl.damaged-1").write_bytes(b"x" * 1000)
    (found,) = run(tmp_path)
    assert found.session.size_bytes == 1000 + found.session.log[journal][1]


def test_index_lists_a_removed_conversation_no_more(tmp_path: Path) -> None:
    """One that is not ours is left alone, as it is by whoever keeps conversations."""
    for journal in (session(tmp_path, "a", 5), session(tmp_path, "b", 1)):
        ConversationLogger.rebuild(journal)
    gone = run(tmp_path, Criteria(keep=1))
    assert list(update_indexes(each.session for each in gone)) == [(tmp_path / index.NAME, None)]
    text = (tmp_path / index.NAME).read_text()
    assert "agent_b" in text and "agent_a" not in text
    (tmp_path / index.NAME).write_text("mine")
    gone = run(tmp_path)
    assert list(update_indexes(each.session for each in gone)) == []
    assert (tmp_path / index.NAME).read_text() == "mine"


def test_dry_run_names_the_same_and_touches_nothing(tmp_path: Path) -> None:
    """Not a file is made, changed or removed."""
    for number in range(3):
        session(tmp_path, f"s{number}", number)
    write_queue(tmp_path / "agent_s2.jsonl", b"")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    would = [(each.session.journal, each.reason) for each in run(tmp_path, dry_run=True)]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert [(each.session.journal, each.reason) for each in run(tmp_path)] == would


# What never goes


def test_session_that_is_open_stays(tmp_path: Path) -> None:
    """It goes on recording as if nothing had been."""
    with SessionLogger("agent", "live", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
        log.flush()
        for dry_run in (True, False):
            (kept,) = run(tmp_path, dry_run=dry_run)
            assert kept.reason == "recording"
        log.log_file_read("/b", 1)
    assert log.path.read_bytes().count(b"\n") == 2


def test_session_that_was_not_recovered_stays(tmp_path: Path) -> None:
    """Its queue file may hold the only copy of an event, even where its log is gone."""
    lines = Lines()
    journal = journal_path(tmp_path)
    content = lines.tool()
    journal.write_bytes(content)
    write_queue(journal, content + lines.tool())
    (kept,) = run(tmp_path)
    assert (kept.reason, "recover" in kept.why) == ("unrecovered", True)
    journal.unlink()
    (kept,) = run(tmp_path)
    assert kept.reason == "unrecovered"
    assert queue_path(journal).exists()


def test_lock_that_holds_nothing_goes(tmp_path: Path) -> None:
    """A process died while it opened the session."""
    queue_path(journal_path(tmp_path)).touch()
    assert names(run(tmp_path)) == ["agent_session.jsonl"]
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["is_locked", "lock"])
def test_session_whose_lock_cannot_be_told_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """On a file system without locks nothing tells whether somebody records."""
    journal = session(tmp_path, "s", 1)
    if name == "is_locked":
        queue_path(journal).touch()
    monkeypatch.setattr(system, name, lambda _fd: None)
    (kept,) = run(tmp_path)
    assert kept.reason == "unknown"
    assert journal.exists()


@pytest.mark.parametrize("which", ["journal", "queue", "segment", "conversation"])
def test_symbolic_link_is_refused(tmp_path: Path, which: str) -> None:
    """Neither it nor what it leads to is touched."""
    elsewhere = tmp_path / "elsewhere"
    directory = tmp_path / "sessions"
    journal = session(directory, "s", 1)
    elsewhere.mkdir()
    link = {
        "journal": journal,
        "queue": queue_path(journal),
        "segment": directory / "agent_s.2.jsonl",
        "conversation": directory / "20260101-000000-agent_s-conversation.md",
    }[which]
    target = elsewhere / "target"
    target.write_bytes(
        Lines("agent", "s").line(
            {"type": "SessionEvent", "event": "segment", "segment": 2, "after_seq": 5, "offset": 9}
        )
        if which == "segment"
        else journal.read_bytes()
    )
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    (kept,) = run(directory)
    assert kept.reason == "link"
    assert target.exists() and link.is_symlink()


@pytest.mark.parametrize(
    "content",
    [b'{"rows": 1}\n', b"not json\n", b'{"name":"a","params":{},"duration_ms":5}\n', Lines("other", "s").tool()],
)
def test_file_that_is_no_log_of_its_name_stays(tmp_path: Path, content: bytes) -> None:
    """Other programs write JSON Lines, too, and the original format names no session."""
    path = tmp_path / "agent_s.jsonl"
    path.write_bytes(content)
    (kept,) = run(tmp_path)
    assert kept.reason == "foreign"
    assert path.read_bytes() == content
    assert files(tmp_path) == ["agent_s.jsonl"]


def test_empty_file_goes_only_where_its_name_is_a_sessions(tmp_path: Path) -> None:
    """A session in which nothing was logged leaves one."""
    (tmp_path / "agent_s.jsonl").touch()
    (tmp_path / "data.jsonl").touch()
    assert names(run(tmp_path)) == ["agent_s.jsonl"]


# At the same time as others


def test_logger_cannot_open_a_session_that_is_being_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told that the session is locked; afterwards it begins a new one."""
    session(tmp_path, "s", 1)
    refused: list[SessionLockedError] = []

    def unlink(path: Path) -> None:
        if not refused and path.parent == tmp_path:  # not what the background removes of another test's session
            with pytest.raises(SessionLockedError) as caught:
                SessionLogger("agent", "s", output_dir=tmp_path).log_file_read("/a", 1)
            refused.append(caught.value)
        os.unlink(path)

    monkeypatch.setattr(system, "unlink", unlink)
    assert names(run(tmp_path)) == ["agent_s.jsonl"]
    assert refused
    assert files(tmp_path) == []
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("/a", 1)
    assert log.path.read_bytes().count(b"\n") == 1


def during(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], Any]) -> None:
    """Have something happen after a session was chosen, and before its lock is taken."""

    def lock(*arguments: Any) -> Any:
        happen()
        return lock_session(*arguments)

    monkeypatch.setattr(pruning, "lock_session", lock)


def test_session_that_is_opened_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is open still, or was closed again with something recorded."""
    session(tmp_path, "s", 1)
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    during(monkeypatch, lambda: log.log_file_read("/a", 1))
    (kept,) = run(tmp_path)
    assert kept.reason == "recording"
    log.close()
    age(log.path, 1)

    def record() -> None:
        with SessionLogger("agent", "s", output_dir=tmp_path) as again:
            again.log_file_read("/b", 1)

    during(monkeypatch, record)
    (kept,) = run(tmp_path)
    assert kept.reason == "changed"
    assert files(tmp_path) == ["agent_s.jsonl"]


def test_session_that_went_on_in_a_further_file_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the files that were there are what they were; a file of another session at such a name is no matter."""
    journal = session(tmp_path, "s", 1)
    other = session(tmp_path, "s.2", 1)
    content = other.read_bytes()
    other.unlink()
    during(monkeypatch, lambda: add_segment(journal))
    (kept,) = run(tmp_path)
    assert kept.reason == "changed"
    assert files(tmp_path) == ["agent_s.2.jsonl", "agent_s.jsonl"]
    segment_path(journal, 2).unlink()
    during(monkeypatch, lambda: segment_path(journal, 2).write_bytes(content))
    assert names(run(tmp_path)) == ["agent_s.jsonl"]
    assert files(tmp_path) == ["agent_s.2.jsonl"]


def test_session_whose_process_dies_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue file came after it was chosen."""
    journal = session(tmp_path, "s", 1)
    during(monkeypatch, lambda: write_queue(journal, journal.read_bytes()))
    (kept,) = run(tmp_path)
    assert kept.reason == "unrecovered"
    assert queue_path(journal).exists()


def test_session_that_somebody_else_removes_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another `deia prune`, say."""
    journal = session(tmp_path, "s", 1)
    during(monkeypatch, journal.unlink)
    (kept,) = run(tmp_path)
    assert kept.reason == "changed"
    assert files(tmp_path) == []
    assert survey([journal], no_complaint) == []


def test_session_whose_conversation_is_being_written_stays(tmp_path: Path) -> None:
    """By `ConversationLogger.rebuild` of another process."""
    journal = session(tmp_path, "s", 1)
    made = ConversationLogger.rebuild(journal)
    fd = os.open(made, os.O_RDONLY)
    try:
        assert system.lock(fd)
        kept = [run(tmp_path, dry_run=dry_run) for dry_run in (True, False)]
    finally:
        os.close(fd)
    assert [[each.reason for each in found] for found in kept] == [["busy"]] * 2
    assert journal.exists() and made.exists() and not queue_path(journal).exists()


def test_session_that_is_being_saved_over_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a logger of the same session in another directory, which finishes what it began."""
    saved = tmp_path / "saved"
    session(saved, "s", 5)
    kept: list[Pruned] = []
    sync = system.sync

    def prune_first(fd: int) -> None:
        for dry_run in (True, False):
            kept.extend(run(saved, dry_run=dry_run))
        sync(fd)

    with SessionLogger("agent", "s", output_dir=tmp_path / "own") as log:
        log.log_file_read("/a", 1)
        with monkeypatch.context() as patch:
            patch.setattr(system, "sync", prune_first)
            assert log.save_session(saved) == saved / "agent_s.jsonl"
    assert [(each.reason, "saving-" in each.why) for each in kept] == [("busy", True)] * 2
    assert files(saved) == ["agent_s.jsonl"]
    assert (saved / "agent_s.jsonl").read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("dies_at", range(4))
def test_session_that_was_removed_in_part_is_removed_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    """Whoever dies, or is refused, between two files leaves what is found again."""
    journal = session(tmp_path, "s", 1)
    add_segment(journal)
    (tmp_path / "agent_s.jsonl.damaged-1").touch()
    removals = 0

    def unlink(path: Path) -> None:
        nonlocal removals
        if path.parent == tmp_path:  # as above
            if removals == dies_at:
                raise PermissionError(13, "Permission denied", str(path))
            removals += 1
        os.unlink(path)

    with monkeypatch.context() as patch:
        patch.setattr(system, "unlink", unlink)
        (found,) = run(tmp_path)
    assert found.reason == "error"
    assert "Permission denied" in found.why
    assert [each.reason for each in prune(survey([journal], no_complaint), ALL)] == [None]
    assert files(tmp_path) == []
