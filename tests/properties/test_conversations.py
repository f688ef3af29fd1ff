"""Whatever a session holds, its Markdown has all of it, and keeps its structure."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deia import ConversationLogger, SessionLogger
from deia.conversation.markdown import code, fenced, fold, html, inline, quote, visible
from support.conversations import MARKDOWN, body_of, outline, parts_of

HOSTILE = st.sampled_from(
    [
        *(
            "`",
            "``",
            "```",
            "````",
            "~~~",
            "~~~~",
            "```html",
            "\\",
            "\\`",
            "|",
            "| --- |",
            "-",
            "- ",
            "1. ",
            "> ",
            "# ",
        ),
        *("<details>", "</details>", "</summary>", "<script>", "<!--", "-->", "<![CDATA[", "<?", "<b", "&lt;", "&#60;"),
        *("![a](b)", "[a](b)", "[a]: <b>", "[a]:", "]:", "![", "---", "===", "***", "\n", "\r", "\r\n", "\n\n", "    "),
        *("\t", "\u2028", "\x85", "\x0b", "\x00", "\x1b[2J", "\u202e", "\ufeff", "a", "b ", "_", "*", "</blockquote>"),
        *("## Conversation", "<a@b.c>", "<http://a>", "$$", "{", "\\\\", "\\<", "\\]", "`<b>`", "a | `b | <i>` | `c"),
    ]
)
TEXT = st.lists(HOSTILE | st.text(max_size=4), max_size=14).map("".join)
NAME = TEXT.map(lambda text: f"n{text}")
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3),
    max_leaves=6,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT})
    | st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT})
    | st.fixed_dictionaries(
        {"type": st.just("tool_use"), "name": TEXT, "input": st.dictionaries(TEXT, DATA, max_size=2)}
    )
    | st.fixed_dictionaries({"type": st.just("tool_result"), "content": DATA})
    | DATA,
    max_size=3,
)
MAPPING = st.dictionaries(TEXT, DATA, max_size=3)
CALLS = st.one_of(
    st.tuples(
        st.just("log_message"), st.tuples(st.sampled_from(["user", "assistant", "tool"]) | NAME, TEXT | PARTS | DATA)
    ),
    st.tuples(st.just("log_tool_call"), st.tuples(NAME, MAPPING, st.integers(0, 10**7))),
    st.tuples(st.just("log_file_write"), st.tuples(NAME, st.none() | st.integers(0, 9))),
    st.tuples(st.just("log_task_start"), st.tuples(NAME)),
    st.tuples(st.just("log_llm_call"), st.tuples(NAME, NAME)),
    st.tuples(st.just("log_error"), st.tuples(NAME)),
    st.tuples(st.just("log_decision"), st.tuples(NAME)),
    st.tuples(st.just("log_action_item"), st.tuples(NAME)),
)
MANY = settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(text=TEXT)
def test_text_stays_in_its_quote(text: str) -> None:
    """A message is one block quote, without HTML and images, and what comes after it is outside."""
    assert outline(f"{quote(text)}\n\n## after\n\n{fold('x', quote(text))}\n\nafter\n") == [
        *("blockquote", "heading", "fold", "paragraph"),
    ]


@MANY
@given(text=TEXT)
def test_text_in_a_block_of_code_is_what_it_was(text: str) -> None:
    """Whatever fences are in it."""
    (block,) = MARKDOWN.parse(fenced(text, "text"))
    assert block.type == "fence"
    assert block.content.rstrip("\n") == visible(text).rstrip("\n")


@MANY
@given(text=TEXT)
def test_text_in_a_line_stays_in_its_line(text: str) -> None:
    """No markup comes of it, in a heading, in an item of a list, in code, in the line of a fold."""
    line = f"- a · {inline(text)} · z"
    assert "\n" not in line
    tokens = MARKDOWN.parse(line)
    assert [token.type for token in tokens if token.nesting > 0] == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
    ]
    (content,) = (token for token in tokens if token.type == "inline")
    assert {child.type for child in content.children or ()} <= {"text", "text_special"}
    (content,) = (token for token in MARKDOWN.parse(f"a {code(text)} z") if token.type == "inline")
    assert [child.type for child in content.children or ()] == ["text", "code_inline", "text"]
    assert outline(fold(html(text), "b")) == ["fold"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(CALLS, min_size=1, max_size=8), behind=st.floats(0, 1))
def test_file_of_any_session_is_complete_and_keeps_its_structure(calls: list[Any], behind: float) -> None:
    """Each event has its piece, once, in order; the same however the file is made, wherever it was cut before."""
    with tempfile.TemporaryDirectory() as directory:
        with SessionLogger("agent", "s", output_dir=directory, redact=False, sync_policy="never") as log:
            for name, arguments in calls:
                getattr(log, name)(*arguments)
        path = ConversationLogger.rebuild(log.path)
        blocks = outline(body_of(path))
        assert blocks.count("fold") >= sum(name == "log_tool_call" for name, _ in calls)
        front, rest = parts_of(path)
        told = {"messages": "log_message", "tool_calls": "log_tool_call", "decisions": "log_decision"}
        for key, wanted in {**told, "errors": "log_error", "model_calls": "log_llm_call"}.items():
            assert front[key] == sum(name == wanted for name, _ in calls)
        outline(rest)
        for wanted, title in [("log_decision", "Decision"), ("log_error", "Error"), ("log_action_item", "Action item")]:
            count = len(re.findall(rf"(?m)^### {title} · \d\d:\d\d:\d\d$", rest))
            assert count == sum(name == wanted for name, _ in calls)
        whole = path.read_bytes()
        cut = whole.index(b"\n## Conversation\n") + len(b"\n## Conversation\n")
        path.write_bytes(whole[: cut + int(behind * (len(whole) - cut))])
        assert ConversationLogger.rebuild(log.path) == path
        assert path.read_bytes() == whole
        path.unlink()
        with ConversationLogger("agent", "s", output_dir=directory, redact=False) as live:
            live.user("on")
        assert path.read_bytes()[len(whole) - 20 :].count(b"### Run 2") == 1
        assert body_of(path).startswith(whole[cut:].decode())
        assert len([name for name in os.listdir(directory) if name.endswith("-conversation.md")]) == 1
        assert len(Path(directory, "INDEX.md").read_text().splitlines()) == 7
