"""Read the Markdown file of a conversation as a program does: its front matter, and its outermost blocks."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def parts_of(path: Path) -> tuple[dict[str, Any], str]:
    """Return the front matter and what follows it."""
    begin, front, rest = path.read_text(encoding="utf-8").split("---\n", 2)
    assert begin == ""
    values = {}
    for line in front.splitlines():
        name, _, value = line.partition(": ")
        value = value.strip()
        values[name] = json.loads(value) if value.startswith('"') or value.isdecimal() else value
    return values, rest


def body_of(path: Path) -> str:
    """Return the pieces of the events."""
    return parts_of(path)[1].split("\n## Conversation\n", 1)[1]


def outline(markdown: str) -> list[str]:
    """Return what the outermost blocks are; asserts that folds are paired, and that no other HTML is anywhere."""
    blocks: list[str] = []
    depth = 0
    for token in MARKDOWN.parse(markdown):
        if token.type == "html_block":
            assert token.level == 0, token.content
            if token.content.startswith("<details>\n"):
                assert re.fullmatch(r"<details>\n<summary>[^\n]*</summary>\n?", token.content), token.content
                summary = re.sub(r"</?(?:b|i|code|summary|details)>", "", token.content)
                assert "<" not in summary, token.content
                depth += 1
                assert depth <= 2
                if depth == 1:
                    blocks.append("fold")
            else:
                assert token.content.strip() == "</details>", token.content
                depth -= 1
                assert depth >= 0
        elif token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert not kinds & {"html_inline", "image"}, token.content
        elif token.level == 0 and token.nesting >= 0 and not depth:
            blocks.append(token.type.removesuffix("_open"))
    assert depth == 0
    return blocks
