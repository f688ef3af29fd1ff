"""A process that keeps a conversation is killed: what was shown is there, and what was acknowledged comes, once."""

from __future__ import annotations

import os
import random
import re
import sys
import threading
from pathlib import Path

import pytest

from deia import ConversationLogger, SessionLogger
from support.conversations import body_of, outline, parts_of
from support.dying_system import in_a_child, killed_at
from support.effort import amount
from support.processes import end, start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as these tests use them are POSIX")

RECORDS = """
import os, sys
from deia import ConversationLogger
run, pad = sys.argv[1:]
conversation = ConversationLogger("agent", "s", output_dir="sessions")
number = 0
while True:
    conversation.user(f"message {run}/{number}.\\n" + "x" * (number * 7919 % int(pad)))
    if number % 3 == 0:
        conversation.logger.log_tool_call("pytest", {"number": number}, 5)
    os.write(1, b"%d\\n" % number)
    number += 1
    if number % 50 == 0:
        conversation.flush()
"""


def shown(directory: Path) -> bytes:
    """Return what a reader sees of the only conversation; nothing where there is none."""
    names = [name for name in os.listdir(directory) if name.endswith("-conversation.md")] if directory.exists() else []
    assert len(names) <= 1
    if not names:
        return b""
    data = (directory / names[0]).read_bytes()
    return data[data.index(b"\n## Conversation\n") :]


@pytest.mark.parametrize("pad", [10, 20_000])
def test_killed_conversation_keeps_what_was_shown_and_gets_what_was_acknowledged(tmp_path: Path, pad: int) -> None:
    """SIGKILL at random instants, the same session opened again after each; read while it is written."""
    chance = random.Random(pad)
    directory = tmp_path / "sessions"
    owed: list[str] = []
    said = b""
    for run in range(amount(reduced=4, full=40)):
        child = start(RECORDS, run, pad, cwd=tmp_path)
        assert child.stdout is not None
        child.stdout.readline()
        threading.Event().wait(chance.choice([0.01, 0.3, 0.6]) * chance.random())
        before = shown(directory) or said
        end(child)
        acknowledged = 1 + child.communicate()[0].count(b"\n")
        owed += [f"{run}/{number}." for number in range(acknowledged)]
        after = shown(directory)
        assert before.startswith(said), "what was shown is gone, after the session was opened again"
        assert after.startswith(before), "what was shown is gone"
        said = after
    path = ConversationLogger.rebuild(directory / "agent_s.jsonl")
    assert shown(directory).startswith(said)
    body = body_of(path)
    there = re.findall(r"(?m)^> message (\d+/\d+\.)", body)
    assert len(there) == len(set(there))
    missing = set(owed) - set(there)
    assert not missing, sorted(missing)[:5]
    outline(body)
    front, _ = parts_of(path)
    assert (front["status"], front["messages"]) == ("complete", len(there))
    assert not [name for name in os.listdir(directory) if "aside" in name]


@pytest.mark.parametrize("before", ["none", "behind", "torn", "complete", "changed"])
def test_rebuilding_that_is_killed_at_any_step_can_be_done_again(memory_path: Path, before: str) -> None:
    """At each system call, and in the middle of each write: nothing that was shown is gone, and nothing comes twice."""
    number, killed = 0, True
    while killed:
        number += 1
        directory = memory_path / f"{number}"
        with SessionLogger("agent", "s", output_dir=directory, sync_policy="never") as log:
            for each in range(5):
                log.log_message("user", f"message {each}")
                log.log_tool_call("pytest", {"number": each}, 5)
        journal = log.path
        path = ConversationLogger.rebuild(journal)
        whole = path.read_bytes()
        begin = whole.index(b"\n## Conversation\n")
        pieces = [begin, *(found.start() for found in re.finditer(b"\n<details>", whole[begin:]))]
        left = {
            "none": b"",
            "behind": whole[: begin + pieces[3]].replace(b"status: complete ", b"status: recording"),
            "torn": whole[: begin + pieces[3] + 7].replace(b"status: complete ", b"status: recording"),
            "complete": whole,
            "changed": whole.replace(b"> message 2", b"> massage 2"),
        }[before]
        path.unlink()
        (directory / "INDEX.md").unlink()
        if left:
            path.write_bytes(left)
        seen = shown(directory)

        def rebuild(number: int = number, journal: Path = journal) -> None:
            with killed_at(number):
                ConversationLogger.rebuild(journal)

        killed = in_a_child(rebuild)
        aside = directory / f"{path.name}.aside-1"
        assert shown(directory).startswith(seen) or (before == "changed" and aside.read_bytes() == left)
        assert ConversationLogger.rebuild(journal) == path
        assert path.read_bytes() == whole
        assert aside.exists() == (before == "changed")
        names = {path.name, "INDEX.md", journal.name} | ({aside.name} if before == "changed" else set())
        assert set(os.listdir(directory)) == names
        assert path.name in (directory / "INDEX.md").read_text()
    assert number > 10
