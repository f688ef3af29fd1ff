"""The last events of sessions, and what comes then, as one stream."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deia import SessionLogger, system
from deia.journal.reader import Entry
from deia.live.follower import Note
from deia.live.tail import Line, Tail
from deia.live.wanted import Wanted, Wants
from support.journals import START, Lines, journal_path


def everything(entry: Entry) -> bool:
    return True


class Stream:
    """A tail, and what it was told."""

    def __init__(self, *paths: Path, wants: Wants = everything) -> None:
        self.notes: list[Note] = []
        self.complaints: list[str] = []
        self.tail = Tail(
            [str(path) for path in paths], wants, self.notes.append, lambda error, path: self.complaints.append(path)
        )

    def last(self, most: int | None = None, since: float | None = None) -> list[str]:
        return [name_of(line) for line in self.tail.last(most, since)]

    def new(self) -> list[str]:
        return [name_of(line) for line in self.tail.new()]


def name_of(line: Line) -> str:
    fields = line.entry.record.fields
    return f"{fields.get('session_id')}:{fields.get('path') or fields.get('name')}"


def make(directory: Path, session: str, *seconds: float, touched: float | None = None) -> Path:
    """Make a finished session with an event at each of some seconds."""
    lines = Lines("agent", session)
    path = journal_path(directory, "agent", session)
    path.write_bytes(b"".join(lines.file(path=str(at), at=at) for at in seconds))
    written = START + (max(seconds) if touched is None else touched)
    os.utime(path, (written, written))
    return path


def test_last_events_of_several_sessions_are_in_the_order_of_time(tmp_path: Path) -> None:
    """As many as are asked for, over all of them."""
    make(tmp_path, "a", 1, 4, 5)
    make(tmp_path, "b", 2, 3, 6)
    assert Stream(tmp_path).last(4) == ["b:3", "a:4", "a:5", "b:6"]
    assert Stream(tmp_path).last(0) == []
    assert Stream(tmp_path).last(100) == ["a:1", "b:2", "b:3", "a:4", "a:5", "b:6"]


def test_all_events_of_several_sessions_come_one_session_after_the_other(tmp_path: Path) -> None:
    """So that nothing has to be kept, however long they are; the oldest first."""
    make(tmp_path, "b", 1, 4)
    make(tmp_path, "a", 2, 6)
    assert Stream(tmp_path).last() == ["b:1", "b:4", "a:2", "a:6"]


def test_since_leaves_out_what_was_logged_before(tmp_path: Path) -> None:
    """And the last of the rest are chosen."""
    make(tmp_path, "a", 1, 4, 5)
    make(tmp_path, "b", 2, 3, 6)
    make(tmp_path, "old", 0)
    assert Stream(tmp_path).last(since=START + 3) == ["b:3", "a:4", "a:5", "b:6"]
    assert Stream(tmp_path).last(2, START + 3) == ["a:5", "b:6"]


def test_sessions_that_can_have_none_of_the_last_events_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By when their files were written; among thousands of finished sessions the last events are found at once."""
    for number in range(20):
        make(tmp_path, f"{number:02}", 100 * number, 100 * number + 1)
    opened: set[str] = set()
    real = system.open_for_reading

    def open_for_reading(path: str) -> object:
        opened.add(Path(path).stem)
        return real(path)

    monkeypatch.setattr(system, "open_for_reading", open_for_reading)
    stream = Stream(tmp_path)
    assert stream.last(3) == ["18:1801", "19:1900", "19:1901"]
    assert opened == {"agent_18", "agent_19"}
    assert stream.new() == []
    assert opened == {"agent_18", "agent_19"}


def test_filter_is_applied_before_the_last_are_counted(tmp_path: Path) -> None:
    """The last three that are wanted may be far from the end of a long log."""
    lines = Lines()
    wanted_ones = b"".join(lines.tool(f"t{number}") for number in range(5))
    with journal_path(tmp_path).open("wb") as file:
        file.write(wanted_ones)
        while file.tell() < 6 << 20:
            file.write(b"".join(lines.file(path="x" * 500) for _ in range(1000)))
    stream = Stream(tmp_path, wants=Wanted(["tool"], None))
    assert stream.last(3) == ["session:t2", "session:t3", "session:t4"]
    assert Stream(journal_path(tmp_path)).last(1) == ["session:" + "x" * 500]


def test_types_are_names_patterns_and_short_forms() -> None:
    """As those of the bus; the short ones of our own classes in any case."""
    lines = Lines()
    made = [
        lines.tool(),
        lines.file(),
        lines.begin(),
        lines.line({"type": "Deployed"}),
        b'{"name":"x","start_time":1}\n',
    ]

    def chosen(*types: str, where: str | None = None) -> list[int]:
        import orjson

        from deia.journal.decode import decode
        from deia.journal.record import Record

        wants = Wanted(types, where)
        fields = [orjson.loads(line) for line in made]
        entries = [Entry(Record(1, 0, 1, each), decode(each)) for each in fields]
        return [number for number, entry in enumerate(entries) if wants(entry)]

    assert chosen() == [0, 1, 2, 3, 4]
    assert chosen("ToolEvent") == chosen("tool") == chosen("TOOL") == [0]
    assert chosen("task", "file") == [1, 2, 4]
    assert chosen("*Event") == [0, 1, 2, 4]
    assert chosen("Deploy*") == [3]
    assert chosen("deployed") == []
    assert chosen(where="type = 'TaskEvent'") == [2, 4]


def test_events_know_how_deep_in_tasks_they_stand(tmp_path: Path) -> None:
    """A task stands where its parent's events do; what is in no task at the margin."""
    lines = Lines()
    content = (
        lines.file(task_id=None)
        + lines.begin("outer")
        + lines.begin("inner", parent_id=2)
        + lines.file(task_id=3)
        + lines.complete(3, "inner", parent_id=2)
        + lines.file(task_id=2)
        + lines.complete(2, "outer")
        + lines.file(task_id=2)
    )
    journal_path(tmp_path).write_bytes(content)
    assert [line.depth for line in Stream(tmp_path).tail.last(None, None)] == [0, 0, 1, 2, 1, 1, 0, 1]


def test_new_events_of_all_sessions_come_in_the_order_of_time(tmp_path: Path) -> None:
    """Of those that are there, those that come, and those that are opened again."""
    with SessionLogger("agent", "again", output_dir=tmp_path) as log:
        log.log_file_read("old")
    long_ago = system.now() - 1000
    os.utime(log.path, (long_ago, long_ago))
    first = SessionLogger("agent", "a", output_dir=tmp_path)
    first.log_file_read("0")
    stream = Stream(tmp_path)
    assert stream.last(1) == ["a:0"]
    second = SessionLogger("agent", "b", output_dir=tmp_path)
    for number in range(3):
        first.log_file_read(str(number))
        second.log_file_read(str(number))
    assert stream.new() == ["a:0", "b:0", "a:1", "b:1", "a:2", "b:2"]
    with SessionLogger("agent", "again", output_dir=tmp_path) as log:
        log.log_file_read("new")
        found = stream.new()
    assert found == ["again:None", "again:new"]
    first.close()
    second.close()
    assert stream.new() == []
    assert stream.complaints == []


def test_logs_that_are_missing_are_named_and_waited_for(tmp_path: Path) -> None:
    """Those that were asked for by name."""
    path = tmp_path / "agent_s.jsonl"
    stream = Stream(path)
    assert stream.last(10) == []
    assert stream.tail.missing == [str(path)]
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("a")
        assert stream.new() == ["s:a"]
    assert stream.tail.missing == []


def test_directory_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    """As the directory of an agent that has not begun."""
    stream = Stream(tmp_path / "sessions")
    assert stream.last(10) == []
    with SessionLogger("agent", "s", output_dir=tmp_path / "sessions") as log:
        log.log_file_read("a")
        assert stream.new() == ["s:a"]


def test_queue_file_and_later_segment_mean_their_session(tmp_path: Path) -> None:
    """As for `deia check`."""
    path = make(tmp_path, "s", 1)
    queue = tmp_path / ".agent_s.queue"
    assert Stream(queue).last(1) == ["s:1"]
    assert Stream(path).last(1) == ["s:1"]


def test_open_session_is_followed_from_now_on_where_none_of_its_past_is_asked_for(tmp_path: Path) -> None:
    """Nothing but its queue file tells of its next event."""
    with SessionLogger("agent", "s", output_dir=tmp_path, flush_interval_s=3600) as log:
        log.log_file_read("old")
        stream = Stream(tmp_path)
        assert stream.last(0) == []
        log.log_file_read("new")
        assert stream.new() == ["s:new"]
        log.log_file_read("newer")
        assert stream.new() == ["s:newer"]


def test_log_that_comes_is_shown_though_its_lines_say_no_time(tmp_path: Path) -> None:
    """As those of the original format; of one that was there only what comes."""
    untimed = b'{"name":"%b","params":{},"duration_ms":5}\n'
    (tmp_path / "old.jsonl").write_bytes(untimed % b"before")
    os.utime(tmp_path / "old.jsonl", (START, START))
    make(tmp_path, "open", 1)
    stream = Stream(tmp_path)
    assert stream.last(0) == []
    (tmp_path / "new.jsonl").write_bytes(untimed % b"first" + untimed % b"second")
    assert stream.new() == ["None:first", "None:second"]
    with (tmp_path / "new.jsonl").open("ab") as file:
        file.write(untimed % b"third")
    assert "None:before" not in stream.new()


def test_nothing_of_the_past_is_shown_where_none_is_asked_for(tmp_path: Path) -> None:
    """`-n 0 -f`: from now on."""
    path = make(tmp_path, "s", 1)
    stream = Stream(path)
    assert stream.last(0) == []
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_file_read("new")
        assert stream.new() == ["s:None", "s:new"]


@pytest.mark.parametrize("is_open", [False, True])
def test_session_that_is_spelled_in_several_ways_is_shown_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_open: bool
) -> None:
    """By its name and its directory's, relative or not, by a link to it or to its directory, and by its queue file."""
    real = tmp_path / "real"
    log = SessionLogger("agent", "a", output_dir=real)
    log.log_file_read("1")
    if not is_open:
        log.close()
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "link.jsonl").symlink_to(log.path)
    monkeypatch.chdir(tmp_path)
    name = Path(log.path).name
    spelled = [Path(log.path), Path("real"), Path("real", "..", "real"), real, tmp_path / "link", Path("link", name)]
    for paths in (spelled, spelled[::-1], [tmp_path, Path("link.jsonl")], [Path("link.jsonl"), Path("link")]):
        stream = Stream(*paths)
        assert stream.tail.count == 1
        assert stream.last(5).count("a:1") == 1
        assert stream.last().count("a:1") == 1
        assert stream.new() == []
        stream.tail.close()
    stream = Stream(*spelled)
    stream.last(1)
    log = log if is_open else SessionLogger("agent", "a", output_dir=real)
    log.log_file_read("2")
    assert stream.new().count("a:2") == 1
    log.close()
    stream.tail.close()


def test_session_that_comes_to_two_directories_by_a_link_is_shown_once(tmp_path: Path) -> None:
    """Under the name by which it was seen first."""
    (tmp_path / "links").mkdir()
    (tmp_path / "logs").mkdir()
    stream = Stream(tmp_path / "links", tmp_path / "logs", tmp_path)
    assert stream.last(5) == []
    with SessionLogger("agent", "a", output_dir=tmp_path / "logs") as log:
        log.log_file_read("1")
        (tmp_path / "links" / "of.jsonl").symlink_to(log.path)
        assert stream.new().count("a:1") == 1
        assert stream.new() == []
    stream.tail.close()
