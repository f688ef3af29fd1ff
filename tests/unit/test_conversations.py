"""`ConversationLogger`: what its Markdown file says, when, and what becomes of it."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

import deia
from deia import (
    ActionItemEvent,
    AsyncConversationLogger,
    AsyncSessionLogger,
    ConversationLogger,
    DecisionEvent,
    SessionLogger,
    read_events,
)
from deia.conversation import page as page_module
from deia.conversation.page import Page
from deia.conversation.view import View
from deia.errors import HandlerTimeoutError, LoggerClosedError, SessionLockedError
from support.conversations import body_of, outline, parts_of
from support.lines import lines_of
from support.processes import run
from support.waiting import eventually


def conversations_in(directory: Path) -> list[str]:
    """Return the names of the Markdown files that are conversations."""
    return sorted(name for name in os.listdir(directory) if name.endswith("-conversation.md"))


def file_of(directory: Path) -> Path:
    """Return the only conversation."""
    (name,) = conversations_in(directory)
    return directory / name


def index_of(directory: Path) -> list[list[str]]:
    """Return the cells of the index, a row for each conversation."""
    rows = (directory / "INDEX.md").read_text(encoding="utf-8").splitlines()[6:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


# What is recorded


def test_decision_and_action_item_are_events_that_readers_know(tmp_path: Path) -> None:
    """Their lines have every field; they are read back as what they are."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_decision("wait", reason="it rains", alternatives=("go", 5), metadata={"a": 1})
        log.log_decision("go")
        log.log_action_item("buy an umbrella", assignee="Ann", due="2026-12-01")
        log.publish(ActionItemEvent("buy an umbrella", done=True))
        log.publish(DecisionEvent("stay"))
    first, *_ = lines_of(log.path)
    assert list(first)[:6] == ["type", "decision", "reason", "alternatives", "metadata", "task_id"]
    assert list(read_events(log.path)) == [
        DecisionEvent("wait", "it rains", ["go", 5], {"a": 1}),
        DecisionEvent("go"),
        ActionItemEvent("buy an umbrella", "Ann", "2026-12-01"),
        ActionItemEvent("buy an umbrella", done=True),
        DecisionEvent("stay"),
    ]
    analysis = deia.analyze_session(log.path)
    assert analysis.events_by_type == {"DecisionEvent": 3, "ActionItemEvent": 2}


@pytest.mark.parametrize("call", ["log_decision", "log_action_item"])
def test_wrong_decision_is_refused_and_odd_one_recorded(tmp_path: Path, call: str) -> None:
    """Its text is checked; whatever else is given is recorded in its most readable form."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        with pytest.raises(TypeError, match="must be text"):
            getattr(log, call)(5)
        with pytest.raises(ValueError, match="must not be empty"):
            getattr(log, call)("")
        log.log_decision("a", reason=5, alternatives="b")  # type: ignore[arg-type]
        log.log_action_item("c", due=Path("d"), done=1)  # type: ignore[arg-type]
    assert list(read_events(log.path)) == [DecisionEvent("a", "5", ["b"]), ActionItemEvent("c", None, "d", done=True)]


# The file


def test_conversation_is_in_the_file_as_soon_as_flush_returns(tmp_path: Path) -> None:
    """Alone: messages, tool calls folded, decisions, files, action items; the index lists it."""
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        assert conversation.path is None
        conversation.user("Fix it, *please*")
        conversation.assistant("On it.\n\n```python\nx < 1\n```")
        conversation.logger.log_tool_call("pytest", {"path": "tests"}, 2500)
        conversation.logger.log_file_write("a.py", 10, 2)
        conversation.decision("Rewrite it", reason="It is old", alternatives=["Leave it"])
        conversation.action_item("Test it", assignee="Ann", due="Friday")
        conversation.flush()
        path = file_of(tmp_path)
        assert conversation.path == path
        front, _ = parts_of(path)
        assert front["status"] == "recording"
        assert (front["title"], front["messages"], front["tool_calls"]) == ("Fix it, *please*", 2, 1)
        assert (front["files_modified"], front["decisions"], front["action_items_open"]) == (1, 1, 1)
        assert index_of(tmp_path)[0][2:] == ["agent", "recording", "2", "1", "1", "1"]
        body = body_of(path)
        assert outline(body) == [
            *("heading", "blockquote") * 2,
            *("fold", "bullet_list", "heading", "blockquote", "paragraph", "blockquote", "paragraph", "bullet_list"),
            *("heading", "bullet_list"),
        ]
        for text in (
            "> Fix it, *please*",
            "> x < 1",
            "<b>pytest</b>",
            "**wrote** `a.py`",
            "> Rewrite it",
            "- [ ] Test it",
        ):
            assert text in body
    front, rest = parts_of(path)
    assert front["status"] == "complete"
    assert "## At a glance" in rest and "**Decisions**\n\n- Rewrite it" in rest
    assert body_of(path) == body
    assert index_of(tmp_path)[0][3] == "complete"


def test_file_is_beside_the_log_and_named_by_the_sessions_begin(tmp_path: Path) -> None:
    """`YYYYMMDD-HHMMSS…-conversation.md`, in UTC; for its owner only."""
    conversation = ConversationLogger("agent", "s", output_dir=tmp_path)
    conversation.logger.start_time = 1697654400.0
    conversation.user("hello")
    conversation.close()
    assert conversation.path == tmp_path / "20231018-184000-agent_s-conversation.md"
    assert sorted(os.listdir(tmp_path)) == [conversation.path.name, "INDEX.md", "agent_s.jsonl"]
    for name in (conversation.path.name, "INDEX.md"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_names_of_any_length_make_a_file(tmp_path: Path) -> None:
    """What the file system does not take is cut, and told apart by a checksum."""
    for session in ("é" * 70 + "1", "é" * 70 + "2"):
        with ConversationLogger("a" * 90, session, output_dir=tmp_path) as conversation:
            conversation.user("hello")
            conversation.flush()
        assert ConversationLogger.rebuild(conversation.logger.path) == conversation.path
    assert len(conversations_in(tmp_path)) == 2


def test_logger_that_is_there_already_is_shown_from_its_beginning(tmp_path: Path) -> None:
    """`of` shows what was recorded before it; closing it leaves the logger open."""
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    log.log_message("user", "before")
    with ConversationLogger.of(log) as conversation:
        with log.task("plan"), log.tool("grep", {"for": "x"}):
            log.log_error("it broke")
        conversation.assistant("after")
    body = body_of(file_of(tmp_path))
    at = [body.index(text) for text in ("before", "task **plan** begins", "it broke", "grep", "plan** ends", "after")]
    assert at == sorted(at)
    log.log_message("user", "unseen")
    log.close()
    assert "unseen" not in body_of(file_of(tmp_path))
    with pytest.raises(LoggerClosedError):
        ConversationLogger.of(log)


def test_file_is_complete_when_the_logger_is_closed(tmp_path: Path) -> None:
    """Nobody has to close the conversation of a logger: it ends with it."""
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    conversation = ConversationLogger.of(log)
    log.log_message("user", "hello")
    log.close()
    conversation.flush()
    assert parts_of(file_of(tmp_path))[0]["status"] == "complete"
    conversation.close()
    conversation.close()


def test_flush_after_the_logger_was_closed_waits_for_the_complete_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a session is the last that was recorded of it."""
    may_complete = threading.Event()
    complete = Page.complete

    def held_up(page: Page, view: View) -> None:
        may_complete.wait()
        complete(page, view)

    monkeypatch.setattr(Page, "complete", held_up)
    log = SessionLogger("agent", "s", output_dir=tmp_path)
    conversation = ConversationLogger.of(log)
    log.log_message("user", "hello")
    conversation.flush()
    log.close()
    with pytest.raises(HandlerTimeoutError):
        conversation.flush(timeout_s=0)
    may_complete.set()
    conversation.flush()
    assert parts_of(file_of(tmp_path))[0]["status"] == "complete"


def test_program_that_ends_without_close_leaves_a_complete_file(tmp_path: Path) -> None:
    """However soon it ends, and however much it has recorded."""
    script = """
import sys
from deia import ConversationLogger
conversation = ConversationLogger("agent", sys.argv[1], output_dir="sessions")
for number in range(int(sys.argv[1])):
    conversation.user(f"message {number}.")
"""
    for count in (1, 2000):
        run(script, count, cwd=tmp_path)
        (path,) = (tmp_path / "sessions").glob(f"*-agent_{count}-conversation.md")
        assert parts_of(path)[0]["messages"] == count
        assert body_of(path).count("> message ") == count
    rows = {row[4]: row[3] for row in index_of(tmp_path / "sessions")}
    assert rows == {"1": "complete", "2,000": "complete"}


@pytest.mark.anyio
async def test_awaited_conversation_is_the_same(tmp_path: Path) -> None:
    """On each event loop; alone, and beside a logger."""
    async with AsyncConversationLogger("agent", "alone", output_dir=tmp_path) as conversation:
        await conversation.system("be kind")
        await conversation.user("hello")
        await conversation.assistant("hi")
        await conversation.decision("greet")
        await conversation.action_item("wave", done=True)
        await conversation.flush()
        assert conversation.path is not None and "> hello" in conversation.path.read_text()
    async with AsyncSessionLogger("agent", "beside", output_dir=tmp_path) as log:
        beside = AsyncConversationLogger.of(log)
        await log.log_tool_call("pytest", {}, 5)
        await beside.close()
        await log.log_tool_call("after", {}, 5)
    assert [row[3:] for row in sorted(index_of(tmp_path), key=lambda row: row[1])] == [
        ["complete", "0", "1", "0", "0"],
        ["complete", "3", "0", "1", "0"],
    ]
    assert await AsyncConversationLogger.rebuild(log.path) == beside.path


def test_disabled_logger_has_no_conversation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`DEIA_DISABLED=1` makes it do nothing."""
    monkeypatch.setenv("DEIA_DISABLED", "1")
    with ConversationLogger("agent", output_dir=tmp_path) as conversation:
        conversation.user("hello")
        conversation.flush()
    assert conversation.path is None and os.listdir(tmp_path) == []


def test_secrets_are_not_in_the_file(tmp_path: Path) -> None:
    """It shows what the log has, which is redacted."""
    secret = "sk-ant-api03-" + "Ab1" * 30
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        conversation.user(f"use {secret}")
        conversation.decision("d", reason=f"because of {secret}", alternatives=[secret])
        conversation.action_item("do", assignee=secret)
    for name in os.listdir(tmp_path):
        assert secret not in (tmp_path / name).read_text()


# Going on


def a_session(directory: Path, *texts: str, session: str = "s") -> Path:
    """Record messages in a session without a conversation; return its log."""
    with SessionLogger("agent", session, output_dir=directory) as log:
        for text in texts:
            log.log_message("user", text)
    return log.path


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.6, 0.99, 1.0])
def test_file_that_is_behind_is_completed_without_duplicates(tmp_path: Path, cut: float) -> None:
    """Wherever a death has cut it, between two events or inside one: what is there stays, what is missing comes."""
    journal = a_session(tmp_path, *(f"message {number}." for number in range(20)))
    whole = ConversationLogger.rebuild(journal)
    data = whole.read_bytes().replace(b"status: complete ", b"status: recording")
    begin = data.index(b"\n## Conversation\n") + len(b"\n## Conversation\n")
    kept = data[: begin + int(cut * (len(data) - begin))]
    whole.write_bytes(kept)
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        conversation.user("and on")
        conversation.flush()
        assert whole.read_bytes()[begin : len(kept)] == kept[begin:]
    body = body_of(file_of(tmp_path))
    assert [body.count(f"> message {number}.") for number in range(20)] == [1] * 20
    assert body.index("message 19.") < body.index("### Run 2") < body.index("and on")
    assert conversations_in(tmp_path) == [whole.name]
    assert sorted(os.listdir(tmp_path)) == sorted([whole.name, "INDEX.md", journal.name])


def test_rebuild_makes_the_file_that_live_writing_makes(tmp_path: Path) -> None:
    """It is a view over the log, whoever makes it and when."""
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        conversation.user("hello\n```\n<b>")
        with conversation.logger.task("plan", {"a": 1}), conversation.logger.tool("x", {"y": "z\n"}):
            conversation.logger.log_llm_call("p", "m", 5, 6, cost_usd=0.1, duration_ms=70_000)
        conversation.logger.publish(DecisionEvent("d"))
    path = file_of(tmp_path)
    live = path.read_bytes()
    assert ConversationLogger.rebuild(conversation.logger.path) == path
    assert path.read_bytes() == live
    path.unlink()
    (tmp_path / "INDEX.md").unlink()
    assert ConversationLogger.rebuild(conversation.logger.path) == path
    assert path.read_bytes() == live
    assert len(index_of(tmp_path)) == 1


def test_zeros_that_a_loss_of_power_has_left_are_written_over(tmp_path: Path) -> None:
    """An append of which the length was stored and the data was not."""
    journal = a_session(tmp_path, "one", "two")
    path = ConversationLogger.rebuild(journal)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] + bytes(10 + 4096))
    assert ConversationLogger.rebuild(journal) == path
    assert path.read_bytes() == whole
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize("change", ["body", "front", "more", "all"])
def test_file_that_somebody_has_changed_is_put_aside(tmp_path: Path, change: str) -> None:
    """What people write into it is kept, beside a file that says what the log says."""
    journal = a_session(tmp_path, "one", "two")
    path = ConversationLogger.rebuild(journal)
    whole = path.read_bytes()
    changed = {
        "body": whole.replace(b"one", b"1ne").replace(b"title: 1ne", b"title: one"),
        "front": whole.replace(b'agent: "agent"', b'agent: "other"'),
        "more": whole + b"\nmy own notes\n",
        "all": b"my own notes\n",
    }[change]
    path.write_bytes(changed)
    assert ConversationLogger.rebuild(journal) == path
    assert path.read_bytes() == whole
    assert (tmp_path / f"{path.name}.aside-1").read_bytes() == changed
    assert len(index_of(tmp_path)) == 1


def test_file_of_another_format_is_written_anew_in_its_place(tmp_path: Path) -> None:
    """Of an earlier or later release, which writes the same in other words."""
    journal = a_session(tmp_path, "one")
    path = ConversationLogger.rebuild(journal)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"format: 1", b"format: 0").replace(b"> one", b"one"))
    ConversationLogger.rebuild(journal)
    assert path.read_bytes() == whole
    assert len(os.listdir(tmp_path)) == 3


@pytest.mark.parametrize("what", ["removed", "replaced", "appended"])
def test_file_that_is_touched_while_it_is_kept_is_whole_again_with_the_next_event(
    tmp_path: Path, what: str, warnings_logged: list[str]
) -> None:
    """Removed, it is made again; changed, it is put aside first."""
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        conversation.user("one")
        conversation.flush()
        path = file_of(tmp_path)
        if what == "removed":
            path.unlink()
        elif what == "replaced":
            (tmp_path / "other").write_text("notes")
            os.replace(tmp_path / "other", path)
        else:
            with path.open("a") as file:
                file.write("notes")
        conversation.user("two")
        conversation.flush()
        assert [body_of(path).count(text) for text in ("> one", "> two", "notes")] == [1, 1, 0]
    aside = tmp_path / f"{path.name}.aside-1"
    assert aside.exists() == (what != "removed") == bool(warnings_logged)
    assert what == "removed" or aside.read_text().endswith("notes")


def test_file_that_is_replaced_while_it_is_locked_is_left_to_whoever_did_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock is a file's and not its name's: what is written then would be seen by nobody."""
    with SessionLogger("agent", "s", output_dir=tmp_path) as log:
        log.log_message("user", "Hello")
    path = ConversationLogger.rebuild(log.path)
    lock = page_module.lock

    def lock_and_replace(fd: int, at: Path, **how: Any) -> None:
        lock(fd, at, **how)
        other = tmp_path / "other"
        other.write_bytes(b"theirs")
        other.replace(path)

    monkeypatch.setattr(page_module, "lock", lock_and_replace)
    with pytest.raises(SessionLockedError):
        ConversationLogger.rebuild(log.path)
    assert path.read_bytes() == b"theirs"


def test_conversation_that_is_kept_is_not_rebuilt(tmp_path: Path) -> None:
    """Nobody writes into a file that somebody keeps."""
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        conversation.user("one")
        conversation.flush()
        before = file_of(tmp_path).read_bytes()
        with pytest.raises(SessionLockedError):
            ConversationLogger.rebuild(conversation.logger.path)
        assert file_of(tmp_path).read_bytes() == before


def test_data_of_any_depth_and_size_is_shown(tmp_path: Path) -> None:
    """A log of another program's may hold what ours does not write; and a message may be long."""
    with SessionLogger("agent", "s", output_dir=tmp_path, redact=False) as log:
        log.log_message("user", "x`y<" * 250_000)
        log.log_message("assistant", ["deep"])
        log.log_tool_call("t", {"deep": 1}, 5)
    deep = b"[" * 900 + b"]" * 900
    log.path.write_bytes(
        log.path.read_bytes().replace(b'["deep"]', deep).replace(b'{"deep":1}', b'{"a":' + deep + b"}")
    )
    path = ConversationLogger.rebuild(log.path)
    assert outline(body_of(path)) == ["heading", "blockquote", "heading", "fence", "fold"]


def test_parts_of_a_message_are_shown_as_what_they_are(tmp_path: Path) -> None:
    """Text is said; calls, results and thoughts are folded, without a heading where nothing is said beside them."""
    with ConversationLogger("agent", "s", output_dir=tmp_path) as conversation:
        call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
        conversation.assistant([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "I look."}, call])
        result = {
            "type": "tool_result",
            "tool_use_id": "t1",
            "is_error": True,
            "content": [{"type": "text", "text": "no"}],
        }
        conversation.user([result])
        conversation.message("gemini", {"parts": [{"text": "Done."}]})
        conversation.message("tool", "a\nb")
        conversation.user("")
        conversation.user(5)
    body = body_of(file_of(tmp_path))
    assert outline(body) == [
        *("heading", "fold", "blockquote", "fold", "fold", "heading", "blockquote", "fold"),
        *("heading", "paragraph", "heading", "fence"),
    ]
    for text in (
        "<code>Bash</code> · <code>ls</code>",
        "<b>failed</b> · <code>no</code>",
        "<b>Tool</b> · <code>a</code>",
    ):
        assert text in body


# What is in the way


def test_links_are_not_written_through(tmp_path: Path, warnings_logged: list[str]) -> None:
    """A symbolic link at the file's name is refused; so is an index that is not ours, a link or not."""
    directory = tmp_path / "sessions"
    journal = a_session(directory, "one")
    path = ConversationLogger.rebuild(journal)
    path.unlink()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(OSError):
        ConversationLogger.rebuild(journal)
    path.unlink()
    index = directory / "INDEX.md"
    index.unlink()
    index.symlink_to(victim)
    with pytest.raises(OSError):
        ConversationLogger.rebuild(journal)
    index.unlink()
    index.write_text("an index of my own")
    with ConversationLogger("agent", "s", output_dir=directory) as conversation:
        conversation.user("two")
    assert index.read_text() == "an index of my own"
    assert victim.read_text() == "precious"
    assert "> two" in body_of(path)
    assert len(warnings_logged) == 1 and "not kept by Deia" in warnings_logged[0]


def test_file_that_cannot_be_written_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings_logged: list[str]
) -> None:
    """`flush` tells what is in the way; recording goes on; once the cause is gone everything is there."""
    from deia.conversation import page

    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    conversation = ConversationLogger("agent", "s", output_dir=tmp_path)
    conversation.user("one")
    conversation.flush()
    real = page.system

    class Full:
        write_all = staticmethod(full)

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    monkeypatch.setattr(page, "system", Full())
    conversation.user("two")
    with pytest.raises(HandlerTimeoutError) as raised:
        conversation.flush()
    assert isinstance(raised.value.__cause__, OSError)
    conversation.user("three")
    monkeypatch.undo()
    eventually(lambda: "> three" in body_of(file_of(tmp_path)), "the file to be written")
    conversation.close()
    assert [body_of(file_of(tmp_path)).count(f"> {text}\n") for text in ("one", "two", "three")] == [1, 1, 1]
    assert len(warnings_logged) == 1 and "No space left" in warnings_logged[0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_has_a_conversation_of_its_own(tmp_path: Path) -> None:
    """It neither writes into its parent's file, nor holds its lock."""
    script = """
import os
from deia import ConversationLogger
conversation = ConversationLogger("agent", "s", output_dir="sessions")
conversation.user("parent")
conversation.flush()
child = os.fork()
if not child:
    conversation.user("child")
    conversation.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
conversation.user("parent again")
conversation.close()
"""
    run(script, cwd=tmp_path)
    bodies = sorted(body_of(tmp_path / "sessions" / name) for name in conversations_in(tmp_path / "sessions"))
    assert sorted(body.count("> parent") * 10 + body.count("> child") for body in bodies) == [1, 20]
    assert [row[3] for row in index_of(tmp_path / "sessions")] == ["complete"] * 2


# The index


def test_index_says_which_conversation_was_interrupted(tmp_path: Path) -> None:
    """Who keeps one holds its lock, which dies with the process."""
    journal = a_session(tmp_path, "one")
    path = ConversationLogger.rebuild(journal)
    path.write_bytes(path.read_bytes().replace(b"status: complete ", b"status: recording"))
    with ConversationLogger("agent", "t", output_dir=tmp_path) as conversation:
        conversation.user("two")
        conversation.flush()
        assert {row[1].partition("]")[0]: row[3] for row in index_of(tmp_path)} == {
            "[one": "interrupted",
            "[two": "recording",
        }


def test_processes_that_share_a_directory_share_one_index(tmp_path: Path) -> None:
    """Whoever is last has seen all: no conversation is missing, whatever the order."""
    script = """
import os, sys
from deia import ConversationLogger
children = []
for number in range(4):
    child = os.fork()
    if not child:
        for session in range(5):
            with ConversationLogger(f"agent-{number}", f"{session}", output_dir="sessions") as conversation:
                for each in range(20):
                    conversation.user(f"hello {each}")
        os._exit(0)
    children.append(child)
assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
"""
    run(script, cwd=tmp_path)
    rows = index_of(tmp_path / "sessions")
    assert sorted((row[2], row[3], row[4]) for row in rows) == sorted(
        (f"agent-{number}", "complete", "20") for number in range(4) for _ in range(5)
    )
    assert not [name for name in os.listdir(tmp_path / "sessions") if name.endswith(".new")]
